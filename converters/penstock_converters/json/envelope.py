"""Envelopes whose schema was met before are known by their first bytes: only the payload is parsed then."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any, Final, Generic, TypeVar

__all__ = ["RecentEnvelopes"]

_START: Final = b'{"schema":'
_MIDDLE: Final = b',"payload":'
_MAX: Final = 16
_DECODER: Final = json.JSONDecoder()

T = TypeVar("T")


class RecentEnvelopes(Generic[T]):
    """The first bytes of the last few schemas' envelopes, up to the payload, and what was made of each schema.

    Only envelopes as Kafka's converter writes them count: schema first, no blanks between the members. What stands
    between such a start and the final brace is the payload if it parses as one JSON value.
    """

    def __init__(self) -> None:
        #: The starts, where the payload begins, and what was made of each schema. Replaced as a whole, never altered:
        #: safe to read while another thread learns.
        self.known: tuple[tuple[bytes, int, T], ...] = ()

    def learn(self, data: bytes, find: Callable[[Any], T | None]) -> None:
        """Remember the start of `data`, a valid envelope, if it has the usual form and `find` knows its schema."""
        if not data.startswith(_START):
            return
        try:
            text = data.decode("utf-8")
            tree, end = _DECODER.raw_decode(text, len(_START))
            start = text[:end].encode("utf-8") + _MIDDLE
            if not data.startswith(start) or any(start == known for known, _, _ in self.known):
                return
        except (ValueError, RecursionError):
            return  # an envelope of some unusual kind; it is read as a whole every time
        made = find(tree)
        if made is not None:
            self.known = ((start, len(start), made), *self.known[: _MAX - 1])
