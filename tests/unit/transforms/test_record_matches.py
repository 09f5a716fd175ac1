"""`RecordMatches`: conditions in CEL over what a record holds."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from penstock.api import Shape
from penstock.data import (
    DATE,
    INT64,
    OPTIONAL_INT64,
    OPTIONAL_STRING,
    STRING,
    TIME,
    TIMESTAMP,
    SchemaBuilder,
    SinkRecord,
)
from penstock.data.logical import decimal_schema
from penstock.errors import ConfigError, DataError
from penstock_transforms.predicates.cel_names import fields_used
from penstock_transforms.predicates.record_matches import RecordMatchesKey, RecordMatchesValue

CITY = SchemaBuilder.struct().field("name", STRING).field("zip", OPTIONAL_STRING).optional().build()
ORDER = (
    SchemaBuilder.struct()
    .field("id", INT64)
    .field("note", OPTIONAL_STRING)
    .field("price", decimal_schema(2))
    .field("day", DATE)
    .field("at", TIME)
    .field("made", TIMESTAMP)
    .field("city", CITY)
    .field("stops", SchemaBuilder.array(CITY).build())
    .field("count", OPTIONAL_INT64)
    .build()
)
VALUE = {
    "id": 7,
    "price": Decimal("12.50"),
    "day": dt.date(2024, 2, 29),
    "at": dt.time(10, 30),
    "made": dt.datetime(2024, 2, 29, 10, 30, tzinfo=dt.UTC),
    "city": {"name": "Ulm"},
    "stops": [{"name": "Bonn", "zip": "53111"}, {"name": "Kiel"}],
}


def predicate(condition, kind=RecordMatchesValue, **config):
    made = kind()
    made.configure({"condition": condition, **{name.replace("_", "."): value for name, value in config.items()}})
    return made


def record(value=VALUE, schema=ORDER, key="k1"):
    made = SinkRecord("orders", 0, STRING, key, schema, value, 1_700_000_000_000)
    made.headers.add("h", "first", STRING).add("h", "last", STRING)
    return made


@pytest.mark.parametrize(
    ("condition", "expected"),
    [
        ("value.id > 5", True),
        ("value.id > 5 && value.city.name == 'Bonn'", False),
        ("value.note == null", True),
        ("has(value.note)", True),
        ("has(value.nothing)", False),
        ("value.price > 12.0", True),
        ("value.day == timestamp('2024-02-29T00:00:00Z')", True),
        ("value.at == duration('10h30m')", True),
        ("value.made < timestamp('2024-03-01T00:00:00Z')", True),
        ("value.city.zip == null", True),
        ("value.stops.exists(s, s.name == 'Kiel' && s.zip == null)", True),
        ("value['id'] == 7", True),
        ("size(value) == 9", True),
        ("key == 'k1' && topic == 'orders'", True),
        ("headers.h == 'last'", True),
        ("'no' in headers", False),
        ("timestamp > timestamp('2023-01-01T00:00:00Z')", True),
        ("topic.matches('^ord')", True),
        ("value.nothing == 1 || true", True),
    ],
)
def test_a_condition_sees_the_whole_record(condition, expected):
    assert predicate(condition).test(record()) is expected


@pytest.mark.parametrize(
    ("condition", "value", "expected"),
    [
        ("value.a > 1", {"a": 2}, True),
        ("value.a > 1", {"a": 2, "b": object()}, True),  # what is not named is not looked at
        ("has(value.b)", {"a": 2}, False),
        ("has(value.b) && value.b == null", {"b": None}, True),
        ("value == null", None, True),
        ("value == null || value.a > 1", None, True),
        ("value == 'x'", "x", True),
        ("value.a.b.c == 3", {"a": {"b": {"c": 3}}}, True),
        ("value.exists(value, value == 'a')", {"a": 2}, True),
    ],
)
def test_a_value_without_schema_is_read_as_it_is(condition, value, expected):
    assert predicate(condition).test(record(value, None)) is expected


def test_the_bound_form_is_used_again_for_the_next_record():
    tied = predicate("value.a == key").bind(Shape("orders", STRING, None))
    assert [tied(record({"a": a}, None, key)) for a, key in (("x", "x"), ("x", "y"), ("y", "y"))] == [True, False, True]


@pytest.mark.parametrize(("behaviour", "expected"), [("true", True), ("false", False)])
def test_missing_names_and_nulls_may_count_as_true_or_false(behaviour, expected):
    made = predicate("value.nothing > 1", missing_or_null_behavior=behaviour)
    assert made.test(record({"a": 1}, None)) is expected
    assert made.test(record(None, None)) is expected
    on_key = predicate("key.id > 1", RecordMatchesKey, missing_or_null_behavior=behaviour)
    assert on_key.test(record(key=None)) is expected


@pytest.mark.parametrize(
    ("condition", "value", "words"),
    [
        ("value.nothing > 1", {"a": 1}, "nothing"),
        ("value.a > 1", None, "the value is null"),
        ("value.a > 1", {"a": "x"}, "No such overload"),
        ("1 / value.a > 1", {"a": 0}, "zero"),
        ("value.a", {"a": 12}, "neither true nor false"),
        ("value.a == 1", {"a": object()}, "object"),
    ],
)
def test_a_condition_without_a_result_is_the_records_error(condition, value, words):
    with pytest.raises(DataError, match=words) as caught:
        predicate(condition).test(record(value, None))
    assert condition in str(caught.value)


def test_wrong_types_are_errors_even_where_missing_names_are_not():
    with pytest.raises(DataError, match="overload"):
        predicate("value.a > 1", missing_or_null_behavior="false").test(record({"a": "x"}, None))


@pytest.mark.parametrize(
    ("condition", "words"),
    [
        ("", "a condition is needed"),
        ("value.a >", "mismatched input"),
        ("vaule.a > 1", "no variable vaule"),
        ("value.a.startwith('x')", "startsWith is one"),
        ("all(value)", "no function all|parse"),
    ],
)
def test_a_condition_that_cannot_work_is_refused_when_configured(condition, words):
    with pytest.raises(ConfigError, match=words):
        predicate(condition)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("value.a > 1 && has(value.b)", {"a", "b"}),
        ("value.a.b", {"a"}),
        ("topic == 'value'", set()),
        ('topic == "value.x" // value', set()),
        ("key.value.x", set()),
        ("value['a']", None),
        ("size(value) > value.a", None),
        ("value.exists(k, k == 'x')", None),
        (r"topic == r'\' || value.a", None),
        (r"topic == 'it\'s value' && value.a", {"a"}),
    ],
)
def test_the_fields_a_condition_names_are_found(text, expected):
    assert fields_used(text, "value") == expected
