"""What a sink task has read, taken and committed, per partition. No client and no plugin in here."""

from __future__ import annotations

import logging
import threading
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Final

from penstock.api import TopicPartition

__all__ = ["SinkOffsets"]

_log: Final = logging.getLogger(__name__)


class SinkOffsets:
    """Offsets are those of the next record, as Kafka commits them. For the task's thread, but for `remember`."""

    def __init__(self, owner: str) -> None:
        self._owner = owner
        self.assigned: set[TopicPartition] = set()
        #: Of what was read and is not yet taken by `put`.
        self._batch: dict[TopicPartition, int] = {}
        #: Of what `put` took.
        self._current: dict[TopicPartition, int] = {}
        #: Of what is committed; before a first commit, where reading began.
        self._committed: dict[TopicPartition, int] = {}
        self._reports: dict[TopicPartition, list[Future[None]]] = {}
        self._reports_lock = threading.Lock()

    def read(self, partition: TopicPartition, first: int, last: int) -> None:
        """A run of records was read, from offset `first` to `last`."""
        self._batch[partition] = last + 1
        self._committed.setdefault(partition, first)

    def taken(self) -> None:
        """`put` took everything read."""
        self._current.update(self._batch)
        self._batch = {}

    def drop_batch(self) -> None:
        self._batch = {}

    def seek(self, partition: TopicPartition, offset: int) -> None:
        self._current[partition] = offset
        self._batch.pop(partition, None)

    def forget(self, partitions: Iterable[TopicPartition]) -> None:
        """They are not this task's any more, with all that was pending for them."""
        with self._reports_lock:
            for partition in partitions:
                self._reports.pop(partition, None)
        for partition in partitions:
            self.assigned.discard(partition)
            for offsets in (self._batch, self._current, self._committed):
                offsets.pop(partition, None)

    def start_of(self, partition: TopicPartition) -> int | None:
        """Where to go back to: the committed offset, or where reading began; None if nothing was read."""
        return self._committed.get(partition)

    # ---- dead letters

    def remember(self, partition: TopicPartition, reports: Sequence[Future[None]]) -> None:
        """Offsets of `partition` are not committed before these dead letters are confirmed. Safe from any thread."""
        if reports:
            with self._reports_lock:
                self._reports.setdefault(partition, []).extend(reports)

    @property
    def awaits_reports(self) -> bool:
        with self._reports_lock:
            return bool(self._reports)

    def _unconfirmed(self) -> set[TopicPartition]:
        """Partitions with a dead letter that is not confirmed; the others' are forgotten."""
        held: set[TopicPartition] = set()
        with self._reports_lock:
            for partition, reports in list(self._reports.items()):
                failed = next((f for f in reports if not f.done() or f.exception() is not None), None)
                if failed is None:
                    del self._reports[partition]
                    continue
                held.add(partition)
                why = failed.exception() if failed.done() else "no answer yet"
                _log.error(
                    "%s: a dead letter of %s is not confirmed, its offsets are not committed: %s",
                    self._owner,
                    partition,
                    why,
                )
        return held

    # ---- committing

    def to_commit(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """What `pre_commit` is asked about: current offsets, without partitions that dead letters hold back."""
        held = self._unconfirmed()
        return {p: self._current[p] for p in partitions if p in self._current and p not in held}

    def safe(
        self, agreed: Mapping[TopicPartition, int], asked: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        """What may be committed of what the task agreed to, without what is committed already."""
        safe: dict[TopicPartition, int] = {}
        for key, offset in agreed.items():
            partition = TopicPartition(*key)
            if partition not in asked:
                _log.warning(
                    "%s: pre_commit() returned %s, which it was not asked about; ignored", self._owner, partition
                )
            elif offset > asked[partition]:
                _log.warning(
                    "%s: pre_commit() returned offset %d of %s, beyond %d, the last given to it; ignored",
                    self._owner, offset, partition, asked[partition],
                )  # fmt: skip
            elif self._committed.get(partition) != offset:
                safe[partition] = offset
        return safe

    def committed(self, partition: TopicPartition, offset: int) -> None:
        if partition in self.assigned:
            self._committed[partition] = offset
