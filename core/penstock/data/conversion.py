"""Values converted from one type to another, by the rules of ``org.apache.kafka.connect.data.Values``.

Numbers are narrowed as Java narrows them: integers wrap, floats are cut towards zero and stop at the ends. What comes
back is the plain value of the type named; ``convert_to_time`` and its like give milliseconds where Python's types
cannot hold the result. Text that stands for a truth, a collection or a date is parsed first (`penstock.data.parsing`).
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from penstock.data import casting
from penstock.data.casting import (
    NULL_REFUSED,
    convert_to_decimal,
    convert_to_double,
    convert_to_float,
    convert_to_integer,
    convert_to_string,
    convert_to_struct,
)
from penstock.data.logical import DATE_NAME, TIME_NAME, TIMESTAMP_NAME
from penstock.data.parsing import parse_string
from penstock.data.record import SchemaAndValue
from penstock.data.schema import Schema, Type
from penstock.errors import DataError

__all__ = [
    "convert_to",
    "convert_to_boolean",
    "convert_to_date",
    "convert_to_decimal",
    "convert_to_double",
    "convert_to_float",
    "convert_to_integer",
    "convert_to_list",
    "convert_to_map",
    "convert_to_string",
    "convert_to_struct",
    "convert_to_time",
    "convert_to_timestamp",
]


def _parsed_or_same(schema: Schema | None, value: Any) -> SchemaAndValue:
    if value is None:
        raise DataError(NULL_REFUSED)
    return parse_string(value) if isinstance(value, str) else SchemaAndValue(schema, value)


def convert_to_boolean(schema: Schema | None, value: Any) -> bool | None:
    """Return the truth of true and false, of their texts, or of a number that is not zero."""
    if value is None:
        return None
    if isinstance(value, str):
        parsed = parse_string(value).value
        if isinstance(parsed, bool):
            return parsed
    return casting.to_boolean(schema, value)


def convert_to_list(schema: Schema | None, value: Any) -> list[Any]:
    """Return the items of a list, or of the text of one."""
    met = _parsed_or_same(schema, value)
    return casting.to_list(met.schema, met.value)


def convert_to_map(schema: Schema | None, value: Any) -> dict[Any, Any]:
    """Return a map, or the map that a text stands for."""
    met = _parsed_or_same(schema, value)
    return casting.to_map(met.schema, met.value)


def convert_to_time(schema: Schema | None, value: Any) -> dt.time | int:
    """Return a time of day: of a time, of a timestamp, or of a number of milliseconds."""
    return casting.to_time(schema, _parsed_or_same(schema, value).value)


def convert_to_date(schema: Schema | None, value: Any) -> dt.date | int:
    """Return a date: of a date, of a timestamp, or of a number of days."""
    return casting.to_date(schema, _parsed_or_same(schema, value).value)


def convert_to_timestamp(schema: Schema | None, value: Any) -> dt.datetime | int:
    """Return a point in time: of a date, a time, a timestamp, or of a number of milliseconds since the epoch."""
    return casting.to_timestamp(schema, _parsed_or_same(schema, value).value)


def convert_to(target: Schema, schema: Schema | None, value: Any) -> Any:
    """Return `value`, of `schema` or of none, as a value of `target`."""
    if isinstance(value, str):
        match target.type:
            case Type.BOOLEAN:
                return convert_to_boolean(schema, value)
            case Type.INT32 if target.name == DATE_NAME:
                return convert_to_date(schema, value)
            case Type.INT32 if target.name == TIME_NAME:
                return convert_to_time(schema, value)
            case Type.INT64 if target.name == TIMESTAMP_NAME:
                return convert_to_timestamp(schema, value)
            case Type.ARRAY:
                return convert_to_list(schema, value)
            case Type.MAP:
                return convert_to_map(schema, value)
    return casting.cast(target, schema, value)
