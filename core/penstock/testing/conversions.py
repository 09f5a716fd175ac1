"""Runs a recorded case of a converter against one of ours."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from penstock.api import Converter, HeaderConverter
from penstock.data import Schema, SchemaAndValue
from penstock.errors import ConnectError
from penstock.testing.vectors import Case, encode_schema, encode_value

__all__ = ["run_converter", "tagged"]


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
