"""Media types: what a body is said to be, and what an answer may be (RFC 9110, 8.3 and 12.5.1)."""

from __future__ import annotations

import functools
from collections.abc import Sequence
from typing import Final

__all__ = ["best_type", "media_type"]

#: An ``Accept`` header beyond this length, in characters, accepts nothing; one beyond the second is not remembered.
_MAX_ACCEPT: Final = 4096
_MAX_REMEMBERED: Final = 256


def media_type(content_type: str) -> str:
    """Return a ``Content-Type``'s media type in lower case, without parameters."""
    return content_type.partition(";")[0].strip().lower()


def best_type(accept: str, offered: tuple[str, ...]) -> str | None:
    """Return which of `offered`, the most wanted first, a client that sends `accept` would rather have; None if it takes
    none of them (406). No header accepts everything."""
    if not accept:
        return offered[0]
    if len(accept) > _MAX_ACCEPT:
        return None
    return _remembered(accept, offered) if len(accept) <= _MAX_REMEMBERED else _best(accept, offered)


def _best(accept: str, offered: tuple[str, ...]) -> str | None:
    if not accept.strip():
        return offered[0]
    ranges = [_media_range(part) for part in accept.split(",")]
    best, best_quality = None, 0.0
    for candidate in offered:
        quality = _quality(candidate, ranges)
        if quality > best_quality:
            best, best_quality = candidate, quality
    return best


_remembered = functools.lru_cache(maxsize=256)(_best)


def _media_range(text: str) -> tuple[str, float]:
    """Return a range of media types and its quality, which is 0 if it is no number."""
    name, _, parameters = text.partition(";")
    quality = 1.0
    for parameter in parameters.split(";"):
        key, _, value = parameter.partition("=")
        if key.strip().lower() == "q":
            try:
                quality = float(value.strip().strip('"'))
            except ValueError:
                return "", 0.0
    return name.strip().lower(), quality


def _quality(offered: str, ranges: Sequence[tuple[str, float]]) -> float:
    """Return the quality of the most specific range that matches."""
    main = offered.partition("/")[0]
    for pattern in (offered, f"{main}/*", "*/*"):
        matching = [quality for media_range, quality in ranges if media_range == pattern]
        if matching:
            return max(matching)
    return 0.0
