"""`WorkerMeter`: measurements of one worker, its connectors and its tasks (``WorkerMetricsGroup``).

It hears of states before the herder does, and keeps what belongs to a task for as long as the task is this worker's:
failed tasks too, which Kafka Connect forgets.
"""

from __future__ import annotations

import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from typing import Final

from penstock.measurements import Measurement, Windows
from penstock.runtime.meters import TaskMeter
from penstock.runtime.status import ConnectorTaskId, State, WorkerListener
from penstock.runtime.task_measurements import task_measurements
from penstock.runtime.task_plugins import TaskPlugins, UsedPlugin

__all__ = ["WorkerMeter"]

_GROUP: Final = "connect-worker-metrics"


class _Startups:
    """The outcomes of starts, of connectors or of tasks."""

    def __init__(self, windows: Windows) -> None:
        self.succeeded = self.failed = 0
        self._results = windows.window()
        #: The connectors or tasks whose start has not ended yet.
        self.starting: set[object] = set()

    def heard(self, who: object, state: State) -> None:
        if who not in self.starting or state not in (State.RUNNING, State.FAILED):
            return
        self.starting.discard(who)
        worked = state is State.RUNNING
        self.succeeded += worked
        self.failed += not worked
        self._results.record(1 if worked else 0)

    def measurements(self, kind: str) -> Iterator[Measurement]:
        worked = self._results.average if self._results.count else 0.0
        failed = 1 - worked if self._results.count else 0.0
        values = {
            "attempts-total": self.succeeded + self.failed,
            "success-total": self.succeeded,
            "success-percentage": worked,
            "failure-total": self.failed,
            "failure-percentage": failed,
        }
        for name, value in values.items():
            yield Measurement(_GROUP, f"{kind}-startup-{name}", value)


@dataclass(slots=True)
class _Connector:
    plugin: UsedPlugin | None = None
    type: str = "unknown"
    state: State = State.UNASSIGNED


@dataclass(slots=True)
class _Task:
    meter: TaskMeter
    plugins: TaskPlugins | None = None


@dataclass(slots=True)
class _Known:
    connectors: dict[str, _Connector] = field(default_factory=dict)
    tasks: dict[ConnectorTaskId, _Task] = field(default_factory=dict)


class WorkerMeter:
    """A `WorkerListener` that passes on what it hears. Safe from any thread."""

    def __init__(self, listener: WorkerListener, windows: Windows) -> None:
        self.windows = windows
        self._listener = listener
        self._lock = threading.Lock()
        self._known = _Known()
        self._connector_startups, self._task_startups = _Startups(windows), _Startups(windows)

    # ---- told by the worker

    def connector_starts(self, name: str) -> None:
        with self._lock:
            self._known.connectors[name] = _Connector()
            self._connector_startups.starting.add(name)

    def connector_made(self, name: str, plugin: UsedPlugin, kind: str) -> None:
        """`kind` is ``source`` or ``sink``."""
        with self._lock:
            if (known := self._known.connectors.get(name)) is not None:
                known.plugin, known.type = plugin, kind

    def connector_gone(self, name: str) -> None:
        with self._lock:
            self._known.connectors.pop(name, None)
            self._connector_startups.starting.discard(name)

    def task_starts(self, task: ConnectorTaskId) -> None:
        with self._lock:
            self._known.tasks[task] = _Task(TaskMeter(windows=self.windows))
            self._task_startups.starting.add(task)

    def task_made(self, task: ConnectorTaskId, meter: TaskMeter, plugins: TaskPlugins) -> None:
        with self._lock:
            self._known.tasks[task] = _Task(meter, plugins)

    def tasks_gone(self, tasks: Iterable[ConnectorTaskId]) -> None:
        with self._lock:
            for task in tasks:
                self._known.tasks.pop(task, None)
                self._task_startups.starting.discard(task)

    # ---- WorkerListener

    def on_connector(
        self, connector: str, state: State, error: BaseException | None = None, version: str | None = None
    ) -> None:
        with self._lock:
            if (known := self._known.connectors.get(connector)) is not None:
                known.state = state
                self._connector_startups.heard(connector, state)
        self._listener.on_connector(connector, state, error, version)

    def on_task(
        self, task: ConnectorTaskId, state: State, error: BaseException | None = None, version: str | None = None
    ) -> None:
        with self._lock:
            if (known := self._known.tasks.get(task)) is not None:
                known.meter.enter(state)
                self._task_startups.heard(task, state)
        self._listener.on_task(task, state, error, version)

    def on_topic(self, task: ConnectorTaskId, topic: str) -> None:
        self._listener.on_topic(task, topic)

    # ---- read

    def measurements(self) -> Iterator[Measurement]:
        """Give everything that is measured here, as of now."""
        with self._lock:
            connectors, tasks = dict(self._known.connectors), dict(self._known.tasks)
            startups = [
                *self._connector_startups.measurements("connector"),
                *self._task_startups.measurements("task"),
            ]
        yield Measurement(_GROUP, "connector-count", len(connectors))
        yield Measurement(_GROUP, "task-count", len(tasks))
        yield from startups
        for name, connector in connectors.items():
            yield from _of_connector(name, connector)
        for id_, task in tasks.items():
            yield from task_measurements(id_, task.meter, task.plugins)


def _of_connector(name: str, connector: _Connector) -> Iterator[Measurement]:
    tags = {"connector": name}
    plugin = connector.plugin
    texts = {"status": connector.state.value.lower(), "connector-type": connector.type}
    if plugin is not None:
        texts |= {"connector-class": plugin.class_name, "connector-version": plugin.version}
    for text, value in texts.items():
        yield Measurement("connector-metrics", text, value, tags)
    if plugin is not None:
        yield from plugin.measurements(tags)
