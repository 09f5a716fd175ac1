"""The log as the registry writes to it: nothing enters that could not be read again."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.errors import SerializationError
from penstock_registry.server.errors import RegistryError, invalid_schema, record_too_large
from penstock_registry.server.log_values import check_config, check_schema, mode_of
from penstock_registry.store import ConfigKey, Key, ModeKey, RecordTooLargeError, RegistryStore, SchemaKey
from penstock_registry.store.records import Value, decode_key, decode_value, encode_key, encode_value

__all__ = ["CheckedLog"]


class CheckedLog:
    """The only way from the registry's rules to its store.

    Each record is turned into bytes and read back before any is written, whatever the store keeps: a record that a
    store in memory would take and that one in Kafka would not is refused everywhere.
    """

    def __init__(self, store: RegistryStore) -> None:
        self._store = store

    def append(self, records: Sequence[tuple[Key, Value | None]]) -> None:
        """Check and write `records`. Raises what `check` and `RegistryStore.append` raise."""
        self.check(records)
        self.append_checked(records)

    def append_checked(self, records: Sequence[tuple[Key, Value | None]]) -> None:
        """Write records for which `check` returned. Raises `RegistryError` for one the store finds too large."""
        try:
            self._store.append(records)
        except RecordTooLargeError as error:
            raise record_too_large(error.message) from error

    def check(self, records: Sequence[tuple[Key, Value | None]]) -> None:
        """Raise 42201 for a record that would not read back as it is, 42209 for one that is too large."""
        limit = self._store.max_record_bytes
        for key, value in records:
            try:
                raw_key, raw_value = encode_key(key), encode_value(value)
                same = decode_key(raw_key) == key and _reads_back(key, value, decode_value(raw_value))
            except (TypeError, ValueError, RecursionError, SerializationError) as error:
                raise _unreadable(key, str(error)) from error
            if not same:
                raise _unreadable(key, "it reads back as something else")
            size = len(raw_key) + len(raw_value or b"")
            if limit is not None and size > limit:
                raise record_too_large(f"{size} bytes for {_shown(key)}, and the store takes {limit} a record")


def _reads_back(key: Key, value: Value | None, again: Value | None) -> bool:
    if value is None or again is None:
        return value is again
    match key:
        case SchemaKey():
            check_schema(key, again)
        case ConfigKey():
            check_config(again)
        case ModeKey():
            mode_of(again)
    return again == value


def _shown(key: Key) -> str:
    subject = getattr(key, "subject", None)
    version = f" version {key.version}" if isinstance(key, SchemaKey) else ""
    return f"{type(key).__name__.removesuffix('Key').lower()} of {subject or 'everything'}{version}"


def _unreadable(key: Key, problem: str) -> RegistryError:
    return invalid_schema(f"The {_shown(key)} cannot be kept, since it could not be read again: {problem}")
