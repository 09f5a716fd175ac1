"""The worker and the connector that are examined, and which client of them takes which settings."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

from penstock.api import SinkConnector
from penstock.config.jaas import parse_jaas
from penstock.config.worker import WorkerConfig, client_settings
from penstock.errors import ConnectError
from penstock.kafka import ClientKind, KafkaClients
from penstock.plugins import PluginKind, Plugins
from penstock.runtime.assembly import strip_prefix, with_registry_url

__all__ = ["Role", "Situation"]

#: A client of the worker's: its own, or one of those that tasks use.
Role = str
WORKER: Final = "worker"
CONSUMER: Final = "consumer"
PRODUCER: Final = "producer"
ADMIN: Final = "admin"


@dataclass(frozen=True)
class Situation:
    """The worker and the connector that are examined, and what they stand on.

    `worker` and `connector` are resolved: config providers' values are in them. `connector` is None if none was named; its
    name is among its settings, and `written` is the same as the user wrote it. `resolve` puts providers' values in.
    `registry_url` is for converters that name no registry. `timeout` is in seconds, of each answer.
    """

    worker: WorkerConfig
    plugins: Plugins
    connector: Mapping[str, str] | None = None
    written: Mapping[str, str] | None = None
    resolve: Callable[[Mapping[str, str]], Mapping[str, str]] = dict
    registry_url: str | None = None
    timeout: float = 10.0

    @property
    def distributed(self) -> bool:
        return self.worker.mode == "distributed"

    @property
    def name(self) -> str:
        """Return the connector's name; empty if there is none."""
        return (self.connector or {}).get("name", "")

    @cached_property
    def is_sink(self) -> bool:
        """Return whether the connector is a sink; by its settings if its class cannot be had."""
        connector = self.connector or {}
        try:
            return issubclass(self.plugins.load(PluginKind.CONNECTOR, connector["connector.class"]), SinkConnector)
        except (ConnectError, KeyError):
            return bool({"topics", "topics.regex"} & connector.keys())

    @property
    def is_source(self) -> bool:
        return self.connector is not None and not self.is_sink

    @cached_property
    def clients(self) -> KafkaClients:
        """Return the clients of tasks, as the worker makes them."""
        worker = self.worker
        return KafkaClients(
            worker.client_settings(),
            producer=worker.with_prefix("producer."),
            consumer=worker.with_prefix("consumer."),
            admin=worker.with_prefix("admin."),
        )

    def connection(self, role: Role) -> dict[str, str]:
        """Return the settings by which a client of that role reaches Kafka, in Java's names."""
        if role == WORKER:
            return self.worker.client_settings()
        overrides = strip_prefix(self.connector or {}, f"{role}.override.")
        return client_settings(self.clients.java_settings(ClientKind(role), overrides))

    def grant(self, role: Role, operations: Sequence[str], kind: str, name: str) -> str:
        """Return the command that allows `operations`, in the words of ``kafka-acls.sh``, to the user of the role's client."""
        try:
            user = parse_jaas(self.connection(role).get("sasl.jaas.config", "")).get("sasl.username", "NAME")
        except ConnectError:
            user = "NAME"
        flags = " ".join(f"--operation {operation}" for operation in operations)
        return f"kafka-acls.sh --add --allow-principal User:{user} {flags} --{kind} {name}"

    @property
    def sink_group(self) -> str:
        """Return the consumer group of the sink."""
        return (self.connector or {}).get("consumer.override.group.id") or f"connect-{self.name}"

    @property
    def exactly_once(self) -> bool:
        """Return whether the worker's source tasks send transactions."""
        return self.distributed and self.worker["exactly.once.source.support"] == "enabled"

    @cached_property
    def worker_converters(self) -> dict[str, str]:
        """Return the worker's settings, for converters that the connector does not name."""
        return with_registry_url(self.plugins, self.worker.raw, self.registry_url)

    def converter(self, which: str) -> tuple[str, dict[str, str], str]:
        """Return the class name of the ``key`` or ``value`` converter that is used, its settings, and where it is named:
        ``connector`` or ``worker``."""
        setting = f"{which}.converter"
        own = with_registry_url(self.plugins, self.connector or {}, self.registry_url)
        by_connector = bool(own.get(setting))
        source = own if by_connector else self.worker_converters
        return source.get(setting, ""), strip_prefix(source, f"{setting}."), "connector" if by_connector else "worker"

    @property
    def tolerates(self) -> bool:
        """Return whether records that fail are left out, and the others go on."""
        return (self.connector or {}).get("errors.tolerance", "none").strip().lower() == "all"

    @property
    def topics(self) -> list[str]:
        """Return the topics that the connector's settings name; empty where they name a pattern, or none."""
        connector = self.connector or {}
        named = connector.get("topics", "") if self.is_sink else connector.get("topic", "")
        return [topic.strip() for topic in named.split(",") if topic.strip()]
