"""Base64 as ``java.util.Base64.getDecoder`` takes it, and what it says of text that is none."""

from __future__ import annotations

import base64
import string
from typing import Final

from penstock.errors import DataError

__all__ = ["Base64Error", "decode"]

_ALPHABET: Final = frozenset((string.ascii_letters + string.digits + "+/").encode())
_PAD: Final = ord("=")


class Base64Error(DataError):
    """Text that is not Base64."""

    java_class = "java.lang.IllegalArgumentException"


def decode(text: str) -> bytes:
    """The bytes in `text`. Padding may be left out, but not be wrong. Raises `Base64Error` in Java's words."""
    data = text.encode("latin-1", "replace")
    if len(data) == 1:
        raise Base64Error("Input byte[] should at least have 2 bytes for base64 bytes")
    end = next((i for i, byte in enumerate(data) if byte not in _ALPHABET), len(data))
    rest = data[end:]
    if rest and rest[0] != _PAD:
        signed = rest[0] - 256 if rest[0] > 127 else rest[0]
        raise Base64Error(f"Illegal base64 character {'-' if signed < 0 else ''}{abs(signed):x}")
    over, used = end % 4, 0
    if rest:
        if over == 0 or (over == 2 and rest[1:2] != b"="):
            raise Base64Error("Input byte array has wrong 4-byte ending unit")
        used = 2 if over == 2 else 1
    if over == 1:
        raise Base64Error("Last unit does not have enough valid bits")
    if len(rest) > used:
        raise Base64Error(f"Input byte array has incorrect ending byte at {end + used}")
    return base64.b64decode(data[:end] + b"=" * (-end % 4))
