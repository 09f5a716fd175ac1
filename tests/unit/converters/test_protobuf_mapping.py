"""Rules of ``ProtobufData`` that the recorded cases do not meet; what is expected here release 7.0.16 said when it was asked."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from penstock.data import INT32, STRING, Schema, SchemaBuilder, Type
from penstock.errors import DataError
from penstock_converters.protobuf.converter import ProtobufConverter
from penstock_converters.protobuf.names import ProtobufDataOptions
from penstock_converters.protobuf.to_proto import ToProto
from penstock_registry.client import MemoryClient, drop_mock, mock_client

SCOPE = "protobuf-mapping"


@pytest.fixture(autouse=True)
def registry() -> Iterator[MemoryClient]:
    drop_mock(SCOPE)
    yield mock_client(SCOPE)
    drop_mock(SCOPE)


def there_and_back(registry: MemoryClient, text: str, payload: str, **settings: str) -> tuple[Schema, Any, str, str]:
    """The schema and value that are read, and the text and the data when they are written again."""
    made = ProtobufConverter()
    made.configure(
        {"schema.registry.url": f"mock://{SCOPE}", **{k.replace("_", "."): v for k, v in settings.items()}}, False
    )
    number = registry.register("t-value", f'syntax = "proto3"; {text}', "PROTOBUF").id
    found = made.to_connect("t", b"\0" + number.to_bytes(4, "big") + b"\0" + bytes.fromhex(payload))
    assert found.schema is not None
    data = made.from_connect("u", found.schema, found.value)
    assert data is not None
    written = registry.schema_by_id(int.from_bytes(data[1:5], "big")).schema
    assert made.to_connect("u", data).value == found.value
    return found.schema, found.value, " ".join(written.split()), data[6:].hex()


def test_a_map_s_full_name_keeps_the_names_around_it(registry: MemoryClient) -> None:
    text = "package p.q; message M { map<string, int32> fooBar = 1; }"
    schema, _, written, _ = there_and_back(registry, text, "", enhanced_protobuf_schema_support="true")
    assert schema.fields[0].schema.name == "p.q.M.foo_bar"
    assert "repeated FooBarEntry fooBar = 1;" in written


def test_entries_of_maps_have_no_optional_fields(registry: MemoryClient) -> None:
    text = "message M { map<string, N> m = 1; optional N n = 2; message N { int32 x = 1; } }"
    _, _, written, _ = there_and_back(registry, text, "0a070a016b12020805", optional_for_nullables="true")
    assert "optional N n = 2" in written
    assert "message mEntry { string key = 1; N value = 2; " in written


WRAPPED = 'import "google/protobuf/wrappers.proto"; message M { google.protobuf.Int32Value a = 1; repeated google.protobuf.Int64Value r = 2; }'


@pytest.mark.parametrize(
    ("settings", "value", "kind"),
    [
        ({}, {"a": 5, "r": [7]}, Type.INT32),
        ({"wrapper_for_raw_primitives": "false"}, {"a": {"value": 5}, "r": [{"value": 7}]}, Type.STRUCT),
        ({"wrapper_for_raw_primitives": "false", "wrapper_for_nullables": "true"}, {"a": 5, "r": [7]}, Type.INT32),
    ],
)
def test_wrappers_are_structs_where_nothing_takes_them_for_values(
    registry: MemoryClient, settings: dict[str, str], value: Any, kind: Type
) -> None:
    schema, found, _, _ = there_and_back(registry, WRAPPED, "0a02080512020807", **settings)
    assert found == value
    assert (schema.fields[0].schema.type, schema.fields[0].schema.name) == (
        kind,
        "Int32Value" if kind is Type.STRUCT else None,
    )


def test_a_struct_that_holds_itself_is_one_message(registry: MemoryClient) -> None:
    text = "message M { M m = 1; repeated M ms = 2; int32 x = 3; }"
    _, _, written, data = there_and_back(registry, text, "0a02180518010a00"[:12])
    assert written == 'syntax = "proto3"; message M { M m = 1; repeated M ms = 2; int32 x = 3; }'
    assert data == "0a0218051801"


def test_each_message_brings_those_it_holds_along(registry: MemoryClient) -> None:
    text = "message M { A a = 1; B b = 2; message A { C c = 1; } message B { A a = 2; } message C { int32 x = 1; } }"
    _, _, written, data = there_and_back(registry, text, "0a040a0208051206120" + "40a020806")
    assert written.count("message C {") == 2
    assert "message B { A a = 2; message A { C c = 1; message C { int32 x = 1; } } }" in written
    assert data == "0a040a0208051206120" + "40a020806"


@pytest.mark.parametrize(
    ("text", "payload"),
    [
        ("message M { A a = 1; message A { int32 x = 1; B b = 2; } message B { A a = 1; int32 y = 2; } }", "0a0412020a00"),
        ("message M { repeated A a = 1; message A { A parent = 1; map<string, A> kids = 2; } }", "0a020a00"),
    ],
)  # fmt: skip
def test_structs_that_hold_one_another_are_written_too(registry: MemoryClient, text: str, payload: str) -> None:
    # The JVM's converter runs out of stack.
    assert there_and_back(registry, text, payload)[3].startswith(payload)


def test_a_schema_that_would_become_endless_messages_is_refused() -> None:
    inner = SchemaBuilder.struct().name("S0").field("x", INT32).build()
    other = SchemaBuilder.struct().name("T0").field("x", STRING).build()
    for level in range(1, 30):
        inner, other = (
            SchemaBuilder.struct().name(f"{name}{level}").field("a", inner).field("b", other).build() for name in "ST"
        )
    with pytest.raises(DataError, match="becomes more than 2000 messages"):
        ToProto(ProtobufDataOptions()).convert(inner)


def test_an_enum_need_not_have_a_zero(registry: MemoryClient) -> None:
    text = "message M { E e = 1; N n = 2; enum E { A = 1; B = 2; } message N { F f = 1; enum F { C = 5; D = 0; } } }"
    schema, value, written, data = there_and_back(registry, text, "080212020805")
    assert value == {"e": "B", "n": {"f": "C"}}
    assert sorted(schema.fields[0].schema.parameters.values()) == ["1", "1", "2", "E"]
    assert "enum E { A = 1; B = 2; }" in written
    assert data == "080212020805"
    made = ProtobufConverter()
    made.configure({"schema.registry.url": f"mock://{SCOPE}"}, False)
    assert made.to_connect("t", bytes.fromhex("0000000001" + "00")).value["e"] == "UNKNOWN_ENUM_VALUE_E_0"
