"""``field.syntax.version=V2`` in the transforms where Kafka does not have it."""

from __future__ import annotations

import datetime as dt

import pytest

from penstock.api import Shape, apply_bound
from penstock.data import INT32, INT64, OPTIONAL_STRING, STRING, Schema, SchemaBuilder, SourceRecord, Type
from penstock.errors import DataError
from penstock_transforms.cast import CastValue
from penstock_transforms.header_from import HeaderFromValue
from penstock_transforms.hoist_field import HoistFieldValue
from penstock_transforms.insert_field import InsertFieldValue
from penstock_transforms.mask_field import MaskFieldValue
from penstock_transforms.replace_field import ReplaceFieldValue
from penstock_transforms.timestamp_converter import TimestampConverterValue
from penstock_transforms.value_to_key import ValueToKey

CITY = SchemaBuilder.struct().name("City").field("name", STRING).field("zip", INT32).build()
PERSON = (
    SchemaBuilder.struct()
    .name("Person")
    .field("id", INT64)
    .field("city", CITY.as_optional())
    .field("a.b", OPTIONAL_STRING)
    .build()
)


def person():
    return {"id": 1, "city": {"name": "Oslo", "zip": 150}, "a.b": "dotted"}


def run(transform, config, value, schema):
    transform.configure({"field.syntax.version": "V2", **config})
    record = SourceRecord("t", value_schema=schema, value=value)
    out = apply_bound(transform.bind(Shape("t", None, schema)), record)
    assert value == person(), "the value given was altered"
    return out


def field_names(schema):
    return [f.name for f in schema.fields]


@pytest.mark.parametrize("schema", [PERSON, None])
@pytest.mark.parametrize(
    ("config", "city"),
    [
        ({"exclude": "city.zip"}, {"name": "Oslo"}),
        ({"include": "city.zip,id"}, {"zip": 150}),
        ({"renames": "city.zip:code"}, {"name": "Oslo", "code": 150}),
    ],
)
def test_replace_field_reaches_nested_fields(schema: Schema | None, config, city):
    out = run(ReplaceFieldValue(), config, person(), schema)
    assert out.value["city"] == city
    if schema is not None:
        nested = out.value_schema.field("city").schema
        assert nested.optional
        assert nested.name == "City"
        assert sorted(field_names(nested)) == sorted(city)
        assert field_names(out.value_schema) == list(out.value)


def test_a_name_with_dots_stands_in_backticks():
    out = run(ReplaceFieldValue(), {"exclude": "`a.b`"}, person(), PERSON)
    assert field_names(out.value_schema) == ["id", "city"]


@pytest.mark.parametrize("schema", [PERSON, None])
def test_cast_reaches_nested_fields(schema):
    out = run(CastValue(), {"spec": "city.zip:string"}, person(), schema)
    assert out.value["city"]["zip"] == "150"
    if schema is not None:
        assert out.value_schema.field("city").schema.field("zip").schema.type is Type.STRING


@pytest.mark.parametrize("schema", [PERSON, None])
def test_mask_field_reaches_nested_fields(schema):
    out = run(MaskFieldValue(), {"fields": "city.name"}, person(), schema)
    assert out.value["city"] == {"name": "", "zip": 150}
    assert out.value_schema == schema


@pytest.mark.parametrize("schema", [PERSON, None])
def test_insert_field_puts_a_field_into_a_nested_struct(schema):
    out = run(InsertFieldValue(), {"static.field": "city.country!", "static.value": "NO"}, person(), schema)
    assert out.value["city"]["country"] == "NO"
    if schema is not None:
        assert out.value_schema.field("city").schema.field("country").schema == STRING


def test_insert_field_names_a_parent_that_is_not_there():
    with pytest.raises(DataError, match=r"Cannot insert nowhere\.x: there is no field nowhere"):
        run(InsertFieldValue(), {"static.field": "nowhere.x", "static.value": "v"}, person(), PERSON)


@pytest.mark.parametrize("schema", [PERSON, None])
def test_header_from_takes_nested_fields(schema):
    out = run(HeaderFromValue(), {"fields": "city.zip", "headers": "z", "operation": "move"}, person(), schema)
    assert [(h.key, h.value) for h in out.headers] == [("z", 150)]
    assert out.value["city"] == {"name": "Oslo"}


@pytest.mark.parametrize("schema", [PERSON, None])
def test_value_to_key_names_nested_fields_by_their_paths(schema):
    out = run(ValueToKey(), {"fields": "city.zip,id"}, person(), schema)
    assert out.key == {"city.zip": 150, "id": 1}
    if schema is not None:
        assert field_names(out.key_schema) == ["city.zip", "id"]


@pytest.mark.parametrize("schema", [PERSON, None])
def test_hoist_field_makes_a_struct_in_a_struct(schema):
    out = run(HoistFieldValue(), {"field": "data.after"}, person(), schema)
    assert out.value == {"data": {"after": person()}}
    if schema is not None:
        assert out.value_schema.field("data").schema.field("after").schema == schema


@pytest.mark.parametrize("schema", [PERSON, None])
def test_timestamp_converter_reaches_nested_fields(schema):
    config = {"field": "city.name", "target.type": "Timestamp", "format": "yyyy"}
    value = {**person(), "city": {"name": "2024", "zip": 150}}
    transform = TimestampConverterValue()
    transform.configure({"field.syntax.version": "V2", **config})
    out = transform.apply(SourceRecord("t", value_schema=schema, value=value))
    assert out.value["city"]["name"] == dt.datetime(2024, 1, 1, tzinfo=dt.UTC)
    assert value["city"]["name"] == "2024"


def test_a_nested_struct_that_is_null_stays_null():
    value = {"id": 1, "city": None, "a.b": None}
    for transform, config in (
        (CastValue(), {"spec": "city.zip:string"}),
        (MaskFieldValue(), {"fields": "city.zip"}),
        (ReplaceFieldValue(), {"renames": "city.zip:code"}),
        (InsertFieldValue(), {"static.field": "city.x", "static.value": "v"}),
    ):
        transform.configure({"field.syntax.version": "V2", **config})
        for schema in (PERSON, None):
            assert transform.apply(SourceRecord("t", value_schema=schema, value=dict(value))).value["city"] is None


def test_a_parent_that_is_no_struct_is_named():
    with pytest.raises(DataError, match="Field id is of type INT64; only a STRUCT has fields"):
        run(CastValue(), {"spec": "id.x:string"}, person(), PERSON)
    with pytest.raises(DataError, match="Only Map objects supported in absence of schema"):
        run(CastValue(), {"spec": "id.x:string"}, person(), None)
