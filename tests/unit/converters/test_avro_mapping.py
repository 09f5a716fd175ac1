"""Rules of ``AvroData`` that the recorded cases do not meet; what is expected here release 7.0.16 said when it was asked."""

from __future__ import annotations

import json
import logging
import math
from collections.abc import Iterator
from typing import Any

import pytest

from penstock.data import Schema
from penstock.errors import DataError
from penstock_converters.avro.converter import AvroConverter
from penstock_registry.client import MemoryClient, drop_mock, mock_client

SCOPE = "avro-mapping"
FLAG = "io.confluent.connect.avro.field.default"
ENUM = {"type": "enum", "name": "E", "doc": "edoc", "symbols": ["A", "B"], "default": "B"}


@pytest.fixture(autouse=True)
def registry() -> Iterator[MemoryClient]:
    drop_mock(SCOPE)
    yield mock_client(SCOPE)
    drop_mock(SCOPE)


def converter(**settings: str) -> AvroConverter:
    made = AvroConverter()
    made.configure(
        {"schema.registry.url": f"mock://{SCOPE}", **{k.replace("_", "."): v for k, v in settings.items()}}, False
    )
    return made


def read(registry: MemoryClient, schema: Any, payload: str, made: AvroConverter) -> tuple[Schema, Any]:
    number = registry.register("t-value", json.dumps(schema)).id
    found = made.to_connect("t", b"\0" + number.to_bytes(4, "big") + bytes.fromhex(payload))
    assert found.schema is not None
    return found.schema, found.value


def record(*fields: Any) -> dict[str, Any]:
    return {"type": "record", "name": "R", "fields": list(fields)}


def field(kind: Any, **more: Any) -> dict[str, Any]:
    return record({"name": "a", "type": kind, **more})


def registered_again(registry: MemoryClient, schema: Any, payload: str, **settings: str) -> Any:
    """The schema that is registered when what was read is written again."""
    made = converter(**settings)
    connect, value = read(registry, schema, payload, made)
    data = made.from_connect("u", connect, value)
    assert data is not None
    return json.loads(registry.schema_by_id(int.from_bytes(data[1:5], "big")).schema)


def test_a_default_that_came_from_a_field_goes_back_there_and_leaves_no_mark(registry: MemoryClient) -> None:
    written = registered_again(registry, field("int", default=7), "02")
    assert written["fields"] == [{"name": "a", "type": "int", "default": 7}]


def test_properties_that_begin_with_avro_survive(registry: MemoryClient) -> None:
    kind = {"type": "string", "avro.java.string": "String"}
    written = registered_again(registry, field(kind), "00", connect_meta_data="false")
    assert written["fields"][0]["type"] == kind
    schema, _ = read(registry, field({"type": "int", "avroL": [1, "x"], "avroM": {"k": True}}), "02", converter())
    assert dict(schema.fields[0].schema.parameters) == {"avroL": "[1, x]", "avroM": "{k=true}"}


@pytest.mark.parametrize(("meta", "marks"), [("true", True), ("false", False)])
def test_with_discarded_docs_all_named_types_have_theirs(registry: MemoryClient, meta: str, marks: bool) -> None:
    made = converter(discard_type_doc_default="true", connect_meta_data=meta)
    schema, _ = read(registry, ENUM, "00", made)
    assert schema.doc == "edoc"
    assert schema.parameters.get("connect.record.doc") == ("edoc" if marks else None)
    assert not any("enum.default" in key for key in schema.parameters)
    schema, _ = read(registry, {"type": "fixed", "name": "Fx", "size": 1, "doc": "fxd"}, "01", made)
    assert (schema.doc, schema.parameters.get("connect.record.doc")) == ("fxd", "fxd" if marks else None)


@pytest.mark.parametrize(
    ("kind", "given", "expected"),
    [
        ("int", "x", None),
        ("int", 3_000_000_000, None),
        ("int", -1.9, None),
        ("int", 7, 7),
        ("long", 2**63, None),
        ("double", "1.5", None),
        ("double", "NaN", math.nan),
        ("boolean", "yes", None),
        ("boolean", 2, None),
        ("boolean", "true", True),
        ("boolean", 1, True),
        ("string", 5, "5"),
        ("string", [1], None),
        ("bytes", "\u4e2d", None),
        ("bytes", 5, None),
    ],
)
def test_a_connect_default_is_read_as_what_it_is_or_ignored_with_a_warning(
    registry: MemoryClient, kind: str, given: Any, expected: Any, caplog: pytest.LogCaptureFixture
) -> None:
    payload = "00" * (8 if kind == "double" else 1)
    schema, _ = read(registry, field({"type": kind, "connect.default": given}), payload, converter())
    found = schema.fields[0].schema.default
    assert found == expected or (math.isnan(expected) and math.isnan(found))
    assert type(found) is type(expected)
    assert ("Ignoring invalid default" in caplog.text) is (expected is None)


def test_a_connect_default_that_is_too_wide_for_its_type_is_ignored(registry: MemoryClient) -> None:
    kind = {"type": "int", "connect.type": "int8", "connect.default": 300}
    assert read(registry, field(kind), "02", converter())[0].fields[0].schema.default is None


MAP_ENTRY = {"type": "record", "name": "MapEntry", "namespace": "io.confluent.connect.avro",
             "fields": [{"name": "key", "type": "int"}, {"name": "value", "type": ["null", "string"]}]}  # fmt: skip
ENTRIES = {"type": "array", "items": MAP_ENTRY}


@pytest.mark.parametrize(
    ("kind", "default", "expected", "flag"),
    [
        ("int", "x", None, False),
        ("int", 1.5, None, False),
        ("int", True, None, True),
        ("int", 5_000_000_000, None, True),
        ("string", 5, None, False),
        ("boolean", "true", None, False),
        ("double", "NaN", float("nan"), True),
        ("bytes", 5, None, False),
        ({"type": "map", "values": "int"}, [1], None, False),
        ({"type": "array", "items": "int"}, ["x"], None, True),
        (ENTRIES, [], {}, True),
        (ENTRIES, [{"key": 1, "value": None}], None, True),
        ([{"type": "record", "name": "I", "fields": [{"name": "x", "type": "int"}]}, "string"], {"x": 3}, None, True),
        (["long", "int"], 5, {"long": 5}, True),
    ],
)
def test_a_field_s_default_that_is_none_of_its_type_is_left_out(
    registry: MemoryClient, kind: Any, default: Any, expected: Any, flag: bool, caplog: pytest.LogCaptureFixture
) -> None:
    made = converter()
    with caplog.at_level(logging.WARNING):
        schema, _ = read(registry, field(kind, default=default), "00" * 8, made)
    found = schema.fields[0].schema
    assert found.default == expected or (expected != expected and found.default != found.default)
    assert (FLAG in found.parameters) is flag


def test_a_union_s_default_is_its_first_branch_s(registry: MemoryClient) -> None:
    written = registered_again(registry, field(["int", "string"], default=5), "0002")
    assert written["fields"] == [{"name": "a", "type": ["int", "string"], "default": 5}]


def test_two_branches_that_become_one_type_are_refused(registry: MemoryClient) -> None:
    made = converter()
    schema, value = read(registry, field(["string", ENUM]), "0200", made)
    with pytest.raises(DataError, match="Duplicate in union:string"):
        made.from_connect("u", schema, value)


def test_annotations_that_are_no_text_are_not_there(registry: MemoryClient) -> None:
    schema, _ = read(registry, field({"type": "int", "connect.doc": 5, "connect.type": 5}), "02", converter())
    assert (schema.fields[0].schema.doc, schema.fields[0].schema.type.value) == (None, "int32")


def test_points_in_time_that_python_cannot_hold_may_be_defaults(registry: MemoryClient) -> None:
    kinds = [
        ({"type": "int", "logicalType": "date"}, 3_000_000, 3_000_000 * 86_400_000),
        ({"type": "long", "logicalType": "timestamp-millis"}, 2**60, 2**60),
        ({"type": "int", "logicalType": "time-millis"}, 86_400_000, 86_400_000),
    ]
    for kind, default, expected in kinds:
        written = registered_again(registry, field(kind, default=default), "00")
        assert written["fields"][0]["default"] == default
        assert read(registry, field(kind, default=default), "00", converter())[0].fields[0].schema.default == expected
