"""Holds sources back while the sinks of the same process are behind, for ``penstock dev``.

Its embedded broker keeps only about 5 MB per partition and forgets the rest. So what is produced to a topic that some
sink reads counts as unread until the sink has consumed it, and a source waits while too much of a topic is unread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from penstock.java.regex import compile_regex

__all__ = ["UnreadLimit"]

#: Of a partition, and so of a whole topic, too: which partition a record goes to is the client's choice.
MAX_UNREAD_BYTES: Final = 3 * 1024 * 1024
#: What a record takes in the broker's log beside key and value.
_OVERHEAD: Final = 96


class UnreadLimit:
    """Bytes produced and not yet consumed, per topic. Safe from any thread."""

    def __init__(self, limit: int = MAX_UNREAD_BYTES) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._unread: dict[str, int] = {}
        self._readers: dict[object, Callable[[str], bool]] = {}

    def add_reader(self, reader: object, topics: Sequence[str] | Callable[[str], bool]) -> None:
        """Count what is sent to `topics` as unread until `reader` has consumed it. `topics` are names, of which one
        that starts with ``^`` is a regular expression, or a function that says of a name whether it is read."""
        if not callable(topics):
            topics = _reads(topics)
        with self._changed:
            self._readers[reader] = topics

    def remove_reader(self, reader: object) -> None:
        with self._changed:
            self._readers.pop(reader, None)
            self._unread = {t: n for t, n in self._unread.items() if self._is_read(t)}
            self._changed.notify_all()

    def produced(self, amounts: Mapping[str, tuple[int, int]]) -> None:
        with self._changed:
            for topic, (records, size) in amounts.items():
                if self._is_read(topic):
                    self._unread[topic] = self._unread.get(topic, 0) + size + records * _OVERHEAD

    def consumed(self, amounts: Mapping[str, tuple[int, int]]) -> None:
        with self._changed:
            for topic, (records, size) in amounts.items():
                left = self._unread.get(topic, 0) - size - records * _OVERHEAD
                self._unread[topic] = max(0, left)
                if left < self._limit:
                    self._changed.notify_all()

    def wait(self, stopping: threading.Event) -> None:
        with self._changed:
            while not stopping.is_set() and any(n >= self._limit for n in self._unread.values()):
                self._changed.wait(0.1)

    @property
    def unread(self) -> int:
        with self._changed:
            return sum(self._unread.values())

    def _is_read(self, topic: str) -> bool:
        return any(reads(topic) for reads in self._readers.values())


def _reads(topics: Sequence[str]) -> Callable[[str], bool]:
    names = {topic for topic in topics if not topic.startswith("^")}
    patterns = [compile_regex(topic) for topic in topics if topic.startswith("^")]
    return lambda name: name in names or any(pattern.matches(name) for pattern in patterns)
