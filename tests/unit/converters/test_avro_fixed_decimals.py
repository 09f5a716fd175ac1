"""Decimals in Avro's fixed: read as Decimal wherever they stand, and written back as the fixed they were."""

from __future__ import annotations

import io
import json
from decimal import Decimal
from typing import Any

import fastavro
import pytest

from penstock.data import DECIMAL_NAME, Schema, Type, decimal_schema
from penstock.errors import DataError
from penstock_converters.avro.converter import AvroConverter
from penstock_registry.client import MemoryClient, drop_mock, mock_client
from penstock_registry.client.factory import normalized_text

REGISTRY = "avro-fixed-decimals"
MONEY = {"type": "fixed", "name": "Money", "size": 8, "logicalType": "decimal", "precision": 18, "scale": 2}
FINE = {"type": "fixed", "name": "shop.Fine", "size": 12, "logicalType": "decimal", "precision": 28, "scale": 6}
ENTRY = {
    "type": "record", "name": "MapEntry", "namespace": "io.confluent.connect.avro",
    "fields": [{"name": "key", "type": MONEY}, {"name": "value", "type": "string"}],
}  # fmt: skip


@pytest.fixture(autouse=True)
def registry() -> MemoryClient:
    drop_mock(REGISTRY)
    return mock_client(REGISTRY, normalized_text)


def converter(**settings: str) -> AvroConverter:
    made = AvroConverter()
    given = {key.replace("_", "."): value for key, value in settings.items()}
    made.configure({"schema.registry.url": f"mock://{REGISTRY}", **given}, is_key=False)
    return made


def record(kind: Any, default: Any = ...) -> dict[str, Any]:
    member = {"name": "a", "type": kind} if default is ... else {"name": "a", "type": kind, "default": default}
    return {"type": "record", "name": "R", "fields": [member]}


def payload(number: int, schema: dict[str, Any], value: Any) -> bytes:
    data = io.BytesIO()
    fastavro.schemaless_writer(data, fastavro.parse_schema(json.loads(json.dumps(schema))), value)
    return b"\x00" + number.to_bytes(4, "big") + data.getvalue()


def fixeds(node: Any) -> list[tuple[str, int]]:
    """All fixed types in a schema: full names and sizes."""
    if isinstance(node, dict):
        own = [(f"{node['namespace']}.{node['name']}" if node.get("namespace") else node["name"], node["size"])] \
            if node.get("type") == "fixed" else []  # fmt: skip
        return own + [found for part in node.values() for found in fixeds(part)]
    return [found for part in node for found in fixeds(part)] if isinstance(node, list) else []


def short(value: Any) -> Any:
    """A union with the branch that is set alone, under the last part of its name."""
    if not isinstance(value, dict):
        return value
    return {k.rpartition(".")[2] if isinstance(k, str) else k: v for k, v in value.items() if v is not None}


AMOUNT = Decimal("1.25")
PLACES: list[tuple[str, Any, Any, Any]] = [
    ("plain", MONEY, AMOUNT, AMOUNT),
    ("namespace", {**MONEY, "name": "shop.Money"}, AMOUNT, AMOUNT),
    ("nullable", ["null", MONEY], AMOUNT, AMOUNT),
    ("array", {"type": "array", "items": MONEY}, [AMOUNT, Decimal("-0.01")], [AMOUNT, Decimal("-0.01")]),
    ("map", {"type": "map", "values": MONEY}, {"k": AMOUNT}, {"k": AMOUNT}),
    ("entries", {"type": "array", "items": ENTRY}, [{"key": AMOUNT, "value": "x"}], {AMOUNT: "x"}),
    ("union", ["string", MONEY], AMOUNT, {"string": None, "Money": AMOUNT}),
    ("two of them", ["null", MONEY, FINE], ("shop.Fine", Decimal("1.250000")), {"Fine": Decimal("1.250000")}),
]


@pytest.mark.parametrize(
    ("kind", "given", "expected"), [place[1:] for place in PLACES], ids=[place[0] for place in PLACES]
)
@pytest.mark.parametrize("settings", [{}, {"enhanced.avro.schema.support": "true"}, {"connect.meta.data": "false"}])
def test_it_is_read_as_a_decimal_and_written_back_as_the_fixed_it_was(
    registry: MemoryClient, kind: Any, given: Any, expected: Any, settings: dict[str, str]
) -> None:
    schema = record(kind)
    number = registry.register("t-value", json.dumps(schema), "AVRO", []).id
    made = converter(**settings)
    data = payload(number, schema, {"a": given})
    found = made.to_connect("t", data)
    value = (
        {k.rpartition(".")[2]: v for k, v in found.value["a"].items()}
        if "union" in str(type(given))
        else found.value["a"]
    )
    if isinstance(expected, dict) and isinstance(value, dict):
        assert short(found.value["a"]) == short(expected)
    again = made.from_connect("u", found.schema, found.value)
    assert again is not None
    assert again[5:] == data[5:]
    assert fixeds(json.loads(registry.latest("u-value").schema)) == fixeds(
        json.loads(registry.schema_by_id(number).schema)
    )


def test_its_connect_schema_is_that_of_a_decimal_with_its_size_and_name(registry: MemoryClient) -> None:
    schema = record({**MONEY, "name": "shop.Money"})
    number = registry.register("t-value", json.dumps(schema), "AVRO", []).id
    found = converter().to_connect("t", payload(number, schema, {"a": AMOUNT})).schema
    assert found is not None
    member = found.field("a")
    assert member is not None
    assert (member.schema.type, member.schema.name) == (Type.BYTES, DECIMAL_NAME)
    assert member.schema.parameters == {
        "scale": "2", "connect.decimal.precision": "18", "connect.fixed.size": "8", "connect.fixed.name": "shop.Money",
    }  # fmt: skip


def test_a_schema_that_keeps_only_the_size_is_a_fixed_of_decimals_name() -> None:
    schema = decimal_schema(2).replace(parameters={"scale": "2", "connect.fixed.size": "4"})
    made = converter()
    assert made.to_connect("t", made.from_connect("t", schema, AMOUNT)).value == AMOUNT


@pytest.mark.parametrize("text", ["1.25", "-1.25", "0.00", "92233720368547758.07", "-92233720368547758.08"])
def test_a_value_is_widened_to_the_fixed(registry: MemoryClient, text: str) -> None:
    schema = record(MONEY)
    number = registry.register("t-value", json.dumps(schema), "AVRO", []).id
    made = converter()
    found = made.to_connect("t", payload(number, schema, {"a": AMOUNT}))
    data = made.from_connect("u", found.schema, {"a": Decimal(text)})
    assert data is not None
    assert len(data) == 5 + 8
    assert made.to_connect("u", data).value == {"a": Decimal(text)}


def test_a_value_that_the_fixed_cannot_hold_is_an_error_that_names_the_field(registry: MemoryClient) -> None:
    schema = record(MONEY)
    number = registry.register("t-value", json.dumps(schema), "AVRO", []).id
    made = converter()
    found = made.to_connect("t", payload(number, schema, {"a": AMOUNT}))
    with pytest.raises(DataError, match="9 bytes do not fit fixed Money: expected exactly 8") as caught:
        made.from_connect("u", found.schema, {"a": Decimal("92233720368547758.08")})
    assert "Field: a" in caught.value.__notes__


def test_a_default_is_read_and_written_back(registry: MemoryClient) -> None:
    schema = record(MONEY, "\x00\x00\x00\x00\x00\x00\x00\x7d")
    number = registry.register("t-value", json.dumps(schema), "AVRO", []).id
    made = converter()
    found = made.to_connect("t", payload(number, schema, {"a": Decimal("2.00")}))
    member = (found.schema or Schema(Type.STRUCT)).field("a")
    assert member is not None
    assert member.schema.default == AMOUNT
    made.from_connect("u", found.schema, found.value)
    assert json.loads(registry.latest("u-value").schema)["fields"][0]["default"] == "\x00\x00\x00\x00\x00\x00\x00\x7d"


def test_an_error_type_is_read_and_written_as_a_record(registry: MemoryClient) -> None:
    error = {"type": "error", "name": "Oops", "doc": "d", "fields": [{"name": "m", "type": "string"}]}
    schema = record(["null", error])
    number = registry.register("t-value", json.dumps(schema), "AVRO", []).id
    made = converter()
    found = made.to_connect("t", b"\x00" + number.to_bytes(4, "big") + b"\x02\x02x")
    assert found.value == {"a": {"m": "x"}}
    assert found.schema is not None
    assert found.schema.fields[0].schema.name == "Oops"
    assert made.from_connect("u", found.schema, found.value)[5:] == b"\x02\x02x"  # type: ignore[index]  # a struct is not null


def test_an_error_type_at_the_top_names_its_subject(registry: MemoryClient) -> None:
    error = {"type": "error", "name": "Oops", "namespace": "a.b", "fields": [{"name": "m", "type": "string"}]}
    number = registry.register("a.b.Oops", json.dumps(error), "AVRO", []).id
    made = converter(value_subject_name_strategy="RecordNameStrategy")
    found = made.to_connect("t", b"\x00" + number.to_bytes(4, "big") + b"\x02x")
    assert found.value == {"m": "x"}
    assert found.schema is not None
    assert (found.schema.name, found.schema.version) == ("a.b.Oops", 1)


@pytest.mark.parametrize(("kind", "number"), [("int8", 128), ("int8", -129), ("int16", 2**15)])
def test_a_number_too_large_for_its_connect_type_is_an_error_that_names_the_field(
    registry: MemoryClient, kind: str, number: int
) -> None:
    schema = record({"type": "int", "connect.type": kind})
    found = registry.register("t-value", json.dumps(schema), "AVRO", []).id
    with pytest.raises(DataError, match=f"does not fit {kind.upper()}") as caught:
        converter().to_connect("t", payload(found, schema, {"a": number}))
    assert "Field: a" in caught.value.__notes__


@pytest.mark.parametrize(("kind", "number"), [("float", 2**24 + 1), ("double", 2**53 + 1)])
def test_a_whole_number_that_a_promotion_would_change_is_an_error_that_names_the_field(
    registry: MemoryClient, kind: str, number: int
) -> None:
    registry.register("t-value", json.dumps(record(kind)), "AVRO", [])
    made = converter(**{"auto.register.schemas": "false", "use.latest.version": "true"})
    schema = Schema(Type.STRUCT, name="R", fields=[]).replace(fields=[("a", Schema(Type.INT64))])
    assert made.from_connect("t", schema, {"a": number - 1})
    with pytest.raises(DataError, match=f"would be changed by being written as the Avro type {kind}") as caught:
        made.from_connect("t", schema, {"a": number})
    assert "Field: a" in caught.value.__notes__
