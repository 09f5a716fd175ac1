"""`Drop`: fields go by the pattern of their names."""

from __future__ import annotations

import pytest

from penstock.api import Shape, apply_bound
from penstock.data import INT64, OPTIONAL_STRING, STRING, SchemaBuilder, SourceRecord
from penstock.errors import ConfigError, DataError
from penstock_transforms.drop import DropKey, DropValue

CITY = SchemaBuilder.struct().name("City").field("zip", STRING).field("tmp_name", OPTIONAL_STRING).optional().build()
ROW = SchemaBuilder.struct().name("Row").field("id", INT64).field("tmp_a", STRING).field("city", CITY).build()


def run(value, schema=ROW, kind=DropValue, **config):
    transform = kind()
    transform.configure(config)
    record = SourceRecord("t", value_schema=schema, value=value)
    if kind is DropKey:
        record = SourceRecord("t", key_schema=schema, key=value)
    tied = transform.bind(Shape("t", record.key_schema, record.value_schema))
    return apply_bound(tied, record)


def test_fields_whose_whole_name_matches_go():
    out = run({"id": 1, "tmp_a": "x", "city": {"zip": "9", "tmp_name": "n"}}, pattern="tmp_.*")
    assert out.value == {"id": 1, "city": {"zip": "9", "tmp_name": "n"}}
    assert [f.name for f in out.value_schema.fields] == ["id", "city"]
    assert out.value_schema.name == "Row"


def test_nested_fields_go_by_their_path():
    given = {"id": 1, "tmp_a": "x", "city": {"zip": "9", "tmp_name": "n"}}
    out = run(given, pattern=r"city\.tmp_.*", nested="true")
    assert out.value == {"id": 1, "tmp_a": "x", "city": {"zip": "9"}}
    city = out.value_schema.field("city").schema
    assert [f.name for f in city.fields] == ["zip"]
    assert city.optional
    assert given["city"] == {"zip": "9", "tmp_name": "n"}, "the record given was altered"


def test_maps_lose_their_entries():
    given = {"tmp_a": 1, "b": {"tmp_c": 2, "d": 3}, 5: 6}
    assert run(given, None, pattern="tmp_.*").value == {"b": {"tmp_c": 2, "d": 3}, 5: 6}
    assert run(given, None, pattern=r"(.*\.)?tmp_.*", nested="true").value == {"b": {"d": 3}, 5: 6}
    assert given["b"] == {"tmp_c": 2, "d": 3}


def test_the_key_has_one_too():
    assert run({"a": 1, "b": 2}, None, DropKey, pattern="a").key == {"b": 2}


def test_a_struct_that_holds_itself_is_dropped_from_at_the_top():
    node = SchemaBuilder.struct().name("Node").build_recursive(lambda me: [("x", INT64), ("next", me)])
    out = run({"x": 1, "next": {"x": 2}}, node, pattern="x", nested="true")
    assert out.value == {"next": {"x": 2}}


def test_nulls_stay_and_other_types_are_refused():
    assert run(None, pattern="x").value is None
    with pytest.raises(DataError, match=r"Only Map objects supported in absence of schema for \[dropping fields\]"):
        run("text", None, pattern="x")
    with pytest.raises(DataError, match="Only Struct objects supported"):
        run({"id": 1, "tmp_a": "x", "city": "text"}, pattern=r"city\.zip", nested="true")


def test_a_pattern_is_needed():
    with pytest.raises(ConfigError, match="pattern"):
        run(None, pattern="(")
