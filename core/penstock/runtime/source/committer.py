"""Commits source offsets on the interval and serves the producers' callbacks, while tasks' `poll` may block."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Final, Protocol

__all__ = ["Committer"]

_log: Final = logging.getLogger(__name__)
_TICK_S: Final = 0.1
#: Commits that may wait for a slow broker at one time without holding up the others.
_PARALLEL: Final = 4


class _Committing(Protocol):
    def poll_producer(self) -> None: ...

    def commit_offsets(self) -> bool: ...


class Committer:
    """One thread for all source tasks of a worker (``SourceTaskOffsetCommitter``), and a few helpers for flushing."""

    def __init__(self, interval_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._interval = interval_s
        self._clock = clock
        self._lock = threading.Lock()
        self._due: dict[_Committing, float] = {}
        self._busy: set[_Committing] = set()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None
        self._pool: ThreadPoolExecutor | None = None

    def add(self, task: _Committing) -> None:
        with self._lock:
            self._due[task] = self._clock() + self._interval
            if self._thread is None:
                self._pool = ThreadPoolExecutor(_PARALLEL, thread_name_prefix="offset-commit")
                self._thread = threading.Thread(target=self._run, name="SourceTaskOffsetCommitter", daemon=True)
                self._thread.start()

    def remove(self, task: _Committing) -> None:
        with self._lock:
            self._due.pop(task, None)

    def stop(self) -> None:
        self._stopped.set()
        if self._thread is not None:
            self._thread.join()
        if self._pool is not None:
            self._pool.shutdown()

    def _run(self) -> None:
        while not self._stopped.wait(_TICK_S):
            self.tick()

    def tick(self) -> None:
        """Serve every producer, and start the commits that are due: one round of the thread, which a test runs itself."""
        now = self._clock()
        with self._lock:
            tasks = list(self._due)
            due = [t for t in tasks if self._due[t] <= now and t not in self._busy]
            for task in due:
                self._due[task] = now + self._interval
            self._busy.update(due)
        for task in tasks:
            try:
                task.poll_producer()
            except Exception as error:  # one task's fault must not keep the others from committing
                _log.error("serving a producer failed: %s", error, exc_info=error)
        for task in due:
            if self._pool is not None:
                self._pool.submit(self._commit, task)

    def _commit(self, task: _Committing) -> None:
        try:
            task.commit_offsets()
        except Exception as error:
            _log.error("offset commit failed: %s", error, exc_info=error)
        finally:
            with self._lock:
                self._busy.discard(task)
