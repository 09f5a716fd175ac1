"""`FakeWorker`: runs connectors and tasks without Kafka, for tests of herders and of REST.

Connectors are real plugins with a thread of their own, as in the worker; of tasks only the states are kept. Offsets are kept in memory.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

from penstock.api import TopicPartition
from penstock.errors import ConnectError
from penstock.herder.standalone import Standalone, compose_standalone
from penstock.herder.validation import ConnectorValidator
from penstock.measurements import Measurement
from penstock.plugins import PluginKind, Plugins
from penstock.runtime.connector import WorkerConnector
from penstock.runtime.status import ConnectorTaskId, State, StatusListener, TargetState
from penstock.storage import MemoryOffsetStore

__all__ = ["FakeWorker", "standalone_over_fakes"]

_STATES = {TargetState.STARTED: State.RUNNING, TargetState.PAUSED: State.PAUSED}


class FakeWorker:
    """Implements `penstock.herder.boundary.HerderWorker` and `ConnectorOffsets`. Safe from any thread."""

    def __init__(
        self, plugins: Plugins, listener: StatusListener, resolve: Callable[[Mapping[str, str]], dict[str, str]] = dict
    ) -> None:
        self.plugins = plugins
        self.worker_id = "fake:8083"
        #: The requests of the herder, in order: ``("start_task", "c-0")``.
        self.calls: list[tuple[str, str]] = []
        #: The answer of `config_lifetime` for configurations with a variable.
        self.lifetime: float | None = None
        self.stored_sink_offsets: dict[str, dict[TopicPartition, int]] = {}
        self.source_store = MemoryOffsetStore()
        #: The answers of `task_troubles`, by connector.
        self.troubles: dict[str, dict[int, str]] = {}
        self._listener = listener
        self._resolve = resolve
        self._lock = threading.Lock()
        self._connectors: dict[str, WorkerConnector] = {}
        self._tasks: set[ConnectorTaskId] = set()
        self._failed_tasks: set[ConnectorTaskId] = set()

    def measurements(self) -> Iterable[Measurement]:
        return ()

    def kafka_cluster_id(self) -> str | None:
        return "fake-cluster"

    def start(self) -> None:
        self._note("start", "worker")

    def stop(self) -> None:
        self._note("stop", "worker")

    def start_connector(
        self,
        name: str,
        config: Mapping[str, str],
        target: TargetState,
        request_reconfiguration: Callable[[str], None],
        done: Callable[[BaseException | None], None],
    ) -> None:
        self._note("start_connector", name)
        try:
            resolved = self._resolve(config)
            if not resolved.get("connector.class"):
                raise ConnectError(f"Connector {name} has no connector.class")
            connector = self.plugins.new(PluginKind.CONNECTOR, resolved["connector.class"])
        except Exception as error:
            self._listener.on_connector(name, State.FAILED, error)
            done(error)
            return
        running = WorkerConnector(name, connector, resolved, self._listener, request_reconfiguration)
        with self._lock:
            self._connectors[name] = running
        running.start(target, done)

    def stop_connector(self, name: str) -> None:
        self._note("stop_connector", name)
        with self._lock:
            connector = self._connectors.pop(name, None)
        if connector is not None:
            connector.stop()
            connector.await_stop(5.0)

    def connector_running(self, name: str) -> bool:
        with self._lock:
            connector = self._connectors.get(name)
        return connector is not None and connector.running

    def config_lifetime(self, config: Mapping[str, str]) -> float | None:
        return self.lifetime if any("${" in value for value in config.values()) else None

    def connector_names(self) -> set[str]:
        with self._lock:
            return set(self._connectors)

    def connector(self, name: str) -> Any:
        """The plugin's own instance, so that a test can talk to it."""
        with self._lock:
            return self._connectors[name].connector

    def connector_task_configs(self, name: str) -> list[dict[str, str]]:
        with self._lock:
            running = self._connectors[name]
        return running.task_configs()

    def start_task(
        self,
        id: ConnectorTaskId,  # noqa: A002 - the interface's word
        connector_config: Mapping[str, str],
        task_config: Mapping[str, str],
        target: TargetState,
        generation: int | None = None,
    ) -> bool:
        self._note("start_task", str(id))
        with self._lock:
            self._tasks.add(id)
            self._failed_tasks.discard(id)
        self._listener.on_task(id, _STATES[target], None, self._version_of(id))
        return True

    def stop_tasks(self, ids: Iterable[ConnectorTaskId]) -> None:
        for task in ids:
            with self._lock:
                known, failed = task in self._tasks, task in self._failed_tasks
                self._tasks.discard(task)
                self._failed_tasks.discard(task)
            if known:
                self._note("stop_task", str(task))
            if known and not failed:  # a failed one's thread has ended and says nothing any more
                self._listener.on_task(task, State.UNASSIGNED)

    def fail_task(self, task: ConnectorTaskId, error: BaseException) -> None:
        """Report what a task's own thread would as its last."""
        with self._lock:
            self._failed_tasks.add(task)
        self._listener.on_task(task, State.FAILED, error)

    def task_ids(self) -> set[ConnectorTaskId]:
        with self._lock:
            return set(self._tasks)

    def set_target_state(
        self, connector: str, state: TargetState, done: Callable[[BaseException | None], None] | None = None
    ) -> None:
        self._note("set_target_state", f"{connector} {state.value}")
        with self._lock:
            instance = self._connectors.get(connector)
            tasks = [t for t in self._tasks - self._failed_tasks if t.connector == connector]
        if instance is not None:
            instance.transition_to(state, done)
        for task in tasks:
            self._listener.on_task(task, _STATES[state])

    def task_troubles(self, connector: str) -> Mapping[int, str]:
        return self.troubles.get(connector, {})

    def forget_topics(self, connector: str) -> None:
        self._note("forget_topics", connector)

    # Offsets

    @property
    def offsets(self) -> FakeWorker:
        return self

    def source_offsets(
        self, name: str, config: Mapping[str, str]
    ) -> Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        return self.source_store.all(name)

    def write_source_offsets(
        self,
        name: str,
        config: Mapping[str, str],
        offsets: Sequence[tuple[Mapping[str, Any], Mapping[str, Any] | None]],
    ) -> None:
        self.source_store.write(name, offsets)

    def sink_offsets(self, name: str, config: Mapping[str, str]) -> Mapping[TopicPartition, int]:
        return dict(self.stored_sink_offsets.get(name, {}))

    def write_sink_offsets(
        self, name: str, config: Mapping[str, str], offsets: Mapping[TopicPartition, int | None]
    ) -> None:
        stored = self.stored_sink_offsets.setdefault(name, {})
        for partition, offset in offsets.items():
            if offset is None:
                stored.pop(partition, None)
            else:
                stored[partition] = offset

    def reset_sink_offsets(self, name: str, config: Mapping[str, str]) -> None:
        self.stored_sink_offsets.pop(name, None)

    def _version_of(self, task: ConnectorTaskId) -> str | None:
        with self._lock:
            connector = self._connectors.get(task.connector)
        return None if connector is None else connector.connector.task_class.version

    def _note(self, what: str, who: str) -> None:
        with self._lock:
            self.calls.append((what, who))


def standalone_over_fakes(
    plugins: Plugins,
    *,
    resolve: Callable[[Mapping[str, str]], dict[str, str]] = dict,
    worker_defaults: Mapping[str, Any] | None = None,
    request_timeout: float = 90.0,
) -> Standalone[FakeWorker]:
    """Return a standalone herder over a fake worker. `worker_defaults` are the worker's converters."""
    return compose_standalone(
        plugins,
        "fake:8083",
        lambda recorder: FakeWorker(plugins, recorder, resolve),
        lambda worker: ConnectorValidator(plugins, worker_defaults or {}, resolve=resolve),
        request_timeout=request_timeout,
    )
