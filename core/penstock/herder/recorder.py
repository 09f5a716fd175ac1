"""Takes the worker's news of connectors and tasks and keeps them for whoever asks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from penstock.herder.boundary import HerderWorker
from penstock.herder.configs import ConfigReader, MemoryConfigStore
from penstock.herder.interface import ConnectorState, TaskState
from penstock.herder.statuses import MemoryStatusStore, StatusKeeper, trace_of
from penstock.runtime.status import ConnectorTaskId, State, TargetState

__all__ = ["Recorder", "StatusRecorder"]

_log: Final = logging.getLogger(__name__)


class Recorder:
    """The worker's `StatusListener`: made before the worker, which needs it, and handed to the herder after.

    Keeps what it is told, for connectors and tasks that exist; late news of others is dropped.
    """

    def __init__(self, configs: ConfigReader, statuses: StatusKeeper) -> None:
        self._configs, self._statuses = configs, statuses
        self.worker: HerderWorker | None = None
        #: Called when a connector is found running.
        self.on_running: Callable[[str], None] = lambda name: None
        #: Called when a task has failed.
        self.on_failed: Callable[[ConnectorTaskId], None] = lambda task: None

    def on_connector(self, connector: str, state: State, error: BaseException | None = None) -> None:
        last = self._statuses.connector(connector)
        _log_change(f"[{connector}|worker]", None if last is None else last.state, state)
        if self._configs.get(connector) is None or self.worker is None or state is State.DESTROYED:
            return
        trace = None if error is None else trace_of(error)
        version = self.worker.connector_version(connector) or (last.version if last else None)
        self._statuses.put_connector(connector, ConnectorState(state, self.worker.worker_id, trace, version))
        if state is State.RUNNING:
            self.on_running(connector)

    def on_task(self, task: ConnectorTaskId, state: State, error: BaseException | None = None) -> None:
        last = self._statuses.task(task)
        _log_change(task.label, None if last is None else last.state, state)
        entry = self._configs.get(task.connector)
        if entry is None or task.task >= len(entry.tasks) or self.worker is None or state is State.DESTROYED:
            return
        if entry.task_target(task.task) is TargetState.STOPPED and state is not State.FAILED:
            state = State.STOPPED  # its own target state keeps it down; UNASSIGNED would look like a fault
        trace = None if error is None else trace_of(error)
        version = self.worker.task_version(task) or (last.version if last else None)
        self._statuses.put_task(TaskState(task, state, self.worker.worker_id, trace, version))
        if state is State.FAILED and error is not None:
            self.worker.plugins.task_failed(task.connector, task.task, error)
            self.on_failed(task)

    def on_topic(self, task: ConnectorTaskId, topic: str) -> None:
        """Note that a task used a topic (KIP-558)."""
        _log.debug("%s uses topic %s", task.label, topic)
        if self._configs.get(task.connector) is not None:
            self._statuses.add_topic(task, topic)


def _log_change(who: str, before: State | None, state: State) -> None:
    """Log that a connector or task is in `state`; what it failed with has been logged where it failed."""
    came_from = f" (was {before.value})" if before is not None and before is not state else ""
    _log.info("%s is %s%s", who, "stopped here" if state is State.UNASSIGNED else state.value, came_from)


class StatusRecorder(Recorder):
    """Over stores in memory."""

    def __init__(self) -> None:
        self.configs, self.statuses = MemoryConfigStore(), MemoryStatusStore()
        super().__init__(self.configs, self.statuses)
