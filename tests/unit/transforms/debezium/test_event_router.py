"""`EventRouter`: rows of an outbox table become records."""

from __future__ import annotations

import logging

import pytest

from lab.change_events import event, event_schema, run
from penstock.api import Shape, apply_bound
from penstock.data import (
    BYTES,
    INT64,
    OPTIONAL_INT32,
    OPTIONAL_INT64,
    OPTIONAL_STRING,
    STRING,
    Schema,
    SchemaBuilder,
    SourceRecord,
    Type,
)
from penstock.errors import ConfigError, DataError
from penstock_transforms.debezium.event_router import EventRouter

JSON = Schema(Type.STRING, optional=True, name="io.debezium.data.Json", version=1)
MICROS = Schema(Type.INT64, optional=True, name="io.debezium.time.MicroTimestamp", version=1)
ROW = (
    SchemaBuilder.struct()
    .name("srv.db.outbox.Value")
    .field("id", STRING)
    .field("aggregatetype", OPTIONAL_STRING)
    .field("aggregateid", INT64)
    .field("type", STRING)
    .field("payload", JSON)
    .field("at", MICROS)
    .field("plain", OPTIONAL_INT64)
    .field("part", OPTIONAL_INT32)
    .field("tenant", SchemaBuilder(Type.STRING).optional().default("us").build())
    .optional()
    .build()
)
ENVELOPE = event_schema(ROW)
VALUES = {
    "id": "e1", "aggregatetype": "order", "aggregateid": 7, "type": "Created", "payload": '{"a":1}', "at": 9_999_999,
    "plain": 3, "part": 2, "tenant": None,
}  # fmt: skip


def routed(config=None, schema=ENVELOPE, op="c", headers=(), **row):
    value = event(op, None, {**VALUES, **row})
    return run(EventRouter, value, schema, config or {}, headers=headers)


def test_a_row_becomes_a_record_of_its_own():
    out = routed(headers=(("was", "there", STRING),))
    assert (out.topic, out.partition, out.timestamp) == ("outbox.event.order", None, 5)
    assert (out.key_schema, out.key) == (INT64, 7)
    assert (out.value_schema, out.value) == (JSON, '{"a":1}')
    assert [(h.key, h.value) for h in out.headers] == [("was", "there"), ("id", "e1")]
    assert out.headers[1].schema == STRING


@pytest.mark.parametrize("op", ["c", "r"])
def test_inserts_and_snapshots_are_routed(op):
    assert routed(op=op) is not None


def test_deletes_and_tombstones_are_dropped_and_other_records_go_through():
    assert run(EventRouter, event("d", VALUES), ENVELOPE, {}) is None
    for schema in (ENVELOPE, None, STRING.as_optional()):
        assert run(EventRouter, None, schema, {}) is None
    assert run(EventRouter, "x", STRING, {}).value == "x"
    assert run(EventRouter, event("c", None, VALUES), None, {}).value == event("c", None, VALUES)


@pytest.mark.parametrize(("behavior", "level"), [("warn", "WARNING"), (" ERROR ", "ERROR"), ("fatal", None)])
def test_an_update_is_logged_or_fatal(behavior, level, caplog):
    config = {"table.op.invalid.behavior": behavior}
    with caplog.at_level(logging.WARNING):
        if level is None:
            with pytest.raises(DataError, match=r"Unexpected update message received Struct\{id=1\}, fail\."):
                routed(config, op="u")
        else:
            assert routed(config, op="u") is None
            assert [r.levelname for r in caplog.records] == [level]


def test_the_topic_is_made_of_the_column_that_is_set():
    assert routed({"route.by.field": "type"}).topic == "outbox.event.Created"
    config = {"route.topic.regex": "(or)(.*)", "route.topic.replacement": "$2-${x}"}
    with pytest.raises(DataError, match=r"No group with name \{x\}"):
        routed(config)
    assert routed({**config, "route.topic.replacement": "$2-$1"}).topic == "der-or"
    assert routed(config, aggregatetype="invoice").topic == "invoice"
    with pytest.raises(DataError, match="aggregatetype is null in a row"):
        routed(aggregatetype=None)


def test_further_columns_go_where_they_are_placed():
    config = {
        "table.fields.additional.placement": "type:header,tenant:envelope, type : Envelope : kind ,part:partition"
    }
    out = routed(config)
    assert (out.headers[1].key, out.headers[1].value) == ("type", "Created")
    assert out.value == {"payload": '{"a":1}', "tenant": "us", "kind": "Created"}
    assert out.value_schema.name == "srv.db.outbox.order.Value"
    assert [f.name for f in out.value_schema.fields] == ["payload", "tenant", "kind"]
    assert out.partition == 2
    assert routed(config, aggregatetype="invoice").value_schema.name == "srv.db.outbox.invoice.Value"


def test_columns_that_a_row_has_not_are_errors_or_left_out():
    for place, message in (
        ("header", "no is not a valid field name"),
        ("envelope", "Unable to find field no in event"),
    ):
        config = {"table.fields.additional.placement": f"no:{place}"}
        with pytest.raises(DataError, match=message):
            routed(config)
        out = routed({**config, "table.field.additional.missing": "ignore"})
        assert len(out.headers) == 1
    assert out.value == {"payload": '{"a":1}'}
    with pytest.raises(DataError, match="Field 'tenant' is not of type INT32"):
        routed({"table.fields.additional.placement": "tenant:partition"})


def test_the_version_of_the_values_schema_comes_from_a_column():
    config = {"table.field.event.schema.version": "part", "table.fields.additional.placement": "type:envelope"}
    assert routed(config).value_schema.version == 2
    assert routed(config, part=None).value_schema.version is None


def test_the_timestamp_comes_from_a_column():
    config = {"table.field.event.timestamp": "at"}
    assert routed(config).timestamp == 9_999
    assert routed(config, at=-1_999).timestamp == -1
    assert routed(config, at=None).timestamp == 5
    for column, message in (
        ("plain", r"Unsupported field type INT64 \(without logical schema name\) for event timestamp"),
        ("no", "Unable to find timestamp field no in event"),
        ("type", "Field 'type' is not of type INT64"),
    ):
        with pytest.raises(DataError, match=message):
            routed({"table.field.event.timestamp": column})


@pytest.mark.parametrize(("payload", "empty"), [(None, True), ("", True), (" \n", True), ("x", False)])
def test_an_empty_payload_becomes_a_tombstone_on_request(payload, empty):
    out = routed({"route.tombstone.on.empty.payload": "true"}, payload=payload)
    assert ((out.value, out.value_schema) == (None, None)) is empty
    assert routed(payload=payload).value == payload


def test_a_payload_of_json_becomes_a_struct_on_request(caplog):
    config = {"table.expand.json.payload": "true"}
    out = routed(config, payload='{"a": 1, "b": {"c": []}}')
    assert out.value == {"a": 1, "b": {}}
    assert (out.value_schema.name, out.value_schema.field("b").schema.name) == ("payload", "payload.b")
    with caplog.at_level(logging.WARNING):
        for text in ("text", "", "[", '{"a": [1, 2.5]}', None):
            out = routed(config, payload=text)
            assert (out.value, out.value_schema) == (text, JSON)
    assert all("cannot be expanded" in r.getMessage() for r in caplog.records)


def test_payloads_of_one_form_have_one_schema():
    router = EventRouter()
    router.configure({"table.expand.json.payload": "true", "table.fields.additional.placement": "type:envelope"})
    tied = router.bind(Shape("t", None, ENVELOPE))
    records = [
        SourceRecord("t", value_schema=ENVELOPE, value=event("c", None, {**VALUES, "payload": f'{{"a":{n}}}'}))
        for n in (1, 2)
    ]
    first, second = (apply_bound(tied, record) for record in records)
    assert first.value_schema is second.value_schema
    assert second.value["payload"] == {"a": 2}


def test_rows_that_lack_a_column_are_data_errors_but_their_deletes_are_dropped():
    for config, message in (
        ({"table.field.event.id": "no"}, "no is not a valid field name"),
        ({"table.field.event.key": "no"}, "no is not a valid field name"),
        ({"table.field.event.payload": "no"}, "Unable to find payload field no in event"),
        ({"route.by.field": "no"}, "no is not a valid field name"),
        ({"route.by.field": "plain"}, "Field 'plain' is not of type STRING"),
    ):
        with pytest.raises(DataError, match=message):
            routed(config)
        assert run(EventRouter, event("d", VALUES), ENVELOPE, config) is None
    for config in ({}, {"table.field.event.id": "no"}):
        with pytest.raises(DataError, match=r"Only Struct objects supported for \[Read Outbox Event\], found: null"):
            run(EventRouter, event("t"), ENVELOPE, config)


def test_a_colon_at_the_end_of_a_placement_is_nothing():
    assert routed({"table.fields.additional.placement": "type:header:"}).headers[1].key == "type"


def test_a_payload_of_bytes_stays_bytes():
    row = (
        SchemaBuilder.struct()
        .field("id", STRING)
        .field("aggregatetype", STRING)
        .field("aggregateid", STRING)
        .field("payload", BYTES)
        .build()
    )
    value = event("c", None, {"id": "i", "aggregatetype": "a", "aggregateid": "k", "payload": b"\0"})
    out = run(EventRouter, value, event_schema(row), {"table.expand.json.payload": "true"})
    assert (out.value_schema, out.value) == (BYTES, b"\0")


@pytest.mark.parametrize(
    ("setting", "value", "problem"),
    [
        ("route.topic.regex", "(", "A valid regular expressions is expected, but Unclosed group near index 1"),
        (
            "table.fields.additional.placement",
            "a",
            r"A comma-separated list of valid String pairs or trios is expected but got: \[a\]",
        ),
        (
            "table.fields.additional.placement",
            "a:nowhere",
            "The place is one of header, envelope, partition, found nowhere",
        ),
        ("table.op.invalid.behavior", "x", "Value must be one of"),
        ("table.expand.json.payload", "x", "Either 'true' or 'false' is expected"),
        ("table.json.payload.null.behavior", "x", "Value must be one of"),
        ("field.name.adjustment.mode", "x", "Value must be one of"),
    ],
)
def test_settings_that_mean_nothing_are_refused_by_name(setting, value, problem):
    with pytest.raises(ConfigError, match=f"for configuration {setting}: The '{setting}' value is invalid: {problem}"):
        routed({setting: value})


def test_settings_of_tracing_have_no_effect_and_one_warning(caplog):
    with caplog.at_level(logging.WARNING):
        assert routed({"tracing.operation.name": "x", "table.field.event.type": "t"}) is not None
    assert len(caplog.records) == 2
