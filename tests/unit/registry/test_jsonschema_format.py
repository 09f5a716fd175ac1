"""The JSON Schema language: texts, dialects, references, normal form, and which changes are compatible."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from penstock.api import InvalidSchemaError, SchemaReference
from penstock_registry.formats.jsonschema import JsonParsedSchema, JsonSchemaFormat
from penstock_registry.formats.jsonschema import model as m
from penstock_registry.formats.jsonschema.matching import maximum_matching

FORMAT = JsonSchemaFormat()
CORPUS = Path(__file__).parents[2] / "vectors" / "compat_json.jsonl"
VERDICTS = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").split("\n") if line]
MODERN = "https://json-schema.org/draft/2020-12/schema"


def parse(schema: Any, **referenced: str) -> JsonParsedSchema:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    return FORMAT.parse(text, [SchemaReference(name, name, 1) for name in referenced], referenced)


# --- texts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('{ "type" : "object",\n "properties": {"b": {}, "a": true} }', '{"type":"object","properties":{"b":{},"a":true}}'),
        (' true ', "true"),
        ('{"default":1.50,"minimum":10000000000000000000000}', '{"default":1.50,"minimum":10000000000000000000000}'),
        ('{"title":"\\u00e9\\u0001/\\ud83d\\ude00"}', '{"title":"é\\u0001/😀"}'),
        ('{"x":1e3}', '{"x":1E+3}'),
    ],
)  # fmt: skip
def test_a_text_keeps_its_order_and_its_numbers(text: str, expected: str) -> None:
    assert parse(text).canonical == expected
    assert parse(expected).canonical == expected


def test_normal_form_orders_members_and_references() -> None:
    references = [SchemaReference("b", "b", 1), SchemaReference("a", "a", 2)]
    texts = {"a": "true", "b": "true"}
    one = FORMAT.parse('{"type":"object","a":{"z":1,"y":[2,1]}}', references, texts).normalized()
    other = FORMAT.parse('{"a":{"y":[2,1],"z":1},"type":"object"}', references[::-1], texts).normalized()
    assert one.canonical == '{"a":{"y":[2,1],"z":1},"type":"object"}'
    assert one == other
    assert [reference.name for reference in one.references] == ["a", "b"]


def test_the_title_is_the_name() -> None:
    assert parse({"title": "T"}).name == "T"
    assert parse({"type": "string"}).name is None
    assert parse("true").name is None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("nope", "Invalid JSON schema: Expecting value"),
        ("[]", "expected an object or boolean at the root, found ARRAY"),
        ('{"type":"text"}', r"#: unknown type: \[text\]"),
        ('{"properties":{"a":1}}', "#/properties/a: expected an object or boolean, found NUMBER"),
        ('{"properties":{"a":{"minLength":"x"}}}', "#/properties/a/minLength: expected a number, found STRING"),
        ('{"required":[1]}', "#/required: expected an array of strings, found ARRAY"),
        ('{"multipleOf":0}', "multipleOf should not be 0"),
        ('{"$ref":"#/definitions/x"}', "the reference #/definitions/x leads to nothing"),
        ('{"$ref":"other.json"}', "schemas are never fetched"),
        ('{"$ref":"http://127.0.0.1:1/x.json"}', "schemas are never fetched"),
        ('{"$ref":"file:///etc/hostname"}', "schemas are never fetched"),
        ('{"$id":1,"$ref":"a"}', "Invalid JSON schema"),
        ('{"title":1}', "#/title: expected a string, found NUMBER"),
        ("[" * 100_000, "Invalid JSON schema"),
        ('{"not":' * 500 + "true" + "}" * 500, "nested more than 200 levels"),
        ('{"x":NaN}', "NaN is not JSON"),
        ('{"x":1' + "0" * 5000 + "}", "a number of 5001 digits"),
    ],
)
def test_what_is_wrong_with_a_schema_is_said(text: str, message: str) -> None:
    with pytest.raises(InvalidSchemaError, match=message):
        parse(text)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(
        st.sampled_from(
            ["type", "properties", "items", "$ref", "$id", "id", "allOf", "oneOf", "enum", "not", "required", "default",
             "additionalProperties", "patternProperties", "dependencies", "$schema", "definitions", "const", "if",
             "multipleOf", "minimum", "prefixItems", "title", "connect.index", "$anchor", "$defs"]
        ),
        inner | st.sampled_from(["string", "object", "#", "#/definitions", "integer", MODERN]),
        max_size=4,
    ),
    max_leaves=12,
)  # fmt: skip


@given(json_values, json_values)
@settings(max_examples=150, deadline=None)
def test_any_json_is_a_schema_or_refused_as_an_invalid_one(one: Any, other: Any) -> None:
    parsed = []
    for tree in (one, other):
        try:
            parsed.append(parse(tree))
        except InvalidSchemaError:
            continue
    for schema in parsed:
        assert schema.incompatibilities(schema) == []
        assert parse(schema.canonical) == schema
    if len(parsed) == 2:
        parsed[0].incompatibilities(parsed[1])


# --- dialects


def test_each_dialect_reads_its_own_keywords() -> None:
    four = parse(
        {"$schema": "http://json-schema.org/draft-04/schema#", "minimum": 1, "exclusiveMinimum": True, "const": 1}
    )
    assert isinstance(four.node, m.NumberNode)
    assert (four.node.minimum, four.node.exclusive_minimum) == (None, 1)
    seven = parse({"type": "array", "prefixItems": [True], "dependentRequired": {"a": ["b"]}})
    assert isinstance(seven.node, m.ArrayNode)
    assert seven.node.tuple_items is None
    modern = parse({"$schema": MODERN, "type": "array", "prefixItems": [{"type": "string"}], "items": False})
    assert isinstance(modern.node, m.ArrayNode)
    assert modern.node.closed
    assert [type(node) for node in modern.node.tuple_items or ()] == [m.StringNode]
    dependent = parse({"$schema": MODERN, "type": "object", "dependentRequired": {"a": ["b"]}})
    assert isinstance(dependent.node, m.ObjectNode)
    assert dependent.node.property_dependencies == {"a": frozenset({"b"})}


def test_keywords_of_several_kinds_make_a_combination() -> None:
    node = parse({"type": "string", "enum": ["a"], "minimum": 1}).node
    assert isinstance(node, m.Combined)
    assert node.synthetic
    assert [type(part) for part in node.subschemas] == [m.Enumeration, m.StringNode, m.NumberNode]


# --- references


@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "#/definitions/x", "definitions": {"x": {"type": "string"}}},
        {"$schema": MODERN, "$ref": "#/$defs/x", "$defs": {"x": {"type": "string"}}},
        {"$ref": "#x", "definitions": {"x": {"$id": "#x", "type": "string"}}},
        {"$schema": MODERN, "$ref": "#x", "$defs": {"y": {"$anchor": "x", "type": "string"}}},
        {
            "$schema": MODERN,
            "$id": "http://e.x/a",
            "$ref": "b",
            "$defs": {"x": {"$id": "http://e.x/b", "type": "string"}},
        },
        {"$ref": "#/definitions/a~1b", "definitions": {"a/b": {"type": "string"}}},
    ],
)
def test_a_reference_within_the_text_is_followed(schema: Any) -> None:
    assert isinstance(m.resolve(parse(schema).node), m.StringNode)


@pytest.mark.parametrize("root", [{}, {"$id": "http://e.x/dir/root.json"}])
def test_a_registered_reference_is_followed_by_name(root: dict[str, Any]) -> None:
    schema = parse({**root, "$ref": "other.json#/definitions/x"}, **{
        "other.json": '{"definitions":{"x":{"$ref":"third.json"}}}', "third.json": '{"type":"string"}',
    })  # fmt: skip
    assert isinstance(m.resolve(schema.node), m.StringNode)


def test_references_that_lead_in_circles_end() -> None:
    schema = parse(
        {"$ref": "#/definitions/a", "definitions": {"a": {"$ref": "#/definitions/b"}, "b": {"$ref": "#/definitions/a"}}}
    )
    assert isinstance(m.resolve(schema.node), m.Reference)
    assert schema.incompatibilities(schema) == []
    assert parse("true").incompatibilities(schema) == []


# --- compatibility


def verdict(case: dict[str, Any]) -> tuple[bool, list[str]]:
    """Whether the registry took the new schema, and its messages about the first pair that does not fit."""
    new = parse(case["new"])
    earlier = case["old"] if isinstance(case["old"], list) else [case["old"]]
    level = case["level"]
    for text in reversed(earlier if level.endswith("TRANSITIVE") else earlier[-1:]):
        old = parse(text)
        messages = []
        if level.startswith(("FORWARD", "FULL")):
            messages += [x.replace("%new%", "old").replace("%old%", "new") for x in old.incompatibilities(new)]
        if level.startswith(("BACKWARD", "FULL")):
            messages += [x.replace("%new%", "new").replace("%old%", "old") for x in new.incompatibilities(old)]
        if messages:
            return False, messages
    return True, []


#: Where the recorded registry fails instead of answering there is no verdict to hold ours to.
ANSWERED = [case for case in VERDICTS if case["compatible"] is not None]


@pytest.mark.parametrize("case", ANSWERED, ids=lambda case: case["id"])
def test_a_change_has_the_registry_s_verdict_and_its_messages(case: dict[str, Any]) -> None:
    compatible, messages = verdict(case)
    assert compatible == case["compatible"]
    if case.get("messages"):
        expected = [text for text in case["messages"] if text.startswith("{errorType")]
        assert sorted(messages) == sorted(expected)


def test_the_registry_s_own_failure_is_no_failure_here() -> None:
    """Lowering exclusiveMaximum makes Confluent's registry answer 500."""
    old, new = parse({"type": "integer", "exclusiveMaximum": 9}), parse({"type": "integer", "exclusiveMaximum": 5})
    assert ["EXCLUSIVE_MAXIMUM_DECREASED" in text for text in new.incompatibilities(old)] == [True]
    assert old.incompatibilities(new) == []


def test_a_schema_of_another_language_is_incompatible() -> None:
    from penstock_registry.formats.avro import AvroFormat

    assert parse("true").incompatibilities(AvroFormat().parse('"int"')) == [
        "Incompatible because of different schema type"
    ]


def test_hostile_schemas_are_compared_in_short_time() -> None:
    def wide(leaf: Any) -> Any:
        definitions: dict[str, Any] = {"d0": leaf}
        for i in range(1, 40):
            ref = {"$ref": f"#/definitions/d{i - 1}"}
            definitions[f"d{i}"] = {
                "oneOf": [{"type": "object", "properties": {"a": ref, "b": ref}}, {"type": "array", "items": ref}]
            }
        return {"$ref": "#/definitions/d39", "definitions": definitions}

    started = time.perf_counter()
    assert parse(wide({"type": "string"})).incompatibilities(parse(wide({"type": "string"}))) == []
    assert parse(wide({"type": "string"})).incompatibilities(parse(wide({"type": "integer"}))) != []
    assert time.perf_counter() - started < 10


@pytest.mark.parametrize(
    ("fitting", "size"), [([], 0), ([[0], [0]], 1), ([[0, 1], [0]], 2), ([[0, 1], [1, 2], [0, 1]], 3), ([[], [3]], 1)]
)
def test_a_maximum_matching_may_have_to_part_a_pair(fitting: list[list[int]], size: int) -> None:
    assert maximum_matching(fitting) == size


OPEN = {"$schema": MODERN, "type": "object"}
AN_INTEGER = {"type": "integer"}


@pytest.mark.parametrize(
    ("old", "new", "kinds"),
    [
        ({"const": 1}, {"const": 1}, []),
        ({"const": 1}, {"const": 2}, ["ENUM_ARRAY_CHANGED"]),
        ({"const": {"a": 1, "b": [{"c": 2, "d": 3}]}}, {"const": {"b": [{"d": 3, "c": 2}], "a": 1}}, []),
        ({"enum": [1, {"a": 1, "b": 2}]}, {"enum": [{"b": 2, "a": 1}, 1]}, []),
        ({"enum": [{"a": 1, "b": 2}]}, {"enum": [{"a": 2, "b": 1}]}, ["ENUM_ARRAY_CHANGED"]),
        ({"type": "string", "const": "a"}, {"type": "string"}, []),
        ({"type": "string"}, {"type": "string", "const": "a"}, ["TYPE_CHANGED"]),
        ({"type": "string", "enum": ["a"]}, {"type": "string"}, []),
        ({"type": "string", "enum": ["a"]}, {"enum": ["a", "b"]}, []),
        ({"type": "string", "enum": ["a"]}, {"type": "integer"}, ["TYPE_CHANGED"]),
        ({"type": "string"}, {"type": "string", "enum": ["a"]}, ["TYPE_CHANGED"]),
        ({"enum": ["a"]}, {"type": "string"}, ["TYPE_CHANGED"]),
        ({"allOf": [AN_INTEGER, {"minimum": 3}]}, AN_INTEGER, []),
        ({"allOf": [AN_INTEGER, {"minimum": 3}]}, {"type": "string"}, ["TYPE_CHANGED"]),
        ({"anyOf": [AN_INTEGER, {"type": "string"}]}, AN_INTEGER, ["TYPE_CHANGED"]),
        ({"allOf": [AN_INTEGER, {"type": "number"}]}, {"oneOf": [{"type": "number"}]}, []),
        ({"type": "string", "connect.type": "bytes"}, {"type": "number", "connect.type": "bytes"}, []),
        (OPEN, {**OPEN, "unevaluatedProperties": False}, ["UNEVALUATED_PROPERTIES_REMOVED"]),
        ({**OPEN, "unevaluatedProperties": False}, OPEN, []),
        (OPEN, {**OPEN, "unevaluatedProperties": AN_INTEGER}, ["UNEVALUATED_PROPERTIES_NARROWED"]),
        (OPEN, {**OPEN, "unevaluatedProperties": True}, ["UNEVALUATED_PROPERTIES_NARROWED"]),
        ({**OPEN, "unevaluatedProperties": AN_INTEGER}, {**OPEN, "unevaluatedProperties": True}, []),
        ({**OPEN, "unevaluatedProperties": True}, {**OPEN, "unevaluatedProperties": AN_INTEGER}, ["UNEVALUATED_PROPERTIES_NARROWED"]),
        ({**OPEN, "unevaluatedProperties": AN_INTEGER}, {**OPEN, "unevaluatedProperties": {"type": "string"}}, ["TYPE_CHANGED"]),
        (
            {**OPEN, "unevaluatedProperties": AN_INTEGER},
            {**OPEN, "unevaluatedProperties": AN_INTEGER, "properties": {"a": {"type": "number"}}},
            [],
        ),
        (
            {**OPEN, "unevaluatedProperties": AN_INTEGER, "properties": {"a": {"type": "string"}}},
            {**OPEN, "unevaluatedProperties": AN_INTEGER},
            ["TYPE_CHANGED", "PROPERTY_REMOVED_NOT_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL"],
        ),
    ],
)  # fmt: skip
def test_constants_demands_and_unevaluated_properties_are_compared(old: Any, new: Any, kinds: list[str]) -> None:
    found = parse(new).incompatibilities(parse(old))
    assert [message.split('"')[1] for message in found] == kinds


def test_a_type_inside_itself_is_compared_with_each_type_it_meets() -> None:
    old = {
        "$ref": "#/definitions/n",
        "definitions": {"n": {"type": "object", "properties": {"next": {"$ref": "#/definitions/n"}}}},
    }
    inner = {"type": "object", "properties": {"next": {"type": "string"}}}
    new = {"type": "object", "properties": {"next": inner}}
    assert [message.split('"')[1] for message in parse(new).incompatibilities(parse(old))] == ["TYPE_CHANGED"]


def test_the_milder_rule_lets_content_models_change() -> None:
    closed = {"type": "object", "properties": {"a": AN_INTEGER}, "additionalProperties": False}
    fewer = {"type": "object", "properties": {}, "additionalProperties": False}
    assert parse(fewer).incompatibilities(parse(closed)) != []
    assert parse(fewer).incompatibilities_lenient(parse(closed)) == []


@pytest.mark.parametrize("draft", ["draft-04", "draft-06", "draft-07"])
def test_dependencies_may_be_names_and_schemas_beside_each_other(draft: str) -> None:
    tree = {
        "$schema": f"http://json-schema.org/{draft}/schema#",
        "dependencies": {"a": {"$ref": "#/definitions/b"}, "c": ["d"]},
        "definitions": {"b": {"type": "object", "dependencies": {"x": {"type": "object"}, "y": ["x"]}}},
    }
    assert parse(tree).incompatibilities(parse(tree)) == []
