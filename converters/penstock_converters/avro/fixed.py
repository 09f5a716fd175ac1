"""Decimals in Avro's ``fixed``: two's complement, as wide as the fixed is."""

from __future__ import annotations

from penstock.errors import DataError

__all__ = ["widened"]


def widened(data: bytes, size: int) -> bytes:
    """Return the number `data` (big-endian, signed) in `size` bytes. A `DataError` if it needs more."""
    missing = size - len(data)
    if missing < 0:
        raise DataError(f"A Decimal of {len(data)} bytes does not fit an Avro fixed of {size}")
    return (b"\xff" if data[0] & 0x80 else b"\x00") * missing + data
