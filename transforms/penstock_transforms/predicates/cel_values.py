"""Connect's values as CEL knows them.

============================ =====================================================
Connect                      CEL
============================ =====================================================
integers                     int
floats, Decimal              double
string, boolean, bytes       string, bool, bytes
Date, Timestamp, `datetime`  timestamp (a Date: midnight in UTC)
Time                         duration since midnight
array, map, struct           list, map, map (a field that is null is there, null)
============================ =====================================================

A moment that Python's types cannot hold is a number of milliseconds, and CEL's int.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable
from typing import Any, Final

from penstock.data import Header, Schema, Struct, Type
from penstock.data.logical import time_to_millis, timestamp_from_millis

__all__ = ["last_headers", "moment", "to_cel"]

Convert = Callable[[Any], Any]

#: The types that the library takes as they are.
_PLAIN: Final = frozenset({bool, int, float, str, bytes, type(None), dt.datetime})


def moment(millis: int | None) -> dt.datetime | None:
    return None if millis is None else timestamp_from_millis(millis)


def last_headers(headers: Iterable[Header]) -> dict[str, Any]:
    """Header name to value; the last one of a name counts (``Headers.lastWithName``)."""
    return {header.key: _any(header.value) for header in headers}


def to_cel(schema: Schema | None, fields: frozenset[str] | None) -> Convert:
    """A function from a value of `schema` to what CEL is given; of a struct or map only `fields`, if not None."""
    if schema is None:
        return _any if fields is None else _entries(fields)
    return _members(schema, fields) if schema.type is Type.STRUCT else _convert_of(schema)


def _any(value: Any) -> Any:
    """By the value's own type."""
    kind = type(value)
    if kind in _PLAIN:
        return value
    if kind is list:
        return [_any(item) for item in value]
    if isinstance(value, Struct):
        return {field.name: _any(value.get(field.name)) for field in value.schema.fields}
    if isinstance(value, dict):
        return {key: _any(item) for key, item in value.items()}
    if isinstance(value, dt.datetime):
        return value
    if isinstance(value, dt.date):
        return dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    if isinstance(value, dt.time):
        return dt.timedelta(milliseconds=time_to_millis(value))
    return value


def _entries(fields: frozenset[str]) -> Convert:
    """Convert a map's entries of these names, if they are there: ``has`` tells which."""
    names = tuple(fields)

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            return _any(value)
        return {name: _any(value[name]) for name in names if name in value}

    return convert


def _members(schema: Schema, fields: frozenset[str] | None) -> Convert:
    """Convert a struct's fields, all that its schema has, null or not."""
    inner: list[tuple[str, Convert | None]] = [
        (f.name, None if _is_plain(f.schema) else _convert_by_schema(f.schema))
        for f in schema.fields
        if fields is None or f.name in fields
    ]

    def convert(value: Any) -> Any:
        if not isinstance(value, dict):
            return _any(value)
        get = value.get
        return {name: get(name) if turn is None else turn(get(name)) for name, turn in inner}

    return convert


def _is_plain(schema: Schema) -> bool:
    return schema.type.is_primitive and schema.name is None


def _convert_by_schema(schema: Schema) -> Convert:
    match schema.type:
        case Type.STRUCT:
            return _lazily(lambda: _members(schema, None))
        case Type.ARRAY if schema.value_schema is not None:
            item = _lazily(lambda: _convert_of(schema.value_schema))
            return lambda value: [item(i) for i in value] if isinstance(value, list) else _any(value)
        case Type.MAP if schema.value_schema is not None:
            item = _lazily(lambda: _convert_of(schema.value_schema))
            return lambda value: {k: item(v) for k, v in value.items()} if isinstance(value, dict) else _any(value)
    return _any


def _convert_of(schema: Schema | None) -> Convert:
    return _any if schema is None or _is_plain(schema) else _convert_by_schema(schema)


def _lazily(make: Callable[[], Convert]) -> Convert:
    """Tied when a value comes: a schema may hold itself."""
    tied: list[Convert] = []

    def convert(value: Any) -> Any:
        if not tied:
            tied.append(make())
        return tied[0](value)

    return convert
