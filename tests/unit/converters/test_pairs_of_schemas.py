"""What is written under one schema and read under another is the same value, or an error that names the field."""

from __future__ import annotations

import itertools
import json
import math
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.data import (
    BOOLEAN,
    BYTES,
    FLOAT32,
    FLOAT64,
    INT8,
    INT16,
    INT32,
    INT64,
    STRING,
    Schema,
    SchemaAndValue,
    SchemaBuilder,
    Type,
)
from penstock.errors import DataError
from penstock.java.numbers import to_float32
from penstock_converters.avro.converter import AvroConverter
from penstock_converters.blame import names_a_field
from penstock_converters.json.converter import JsonConverter
from penstock_converters.jsonschema.converter import JsonSchemaConverter
from penstock_converters.protobuf.converter import ProtobufConverter
from penstock_registry.client import drop_mock, mock_client
from penstock_registry.client.factory import normalized_text

REGISTRY = "pairs-of-schemas"
many = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

whole = st.one_of(
    st.integers(-300, 300), st.integers(-(2**33), 2**33), st.integers(-(2**63), 2**63 - 1),
    st.sampled_from([2**24 + 1, 2**53 + 1, -(2**31), 2**31, 2**63 - 1]),
)  # fmt: skip
fractions = st.floats() | st.sampled_from([0.5, 1e39, -1e39, 3.0, 2.0**63])


def fits(bits: int) -> Any:
    return whole.filter(lambda n: -(1 << bits - 1) <= n < 1 << bits - 1)


SCALARS: list[tuple[Schema, Any]] = [
    (INT8, fits(8)), (INT16, fits(16)), (INT32, fits(32)), (INT64, fits(64)), (FLOAT64, fractions),
    (FLOAT32, fractions.map(to_float32)), (BOOLEAN, st.booleans()), (STRING, st.text(max_size=5) | st.sampled_from(["1", "NaN", "true", "YQ=="])),
    (BYTES, st.binary(max_size=4)),
]  # fmt: skip
WRAPS = ["plain", "array", "map", "struct"]


def wrapped(schema: Schema, way: str) -> Schema:
    match way:
        case "array":
            return SchemaBuilder.array(schema).build()
        case "map":
            return SchemaBuilder.map(STRING, schema).build()
        case "struct":
            return SchemaBuilder.struct().name("Inner").field("f", schema).build()
    return schema


def holding(value: Any, way: str) -> Any:
    return {"array": [value], "map": {"k": value}, "struct": {"f": value}}.get(way, value)


def record(schema: Schema) -> Schema:
    return SchemaBuilder.struct().name("R").field("a", schema).build()


def same(written: Any, read: Any) -> bool:
    """The same value, whatever the width of the type it travelled in: numbers by value, NaN as itself."""
    if isinstance(written, bool) or isinstance(read, bool):
        return written is read
    if isinstance(written, int | float | Decimal) and isinstance(read, int | float | Decimal):
        if isinstance(written, float) and math.isnan(written):
            return isinstance(read, float) and math.isnan(read)
        return written == read
    if isinstance(written, list):
        return isinstance(read, list) and len(written) == len(read) and all(map(same, written, read))
    if isinstance(written, dict):
        return (
            isinstance(read, dict)
            and written.keys() == read.keys()
            and all(same(v, read[k]) for k, v in written.items())
        )
    return type(written) is type(read) and bool(written == read)


def outcome_of(convert: Callable[[], SchemaAndValue]) -> SchemaAndValue | DataError:
    try:
        return convert()
    except DataError as error:
        return error


scalars = st.sampled_from(SCALARS).flatmap(lambda pair: st.tuples(st.just(pair[0]), pair[1]))
targets = st.sampled_from([schema for schema, _ in SCALARS])


def json_number(value: Any, kind: Type) -> Any:
    """What a number of JSON is as a value of `kind`: a double or a float is the nearest one."""
    if isinstance(value, bool) or not isinstance(value, int | float):
        return value
    return to_float32(value) if kind is Type.FLOAT32 else float(value) if kind is Type.FLOAT64 else value


@given(scalars, targets, st.sampled_from(WRAPS))
@many
def test_json_is_read_under_another_schema_as_what_it_is(pair: tuple[Schema, Any], target: Schema, way: str) -> None:
    schema, value = pair
    writer, reader = JsonConverter(), JsonConverter()
    writer.configure({"schemas.enable": "false"}, is_key=False)
    reader.configure({"lossy.reads": "fail", "schema.content": schema_text(record(wrapped(target, way)))}, is_key=False)
    data = writer.from_connect("t", record(wrapped(schema, way)), {"a": holding(value, way)})
    outcome = outcome_of(lambda: reader.to_connect("t", data))
    if isinstance(outcome, DataError):
        assert names_a_field(outcome)
        return
    found = outcome.value
    if {schema.type, target.type} == {Type.STRING, Type.BYTES} or (
        schema.type is not target.type and isinstance(value, str | bytes)
    ):
        return  # both are text in JSON, and so are the numbers that JSON does not have
    if isinstance(value, float) and not math.isfinite(value) and target.type in (Type.STRING, Type.BYTES):
        return
    if schema.type is Type.FLOAT32 and target.type is not Type.FLOAT32:
        found = narrowed(found)  # its text has the few digits that tell it from other floats
    assert same({"a": holding(json_number(value, target.type), way)}, found)


def narrowed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: narrowed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [narrowed(item) for item in value]
    return to_float32(value) if isinstance(value, int | float) and not isinstance(value, bool) else value


def schema_text(schema: Schema) -> str:
    converter = JsonConverter()
    converter.configure({}, is_key=False)
    data = converter.from_connect("t", schema.as_optional(), None)
    assert data is not None
    return json.dumps(json.loads(data)["schema"])


@given(scalars, targets, st.sampled_from(WRAPS))
@many
@pytest.mark.parametrize("kind", [AvroConverter, ProtobufConverter])
def test_a_value_under_a_registered_schema_of_other_types_stays_the_same(
    kind: Any, pair: tuple[Schema, Any], target: Schema, way: str
) -> None:
    schema, value = pair
    drop_mock(REGISTRY)
    mock_client(REGISTRY, normalized_text)
    own, latest = kind(), kind()
    own.configure({"schema.registry.url": f"mock://{REGISTRY}"}, is_key=False)
    latest.configure(
        {"schema.registry.url": f"mock://{REGISTRY}", "auto.register.schemas": "false", "use.latest.version": "true",
         "latest.compatibility.strict": "false"}, is_key=False,
    )  # fmt: skip
    example = {Type.STRING: "", Type.BYTES: b"", Type.BOOLEAN: False, Type.FLOAT32: 0.0, Type.FLOAT64: 0.0}.get(
        target.type, 0
    )
    own.from_connect("t", record(wrapped(target, way)), {"a": holding(example, way)})  # registers it
    outcome = outcome_of(
        lambda: latest.to_connect(
            "t", latest.from_connect("t", record(wrapped(schema, way)), {"a": holding(value, way)})
        )
    )
    if isinstance(outcome, DataError):
        text = f"{outcome} {getattr(outcome, '__notes__', '')}"
        assert '"a' in text or "Field: a" in text or "field a" in text, text
        return
    found = outcome.value
    assert same({"a": holding(value, way)}, found)


# --- JSON Schema: any schema, any document

leaf_schemas = st.sampled_from(
    [
        {"type": "integer"},
        {"type": "number"},
        {"type": "string"},
        {"type": "boolean"},
        {"enum": ["A", "B"]},
        {"enum": [1, 2]},
        {"type": "integer", "connect.type": "int8"},
        {"type": "number", "connect.type": "float32"},
        {"type": "string", "maxLength": 2},
        {"type": "integer", "maximum": 9},
        {"type": "string", "connect.type": "bytes"},
    ]
)


def nested_schemas(inner: Any) -> Any:
    members = st.dictionaries(st.sampled_from("abc"), inner, min_size=1, max_size=3)
    return st.one_of(
        inner.map(lambda s: {"type": "array", "items": s}),
        inner.map(lambda s: {"type": "object", "additionalProperties": s}),
        members.map(lambda m: {"type": "object", "properties": m}),
        members.map(lambda m: {"type": "object", "properties": m, "required": sorted(m)}),
        inner.map(lambda s: {"allOf": [s]}),
        st.lists(inner, min_size=2, max_size=3).map(lambda branches: {"oneOf": branches}),
        st.lists(inner, min_size=1, max_size=2).map(lambda branches: {"anyOf": [{"type": "null"}, *branches]}),
    )


json_schemas = st.recursive(leaf_schemas, nested_schemas, max_leaves=6)
documents = st.recursive(
    st.none() | st.booleans() | whole | st.integers(2**63, 2**70) | st.floats(allow_nan=False, allow_infinity=False)
    | st.sampled_from(["A", "abc", "YQ==", 1, 2, 5, 1.5, 1e39]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from("abcd"), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


def documents_of(schema: dict[str, Any]) -> Any:
    """Documents that fit `schema`, mostly: now and then a part is anything."""
    kind = schema.get("type")
    if "enum" in schema:
        made = st.sampled_from(schema["enum"])
    elif "oneOf" in schema or "anyOf" in schema or "allOf" in schema:
        branches = schema.get("oneOf") or schema.get("anyOf") or schema["allOf"]
        made = st.one_of(*map(documents_of, branches))
    elif kind == "array":
        made = st.lists(documents_of(schema["items"]), max_size=3)
    elif kind == "object" and "properties" in schema:
        made = st.fixed_dictionaries({name: documents_of(part) for name, part in schema["properties"].items()})
    elif kind == "object":
        made = st.dictionaries(st.sampled_from("xyz"), documents_of(schema["additionalProperties"]), max_size=3)
    else:
        made = {
            "integer": st.integers(-128, 127),
            "number": st.floats(allow_nan=False, allow_infinity=False, width=32),
            "string": st.sampled_from(["YQ==", "", "abcd"]),
            "boolean": st.booleans(),
            "null": st.none(),
        }[kind]  # type: ignore[index]  # every other schema has a type
    return st.integers(0, 12).flatmap(lambda n: documents if n == 0 else made)


def says(document: Any, value: Any, schema: Schema) -> bool:
    """Does `value` say what `document` says, and nothing else? Members that a struct does not have may be missing."""
    if document is None or value is None:
        return document is None and value is None
    if schema.name is not None and schema.name.endswith(".OneOf"):
        chosen = [(field.schema, value[field.name]) for field in schema.fields if value[field.name] is not None]
        return len(chosen) == 1 and says(document, chosen[0][1], chosen[0][0])
    match schema.type:
        case Type.STRUCT:
            return isinstance(document, dict) and all(
                says(document.get(field.name), value[field.name], field.schema) for field in schema.fields
            )
        case Type.MAP:
            assert schema.value_schema is not None
            inner = schema.value_schema
            return document.keys() == value.keys() and all(says(document[k], v, inner) for k, v in value.items())
        case Type.ARRAY:
            assert schema.value_schema is not None
            return len(document) == len(value) and all(
                map(says, document, value, itertools.repeat(schema.value_schema))
            )
        case Type.BYTES:
            return isinstance(document, str)
        case Type.STRING:
            return bool(document == value) if isinstance(document, str) else str(document) == value
        case Type.BOOLEAN:
            return document is value
    return (
        not isinstance(document, bool)
        and isinstance(document, int | float)
        and value == json_number(document, schema.type)
    )


@given(st.dictionaries(st.sampled_from("abc"), json_schemas, min_size=1, max_size=2).flatmap(
    lambda members: st.tuples(st.just(members), st.fixed_dictionaries({k: documents_of(s) for k, s in members.items()}))
))  # fmt: skip
@settings(many, max_examples=200)
def test_a_document_under_a_json_schema_is_what_it_says_or_an_error(
    pair: tuple[dict[str, Any], dict[str, Any]],
) -> None:
    members, document = pair
    drop_mock(REGISTRY)
    client = mock_client(REGISTRY, normalized_text)
    text = json.dumps({"type": "object", "properties": members})
    number = client.register("t-value", text, "JSON", []).id
    converter = JsonSchemaConverter()
    converter.configure({"schema.registry.url": f"mock://{REGISTRY}"}, is_key=False)
    payload = b"\x00" + number.to_bytes(4, "big") + json.dumps(document).encode()
    found = outcome_of(lambda: converter.to_connect("t", payload))
    if isinstance(found, DataError):
        assert names_a_field(found), (text, document, found)
        return
    assert found.schema is not None
    assert says(document, found.value, found.schema), (text, document, found.value)
    # and what was read is written and read again as the same; a required member that was absent is an error then
    schema, value = found.schema, found.value
    again = outcome_of(lambda: converter.to_connect("u", converter.from_connect("u", schema, value)))
    if isinstance(again, DataError):
        assert names_a_field(again), (text, document, again)
        assert "null" in str(again)
        return
    # Rules such as maxLength are not in Connect's schema: a text may come back in another branch that holds it.
    assert again.schema is not None
    assert same(value, again.value) or says(document, again.value, again.schema), (text, document, value)
