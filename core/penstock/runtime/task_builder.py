"""Makes source and sink tasks out of configurations: plugin, converters, chain, clients, error policy."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from confluent_kafka import Producer

from penstock.api import SinkConnector, SourceConnector, SourceTask, Task
from penstock.config.connector import source_connector_config_def
from penstock.config.worker import WorkerConfig
from penstock.errors import ConfigError, ConnectError, PluginError
from penstock.kafka import ClientKind, KafkaClients
from penstock.plugins import PluginKind, Plugins
from penstock.runtime.admission import UnreadLimit
from penstock.runtime.assembly import build_chain, build_converters, log_reporters, made, strip_prefix
from penstock.runtime.conversion import SourceConversion
from penstock.runtime.sink.build import SinkTaskBuilder
from penstock.runtime.source import SourceTaskParts, WorkerSourceTask
from penstock.runtime.source_context import WorkerSourceTaskContext
from penstock.runtime.status import ConnectorTaskId, StatusListener, TargetState
from penstock.runtime.task import WorkerTask
from penstock.runtime.tolerance import ErrorPolicy
from penstock.runtime.topics import TopicCreation, topic_groups
from penstock.storage import OffsetStore

__all__ = ["TaskBuilder"]

Resolve = Callable[[Mapping[str, str]], Mapping[str, str]]


class TaskBuilder:
    """One a worker. Safe from any thread; a task's plugins are made here and then used from its thread only."""

    def __init__(
        self,
        config: WorkerConfig,
        plugins: Plugins,
        clients: KafkaClients,
        offsets: OffsetStore,
        resolve: Resolve,
        converter_defaults: Mapping[str, str],
        admission: UnreadLimit | None,
        on_topic: Callable[[ConnectorTaskId, str], None] | None,
    ) -> None:
        self._config = config
        self._plugins = plugins
        self._clients = clients
        self._offsets = offsets
        self._resolve = resolve
        self._admission = admission
        self._converter_defaults = converter_defaults
        self._on_topic = on_topic
        self._sinks = SinkTaskBuilder(
            config, plugins, clients, resolve, converter_defaults, admission, self._topic_listener
        )

    def build(
        self,
        task_id: ConnectorTaskId,
        connector: Mapping[str, str],
        task_config: Mapping[str, str],
        target: TargetState,
        listener: StatusListener,
    ) -> WorkerTask:
        """Both configurations resolved. Raises what is wrong with them; nothing has been started then."""
        connector_class = self._plugins.load(PluginKind.CONNECTOR, connector.get("connector.class", ""))
        task_class = self._task_class(connector_class, task_config)
        if issubclass(connector_class, SourceConnector):
            return self._source(task_id, connector, task_config, target, listener, task_class)
        if issubclass(connector_class, SinkConnector):
            return self._sinks.build(task_id, connector, task_config, target, listener, task_class)
        raise PluginError(f"{connector_class.__name__} is neither a SourceConnector nor a SinkConnector")

    def _task_class(self, connector_class: type, task_config: Mapping[str, str]) -> type[Task]:
        """The connector says which class its tasks have; a configuration written by another version may disagree."""
        task_class: type[Task] = connector_class().task_class
        wanted = task_config.get("task.class")
        names = {task_class.java_class, f"{task_class.__module__}.{task_class.__qualname__}"}
        if wanted and wanted not in names:
            raise ConnectError(
                f"task.class is {wanted}, but the tasks of {connector_class.__name__} are {task_class.__qualname__}; restart the connector to have its tasks configured again"
            )
        return task_class

    def _source(
        self,
        task_id: ConnectorTaskId,
        connector: Mapping[str, str],
        task_config: Mapping[str, str],
        target: TargetState,
        listener: StatusListener,
        task_class: type[Task],
    ) -> WorkerSourceTask:
        common = source_connector_config_def().parse(connector)
        if common["exactly.once.support"].upper() == "REQUIRED":
            raise ConfigError(
                "exactly.once.support",
                "required",
                "exactly-once source delivery is not supported by this worker; use requested",
            )
        task = made(task_class, SourceTask)
        policy = ErrorPolicy.from_config(task_id, common, log_reporters(common), threading.Event())
        producer_overrides = strip_prefix(connector, "producer.override.")
        admin_overrides = strip_prefix(connector, "admin.override.")
        groups = topic_groups(connector) if self._config["topic.creation.enable"] else []
        name = f"{task_id.connector}-{task_id.task}"

        def make_producer(extra: Mapping[str, Any], **callbacks: Callable[..., Any]) -> Producer:
            settings = {"client.id": f"connector-producer-{name}", **producer_overrides, **extra}
            return self._clients.producer(settings, f"task {task_id}", **callbacks)

        # Made and thrown away: a setting the client refuses shall fail the task now, not at its first record.
        self._clients.settings(ClientKind.PRODUCER, producer_overrides, f"task {task_id}")
        parts = SourceTaskParts(
            task=task,
            config=task_config,
            conversion=SourceConversion(
                build_chain(self._plugins, connector),
                build_converters(self._plugins, connector, self._converter_defaults),
            ),
            policy=policy,
            offsets=self._offsets,
            topics=TopicCreation(
                groups,
                lambda: self._clients.admin(
                    {"client.id": f"connector-adminclient-{name}", **admin_overrides}, f"task {task_id}"
                ),
            ),
            producer=make_producer,
            flush_timeout_s=self._config["offset.flush.timeout.ms"] / 1000,
            on_topic=self._topic_listener(task_id),
            admission=self._admission,
        )
        task.initialize(WorkerSourceTaskContext(self._offsets, task_id.connector, lambda: self._resolve(task_config)))
        worker_task = WorkerSourceTask(task_id, listener, target, parts)
        policy.stopping = worker_task.stopping
        return worker_task

    def _topic_listener(self, task_id: ConnectorTaskId) -> Callable[[str], None]:
        on_topic = self._on_topic
        return (lambda topic: None) if on_topic is None else (lambda topic: on_topic(task_id, topic))
