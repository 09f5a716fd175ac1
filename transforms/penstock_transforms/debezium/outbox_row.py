"""Rows of an outbox table as records: what `EventRouter` makes of the events of one schema."""

from __future__ import annotations

import logging
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

from penstock.data import Field, Header, Schema, SchemaBuilder, Type
from penstock.errors import ConnectError, DataError
from penstock.java.regex import JavaPattern
from penstock_transforms.debezium.envelope import Get, field_of, getter, plain_struct, refusing, typed_field_of
from penstock_transforms.debezium.json_payload import JsonPayloads, NotExpandableError
from penstock_transforms.debezium.outbox_settings import AdditionalField
from penstock_transforms.regex_replacement import replaced_whole

__all__ = ["PURPOSE", "OutboxRow", "Routing"]

log = logging.getLogger(__name__)

PURPOSE: Final = "Read Outbox Event"
#: The name of the payload among further fields, whatever the column is called.
_PAYLOAD: Final = "payload"
_MAX_KNOWN: Final = 1000
#: The characters that ``String.trim`` takes away.
_BLANKS: Final = "".join(map(chr, range(33)))
#: Schema of a column with a point in time: what makes milliseconds of it, cut towards 0 as Java divides.
_TIMES: Final = {
    "io.debezium.time.Timestamp": 1,
    "io.debezium.time.MicroTimestamp": 1_000,
    "io.debezium.time.NanoTimestamp": 1_000_000,
}


class Routing(NamedTuple):
    """The settings, as far as rows are concerned."""

    id_field: str
    key_field: str
    payload_field: str
    timestamp_field: str | None
    version_field: str | None
    route_field: str
    pattern: JavaPattern
    replacement: str
    empty_is_tombstone: bool
    additional: Sequence[AdditionalField]
    skips_missing: bool
    payloads: JsonPayloads | None


class OutboxRow:
    """The way of the events of one schema. Raises a `DataError` when made if no row of it can be routed."""

    def __init__(self, routing: Routing, envelope: Schema, row: Schema) -> None:
        self._routing = routing
        self._row = row
        payload = row.field(routing.payload_field)
        if payload is None:
            raise DataError(f"Unable to find payload field {routing.payload_field} in event")
        self._payload, self._payload_schema = getter(payload), payload.schema
        self._timestamp = _timestamp(routing.timestamp_field, envelope, row)
        self._id = field_of(row, routing.id_field)
        self._get_id = getter(self._id)
        self._wraps = any(f.place == "envelope" for f in routing.additional)
        if self._wraps and routing.version_field is not None:
            typed_field_of(row, routing.version_field, Type.INT32)
        if self._wraps:
            typed_field_of(row, routing.route_field, Type.STRING)
        self._version = _typed(row, routing.version_field, Type.INT32)
        self._route = _typed(row, routing.route_field, Type.STRING)
        present = [f for f in routing.additional if not (routing.skips_missing and row.field(f.field) is None)]
        self._envelope = [_column(row, f) for f in present if f.place == "envelope"]
        self._headers = [_column(row, f) for f in present if f.place == "header"]
        partitions = [typed_field_of(row, f.field, Type.INT32) for f in present if f.place == "partition"]
        self._partition = partitions[-1].name if partitions else None
        self._key = field_of(row, routing.key_field)
        self._get_key = getter(self._key)
        self._topics: dict[str, str] = {}
        self._schemas: dict[tuple[Schema | None, int | None, str], Schema] = {}
        self._warned = False

    def route(self, record: Any, event: dict[str, Any]) -> Any:
        """Make the record one of the row's; it and its headers are the caller's own."""
        row = plain_struct(event.get("after"), PURPOSE, self._row)
        record.timestamp = self._timestamp(event, row)
        record.headers.append(Header("id", self._id.schema, self._get_id(row)))
        schema, payload = self._payload_schema, self._payload(row)
        if self._routing.payloads is not None and payload is not None:
            schema, payload = self._expanded(self._routing.payloads, schema, payload)
        for name, header_schema, get in self._headers:
            record.headers.append(Header(name, header_schema, get(row)))
        routed = self._route(row)
        if self._routing.empty_is_tombstone and _is_empty(payload):
            record.value_schema = record.value = None
        elif self._wraps:
            record.value_schema = self._value_schema(schema, self._version(row), routed)
            record.value = {_PAYLOAD: payload, **{name: get(row) for name, _, get in self._envelope}}
        else:
            record.value_schema, record.value = schema, payload
        record.key_schema, record.key = self._key.schema, self._get_key(row)
        record.partition = None if self._partition is None else row.get(self._partition)
        record.topic = self._topic(routed)
        return record

    def _expanded(self, payloads: JsonPayloads, schema: Schema, payload: Any) -> tuple[Schema, Any]:
        try:
            if not isinstance(payload, str):
                raise NotExpandableError("it is no text")
            return payloads.expand(payload, self._routing.payload_field)
        except NotExpandableError as error:
            # The first time is news, each further one would drown the log.
            log.log(
                logging.DEBUG if self._warned else logging.WARNING,
                "EventRouter: a payload in %s is left as it is, as it cannot be expanded: %s", self._routing.payload_field, error,
            )  # fmt: skip
            self._warned = True
            return schema, payload

    def _topic(self, routed: str | None) -> str:
        if routed is None:
            raise DataError(f"route.by.field: {self._routing.route_field} is null in a row, so that it has no topic")
        topic = self._topics.get(routed)
        if topic is None:
            if len(self._topics) >= _MAX_KNOWN:
                self._topics.clear()
            found = replaced_whole(routed, self._routing.pattern, self._routing.replacement)
            topic = self._topics[routed] = routed if found is None else found
        return topic

    def _value_schema(self, payload: Schema, version: int | None, routed: str | None) -> Schema:
        """Return the schema of payload and further columns, named after the row's schema and what the row is routed by."""
        key = (payload, version, routed or "")
        known = self._schemas.get(key)
        if known is None:
            if len(self._schemas) >= _MAX_KNOWN:
                self._schemas.clear()
            head, dot, last = (self._row.name or "").rpartition(".")
            name = routed or "null" if self._row.name is None else f"{head}{dot}{routed}.{last}"
            builder = SchemaBuilder.struct().name(name).field(_PAYLOAD, payload)
            for alias, schema, _ in self._envelope:
                builder.field(alias, schema)
            if version is not None:
                builder.version(version)
            known = self._schemas[key] = builder.build()
        return known


def _column(row: Schema, additional: AdditionalField) -> tuple[str, Schema, Get]:
    """Return the name that a further column gets, its schema, and what reads it."""
    if additional.place == "envelope" and row.field(additional.field) is None:
        raise DataError(f"Unable to find field {additional.field} in event")
    field = field_of(row, additional.field)
    return additional.name, field.schema, getter(field)


def _timestamp(
    name: str | None, envelope: Schema, row: Schema
) -> Callable[[dict[str, Any], dict[str, Any]], int | None]:
    """Return what reads the record's timestamp, in milliseconds, from event and row."""
    processed = _typed(envelope, "ts_ms", Type.INT64)
    if not name:
        return lambda event, _row: processed(event)
    field = row.field(name)
    if field is None:
        raise DataError(f"Unable to find timestamp field {name} in event")
    typed_field_of(row, name, Type.INT64)
    return _column_time(field, processed)


def _column_time(field: Field, processed: Get) -> Callable[[dict[str, Any], dict[str, Any]], int | None]:
    name, kind = field.name, field.schema.name
    divisor = _TIMES.get(kind or "")

    def read(event: dict[str, Any], row: dict[str, Any]) -> int | None:
        value = row.get(name)
        if value is None:
            found: int | None = processed(event)
            return found
        if divisor is None:
            met = f"{field.schema.type.name} (without logical schema name)" if kind is None else kind
            raise DataError(f"Unsupported field type {met} for event timestamp")
        millis: int = abs(value) // divisor
        return millis if value >= 0 else -millis

    return read


def _typed(row: Schema, name: str | None, kind: Type) -> Get:
    """Return what reads a column of a type, without its default (``Struct.getString``); None without a name. The error of a column
    that cannot be read comes when it is."""
    if name is None:
        return lambda row: None
    try:
        field = typed_field_of(row, name, kind).name
    except ConnectError as error:
        return refusing(error)
    return lambda row: row.get(field)


def _is_empty(payload: Any) -> bool:
    return payload is None or (isinstance(payload, str) and not payload.strip(_BLANKS))
