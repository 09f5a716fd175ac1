"""Media types: the one to answer with, and the ones that are read."""

from __future__ import annotations

from penstock.http.media import best_type, media_type

__all__ = ["DEFAULT_TYPE", "JSON_TYPE", "answer_type", "body_problem"]

DEFAULT_TYPE = "application/vnd.schemaregistry.v1+json"
JSON_TYPE = "application/json"
#: The media types of answers, the preferred one first.
_PRODUCED = (DEFAULT_TYPE, "application/vnd.schemaregistry+json", JSON_TYPE)
_READ = frozenset((*_PRODUCED, "application/octet-stream"))


def answer_type(accept: str) -> str | None:
    """Return the media type for an ``Accept`` header; None if nothing that the registry has is wanted (406)."""
    return best_type(accept, _PRODUCED)


def body_problem(content_type: str | None) -> int | None:
    """Return the HTTP status to refuse a body of this ``Content-Type`` with; None if it is read. A body without a type is
    read, as Confluent's registry does; what web pages send is refused by where it comes from."""
    if content_type is None or not content_type.strip():
        return None
    kind = media_type(content_type)
    main, slash, sub = kind.partition("/")
    if not main or not slash or not sub:
        return 400
    return None if kind in _READ else 415
