"""Statuses and active topics in memory (``MemoryStatusBackingStore``)."""

from __future__ import annotations

import threading
import traceback
from dataclasses import replace
from typing import Protocol

from penstock.errors import java_class_of
from penstock.herder.interface import ConnectorState, TaskState
from penstock.runtime.status import ConnectorTaskId, State
from penstock.runtime.tolerance import ToleranceExceeded

__all__ = ["MemoryStatusStore", "StatusKeeper", "trace_of"]


def trace_of(error: BaseException) -> str:
    """The text shown as ``trace``: a first line as the JVM has it (tooling matches on it), then Python's own frames,
    then the causes."""
    lines: list[str] = []
    seen: set[int] = set()
    cause: BaseException | None = error
    while cause is not None and id(cause) not in seen:
        seen.add(id(cause))
        head = java_class_of(cause) + (f": {cause}" if str(cause) else "")
        if isinstance(cause, ToleranceExceeded):
            # Tooling looks for the JVM worker's sentence; ours says more, so it follows.
            head = f"{java_class_of(cause)}: Tolerance exceeded in error handler\n\t{cause}"
        lines.append(f"Caused by: {head}" if lines else head)
        for frame in reversed(traceback.extract_tb(cause.__traceback__)):
            lines.append(f"\tat {frame.name} ({frame.filename}:{frame.lineno})")
        cause = cause.__cause__ or (None if cause.__suppress_context__ else cause.__context__)
    return "\n".join(lines) + "\n"


class StatusKeeper(Protocol):
    """The store of statuses and active topics. Safe from any thread."""

    @property
    def revision(self) -> int:
        """A number that changes with every change."""

    def problems(self) -> list[str]:
        """Return a sentence for each record that makes no sense, where statuses come out of a topic."""

    def put_connector(self, name: str, status: ConnectorState) -> None: ...

    def put_task(self, status: TaskState) -> None: ...

    def connector(self, name: str) -> ConnectorState | None: ...

    def task(self, task: ConnectorTaskId) -> TaskState | None: ...

    def tasks(self, connector: str) -> list[TaskState]:
        """Return the tasks' statuses in the order of their numbers."""

    def add_topic(self, task: ConnectorTaskId, topic: str) -> None:
        """Note that `task` used `topic` (KIP-558)."""

    def topics(self, connector: str) -> list[str]: ...


class MemoryStatusStore:
    """The last known states of connectors and tasks, in memory. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._connectors: dict[str, ConnectorState] = {}
        self._tasks: dict[str, dict[int, TaskState]] = {}
        self._topics: dict[str, set[str]] = {}
        self._revision = 0

    @property
    def revision(self) -> int:
        with self._lock:
            return self._revision

    def problems(self) -> list[str]:
        return []

    def put_connector(self, name: str, status: ConnectorState) -> None:
        with self._lock:
            self._connectors[name] = status
            self._revision += 1

    def put_task(self, status: TaskState) -> None:
        with self._lock:
            self._tasks.setdefault(status.id.connector, {})[status.id.task] = status
            self._revision += 1

    def connector(self, name: str) -> ConnectorState | None:
        with self._lock:
            return self._connectors.get(name)

    def task(self, task: ConnectorTaskId) -> TaskState | None:
        with self._lock:
            return self._tasks.get(task.connector, {}).get(task.task)

    def tasks(self, connector: str) -> list[TaskState]:
        """Return the tasks' statuses in the order of their numbers."""
        with self._lock:
            return [status for _, status in sorted(self._tasks.get(connector, {}).items())]

    def set_task_state(self, task: ConnectorTaskId, state: State) -> None:
        """Set the state alone; a trace goes with the state that it explained."""
        with self._lock:
            tasks = self._tasks.get(task.connector, {})
            if (status := tasks.get(task.task)) is not None:
                tasks[task.task] = replace(status, state=state, trace=None)
                self._revision += 1

    def forget_tasks(self, connector: str) -> None:
        with self._lock:
            self._tasks.pop(connector, None)
            self._revision += 1

    def forget_connector(self, connector: str) -> None:
        """Forget the statuses and topics of the connector."""
        with self._lock:
            self._revision += 1
            self._connectors.pop(connector, None)
            self._tasks.pop(connector, None)
            self._topics.pop(connector, None)

    def add_topic(self, task: ConnectorTaskId, topic: str) -> None:
        with self._lock:
            self._topics.setdefault(task.connector, set()).add(topic)

    def topics(self, connector: str) -> list[str]:
        with self._lock:
            return sorted(self._topics.get(connector, ()))

    def reset_topics(self, connector: str) -> None:
        with self._lock:
            self._topics.pop(connector, None)
