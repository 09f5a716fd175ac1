"""Java's texts of a record's values: ``toString`` of dates, collections and structs, wherever that text leaves the process.

How it writes numbers stands in `penstock.java.number_text`.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Final

from penstock.data.logical import (
    DATE_NAME,
    MILLIS_PER_DAY,
    TIME_NAME,
    TIMESTAMP_NAME,
    date_to_days,
    time_to_millis,
    timestamp_to_millis,
)
from penstock.data.schema import Schema, Type
from penstock.data.values import FarDate, Float32, StructValue
from penstock.java.calendar import civil_from_day, weekday
from penstock.java.number_text import decimal_text, double_text, float_text

__all__ = ["date_text", "java_text", "millis_of"]


def millis_of(value: dt.date | dt.time | dt.datetime) -> int:
    """``java.util.Date.getTime()`` of what stands for a ``java.util.Date``."""
    if isinstance(value, dt.datetime):
        return timestamp_to_millis(value)
    if isinstance(value, dt.date):
        return date_to_days(value) * MILLIS_PER_DAY
    return time_to_millis(value)


_DAYS: Final = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
#: Python counts them from Monday on.
_ISO_DAYS: Final = (*_DAYS[1:], "Sun")
#: Milliseconds stand for a date of these that Python's types cannot hold.
_DATES: Final = frozenset({DATE_NAME, TIME_NAME, TIMESTAMP_NAME})
_LAST_JULIAN_YEAR: Final = 1582
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def date_text(value: dt.date | dt.time | dt.datetime | int) -> str:
    """``java.util.Date.toString()`` in UTC; an int is milliseconds, of any size. Before 1582-10-15 Java's calendar is
    the Julian one."""
    if isinstance(value, dt.datetime) and value.tzinfo is dt.UTC and value.year > _LAST_JULIAN_YEAR:
        return (
            f"{_ISO_DAYS[value.weekday()]} {_MONTHS[value.month - 1]} {value.day:02} "
            f"{value.hour:02}:{value.minute:02}:{value.second:02} UTC {value.year}"
        )
    days, rest = divmod(value if isinstance(value, int) else millis_of(value), MILLIS_PER_DAY)
    year, month, day = civil_from_day(days)
    seconds = rest // 1000
    time = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{_DAYS[weekday(days)]} {_MONTHS[month - 1]} {day:02} {time} UTC {year if year > 0 else 1 - year}"


def java_text(value: Any, schema: Schema | None = None) -> str:
    """``String.valueOf(value)``; `schema` says the width where the value does not."""
    match value:
        case None:
            return "null"
        case bool():
            return "true" if value else "false"
        case str():
            return str(value)
        case int():
            far = isinstance(value, FarDate) or (schema is not None and schema.name in _DATES)
            return date_text(value) if far else str(int(value))
        case float():
            single = isinstance(value, Float32) or (schema is not None and schema.type is Type.FLOAT32)
            return float_text(value) if single else double_text(value)
        case Decimal():
            return decimal_text(value)
        case dt.date() | dt.time():
            return date_text(value)
        case bytes() | bytearray():
            return f"[B@{id(value) & 0xFFFFFFFF:x}"
        case list() | tuple():
            item = schema.value_schema if schema is not None and schema.type is Type.ARRAY else None
            return f"[{', '.join(java_text(v, item) for v in value)}]"
        case dict():
            return _mapping_text(value, schema)
    return str(value)


def _mapping_text(value: dict[Any, Any], schema: Schema | None) -> str:
    own = value.schema if isinstance(value, StructValue) else schema
    if own is not None and own.type is Type.STRUCT:
        there = ((f, dict.get(value, f.name)) for f in own.fields)
        return f"Struct{{{','.join(f'{f.name}={java_text(v, f.schema)}' for f, v in there if v is not None)}}}"
    key, item = (own.key_schema, own.value_schema) if own is not None and own.type is Type.MAP else (None, None)
    return f"{{{', '.join(f'{java_text(k, key)}={java_text(v, item)}' for k, v in value.items())}}}"
