"""Descriptions of a cluster and its topics, with what they let this client do. Nothing here changes them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, NamedTuple

from confluent_kafka import TopicCollection
from confluent_kafka.admin import (  # type: ignore[attr-defined]  # exported, though not in __all__
    AdminClient,
    ConfigResource,
    NewTopic,
)

from penstock.errors import ConnectError
from penstock.kafka.errors import CLIENT_ERRORS, KafkaError, client_errors, connect_error, error_code

__all__ = [
    "Broker",
    "ClusterFacts",
    "PartitionFacts",
    "TopicFacts",
    "describe_cluster",
    "describe_topics",
    "try_creation",
]

_ABSENT: Final = (KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC)
#: The client says so of an operation that it does not know.
_NO_OPERATION: Final = "UNKNOWN"


class Broker(NamedTuple):
    """A broker, at the address that it advertises to clients."""

    number: int
    host: str
    port: int


@dataclass(frozen=True, slots=True)
class ClusterFacts:
    """A cluster. `cluster_id` is None if it has none."""

    cluster_id: str | None
    brokers: tuple[Broker, ...]


class PartitionFacts(NamedTuple):
    """A partition; `led` tells whether it has a leader, `in_sync` how many of its `replicas` are."""

    number: int
    led: bool
    replicas: int
    in_sync: int


@dataclass(frozen=True, slots=True)
class TopicFacts:
    """A topic that is there. `operations` are what the client may do with it, in the broker's words (``WRITE``); None if
    the broker does not tell. `settings` is None where the client may not read them."""

    name: str
    partitions: tuple[PartitionFacts, ...]
    operations: frozenset[str] | None
    settings: Mapping[str, str] | None

    @property
    def replication(self) -> int:
        """Return the smallest number of replicas of a partition."""
        return min((partition.replicas for partition in self.partitions), default=0)


def describe_cluster(admin: AdminClient, timeout: float) -> ClusterFacts:
    """Raises `ConnectError` with the reason if no broker answers within `timeout` seconds."""
    with client_errors("Cannot describe the cluster"):
        # Metadata comes from the address that was given; an admin call would go to where the brokers say they are.
        told: Any = admin.list_topics(timeout=timeout)
    brokers = sorted(Broker(broker.id, broker.host, broker.port) for broker in told.brokers.values())
    return ClusterFacts(told.cluster_id, tuple(brokers))


def describe_topics(
    admin: AdminClient, names: Sequence[str], timeout: float
) -> dict[str, TopicFacts | ConnectError | None]:
    """Return the facts of each topic; None for one that is not there, the error for one that the broker tells nothing of."""
    if not names:
        return {}
    asked = admin.describe_topics(
        TopicCollection(list(names)), include_authorized_operations=True, request_timeout=timeout
    )
    found: dict[str, TopicFacts | ConnectError | None] = {}
    for name, future in asked.items():
        try:
            told: Any = future.result(timeout + 1)
        except CLIENT_ERRORS as error:
            absent = error_code(error) in _ABSENT
            found[name] = None if absent else connect_error(error, f"Cannot describe topic {name}")
            continue
        partitions = tuple(
            PartitionFacts(p.id, p.leader is not None, len(p.replicas or ()), len(p.isr or ())) for p in told.partitions
        )
        settings = _settings(admin, name, timeout)
        found[name] = TopicFacts(name, partitions, _operations(told.authorized_operations), settings)
    return found


def try_creation(
    admin: AdminClient, name: str, partitions: int, replication: int, configs: Mapping[str, str], timeout: float
) -> ConnectError | None:
    """Have the broker check a request for a topic without making it (``validateOnly``). Return its refusal; None if it
    would make the topic."""
    topic = NewTopic(name, num_partitions=partitions, replication_factor=replication, config=dict(configs))
    try:
        admin.create_topics([topic], validate_only=True, request_timeout=timeout)[name].result(timeout + 1)
    except CLIENT_ERRORS as error:
        return connect_error(error, f"Topic {name} ({partitions} partitions, replication {replication}) cannot be made")
    return None


def _settings(admin: AdminClient, name: str, timeout: float) -> Mapping[str, str] | None:
    resource = ConfigResource(ConfigResource.Type.TOPIC, name)
    try:
        told: Any = admin.describe_configs([resource], request_timeout=timeout)[resource].result(timeout + 1)
    except CLIENT_ERRORS:
        return None
    return {setting: str(entry.value) for setting, entry in told.items() if entry.value is not None}


def _operations(told: Sequence[Any] | None) -> frozenset[str] | None:
    if told is None:
        return None
    return frozenset(operation.name for operation in told if operation.name != _NO_OPERATION)
