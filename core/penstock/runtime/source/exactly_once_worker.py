"""The worker's part in exactly-once sources: names of transactions, and the check of who may start a task (KIP-618)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from penstock.config.worker import WorkerConfig
from penstock.errors import ConfigError
from penstock.kafka import KafkaClients
from penstock.runtime.source.exactly_once import Gate
from penstock.runtime.source.offset_stores import OFFSETS_TOPIC
from penstock.runtime.status import ConnectorTaskId

__all__ = ["ExactlyOnceWorker", "OpenGate", "standalone_transactions"]


@dataclass(frozen=True, slots=True)
class ExactlyOnceWorker:
    """`prefix` begins each transactional id, ``<prefix>-<connector>-<task>``: the group's id, as Kafka names them.

    `gate` is given a task and the generation of the task configurations that it was made of.
    """

    prefix: str
    gate: Callable[[ConnectorTaskId, int | None], Gate]


class OpenGate:
    """A `Gate` for a worker that nobody shares its connectors with."""

    def before(self) -> None:
        return None

    def after(self) -> None:
        return None


def standalone_transactions(
    config: WorkerConfig, clients: KafkaClients, connector: Mapping[str, Any]
) -> ExactlyOnceWorker | None:
    """Return how a worker by itself delivers exactly once; None if `connector`, parsed or as it came, does not require it.

    Kafka has this in groups of workers only. Here a connector with an offsets topic of its own has it too: the topic's name
    stands for the group's id, so that two workers with the same topic fence each other.

    Raises `ConfigError` if it is required and cannot be had.
    """
    support = connector.get("exactly.once.support") or ""
    if support.strip().upper() != "REQUIRED":
        return None
    topic = connector.get(OFFSETS_TOPIC)
    reason = ""
    if clients.embedded:
        reason = "the embedded broker shows aborted records; name a real cluster with --bootstrap-servers"
    elif config.mode == "distributed":
        reason = "this worker does not deliver source records exactly once; set exactly.once.source.support=enabled"
    elif not topic:
        reason = f"a standalone worker keeps offsets in a file; set {OFFSETS_TOPIC} to a topic of this connector's own"
    if reason:
        raise ConfigError("exactly.once.support", support, reason)
    return ExactlyOnceWorker(str(topic), lambda task, generation: OpenGate())
