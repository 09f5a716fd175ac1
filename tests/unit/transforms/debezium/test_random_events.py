"""Whatever stands in an event, a transform gives a record that fits its schemas, drops it, or raises a `ConnectError`."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from lab.change_events import KEY, event_schema
from penstock.api import Shape, apply_bound
from penstock.data import (
    BOOLEAN,
    FLOAT64,
    INT32,
    INT64,
    OPTIONAL_BYTES,
    OPTIONAL_STRING,
    OPTIONAL_TIMESTAMP,
    STRING,
    Headers,
    Schema,
    SchemaBuilder,
    SinkRecord,
    Type,
)
from penstock.data.logical import timestamp_from_millis
from penstock.data.validation import validate_value
from penstock.errors import ConfigError, ConnectError
from penstock_transforms.debezium.event_router import EventRouter
from penstock_transforms.debezium.extract_new_record_state import ExtractNewRecordState
from penstock_transforms.debezium.logical_router import ByLogicalTableRouter
from penstock_transforms.debezium.timezone_converter import TimezoneConverter

TEXTS = st.text(max_size=4) | st.sampled_from(
    ["2024-01-02T03:04:05Z", "10:00:00+01:00", '{"a": [1, null]}', "[", "infinity"]
)
LONGS = st.integers(-(2**63), 2**63 - 1)


def named(kind, name):
    return Schema(kind, optional=True, name=f"io.debezium.time.{name}", version=1)


FIELDS = {
    INT32: st.integers(-(2**31), 2**31 - 1),
    INT64: LONGS,
    BOOLEAN: st.booleans(),
    FLOAT64: st.floats(),
    STRING: TEXTS,
    OPTIONAL_STRING: st.none() | TEXTS,
    OPTIONAL_BYTES: st.none() | st.binary(max_size=3),
    OPTIONAL_TIMESTAMP: st.none() | st.integers(-(10**13), 10**14).map(timestamp_from_millis),
    SchemaBuilder(Type.STRING).optional().default("d").build(): st.none() | TEXTS,
    **{named(Type.INT64, f"{unit}Timestamp"): st.none() | LONGS for unit in ("", "Micro", "Nano")},
    named(Type.STRING, "ZonedTimestamp"): st.none() | TEXTS,
    named(Type.STRING, "ZonedTime"): st.none() | TEXTS,
    named(Type.INT32, "Date"): st.none() | st.integers(-1000, 1000),
}
NAMES = ["id", "aggregatetype", "aggregateid", "payload", "at", "note"]
NAME = st.sampled_from([*NAMES, "no"])


@st.composite
def rows(draw):
    builder, values = SchemaBuilder.struct().name("srv.db.t.Value").optional(), {}
    usual = draw(st.booleans())  # an outbox, more or less
    for name in NAMES if usual else draw(st.lists(st.sampled_from(NAMES), unique=True, min_size=1)):
        texts = usual and name in ("aggregatetype", "payload")
        schema = STRING if texts else draw(st.sampled_from(list(FIELDS)))
        builder.field(name, schema)
        values[name] = FIELDS[schema]
    return builder.build(), st.none() | st.fixed_dictionaries(values)


@st.composite
def change_events(draw):
    row, values = draw(rows())
    source = {"table": "t", "lsn": 1, "snapshot": None, "ts_ms": draw(LONGS)}
    transaction = draw(st.none() | st.just({"id": "1", "total_order": 1}))
    value = {
        "before": draw(values), "after": draw(values), "source": source, "transaction": transaction, "op": draw(st.sampled_from("crudtm")),
        "ts_ms": draw(st.none() | LONGS),
    }  # fmt: skip
    # Sometimes a part is not what the schema says.
    if draw(st.integers(0, 3)) == 0:
        value[draw(st.sampled_from(list(value)))] = draw(st.sampled_from([None, 5, "x", {}, [1]]))
    return event_schema(row), draw(st.sampled_from([value] * 8 + [None, "text"]))


PARTS = st.lists(
    st.sampled_from(["op", "ts_ms", "table", "source.lsn", "source", "transaction.id:x", "no", "after.id", "no.x", ""]),
    max_size=3,
)


@st.composite
def transforms(draw):
    kind = draw(st.sampled_from([ExtractNewRecordState, EventRouter, ByLogicalTableRouter, TimezoneConverter]))
    flag = st.sampled_from(["true", "false"])
    configs = {
        ExtractNewRecordState: st.fixed_dictionaries({
            "delete.tombstone.handling.mode": st.sampled_from(["drop", "tombstone", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone"]),
            "add.fields": PARTS.map(",".join), "add.headers": PARTS.map(",".join), "route.by.field": st.just("") | NAME,
            "drop.fields.header.name": st.sampled_from(["", "drop"]), "drop.fields.from.key": flag, "drop.fields.keep.schema.compatible": flag,
        }),
        EventRouter: st.fixed_dictionaries({
            "table.field.event.payload": st.just("payload") | NAME, "table.expand.json.payload": flag, "table.field.event.timestamp": st.none() | NAME,
            "table.fields.additional.placement": st.sampled_from([None, "note:header", "at:envelope", "id:partition", "no:header,note:envelope"]),
            "table.field.additional.missing": st.sampled_from(["error", "ignore"]), "route.tombstone.on.empty.payload": flag,
            "table.op.invalid.behavior": st.sampled_from(["warn", "fatal"]),
        }),
        ByLogicalTableRouter: st.fixed_dictionaries({
            "topic.regex": st.sampled_from(["(.*)", "x"]), "topic.replacement": st.just("all.$1"), "key.enforce.uniqueness": flag,
            "key.field.name": st.sampled_from(["shard", "id"]),
        }),
        TimezoneConverter: st.fixed_dictionaries({
            "converted.timezone": st.sampled_from(["+05:30", "America/New_York", "UTC"]),
            "include.list": st.sampled_from([None, "source:t", "topic:x:at", "t:source.ts_ms"]),
        }),
    }  # fmt: skip
    return kind, draw(configs[kind])


@given(change_events(), transforms(), st.sampled_from([("k", STRING), ({"id": 1}, KEY), (None, None)]))
def test_an_event_is_routed_dropped_or_refused(made, chosen, key):
    (schema, value), (kind, config) = made, chosen
    headers = Headers().add("drop", ["note", "id", None], None)
    record = SinkRecord("srv.db.t", 0, key[1], key[0], schema, value, headers=headers)
    before = repr(record)
    transform = kind()
    transform.configure({name: setting for name, setting in config.items() if setting is not None})
    try:
        tied = transform.bind(Shape(record.topic, record.key_schema, schema))
        out = apply_bound(tied, record)
    except ConfigError:
        raise
    except ConnectError:
        return
    finally:
        assert repr(record) == before, "the record given was altered"
    if out is None or out is record:
        return
    assert isinstance(out.topic, str)
    if tied.shape is not None and out.value is not None:
        assert tied.shape == Shape(out.topic, out.key_schema, out.value_schema)
    if out.value is not None and type(value) is dict and made_of_its_schema(schema, value):
        validate_value(out.value_schema, out.value)


def made_of_its_schema(schema, value):
    try:
        validate_value(schema, value)
    except ConnectError:
        return False
    return True
