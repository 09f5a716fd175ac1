"""Pauses between the tries of an operation, and what a task tells of an operation that keeps failing."""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable
from typing import Final

__all__ = ["RETRY_DELAY_MAX_MS", "RETRY_DELAY_MIN_MS", "Retries", "retry_delay"]

#: The first pause; each further one is twice as long (``RetryWithToleranceOperator``, KIP-298).
RETRY_DELAY_MIN_MS: Final = 300
#: The longest pause where no setting says otherwise: the default of ``errors.retry.delay.max.ms``.
RETRY_DELAY_MAX_MS: Final = 60_000


def retry_delay(attempt: int, longest_ms: int = RETRY_DELAY_MAX_MS) -> float:
    """Return the seconds to wait after the `attempt`-th try (from 1) failed, at most `longest_ms` milliseconds.

    Beyond the longest pause the answer is random, so that many tasks do not come back at one moment.
    """
    delay = RETRY_DELAY_MIN_MS << min(max(attempt, 1) - 1, 40)
    if delay > longest_ms:
        delay = random.randint(longest_ms // 2, max(1, longest_ms))  # noqa: S311 - jitter, not a secret
    return delay / 1000


class Retries:
    """The state of one task's operation that is tried again and again: a source's `poll`, a sink's `put`.

    The task's thread calls `failed` and `succeeded`; any thread may read `trouble`.
    """

    def __init__(self, longest_ms: int = RETRY_DELAY_MAX_MS, clock: Callable[[], float] = time.monotonic) -> None:
        self._longest_ms, self._clock = longest_ms, clock
        self._lock = threading.Lock()
        self._attempts = 0
        self._since = 0.0
        self._what = ""
        #: Whether the last try failed. Read without the lock before each successful round: it must cost nothing.
        self.failing = False

    def failed(self, what: str, error: BaseException) -> float:
        """Note that the operation `what` (``poll()``) failed; return the seconds to wait before the next try."""
        with self._lock:
            if not self._attempts:
                self._since = self._clock()
            self._attempts += 1
            self._what = f"{what} failed: {error}"
            self.failing = True
            return retry_delay(self._attempts, self._longest_ms)

    def succeeded(self) -> None:
        """Note that the operation worked: the next failure begins with the shortest pause again."""
        with self._lock:
            self._attempts = 0
            self.failing = False

    @property
    def trouble(self) -> str | None:
        """A sentence about the operation that keeps failing; None while it works."""
        with self._lock:
            if not self._attempts:
                return None
            times = "once" if self._attempts == 1 else f"{self._attempts} times"
            return f"{self._what} ({times} in {self._clock() - self._since:.0f} s; it is tried again)"
