"""The Protobuf converter around its codec: settings, registering, messages of a file, and what is refused."""

from __future__ import annotations

import contextlib
import datetime as dt
import logging
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from penstock.data import BOOLEAN, DATE, INT32, INT64, STRING, Schema, SchemaAndValue, SchemaBuilder, Type
from penstock.errors import ConfigError, DataError
from penstock_converters.protobuf.converter import ProtobufConverter
from penstock_converters.protobuf.names import ENUM, GENERAL_UNION, NAMESPACE, TAG
from penstock_registry.client import MemoryClient, drop_mock, mock_client

SETTINGS = {"schema.registry.url": "mock://protobuf-unit"}
POINT = SchemaBuilder.struct().name("geo.Point").field("x", INT32).field("y", INT32).build()


@pytest.fixture
def registry() -> MemoryClient:
    drop_mock("protobuf-unit")
    return mock_client("protobuf-unit")


def converter(**settings: str) -> ProtobufConverter:
    made = ProtobufConverter()
    made.configure({**SETTINGS, **{k.replace("_", "."): v for k, v in settings.items()}}, is_key=False)
    return made


def put(registry: MemoryClient, text: str) -> int:
    return registry.register("t-value", text, "PROTOBUF").id


def payload(number: int, indexes: str, data: str) -> bytes:
    return bytes.fromhex(f"00{number:08x}{indexes}{data}")


def test_a_schema_is_registered_once_and_looked_up_once(registry: MemoryClient) -> None:
    serialize = converter().serializer("t", POINT)
    first = serialize({"x": 1, "y": 2})
    assert serialize({"x": 3, "y": 4}) == payload(1, "00", "08031004")
    assert registry.requests == {"register": 1}
    deserialize = converter().deserializer("t")
    assert deserialize(first).value == {"x": 1, "y": 2}
    assert deserialize(first).schema is deserialize(first).schema
    assert registry.requests["schema_by_id"] == 1


def test_a_value_that_cannot_be_written_registers_nothing(registry: MemoryClient) -> None:
    with pytest.raises(DataError) as caught:
        converter().from_connect("t", POINT, {"x": 1, "y": "no"})
    assert caught.value.__notes__ == ["Field: y"]
    assert registry.all() == []


@pytest.mark.usefixtures("registry")
def test_null_is_no_record_and_a_value_needs_a_schema() -> None:
    made = converter()
    assert made.from_connect("t", None, None) is None
    assert made.from_connect("t", POINT, None) is None
    assert made.to_connect("t", None) == SchemaAndValue(None, None)
    with pytest.raises(DataError, match="The value has no schema"):
        made.from_connect("t", None, {"a": 1})


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize("schema", [SchemaBuilder.array(INT32).build(), SchemaBuilder.map(STRING, INT32).build()])
def test_only_structs_and_primitives_can_be_whole_records(schema: Schema) -> None:
    with pytest.raises(DataError, match=f"Unsupported root schema of type {schema.type.name}"):
        converter().from_connect("t", schema, None)


@pytest.mark.usefixtures("registry")
def test_a_logical_root_warns_that_it_cannot_be_read_back(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING):
        converter().serializer("t", DATE)
    assert "no converter can read back" in caplog.text


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("use.schema.guid", "true"),
        ("int.for.enums", "perhaps"),
        ("reference.subject.name.strategy", "com.example.Mine"),
        ("value.subject.name.strategy", "nothing.at:All"),
        ("schema.registry.url", ""),
    ],
)
def test_settings_that_mean_nothing_are_refused_by_name(key: str, value: str) -> None:
    with pytest.raises(ConfigError, match=key.replace(".", r"\.")):
        ProtobufConverter().configure({**SETTINGS, key: value}, is_key=False)


def test_a_logical_root_has_the_subject_of_its_primitive_s_wrapper(registry: MemoryClient) -> None:
    strategy = "io.confluent.kafka.serializers.subject.RecordNameStrategy"
    converter(value_subject_name_strategy=strategy).from_connect("t", DATE, dt.date(2024, 1, 2))
    assert [entry.subject for entry in registry.all()] == ["google.protobuf.Int32Value"]


def test_a_wrapper_in_a_field_is_a_struct_where_no_option_opens_it(registry: MemoryClient) -> None:
    text = 'syntax = "proto3";import "google/protobuf/wrappers.proto";message M {google.protobuf.UInt64Value a = 1;}'
    data = payload(put(registry, text), "00", "0a020805")
    closed = {"wrapper_for_raw_primitives": "false"}
    assert converter(**closed).to_connect("t", data).value == {"a": {"value": 5}}
    assert converter().to_connect("t", data).value == {"a": 5}
    assert converter(wrapper_for_nullables="true", **closed).to_connect("t", data).value == {"a": 5}


def test_each_message_of_a_file_is_read_by_its_indexes(registry: MemoryClient) -> None:
    number = put(registry, 'syntax = "proto3"; message A { int32 a = 1; } message B { message C { string c = 1; } }')
    deserialize = converter().deserializer("t")
    assert deserialize(payload(number, "00", "0805")).value == {"a": 5}
    assert deserialize(payload(number, "0200", "0805")).value == {"a": 5}
    assert deserialize(payload(number, "040200", "0a0178")).value == {"c": "x"}
    assert deserialize(payload(number, "0202", "")).value == {}


@pytest.mark.parametrize(
    "data", ["", "00", "0000000001", "000000000108", "00000000010204", "0000000001000a", "7b7d", "00000000630008"]
)
def test_what_is_no_payload_is_a_data_error(registry: MemoryClient, data: str) -> None:
    put(registry, 'syntax = "proto3"; message A { string a = 1; }')
    with pytest.raises(DataError, match="Failed to deserialize data for topic t to Protobuf: ") as caught:
        converter().to_connect("t", bytes.fromhex(data))
    assert caught.value.__notes__


def test_a_schema_of_another_language_is_told(registry: MemoryClient) -> None:
    registry.register("t-value", '"int"', "AVRO")
    with pytest.raises(DataError) as caught:
        converter().to_connect("t", payload(1, "00", ""))
    assert "AVRO" in caught.value.__notes__[0]


def enum(**parameters: str) -> Schema:
    return Schema(Type.STRING, name="E", parameters={ENUM: "E", **{f"{ENUM}.{k}": v for k, v in parameters.items()}})


def test_enum_numbers_without_a_name_survive_the_way_back(registry: MemoryClient) -> None:
    number = put(registry, 'syntax = "proto3"; message M { E e = 1; } enum E { A = 0; B = 5; }')
    found = converter().to_connect("t", payload(number, "00", "0809"))
    assert found.value == {"e": "UNKNOWN_ENUM_VALUE_E_9"}
    assert found.schema is not None
    again = converter().from_connect("t", found.schema, found.value)
    assert again is not None
    assert again[6:] == bytes.fromhex("0809")


@pytest.mark.usefixtures("registry")
def test_a_symbol_that_is_none_is_refused() -> None:
    schema = SchemaBuilder.struct().name("M").field("e", enum(A="0")).build()
    with pytest.raises(DataError, match='"B" is no symbol of enum E: expected one of A'):
        converter().from_connect("t", schema, {"e": "B"})


def test_the_symbol_of_zero_comes_first(registry: MemoryClient) -> None:
    schema = SchemaBuilder.struct().name("M").field("e", enum(C="2", A="0", B="1", Z="1")).build()
    converter().from_connect("t", schema, {"e": "Z"})
    text = registry.all()[0].schema
    assert "option allow_alias = true;\n    A = 0;\n    B = 1;\n    Z = 1;\n    C = 2;\n" in text


def union(**fields: Schema) -> Schema:
    builder = SchemaBuilder.struct().name(f"{NAMESPACE}.Union.how").optional()
    for number, (name, schema) in enumerate(fields.items(), 5):
        builder.field(name, schema.replace(optional=True, parameters={TAG: str(number)}))
    return builder.build()


HOW = SchemaBuilder.struct().name("M").field("how", union(card=STRING, cash=BOOLEAN)).build()


def test_unions_can_be_flattened_when_they_are_read(registry: MemoryClient) -> None:
    data = converter().from_connect("t", HOW, {"how": {"card": None, "cash": False}})
    assert data == payload(1, "00", "3000")
    assert converter().to_connect("t", data).value == {"how_0": {"card": None, "cash": False}}
    found = converter(flatten_unions="true").to_connect("t", data)
    assert found.value == {"card": None, "cash": False}
    plain = converter(generate_index_for_unions="false", generalized_sum_type_support="true").to_connect("t", data)
    assert plain.schema is not None
    assert plain.schema.fields[0].schema.parameters == {GENERAL_UNION: "how"}
    assert plain.value == {"how": {"card": None, "cash": False}}
    assert registry.all()[0].id == 1


@pytest.mark.usefixtures("registry")
@pytest.mark.parametrize(
    ("value", "message"),
    [({}, "Cannot find non-null field"), ({"x": 1}, "not in its schema"), (5, "Invalid type for STRUCT")],
)
def test_a_union_that_is_none_is_refused(value: Any, message: str) -> None:
    with pytest.raises(DataError, match=message):
        converter().from_connect("t", HOW, {"how": value})


@pytest.mark.usefixtures("registry")
def test_a_union_without_numbers_says_which_parameter_is_missing() -> None:
    bare = SchemaBuilder.struct().name(f"{NAMESPACE}.Union.how").field("a", INT32.as_optional()).optional().build()
    schema = SchemaBuilder.struct().name("M").field("how", bare).build()
    with pytest.raises(DataError, match=TAG.replace(".", r"\.")):
        converter().from_connect("t", schema, {"how": {"a": 1}})


def test_writing_with_a_chosen_schema_goes_by_names(registry: MemoryClient) -> None:
    number = put(
        registry, 'syntax = "proto3"; package geo; message Other { } message Point { int64 y = 4; int32 x = 9; }'
    )
    made = converter(auto_register_schemas="false", use_schema_id=str(number), id_compatibility_strict="false")
    assert made.from_connect("t", POINT, {"x": 1, "y": 2}) == payload(number, "0202", "20024801")
    strange = SchemaBuilder.struct().name("geo.Point").field("z", INT64).build()
    with pytest.raises(DataError, match='has no field for "z"'):
        made.from_connect("t", strange, {"z": 1})
    nowhere = SchemaBuilder.struct().name("geo.Line").field("z", INT64).build()
    with pytest.raises(DataError, match="There is no message Line in package geo"):
        made.from_connect("t", nowhere, {"z": 1})


def test_one_converter_reads_many_schemas(registry: MemoryClient) -> None:
    numbers = [put(registry, f'syntax = "proto3"; message M {{ int32 f{i} = 1; }}') for i in range(5)]
    deserialize = converter(schemas_cache_config="2").deserializer("t")
    for _ in range(2):
        assert [deserialize(payload(n, "00", "0801")).value for n in numbers] == [{f"f{i}": 1} for i in range(5)]


@given(st.binary(max_size=12), st.integers(0, 40), st.sampled_from(["cut", "flip", "insert"]))
def test_a_damaged_payload_raises_nothing_but_data_errors(noise: bytes, where: int, damage: str) -> None:
    drop_mock("protobuf-unit")
    made = converter()
    schema = SchemaBuilder.struct().name("M").field("p", POINT).field("s", STRING).field("d", DATE).build()
    data = made.from_connect("t", schema, {"p": {"x": 1, "y": -1}, "s": "é", "d": dt.date(2020, 1, 2)})
    assert data is not None
    if damage == "cut":
        data = data[:where]
    elif damage == "insert":
        data = data[:where] + noise + data[where:]
    else:
        data = bytes(b ^ n for b, n in zip(data, bytes(where) + noise + bytes(len(data)), strict=False))
    with contextlib.suppress(DataError):
        made.to_connect("t", data)
