"""Views of the config and status topics that give the herder's common parts what they read."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping
from typing import Final

from penstock.herder.configs import ConnectorEntry
from penstock.herder.interface import ConnectorState, TaskState
from penstock.runtime.status import ConnectorTaskId, State, TargetState
from penstock.storage.cluster_state import ClusterConfigState
from penstock.storage.status_records import Status, TopicStatus
from penstock.storage.status_store import StatusStore

__all__ = ["ConfigView", "StatusView"]

#: News that may come when the work has long been given to another worker (``AbstractHerder.onShutdown`` and others).
_LATE: Final = frozenset({State.UNASSIGNED, State.FAILED, State.STOPPED})


class ConfigView:
    """A `penstock.herder.configs.ConfigReader` over the latest snapshot. Safe from any thread."""

    def __init__(self, snapshot: Callable[[], ClusterConfigState], problems: Callable[[], list[str]] = list) -> None:
        self._snapshot, self.problems = snapshot, problems
        self._lock = threading.Lock()
        #: Entries of one snapshot, made when they are asked for: a round asks for the same ones again and again.
        self._entries: tuple[ClusterConfigState | None, dict[str, ConnectorEntry]] = (None, {})
        self._seen: dict[str, tuple[Mapping[str, str], TargetState, int]] = {}
        self._revision = 0

    @property
    def revision(self) -> int:
        return self._snapshot().offset

    def names(self) -> list[str]:
        return list(self._snapshot().connectors)

    def get(self, name: str) -> ConnectorEntry | None:
        state = self._snapshot()
        config = state.connectors.get(name)
        if config is None:
            return None
        with self._lock:
            if self._entries[0] is not state:
                self._entries = (state, {})
            entries = self._entries[1]
            if name not in entries:
                entries[name] = self._entry(name, config, state)
            return entries[name]

    def _entry(self, name: str, config: Mapping[str, str], state: ClusterConfigState) -> ConnectorEntry:
        target = state.target_state(name) or TargetState.STARTED
        tasks = state.tasks(name)
        return ConnectorEntry(
            config,
            target,
            tuple(state.task_configs[task] for task in tasks),
            # An inconsistent connector's tasks are nobody's: whatever it answers is news.
            None if name in state.inconsistent else state.applied_configs.get(name),
            {task.task: own for task in tasks if (own := state.task_target_states.get(task)) is not None},
            self._revision_of(name, config, target),
            state.task_config_generations.get(name),
        )

    def _revision_of(self, name: str, config: Mapping[str, str], target: TargetState) -> int:
        seen = self._seen.get(name)
        if seen is None or seen[0] is not config or seen[1] is not target:
            self._revision += 1
            seen = self._seen[name] = (config, target, self._revision)
        return seen[2]


class StatusView:
    """A `penstock.herder.statuses.StatusKeeper` over the topic. Safe from any thread.

    `generation` is the group's: it goes with every status, so that a worker which lost its work cannot overwrite what
    the next one says.
    """

    def __init__(self, store: StatusStore, worker_id: str, generation: Callable[[], int]) -> None:
        self._store, self._worker_id, self._generation = store, worker_id, generation
        self._lock = threading.Lock()
        #: This worker's last word on what it runs or ran.
        self._said: dict[str | ConnectorTaskId, ConnectorState | TaskState] = {}

    @property
    def revision(self) -> int:
        return self._store.revision

    def problems(self) -> list[str]:
        return self._store.problems()

    def put_connector(self, name: str, status: ConnectorState) -> None:
        self._remember(name, status)
        put = self._store.put_connector_safe if status.state in _LATE else self._store.put_connector
        put(name, self._status(status))

    def put_task(self, status: TaskState) -> None:
        self._remember(status.id, status)
        put = self._store.put_task_safe if status.state in _LATE else self._store.put_task
        put(status.id, self._status(status))

    def _remember(self, key: str | ConnectorTaskId, status: ConnectorState | TaskState) -> None:
        if status.worker_id == self._worker_id:
            with self._lock:
                self._said[key] = status

    def repair(self, connectors: Collection[str], tasks: Collection[ConnectorTaskId]) -> None:
        """Repeat what was said of these, which run here, where another worker has said something since.

        A worker that slept through the loss of its work says UNASSIGNED before it has read who has it now.
        """
        running = {*connectors, *tasks}
        with self._lock:
            said = {key: status for key, status in self._said.items() if key in running}
            self._said = dict(said)
        for name in connectors:
            known, own = self._store.connector(name), said.get(name)
            if known is not None and known.worker_id != self._worker_id and isinstance(own, ConnectorState):
                self.put_connector(name, own)
        for task in tasks:
            known, own = self._store.task(task), said.get(task)
            if known is not None and known.worker_id != self._worker_id and isinstance(own, TaskState):
                self.put_task(own)

    def _status(self, status: ConnectorState | TaskState) -> Status:
        return Status(status.state, status.trace, status.worker_id, self._generation(), status.version)

    def connector(self, name: str) -> ConnectorState | None:
        found = self._store.connector(name)
        return None if found is None else ConnectorState(found.state, found.worker_id or "", found.trace, found.version)

    def task(self, task: ConnectorTaskId) -> TaskState | None:
        found = self._store.task(task)
        return None if found is None else _task_state(task, found)

    def tasks(self, connector: str) -> list[TaskState]:
        return [_task_state(task, status) for task, status in self._store.tasks(connector).items()]

    def add_topic(self, task: ConnectorTaskId, topic: str) -> None:
        if self._store.topic(task.connector, topic) is None:
            self._store.put_topic(TopicStatus(topic, task.connector, task.task, int(time.time() * 1000)))

    def topics(self, connector: str) -> list[str]:
        return sorted(status.topic for status in self._store.topics(connector))

    def reset_topics(self, connector: str) -> None:
        for status in self._store.topics(connector):
            self._store.delete_topic(connector, status.topic)

    # Removals, by the leader, of what is no more

    def forget_task(self, task: ConnectorTaskId) -> None:
        self._store.put_task(task, Status(State.DESTROYED, None, self._worker_id, self._generation()))

    def forget_connector(self, name: str) -> None:
        self._store.remove_connector(name, self._worker_id, self._generation())

    def connectors(self) -> set[str]:
        """Return every connector that anything is said about."""
        return self._store.connectors()


def _task_state(task: ConnectorTaskId, status: Status) -> TaskState:
    return TaskState(task, status.state, status.worker_id or "", status.trace, status.version)
