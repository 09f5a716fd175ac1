"""Makes source and sink tasks out of configurations: plugin, converters, chain, clients, error policy."""

from __future__ import annotations

import logging
import re
import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import Consumer, Producer

from penstock.api import SinkConnector, SinkTask, SourceConnector, SourceTask, Task
from penstock.config.connector import sink_connector_config_def, source_connector_config_def
from penstock.config.worker import WorkerConfig
from penstock.errors import ConfigError, ConnectError, PluginError, RetriableError
from penstock.kafka import ClientKind, KafkaClients
from penstock.kafka.admin import create_topic, existing_topics
from penstock.plugins import PluginKind, Plugins
from penstock.runtime.admission import UnreadLimit
from penstock.runtime.assembly import build_chain, build_converters, strip_prefix
from penstock.runtime.conversion import SinkConversion, SourceConversion
from penstock.runtime.dead_letters import DeadLetterQueue
from penstock.runtime.sink import SinkTaskParts, WorkerSinkTask
from penstock.runtime.source import SourceTaskParts, WorkerSourceTask
from penstock.runtime.source_context import WorkerSourceTaskContext
from penstock.runtime.status import ConnectorTaskId, StatusListener, TargetState
from penstock.runtime.task import WorkerTask
from penstock.runtime.tolerance import ErrorPolicy, LogReporter, Reporter
from penstock.runtime.topics import TopicCreation, topic_groups
from penstock.storage import OffsetStore

__all__ = ["TaskBuilder"]

_log: Final = logging.getLogger(__name__)
_DEFAULT_MAX_POLL_RECORDS: Final = 500
_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
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
            return self._sink(task_id, connector, task_config, target, listener, task_class)
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
        task = _made(task_class, SourceTask)
        policy = ErrorPolicy.from_config(task_id, common, _log_reporters(common), threading.Event())
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

    def _sink(
        self,
        task_id: ConnectorTaskId,
        connector: Mapping[str, str],
        task_config: Mapping[str, str],
        target: TargetState,
        listener: StatusListener,
        task_class: type[Task],
    ) -> WorkerSinkTask:
        common = sink_connector_config_def().parse(connector)
        task = _made(task_class, SinkTask)
        reporters = [*_log_reporters(common), *self._dead_letters(task_id, connector, common)]
        policy = ErrorPolicy.from_config(task_id, common, reporters, threading.Event())
        overrides = {
            "group.id": f"connect-{task_id.connector}",
            "client.id": f"connector-consumer-{task_id.connector}-{task_id.task}",
            **strip_prefix(connector, "consumer.override."),
        }
        settings = self._clients.settings(ClientKind.CONSUMER, overrides, f"task {task_id}")
        topics = subscription(common)
        dead_letters = common["errors.deadletterqueue.topic.name"]
        if dead_letters in topics:
            raise ConfigError(
                "errors.deadletterqueue.topic.name",
                dead_letters,
                "the dead letter queue must not be one of the topics the connector reads",
            )
        if self._admission is not None:
            self._admission.add_reader(task_id, topics)

        def make_consumer(extra: Mapping[str, Any], **callbacks: Callable[..., Any]) -> Consumer:
            return self._clients.consumer({**overrides, **extra}, f"task {task_id}", **callbacks)

        reports = bool(reporters) or policy.tolerate_all
        parts = SinkTaskParts(
            task=task,
            config=task_config,
            configs=lambda: self._resolve(task_config),
            conversion=SinkConversion(
                build_chain(self._plugins, connector),
                build_converters(self._plugins, connector, self._converter_defaults),
                keep_messages=bool(dead_letters),
            ),
            policy=policy,
            consumer=make_consumer,
            topics=topics,
            max_poll_records=int(
                self._clients.java_settings(ClientKind.CONSUMER, overrides).get(
                    "max.poll.records", _DEFAULT_MAX_POLL_RECORDS
                )
            ),
            cooperative="cooperative" in settings["partition.assignment.strategy"],
            commit_interval_s=self._config["offset.flush.interval.ms"] / 1000,
            commit_timeout_s=self._config["offset.flush.timeout.ms"] / 1000,
            on_topic=self._topic_listener(task_id),
            reports=reports,
            consumption=self._admission,
        )
        worker_task = WorkerSinkTask(task_id, listener, target, parts)
        policy.stopping = worker_task.stopping
        return worker_task

    def _dead_letters(
        self, task_id: ConnectorTaskId, connector: Mapping[str, str], common: Mapping[str, Any]
    ) -> list[Reporter]:
        topic = common["errors.deadletterqueue.topic.name"]
        if not topic:
            return []
        owner = f"dead letter queue of {task_id}"
        replication = common["errors.deadletterqueue.topic.replication.factor"]

        def make_topic() -> None:
            admin = self._clients.admin(strip_prefix(connector, "admin.override."), owner)
            if topic in existing_topics(admin):
                return
            try:
                create_topic(admin, topic, 1, replication, {})
            except RetriableError:
                raise
            except ConnectError as error:
                raise ConnectError(
                    f"{error.message} Create the dead letter queue's topic yourself, or change errors.deadletterqueue.topic.replication.factor ({replication})."
                ) from error

        settings = {"client.id": f"connector-dlq-producer-{task_id}", **strip_prefix(connector, "producer.override.")}

        def make_producer() -> Producer:
            return self._clients.producer(settings, owner)

        with_context = common["errors.deadletterqueue.context.headers.enable"]
        return [DeadLetterQueue(topic, with_context, make_producer, make_topic)]

    def _topic_listener(self, task_id: ConnectorTaskId) -> Callable[[str], None]:
        on_topic = self._on_topic
        return (lambda topic: None) if on_topic is None else (lambda topic: on_topic(task_id, topic))


def subscription(common: Mapping[str, Any]) -> list[str]:
    """``topics``, or ``topics.regex`` as one expression that must match a whole name."""
    if common["topics"]:
        for topic in common["topics"]:
            if not _TOPIC.fullmatch(topic) or topic in (".", ".."):
                raise ConfigError(
                    "topics",
                    topic,
                    "expected names of at most 249 letters, digits, '.', '_' and '-', separated by commas",
                )
        return list(common["topics"])
    return [f"^(?:{common['topics.regex']})$"]


def _made(task_class: type[Task], kind: type[Any]) -> Any:
    task = task_class()
    if not isinstance(task, kind):
        raise PluginError(f"{task_class.__module__}.{task_class.__qualname__} is no {kind.__name__}")
    return task


def _log_reporters(common: Mapping[str, Any]) -> list[Reporter]:
    return [LogReporter(common["errors.log.include.messages"])] if common["errors.log.enable"] else []
