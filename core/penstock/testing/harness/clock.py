"""Time that a test turns by hand."""

from __future__ import annotations

import threading

__all__ = ["Clock", "ClockedEvent"]


class Clock:
    """Seconds that pass only when they are told to. Called, it returns the time, as `time.monotonic` does.

    Safe from any thread. Nothing waits on it: a wait of the worker's moves it on and is over at once.
    """

    def __init__(self, now: float = 0.0) -> None:
        self._lock = threading.Lock()
        self._now = now

    def __call__(self) -> float:
        with self._lock:
            return self._now

    def advance(self, seconds: float) -> float:
        """Let `seconds` pass; return the time then."""
        with self._lock:
            self._now += seconds
            return self._now


class ClockedEvent(threading.Event):
    """An event whose wait passes on a `Clock`, at once."""

    def __init__(self, clock: Clock) -> None:
        super().__init__()
        self._clock = clock

    def wait(self, timeout: float | None = None) -> bool:
        if timeout is not None and not self.is_set():
            self._clock.advance(timeout)
        return self.is_set()
