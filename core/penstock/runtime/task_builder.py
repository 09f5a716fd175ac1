"""Makes source and sink tasks out of configurations, each in its room's own way."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from penstock.api import SinkConnector, SourceConnector, Task
from penstock.config.worker import WorkerConfig
from penstock.errors import ConnectError, PluginError
from penstock.kafka import KafkaClients
from penstock.plugins import PluginKind, Plugins
from penstock.runtime.admission import UnreadLimit
from penstock.runtime.sink.build import SinkTaskBuilder
from penstock.runtime.source.build import SourceTaskBuilder
from penstock.runtime.source.exactly_once_worker import ExactlyOnceWorker
from penstock.runtime.source.offset_stores import SourceOffsetStores
from penstock.runtime.status import ConnectorTaskId, StatusListener, TargetState
from penstock.runtime.task import WorkerTask

__all__ = ["TaskBuilder"]

Resolve = Callable[[Mapping[str, str]], Mapping[str, str]]


class TaskBuilder:
    """One a worker. Safe from any thread; a task's plugins are made here and then used from its thread only."""

    def __init__(
        self,
        config: WorkerConfig,
        plugins: Plugins,
        clients: KafkaClients,
        offsets: SourceOffsetStores,
        exactly_once: ExactlyOnceWorker | None,
        resolve: Resolve,
        converter_defaults: Mapping[str, str],
        admission: UnreadLimit | None,
        on_topic: Callable[[ConnectorTaskId, str], None] | None,
        in_session: Callable[[], bool] | None,
    ) -> None:
        self._plugins = plugins
        self._on_topic = on_topic
        self._sources = SourceTaskBuilder(
            config,
            plugins,
            clients,
            offsets,
            exactly_once,
            resolve,
            converter_defaults,
            admission,
            self._topic_listener,
            in_session,
        )
        self._sinks = SinkTaskBuilder(
            config, plugins, clients, resolve, converter_defaults, admission, self._topic_listener, in_session
        )

    def build(
        self,
        task_id: ConnectorTaskId,
        connector: Mapping[str, str],
        task_config: Mapping[str, str],
        target: TargetState,
        listener: StatusListener,
        generation: int | None = None,
    ) -> WorkerTask:
        """Both configurations resolved. Raises what is wrong with them; nothing has been started then."""
        connector_class = self._plugins.load(PluginKind.CONNECTOR, connector.get("connector.class", ""))
        task_class = self._task_class(connector_class, task_config)
        if issubclass(connector_class, SourceConnector):
            return self._sources.build(task_id, connector, task_config, target, listener, task_class, generation)
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

    def _topic_listener(self, task_id: ConnectorTaskId) -> Callable[[str], None]:
        on_topic = self._on_topic
        return (lambda topic: None) if on_topic is None else (lambda topic: on_topic(task_id, topic))
