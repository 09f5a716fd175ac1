"""Calls that wait for somebody else, and that a task which is stopped need not wait for."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from concurrent.futures import Future
from typing import Final, TypeVar

from penstock.errors import TaskStopped

__all__ = ["call_aside"]

_log: Final = logging.getLogger(__name__)
#: One look whether the task is to stop.
_LOOK_S: Final = 0.05
_T = TypeVar("_T")


def call_aside(call: Callable[[], _T], stopping: threading.Event, label: str) -> _T:
    """Return what `call` returns, or raise what it raises; it runs in a thread of its own.

    Raises `TaskStopped` as soon as `stopping` is set: `call` then ends by itself, so it must do no harm if it ends late.
    A task that waits for the herder's thread would hold it up otherwise, while that waits for the task to end.
    """
    outcome: Future[_T] = Future()
    threading.Thread(target=_run, args=(call, outcome), name=f"{label} aside", daemon=True).start()
    while not stopping.is_set():
        try:
            return outcome.result(_LOOK_S)
        except TimeoutError:
            if outcome.done():  # the call itself raised it
                raise
    raise TaskStopped(f"{label} was stopped while it waited")


def _run(call: Callable[[], _T], outcome: Future[_T]) -> None:
    try:
        outcome.set_result(call())
    except BaseException as error:
        _log.debug("%s: %s", threading.current_thread().name, error)
        outcome.set_exception(error)
