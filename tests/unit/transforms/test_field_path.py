"""Field paths (KIP-821): how they are written, and what they lead to."""

from __future__ import annotations

import pytest

from penstock.data import INT32, OPTIONAL_STRING, SchemaBuilder
from penstock.errors import ConfigError, DataError
from penstock_transforms.field_path import FieldPath, FieldSyntax


@pytest.mark.parametrize(
    ("text", "steps"),
    [
        ("a", ("a",)),
        ("a.b.c", ("a", "b", "c")),
        ("", ("",)),
        ("a..b", ("a", "", "b")),
        ("a.", ("a", "")),
        (".a", ("", "a")),
        ("`a.b`", ("a.b",)),
        ("`a.b`.c", ("a.b", "c")),
        ("x.`a.b`", ("x", "a.b")),
        ("a`b.c", ("a`b", "c")),
        ("`a`b`", ("a`b",)),
        ("`a\\`.b`.c", ("a`.b", "c")),
        ("`a.b`.", ("a.b", "")),
    ],
)
def test_v2_paths_are_split_at_dots_outside_backticks(text, steps):
    assert FieldPath.parse(text, FieldSyntax.V2).steps == steps


@pytest.mark.parametrize("text", ["a", "a.b", "`a.b`", "`a", ""])
def test_v1_takes_a_name_as_it_is(text):
    assert FieldPath.parse(text, FieldSyntax.V1).steps == (text,)


@pytest.mark.parametrize(("text", "position"), [("`a", 0), ("`a`b", 0), ("x.`a", 2), ("`a\\`", 0), ("`", 0)])
def test_an_open_backtick_is_refused_with_its_position(text, position):
    with pytest.raises(ConfigError, match=f"Incomplete backtick pair in path.*position {position} to escape it"):
        FieldPath.parse(text, FieldSyntax.V2)


INNER = SchemaBuilder.struct().field("x", INT32).field("y", OPTIONAL_STRING).build()
OUTER = SchemaBuilder.struct().field("in", INNER).field("n", INT32).build()
PATH = FieldPath(("in", "x"))


def test_a_path_finds_a_nested_field_and_its_value():
    assert PATH.field_in(OUTER).schema == INT32
    assert PATH.value_in_struct({"in": {"x": 3}}, OUTER, True) == 3
    assert PATH.value_in_map({"in": {"x": 3}}) == 3


def test_a_path_whose_parent_is_missing_leads_to_nothing():
    assert FieldPath(("no", "x")).field_in(OUTER) is None
    assert PATH.value_in_struct({"in": None}, OUTER, True) is None
    assert PATH.value_in_map({}) is None


def test_a_path_through_something_that_has_no_fields_is_an_error():
    with pytest.raises(DataError, match="Cannot look up fields on non-struct type"):
        FieldPath(("n", "x")).field_in(OUTER)
    with pytest.raises(DataError, match=r"found: java\.lang\.String"):
        PATH.value_in_map({"in": "text"})


def test_a_default_replaces_a_null_only_where_asked_for():
    schema = SchemaBuilder.struct().field("a", SchemaBuilder(INT32.type).optional().default(7).build()).build()
    assert FieldPath(("a",)).value_in_struct({}, schema, True) == 7
    assert FieldPath(("a",)).value_in_struct({}, schema, False) is None
