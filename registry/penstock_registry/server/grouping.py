"""Changes that are asked for at the same time and share one write to the store.

A store takes as long for one record as for a hundred: a transaction in Kafka, a sync of the disk. So whoever gets the
writer lock does the changes of all who wait for it, and these find theirs done when the lock comes to them.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

__all__ = ["Change", "GroupCommit"]

T = TypeVar("T")

#: Of one write. More would not be faster, and all of them wait for the last.
_MOST = 100


class Change(Generic[T]):
    """Something to be done under the writer lock, and what came of it: a result or an error, once `done`."""

    __slots__ = ("_error", "_result", "done")

    def __init__(self) -> None:
        self.done = False
        self._result: T | None = None
        self._error: Exception | None = None

    def succeed(self, result: T) -> None:
        self._result, self.done = result, True

    def fail(self, error: Exception) -> None:
        self._error, self.done = error, True

    def result(self) -> T:
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result


C = TypeVar("C", bound=Change[object])


class GroupCommit(Generic[C]):
    """Thread-safe. `work` is given one change or several, the one of the calling thread first, with `writer` held. It
    settles that one; what it leaves of the others is done by their own threads."""

    def __init__(self, writer: threading.RLock, work: Callable[[Sequence[C]], None]) -> None:
        self._writer = writer
        self._work = work
        self._lock = threading.Lock()
        self._waiting: dict[C, None] = {}

    def run(self, change: C) -> None:
        """Return once `change` is done, here or by another thread."""
        with self._lock:
            self._waiting[change] = None
        try:
            with self._writer:
                if not change.done:
                    self._work([change, *self._others(change)])
        finally:
            with self._lock:
                self._waiting.pop(change, None)

    def _others(self, change: C) -> list[C]:
        with self._lock:
            return [one for one in self._waiting if one is not change and not one.done][: _MOST - 1]
