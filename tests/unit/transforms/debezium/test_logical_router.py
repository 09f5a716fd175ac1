"""`ByLogicalTableRouter`: events of several tables go into one topic."""

from __future__ import annotations

import logging

import pytest

from lab.change_events import KEY, ROW, event, event_schema, run
from penstock.data import INT32, STRING, SchemaBuilder, Struct
from penstock.errors import ConfigError, DataError, SchemaBuilderError
from penstock_transforms.debezium.logical_router import ByLogicalTableRouter, ToLogicalTopicRouter

ENVELOPE = event_schema()
CREATE = event("c", None, {"id": 1, "note": "n"})
RULE = {"topic.regex": "(.*)db(.*)orders", "topic.replacement": "$1all"}


def routed(value=CREATE, schema=ENVELOPE, kind=ByLogicalTableRouter, key=(KEY, {"id": 1}), **config):
    return run(kind, value, schema, {**RULE, **{n.replace("_", "."): v for n, v in config.items()}}, key)


def test_topic_key_and_schemas_get_the_logical_name():
    out = routed()
    assert out.topic == "srv.all"
    assert out.key == {"id": 1, "__dbz__physicalTableIdentifier": "srv.db.orders"}
    assert out.key_schema.name == "srv.all.Key"
    assert out.key_schema.field("__dbz__physicalTableIdentifier").schema == STRING
    assert out.value == CREATE
    assert (out.value_schema.name, out.value_schema.version) == ("srv.all.Envelope", 1)
    rows = {out.value_schema.field(part).schema for part in ("before", "after")}
    assert {(row.name, row.optional) for row in rows} == {("srv.all.Value", True)}
    assert out.value_schema.field("source").schema == ENVELOPE.field("source").schema


def test_a_topic_that_does_not_match_is_left_alone():
    out = run(ByLogicalTableRouter, CREATE, ENVELOPE, {**RULE, "topic.regex": "other"})
    assert (out.topic, out.value_schema, out.key_schema) == ("srv.db.orders", ENVELOPE, KEY)


def test_an_empty_topic_is_warned_about_once_and_not_used(caplog):
    with caplog.at_level(logging.WARNING):
        out = routed(topic_regex="()srv.*", topic_replacement="$1")
    assert (out.topic, out.value_schema) == ("srv.db.orders", ENVELOPE)
    assert "makes an empty name of the topic srv.db.orders" in caplog.text


@pytest.mark.parametrize("value", [None, {"ts_ms": 1}])
def test_tombstones_and_other_records_are_routed_with_their_values(value):
    schema = None if value is None else SchemaBuilder.struct().name("Heartbeat").field("ts_ms", INT32).build()
    out = routed(value, schema)
    assert (out.topic, out.value, out.value_schema) == ("srv.all", value, schema)
    assert out.key_schema.name == "srv.all.Key"


def test_a_null_key_stays_null():
    out = routed(key=(None, None))
    assert (out.key, out.key_schema) == (None, None)
    out = routed(key=(KEY.as_optional(), None))
    assert (out.key, out.key_schema) == (None, None)


def test_the_keys_field_is_named_made_and_left_out_as_set():
    assert routed(kind=ToLogicalTopicRouter).key["__dbz__sourceIdentifier"] == "srv.db.orders"
    assert routed(key_field_name="shard", key_field_regex="srv.(.*).orders", key_field_replacement="$1").key == {
        "id": 1,
        "shard": "db",
    }
    assert (
        routed(key_field_name="shard", key_field_regex="x", key_field_replacement="$1").key["shard"] == "srv.db.orders"
    )
    out = routed(key_enforce_uniqueness="false")
    assert (out.key, [f.name for f in out.key_schema.fields]) == ({"id": 1}, ["id"])


@pytest.mark.parametrize(
    ("mode", "name"), [("none", "1 ü.Key"), ("AVRO", "_1__.Key"), ("avro_unicode", "_u0031_u0020_u00fc.Key")]
)
def test_names_of_schemas_are_made_fit_for_avro(mode, name):
    assert routed(topic_regex=".*", topic_replacement="1 ü", schema_name_adjustment_mode=mode).key_schema.name == name


def test_optional_keys_doc_and_parameters_are_kept():
    key = SchemaBuilder.struct().name("k").version(3).doc("d").parameter("p", "1").field("id", INT32).optional().build()
    out = routed(key=(key, {"id": 1}))
    schema = out.key_schema
    assert (schema.version, schema.doc, dict(schema.parameters), schema.optional) == (3, "d", {"p": "1"}, True)


def test_rows_that_differ_before_and_after_keep_their_fields():
    before = SchemaBuilder.struct().field("id", INT32).optional().build()
    out = routed(schema=event_schema(ROW, before))
    assert [f.name for f in out.value_schema.field("after").schema.fields] == ["id", "note", "state"]
    assert out.value_schema.field("before").schema.name == "srv.all.Value"


def test_rows_that_carry_their_schema_lose_it():
    out = routed(event("c", None, Struct(ROW, {"id": 1})))
    assert type(out.value["after"]) is dict


def test_keys_that_are_no_structs_or_have_the_field_are_data_errors():
    for key in ((STRING, "k"), (None, {"id": 1})):
        with pytest.raises(DataError, match=r"Only Struct objects supported for \[Updating schema\]"):
            routed(key=key)
    with pytest.raises(SchemaBuilderError, match="Cannot create field because of field name duplication id"):
        routed(key_field_name="id")


@pytest.mark.parametrize(
    ("config", "cause"),
    [
        (
            {"topic_regex": " "},
            "for configuration topic.regex: The 'topic.regex' value is invalid: A value is required",
        ),
        ({"topic_regex": "("}, "Unclosed group"),
        ({"topic_replacement": ""}, "A value is required"),
        ({"key_field_regex": "(.*)"}, "key.field.replacement must be non-empty if key.field.regex is set."),
        ({"schema_name_adjustment_mode": "x"}, "Value must be one of"),
        ({"logical_table_cache_size": "x"}, "logical.table.cache.size"),
    ],
)
def test_settings_that_mean_nothing_are_refused_with_a_cause_that_names_them(config, cause):
    with pytest.raises(ConfigError, match="Unable to validate config") as caught:
        routed(**config)
    assert cause in str(caught.value.__cause__)


def test_the_size_of_a_cache_has_no_effect_and_one_warning(caplog):
    with caplog.at_level(logging.WARNING):
        routed(logical_table_cache_size="1")
    assert "ByLogicalTableRouter: the setting logical.table.cache.size has no effect" in caplog.text
