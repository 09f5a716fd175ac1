"""Records, their headers, and a schema with its value."""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Self

import msgspec

from penstock.data.schema import Schema

__all__ = ["ConnectRecord", "Header", "Headers", "SchemaAndValue", "SinkRecord", "SourceRecord", "TimestampType"]


class SchemaAndValue(msgspec.Struct, frozen=True, gc=False):
    """A value and the schema it has; `schema` None means no schema."""

    schema: Schema | None
    value: Any


class Header(msgspec.Struct, frozen=True, gc=False):
    """One header of a record. Immutable: to change one, put another in its place."""

    key: str
    schema: Schema | None
    value: Any


class Headers(list[Header]):
    """A record's headers, in order; a key may occur more than once (KIP-145).

    A plain list of `Header` with the few operations Connect names. Not shared between records: whoever adds to a
    record's headers owns that record (see `BoundTransform.writes`).
    """

    __slots__ = ()

    def add(self, key: str, value: Any, schema: Schema | None = None) -> Self:
        self.append(Header(key, schema, value))
        return self

    def last_with_name(self, key: str) -> Header | None:
        return next((h for h in reversed(self) if h.key == key), None)

    def remove_all(self, key: str) -> Self:
        self[:] = [h for h in self if h.key != key]
        return self


class TimestampType(enum.Enum):
    """The source of a consumed record's timestamp (``org.apache.kafka.common.record.TimestampType``)."""

    NO_TIMESTAMP_TYPE = "NoTimestampType"
    CREATE_TIME = "CreateTime"
    LOG_APPEND_TIME = "LogAppendTime"


class ConnectRecord(msgspec.Struct):
    """A record on its way between a connector and Kafka.

    `timestamp` is in milliseconds since the epoch, or None. A record belongs to the connector that made it (source) or
    to the worker (sink); a transform changes it only as its bound form declares.
    ``copy.copy`` (or ``record.__copy__()``) is shallow: key, value and headers are shared with the copy.
    """

    topic: str
    partition: int | None = None
    key_schema: Schema | None = None
    key: Any = None
    value_schema: Schema | None = None
    value: Any = None
    timestamp: int | None = None
    headers: Headers = msgspec.field(default_factory=Headers)


class SourceRecord(ConnectRecord):
    """A record from a source task.

    `source_partition` names where it comes from (a file, a table), `source_offset` the position to start from *after*
    this record; both must survive a JSON round trip. A connector without positions may leave `source_offset` None, which
    commits nothing. `partition` None leaves the choice to the producer.
    """

    source_partition: Mapping[str, Any] = msgspec.field(default_factory=dict)
    source_offset: Mapping[str, Any] = msgspec.field(default_factory=dict)


class SinkRecord(ConnectRecord):
    """A record for a sink task. `original_*` are what was consumed, before any transform (KIP-793)."""

    offset: int = -1
    timestamp_type: TimestampType = TimestampType.NO_TIMESTAMP_TYPE
    original_topic: str | None = None
    original_partition: int | None = None
    original_offset: int | None = None
