"""Java's character sets: their names, and what they do with what cannot be written or read."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from penstock.errors import SerializationError

__all__ = ["charset", "decode_utf8"]

#: A surrogate written in three bytes: one malformed sequence to Java, three to Python.
_SURROGATE: Final = re.compile(rb"\xed[\xa0-\xbf][\x80-\xbf]")
_REPLACEMENT: Final = "\N{REPLACEMENT CHARACTER}".encode()


def decode_utf8(data: bytes) -> str:
    """``new String(data, UTF_8)``: malformed sequences become U+FFFD."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        return _SURROGATE.sub(_REPLACEMENT, data).decode("utf-8", "replace")


def charset(name: str) -> tuple[Callable[[str], bytes], Callable[[bytes], str]]:
    """Encoder and decoder of a character set; neither ever fails. A `SerializationError` if there is no such set."""
    kind = name.upper().replace("_", "-")
    if kind in ("UTF-8", "UTF8"):
        return lambda text: text.encode("utf-8", "replace"), decode_utf8
    if kind in ("UTF-16", "UTF16"):
        # Java writes big-endian behind a byte order mark, and without a mark reads big-endian.
        return lambda text: b"\xfe\xff" + text.encode("utf-16-be", "replace") if text else b"", _decode_utf16
    codec = "utf-32-be" if kind in ("UTF-32", "UTF32") else name
    try:
        "".encode(codec)
    except LookupError:
        raise SerializationError(f"Unsupported encoding {name}") from None
    # "replace" writes a question mark, as Java does.
    return lambda text: text.encode(codec, "replace"), lambda data: data.decode(codec, "replace")


def _decode_utf16(data: bytes) -> str:
    marked = data[:2] in (b"\xfe\xff", b"\xff\xfe")
    return data.decode("utf-16" if marked else "utf-16-be", "replace")
