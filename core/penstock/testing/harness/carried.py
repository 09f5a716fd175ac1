"""Records that need no converter: where a configuration names none, values go through the fake Kafka as they are."""

from __future__ import annotations

import itertools
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from penstock.api import Converter, HeaderConverter
from penstock.data import Header, Headers, Schema, SchemaAndValue, SinkRecord
from penstock.testing.fake_message import FakeMessage

__all__ = ["CarriedConverter", "CarriedHeaders", "SentRecord", "carrying", "sent_record"]

_NOTHING: Final = SchemaAndValue(None, None)


class _Carried(bytes):
    """Bytes for the fake Kafka, which hold nothing but the value that they stand for."""

    content: SchemaAndValue


def _carried(schema: Schema | None, value: Any) -> _Carried | None:
    if schema is None and value is None:
        return None
    made = _Carried()
    made.content = SchemaAndValue(schema, value)
    return made


def _content(data: Any) -> SchemaAndValue:
    if data is None:
        return _NOTHING
    return data.content if isinstance(data, _Carried) else SchemaAndValue(None, data)


class CarriedConverter(Converter):
    """Hands values on as they are, with their schemas."""

    version = "1"

    def from_connect(self, topic: str, schema: Schema | None, value: Any) -> bytes | None:
        return _carried(schema, value)

    def to_connect(self, topic: str, data: bytes | None) -> SchemaAndValue:
        return _content(data)


class CarriedHeaders(HeaderConverter):
    """Hands the values of headers on as they are, with their schemas."""

    version = "1"

    def from_connect_header(self, topic: str, key: str, schema: Schema | None, value: Any) -> bytes | None:
        return _carried(schema, value)

    def to_connect_header(self, topic: str, key: str, data: bytes | None) -> SchemaAndValue:
        return _content(data)


@dataclass(frozen=True, slots=True)
class SentRecord:
    """A record that reached the fake Kafka. Key, value and headers are bytes where the configuration names a converter;
    otherwise they are what the last transform left, with their schemas."""

    topic: str
    #: None if the producer chooses the partition, by the key.
    partition: int | None
    key: Any
    value: Any
    key_schema: Schema | None
    value_schema: Schema | None
    headers: Headers
    #: Milliseconds since the epoch; None if the producer sets it.
    timestamp: int | None


def sent_record(message: FakeMessage) -> SentRecord:
    """Return what a produced message says."""
    key, value = _content(message.key()), _content(message.value())
    partition, timestamp = message.partition(), message.timestamp()[1]
    headers = Headers(
        Header(name, content.schema, content.value)
        for name, data in message.headers() or ()
        for content in (_content(data),)
    )
    return SentRecord(
        message.topic(), None if partition < 0 else partition, key.value, value.value, key.schema, value.schema,
        headers, timestamp or None,
    )  # fmt: skip


#: Counts the messages that were written, whatever their partitions.
_numbers: Final = itertools.count()


class _CarryingMessage(FakeMessage):
    """A consumed message whose timestamp may be missing."""

    def __init__(self, *parts: Any) -> None:
        super().__init__(*parts)
        #: Its place among all messages, of whatever partition.
        self.number = next(_numbers)

    def timestamp(self) -> tuple[int, int]:
        kind, timestamp = super().timestamp()
        return (kind, timestamp) if timestamp >= 0 else (0, 0)


def carrying(record: SinkRecord, offset: int) -> FakeMessage:
    """Return a message that is read as `record`, through `CarriedConverter` and `CarriedHeaders`."""
    return message_of(
        record.topic, record.partition or 0, offset, _carried(record.key_schema, record.key),
        _carried(record.value_schema, record.value),
        [(header.key, _carried(header.schema, header.value)) for header in record.headers], record.timestamp,
    )  # fmt: skip


def message_of(
    topic: str,
    partition: int,
    offset: int,
    key: bytes | None,
    value: bytes | None,
    headers: Iterable[tuple[str, bytes | None]],
    timestamp: int | None,
) -> FakeMessage:
    """Return a message to consume. `timestamp` is in milliseconds; None means that it has none."""
    when = -1 if timestamp is None else timestamp
    return _CarryingMessage(topic, value, key, partition, offset, list(headers) or None, when)
