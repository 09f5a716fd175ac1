"""The keys of a registry whose schemas are in Kafka, and that shares them with others."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from penstock.errors import ConfigError
from penstock_registry.store.kafka_settings import KafkaStoreSettings

__all__ = ["BOOTSTRAP", "KAFKA_KEYS", "KafkaConfig", "is_connection_key"]

_PREFIX: Final = "kafkastore."
BOOTSTRAP: Final = "kafkastore.bootstrap.servers"
KAFKA_KEYS: Final = frozenset(
    {
        BOOTSTRAP, "kafkastore.topic", "kafkastore.topic.replication.factor", "kafkastore.timeout.ms",
        "kafkastore.init.timeout.ms", "host.name", "inter.instance.protocol", "leader.eligibility", "master.eligibility",
        "kafkagroup.session.timeout.ms", "kafkagroup.heartbeat.interval.ms", "kafkagroup.rebalance.timeout.ms",
    }
)  # fmt: skip
#: The prefix of the client settings that go to Kafka as they are.
_CONNECTION: Final = ("kafkastore.security.", "kafkastore.ssl.", "kafkastore.sasl.")


def is_connection_key(key: str) -> bool:
    return key.startswith(_CONNECTION)


@dataclass(frozen=True, slots=True)
class KafkaConfig:
    store: KafkaStoreSettings
    #: The host at which others reach this registry; empty if the listener decides it.
    host: str
    scheme: str
    eligible: bool
    session_timeout_ms: int
    heartbeat_interval_ms: int
    rebalance_timeout_ms: int

    @classmethod
    def parse(cls, props: Mapping[str, str]) -> KafkaConfig:
        servers = props.get(BOOTSTRAP, "").strip()
        if not servers:
            raise ConfigError(f"store=kafka needs {BOOTSTRAP}: expected HOST:PORT,HOST:PORT")
        connection: dict[str, Any] = {
            key.removeprefix(_PREFIX): value for key, value in props.items() if is_connection_key(key)
        }
        connection["bootstrap.servers"] = ",".join(_server(part) for part in servers.split(","))
        scheme = props.get("inter.instance.protocol", "http").strip().lower()
        if scheme not in ("http", "https"):
            raise ConfigError("inter.instance.protocol", scheme, "expected http or https")
        eligible = props.get("leader.eligibility", props.get("master.eligibility", "true")).strip().lower()
        if eligible not in ("true", "false"):
            raise ConfigError("leader.eligibility", eligible, "expected true or false")
        return cls(
            KafkaStoreSettings(
                connection,
                props.get("kafkastore.topic", "_schemas"),
                _whole(props, "kafkastore.topic.replication.factor", 3),
                props.get("schema.registry.group.id", "schema-registry"),
                _whole(props, "kafkastore.timeout.ms", 10_000) / 1000,
                _whole(props, "kafkastore.init.timeout.ms", 60_000) / 1000,
            ),
            props.get("host.name", "").strip(),
            scheme,
            eligible == "true",
            _whole(props, "kafkagroup.session.timeout.ms", 10_000),
            _whole(props, "kafkagroup.heartbeat.interval.ms", 3_000),
            _whole(props, "kafkagroup.rebalance.timeout.ms", 300_000),
        )


def _server(text: str) -> str:
    """Confluent's key has the protocol before each address; which one it is, kafkastore.security.protocol says."""
    return re.sub(r"^[A-Za-z_]+://", "", text.strip())


def _whole(props: Mapping[str, str], key: str, default: int) -> int:
    text = props.get(key, str(default)).strip()
    if not text.isdecimal() or int(text) < 1:
        raise ConfigError(key, text, "expected a number of 1 or more")
    return int(text)
