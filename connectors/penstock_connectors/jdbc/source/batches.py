"""`BatchQueue`: batches of records on their way from the thread that reads to the task's ``poll`` (``RecordQueue``)."""

from __future__ import annotations

import collections
import threading

from penstock.data import SourceRecord

__all__ = ["BatchQueue"]


class BatchQueue:
    """A queue that holds at most so many records. One thread puts, another takes; `close` may come from a third."""

    def __init__(self, max_records: int) -> None:
        self._max = max_records
        self._batches: collections.deque[list[SourceRecord]] = collections.deque()
        self._count = 0
        self._closed = False
        self._failure: BaseException | None = None
        self._changed = threading.Condition()

    def put(self, batch: list[SourceRecord]) -> bool:
        """Add a batch, once there is room; one that is larger than the queue fits an empty one. Return False after `close`."""
        with self._changed:
            self._changed.wait_for(lambda: self._closed or not self._count or self._count + len(batch) <= self._max)
            if self._closed:
                return False
            self._batches.append(batch)
            self._count += len(batch)
            self._changed.notify_all()
        return True

    def take(self, timeout: float) -> list[SourceRecord] | None:
        """Return the next batch, None if there is none after `timeout` seconds. Raise what `fail` was given once all
        batches before it are taken."""
        with self._changed:
            self._changed.wait_for(lambda: bool(self._batches) or self._closed or self._failure is not None, timeout)
            if self._batches and not self._closed:
                batch = self._batches.popleft()
                self._count -= len(batch)
                self._changed.notify_all()
                return batch
            if self._failure is not None and not self._closed:
                raise self._failure
        return None

    def fail(self, error: BaseException) -> None:
        """Let `take` raise `error`, once it has no more batches."""
        with self._changed:
            self._failure = self._failure or error
            self._changed.notify_all()

    def close(self) -> None:
        """Drop what is left, and let `put` and `take` return at once."""
        with self._changed:
            self._closed = True
            self._batches.clear()
            self._count = 0
            self._changed.notify_all()
