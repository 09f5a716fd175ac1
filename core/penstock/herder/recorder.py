"""`Recorder`: hears of connectors and tasks from the worker, logs it, and keeps it for whoever asks."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final

from penstock.herder.configs import ConfigReader
from penstock.herder.interface import ConnectorState, TaskState
from penstock.herder.statuses import StatusKeeper, trace_of
from penstock.plugins import Plugins
from penstock.runtime.status import ConnectorTaskId, State, TargetState

__all__ = ["Recorder"]

_log: Final = logging.getLogger(__name__)


class Recorder:
    """The worker's `StatusListener`. Keeps what it hears of connectors and tasks that exist; drops late news of others."""

    def __init__(
        self,
        configs: ConfigReader,
        statuses: StatusKeeper,
        worker_id: str,
        plugins: Plugins,
        on_failed: Callable[[ConnectorTaskId, BaseException], None],
    ) -> None:
        """`on_failed` is called when a task has failed, with the reason, from that task's thread."""
        self._configs, self._statuses, self._worker_id = configs, statuses, worker_id
        self._plugins, self._on_failed = plugins, on_failed

    def on_connector(
        self, connector: str, state: State, error: BaseException | None = None, version: str | None = None
    ) -> None:
        last = self._statuses.connector(connector)
        _log_change(f"[{connector}|worker]", None if last is None else last.state, state)
        if self._configs.get(connector) is None or state is State.DESTROYED:
            return
        trace = None if error is None else trace_of(error)
        version = version or (last.version if last else None)
        self._statuses.put_connector(connector, ConnectorState(state, self._worker_id, trace, version))

    def on_task(
        self, task: ConnectorTaskId, state: State, error: BaseException | None = None, version: str | None = None
    ) -> None:
        last = self._statuses.task(task)
        _log_change(task.label, None if last is None else last.state, state)
        entry = self._configs.get(task.connector)
        if entry is None or task.task >= len(entry.tasks) or state is State.DESTROYED:
            return
        if entry.task_target(task.task) is TargetState.STOPPED and state is not State.FAILED:
            state = State.STOPPED  # its own target state keeps it down; UNASSIGNED would look like a fault
        trace = None if error is None else trace_of(error)
        version = version or (last.version if last else None)
        self._statuses.put_task(TaskState(task, state, self._worker_id, trace, version))
        if state is State.FAILED and error is not None:
            self._plugins.task_failed(task.connector, task.task, error)
            self._on_failed(task, error)

    def on_topic(self, task: ConnectorTaskId, topic: str) -> None:
        """Note that a task used a topic (KIP-558)."""
        _log.debug("%s uses topic %s", task.label, topic)
        if self._configs.get(task.connector) is not None:
            self._statuses.add_topic(task, topic)


def _log_change(who: str, before: State | None, state: State) -> None:
    """Log that a connector or task is in `state`; what it failed with has been logged where it failed."""
    came_from = f" (was {before.value})" if before is not None and before is not state else ""
    _log.info("%s is %s%s", who, "stopped here" if state is State.UNASSIGNED else state.value, came_from)
