"""Records of the topic of source offsets, and the table they make (``OffsetUtils``, ``OffsetStorageWriter``)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from penstock.data.values import StructValue, java_class_name
from penstock.errors import DataError
from penstock.storage import jsontext
from penstock.storage.offsets import partition_key
from penstock.storage.skipped import shorten

__all__ = ["OffsetTable", "encode_offset"]

_log: Final = logging.getLogger(__name__)


def encode_offset(
    connector: str, partition: Mapping[str, Any] | None, offset: Mapping[str, Any] | None
) -> tuple[bytes, bytes | None]:
    """Return key ``["<connector>",{partition}]`` and value of a record; None as an offset makes a tombstone.

    Raises `DataError` for anything but text keys and plain values, in Kafka's words.
    """
    _check(partition)
    _check(offset)
    key = jsontext.dumps([connector, None if partition is None else dict(partition)])
    return key, None if offset is None else jsontext.dumps(dict(offset))


def _check(data: Mapping[str, Any] | None) -> None:
    for name, value in (data or {}).items():
        if not isinstance(name, str):
            raise DataError("Offsets may only use String keys")
        if (kind := _unfit(value)) is not None:
            raise DataError(f"Offsets may only contain primitive types as values, but field {name} contains {kind}")


def _unfit(value: Any) -> str | None:
    """Return Kafka's name for a value that may not be in an offset; None for one that may."""
    if isinstance(value, StructValue):
        return "STRUCT"
    if isinstance(value, dict):
        return "MAP"
    if isinstance(value, list | tuple):
        return "ARRAY"
    if value is None or isinstance(value, str | bool | float | bytes | bytearray | memoryview):
        return None
    name = java_class_name(value)
    return None if isinstance(value, int) and name != "java.math.BigInteger" else f"class {name}"


class _Entry(NamedTuple):
    #: The key as it stands in the topic. It is written again, so that compaction and partitioning take it for the same key.
    key: bytes
    partition: Mapping[str, Any]
    offset: Any


class OffsetTable:
    """Offsets by connector and partition, whatever the order of a partition's members. For one thread at a time."""

    def __init__(self) -> None:
        self._entries: dict[str, dict[str, _Entry]] = {}

    def read(self, key: bytes | None, value: bytes | None) -> None:
        """Take one record in. What is not an offset's is logged and skipped."""
        parsed = _parse_key(key)
        if parsed is None or key is None:
            return
        connector, partition = parsed
        try:
            known_by = partition_key(partition)
            offset = None if value is None else jsontext.loads(value)
        except DataError as error:
            _log.warning("Offset topic: the record of %s is skipped: %s", _shown(key), shorten(error.message))
            return
        entries = self._entries.setdefault(connector, {})
        if value is None:
            entries.pop(known_by, None)
        else:
            entries[known_by] = _Entry(key, partition, offset)

    def connectors(self) -> list[str]:
        return list(self._entries)

    def partitions(self, connector: str) -> list[Mapping[str, Any]]:
        """Return the partitions in the order first seen."""
        return [entry.partition for entry in self._entries.get(connector, {}).values()]

    def offset(self, connector: str, partition: Mapping[str, Any]) -> Mapping[str, Any] | None:
        entry = self._entries.get(connector, {}).get(partition_key(partition))
        return entry.offset if entry is not None and isinstance(entry.offset, dict) else None

    def raw_key(self, connector: str, partition: Mapping[str, Any]) -> bytes | None:
        """The key that the partition's record has in the topic, where there is one."""
        entry = self._entries.get(connector, {}).get(partition_key(partition))
        return None if entry is None else entry.key

    def all(self, connector: str) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        entries = self._entries.get(connector, {}).values()
        return [(e.partition, e.offset) for e in entries if isinstance(e.offset, dict)]


def _shown(key: bytes | None) -> str:
    return "none" if key is None else shorten(key[:1000].decode("utf-8", "replace"))


def _parse_key(key: bytes | None) -> tuple[str, Mapping[str, Any]] | None:
    try:
        parts = jsontext.loads(key)
    except DataError:
        _log.warning("Offset topic: a record's key is not JSON and is skipped: %s", _shown(key))
        return None
    if not isinstance(parts, list) or len(parts) != 2 or not isinstance(parts[0], str):
        _log.warning("Offset topic: a record's key is not [connector, partition] and is skipped: %s", _shown(key))
        return None
    connector, partition = parts
    if not isinstance(partition, dict):
        _log.debug("Offset topic: connector %s has an offset without a partition, which is skipped", connector)
        return None
    return connector, partition
