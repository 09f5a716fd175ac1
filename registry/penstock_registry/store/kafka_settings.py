"""The settings of a Kafka store. They stand apart from it, since reading them needs no Kafka client."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["KafkaStoreSettings"]


@dataclass(frozen=True, slots=True)
class KafkaStoreSettings:
    """`connection` is in Java's names (``bootstrap.servers``, ``security.protocol``, …)."""

    connection: Mapping[str, Any]
    topic: str = "_schemas"
    replication: int = 3
    #: The group whose transactional id is claimed: one for all registries that share the topic.
    group: str = "schema-registry"
    timeout: float = 10.0
    init_timeout: float = 60.0
