"""The settings a worker gives its own registry."""

from __future__ import annotations

from typing import Any

from penstock.cli.wiring import embedded_registry
from penstock.config.worker import WorkerConfig
from penstock_registry.server.config import ServerConfig, StoreKind

WORKER = {
    "bootstrap.servers": "b:9092",
    "security.protocol": "SSL",
    "ssl.truststore.location": "/ca.pem",
    "key.converter": "string",
    "value.converter": "string",
    "offset.storage.file.filename": "/tmp/offsets",
    "schema.registry.embedded": "true",
}


def parsed(**more: Any) -> ServerConfig:
    return ServerConfig.parse(embedded_registry(WorkerConfig.parse({**WORKER, **more}, "standalone")))


def test_schemas_go_to_the_workers_cluster_unless_a_store_is_named() -> None:
    config = parsed()
    assert config.store is StoreKind.KAFKA
    assert config.warnings == ()
    assert config.kafka is not None
    assert dict(config.kafka.store.connection) == {
        "bootstrap.servers": "b:9092",
        "security.protocol": "SSL",
        "ssl.truststore.location": "/ca.pem",
    }
    assert (config.listeners[0].host, config.listeners[0].port) == ("127.0.0.1", 8081)
    assert config.name == "default"


def test_a_store_that_is_named_is_taken() -> None:
    assert parsed(**{"registry.store": "memory"}).store is StoreKind.MEMORY
    other = parsed(**{"registry.kafkastore.bootstrap.servers": "other:1"}).kafka
    assert other is not None
    assert dict(other.store.connection) == {"bootstrap.servers": "other:1"}
