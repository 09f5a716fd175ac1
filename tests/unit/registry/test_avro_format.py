"""The Avro schema language: texts, checks, normal form, and who can read whom."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from penstock.api import InvalidSchemaError, SchemaReference
from penstock_registry.formats.avro import AvroFormat
from penstock_registry.formats.avro.canonical import java_json

FORMAT = AvroFormat()
CORPUS = Path(__file__).parents[2] / "vectors" / "compat_avro.jsonl"
VERDICTS = [json.loads(line) for line in CORPUS.read_text(encoding="utf-8").split("\n") if line]


def canonical(text: Any) -> str:
    return FORMAT.parse(text if isinstance(text, str) else json.dumps(text)).canonical


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('"int"', '"int"'),
        ('{"type": "int"}', '"int"'),
        ('{"type": {"type": "string"}}', '"string"'),
        (
            '{"type":"record","fields":[{"doc":"d","type":"int","name":"a","default":1}],"x":1,"name":"n.s.R","doc":"D"}',
            '{"type":"record","name":"R","namespace":"n.s","doc":"D","fields":[{"name":"a","type":"int","doc":"d","default":1}],"x":1}',
        ),
        (
            '{"type":"record","name":"R","namespace":"a","fields":[{"name":"x","type":{"type":"enum","name":"E","symbols":["A"]}},'
            '{"name":"y","type":"a.E"},{"name":"z","type":{"type":"fixed","name":"b.F","size":2}},{"name":"w","type":"b.F"}]}',
            '{"type":"record","name":"R","namespace":"a","fields":[{"name":"x","type":{"type":"enum","name":"E","symbols":["A"]}},'
            '{"name":"y","type":"E"},{"name":"z","type":{"type":"fixed","name":"F","namespace":"b","size":2}},{"name":"w","type":"b.F"}]}',
        ),
        (
            '{"type":"record","name":"N","fields":[{"name":"next","type":["null","N"],"default":null}]}',
            '{"type":"record","name":"N","fields":[{"name":"next","type":["null","N"],"default":null}]}',
        ),
        ('{"type":"string","p":"a\\u0001\\u00e9/\\""}', '{"type":"string","p":"a\\u0001é/\\""}'),
    ],
)
def test_text_takes_the_form_of_java_s_to_string(text: str, expected: str) -> None:
    assert canonical(text) == expected
    assert canonical(expected) == expected


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("{", "not valid JSON"),
        ('{"type":"nothing"}', "Undefined schema"),
        ('{"type":"record","name":"R"}', "Record has no fields"),
        ('{"type":"record","fields":[]}', "No name in schema"),
        ('{"type":"record","name":"1R","fields":[]}', "Illegal initial character: 1R"),
        ('{"type":"record","name":"a-b","fields":[]}', "Illegal character in: a-b"),
        ('{"type":"record","name":"R","fields":[{"name":"a"}]}', "No field type"),
        (
            '{"type":"record","name":"R","fields":[{"name":"a","type":"int"},{"name":"a","type":"int"}]}',
            "Duplicate field a",
        ),
        (
            '{"type":"record","name":"R","fields":[{"name":"a","type":"int","default":"x"}]}',
            "Invalid default for field a",
        ),
        (
            '{"type":"record","name":"R","fields":[{"name":"a","type":["null","int"],"default":1}]}',
            "Invalid default for field a",
        ),
        ('{"type":"enum","name":"E","symbols":["A","A"]}', "Duplicate enum symbol: A"),
        ('{"type":"enum","name":"E","symbols":["A"],"default":"B"}', "is not in the enum symbol set: [A]"),
        ('{"type":"fixed","name":"F"}', "Invalid or no size"),
        ('["int","int"]', "Duplicate in union:int"),
        ('["int",["string"]]', "Nested union"),
        ('{"type":"array"}', "Array has no items type"),
        ('{"type":"map"}', "Map has no values type"),
        ("[" * 5000 + "]" * 5000, ""),
        ('{"type":"int","p":' + "9" * 5000 + "}", "Avro schema has a number of 5000 digits: 99999999999999999999..."),
    ],
)
def test_what_is_wrong_with_a_schema_is_said(text: str, message: str) -> None:
    with pytest.raises(InvalidSchemaError) as caught:
        FORMAT.parse(text)
    assert message in caught.value.message


def test_a_name_is_defined_once() -> None:
    with pytest.raises(InvalidSchemaError, match="Can't redefine: R"):
        FORMAT.parse(
            '{"type":"record","name":"R","fields":[{"name":"a","type":{"type":"record","name":"R","fields":[]}}]}'
        )


def test_references_stay_names_and_are_written_out_on_request() -> None:
    inner = '{"type":"record","name":"Inner","namespace":"dep","fields":[{"name":"a","type":"int"}]}'
    reference = SchemaReference("dep.Inner", "dep", 1)
    text = '{"type":"record","name":"Outer","fields":[{"name":"i","type":"dep.Inner"}]}'
    schema = FORMAT.parse(text, [reference], {"dep.Inner": inner})
    assert schema.canonical == text
    assert schema.references == (reference,)
    assert '"fields":[{"name":"a","type":"int"}]' in schema.formatted("resolved")
    with pytest.raises(InvalidSchemaError, match="Undefined schema"):
        FORMAT.parse(text)


def test_normal_form_sorts_what_has_no_meaning() -> None:
    one = FORMAT.parse('{"type":"record","name":"R","fields":[],"b":{"y":1,"x":2},"a":1}')
    other = FORMAT.parse('{"type":"record","name":"R","fields":[],"a":1,"b":{"x":2,"y":1}}')
    assert one.canonical != other.canonical
    assert one.normalized().canonical == other.normalized().canonical
    assert one.normalized().normalized().canonical == one.normalized().canonical


def test_an_alias_of_no_namespace_is_read_back_as_one() -> None:
    text = '{"type":"record","name":"R","namespace":"a","fields":[],"aliases":["Q",".Z","b.Q","a.Y"]}'
    schema = FORMAT.parse(text)
    assert FORMAT.parse(schema.canonical).schema.aliases == schema.schema.aliases == ("a.Q", ".Z", "b.Q", "a.Y")
    normal = schema.normalized().canonical
    assert FORMAT.parse(normal).normalized().canonical == normal


@pytest.mark.parametrize(
    ("number", "shown"),
    [
        (1.0, "1.0"),
        (1e21, "1.0E21"),
        (1.5e-5, "1.5E-5"),
        (123456.75, "123456.75"),
        (1e7, "1.0E7"),
        (-0.0, "-0.0"),
        (0.001, "0.001"),
    ],
)
def test_numbers_look_as_in_java(number: float, shown: str) -> None:
    assert java_json(number) == shown


def _messages(case: dict[str, Any]) -> list[str] | None:
    """The verdict over all levels, made of the format's one-way answer; None where a schema is invalid."""
    old = case["old"] if isinstance(case["old"], list) else [case["old"]]
    new = FORMAT.parse(case["new"])
    level = case["level"]
    previous = [FORMAT.parse(text) for text in old][::-1]
    if level == "NONE":
        return []
    found: list[str] = []
    for schema in previous if level.endswith("TRANSITIVE") else previous[:1]:
        if level.startswith(("FORWARD", "FULL")):
            found += [m.replace("%new%", "old").replace("%old%", "new") for m in schema.incompatibilities(new)]
        if level.startswith(("BACKWARD", "FULL")):
            found += [m.replace("%new%", "new").replace("%old%", "old") for m in new.incompatibilities(schema)]
        if found:
            return found
    return found


@pytest.mark.parametrize("case", VERDICTS, ids=lambda case: case["id"])
def test_it_finds_compatible_what_the_registry_finds_compatible(case: dict[str, Any]) -> None:
    if case["compatible"] is None:
        with pytest.raises(InvalidSchemaError):
            _messages(case)
        return
    found = _messages(case)
    assert (not found) == case["compatible"]
    if case.get("messages"):
        assert sorted(found or []) == sorted(m for m in case["messages"] if "errorType" in m)


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"float","a":null}',
        '{"type":"array","items":"int","a":null}',
        '{"type":"record","name":"R","fields":[{"name":"f","type":"int","b":null}],"a":null}',
    ],
)
def test_a_property_that_is_null_stays(text: str) -> None:
    parsed = AvroFormat().parse(text, (), {})
    assert parsed.canonical == parsed.normalized().canonical == text


@pytest.mark.parametrize(
    ("text", "normalized"),
    [
        ('{"type":"int","logicalType":"date","a":1}', '{"type":"int","logicalType":"date","a":1}'),
        (
            '{"type":"int","a":1,"logicalType":"timestamp-millis"}',
            '{"type":"int","a":1,"logicalType":"timestamp-millis"}',
        ),
        (
            '{"type":"bytes","scale":2,"a":1,"precision":5,"logicalType":"decimal"}',
            '{"type":"bytes","logicalType":"decimal","precision":5,"scale":2,"a":1}',
        ),
        (
            '{"type":"bytes","scale":0,"a":1,"precision":5,"logicalType":"decimal"}',
            '{"type":"bytes","logicalType":"decimal","precision":5,"a":1,"scale":0}',
        ),
        (
            '{"type":"bytes","scale":7,"a":1,"precision":5,"logicalType":"decimal"}',
            '{"type":"bytes","a":1,"logicalType":"decimal","precision":5,"scale":7}',
        ),
    ],
)
def test_a_logical_type_comes_first_in_normalized_text_where_it_is_one(text: str, normalized: str) -> None:
    """``AvroSchemaUtils``; each text is what Confluent's class made of it."""
    assert AvroFormat().parse(text, (), {}).normalized().canonical == normalized


@pytest.mark.parametrize(
    "text",
    [
        '/* licence\n of somebody */\n{"type":"record","name":"R", // the record\n "fields":[]}',
        '{"type":"record","name":"R","fields":[]} // at the end',
        '//\r\n{"type":/**/"record","name"/* " */:"R","fields":[/*]*/]}',
    ],
)
def test_comments_are_read_and_not_kept(text: str) -> None:
    assert canonical(text) == '{"type":"record","name":"R","fields":[]}'


def test_what_only_looks_like_a_comment_stays() -> None:
    text = '{"type":"record","name":"R","doc":"http://x /* y */ \\"// z","fields":[]}'
    assert canonical(text) == text
    assert canonical("// c\n" + text) == text


@pytest.mark.parametrize("text", ['/* {"type":"int"}', '"int" /', '/* a *"int"'])
def test_half_a_comment_is_no_json(text: str) -> None:
    with pytest.raises(InvalidSchemaError, match="not valid JSON"):
        FORMAT.parse(text)


def test_an_error_is_a_record_with_another_word() -> None:
    error = '{"type":"error","name":"E","fields":[{"name":"a","type":"int"}]}'
    record = error.replace('"error"', '"record"')
    assert canonical(error) == error
    assert FORMAT.parse(error).normalized().canonical == error
    assert FORMAT.parse(error).record_name == "E"
    assert FORMAT.parse(error).incompatibilities(FORMAT.parse(record)) == []
    assert FORMAT.parse(record).incompatibilities(FORMAT.parse(error)) == []
    assert FORMAT.parse(f'["null",{record}]').incompatibilities(FORMAT.parse(error)) == []
    found = FORMAT.parse('"int"').incompatibilities(FORMAT.parse(error))
    assert "reader type: INT not compatible with writer type: RECORD" in found[0]
