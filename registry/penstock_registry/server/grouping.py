"""Changes that are asked for at the same time and share one write to the store.

A store takes as long for one record as for a hundred: a transaction in Kafka, a sync of the disk. So one of those who
want to change something does the changes of all who wait, and the others find theirs done.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final, Generic, TypeVar

__all__ = ["Change", "GroupCommit"]

T = TypeVar("T")

#: Changes in one write. More would not be faster, and all of them wait for the last.
_MAX_CHANGES: Final = 100
_LONGEST_WAIT_S: Final = 0.002


class Change(Generic[T]):
    """A task to be done under the writer lock, and its outcome: a result or an error, once `done`."""

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


C = TypeVar("C", bound=Change[Any])


class GroupCommit(Generic[C]):
    """Thread-safe. `work` is given one change or several, the one of the calling thread first, with `writer` held. It
    settles that one; what it leaves of the others is done by their own threads."""

    def __init__(self, writer: threading.RLock, work: Callable[[Sequence[C]], None]) -> None:
        self._writer = writer
        self._work = work
        lock = threading.Lock()
        self._changed = threading.Condition(lock)
        #: Changes that wait for company are told of it apart from the others, which would wake for nothing.
        self._arrived = threading.Condition(lock)
        self._waiting: dict[C, None] = {}
        self._working = False
        #: The size of the last group, and the seconds that its write took.
        self._company = 1
        self._took = 0.0

    def run(self, change: C) -> None:
        """Return once `change` is done, here or by another thread."""
        with self._changed:
            self._waiting[change] = None
            self._arrived.notify()
            while self._working and not change.done:
                self._changed.wait()
            if change.done:
                return
            self._working = True
            self._await_company()
        try:
            with self._writer:
                self._work_on(change)
        finally:
            with self._changed:
                self._working = False
                self._waiting.pop(change, None)
                self._changed.notify_all()

    def _await_company(self) -> None:
        """Wait a moment for others: those who were answered together come back together. It is measured by what a write
        of its own would cost it."""
        if self._company > 1:
            patience = min(_LONGEST_WAIT_S, self._took / 4)
            self._arrived.wait_for(lambda: len(self._waiting) >= self._company, patience)

    def _work_on(self, change: C) -> None:
        with self._changed:
            others = [one for one in self._waiting if one is not change]
        group = [change, *others[: _MAX_CHANGES - 1]]
        begun = time.monotonic()
        self._work(group)
        with self._changed:
            self._took = time.monotonic() - begun
            done = [one for one in group if one.done]
            self._company = len(done)
            for one in done:
                self._waiting.pop(one, None)
