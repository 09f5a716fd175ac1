"""The offsets that a sink task has read, taken and committed, per partition. No client and no plugin in here."""

from __future__ import annotations

import logging
import threading
from collections import deque
from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Final

from penstock.api import TopicPartition

__all__ = ["SinkOffsets"]

_log: Final = logging.getLogger(__name__)


class SinkOffsets:
    """Offsets are those of the next record, as Kafka commits them. For the task's thread, but for `remember`."""

    def __init__(self, label: str) -> None:
        self._label = label
        self.assigned: set[TopicPartition] = set()
        #: Offsets of the records that were read and are not yet taken by `put`.
        self._batch: dict[TopicPartition, int] = {}
        #: Offsets of the records that `put` took.
        self._current: dict[TopicPartition, int] = {}
        #: Committed offsets; before a first commit, the offsets at which reading began.
        self._committed: dict[TopicPartition, int] = {}
        #: Dead letters not yet seen to be confirmed, with their records' offsets, in order.
        self._reports: dict[TopicPartition, deque[tuple[int, Future[None]]]] = {}
        self._reports_lock = threading.Lock()

    def read(self, partition: TopicPartition, first: int, last: int) -> None:
        """A run of records was read, from offset `first` to `last`."""
        self._batch[partition] = last + 1
        self._committed.setdefault(partition, first)

    def behind(self) -> int:
        """Return by how many offsets `put` is behind what was read, in the partition where that is the most."""
        current, committed = self._current, self._committed
        return max((end - current.get(p, committed[p]) for p, end in self._batch.items()), default=0)

    def uncommitted(self) -> int:
        """Return how many offsets were read and are not committed, over all partitions."""
        positions = {**self._current, **self._batch}
        return sum(max(0, end - self._committed.get(p, end)) for p, end in positions.items())

    def taken(self) -> None:
        """`put` took everything read."""
        self._current.update(self._batch)
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

    def go_back(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Forget what was read; return where each partition goes on: the committed offset, or where reading began."""
        self._batch = {}
        return {p: self._committed[p] for p in partitions if p in self._committed}

    # ---- dead letters

    def remember(self, partition: TopicPartition, offset: int, reports: Sequence[Future[None]]) -> None:
        """Commit nothing from `offset` of `partition` on before these dead letters are confirmed. Safe from any thread."""
        if reports:
            with self._reports_lock:
                waiting = self._reports.setdefault(partition, deque())
                waiting.extend((offset, report) for report in reports)
                _sweep(waiting)

    @property
    def awaits_reports(self) -> bool:
        with self._reports_lock:
            return bool(self._reports)

    def _limits(self) -> dict[TopicPartition, int | None]:
        """Return the limits of commits for partitions whose dead letters are not all confirmed: the first that has no answer
        yet; no commit at all (None) if one could not be written. Confirmed dead letters are forgotten."""
        limits: dict[TopicPartition, int | None] = {}
        with self._reports_lock:
            for partition, waiting in list(self._reports.items()):
                _sweep(waiting)
                if not waiting:
                    del self._reports[partition]
                    continue
                failed = next(((o, f) for o, f in waiting if f.done() and f.exception() is not None), None)
                open_ = min((o for o, f in waiting if not f.done()), default=None)
                if failed is not None:
                    limits[partition] = None
                    _log.error(
                        "%s the dead letter of %s, offset %d, was not written, so no offset of %s is committed and its records come again after a restart: %s",
                        self._label, partition, failed[0], partition, failed[1].exception(),
                    )  # fmt: skip
                elif open_ is not None:
                    limits[partition] = open_
                    _log.warning(
                        "%s the dead letter of %s, offset %d, has no answer from Kafka yet; offsets are committed up to it",
                        self._label, partition, open_,
                    )  # fmt: skip
        return limits

    # ---- committing

    def to_commit(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        """Return what `pre_commit` is asked about: the current offsets, as far as dead letters do not hold them back."""
        # Delivery 8. and 9.
        asked = {p: self._current[p] for p in partitions if p in self._current}
        for partition, limit in self._limits().items():
            if partition in asked:
                if limit is None or limit <= self._committed.get(partition, -1):
                    del asked[partition]
                else:
                    asked[partition] = min(asked[partition], limit)
        return asked

    def safe(
        self, agreed: Mapping[TopicPartition, int], asked: Mapping[TopicPartition, int]
    ) -> dict[TopicPartition, int]:
        """Return the offsets that may be committed of those that the task agreed to, without those committed already."""
        safe: dict[TopicPartition, int] = {}  # Delivery 7.
        for key, offset in agreed.items():
            partition = TopicPartition(*key)
            if partition not in asked:
                _log.warning(
                    "%s pre_commit() returned %s, which it was not asked about; ignored", self._label, partition
                )
            elif offset > asked[partition]:
                _log.warning(
                    "%s pre_commit() returned offset %d of %s, beyond %d, the last given to it; ignored",
                    self._label, offset, partition, asked[partition],
                )  # fmt: skip
            elif self._committed.get(partition) != offset:
                safe[partition] = offset
        return safe

    def committed(self, partition: TopicPartition, offset: int) -> None:
        if partition in self.assigned:
            self._committed[partition] = offset


def _sweep(waiting: deque[tuple[int, Future[None]]]) -> None:
    """Drop the confirmed dead letters at the head, so that many of them do not pile up between two commits."""
    while waiting and waiting[0][1].done() and waiting[0][1].exception() is None:
        waiting.popleft()
