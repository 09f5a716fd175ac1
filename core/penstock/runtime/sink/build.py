"""Makes sink tasks out of configurations: plugin, converters, chain, consumer, dead letter queue."""

from __future__ import annotations

import re
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from penstock.api import SinkTask, Task
from penstock.config.connector import sink_connector_config_def
from penstock.config.worker import WorkerConfig
from penstock.errors import ConfigError
from penstock.java.regex import JavaRegexError, compile_regex
from penstock.kafka import ClientKind, KafkaClients
from penstock.kafka.subscription import Subscription
from penstock.plugins import Plugins
from penstock.runtime.admission import UnreadLimit
from penstock.runtime.assembly import build_chain, build_converters, log_reporters, made, strip_prefix, used_plugins
from penstock.runtime.disclosure import disclosed_text
from penstock.runtime.meters import TaskMeter, meter_windows
from penstock.runtime.sink.conversion import SinkConversion
from penstock.runtime.sink.dead_letters import DeadLetterQueue, dead_letter_queue
from penstock.runtime.sink.parts import SinkTaskParts
from penstock.runtime.sink.task import WorkerSinkTask
from penstock.runtime.status import ConnectorTaskId, StatusListener, TargetState
from penstock.runtime.tolerance import ErrorPolicy
from penstock.telemetry.tracing import task_trace

__all__ = ["SinkTaskBuilder", "SinkTopics"]

_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")
_DEFAULTS: Final = {"max.poll.records": 500, "max.poll.interval.ms": 300_000}
_METADATA_REFRESH: Final = "topic.metadata.refresh.interval.ms"
_DEFAULT_REFRESH_MS: Final = 300_000
#: The characters of a wrong value that its refusal shows.
_SHOWN: Final = 80


@dataclass(frozen=True, slots=True)
class SinkTopics:
    """The topics of a sink connector: ``topics``, or those that ``topics.regex`` matches as a whole."""

    names: tuple[str, ...]
    pattern: Callable[[str], bool] | None = None

    @classmethod
    def of(cls, common: Mapping[str, Any]) -> SinkTopics:
        """Read the parsed common configuration. Raises `ConfigError` for names and patterns that are none."""
        if not common["topics"]:
            return cls((common["topics.regex"],), _matcher(common["topics.regex"]))
        for topic in common["topics"]:
            if not _TOPIC.fullmatch(topic) or topic in (".", ".."):
                raise ConfigError(
                    "topics",
                    topic,
                    "expected names of at most 249 letters, digits, '.', '_' and '-', separated by commas",
                )
        return cls(tuple(common["topics"]))

    def reads(self, topic: str) -> bool:
        """Return whether `topic` is one of them."""
        return topic in self.names if self.pattern is None else self.pattern(topic)

    def subscription(self, settings: Mapping[str, Any], internal: bool, embedded: bool) -> Subscription:
        """`settings` are the consumer's, in librdkafka's names; `internal`: whether a pattern means Kafka's own topics
        too; `embedded`: whether the broker is `penstock.kafka.embedded`'s."""
        given = str(settings.get(_METADATA_REFRESH, _DEFAULT_REFRESH_MS)).strip()
        # A client that looks at no interval (-1) still has to hear of new topics.
        refresh_s = (int(given) if re.fullmatch(r"[1-9][0-9]{0,9}", given) else _DEFAULT_REFRESH_MS) / 1000
        pattern = self.pattern
        if pattern is None and embedded:
            # A member that joins the embedded broker's group before its topic is there joins once more when the topic
            # appears, and the broker leaves the second request unanswered for the whole session timeout.
            pattern = self.reads
        return Subscription(self.names, pattern, refresh_s=refresh_s, internal=internal)


def _matcher(pattern: str) -> Callable[[str], bool]:
    try:
        return compile_regex(pattern).matches
    except JavaRegexError as error:
        raise ConfigError("topics.regex", pattern, f"Invalid regex: {error}") from error


class SinkTaskBuilder:
    """One a worker. Safe from any thread; a task's plugins are made here and then used from its thread only."""

    def __init__(
        self,
        config: WorkerConfig,
        plugins: Plugins,
        clients: KafkaClients,
        resolve: Callable[[Mapping[str, str]], Mapping[str, str]],
        converter_defaults: Mapping[str, str],
        admission: UnreadLimit | None,
        topic_listener: Callable[[ConnectorTaskId], Callable[[str], None]],
        in_session: Callable[[], bool] | None,
    ) -> None:
        self._config = config
        self._plugins = plugins
        self._clients = clients
        self._resolve = resolve
        self._converter_defaults = converter_defaults
        self._admission = admission
        self._topic_listener, self._in_session = topic_listener, in_session
        self._windows = meter_windows(config.values)

    def build(
        self,
        task_id: ConnectorTaskId,
        connector: Mapping[str, str],
        task_config: Mapping[str, str],
        target: TargetState,
        listener: StatusListener,
        task_class: type[Task],
    ) -> WorkerSinkTask:
        """Both configurations resolved. Raises what is wrong with them; nothing has been started then."""
        return WorkerSinkTask(task_id, listener, target, self.parts(task_id, connector, task_config, task_class))

    def parts(
        self,
        task_id: ConnectorTaskId,
        connector: Mapping[str, str],
        task_config: Mapping[str, str],
        task_class: type[Task],
        clock: Callable[[], float] = time.monotonic,
    ) -> SinkTaskParts:
        """Make the parts of a task, as `build` does. `clock` decides when offsets are committed and batches tried again."""
        common = sink_connector_config_def().parse(connector)
        task = made(task_class, SinkTask)
        topics = SinkTopics.of(common)
        admission = self._admission
        flow = None if admission is None else admission.add_reader(task_id, topics.reads, task_id.connector)
        meter = TaskMeter(flow, windows=self._windows)
        stopping = threading.Event()
        queue = self._dead_letters(task_id, connector, common, topics, meter, stopping)
        reporters = [*log_reporters(common, meter), *([queue] if queue else [])]
        policy = ErrorPolicy.from_config(task_id, common, reporters, stopping, meter)
        owner = f"task {task_id}"
        overrides = {
            "group.id": f"connect-{task_id.connector}",
            "client.id": f"connector-consumer-{task_id.connector}-{task_id.task}",
            **strip_prefix(connector, "consumer.override."),
        }
        settings = self._clients.settings(ClientKind.CONSUMER, overrides, owner)
        java = self._clients.java_settings(ClientKind.CONSUMER, overrides)
        internal = str(java.get("exclude.internal.topics", "true")).strip().lower() == "false"

        def make_consumer(extra: Mapping[str, Any], **callbacks: Callable[..., Any]) -> Any:
            watched, told = meter.client.watched({**overrides, **extra}, callbacks)
            return self._clients.consumer(watched, owner, **told)

        chain = build_chain(self._plugins, connector)
        converters = build_converters(self._plugins, connector, self._converter_defaults)
        conversion = SinkConversion(chain, converters, keep_messages=queue is not None)
        return SinkTaskParts(
            task=task,
            config=task_config,
            configs=lambda: self._resolve(task_config),
            conversion=conversion,
            policy=policy,
            consumer=make_consumer,
            topics=topics.subscription(settings, internal, self._clients.embedded),
            max_poll_records=_number(java, "max.poll.records"),
            cooperative="cooperative" in settings["partition.assignment.strategy"],
            commit_interval_s=self._config["offset.flush.interval.ms"] / 1000,
            commit_timeout_s=self._config["offset.flush.timeout.ms"] / 1000,
            on_topic=self._topic_listener(task_id),
            # ``errors.tolerance=all`` alone makes no reporter (``SinkConnectorConfig.enableErrantRecordReporter``).
            reports=bool(reporters),
            max_poll_interval_s=_number(java, "max.poll.interval.ms") / 1000,
            clock=clock,
            in_session=self._in_session,
            plugins=used_plugins("sink", task, chain, converters),
            trace=task_trace(*task_id, partial(disclosed_text, task_id.connector)),
        )

    def _dead_letters(
        self,
        task_id: ConnectorTaskId,
        connector: Mapping[str, str],
        common: Mapping[str, Any],
        topics: SinkTopics,
        meter: TaskMeter,
        stopping: threading.Event,
    ) -> DeadLetterQueue | None:
        topic = common["errors.deadletterqueue.topic.name"]
        if not topic:
            return None
        if topics.reads(topic):
            raise ConfigError(
                "errors.deadletterqueue.topic.name",
                topic,
                "the dead letter queue must not be one of the topics the connector reads",
            )
        return dead_letter_queue(task_id, connector, common, self._clients, meter, stopping.is_set)


def _number(java: Mapping[str, Any], name: str) -> int:
    """A consumer setting that the loop itself uses: a whole number of at least 1."""
    text = str(java.get(name, _DEFAULTS[name])).strip()
    if not re.fullmatch(r"\+?[0-9]{1,10}", text) or not 1 <= int(text) < 2**31:
        shown = text if len(text) <= _SHOWN else f"{text[:_SHOWN]}..."
        raise ConfigError(f"consumer.override.{name}", shown, "expected a whole number from 1 to 2147483647")
    return int(text)
