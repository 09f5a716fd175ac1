"""What Confluent's AvroConverter did, releases 7.0.16 and 7.6.0, against ours."""

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
from penstock_converters.avro.converter import AvroConverter
from penstock_registry.client import MemoryClient, drop_mock, mock_client
from penstock_registry.client.factory import normalized_text

CASES = vectors.load("avro_converter") + vectors.load("avro_converter_7_6")
_REGISTRY = "avro-vectors"


@pytest.fixture
def registry() -> MemoryClient:
    drop_mock(_REGISTRY)
    return mock_client(_REGISTRY, normalized_text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_it_does_what_the_jvm_converter_did(
    case: Case, judge: Callable[[Case, Callable[[Case], Any]], None], registry: MemoryClient
) -> None:
    judge(_in_recorded_order(case), lambda c: _run(c, registry))


def _run(case: Case, registry: MemoryClient) -> Any:
    converter = AvroConverter()
    configs = {**case.config, "schema.registry.url": f"mock://{_REGISTRY}"}
    converter.configure(configs, bool(case.input.get("isKey")))
    run = {"fromConnectData": _from, "fromConnectDataSequence": _sequence, "toConnectData": _to}[case.input["op"]]
    return run(case, converter, registry)


def _from(case: Case, converter: AvroConverter, registry: MemoryClient) -> Any:
    topic = case.input["topic"]
    data = converter.from_connect(topic, case.schema(), case.value())
    result: dict[str, Any] = {"bytes": _wire(data), "registered": _registered(registry)}
    try:
        result["roundtrip"] = _tagged(converter.to_connect(topic, data))
    except ConnectError as error:
        result["roundtripError"] = error
    return result


def _sequence(case: Case, converter: AvroConverter, registry: MemoryClient) -> Any:
    results = []
    for record in case.input["records"]:
        schema = vectors.decode_schema(record["schema"])
        data = converter.from_connect(record["topic"], schema, vectors.decode_value(record["value"], schema))
        results.append({"bytes": _wire(data)})
    return {"results": results, "registered": _registered(registry)}


def _to(case: Case, converter: AvroConverter, registry: MemoryClient) -> Any:
    for entry in case.input.get("registered") or []:
        references = [SchemaReference(r["name"], r["subject"], r["version"]) for r in entry["references"]]
        assert registry.register(entry["subject"], entry["schema"], "AVRO", references).id == entry["id"]
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
        if isinstance(node.get("connect.parameters"), dict):
            orders.append(list(node["connect.parameters"]))
        if node.get("type") == "enum":
            name = f"{node['namespace']}.{node['name']}" if node.get("namespace") else node["name"]
            mark = "io.confluent.connect.avro.Enum"
            orders.append([mark, *(f"{mark}.{s}" for s in node["symbols"])])
            assert name
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
