"""The store of a registry: an ordered log of typed records, like Confluent's ``_schemas`` topic."""

from penstock_registry.store.interface import NotLeaderError, RecordTooLargeError, RegistryStore, StoreRecord
from penstock_registry.store.memory import MemoryStore
from penstock_registry.store.records import (
    ClearSubjectKey,
    ConfigKey,
    ContextKey,
    DeleteSubjectKey,
    Key,
    ModeKey,
    NoopKey,
    SchemaKey,
    UnknownKey,
)

__all__ = [
    "ClearSubjectKey",
    "ConfigKey",
    "ContextKey",
    "DeleteSubjectKey",
    "Key",
    "MemoryStore",
    "ModeKey",
    "NoopKey",
    "NotLeaderError",
    "RecordTooLargeError",
    "RegistryStore",
    "SchemaKey",
    "StoreRecord",
    "UnknownKey",
]
