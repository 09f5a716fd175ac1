"""Runs recorded cases of converters against ours."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from typing import Any, Protocol

from lab.vectors import Case, decode_schema, decode_value, encode_schema, encode_value
from penstock.api import Converter, HeaderConverter, SchemaReference
from penstock.data import Schema, SchemaAndValue
from penstock.errors import ConnectError

__all__ = ["RecordedRegistry", "in_recorded_order", "run_converter", "run_registry_converter", "tagged"]


def run_converter(case: Case, converter: Converter | HeaderConverter) -> dict[str, Any]:
    """The result of `case` in the shape of its ``expect``: ``from*`` also reads back what was written.

    Configures `converter` first. Raises what it raises; an error while reading back is part of the result.
    """
    write, read = _configured(case, converter)
    if case.input["op"].startswith("to"):
        node = case.input["bytes"]
        return tagged(read(None if node is None else bytes.fromhex(node["hex"])))
    data = write(case.schema(), case.value())
    shown = None if data is None else {"hex": data.hex(), "utf8": data.decode("utf-8", "replace")}
    result: dict[str, Any] = {"bytes": shown}
    if isinstance(case.expect, dict) and case.expect.keys() & {"roundtrip", "roundtripError"}:
        try:
            result["roundtrip"] = tagged(read(data))
        except ConnectError as error:
            result["roundtripError"] = error
    return result


Write = Callable[[Schema | None, Any], bytes | None]
Read = Callable[[bytes | None], SchemaAndValue]


def _configured(case: Case, converter: Converter | HeaderConverter) -> tuple[Write, Read]:
    topic = case.input["topic"]
    if "Header" in case.input["op"]:
        assert isinstance(converter, HeaderConverter)
        header, key = converter, case.input["headerKey"]
        header.configure({"converter.type": "header", **case.config})
        return (
            lambda schema, value: header.from_connect_header(topic, key, schema, value),
            lambda data: header.to_connect_header(topic, key, data),
        )
    assert isinstance(converter, Converter)
    plain = converter
    plain.configure(dict(case.config), case.input["isKey"])
    return (
        lambda schema, value: plain.from_connect(topic, schema, value),
        lambda data: plain.to_connect(topic, data),
    )


def tagged(read: SchemaAndValue) -> dict[str, Any]:
    return {"schema": encode_schema(read.schema), "value": encode_value(read.value, read.schema)}


class RecordedRegistry(Protocol):
    """Return the registry in memory that a case needs; entries have the fields of the registry's answers."""

    def register(
        self, subject: str, schema: str, schema_type: str, references: Sequence[SchemaReference], /
    ) -> Any: ...

    def all(self) -> Iterable[Any]: ...


def run_registry_converter(case: Case, converter: Converter, registry: RecordedRegistry, schema_type: str) -> Any:
    """Run a converter that `case` needs an empty `registry` for, as `run_converter` does: the result includes what the
    registry holds afterwards. `converter` is configured already."""
    return {"fromConnectData": _written, "fromConnectDataSequence": _all_written, "toConnectData": _read}[
        case.input["op"]
    ](case, converter, registry, schema_type)


def _written(case: Case, converter: Converter, registry: RecordedRegistry, schema_type: str) -> Any:
    topic = case.input["topic"]
    data = converter.from_connect(topic, case.schema(), case.value())
    result: dict[str, Any] = {"bytes": _wire(data), "registered": _registered(registry)}
    try:
        result["roundtrip"] = tagged(converter.to_connect(topic, data))
    except ConnectError as error:
        result["roundtripError"] = error
    return result


def _all_written(case: Case, converter: Converter, registry: RecordedRegistry, schema_type: str) -> Any:
    results = []
    for record in case.input["records"]:
        schema = decode_schema(record["schema"])
        data = converter.from_connect(record["topic"], schema, decode_value(record["value"], schema))
        results.append({"bytes": _wire(data)})
    return {"results": results, "registered": _registered(registry)}


def _read(case: Case, converter: Converter, registry: RecordedRegistry, schema_type: str) -> Any:
    for entry in case.input.get("registered") or []:
        references = [SchemaReference(r["name"], r["subject"], r["version"]) for r in entry["references"]]
        assert registry.register(entry["subject"], entry["schema"], schema_type, references).id == entry["id"]
    given = case.input["bytes"]
    found = converter.to_connect(case.input["topic"], None if given is None else bytes.fromhex(given["hex"]))
    if case.expect is None and found.schema is None and found.value is None:
        return None  # the JVM converter gives no pair at all for some nulls
    return tagged(found)


def _wire(data: bytes | None) -> Any:
    return None if data is None else {"hex": data.hex()}


def _registered(registry: RecordedRegistry) -> list[dict[str, Any]]:
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


def in_recorded_order(case: Case, orders_in: Callable[[dict[str, Any]], Iterable[list[str]]]) -> Case:
    """The recorder sorted parameters of schemas by name; their true order can be seen in what was registered.

    `orders_in` gives the orders that one JSON object of a registered schema tells.
    """
    expect = case.expect if isinstance(case.expect, Mapping) else {}
    orders: list[list[str]] = []
    for entry in expect.get("registered") or []:
        _collect(json.loads(entry["schema"]), orders_in, orders)
    return replace(case, input=_reordered(case.input, orders)) if orders else case


def _collect(node: Any, orders_in: Callable[[dict[str, Any]], Iterable[list[str]]], orders: list[list[str]]) -> None:
    if isinstance(node, dict):
        orders.extend(orders_in(node))
    if isinstance(node, dict | list):
        for item in node.values() if isinstance(node, dict) else node:
            _collect(item, orders_in, orders)


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
