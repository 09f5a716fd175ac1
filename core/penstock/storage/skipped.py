"""Records of a topic that make no sense: each is logged once, and told to whoever asks how the worker is."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Final

__all__ = ["MAX_SHOWN", "SkippedRecords", "shorten", "summarize"]

_log: Final = logging.getLogger(__name__)
#: The most records that are remembered and logged at ERROR; a topic full of garbage must not fill the log, nor memory.
_MAX_KNOWN: Final = 100
#: The most records that a summary names.
MAX_SHOWN: Final = 3
_MAX_TEXT: Final = 200


def shorten(text: str) -> str:
    """Return `text`, cut to a length that fits a log line, with what UTF-8 cannot hold escaped."""
    whole = text if len(text) <= _MAX_TEXT else f"{text[:_MAX_TEXT]}… ({len(text)} characters)"
    return whole.encode("utf-8", "backslashreplace").decode("utf-8")


class SkippedRecords:
    """The records of one topic that were skipped, or read otherwise than they stand, by key. For one thread at a time."""

    def __init__(self, topic: str) -> None:
        """`topic` names it in messages: ``Config topic``."""
        self._topic = topic
        self._reasons: dict[str, str] = {}
        self._full = False

    def note(self, key: str, reason: str, offset: int | None = None, *, what: str = "is skipped") -> None:
        """Log that the record of `key` at `offset` makes no sense for `reason`, and remember it."""
        at = "" if offset is None else f" at offset {offset}"
        known = key in self._reasons or len(self._reasons) < _MAX_KNOWN
        level = logging.ERROR if known else logging.DEBUG
        _log.log(level, "%s: the record %s%s %s: %s", self._topic, shorten(key), at, what, shorten(reason))
        if known:
            self._reasons[key] = reason
        elif not self._full:
            self._full = True
            _log.error("%s: further records that make no sense are logged at DEBUG only", self._topic)

    def forget(self, key: str) -> None:
        """Forget the record of `key`: another one, which makes sense, has taken its place."""
        self._reasons.pop(key, None)

    def problems(self) -> list[str]:
        """Return a sentence for each record remembered, the latest last."""
        return [f"{self._topic}: {shorten(key)}: {shorten(reason)}" for key, reason in self._reasons.items()]


def summarize(problems: Iterable[str]) -> str | None:
    """Return one sentence about `problems`, naming a few of them; None if there are none."""
    known: Sequence[str] = list(problems)
    if not known:
        return None
    more = f" and {len(known) - MAX_SHOWN} more" if len(known) > MAX_SHOWN else ""
    return f"Records that make no sense were met ({len(known)}): {'; '.join(known[:MAX_SHOWN])}{more}."
