"""Surroundings of a worker for tests of the doctor: a cluster that says what it is told to, a registry, records."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from penstock.config.worker import WorkerConfig
from penstock.doctor import Check, Finding
from penstock.doctor.situation import Situation
from penstock.errors import ConnectError
from penstock.kafka.examining import Broker, ClusterFacts, PartitionFacts, TopicFacts
from penstock.kafka.probing import Moment
from penstock.plugins import Plugins, PluginSettings

__all__ = ["GROUP", "FakeCluster", "FakeRegistry", "FakeSampler", "Refusal", "findings", "situation", "topic_facts"]

EVERYTHING: Final = frozenset({"READ", "WRITE", "DESCRIBE", "CREATE", "DESCRIBE_CONFIGS"})
#: The settings of a worker of a group.
GROUP: Final = {
    "bootstrap.servers": "kafka:9092",
    "group.id": "workers",
    "config.storage.topic": "configs",
    "offset.storage.topic": "offsets",
    "status.storage.topic": "states",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter",
    "value.converter": "org.apache.kafka.connect.json.JsonConverter",
    "value.converter.schemas.enable": "false",
}
_plugins: list[Plugins] = []


def situation(
    connector: Mapping[str, str] | None = None, *, registry_url: str | None = None, **changed: str | None
) -> Situation:
    """Return the situation of a worker of a group; `changed` has settings with ``__`` for a dot, None to take one out."""
    if not _plugins:
        _plugins.append(Plugins.discover(PluginSettings()))
    props = {**GROUP, **{name.replace("__", "."): value for name, value in changed.items()}}
    given = {name: value for name, value in props.items() if value is not None}
    mode = "distributed" if "group.id" in given else "standalone"
    config = WorkerConfig.parse(given, mode)
    own = None if connector is None else {"name": "c", **connector}
    return Situation(config, _plugins[0], own, own, registry_url=registry_url)


def findings(check: Check) -> list[Finding]:
    return list(check.findings())


def topic_facts(
    name: str,
    partitions: int = 1,
    replicas: int = 3,
    in_sync: int | None = None,
    *,
    led: bool = True,
    operations: Iterable[str] | None = EVERYTHING,
    settings: Mapping[str, str] | None = None,
    readable: bool = True,
) -> TopicFacts:
    """Return the facts of a topic that is fit for a worker's state, but for what the arguments say."""
    described = tuple(
        PartitionFacts(n, led, replicas, replicas if in_sync is None else in_sync) for n in range(partitions)
    )
    usual = {"cleanup.policy": "compact", "min.insync.replicas": str(max(1, replicas - 1))}
    allowed = None if operations is None else frozenset(operations)
    return TopicFacts(name, described, allowed, {**usual, **(settings or {})} if readable else None)


@dataclass
class FakeCluster:
    """A cluster that lets the client do everything, but for what its fields say. An error among them is raised."""

    brokers: int = 3
    known: dict[str, TopicFacts | ConnectError] = field(default_factory=dict)
    refused: ConnectError | None = None
    speaks: tuple[int, ...] = (4, 1)
    moment: Moment | ConnectError = field(default_factory=lambda: Moment(0, 0.0, 0.0))
    groups: bool | ConnectError = True
    transactions: bool | ConnectError = True
    down: ConnectError | None = None
    #: Topics whose creation the broker was asked to check.
    tried: list[tuple[str, int, int, Mapping[str, str]]] = field(default_factory=list)

    def facts(self) -> ClusterFacts:
        if self.down is not None:
            raise self.down
        return ClusterFacts("id", tuple(Broker(n, f"kafka{n}", 9092) for n in range(self.brokers)))

    def topics(self, names: Sequence[str]) -> Mapping[str, TopicFacts | ConnectError | None]:
        if self.down is not None:
            raise self.down
        return {name: self.known.get(name) for name in names}

    def creation_refused(
        self, name: str, partitions: int, replication: int, configs: Mapping[str, str]
    ) -> ConnectError | None:
        self.tried.append((name, partitions, replication, configs))
        return self.refused

    def version(self, broker: int) -> tuple[int, ...]:
        return self.speaks

    def controller_time(self) -> Moment:
        moment: Moment = _or_raised(self.moment)
        return moment

    def may_read_group(self, group: str) -> bool:
        return bool(_or_raised(self.groups))

    def may_write_transactional_id(self, transactional_id: str) -> bool:
        return bool(_or_raised(self.transactions))


class Refusal(ConnectError):
    """A registry's refusal, with its code."""

    def __init__(self, code: int, message: str = "no") -> None:
        super().__init__(message)
        self.code = code


@dataclass
class FakeRegistry:
    """A registry in its usual state, but for what its fields say."""

    mode: str = "READWRITE"
    level: str = "BACKWARD"
    refusal: ConnectError | None = None

    def ask(self, method: str, path: str) -> Any:
        if self.refusal is not None:
            raise self.refusal
        answers = {
            "/schemas/types": ["PROTOBUF", "AVRO", "JSON"],
            "/mode": {"mode": self.mode},
            "/config": {"compatibilityLevel": self.level},
        }
        assert method == "GET"
        return answers[path]


@dataclass
class FakeSampler:
    """Gives records of topics; an error in a topic's place is raised."""

    by_topic: Mapping[str, Sequence[Any] | ConnectError]

    def topics(self) -> list[str]:
        return list(self.by_topic)

    def records(self, topic: str) -> list[Any]:
        return list(_or_raised(self.by_topic[topic]))


def _or_raised(value: Any) -> Any:
    if isinstance(value, ConnectError):
        raise value
    return value
