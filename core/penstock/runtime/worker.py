"""The worker: runs connectors and tasks for a herder (``org.apache.kafka.connect.runtime.Worker``)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import replace
from typing import Final

from penstock.api import Connector, SourceConnector
from penstock.config.disclosure import LookedUpValues
from penstock.config.transformer import ConfigTransformer
from penstock.config.worker import WorkerConfig
from penstock.credentials import without_credentials
from penstock.errors import ConfigError, ConnectError, PluginError
from penstock.kafka import ClientKind, KafkaClients
from penstock.kafka.admin import cluster_id
from penstock.logs import log_failure
from penstock.measurements import Measurement
from penstock.plugins import PluginKind, Plugins
from penstock.runtime.admission import UnreadLimit
from penstock.runtime.assembly import with_registry_url
from penstock.runtime.connector import Done, WorkerConnector
from penstock.runtime.disclosure import looked_up_values, remember_looked_up
from penstock.runtime.kept_offsets import KeptOffsets
from penstock.runtime.meters import meter_windows
from penstock.runtime.sink import WorkerSinkTask
from penstock.runtime.source.committer import Committer
from penstock.runtime.source.exactly_once_worker import ExactlyOnceWorker, standalone_transactions
from penstock.runtime.source.offset_stores import SourceOffsetStores
from penstock.runtime.source.task import WorkerSourceTask
from penstock.runtime.status import ConnectorTaskId, State, TargetState, WorkerListener
from penstock.runtime.task import WorkerTask
from penstock.runtime.task_builder import TaskBuilder
from penstock.runtime.task_plugins import UsedPlugin
from penstock.runtime.worker_meter import WorkerMeter
from penstock.storage import OffsetStore

__all__ = ["Worker"]

_log: Final = logging.getLogger(__name__)
#: How long stopping a connector instance may take (``Worker.CONNECTOR_GRACEFUL_SHUTDOWN_TIMEOUT_MS``).
_CONNECTOR_STOP_S: Final = 5.0
_CLUSTER_ID_S: Final = 5.0
_CONVERTERS: Final = {
    "key.converter": PluginKind.CONVERTER,
    "value.converter": PluginKind.CONVERTER,
    "header.converter": PluginKind.HEADER_CONVERTER,
}


class Worker:
    """Starts, stops and watches connectors and tasks. Safe from any thread; the herder is its only caller."""

    def __init__(
        self,
        config: WorkerConfig,
        plugins: Plugins,
        offset_store: OffsetStore,
        listener: WorkerListener,
        *,
        worker_id: str,
        clients: KafkaClients,
        transformer: ConfigTransformer,
        registry_url: str | None = None,
        admission: UnreadLimit | None = None,
        in_session: Callable[[], bool] | None = None,
        exactly_once: ExactlyOnceWorker | None = None,
    ) -> None:
        """`in_session` is asked before a task writes: whether the worker's work is still its own (`WorkerTask.in_session`).
        With `exactly_once` all sources deliver exactly once."""
        self.worker_id = worker_id
        self.plugins = plugins
        self.config = config
        self.clients = clients
        self.meter = WorkerMeter(listener, meter_windows(config.values))
        self._listener: WorkerListener = self.meter
        self._offset_store = offset_store
        self._transformer = transformer
        self._admission = admission
        self._lock = threading.Lock()
        self._connectors: dict[str, WorkerConnector] = {}
        self._tasks: dict[ConnectorTaskId, WorkerTask] = {}
        self._committer = Committer(config["offset.flush.interval.ms"] / 1000)
        self._graceful_s: float = config["task.shutdown.graceful.timeout.ms"] / 1000
        self._registry_url = registry_url
        #: The worker's own settings, for converters that a connector does not name.
        self.converter_defaults = with_registry_url(plugins, config.raw, registry_url)
        on_topic = listener.on_topic if config["topic.tracking.enable"] else None
        source_offsets = SourceOffsetStores(config, clients, offset_store)
        #: Reads and changes connectors' offsets for requests.
        self._delivers_once = exactly_once is not None
        self.offsets = KeptOffsets(clients, source_offsets, exactly_once, self.resolve, self._looked_up)
        self._builder = TaskBuilder(
            config,
            plugins,
            clients,
            source_offsets,
            exactly_once,
            self.resolve,
            self.converter_defaults,
            admission,
            on_topic,
            in_session,
        )
        self._cluster_id: str | None = None

    # ---- life

    def start(self) -> None:
        with self.config.looked_up.guard():
            self._check_defaults()
        self._offset_store.start()
        # In a thread of its own: the worker starts without a broker, too, and says so.
        threading.Thread(target=self.kafka_cluster_id, name="kafka-cluster-id", daemon=True).start()
        _log.info("worker %s started", self.worker_id)

    def stop(self) -> None:
        """Stop everything, each within its time; whatever does not stop is cut off from Kafka."""
        self.stop_tasks(self.task_ids())
        for name in self.connector_names():
            self.stop_connector(name)
        self._committer.stop()
        self._offset_store.stop()
        _log.info("worker %s stopped", self.worker_id)

    def _check_defaults(self) -> None:
        """Fail the start for what every task would fail with: converters that are not there, client settings refused."""
        for key, kind in _CONVERTERS.items():
            if name := self.config[key]:
                try:
                    self.plugins.load(kind, name)
                except PluginError as error:
                    raise ConfigError(key, name, error.message) from error
        for client in ClientKind:
            self.clients.settings(client, {}, "the worker's properties")

    def resolve(self, config: Mapping[str, str]) -> dict[str, str]:
        """A configuration with its config providers' values put in, and the registry's address where it names none."""
        return with_registry_url(self.plugins, self._transformer.transform(config)[0], self._registry_url)

    def _looked_up(self, config: Mapping[str, str], resolved: Mapping[str, str]) -> LookedUpValues:
        """The values looked up for a connector, and those in the worker's own settings, which its converters may get."""
        own, raw = self.config.written, self.config.raw
        return LookedUpValues(
            {**{f"worker {key}": text for key, text in own.items()}, **config},
            {**{f"worker {key}": raw[key] for key in own}, **resolved},
        )

    def resolve_known(self, config: Mapping[str, str]) -> dict[str, str]:
        """Resolve `config` for a validation: a variable whose key the provider does not have stays as it is (Kafka 4.4)."""
        known = self._transformer.transform(config, keep_unknown=True)[0]
        return with_registry_url(self.plugins, known, self._registry_url)

    def config_lifetime(self, config: Mapping[str, str]) -> float | None:
        """For how many seconds the values that config providers put into `config` may be used; None: for good."""
        if not any("${" in (value or "") for value in config.values()):
            return None
        ttls = self._transformer.transform(config).ttls
        return min(ttls.values()) / 1000 if ttls else None

    def kafka_cluster_id(self) -> str | None:
        """Return the id of the cluster the worker talks to, asked once; None while no broker answers."""
        if self._cluster_id is None:
            try:
                admin = self.clients.admin({}, "worker")
                self._cluster_id = cluster_id(admin, _CLUSTER_ID_S)
                _log.info("Kafka cluster ID: %s", self._cluster_id)
            except ConnectError as error:
                _log.warning(
                    "no broker at %s answers, work goes on once one does: %s",
                    without_credentials(self.clients.bootstrap_servers),
                    error.message,
                )
        return self._cluster_id

    def measurements(self) -> Iterator[Measurement]:
        """Give what is measured of the worker, its connectors and its tasks."""
        yield from self.meter.measurements()

    def _used(self, config: Mapping[str, str], connector: Connector | None = None) -> UsedPlugin:
        """Return the connector of a resolved configuration, for its metrics."""
        info = self.plugins.find(PluginKind.CONNECTOR, config["connector.class"])
        found: type[Connector] = self.plugins.load(PluginKind.CONNECTOR, config["connector.class"])
        return UsedPlugin(info.class_name, found.version, connector)

    # ---- connectors

    def start_connector(
        self,
        name: str,
        config: Mapping[str, str],
        target: TargetState,
        request_reconfiguration: Callable[[str], None],
        done: Done,
    ) -> None:
        """Start the connector's thread; `done` is called from it once `target` is reached, or with the error."""
        self.meter.connector_starts(name)
        try:
            resolved = self.resolve(config)
            remember_looked_up(name, self._looked_up(config, resolved))
            if not resolved.get("connector.class"):
                raise ConnectError(f"Connector {name} has no connector.class; give it one, or delete it")
            connector: Connector = self.plugins.new(PluginKind.CONNECTOR, resolved["connector.class"])
            self.meter.connector_made(
                name, self._used(resolved, connector), getattr(connector, "connector_type", "unknown")
            )
        except Exception as error:
            shown = looked_up_values(name).disclosed(error)
            self._listener.on_connector(name, State.FAILED, shown)
            done(shown)
            return

        def before_start() -> None:
            if isinstance(connector, SourceConnector):
                if not self._delivers_once:
                    standalone_transactions(self.config, self.clients, resolved)
                self.offsets.check(name, config)

        worker_connector = WorkerConnector(
            name, connector, resolved, self._listener, request_reconfiguration, before_start
        )
        with self._lock:
            if name in self._connectors:
                raise ConnectError(f"Connector {name} is running already")
            self._connectors[name] = worker_connector
        worker_connector.start(target, done)

    def stop_connector(self, name: str) -> None:
        with self._lock:
            connector = self._connectors.pop(name, None)
        if connector is not None:
            connector.stop()
            connector.await_stop(_CONNECTOR_STOP_S)
        self.meter.connector_gone(name)

    def connector_running(self, name: str) -> bool:
        with self._lock:
            connector = self._connectors.get(name)
        return connector is not None and connector.running

    def connector_names(self) -> set[str]:
        with self._lock:
            return set(self._connectors)

    def connector_task_configs(self, name: str) -> list[dict[str, str]]:
        """Ask the connector to divide its work, and add what the worker needs to each answer."""
        with self._lock:
            connector = self._connectors.get(name)
        if connector is None:
            raise ConnectError(f"Connector {name} is not running on this worker")
        looked_up = looked_up_values(name)
        with looked_up.guard():
            configs = connector.task_configs()
        return [looked_up.as_written(config) for config in configs]

    # ---- tasks

    def start_task(
        self,
        id: ConnectorTaskId,  # noqa: A002 - the interface's word
        connector_config: Mapping[str, str],
        task_config: Mapping[str, str],
        target: TargetState,
        generation: int | None = None,
    ) -> bool:
        """Make the task and start its thread. False if it could not be made: the listener was told why.

        `generation` is that of the task configurations, for a source that delivers exactly once (`Gate.after`)."""
        self.meter.task_starts(id)
        try:
            resolved, resolved_task = self.resolve(connector_config), self.resolve(task_config)
            remember_looked_up(
                id.connector,
                self._looked_up({**task_config, **connector_config}, {**resolved_task, **resolved}),
            )
            task = self._builder.build(id, resolved, resolved_task, target, self._listener, generation)
        except Exception as failure:
            error = looked_up_values(id.connector).disclosed(failure)
            log_failure(_log, error, "[%s|task-%d] could not be made: %s", id.connector, id.task, error)
            if self._admission is not None:
                self._admission.remove_reader(id)
            self._listener.on_task(id, State.FAILED, error)
            return False
        with self._lock:
            known = self._tasks.get(id)
            if known is not None and not known.done:
                raise ConnectError(f"Task {id} is running already")
            self._tasks[id] = task
        if isinstance(task, WorkerSourceTask | WorkerSinkTask) and task.plugins is not None:
            plugins = replace(task.plugins, connector=self._used(resolved))
            self.meter.task_made(id, task.meter, plugins)
        if isinstance(task, WorkerSourceTask):
            self._committer.add(task)
        task.start()
        return True

    def stop_tasks(self, ids: Iterable[ConnectorTaskId]) -> None:
        """Ask all, then wait for all within ``task.shutdown.graceful.timeout.ms``; those left are cancelled."""
        with self._lock:
            ids = list(ids)
            tasks = [t for t in (self._tasks.pop(i, None) for i in ids) if t is not None]
        for task in tasks:
            task.stop()
        deadline = time.monotonic() + self._graceful_s
        for task in tasks:
            if not task.await_stop(max(0.0, deadline - time.monotonic())):
                _log.error(
                    "Graceful stop of task %s failed: not stopped within task.shutdown.graceful.timeout.ms; it is cut off",
                    task.id,
                )
                task.cancel()
            if self._admission is not None:
                self._admission.remove_reader(task.id)
            if isinstance(task, WorkerSourceTask):
                self._committer.remove(task)
        self.meter.tasks_gone(ids)

    def task_ids(self) -> set[ConnectorTaskId]:
        with self._lock:
            return set(self._tasks)

    def tasks(self) -> list[WorkerTask]:
        with self._lock:
            return list(self._tasks.values())

    def forget_topics(self, connector: str) -> None:
        """The connector's tasks tell `on_topic` of each topic again, once they use it again."""
        for task in self.tasks():
            if task.id.connector == connector:
                task.topics_forgotten.set()

    def task_troubles(self, connector: str) -> dict[int, str]:
        """Return what the connector's tasks keep trying in vain, by the task's number; nothing of those that are well."""
        own = [task for task in self.tasks() if task.id.connector == connector and not task.done]
        return {task.id.task: trouble for task in own if (trouble := task.retries.trouble) is not None}

    def set_target_state(self, connector: str, state: TargetState, done: Done | None = None) -> None:
        """Bring the connector and its tasks to `state`, without waiting; `done` hears when the connector is there."""
        with self._lock:
            instance = self._connectors.get(connector)
            tasks = [task for id_, task in self._tasks.items() if id_.connector == connector]
        if instance is not None:
            instance.transition_to(state, done)
        for task in tasks:
            task.transition_to(state)
