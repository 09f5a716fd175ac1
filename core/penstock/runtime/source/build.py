"""Makes source tasks out of configurations: plugin, converters, chain, producer, topic creation, delivery."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

from penstock.api import SourceTask, Task
from penstock.config.connector import source_connector_config_def
from penstock.config.worker import WorkerConfig
from penstock.errors import ConfigError
from penstock.kafka import ClientKind, KafkaClients
from penstock.plugins import Plugins
from penstock.runtime.admission import UnreadLimit
from penstock.runtime.assembly import build_chain, build_converters, log_reporters, made, strip_prefix
from penstock.runtime.meters import TaskMeter
from penstock.runtime.source.at_least_once import AtLeastOnce
from penstock.runtime.source.context import WorkerSourceTaskContext
from penstock.runtime.source.conversion import SourceConversion
from penstock.runtime.source.delivery import Delivery, TaskSide
from penstock.runtime.source.task import SourceTaskParts, WorkerSourceTask, wants_each_record
from penstock.runtime.source.topics import TopicCreation, topic_groups
from penstock.runtime.status import ConnectorTaskId, StatusListener, TargetState
from penstock.runtime.tolerance import ErrorPolicy
from penstock.storage import OffsetStore

__all__ = ["SourceTaskBuilder"]


class SourceTaskBuilder:
    """One a worker. Safe from any thread; a task's plugins are made here and then used from its thread only."""

    def __init__(
        self,
        config: WorkerConfig,
        plugins: Plugins,
        clients: KafkaClients,
        offsets: OffsetStore,
        resolve: Callable[[Mapping[str, str]], Mapping[str, str]],
        converter_defaults: Mapping[str, str],
        admission: UnreadLimit | None,
        topic_listener: Callable[[ConnectorTaskId], Callable[[str], None]],
        in_session: Callable[[], bool] | None,
    ) -> None:
        self._config = config
        self._plugins = plugins
        self._clients = clients
        self._offsets = offsets
        self._resolve = resolve
        self._converter_defaults = converter_defaults
        self._admission = admission
        self._topic_listener, self._in_session = topic_listener, in_session

    def build(
        self,
        task_id: ConnectorTaskId,
        connector: Mapping[str, str],
        task_config: Mapping[str, str],
        target: TargetState,
        listener: StatusListener,
        task_class: type[Task],
    ) -> WorkerSourceTask:
        """Make the task out of both configurations, resolved. Raises what is wrong with them; nothing was started then."""
        common = source_connector_config_def().parse(connector)
        if common["exactly.once.support"].upper() == "REQUIRED":
            raise ConfigError(
                "exactly.once.support",
                "required",
                "exactly-once source delivery is not supported by this worker; use requested",
            )
        task = made(task_class, SourceTask)
        meter = TaskMeter(self._admission, self._topic_listener(task_id))
        policy = ErrorPolicy.from_config(task_id, common, log_reporters(common, meter), threading.Event(), meter)
        parts = SourceTaskParts(
            task=task,
            config=task_config,
            conversion=SourceConversion(
                build_chain(self._plugins, connector),
                build_converters(self._plugins, connector, self._converter_defaults),
            ),
            policy=policy,
            topics=self._topics(task_id, connector),
            delivery=self._delivery(task_id, connector, task, policy, meter),
            meter=meter,
            in_session=self._in_session,
        )
        task.initialize(WorkerSourceTaskContext(self._offsets, task_id.connector, lambda: self._resolve(task_config)))
        return WorkerSourceTask(task_id, listener, target, parts)

    def _delivery(
        self,
        task_id: ConnectorTaskId,
        connector: Mapping[str, str],
        task: SourceTask,
        policy: ErrorPolicy,
        meter: TaskMeter,
    ) -> Callable[[TaskSide], Delivery]:
        owner = f"task {task_id}"
        overrides = strip_prefix(connector, "producer.override.")
        settings = {"client.id": f"connector-producer-{task_id}", **overrides}
        # Made and thrown away: a setting the client refuses shall fail the task now, not at its first record.
        self._clients.settings(ClientKind.PRODUCER, overrides, owner)

        def make_producer(extra: Mapping[str, Any], **callbacks: Callable[..., Any]) -> Any:
            return self._clients.producer({**settings, **extra}, owner, **callbacks)

        return lambda side: AtLeastOnce(
            side,
            self._offsets,
            make_producer,
            meter,
            per_record=wants_each_record(task, policy),
            flush_timeout_s=self._config["offset.flush.timeout.ms"] / 1000,
        )

    def _topics(self, task_id: ConnectorTaskId, connector: Mapping[str, str]) -> TopicCreation:
        groups = topic_groups(connector) if self._config["topic.creation.enable"] else []
        settings = {"client.id": f"connector-adminclient-{task_id}", **strip_prefix(connector, "admin.override.")}
        return TopicCreation(groups, lambda: self._clients.admin(settings, f"task {task_id}"))
