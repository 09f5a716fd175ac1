"""What Confluent's JsonSchemaConverter did, release 7.0.16, against ours."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from lab import vectors
from lab.conversions import in_recorded_order, run_registry_converter
from lab.vectors import Case
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
    judge(_folded_once(in_recorded_order(case, _orders)), lambda c: _run(c, registry))


def _run(case: Case, registry: MemoryClient) -> Any:
    converter = JsonSchemaConverter()
    configs = {**case.config, "schema.registry.url": f"mock://{_REGISTRY}"}
    converter.configure(configs, bool(case.input.get("isKey")))
    return run_registry_converter(case, converter, registry, "JSON")


def _orders(node: dict[str, Any]) -> list[list[str]]:
    symbols = node.get("enum")
    if not isinstance(symbols, list):
        return []
    mark = "io.confluent.connect.json.Enum"
    return [[mark, *(f"{mark}.{symbol}" for symbol in symbols)]]


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
