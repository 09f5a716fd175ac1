"""From settings to the store they name."""

from __future__ import annotations

from pathlib import Path

from penstock_registry.server.config import ServerConfig, StoreKind
from penstock_registry.store import MemoryStore, RegistryStore

__all__ = ["make_store"]


def make_store(config: ServerConfig) -> RegistryStore:
    """Return a store that is not started yet. What another kind of store needs is not imported."""
    if config.store is StoreKind.SQLITE:
        from penstock_registry.store.sqlite import SqliteStore

        return SqliteStore(Path(config.store_path))
    if config.kafka is not None:
        from penstock_registry.store.kafka import KafkaStore

        return KafkaStore(config.kafka.store)
    return MemoryStore()
