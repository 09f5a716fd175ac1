"""Traces of tasks' batches, as the loops of tasks see them: whether there are any, and what to tell them.

One register a process, as OpenTelemetry's own: a task is asked for here when it is built, and has none where tracing is off.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from typing import Final, Protocol, TypeAlias

from penstock.data import ConnectRecord

__all__ = ["SentHeaders", "TaskTrace", "task_trace", "trace_tasks"]

#: Headers as they go to Kafka; None for none.
SentHeaders: TypeAlias = list[tuple[str, str | bytes | None]] | None
#: Returns a text fit to be shown.
Show: TypeAlias = Callable[[str], str]
MakeTrace: TypeAlias = "Callable[[str, int, Show], TaskTrace]"

_lock: Final = threading.Lock()
_make: MakeTrace | None = None


class TaskTrace(Protocol):
    """The spans of one task; for its thread."""

    def sending(self, records: Sequence[ConnectRecord]) -> AbstractContextManager[None]:
        """Open a span for a batch of a source, from the hand-over of its first record to that of its last."""

    def carry(self, headers: SentHeaders) -> SentHeaders:
        """Return the headers of a record of the open batch, with the batch's ``traceparent`` unless they have one. Neither
        list may be changed afterwards."""

    def putting(self, records: Sequence[ConnectRecord]) -> AbstractContextManager[None]:
        """Open a span for a sink's `put` of a batch."""


def task_trace(connector: str, task: int, show: Show) -> TaskTrace | None:
    """Return the trace for a new task; None where tracing is off. `show` keeps what nobody is to see out of spans."""
    with _lock:
        make = _make
    return None if make is None else make(connector, task, show)


def trace_tasks(make: MakeTrace | None) -> None:
    """Let tasks that are built from now on be traced by what `make` returns, for what `task_trace` is called with; None ends
    that."""
    global _make
    with _lock:
        _make = make
