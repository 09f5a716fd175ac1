"""``SchemaProjector``'s rules."""

from __future__ import annotations

import pytest

from penstock.data import (
    FLOAT32,
    FLOAT64,
    INT8,
    INT32,
    INT64,
    OPTIONAL_INT32,
    OPTIONAL_STRING,
    STRING,
    SchemaBuilder,
    Type,
    decimal_schema,
)
from penstock.data.projection import project, projector
from penstock.errors import SchemaProjectorError


def struct(*fields):
    builder = SchemaBuilder.struct().name("R")
    for name, schema in fields:
        builder.field(name, schema)
    return builder.build()


@pytest.mark.parametrize(
    ("source", "target", "value", "expected"),
    [
        (INT8, INT64, 5, 5),
        (INT32, FLOAT64, 5, 5.0),
        (INT64, FLOAT32, 16777217, 16777216.0),
        (FLOAT32, FLOAT64, 1.5, 1.5),
        (STRING, STRING, "a", "a"),
    ],
)
def test_numbers_widen(source, target, value, expected):
    met = project(source, value, target)
    assert (met, type(met)) == (expected, type(expected))


def test_numbers_do_not_narrow():
    with pytest.raises(SchemaProjectorError, match=r"Schema type mismatch. source type: INT64 and target type: INT32"):
        project(INT64, 1, INT32)


def test_a_field_the_target_does_not_have_is_dropped_and_a_new_one_takes_its_default():
    source = struct(("a", INT32), ("b", STRING))
    target = struct(("a", INT64), ("c", SchemaBuilder(Type.INT32).default(7).build()), ("d", OPTIONAL_STRING))
    assert project(source, {"a": 1, "b": "x"}, target) == {"a": 1, "c": 7}


def test_a_required_field_that_the_source_lacks_is_an_error():
    with pytest.raises(SchemaProjectorError, match=r"Required field `z` is missing from source schema: Schema"):
        project(struct(("a", INT32)), {"a": 1}, struct(("z", INT32)))


def test_an_optional_source_needs_a_default_where_the_target_is_required():
    with pytest.raises(SchemaProjectorError, match=r"does not provide a default value"):
        project(OPTIONAL_INT32, 1, INT32)
    target = SchemaBuilder(Type.INT32).default(9).build()
    assert project(OPTIONAL_INT32, None, target) == 9
    assert project(OPTIONAL_INT32, 3, target) == 3


def test_a_null_field_takes_the_sources_default_first():
    source = struct(("a", SchemaBuilder(Type.INT32).optional().default(4).build()))
    assert project(source, {}, struct(("a", OPTIONAL_INT32))) == {"a": 4}


def test_names_and_parameters_have_to_agree():
    with pytest.raises(SchemaProjectorError, match=r"Schema name mismatch. source name: null and target name: N"):
        project(INT32, 1, SchemaBuilder(Type.INT32).name("N").build())
    with pytest.raises(SchemaProjectorError, match=r"parameters: {scale=2} and target parameters: {scale=3}"):
        project(decimal_schema(2), None, decimal_schema(3))


def test_elements_of_arrays_and_maps_are_carried():
    source = SchemaBuilder.map(STRING, SchemaBuilder.array(INT8).build()).build()
    target = SchemaBuilder.map(STRING, SchemaBuilder.array(FLOAT64).build()).build()
    assert project(source, {"k": [1, 2]}, target) == {"k": [1.0, 2.0]}


def test_an_error_names_the_field():
    with pytest.raises(SchemaProjectorError, match=r"Error projecting a") as caught:
        project(struct(("a", STRING)), {"a": "x"}, struct(("a", INT32)))
    assert "type mismatch" in str(caught.value.__cause__)


def test_a_recursive_schema_is_carried_to_any_depth():
    def tree(number):
        return (
            SchemaBuilder.struct()
            .name("Node")
            .optional()
            .build_recursive(lambda node: [("value", number), ("next", node)])
        )

    carry = projector(tree(INT32), tree(FLOAT64))
    assert carry({"value": 1, "next": {"value": 2, "next": None}}) == {
        "value": 1.0,
        "next": {"value": 2.0, "next": None},
    }
