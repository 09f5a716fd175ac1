"""`ExtractNewRecordState`: Debezium's change events become rows."""

from __future__ import annotations

import pytest

from penstock.api import Shape, apply_bound
from penstock.data import (
    INT32,
    INT64,
    OPTIONAL_INT64,
    OPTIONAL_STRING,
    STRING,
    Schema,
    SchemaBuilder,
    SinkRecord,
    Type,
)
from penstock.errors import ConfigError, DataError
from penstock_transforms.extract_new_record_state import ExtractNewRecordState

ROW = (
    SchemaBuilder.struct()
    .name("server.db.orders.Value")
    .field("id", INT32)
    .field("note", OPTIONAL_STRING)
    .field("state", SchemaBuilder(Type.STRING).optional().default("new").build())
    .optional()
    .build()
)
SOURCE = SchemaBuilder.struct().field("table", STRING).field("lsn", OPTIONAL_INT64).build()
TRANSACTION = SchemaBuilder.struct().field("id", STRING).field("total_order", INT64).optional().build()
ENVELOPE = (
    SchemaBuilder.struct()
    .name("server.db.orders.Envelope")
    .field("before", ROW)
    .field("after", ROW)
    .field("source", SOURCE)
    .field("transaction", TRANSACTION)
    .field("op", STRING)
    .field("ts_ms", OPTIONAL_INT64)
    .build()
)
OLD, NEW = {"id": 1, "note": "old"}, {"id": 1, "note": "new", "state": "paid"}
FROM = {"table": "orders", "lsn": 42}
CREATE = {"before": None, "after": NEW, "source": FROM, "op": "c", "ts_ms": 5}
UPDATE = {"before": OLD, "after": NEW, "source": FROM, "op": "u", "ts_ms": 6}
DELETE = {"before": OLD, "after": None, "source": FROM, "op": "d", "ts_ms": 7}
TRUNCATE = {"before": None, "after": None, "source": FROM, "op": "t", "ts_ms": 8}


def run(value, schema: Schema | None = ENVELOPE, headers=(), **config):
    transform = ExtractNewRecordState()
    transform.configure({name.replace("_", "."): setting for name, setting in config.items()})
    record = SinkRecord("orders", 0, None, {"id": 1, "note": "k"}, schema, value)
    for header in headers:
        record.headers.add(*header)
    before = repr(record)
    tied = transform.bind(Shape("orders", None, schema))
    out = apply_bound(tied, record)
    assert repr(record) == before, "the record given was altered"
    if out is not None and tied.shape is not None:
        assert tied.shape == Shape(out.topic, out.key_schema, out.value_schema)
    return out


@pytest.mark.parametrize("schema", [ENVELOPE, None])
@pytest.mark.parametrize("event", [CREATE, UPDATE])
def test_the_row_after_the_change_takes_the_events_place(event, schema):
    out = run(event, schema)
    assert out.value == NEW
    assert out.value_schema == (ROW if schema else None)


@pytest.mark.parametrize("schema", [ENVELOPE, None])
@pytest.mark.parametrize(
    ("config", "deleted", "tombstone"),
    [
        ({}, "dropped", True),
        ({"delete_tombstone_handling_mode": "tombstone"}, "dropped", True),
        ({"delete_tombstone_handling_mode": "drop"}, "dropped", False),
        ({"delete_tombstone_handling_mode": "rewrite"}, "rewritten", False),
        ({"delete_tombstone_handling_mode": "rewrite-with-tombstone"}, "rewritten", True),
        ({"delete_tombstone_handling_mode": "delete-to-tombstone"}, "tombstone", False),
        ({"delete_handling_mode": "drop"}, "dropped", False),
        ({"delete_handling_mode": "rewrite"}, "rewritten", False),
        ({"delete_handling_mode": "none"}, "tombstone", False),
        ({"drop_tombstones": "false"}, "dropped", True),
        ({"delete_handling_mode": "rewrite", "drop_tombstones": "false"}, "rewritten", True),
        ({"delete_handling_mode": "none", "delete_tombstone_handling_mode": "drop"}, "dropped", False),
    ],
)
def test_deletes_and_tombstones_go_the_way_that_is_set(config, deleted, tombstone, schema):
    out = run(DELETE, schema, **config)
    if deleted == "dropped":
        assert out is None
    elif deleted == "tombstone":
        assert out.value is None
    else:
        assert out.value == {**OLD, "__deleted": "true", **({"state": "new"} if schema else {})}
        if schema:
            assert out.value_schema.field("__deleted").schema == OPTIONAL_STRING
    assert (run(None, None, **config) is not None) is tombstone
    assert (run(None, STRING, **config) is not None) is tombstone
    assert run(TRUNCATE, schema, **config) is None


def test_rewriting_marks_rows_that_are_still_there():
    out = run(UPDATE, delete_handling_mode="rewrite")
    assert out.value == {**NEW, "__deleted": "false"}
    assert [f.name for f in out.value_schema.fields] == ["id", "note", "state", "__deleted"]


def test_parts_of_the_event_become_fields():
    out = run(CREATE, add_fields="op,table,source.lsn,ts_ms:written,transaction.id")
    added = {"__op": "c", "__table": "orders", "__source_lsn": 42, "__written": 5, "__transaction_id": None}
    assert out.value == {**NEW, **added}
    assert out.value_schema.field("__source_lsn").schema == OPTIONAL_INT64
    assert out.value_schema.field("__transaction_id").schema.optional
    assert not out.value_schema.optional


def test_added_fields_take_another_prefix_and_come_without_schema_too():
    out = run(
        {**CREATE, "transaction": {"id": "7:1", "total_order": 3}},
        None,
        add_fields="op,total_order",
        add_fields_prefix="meta.",
    )
    assert out.value == {**NEW, "meta.op": "c", "meta.total_order": 3}


def test_parts_of_the_event_become_headers():
    out = run(CREATE, add_headers="op,source.table", headers=[("was", "there", STRING)])
    assert [(h.key, h.value) for h in out.headers] == [("was", "there"), ("__op", "c"), ("__source_table", "orders")]
    assert out.headers[1].schema == OPTIONAL_STRING
    assert run(CREATE, add_headers="op", add_headers_prefix="cdc-").headers[0].key == "cdc-op"


def test_defaults_take_the_place_of_nulls_where_a_row_is_copied():
    event = {**CREATE, "after": {"id": 1, "state": None}}
    assert run(event).value == {"id": 1, "state": None}
    assert run(event, add_fields="op").value["state"] == "new"
    assert run(event, add_fields="op", replace_null_with_default="false").value["state"] is None


@pytest.mark.parametrize("schema", [ENVELOPE, None])
def test_a_field_of_the_row_may_name_the_topic(schema):
    assert run(CREATE, schema, route_by_field="note").topic == "new"
    assert run(DELETE, schema, route_by_field="note", delete_handling_mode="rewrite").topic == "old"
    with pytest.raises(DataError, match=r"route\.by\.field=id needs a text"):
        run(CREATE, schema, route_by_field="id")


def test_a_header_names_fields_to_drop():
    header = ("drop", ["note", "id"], None)
    config = {"drop_fields_header_name": "drop"}
    out = run(CREATE, headers=[header], **config)
    assert out.value == {"id": 1, "state": "paid"}
    assert [f.name for f in out.value_schema.fields] == ["id", "state"]
    out = run(
        CREATE, headers=[header], drop_fields_keep_schema_compatible="false", drop_fields_from_key="true", **config
    )
    assert out.value == {"state": "paid"}
    assert out.key == {}
    assert run(CREATE, **config).value == NEW
    with pytest.raises(DataError, match="Header drop has to hold a list of field names"):
        run(CREATE, headers=[("drop", "note", None)], **config)


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ({"id": 1}, SchemaBuilder.struct().field("id", INT32).build()),
        ("text", STRING),
        ({"after": 1}, None),
        ("x", None),
    ],
)
def test_what_is_no_change_event_goes_through(value, schema):
    out = run(value, schema, add_fields="op")
    assert (out.value, out.value_schema) == (value, schema)


def test_events_that_contradict_themselves_are_data_errors():
    with pytest.raises(DataError, match="Unexpected field name: nothing"):
        run(CREATE, add_fields="nothing")
    with pytest.raises(DataError, match="Only Struct objects supported"):
        run("text")
    with pytest.raises(DataError, match="the field after holds 'text'"):
        run({**CREATE, "after": "text"})
    with pytest.raises(DataError, match="has no struct before"):
        run(CREATE, SchemaBuilder.struct().name("x.Envelope").field("after", ROW).build())
    with pytest.raises(DataError, match="field name duplication id"):
        run(CREATE, add_fields="op:id", add_fields_prefix="")


@pytest.mark.parametrize("config", [{"add_fields": "a.b.c"}, {"add_headers": "op:"}, {"delete_handling_mode": "keep"}])
def test_settings_that_mean_nothing_are_refused(config):
    with pytest.raises(ConfigError):
        run(CREATE, **config)
