"""JSON payloads of an outbox become structs."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data import (
    OPTIONAL_BYTES,
    OPTIONAL_FLOAT64,
    OPTIONAL_INT32,
    OPTIONAL_INT64,
    OPTIONAL_STRING,
    SchemaBuilder,
)
from penstock.data.validation import validate_value
from penstock_transforms.debezium.json_payload import JsonPayloads, NotExpandableError
from penstock_transforms.debezium.names import field_adjuster


def expand(text, nulls_as_bytes=False, empty_arrays_as_strings=False, mode="none"):
    return JsonPayloads(nulls_as_bytes, empty_arrays_as_strings, field_adjuster(mode)).expand(text, "payload")


def array_of(schema):
    return SchemaBuilder.array(schema).optional().build()


@pytest.mark.parametrize(
    ("text", "schema", "value"),
    [
        ("1", OPTIONAL_INT32, 1),
        ("-2147483648", OPTIONAL_INT32, -(2**31)),
        ("2147483648", OPTIONAL_INT64, 2**31),
        ("1.0", OPTIONAL_FLOAT64, 1.0),
        ("1e400", OPTIONAL_FLOAT64, float("inf")),
        ('"x"', OPTIONAL_STRING, "x"),
        ("[1, null]", array_of(OPTIONAL_INT32), [1, None]),
        ("[[1], [2]]", array_of(array_of(OPTIONAL_INT32)), [[1], [2]]),
    ],
)
def test_a_value_has_the_schema_of_its_kind(text, schema, value):
    struct, made = expand(f'{{"a": {text}}} trailing')
    assert struct.field("a").schema == schema
    assert made == {"a": value}


def test_objects_are_structs_named_after_their_path():
    schema, value = expand('{"a": {"b": {"c": true}}, "l": [{"x": 1}]}')
    assert (schema.name, schema.optional) == ("payload", True)
    inner = schema.field("a").schema.field("b").schema
    assert inner.name == "payload.a.b"
    assert schema.field("l").schema.value_schema.name == "payload.l"
    assert value == {"a": {"b": {"c": True}}, "l": [{"x": 1}]}


def test_nulls_and_empty_arrays_are_left_out_or_kept_as_set():
    text = '{"n": null, "e": [], "l": [null]}'
    with pytest.raises(NotExpandableError):
        expand(text)
    assert expand('{"n": null, "e": []}')[1] == {}
    schema, value = expand(text, nulls_as_bytes=True, empty_arrays_as_strings=True)
    assert value == {"n": None, "e": [], "l": [None]}
    assert schema.field("n").schema == OPTIONAL_BYTES
    assert schema.field("e").schema == array_of(OPTIONAL_STRING)
    assert schema.field("l").schema == array_of(OPTIONAL_BYTES)


def test_objects_of_an_array_share_the_fields_of_all():
    schema, value = expand('{"l": [{"a": 1, "s": {"x": 1}}, {"b": "t", "a": 2, "s": {"y": 2}}]}')
    element = schema.field("l").schema.value_schema
    assert [f.name for f in element.fields] == ["a", "s", "b"]
    assert not element.optional
    assert [f.name for f in element.field("s").schema.fields] == ["x", "y"]
    assert value["l"][1] == {"b": "t", "a": 2, "s": {"y": 2}}
    assert expand('{"l": [{"a": 1}, null, {"b": 1}]}')[0].field("l").schema.value_schema.optional


def test_an_array_may_be_the_whole():
    schema, value = expand("[1, 2]")
    assert (schema, value) == (array_of(OPTIONAL_INT32), [1, 2])


@pytest.mark.parametrize(
    "text",
    [
        "", "text", "5", "{broken", "[", "[]", '{"a": [1, 2.5]}', '{"a": [1, 3000000000]}', '{"a": [1, "x"]}', '{"a": [{"b": 1}, {"b": "x"}]}',
        '{"": 1}', '{"a": [1, {"b": 1}]}', '{"a": 99999999999999999999}', '{"a": NaN}', '{"a": -Infinity}', "[" * 100_000, '{"a": ' + "9" * 10_000 + "}",
    ],
)  # fmt: skip
def test_texts_without_a_schema_are_told_without_their_content(text):
    with pytest.raises(NotExpandableError) as caught:
        expand(text)
    assert "broken" not in str(caught.value)


def test_adjusted_names_keep_their_values():
    schema, value = expand('{"a b": 1, "1x": {"ü": 2}, "a_b": 3}', mode="avro")
    assert value == {"a_b": 1, "_1x": {"_": 2}}
    assert schema.field("_1x").schema.name == "payload._1x"


JSON = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(2**70), 2**70)
    | st.floats(allow_nan=False, allow_infinity=False)
    | st.text(max_size=3),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=3),
    max_leaves=12,
)


@given(
    st.dictionaries(st.text(max_size=3), JSON) | st.lists(JSON),
    st.booleans(),
    st.booleans(),
    st.sampled_from(["none", "avro", "avro_unicode"]),
)
def test_what_is_expanded_fits_its_schema(node, nulls, empties, mode):
    try:
        schema, value = expand(json.dumps(node), nulls, empties, mode)
    except NotExpandableError:
        return
    validate_value(schema, value)


@pytest.mark.parametrize("mode", ["none", "avro"])
def test_payloads_of_one_form_have_one_schema_and_each_its_own_values(mode):
    payloads = JsonPayloads(False, False, field_adjuster(mode))
    first, one = payloads.expand('{"a b": 1, "n": null, "l": [{"x": 1}, {"y": "a"}]}', "payload")
    second, two = payloads.expand('{"a b": 2, "n": null, "l": [{"x": 3}, {"y": "b"}, {"x": 4}]}', "payload")
    assert second is first
    name = "a b" if mode == "none" else "a_b"
    assert one == {name: 1, "l": [{"x": 1}, {"y": "a"}]}
    assert two == {name: 2, "l": [{"x": 3}, {"y": "b"}, {"x": 4}]}
    wider, _ = payloads.expand('{"a b": 3000000000, "n": null, "l": [{"x": 1}, {"y": "a"}]}', "payload")
    assert wider.field(name).schema == OPTIONAL_INT64


@given(
    st.lists(st.dictionaries(st.sampled_from("ab"), JSON, max_size=2), min_size=2, max_size=4),
    st.booleans(),
    st.booleans(),
)
def test_what_was_expanded_before_changes_nothing(nodes, nulls, empties):
    payloads = JsonPayloads(nulls, empties, field_adjuster("none"))
    for node in nodes:
        text = json.dumps(node)
        try:
            expected = expand(text, nulls, empties)
        except NotExpandableError:
            with pytest.raises(NotExpandableError):
                payloads.expand(text, "payload")
            continue
        assert payloads.expand(text, "payload") == expected
