"""Strings of a .proto text: from what stands between the quotes to text, and back.

A string of Protobuf is bytes; escapes can name bytes that are not UTF-8. A text keeps such a byte as a surrogate (Python's
``surrogateescape``), so that it is written as the same byte again.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["escaped", "escaped_bytes", "unescaped"]

_NAMED: Final = {"a": b"\a", "b": b"\b", "f": b"\f", "n": b"\n", "r": b"\r", "t": b"\t", "v": b"\v"}
_ESCAPE: Final = re.compile(
    r"\\(?:([abfnrtv])|[xX]([0-9A-Fa-f]{1,2})|([0-7]{1,3})|u([0-9A-Fa-f]{4})|U(0010[0-9A-Fa-f]{4}|000[0-9A-Fa-f]{5})|(.))",
    re.DOTALL,
)
_SIGNS: Final = {
    "\a": "\\a", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t", "\v": "\\v",
    "\\": "\\\\", "'": "\\'", '"': '\\"',
}  # fmt: skip
_SPECIAL: Final = re.compile("[\\x00-\\x1f\\x7f\\\\'\"\ud800-\udfff]")


def unescaped(raw: str) -> str:
    """Return the text that `raw`, which stood between quotes, means."""
    if "\\" not in raw:
        return raw
    pieces: list[bytes] = []
    at = 0
    for match in _ESCAPE.finditer(raw):
        pieces += [_utf8(raw[at : match.start()]), _escape(match)]
        at = match.end()
    pieces.append(_utf8(raw[at:]))
    return b"".join(pieces).decode("utf-8", "surrogateescape")


def _utf8(text: str) -> bytes:
    return text.encode("utf-8", "surrogatepass")


def _escape(match: re.Match[str]) -> bytes:
    named, in_hex, in_octal, unit, point, other = match.groups()
    if named:
        return _NAMED[named]
    if in_hex:
        return bytes([int(in_hex, 16)])
    if in_octal:
        return bytes([int(in_octal, 8) & 0xFF])
    return _utf8(chr(int(unit or point, 16))) if unit or point else _utf8(other)


def escaped(text: str) -> str:
    """Return `text` as it stands between quotes. What is no character of a line becomes an octal escape."""
    return _SPECIAL.sub(_sign, text)


def _sign(match: re.Match[str]) -> str:
    char = match[0]
    known = _SIGNS.get(char)
    if known is not None:
        return known
    data = char.encode("utf-8", "surrogateescape" if "\udc80" <= char <= "\udcff" else "surrogatepass")
    return "".join(f"\\{byte:03o}" for byte in data)


def escaped_bytes(text: str) -> str:
    """Return a default of type bytes as descriptors hold it: ASCII with C escapes."""
    data = text.encode("utf-8", "surrogateescape")
    return "".join(_SIGNS.get(chr(byte)) or (chr(byte) if 0x20 <= byte < 0x7F else f"\\{byte:03o}") for byte in data)
