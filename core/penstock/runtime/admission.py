"""Holds sources back while the sinks of the same process are behind, for ``penstock dev``.

Its embedded broker keeps only about 5 MB per partition and forgets the rest. So what is produced to a topic that some
sink reads counts as unread until the sink has consumed it, and a source waits while too much of a topic is unread.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from penstock.java.regex import compile_regex

__all__ = ["GroupFlow", "UnreadLimit"]

#: The limit of a partition, and so of a whole topic, too: the client chooses the partition of a record.
MAX_UNREAD_BYTES: Final = 3 * 1024 * 1024
#: The bytes that a record takes in the broker's log beside key and value.
_OVERHEAD: Final = 96


class UnreadLimit:
    """Bytes produced and not yet consumed, per group of readers and topic. Safe from any thread."""

    def __init__(self, limit: int = MAX_UNREAD_BYTES) -> None:
        self._limit = limit
        self._changed = threading.Condition()
        self._readers: dict[object, tuple[object, Callable[[str], bool]]] = {}
        #: The unread bytes of each topic, by group: what one group has read, another may still have to.
        self._unread: dict[object, dict[str, int]] = {}

    def add_reader(
        self, reader: object, topics: Sequence[str] | Callable[[str], bool], group: object = None
    ) -> GroupFlow:
        """Count what is sent to `topics` as unread until the reader's group has consumed it; return the group's flow.

        `topics` are names, of which one that starts with ``^`` is a regular expression, or a function that says of a
        name whether it is read. Readers of one `group` share the records; None is a group of the reader's own.
        """
        if not callable(topics):
            topics = _reads(topics)
        group = reader if group is None else group
        with self._changed:
            self._readers[reader] = (group, topics)
            self._unread.setdefault(group, {})
        return GroupFlow(self, group)

    def remove_reader(self, reader: object) -> None:
        """Forget the reader, and what its group had not read if it was the last of it. Nothing for one that is none."""
        with self._changed:
            group, _ = self._readers.pop(reader, (None, None))
            if group is not None and all(other is not group and other != group for other, _ in self._readers.values()):
                self._unread.pop(group, None)
            self._changed.notify_all()

    def produced(self, amounts: Mapping[str, tuple[int, int]]) -> None:
        with self._changed:
            for topic, (records, size) in amounts.items():
                for group in {group for group, reads in self._readers.values() if reads(topic)}:
                    unread = self._unread[group]
                    unread[topic] = unread.get(topic, 0) + size + records * _OVERHEAD

    def consumed(self, amounts: Mapping[str, tuple[int, int]], group: object = None) -> None:
        """Note what the readers of `group` have consumed; None stands for all groups."""
        with self._changed:
            for unread in self._unread.values() if group is None else [self._unread.get(group, {})]:
                for topic, (records, size) in amounts.items():
                    unread[topic] = max(0, unread.get(topic, 0) - size - records * _OVERHEAD)
            self._changed.notify_all()

    def wait(self, stopping: threading.Event) -> None:
        with self._changed:
            while not stopping.is_set() and self._is_full():
                self._changed.wait(0.1)

    @property
    def unread(self) -> int:
        """The bytes that some group has still to read; those of several groups are added up."""
        with self._changed:
            return sum(sum(unread.values()) for unread in self._unread.values())

    def _is_full(self) -> bool:
        return any(size >= self._limit for unread in self._unread.values() for size in unread.values())


@dataclass(frozen=True, slots=True)
class GroupFlow:
    """A `penstock.runtime.meters.Flow` of one group's readers."""

    limit: UnreadLimit
    group: object

    def produced(self, amounts: Mapping[str, tuple[int, int]]) -> None:
        self.limit.produced(amounts)

    def consumed(self, amounts: Mapping[str, tuple[int, int]]) -> None:
        self.limit.consumed(amounts, self.group)

    def wait(self, stopping: threading.Event) -> None:
        self.limit.wait(stopping)


def _reads(topics: Sequence[str]) -> Callable[[str], bool]:
    names = {topic for topic in topics if not topic.startswith("^")}
    patterns = [compile_regex(topic) for topic in topics if topic.startswith("^")]
    return lambda name: name in names or any(pattern.matches(name) for pattern in patterns)
