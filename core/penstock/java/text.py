"""Text as bytes, where text from data may hold what has no bytes: half a character pair (a lone surrogate).

Java writes ``?`` for it (``String.getBytes(UTF_8)``). Python raises. JSON lets a record's text hold one: ``"\\ud83d"``.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["to_utf8", "well_formed"]

_PAIR: Final = re.compile("[\ud800-\udbff][\udc00-\udfff]")


def to_utf8(text: str) -> bytes:
    """Return ``text.getBytes(UTF_8)``: never raises, and writes ``?`` for half a character pair."""
    try:
        return text.encode()
    except UnicodeEncodeError:
        return _joined(text).encode("utf-8", "replace")


def well_formed(text: str) -> str:
    """Return `text` so that it can be encoded: ``?`` stands for half a character pair. The same object if it can be."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return _joined(text).encode("utf-8", "replace").decode()
    return text


def _joined(text: str) -> str:
    """Return `text` with both halves of a pair, one after the other, as the character they mean."""
    return _PAIR.sub(lambda pair: pair[0].encode("utf-16-le", "surrogatepass").decode("utf-16-le"), text)
