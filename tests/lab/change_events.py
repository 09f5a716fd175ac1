"""Change events as Debezium's PostgreSQL connector makes them, and a transform run on one."""

from __future__ import annotations

from typing import Any

from penstock.api import Shape, Transform, apply_bound
from penstock.data import (
    INT32,
    INT64,
    OPTIONAL_INT64,
    OPTIONAL_STRING,
    STRING,
    Headers,
    Schema,
    SchemaBuilder,
    SourceRecord,
    Type,
)

__all__ = ["FROM", "KEY", "ROW", "event", "event_schema", "run"]

KEY = SchemaBuilder.struct().name("srv.db.orders.Key").field("id", INT32).build()
ROW = (
    SchemaBuilder.struct()
    .name("srv.db.orders.Value")
    .field("id", INT32)
    .field("note", OPTIONAL_STRING)
    .field("state", SchemaBuilder(Type.STRING).optional().default("new").build())
    .optional()
    .build()
)
SNAPSHOT = SchemaBuilder(Type.STRING).name("io.debezium.data.Enum").optional().default("false").build()
SOURCE = (
    SchemaBuilder.struct()
    .name("Source")
    .field("table", STRING)
    .field("lsn", OPTIONAL_INT64)
    .field("snapshot", SNAPSHOT)
    .field("ts_ms", INT64)
    .build()
)
TRANSACTION = SchemaBuilder.struct().field("id", STRING).field("total_order", INT64).optional().build()
FROM = {"table": "orders", "lsn": 42, "snapshot": None, "ts_ms": 1_700_000_000_000}


def event_schema(row: Schema = ROW, before: Schema | None = None, topic: str = "srv.db.orders") -> Schema:
    return (
        SchemaBuilder.struct()
        .name(f"{topic}.Envelope")
        .version(1)
        .field("before", before or row)
        .field("after", row)
        .field("source", SOURCE)
        .field("transaction", TRANSACTION)
        .field("op", STRING)
        .field("ts_ms", OPTIONAL_INT64)
        .build()
    )


def event(op: str, before: Any = None, after: Any = None, **more: Any) -> dict[str, Any]:
    return {"before": before, "after": after, "source": FROM, "transaction": None, "op": op, "ts_ms": 5, **more}


def run(
    kind: type[Transform],
    value: Any,
    schema: Schema | None,
    config: dict[str, str],
    key: tuple[Schema | None, Any] = (KEY, {"id": 1}),
    headers: tuple[tuple[Any, ...], ...] = (),
    topic: str = "srv.db.orders",
) -> Any:
    """Return what the transform makes of a record, having checked that it left that alone and declared the shape it gives."""
    transform = kind()
    transform.configure(config)
    record = SourceRecord(topic, 3, key[0], key[1], schema, value, timestamp=7, headers=Headers())
    for header in headers:
        record.headers.add(*header)
    before = repr(record)
    tied = transform.bind(Shape(topic, key[0], schema))
    out = apply_bound(tied, record)
    assert repr(record) == before, "the record given was altered"
    if out is not None and tied.shape is not None:
        assert tied.shape == Shape(out.topic, out.key_schema, out.value_schema)
    return out
