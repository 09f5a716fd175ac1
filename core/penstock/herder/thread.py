"""The herder's own thread: runs requests one after the other, some of them later."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Generic, TypeVar

from penstock.errors import ConflictError, ConnectError
from penstock.logs import log_failure

__all__ = ["HerderThread", "Mailbox"]

_log = logging.getLogger(__name__)
_T = TypeVar("_T")


class HerderThread:
    """Runs what is submitted in order. All changes of state go through it, so they need no further order."""

    def __init__(self, name: str, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._queue: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._changed = threading.Condition()
        self._stopping = False
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout: float | None = None) -> None:
        """Finish the request being worked on, drop the rest."""
        with self._changed:
            self._stopping = True
            self._changed.notify()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    def submit(self, action: Callable[[], object], delay: float = 0.0) -> None:
        """Run `action` after what is due before it, in `delay` seconds at the earliest. Its errors are logged."""
        with self._changed:
            if not self._stopping:
                heapq.heappush(self._queue, (self._clock() + delay, next(self._numbers), action))
                self._changed.notify()

    def call(self, action: Callable[[], _T], timeout: float, what: str) -> _T:
        """Run `action` in the thread and return what it returned, or raise what it raised."""
        outcome: Future[_T] = Future()
        self.submit(lambda: _complete(outcome, action))
        return self.wait(outcome, timeout, what)

    def wait(self, outcome: Future[_T], timeout: float, what: str) -> _T:
        """Return the result of something that this thread brings about."""
        with self._changed:
            stopped = self._stopping
        if stopped and not outcome.done():
            raise ConflictError("The worker is shutting down", retry_after=5)
        try:
            return outcome.result(timeout)
        except TimeoutError:
            if outcome.done():  # the action itself raised it
                raise
            raise ConnectError(
                f"Request timed out after {timeout:g} s. The worker is still busy with: {what}"
            ) from None

    def _run(self) -> None:
        while (action := self._next()) is not None:
            try:
                action()
            except Exception as error:
                log_failure(_log, error, "A request in the herder's thread failed: %s", error)

    def _next(self) -> Callable[[], object] | None:
        with self._changed:
            while not self._stopping:
                wait = self._queue[0][0] - self._clock() if self._queue else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._queue)[2]
                self._changed.wait(wait)
            return None


class Mailbox(Generic[_T]):
    """News for a receiver that runs in the herder's thread and is made after those who have the news.

    A worker needs a listener, a topic's reader needs one, and what they tell concerns objects made out of the worker and
    the topic. So they are given the mailbox, and `deliver_to` closes the circle once, before anything starts.
    """

    def __init__(self, thread: HerderThread) -> None:
        self._thread = thread
        self._receiver: _T | None = None

    def deliver_to(self, receiver: _T) -> None:
        """Name the receiver. Called once, before the thread starts; what was posted before waits."""
        self._receiver = receiver

    def post(self, news: Callable[[_T], object]) -> None:
        """Call `news` with the receiver in the herder's thread, after what is due before it. From any thread."""
        self._thread.submit(lambda: self._deliver(news))

    def _deliver(self, news: Callable[[_T], object]) -> None:
        if self._receiver is None:
            raise TypeError("a mailbox needs its receiver before the herder's thread starts")
        news(self._receiver)


def _complete(outcome: Future[Any], action: Callable[[], Any]) -> None:
    try:
        outcome.set_result(action())
    except BaseException as error:
        outcome.set_exception(error)
