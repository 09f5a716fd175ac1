"""A client that cannot reach its broker complains about it many times a second: the same complaint is logged once a while."""

from __future__ import annotations

import logging
import re
import threading
import time
from collections.abc import Callable
from typing import Final

__all__ = ["RepeatFilter", "Repeats"]

_INTERVAL_S: Final = 30.0
_MAX_KNOWN: Final = 1000
#: The parts in which two equal messages differ: times, and counts of what the client left out itself.
_VARYING: Final = re.compile(r"after \d++ms|, \d++ identical error\(s\) suppressed|(?<!\d)\d++/\d++ brokers")


class Repeats:
    """Says whether a text is new, or old enough to be said again. Safe from any thread."""

    def __init__(self, interval_s: float = _INTERVAL_S, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval, self._clock = interval_s, clock
        self._lock = threading.Lock()
        self._said: dict[str, float] = {}

    def admit(self, text: str) -> bool:
        key, now = _VARYING.sub("", text), self._clock()
        with self._lock:
            said = self._said.get(key)
            if said is not None and now - said < self._interval:
                return False
            if len(self._said) >= _MAX_KNOWN:
                self._said.clear()
            self._said[key] = now
            return True


class RepeatFilter(logging.Filter):
    """A filter of a logger that leaves out repeated messages."""

    def __init__(self) -> None:
        super().__init__()
        self._repeats = Repeats()

    def filter(self, record: logging.LogRecord) -> bool:
        return self._repeats.admit(record.getMessage())
