"""What Confluent's ProtobufConverter did, releases 7.0.16 and 7.6.0, against ours."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from typing import Any

import pytest

from lab import vectors
from lab.conversions import run_registry_converter
from lab.vectors import Case
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
    return _as_recorded(case, run_registry_converter(case, converter, registry, "PROTOBUF"))


def _as_recorded(case: Case, result: Any) -> Any:
    """Published files are recorded by their hash."""
    expected = case.expect.get("registered") if isinstance(case.expect, Mapping) else None
    hashed = {entry["schema_sha256"] for entry in expected or () if entry.get("schema_sha256")}
    if hashed:
        result["registered"] = [{**entry, **_text(entry["schema"], hashed)} for entry in result["registered"]]
    return result


def _text(schema: str, hashed: set[str]) -> dict[str, Any]:
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
