"""What Confluent's AvroConverter did, releases 7.0.16 and 7.6.0, against ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

from lab import vectors
from lab.conversions import in_recorded_order, run_registry_converter
from lab.vectors import Case
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
    judge(in_recorded_order(case, _orders), lambda c: _run(c, registry))


def _run(case: Case, registry: MemoryClient) -> Any:
    converter = AvroConverter()
    configs = {**case.config, "schema.registry.url": f"mock://{_REGISTRY}"}
    converter.configure(configs, bool(case.input.get("isKey")))
    return run_registry_converter(case, converter, registry, "AVRO")


def _orders(node: dict[str, Any]) -> list[list[str]]:
    orders = []
    if isinstance(node.get("connect.parameters"), dict):
        orders.append(list(node["connect.parameters"]))
    if node.get("type") == "enum":
        mark = "io.confluent.connect.avro.Enum"
        orders.append([mark, *(f"{mark}.{s}" for s in node["symbols"])])
    return orders
