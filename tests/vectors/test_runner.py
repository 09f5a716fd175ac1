"""The runner of the vectors can fail, and its list of deviations names cases that exist."""

from __future__ import annotations

import os
from decimal import Decimal

import pytest

from lab import vectors
from lab.vectors import (
    Case,
    Deviations,
    compare_error,
    decode_schema,
    decode_value,
    encode_schema,
    encode_value,
)
from penstock.data import INT32, STRING, Float32, Int32, Struct
from penstock.errors import ConfigError, ConnectError, DataError

#: The areas in FORMAT.md's form; the folder holds tables of other forms too.
RECORDED = sorted(p.stem for p in vectors.folder().glob("*.jsonl") if '"area"' in p.open(encoding="utf-8").readline())


def case(expect=None, error=None) -> Case:
    return Case("x.1", "x", "x", "a.B", {}, {}, expect, error)


@pytest.mark.parametrize("area", RECORDED)
def test_every_recorded_schema_and_value_survives_decoding_and_encoding(area):
    for one in vectors.load(area):
        for schema, value in tagged_pairs(one.input):
            decoded = decode_schema(schema)
            assert vectors.problem(case(schema), encode_schema(decoded)) is None, one.id
            if value is None or value["t"] not in WRONG_WIDTH:
                met = encode_value(decode_value(value, decoded), decoded)
                assert vectors.problem(case({"value": value}), {"value": met}) is None, one.id


#: A java.util.Date's tag follows the schema, and a Long beside INT32 cannot be told from an Integer.
WRONG_WIDTH = {"timestamp", "date", "time", "int64"}


def tagged_pairs(node):
    if isinstance(node, dict):
        if "schema" in node and "value" in node and isinstance(node["value"], dict | None):
            yield node["schema"], node["value"]
        for item in node.values():
            yield from tagged_pairs(item)
    elif isinstance(node, list):
        for item in node:
            yield from tagged_pairs(item)


def test_a_wrong_result_is_a_problem():
    recorded = case({"bytes": {"hex": "00"}, "value": {"t": "int32", "v": 1}})
    assert vectors.problem(recorded, {"bytes": {"hex": "00"}, "value": {"t": "int32", "v": 1}}) is None
    assert "value" in vectors.problem(recorded, {"bytes": {"hex": "00"}, "value": {"t": "int64", "v": 1}})
    assert "bytes" in vectors.problem(recorded, {"bytes": {"hex": "01"}, "value": {"t": "int32", "v": 1}})
    assert "keys" in vectors.problem(recorded, {"bytes": {"hex": "00"}})
    assert "raised" in vectors.problem(recorded, DataError("no"))


def test_maps_compare_without_order_and_floats_by_bits():
    one = {"t": "map", "entries": [[{"t": "string", "v": "a"}, None], [{"t": "string", "v": "b"}, None]]}
    other = {"t": "map", "entries": one["entries"][::-1]}
    assert vectors.problem(case(one), other) is None
    zero = {"t": "float64", "bits": "0000000000000000", "v": 0.0}
    assert vectors.problem(case(zero), encode_value(-0.0)) is not None
    assert vectors.problem(case(zero), encode_value(0.0)) is None


def test_errors_compare_by_class_and_message():
    data = {"class": "org.apache.kafka.connect.errors.DataException", "message": "no"}
    assert compare_error(data, DataError("no")) is None
    assert compare_error(data, DataError("yes")) is not None
    assert compare_error(data, ConfigError("no")) is not None
    unstable = {**data, "message": "met [B@HASH here", "unstable": True}
    assert compare_error(unstable, DataError("met [B@1f here")) is None
    assert compare_error(unstable, DataError("met [B here")) is not None
    java = {"class": "java.lang.NullPointerException", "message": "whatever"}
    assert compare_error(java, DataError("better words")) is None
    assert compare_error(java, ConnectError("not a data error")) is not None
    assert vectors.problem(case(error=data), {"value": None}) is not None


def test_a_value_of_another_type_than_its_schema_keeps_its_own():
    assert type(decode_value({"t": "int32", "v": 5}, INT32)) is int
    assert type(decode_value({"t": "int32", "v": 5}, STRING)) is Int32
    assert type(decode_value({"t": "float32", "bits": "3f800000"})) is Float32
    assert decode_value({"t": "decimal", "unscaled": "-150", "scale": 2}) == Decimal("-1.50")


def test_a_struct_without_its_schema_beside_it_carries_it():
    schema = {
        "type": "STRUCT",
        "optional": False,
        "fields": [{"name": "a", "index": 0, "schema": {"type": "INT32", "optional": False}}],
    }
    value = decode_value({"t": "struct", "fields": {"a": {"t": "int32", "v": 1}}, "schema": schema})
    assert isinstance(value, Struct)
    assert encode_value(value)["schema"] == schema
    assert "schema" not in encode_value(value, decode_schema(schema))


@pytest.mark.skipif("PENSTOCK_VECTORS" in os.environ, reason="the list belongs to the checkout's own vectors")
def test_every_listed_deviation_names_recorded_cases(deviations: Deviations):
    ids = [one.id for area in RECORDED for one in vectors.load(area)]
    assert deviations.unmatched(ids) == []
