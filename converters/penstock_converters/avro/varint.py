"""Avro's integers as bytes, from tables: zigzag, then seven bits a byte."""

from __future__ import annotations

from typing import Final

from penstock.errors import DataError

__all__ = ["SMALL", "TOO_SHORT", "long_bytes", "read_length", "read_long"]


def _encode(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)


_LOW: Final = [_encode(n) for n in range(1 << 14)]
_MORE: Final = [bytes((n & 0x7F | 0x80, n >> 7 | 0x80)) for n in range(1 << 14)]

#: SMALL[n] for -64 <= n < 8192, negative ones from the list's end as Python indexes them.
SMALL: Final = [_LOW[n << 1] for n in range(8192)] + [_LOW[~(n << 1)] for n in range(-64, 0)]


def long_bytes(number: int) -> bytes:
    """Any 64-bit integer. Raises `OverflowError` beyond."""
    n = (number << 1) ^ (number >> 63)
    if n < 1 << 14:
        if n < 0:
            raise OverflowError(number)
        return _LOW[n]
    if n < 1 << 28:
        return _MORE[n & 16383] + _LOW[n >> 14]
    if n < 1 << 42:
        return _MORE[n & 16383] + _MORE[n >> 14 & 16383] + _LOW[n >> 28]
    if n < 1 << 56:
        return _MORE[n & 16383] + _MORE[n >> 14 & 16383] + _MORE[n >> 28 & 16383] + _LOW[n >> 42]
    if n < 1 << 64:
        middle = _MORE[n >> 14 & 16383] + _MORE[n >> 28 & 16383] + _MORE[n >> 42 & 16383]
        return _MORE[n & 16383] + middle + _LOW[n >> 56]
    raise OverflowError(number)


TOO_SHORT: Final = "the data ends too early"


def read_long(data: bytes, position: int) -> tuple[int, int]:
    """The integer at `position`, and the position after it. Raises `IndexError` where the data ends."""
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            break
        shift += 7
        if shift > 63:
            raise DataError("an integer is longer than ten bytes")
    result &= 0xFFFFFFFFFFFFFFFF
    return (result >> 1) ^ -(result & 1), position


def read_int(data: bytes, position: int) -> tuple[int, int]:
    number, position = read_long(data, position)
    if not -(2**31) <= number < 2**31:
        raise DataError(f"{number} is beyond Avro's int")
    return number, position


def read_length(data: bytes, position: int) -> tuple[int, int]:
    """A length or an index: an integer that is not negative and no longer than the data can be."""
    number, position = read_long(data, position)
    if not 0 <= number < 2**31:
        raise DataError(f"a length or index of {number} cannot be")
    return number, position
