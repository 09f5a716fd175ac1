"""Texts in JSON as Jackson writes them: short escapes where there are some, else ``\\u`` with capitals."""

from __future__ import annotations

import codecs
import re
from typing import Final

__all__ = ["quote", "quote_for_bytes"]

_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\f": "\\f", "\n": "\\n", "\r": "\\r", "\t": "\\t"}
_ALWAYS: Final = re.compile(r'["\\\x00-\x1f]')
codecs.lookup("utf-16-be")  # Python loads a codec from disk when it is first used: here, not while a text is written
_IN_BYTES: Final = re.compile('["\\\\\\x00-\\x1f\ud800-\udfff\U00010000-\U0010ffff]')


def quote(text: str) -> str:
    """Return `text` quoted as Jackson quotes it in a String (``WriterBasedJsonGenerator``)."""
    return f'"{_ALWAYS.sub(_escape, text)}"'


def quote_for_bytes(text: str) -> str:
    """Return `text` quoted as Jackson quotes it in UTF-8 (``UTF8JsonGenerator``): both halves of a character pair are escaped,
    and so is a single half. What comes out can be encoded."""
    return f'"{_IN_BYTES.sub(_escape, text)}"'


def _escape(found: re.Match[str]) -> str:
    char = found.group()
    if char in _SHORT:
        return _SHORT[char]
    units = char.encode("utf-16-be", "surrogatepass").hex().upper()
    return "".join(f"\\u{units[i : i + 4]}" for i in range(0, len(units), 4))
