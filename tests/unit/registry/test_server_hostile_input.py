"""What once took the registry down, kept it busy for ever, or went unsaid: each a case of its own."""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from typing import Any

import pytest
from starlette.testclient import TestClient

from penstock.api import InvalidSchemaError
from penstock_registry.formats.avro import AvroFormat
from penstock_registry.formats.jsonschema import JsonSchemaFormat
from penstock_registry.formats.protobuf import ProtobufFormat
from penstock_registry.server.formats import Formats
from penstock_registry.server.http.app import make_app
from penstock_registry.server.registry import Registry
from penstock_registry.store import MemoryStore


@pytest.fixture
def asked() -> Iterator[TestClient]:
    registry = Registry(MemoryStore(), Formats())
    registry.start()
    yield TestClient(make_app(registry, version="1", identity={}, max_request_size=1 << 20))
    registry.close()


def cpu(work: Any) -> float:
    began = time.process_time()
    work()
    return time.process_time() - began


def nested_records(depth: int) -> str:
    opened = "".join(f'{{"type":"record","name":"R{i}","fields":[{{"name":"f","type":' for i in range(depth))
    return opened + '"int"' + "}]}" * depth


def chained_records(length: int) -> str:
    """Not nested in the text, but each has the one before it for a field."""
    first = {"type": "record", "name": "R0", "fields": []}
    rest = [
        {"type": "record", "name": f"R{i}", "fields": [{"name": "f", "type": f"R{i - 1}"}]} for i in range(1, length)
    ]
    return json.dumps([first, *rest])


@pytest.mark.parametrize(
    "text",
    [
        nested_records(150), '{"type":"record","name":"R","fields":[{"name":"f","type":"R","default":{}}]}',
        '{"type":"record","name":"R","fields":[{"name":"f","type":"double","default":%s}]}' % ("9" * 400),
        '{"type":"record","name":"R","fields":[{"name":"f","type":"float","default":1e999}]}',
        '{"type":"string","x":' + "[" * 300 + "]" * 300 + "}",
    ],
)  # fmt: skip
def test_avro_that_goes_beyond_all_measure_is_refused(text: str) -> None:
    with pytest.raises(InvalidSchemaError):
        AvroFormat().parse(text)


def test_avro_types_in_a_long_chain_are_compared_in_bounded_time() -> None:
    new, old = AvroFormat().parse(chained_records(1500)), AvroFormat().parse(chained_records(1499))
    assert cpu(lambda: new.incompatibilities(old)) < 10
    assert new.incompatibilities(old) == []
    assert any("MISSING_UNION_BRANCH" in problem for problem in old.incompatibilities(new))


def test_avro_types_with_more_ways_through_them_than_can_be_walked_are_compared() -> None:
    def doubled(kind: str) -> Any:
        inner: dict[str, Any] = {"type": "fixed", "name": "F0", "size": 1}
        for i in range(1, 40):
            fields = [{"name": "a", "type": inner}, {"name": "b", "type": inner["name"]}]
            inner = {"type": "record", "name": f"R{i}", "fields": fields}
        last = {"type": "record", "name": "Last", "fields": [{"name": "r", "type": inner}, {"name": "k", "type": kind}]}
        return AvroFormat().parse(json.dumps(last))

    assert cpu(lambda: doubled("int").incompatibilities(doubled("int"))) < 5
    wider = json.loads(doubled("int").canonical.replace('"size":1', '"size":2'))
    assert len(AvroFormat().parse(json.dumps(wider)).incompatibilities(doubled("int"))) == 1000
    assert [p.partition(",")[0] for p in doubled("int").incompatibilities(doubled("long"))] == [
        "{errorType:'TYPE_MISMATCH'"
    ]


def test_a_referenced_types_name_alone_reads_back_once_registered(asked: TestClient) -> None:
    record = {
        "type": "record",
        "name": "R",
        "fields": [{"name": "s", "type": {"type": "fixed", "name": "S", "size": 1}}],
    }
    assert asked.post("/subjects/r/versions", json={"schema": json.dumps(record)}).status_code == 200
    reference = {"name": "R", "subject": "r", "version": 1}
    alone = {"schema": '"R"', "references": [reference]}
    assert asked.post("/subjects/alone/versions", json=alone).status_code == 200
    shown = asked.get("/subjects/alone/versions/1?format=resolved")
    assert shown.status_code == 200, shown.text
    assert json.loads(shown.json()["schema"]) == record
    assert asked.post("/compatibility/subjects/alone/versions/latest", json=alone).json() == {"is_compatible": True}


@pytest.mark.parametrize(
    "text",
    [
        '{"type":"string","minLength":1e999999999}', '{"type":"number","minimum":1e99999999999999999999}',
        '{"type":"number","multipleOf":1e-999999999}', '{"type":"string","maxLength":%s}' % ("9" * 30),
        '{"items":' * 300 + "true" + "}" * 300, '{"$ref":"http://127.0.0.1:9/x"}', '{"$ref":"file:///etc/passwd"}',
    ],
)  # fmt: skip
def test_json_schemas_beyond_all_measure_or_elsewhere_are_refused(text: str) -> None:
    with pytest.raises(InvalidSchemaError):
        JsonSchemaFormat().parse(text)


def test_a_pattern_cannot_keep_the_registry_busy() -> None:
    name = "a" * 60 + "!"
    closed = {"type": "object", "additionalProperties": False}
    old = JsonSchemaFormat().parse(json.dumps({**closed, "patternProperties": {"^(a+)+$": {"type": "string"}}}))
    new = JsonSchemaFormat().parse(json.dumps({**closed, "properties": {name: {"type": "integer"}}}))
    assert cpu(lambda: new.incompatibilities(old)) < 5
    # Patterns still count, those with a look ahead too: one that matches says that the property was a string.
    for pattern, matches in (("^a+!$", True), ("^b", False), ("^(?=a)a", True), ("[", False)):
        old = JsonSchemaFormat().parse(json.dumps({**closed, "patternProperties": {pattern: {"type": "string"}}}))
        assert bool(new.incompatibilities(old)) is matches, pattern


def test_schemas_that_refer_to_one_another_are_compared_in_bounded_time() -> None:
    count = 150
    properties = {
        f"p{i}": {"type": "object", "properties": {"a": {"$ref": "#"}, "b": {"$ref": f"#/properties/p{i * 7 % count}"}}}
        for i in range(count)
    }
    first = JsonSchemaFormat().parse(json.dumps({"properties": properties}))
    same = JsonSchemaFormat().parse(json.dumps({"properties": properties}))
    assert cpu(lambda: same.incompatibilities(first)) < 20
    assert same.incompatibilities(first) == []
    properties["p3"] = {"type": "string"}
    changed = JsonSchemaFormat().parse(json.dumps({"properties": properties}))
    assert any("TYPE_CHANGED" in problem for problem in changed.incompatibilities(first))


def test_numbers_far_apart_are_multiples_or_not() -> None:
    def schema(multiple: str) -> Any:
        return JsonSchemaFormat().parse('{"type":"number","multipleOf":' + multiple + "}")

    assert schema("1e-200").incompatibilities(schema("1e200")) == []
    assert "MULTIPLE_OF_EXPANDED" in schema("1e200").incompatibilities(schema("1e-200"))[0]


@pytest.mark.parametrize("count", [1, 50])
def test_types_named_over_and_over_cost_what_one_costs(count: int) -> None:
    text = json.dumps({"type": ["object"] * count * 20, "dependencies": {f"k{i}": ["a"] for i in range(2000)}})
    assert cpu(lambda: JsonSchemaFormat().parse(text)) < 5


@pytest.mark.parametrize(
    "text",
    [
        "message M { " + "map<string," * 3000 + "int32" + ">" * 3000 + " a = 1; }",
        "CgdkZWZhdWx0EgAiDgoBQRIKCgFhGAEgASgFYgZ3cm90bzM=", "CgdkZWZhdWx0EgAiEgoBQRINCgH6GAEgAygLMgIuQiIDCgFCYgZwcm90bzM=",
        "CgdkZWZhdWx0EgBSEgoBQRINCgFlGAEBKA4yAi5FKhEKAUUSBQoBWBAAEgUKAVkQAWIGcHJvdG8z",
    ],
)  # fmt: skip
def test_protobuf_that_no_text_can_say_is_refused(text: str) -> None:
    with pytest.raises(InvalidSchemaError):
        ProtobufFormat().parse(text)


def test_a_protobuf_range_that_no_descriptor_holds_is_shown_as_text() -> None:
    parsed = ProtobufFormat().parse(
        "syntax = 'proto3'; message M { reserved 1 to 2147483648600; int32 a = 2147483648601; }"
    )
    assert parsed.formatted("serialized") == parsed.canonical


@pytest.mark.parametrize("version", ["9" * 5000, "+" + "9" * 5000, "4294967297", "٣", "0", "1_0", " 1"])
def test_a_version_that_is_none_is_refused(version: str, asked: TestClient) -> None:
    assert asked.get(f"/subjects/s/versions/{version}").json()["error_code"] == 42202


def test_a_version_may_have_zeros_before_it(asked: TestClient) -> None:
    asked.post("/subjects/s/versions", json={"schema": '"int"'})
    assert asked.get("/subjects/s/versions/0001").json()["version"] == 1


@pytest.mark.parametrize("number", ["1e400", "-1e400", '"1_0"', '"٣"', '"' + "9" * 5000 + '"', "[]", "true"])
def test_an_id_that_is_no_integer_is_refused(number: str, asked: TestClient) -> None:
    answer = asked.post("/subjects/s/versions", content='{"schema":"\\"int\\"","id":' + number + "}")
    assert (answer.status_code, answer.json()["error_code"]) == (400, 400)


@pytest.mark.parametrize(
    "text",
    [
        "[" * 201 + '"' + '\\"' * 32_000,
        '"' * 100_001 + "{" * 201,
        '"\\' * 50_000 + "{" * 201,
        "{" * 201 + "\\" * 99_999,
    ],
)
def test_how_deep_a_text_is_nested_is_told_in_one_pass(text: str, asked: TestClient) -> None:
    assert cpu(lambda: asked.post("/subjects/x", json={"schema": text})) < 1
    assert asked.post("/subjects/x/versions", json={"schema": text}).status_code == 422
