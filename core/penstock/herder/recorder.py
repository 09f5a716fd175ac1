"""Takes the worker's news of connectors and tasks and keeps them for whoever asks."""

from __future__ import annotations

from collections.abc import Callable

from penstock.herder.boundary import HerderWorker
from penstock.herder.configs import MemoryConfigStore
from penstock.herder.interface import ConnectorState, TaskState
from penstock.herder.statuses import MemoryStatusStore, trace_of
from penstock.runtime.status import ConnectorTaskId, State, TargetState

__all__ = ["StatusRecorder"]


class StatusRecorder:
    """The worker's `StatusListener`: made before the worker, which needs it, and handed to the herder after.

    Keeps what it is told, for connectors and tasks that exist; late news of others is dropped.
    """

    def __init__(self) -> None:
        self.statuses = MemoryStatusStore()
        self.configs = MemoryConfigStore()
        self.worker: HerderWorker | None = None
        #: Called when a connector is found running.
        self.on_running: Callable[[str], None] = lambda name: None

    def on_connector(self, connector: str, state: State, error: BaseException | None = None) -> None:
        if self.configs.get(connector) is None or self.worker is None or state is State.DESTROYED:
            return
        trace = None if error is None else trace_of(error)
        version = self.worker.connector_version(connector) or self._last_version(connector)
        self.statuses.put_connector(connector, ConnectorState(state, self.worker.worker_id, trace, version))
        if state is State.RUNNING:
            self.on_running(connector)

    def on_task(self, task: ConnectorTaskId, state: State, error: BaseException | None = None) -> None:
        entry = self.configs.get(task.connector)
        if entry is None or task.task >= len(entry.tasks) or self.worker is None or state is State.DESTROYED:
            return
        if entry.task_target(task.task) is TargetState.STOPPED and state is not State.FAILED:
            state = State.STOPPED  # its own target state keeps it down; UNASSIGNED would look like a fault
        trace = None if error is None else trace_of(error)
        last = self.statuses.task(task)
        version = self.worker.task_version(task) or (last.version if last else None)
        self.statuses.put_task(TaskState(task, state, self.worker.worker_id, trace, version))
        if state is State.FAILED and error is not None:
            self.worker.plugins.task_failed(task.connector, task.task, error)

    def on_topic(self, task: ConnectorTaskId, topic: str) -> None:
        """A task used a topic (KIP-558)."""
        if self.configs.get(task.connector) is not None:
            self.statuses.add_topic(task.connector, topic)

    def _last_version(self, connector: str) -> str | None:
        last = self.statuses.connector(connector)
        return last.version if last else None
