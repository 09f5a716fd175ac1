"""``org.apache.kafka.connect.data.Values`` as recorded."""

from __future__ import annotations

import pytest

from lab import vectors
from lab.vectors import encode_schema, encode_value
from penstock.data import BOOLEAN, FLOAT32, FLOAT64, INT8, INT16, INT32, INT64, STRING, Struct, decimal_schema
from penstock.data.conversion import (
    convert_to_boolean,
    convert_to_date,
    convert_to_decimal,
    convert_to_double,
    convert_to_float,
    convert_to_integer,
    convert_to_list,
    convert_to_map,
    convert_to_string,
    convert_to_struct,
    convert_to_time,
    convert_to_timestamp,
)
from penstock.data.logical import DATE, TIME, TIMESTAMP
from penstock.data.parsing import infer_schema, parse_string

#: Each operation with the schema its result has (None: the input's own).
CONVERSIONS = {
    "convertToBoolean": (convert_to_boolean, BOOLEAN),
    "convertToByte": (lambda s, v: convert_to_integer(s, v, 8), INT8),
    "convertToShort": (lambda s, v: convert_to_integer(s, v, 16), INT16),
    "convertToInteger": (lambda s, v: convert_to_integer(s, v, 32), INT32),
    "convertToLong": (lambda s, v: convert_to_integer(s, v, 64), INT64),
    "convertToFloat": (convert_to_float, FLOAT32),
    "convertToDouble": (convert_to_double, FLOAT64),
    "convertToString": (convert_to_string, STRING),
    "convertToList": (convert_to_list, None),
    "convertToMap": (convert_to_map, None),
    "convertToStruct": (convert_to_struct, None),
    "convertToTime": (convert_to_time, TIME),
    "convertToDate": (convert_to_date, DATE),
    "convertToTimestamp": (convert_to_timestamp, TIMESTAMP),
}


def run(case: vectors.Case):
    op = case.input["op"]
    if op == "parseString":
        parsed = parse_string(case.input["arg"])
        return {"schema": encode_schema(parsed.schema), "value": encode_value(parsed.value, parsed.schema)}
    if op == "inferSchema":
        return {"schema": encode_schema(infer_schema(case.value()))}
    schema, value = case.schema(), case.value()
    if op == "convertToDecimal":
        scale = case.input["scale"]
        return {"value": encode_value(convert_to_decimal(schema, value, scale), decimal_schema(scale))}
    convert, result = CONVERSIONS[op]
    if op == "convertToStruct":  # travels without a schema beside it here
        return {"value": encode_value(Struct.trusted(schema, convert(schema, value)))}
    if isinstance(value, str) and result is None:  # parsed from text: nothing of the input's schema is left
        return {"value": encode_value(convert(schema, value), parse_string(value).schema)}
    return {"value": encode_value(convert(schema, value), result or schema)}


@pytest.mark.parametrize("case", vectors.load("values"), ids=lambda case: case.id)
def test_values(case, judge):
    judge(case, run)
