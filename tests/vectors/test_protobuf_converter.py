"""What Confluent's ProtobufConverter did, releases 7.0.16 and 7.6.0, against ours."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from penstock.api import SchemaReference
from penstock.errors import ConnectError
from penstock.testing import vectors
from penstock.testing.vectors import Case
from penstock_converters.protobuf.converter import ProtobufConverter
from penstock_registry.client import MemoryClient, drop_mock, mock_client
from penstock_registry.client.factory import normalized_text

CASES = vectors.load("protobuf_converter") + vectors.load("protobuf_converter_7_6")
_REGISTRY = "protobuf-vectors"


@pytest.fixture
def registry() -> MemoryClient:
    drop_mock(_REGISTRY)
    return mock_client(_REGISTRY, normalized_text)


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.id)
def test_it_does_what_the_jvm_converter_did(
    case: Case, judge: Callable[[Case, Callable[[Case], Any]], None], registry: MemoryClient
) -> None:
    judge(case, lambda c: _run(c, registry))


def _run(case: Case, registry: MemoryClient) -> Any:
    converter = ProtobufConverter()
    configs = {**case.config, "schema.registry.url": f"mock://{_REGISTRY}"}
    converter.configure(configs, bool(case.input.get("isKey")))
    run = {"fromConnectData": _from, "fromConnectDataSequence": _sequence, "toConnectData": _to}[case.input["op"]]
    return run(case, converter, registry)


def _from(case: Case, converter: ProtobufConverter, registry: MemoryClient) -> Any:
    topic = case.input["topic"]
    data = converter.from_connect(topic, case.schema(), case.value())
    result: dict[str, Any] = {"bytes": _wire(data), "registered": _registered(case, registry)}
    try:
        result["roundtrip"] = _tagged(converter.to_connect(topic, data))
    except ConnectError as error:
        result["roundtripError"] = error
    return result


def _sequence(case: Case, converter: ProtobufConverter, registry: MemoryClient) -> Any:
    results = []
    for record in case.input["records"]:
        schema = vectors.decode_schema(record["schema"])
        data = converter.from_connect(record["topic"], schema, vectors.decode_value(record["value"], schema))
        results.append({"bytes": _wire(data)})
    return {"results": results, "registered": _registered(case, registry)}


def _to(case: Case, converter: ProtobufConverter, registry: MemoryClient) -> Any:
    for entry in case.input.get("registered") or []:
        references = [SchemaReference(r["name"], r["subject"], r["version"]) for r in entry["references"]]
        assert registry.register(entry["subject"], entry["schema"], "PROTOBUF", references).id == entry["id"]
    given = case.input["bytes"]
    found = converter.to_connect(case.input["topic"], None if given is None else bytes.fromhex(given["hex"]))
    if case.expect is None and found.schema is None and found.value is None:
        return None  # the JVM converter gives no pair at all for some nulls
    return _tagged(found)


def _wire(data: bytes | None) -> Any:
    return None if data is None else {"hex": data.hex()}


def _tagged(found: Any) -> Any:
    return {"schema": vectors.encode_schema(found.schema), "value": vectors.encode_value(found.value, found.schema)}


def _registered(case: Case, registry: MemoryClient) -> list[dict[str, Any]]:
    expected = case.expect.get("registered") if isinstance(case.expect, Mapping) else None
    hashed = {entry["schema_sha256"] for entry in expected or () if entry.get("schema_sha256")}
    return [
        {
            "id": r.id,
            "subject": r.subject,
            "version": r.version,
            "schemaType": r.schema_type,
            **_text(r.schema, hashed),
            "references": [ref._asdict() for ref in r.references],
        }
        for r in sorted(registry.all(), key=lambda r: (r.id, r.subject, r.version))
    ]


def _text(schema: str, hashed: set[str]) -> dict[str, Any]:
    """Published files are recorded by their hash."""
    digest = hashlib.sha256(schema.encode()).hexdigest()
    if digest not in hashed:
        return {"schema": schema}
    package = next(line for line in schema.splitlines() if line.startswith("package "))[len("package ") : -1]
    return {
        "schema": None,
        "schema_package": package,
        "schema_length": len(schema.encode()),
        "schema_sha256": digest,
    }
