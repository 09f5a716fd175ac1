"""Which media type to answer with, and which ones are read."""

from __future__ import annotations

import functools
from email.message import Message

__all__ = ["DEFAULT_TYPE", "JSON_TYPE", "answer_type", "body_problem"]

DEFAULT_TYPE = "application/vnd.schemaregistry.v1+json"
JSON_TYPE = "application/json"
#: What can be answered, the most wanted first.
_PRODUCED = (DEFAULT_TYPE, "application/vnd.schemaregistry+json", JSON_TYPE)
_READ = frozenset((*_PRODUCED, "application/octet-stream"))


@functools.lru_cache(maxsize=256)
def answer_type(accept: str) -> str | None:
    """The media type for an ``Accept`` header; None if nothing the registry has is wanted (406)."""
    if not accept.strip():
        return DEFAULT_TYPE
    wanted = [_media_range(part) for part in accept.split(",")]
    best, best_quality = None, 0.0
    for offered in _PRODUCED:
        quality = _quality(offered, wanted)
        if quality > best_quality:
            best, best_quality = offered, quality
    return best


def body_problem(content_type: str | None) -> int | None:
    """The HTTP status to refuse a body of this ``Content-Type`` with; None if it is read. No type at all is read."""
    if content_type is None or not content_type.strip():
        return None
    media_type = content_type.partition(";")[0].strip().lower()
    main, slash, sub = media_type.partition("/")
    if not main or not slash or not sub:
        return 400
    return None if media_type in _READ else 415


def _media_range(text: str) -> tuple[str, float]:
    message = Message()
    message["Content-Type"] = text.strip()
    quality = message.get_param("q", "1")
    try:
        return text.partition(";")[0].strip().lower(), float(str(quality))
    except ValueError:
        return "", 0.0


def _quality(offered: str, wanted: list[tuple[str, float]]) -> float:
    """The quality of the most specific range that matches."""
    main = offered.partition("/")[0]
    for pattern in (offered, f"{main}/*", "*/*"):
        matching = [quality for media_range, quality in wanted if media_range == pattern]
        if matching:
            return max(matching)
    return 0.0
