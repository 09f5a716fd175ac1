"""`ExtractNewRecordState`: Debezium's change events become rows."""

from __future__ import annotations

import logging

import pytest

from lab.change_events import FROM, KEY, ROW, event, event_schema, run
from penstock.data import (
    INT32,
    OPTIONAL_INT64,
    OPTIONAL_STRING,
    STRING,
    Schema,
    SchemaBuilder,
    Struct,
)
from penstock.errors import ConfigError, DataError
from penstock_transforms.debezium.extract_new_record_state import ExtractNewRecordState

ENVELOPE = event_schema()
OLD, NEW = {"id": 1, "note": "old", "state": None}, {"id": 1, "note": "new", "state": "paid"}
CREATE, UPDATE = event("c", None, NEW), event("u", OLD, NEW)
DELETE, TRUNCATE = event("d", OLD), event("t")
MODES = ["drop", "tombstone", "rewrite", "rewrite-with-tombstone", "delete-to-tombstone"]


def unwrap(value, schema: Schema | None = ENVELOPE, headers=(), key=(KEY, {"id": 1}), **config):
    settings = {name.replace("_", "."): setting for name, setting in config.items()}
    return run(ExtractNewRecordState, value, schema, settings, key, headers)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("value", [CREATE, UPDATE])
def test_the_row_after_the_change_takes_the_events_place(value, mode):
    out = unwrap(value, delete_tombstone_handling_mode=mode)
    mark = {"__deleted": "false"} if mode.startswith("rewrite") else {}
    assert out.value == {**NEW, **mark}
    assert not out.value_schema.optional
    assert [f.name for f in out.value_schema.fields] == ["id", "note", "state", *mark]
    assert out.value_schema.name == ROW.name


@pytest.mark.parametrize("mode", [*MODES, " Rewrite "])
def test_deletes_and_tombstones_go_the_way_that_is_set(mode):
    config = {"delete_tombstone_handling_mode": mode}
    out = unwrap(DELETE, **config)
    match mode.strip().lower():
        case "drop":
            assert out is None
        case "tombstone":
            assert (out.value, out.value_schema) == (None, ROW)
        case "delete-to-tombstone":
            assert (out.value, out.value_schema) == (None, None)
        case _:
            assert out.value == {**OLD, "state": "new", "__deleted": "true"}
            assert out.value_schema.field("__deleted").schema == OPTIONAL_STRING
    kept = mode == "rewrite-with-tombstone"
    for schema in (None, STRING.as_optional(), ENVELOPE):
        assert (unwrap(None, schema, **config) is not None) is kept or schema is ENVELOPE
    assert unwrap(TRUNCATE, **config) is None


def test_settings_of_older_releases_have_no_effect_and_one_warning(caplog):
    config = {"delete_handling_mode": "rewrite", "drop_tombstones": "false"}
    with caplog.at_level(logging.WARNING):
        assert unwrap(DELETE, **config).value is None
    assert [r.getMessage().split(" has no effect")[0] for r in caplog.records] == [
        "ExtractNewRecordState: the setting delete.handling.mode",
        "ExtractNewRecordState: the setting drop.tombstones",
    ]


def test_parts_of_the_event_become_fields():
    out = unwrap(CREATE, add_fields="op,table,source.lsn,ts_ms:written, transaction.id ,snapshot")
    added = {
        "__op": "c", "__table": "orders", "__source_lsn": 42, "__written": 5, "__transaction_id": None, "__snapshot": None,
    }  # fmt: skip
    assert out.value == {**NEW, **added}
    assert out.value_schema.field("__source_lsn").schema == OPTIONAL_INT64
    assert out.value_schema.field("__snapshot").schema.default is None
    assert out.value_schema.field("__snapshot").schema.name == "io.debezium.data.Enum"


def test_the_mark_stands_before_added_fields():
    out = unwrap(DELETE, delete_tombstone_handling_mode="rewrite", add_fields="op", add_fields_prefix="")
    assert [f.name for f in out.value_schema.fields] == ["id", "note", "state", "__deleted", "op"]
    assert out.value["op"] == "d"


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("op:", "__op", "c"),
        ("source.lsn.x", "__source_lsn", 42),
        ("source.op", "__source_op", "c"),
        ("source.ts_ms:when", "__when", FROM["ts_ms"]),
        ("total_order", "__total_order", 3),
        ("after.note", "__after_note", "new"),
        ("before.note", "__before_note", None),
    ],
)
def test_names_of_parts_are_read_as_debezium_reads_them(text, name, value):
    out = unwrap({**CREATE, "transaction": {"id": "7:1", "total_order": 3}}, add_fields=text)
    assert out.value == {**NEW, name: value}


@pytest.mark.parametrize("text", ["nonsense", "source.nonsense", "op:o,,nonsense"])
def test_parts_that_no_event_has_are_left_out(text):
    assert unwrap(CREATE, add_fields=text, add_headers=text).value.keys() <= {*NEW, "__o"}


def test_a_struct_is_no_field_of_a_row_but_a_header():
    with pytest.raises(DataError, match="Struct schemas do not match"):
        unwrap(CREATE, add_fields="source")
    (header,) = unwrap(CREATE, add_headers="source").headers
    assert header.value == FROM
    assert header.schema.optional
    assert header.schema.field("lsn") is not None
    assert unwrap(CREATE, add_fields="transaction").value["__transaction"] is None


def test_parts_of_the_event_become_headers():
    out = unwrap(CREATE, add_headers="op,source.table", headers=(("was", "there", STRING),))
    assert [(h.key, h.value) for h in out.headers] == [("was", "there"), ("__op", "c"), ("__source_table", "orders")]
    assert out.headers[1].schema == OPTIONAL_STRING
    assert unwrap(CREATE, add_headers="op", add_headers_prefix="cdc-").headers[0].key == "cdc-op"
    assert [h.value for h in unwrap(DELETE, add_headers="op,ts_ms").headers] == ["d", 5]


def test_a_tombstone_that_goes_on_says_that_it_is_a_delete():
    out = unwrap(None, None, add_headers="op,table", delete_tombstone_handling_mode="rewrite-with-tombstone")
    assert [(h.key, h.value, h.schema) for h in out.headers] == [("__op", "d", STRING)]


def test_defaults_take_the_place_of_nulls_where_a_row_is_marked():
    value = event("c", None, {"id": 1, "state": None})
    rewrite = {"delete_tombstone_handling_mode": "rewrite"}
    assert unwrap(value, add_fields="op").value["state"] is None
    assert unwrap(value, **rewrite).value["state"] == "new"
    assert unwrap(value, replace_null_with_default="false", **rewrite).value["state"] is None


def test_a_field_of_the_row_may_name_the_topic():
    assert unwrap(CREATE, route_by_field="note").topic == "new"
    assert unwrap(DELETE, route_by_field="note").topic == "old"
    assert unwrap(DELETE, route_by_field="note", delete_tombstone_handling_mode="rewrite").topic == "old"
    for blank in (None, "", "  "):
        assert unwrap(event("c", None, {"id": 1, "note": blank}), route_by_field="note").topic == "srv.db.orders"
    with pytest.raises(DataError, match=r"Field 'id' is not of type STRING"):
        unwrap(CREATE, route_by_field="id")
    with pytest.raises(DataError, match=r"no is not a valid field name"):
        unwrap(DELETE, route_by_field="no")


def test_a_header_names_fields_to_drop():
    header = ("drop", ["note", "id"], None)
    config = {"drop_fields_header_name": "drop"}
    out = unwrap(CREATE, headers=(header, ("drop", ["state"], None)), **config)
    assert out.value == {"id": 1, "state": "paid"}
    assert [f.name for f in out.value_schema.fields] == ["id", "state"]
    out = unwrap(
        CREATE, headers=(header,), drop_fields_keep_schema_compatible="false", drop_fields_from_key="true", **config
    )
    assert (out.value, out.key) == ({"state": "paid"}, {})
    assert out.key_schema.name == KEY.name
    for nothing in ((), (("drop", None, None),), (("drop", [], None),)):
        assert unwrap(CREATE, headers=nothing, **config).value == NEW
    with pytest.raises(DataError, match="Header drop has to hold a list of field names"):
        unwrap(CREATE, headers=(("drop", "note", None),), **config)


def test_dropping_fields_fills_defaults_in_and_leaves_nulls_alone():
    header, config = (("drop", ["note"], None),), {"drop_fields_header_name": "drop"}
    assert unwrap(event("c", None, {"id": 1}), headers=header, **config).value == {"id": 1, "state": "new"}
    for mode in ("tombstone", "delete-to-tombstone"):
        assert unwrap(DELETE, headers=header, delete_tombstone_handling_mode=mode, **config).value is None


def test_what_is_added_to_a_delete_cannot_be_dropped():
    out = unwrap(
        DELETE, headers=(("drop", ["note", "__op"], None),), drop_fields_header_name="drop",
        delete_tombstone_handling_mode="rewrite", add_fields="op",
    )  # fmt: skip
    assert out.value == {"id": 1, "state": "new", "__deleted": "true", "__op": "d"}


@pytest.mark.parametrize(
    ("value", "schema"),
    [
        ({"id": 1}, SchemaBuilder.struct().field("id", INT32).build()),
        ({"id": 1}, SchemaBuilder.struct().name("Envelope").field("id", INT32).build()),
        ("text", STRING),
        (CREATE, None),
        ("x", None),
    ],
)
def test_what_is_no_change_event_goes_through(value, schema):
    out = unwrap(value, schema, add_fields="op", add_headers="op", drop_fields_header_name="h")
    assert (out.value, out.value_schema, out.headers) == (value, schema, [])


def test_events_without_schema_are_unwrapped_on_request():
    config = {"schemaless_events": "unwrap", "delete_tombstone_handling_mode": "rewrite"}
    assert unwrap(CREATE, None, add_fields="op,table", **config).value == {
        **NEW, "__deleted": "false", "__op": "c", "__table": "orders",
    }  # fmt: skip
    assert unwrap(DELETE, None, **config).value == {**OLD, "__deleted": "true"}
    assert unwrap({"after": 1}, None, **config).value == {"after": 1}
    assert unwrap(None, None, **config) is None


def test_a_row_that_carries_its_schema_loses_it():
    out = unwrap(event("c", None, Struct(ROW, {"id": 1})))
    assert type(out.value) is dict


def test_events_that_contradict_themselves_are_data_errors():
    with pytest.raises(DataError, match="Only Struct objects supported"):
        unwrap("text")
    with pytest.raises(
        DataError, match=r"Only Struct objects supported for \[source field insertion\], found: java.lang.String"
    ):
        unwrap(event("c", None, "text"))
    with pytest.raises(DataError, match="Unknown field: after"):
        unwrap(CREATE, SchemaBuilder.struct().name("x.Envelope").field("before", ROW).field("op", STRING).build())
    no_before = SchemaBuilder.struct().name("x.Envelope").field("after", ROW).field("op", STRING).build()
    assert unwrap({"op": "c", "after": NEW}, no_before).value == NEW
    with pytest.raises(DataError, match="Unknown field: before"):
        unwrap({"op": "d", "after": None}, no_before)
    with pytest.raises(DataError, match="field name duplication id"):
        unwrap(CREATE, add_fields="op:id", add_fields_prefix="")
    with pytest.raises(DataError, match=r"nothing is not a valid field name"):
        unwrap(CREATE, add_fields="nothing.x")


def test_parts_that_cannot_be_added_fail_the_rows_alone():
    for text, message in (
        ("nope.x", "nope is not a valid field name"),
        ("op,op", "duplication __op"),
        ("op.x", "non-struct type"),
    ):
        with pytest.raises(DataError, match=message):
            unwrap(CREATE, add_fields=text)
        assert unwrap(DELETE, add_fields=text).value is None
        assert unwrap(TRUNCATE, add_fields=text) is None
        with pytest.raises(DataError, match="Field 'id' is not of type STRING"):
            unwrap(CREATE, add_fields=text, route_by_field="id")


def test_a_topic_is_made_of_the_row_before_parts_are_added():
    with pytest.raises(DataError, match="__op is not a valid field name"):
        unwrap(CREATE, add_fields="op", route_by_field="__op")
    rewrite = {"delete_tombstone_handling_mode": "rewrite"}
    assert unwrap(event("c", None, {"id": 1}), route_by_field="state", **rewrite).topic == "new"


@pytest.mark.parametrize(
    ("config", "cause"),
    [
        ({"delete_tombstone_handling_mode": "keep"}, "Value must be one of drop, tombstone, rewrite-with-tombstone, rewrite, delete-to"),
        ({"drop_fields_from_key": "maybe"}, "Expected value to be either true or false"),
        ({"schemaless_events": "x"}, "Value must be one of"),
    ],
)  # fmt: skip
def test_settings_that_mean_nothing_are_refused(config, cause):
    with pytest.raises(ConfigError, match="Unable to validate config") as caught:
        unwrap(CREATE, **config)
    assert cause in str(caught.value.__cause__)


@pytest.mark.parametrize("text", [".", ":", "a:b:c"])
def test_parts_that_cannot_be_read_are_refused(text):
    with pytest.raises(ConfigError, match="Unexpected field name"):
        unwrap(CREATE, add_fields=text)
