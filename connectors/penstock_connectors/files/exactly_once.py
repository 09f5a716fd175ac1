"""A sink task's part of exactly once into a file: where partitions begin, and when what was written is committed."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from typing import Final

from penstock.api import SinkTaskContext, TopicPartition
from penstock.data import SinkRecord
from penstock.errors import ConnectError, RetriableError
from penstock_connectors.files.exact_file import ExactFile

__all__ = ["ExactlyOnce"]

_log: Final = logging.getLogger(__name__)


class ExactlyOnce:
    """One a task; for the task's thread. Its methods are called where the task's of the same names are.

    An error of a commit ends the task with the next `put`, because a failed `pre_commit` alone would have it go on.
    """

    def __init__(self, file: ExactFile, context: SinkTaskContext, who: str) -> None:
        self._file, self._context, self._who = file, context, who
        self._assigned: set[TopicPartition] = set()
        #: The record that each partition goes on with, where that is known.
        self._next: dict[TopicPartition, int] = {}
        #: The first record of each partition that is written and not committed.
        self._uncommitted: dict[TopicPartition, int] = {}
        self._failure: Exception | None = None

    def start(self) -> None:
        """Take the file if nobody else has it. Raises `ConnectError` if it is not what was written."""
        self._file.acquire()

    def open(self, partitions: Sequence[TopicPartition]) -> None:
        self._assigned.update(partitions)
        if self._file.acquire():
            self._begin(partitions)

    def _begin(self, partitions: Sequence[TopicPartition]) -> None:
        stored = self._file.offsets
        places = {p: stored[p] for p in partitions if p in stored}
        self._next.update(places)
        self._context.offset(places)

    def put(self, records: Sequence[SinkRecord], text: Callable[[Sequence[SinkRecord]], bytes]) -> None:
        """Write what `text` makes of `records`. Raises `RetriableError` while another writer has the file."""
        if self._failure is not None:
            raise self._failure
        if not self._file.held:
            self._take_over()
        if not records:
            return
        data = text(records)
        try:
            self._advance(records)
            self._file.write(data)
        except ConnectError as error:
            self._failure = error  # part of it may stand in the file, which nothing may commit
            raise

    def _advance(self, records: Sequence[SinkRecord]) -> None:
        for record in records:
            place, offset = _place(record)
            expected = self._next.get(place)
            if expected is not None and offset < expected:
                raise ConnectError(
                    f"{self._who} was given {place} at offset {offset}, and holds it up to {expected} already: the topic was made "
                    "anew or its records ended before. Change the connector's offsets over REST while it is stopped"
                )
            self._next[place] = offset + 1
            self._uncommitted.setdefault(place, offset)

    def _take_over(self) -> None:
        # A worker that stood still for longer than its session holds the file until it goes on.
        if not self._file.acquire():
            raise RetriableError(f"{self._who}: another task writes to the file")
        self._begin(list(self._assigned))
        self._context.timeout(0)
        raise RetriableError(f"{self._who} has the file now, and begins where it ends")

    def pre_commit(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        if self._failure is not None or not self._file.held:
            return {}
        behind = [p for p in self._uncommitted if offsets.get(p, -1) < self._next[p]]
        if behind:
            # Lines of all partitions stand in one file, so that all wait. Delivery 9.
            _log.warning(
                "%s commits nothing now: %s is written up to %d and may be committed up to %s, since dead letters have no answer from Kafka or the partition goes",
                self._who, behind[0], self._next[behind[0]], offsets.get(behind[0]),
            )  # fmt: skip
            return {}
        try:
            self._file.commit(offsets)
        except Exception as error:
            self._failure = error
            raise
        self._next.update(offsets)
        self._uncommitted.clear()
        return offsets

    def close(self, partitions: Sequence[TopicPartition]) -> None:
        self._assigned.difference_update(partitions)
        again = {p: self._file.offsets.get(p, first) for p, first in self._uncommitted.items()}
        self._uncommitted.clear()
        for partition in partitions:
            self._next.pop(partition, None)
            again.pop(partition, None)
        if self._file.held and self._failure is None:
            try:
                self._file.roll_back()
            except ConnectError as error:
                self._failure = error
                _log.warning("%s", error)
        self._next.update(again)
        if again:
            self._context.offset(again)

    def stop(self) -> None:
        self._file.close()


def _place(record: SinkRecord) -> tuple[TopicPartition, int]:
    """Return the topic, partition and offset that `record` was consumed from, whatever a transform has made of its topic."""
    if record.original_topic is None:
        return TopicPartition(record.topic, record.partition or 0), record.offset
    return TopicPartition(record.original_topic, record.original_partition or 0), record.original_offset or 0
