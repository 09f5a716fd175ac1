"""`JsonSchemaConverter`: round trips, settings, errors that name the field, and bytes of every kind."""

from __future__ import annotations

import datetime as dt
import json
import time
from decimal import Context, Decimal
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from penstock.api import SchemaReference
from penstock.data import (
    BOOLEAN,
    BYTES,
    DATE,
    FLOAT32,
    FLOAT64,
    INT8,
    INT16,
    INT32,
    INT64,
    OPTIONAL_INT64,
    OPTIONAL_STRING,
    STRING,
    TIME,
    TIMESTAMP,
    Schema,
    SchemaBuilder,
    Type,
    decimal_schema,
)
from penstock.errors import ConfigError, DataError
from penstock_converters.json.text import dumps
from penstock_converters.jsonschema.converter import JsonSchemaConverter
from penstock_converters.jsonschema.writer import SchemaWriter
from penstock_registry.client import MemoryClient, drop_mock, mock_client
from penstock_registry.client.factory import normalized_text

REGISTRY = "jsonschema-unit"
ONE_OF = "io.confluent.connect.json.OneOf"


@pytest.fixture(autouse=True)
def registry() -> MemoryClient:
    drop_mock(REGISTRY)
    return mock_client(REGISTRY, normalized_text)


def converter(**settings_: str) -> JsonSchemaConverter:
    made = JsonSchemaConverter()
    given_ = {key.replace("_", "."): value for key, value in settings_.items()}
    made.configure({"schema.registry.url": f"mock://{REGISTRY}", **given_}, is_key=False)
    return made


def frame(number: int, document: object) -> bytes:
    text = document if isinstance(document, bytes) else json.dumps(document).encode()
    return b"\x00" + number.to_bytes(4, "big") + text


def register(registry: MemoryClient, schema: object, references: list[SchemaReference] | None = None) -> int:
    text = schema if isinstance(schema, str) else json.dumps(schema)
    return registry.register("t-value", text, "JSON", references or []).id


# --- any schema, and a value of it as it should come back

DIGITS = Context(prec=60)
floats = st.floats(allow_nan=False, allow_infinity=False).map(lambda f: f + 0.0)
ENUM = SchemaBuilder(Type.STRING).parameters(
    {"io.confluent.connect.json.Enum": "", **{f"io.confluent.connect.json.Enum.{s}": s for s in "ABC"}}
)
leaves = st.one_of(
    *(
        st.just((schema, st.integers(-(2 ** (bits - 1)), 2 ** (bits - 1) - 1)))
        for schema, bits in ((INT8, 8), (INT16, 16), (INT32, 32), (INT64, 64))
    ),
    st.just((FLOAT64, floats)),
    st.just((FLOAT32, st.floats(width=32, allow_nan=False, allow_infinity=False).map(lambda f: f + 0.0))),
    st.just((BOOLEAN, st.booleans())),
    st.just((STRING, st.text(st.characters(exclude_categories=()), max_size=8))),
    st.just((BYTES, st.binary(max_size=8))),
    st.just((ENUM.build(), st.sampled_from("ABC"))),
    st.just((DATE, st.dates())),
    st.just((TIME, st.integers(0, 86_399).map(lambda s: (dt.datetime.min + dt.timedelta(seconds=s)).time()))),
    st.just(
        (
            TIMESTAMP,
            st.integers(-62_135_596_800_000, 253_402_300_799_999).map(
                lambda ms: dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=ms)
            ),
        )
    ),
    st.just((decimal_schema(3), st.integers(-(10**25), 10**25).map(lambda n: Decimal(n).scaleb(-3, DIGITS)))),
)


def nested(inner):
    def array(part):
        return SchemaBuilder.array(part[0]).build(), st.lists(part[1], max_size=3)

    def mapping(part):
        return SchemaBuilder.map(STRING, part[0]).build(), st.dictionaries(st.text(max_size=3), part[1], max_size=3)

    def entries(part):
        return SchemaBuilder.map(INT64, part[0]).build(), st.dictionaries(st.integers(-5, 5), part[1], max_size=3)

    def nullable_keys(part):
        keys = st.none() | st.text(max_size=2)
        return SchemaBuilder.map(OPTIONAL_STRING, part[0]).build(), st.dictionaries(keys, part[1], max_size=3)

    def struct(parts):
        builder = SchemaBuilder.struct().name("S")
        for name, (schema, _) in parts.items():
            builder.field(name, schema)
        return builder.build(), st.fixed_dictionaries({name: values for name, (_, values) in parts.items()})

    return st.one_of(
        inner.map(array),
        inner.map(mapping),
        inner.map(entries),
        inner.map(nullable_keys),
        inner.map(lambda part: (part[0].as_optional(), st.none() | part[1])),
        st.dictionaries(st.text(min_size=1, max_size=4), inner, min_size=0, max_size=4).map(struct),
    )


schemas_and_values = st.recursive(leaves, nested, max_leaves=6).flatmap(
    lambda part: st.tuples(st.just(part[0]), part[1])
)
any_schema = settings(max_examples=80, deadline=None, suppress_health_check=list(HealthCheck))


def same(a, b):
    """Equal, and of the same types: 1, 1.0 and True differ here."""
    if type(a) is not type(b):
        return False
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(same(a[k], b[k]) for k in a)
    if isinstance(a, list):
        return len(a) == len(b) and all(map(same, a, b))
    return repr(a) == repr(b)


@given(schemas_and_values, st.booleans())
@any_schema
def test_what_is_written_is_read_back_with_its_schema(part, numeric):
    schema, value = part
    one = converter(decimal_format="NUMERIC" if numeric else "BASE64")
    data = one.from_connect("t", schema, value)
    back = one.to_connect("t", data)
    expected = schema if schema.version is not None else schema.replace(version=back.schema.version)
    assert back.schema == expected
    assert back.schema.version is not None
    assert same(back.value, value)


@given(schemas_and_values)
@any_schema
def test_the_generated_writer_writes_what_the_exact_one_writes(part):
    schema, value = part
    exact = dumps(SchemaWriter(numeric_decimals=False).tree(schema, value))
    assert converter().from_connect("t", schema, value)[5:] == exact


@given(schemas_and_values)
@any_schema
def test_own_documents_fit_their_schemas(part):
    schema, value = part
    one = converter(json_fail_invalid_schema="true", decimal_format="NUMERIC")
    data = one.from_connect("t", schema, value)
    assert same(one.to_connect("t", data).value, value)


ORDER = (
    SchemaBuilder.struct().name("Order").field("id", INT32).field("note", OPTIONAL_STRING).field("sum", decimal_schema(2))
    .field("tags", SchemaBuilder.map(INT64, STRING).build()).build()
)  # fmt: skip
ORDER_VALUE = {"id": 1, "note": "é", "sum": Decimal("1.50"), "tags": {1: "x"}}


@given(st.lists(st.tuples(st.integers(0, 80), st.binary(max_size=3), st.integers(0, 3)), min_size=1, max_size=4))
@any_schema
def test_damaged_bytes_are_read_or_refused_as_data_errors(damage):
    for validate in ("true", "false"):
        one = converter(json_fail_invalid_schema=validate, decimal_format="NUMERIC")
        data = one.from_connect("t", ORDER, ORDER_VALUE)
        for at, put, drop in damage:
            data = data[:at] + put + data[at + drop :]
        try:
            one.to_connect("t", data)
        except DataError:
            continue


# --- unions


def union(*schemas: Schema) -> Schema:
    builder = SchemaBuilder.struct().name(ONE_OF)
    for i, schema in enumerate(schemas):
        builder.field(f"{ONE_OF}.field.{i}", schema.as_optional())
    return builder.build()


def test_a_union_is_written_as_its_branch_and_read_into_it():
    point = SchemaBuilder.struct().name("P").field("x", INT64).field("y", INT64).build()
    circle = SchemaBuilder.struct().name("C").field("x", INT64).field("r", INT64).build()
    schema = SchemaBuilder.struct().name("Shape").field("what", union(STRING, point, circle, BYTES)).build()
    one = converter()
    for index, branch in ((0, "none"), (1, {"x": 1, "y": 2}), (2, {"x": 1, "r": 3})):
        name = f"{ONE_OF}.field.{index}"
        data = one.from_connect("t", schema, {"what": {name: branch}})
        assert json.loads(data[5:]) == {"what": branch}
        assert {k: v for k, v in one.to_connect("t", data).value["what"].items() if v is not None} == {name: branch}


def test_general_sum_types_have_the_names_all_formats_share(registry: MemoryClient):
    number = register(registry, {"oneOf": [{"type": "integer"}, {"enum": ["A", "B"]}]})
    one = converter(generalized_sum_type_support="true")
    read = one.to_connect("t", frame(number, 5))
    assert read.schema.name == "connect_union_1"
    assert read.schema.parameters["org.apache.kafka.connect.data.Union"] == "connect_union_1"
    assert read.value == {"connect_union_field_0": 5, "connect_union_field_1": None}
    enum = read.schema.fields[1].schema
    assert enum.parameters["org.apache.kafka.connect.data.Enum.B"] == "1"
    data = one.from_connect("u", read.schema, read.value)
    assert data[5:] == b"5"
    text = registry.latest("u-value").schema
    assert json.loads(text)["oneOf"][1]["enum"] == ["A", "B"]


def test_a_union_of_one_can_be_read_as_that_one(registry: MemoryClient):
    number = register(registry, {"oneOf": [{"type": "string"}]})
    assert converter().to_connect("t", frame(number, "a")).schema.type is Type.STRUCT
    assert converter(flatten_singleton_unions="true").to_connect("t", frame(number, "a")).value == "a"


def test_data_that_fits_no_branch_is_shown(registry: MemoryClient):
    number = register(registry, {"oneOf": [{"type": "integer"}, {"type": "string"}]})
    with pytest.raises(DataError, match=r'^Did not find matching oneof field for data: \{"a":1\.50\}'):
        converter().to_connect("t", frame(number, b'{"a": 1.50}'))


def test_a_null_key_is_written_only_where_keys_may_be_null():
    value = {None: 1, "a": 2}
    with pytest.raises(DataError, match="A key of a map is null"):
        converter().from_connect("t", SchemaBuilder.map(STRING, INT32).build(), value)
    data = converter().from_connect("t", SchemaBuilder.map(OPTIONAL_STRING, INT32).build(), value)
    assert json.loads(data[5:]) == [{"key": None, "value": 1}, {"key": "a", "value": 2}]


# --- reading


def test_absent_fields_take_their_default_or_are_null_and_nulls_have_to_be_allowed(registry: MemoryClient):
    properties = {"a": {"type": "string"}, "b": {"type": "integer", "default": 7}}
    number = register(registry, {"type": "object", "properties": properties})
    one = converter()
    assert one.to_connect("t", frame(number, {})).value == {"a": None, "b": 7}
    with pytest.raises(DataError, match="Invalid null value for required STRING field") as refused:
        one.to_connect("t", frame(number, {"a": None}))
    assert refused.value.__notes__ == ["Field: a"]
    loose = converter(use_optional_for_nonrequired="true")
    assert loose.to_connect("t", frame(number, {"a": None})).value == {"a": None, "b": 7}


def test_a_struct_that_holds_itself_is_read_and_written(registry: MemoryClient):
    tree = {"$ref": "#/definitions/T", "definitions": {"T": {
        "type": "object", "title": "T", "required": ["kids"],
        "properties": {"kids": {"type": "array", "items": {"$ref": "#/definitions/T"}}},
    }}}  # fmt: skip
    number = register(registry, tree)
    one = converter(json_fail_invalid_schema="true")
    value = {"kids": [{"kids": []}, {"kids": [{"kids": []}]}]}
    read = one.to_connect("t", frame(number, value))
    assert read.value == value
    data = one.from_connect("u", read.schema, read.value)
    assert json.loads(data[5:]) == value
    assert one.to_connect("u", data).value == value


def test_an_optional_struct_that_holds_itself_has_one_id_in_the_text(registry: MemoryClient):
    properties = {
        "left": {"oneOf": [{"type": "null"}, {"$ref": "#"}]},
        "others": {"type": "array", "items": {"$ref": "#"}},
    }
    number = register(registry, {"type": "object", "title": "T", "properties": properties})
    one = converter(json_fail_invalid_schema="true")
    value = {"left": {"left": None, "others": []}, "others": [{"left": None, "others": []}]}
    read = one.to_connect("t", frame(number, value))
    assert read.value == value
    assert one.to_connect("u", one.from_connect("u", read.schema, read.value)).value == value
    assert registry.latest("u-value").schema.count('"$id"') == 1


def test_references_are_taken_from_the_registry_and_never_fetched(registry: MemoryClient):
    registry.register("address", '{"type":"object","properties":{"street":{"type":"string"}}}', "JSON")
    reference = SchemaReference("http://example.invalid/address.json", "address", 1)
    schema = {"type": "object", "properties": {"at": {"$ref": "http://example.invalid/address.json"}}}
    number = register(registry, schema, [reference])
    for validate in ("true", "false"):
        one = converter(json_fail_invalid_schema=validate)
        assert one.to_connect("t", frame(number, {"at": {"street": "x"}})).value == {"at": {"street": "x"}}
    lost = register(registry, schema)
    with pytest.raises(DataError) as refused:
        converter().to_connect("t", frame(lost, {}))
    assert "schemas are never fetched" in refused.value.__notes__[0]


def test_modern_dialects_can_be_ignored(registry: MemoryClient):
    schema = {
        "$schema": "https://json-schema.org/draft/2020-12/schema",
        "type": "array",
        "prefixItems": [{"type": "string"}],
        "items": {"type": "integer"},
    }
    number = register(registry, schema)
    with pytest.raises(DataError, match="Array schema did not specify the items type"):
        converter().to_connect("t", frame(number, [1]))
    assert converter(ignore_modern_dialects="true").to_connect("t", frame(number, [1])).value == [1]


# --- validation


def test_a_document_that_does_not_fit_is_refused_with_its_place(registry: MemoryClient):
    schema = {"type": "object", "properties": {"a": {"type": "array", "items": {"type": "integer", "maximum": 9}}}}
    number = register(registry, schema)
    one = converter(json_fail_invalid_schema="true")
    with pytest.raises(DataError, match="Converting byte\\[\\] to Kafka Connect data failed") as refused:
        one.to_connect("t", frame(number, {"a": [1, 10]}))
    assert "#/a/1: 10 is greater than the maximum of 9" in refused.value.__notes__[0]
    assert converter().to_connect("t", frame(number, {"a": [1, 10]})).value == {"a": [1, 10]}


@pytest.mark.parametrize("payload", [b"", b'{"\\udfff":1}', b"[" * 300 + b"]" * 300, b'{"a":' + b"9" * 500 + b"}"])
def test_what_a_validator_cannot_take_is_a_data_error(registry: MemoryClient, payload: bytes):
    schema = {"type": "object", "properties": {"a": {"type": "string"}}, "additionalProperties": False}
    with pytest.raises(DataError):
        converter(json_fail_invalid_schema="true").to_connect("t", frame(register(registry, schema), payload))


def test_a_decimal_in_base64_is_no_number_to_a_validator():
    with pytest.raises(DataError, match="Converting Kafka Connect data to byte"):
        converter(json_fail_invalid_schema="true").from_connect("t", decimal_schema(2), Decimal("1.00"))


@pytest.mark.parametrize("pattern", ["^(a+)+$", "^(?=(a+)+$)b", "^(a|a)*\\1$"])
def test_patterns_cannot_hang(registry: MemoryClient, pattern: str):
    number = register(registry, {"type": "string", "pattern": pattern})
    with pytest.raises(DataError):
        converter(json_fail_invalid_schema="true").to_connect("t", frame(number, "a" * 3000 + "b"))


# --- errors and settings


def test_an_error_names_the_field():
    schema = SchemaBuilder.struct().field("a", SchemaBuilder.array(INT32).build()).build()
    with pytest.raises(DataError, match=r"Invalid type for INT32: class java\.lang\.String") as refused:
        converter().from_connect("t", schema, {"a": [1, "x"]})
    assert refused.value.__notes__ == ["Field: a[1]"]


def test_a_value_that_cannot_be_written_registers_nothing(registry: MemoryClient):
    with pytest.raises(DataError):
        converter().from_connect("t", INT32, "x")
    assert registry.all() == []


def test_deep_documents_and_deep_schemas_are_data_errors(registry: MemoryClient):
    number = register(registry, {"type": "array", "items": {"type": "integer"}})
    with pytest.raises(DataError):
        converter().to_connect("t", frame(number, b"[" * 100_000))
    deep: object = {"type": "string"}
    for _ in range(300):
        deep = {"type": "array", "items": deep}
    with pytest.raises(DataError):
        converter().to_connect("t", frame(register(registry, json.dumps(deep)), []))
    schema = STRING
    for _ in range(300):
        schema = SchemaBuilder.array(schema).build()
    with pytest.raises(DataError):
        converter().from_connect("t", schema, [])


def test_a_schema_of_another_language_is_refused(registry: MemoryClient):
    number = registry.register("t-value", '"int"', "AVRO").id
    with pytest.raises(DataError) as refused:
        converter().to_connect("t", frame(number, 1))
    assert "is a schema of type AVRO, not JSON" in refused.value.__notes__[0]


def test_the_latest_schema_is_written_with_unless_it_cannot_read_the_data(registry: MemoryClient):
    schema = SchemaBuilder.struct().name("R").field("a", INT64).build()
    closed = {"type": "object", "title": "R", "properties": {"b": {"type": "string"}}, "additionalProperties": False}
    number = register(registry, closed)
    strict = converter(auto_register_schemas="false", use_latest_version="true")
    with pytest.raises(DataError) as refused:
        strict.from_connect("t", schema, {"a": 1})
    assert "PROPERTY_REMOVED_FROM_CLOSED_CONTENT_MODEL" in refused.value.__notes__[0]
    lenient = converter(auto_register_schemas="false", use_latest_version="true", latest_compatibility_strict="false")
    assert lenient.from_connect("t", schema, {"a": 1}) == frame(number, b'{"a":1}')


def test_what_is_not_supported_is_refused_by_name():
    with pytest.raises(ConfigError, match=r"preserve\.additional\.properties"):
        converter(preserve_additional_properties="true")
    with pytest.raises(ConfigError, match=r"decimal\.format"):
        converter(decimal_format="ROMAN")


def test_an_optional_number_without_schema_for_its_parts_is_a_data_error():
    with pytest.raises(DataError, match="elements is not known"):
        converter().from_connect("t", Schema(Type.ARRAY), [])
    assert converter().from_connect("t", OPTIONAL_INT64, None)[5:] == b"null"
    assert converter().from_connect("t", INT64, None) is None


@pytest.mark.parametrize("rule", [
    {"properties": {"x": {"type": "string", "pattern": "(?=(a+)+$)b"}}},
    {"properties": {"x": {"allOf": [{"minLength": 1}], "pattern": r"(a+)+\1$"}}},
    {"definitions": {"d": {"pattern": "(?<!c)(a+)+$"}}, "properties": {"x": {"$ref": "#/definitions/d"}}},
    {"patternProperties": {"(?=(a+)+$)b": {"type": "string"}}},
])  # fmt: skip
def test_a_pattern_that_looks_around_is_tried_on_short_texts_alone(registry: MemoryClient, rule: Any) -> None:
    one = converter(json_fail_invalid_schema="true")
    number = register(registry, {"type": "object", **rule})
    text = "a" * 100_000 + "c"
    document = {text: "b"} if "patternProperties" in rule else {"x": text}
    started = time.process_time()
    with pytest.raises(DataError) as caught:
        one.to_connect("t", frame(number, document))
    assert time.process_time() - started < 2  # without the bound: 20 s
    assert "at most 1000 characters" in f"{caught.value} {caught.value.__notes__}"


def test_a_long_text_beside_a_pattern_that_looks_around_is_no_reason_to_refuse_a_document(
    registry: MemoryClient,
) -> None:
    one = converter(json_fail_invalid_schema="true")
    number = register(registry, {
        "type": "object",
        "properties": {
            "password": {"type": "string", "pattern": r"^(?=.*\d)(?=.*[a-z]).+$"},
            "letters": {"type": "string", "pattern": "^a+$"},
            "pattern": {"type": "string"},
        },
    })  # fmt: skip
    document = {"password": "abc1", "letters": "a" * 100_000, "pattern": "(?=a)"}
    assert one.to_connect("t", frame(number, document)).value["password"] == "abc1"
    with pytest.raises(DataError):
        one.to_connect("t", frame(number, {"password": "abc"}))
