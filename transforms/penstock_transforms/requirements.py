"""Checks on what a transform is given, in the words of ``org.apache.kafka.connect.transforms.util.Requirements``.

A plain ``dict`` counts as a map where there is no schema and as a struct where there is one.
"""

from __future__ import annotations

from typing import Any

from penstock.data import Schema, SinkRecord, SourceRecord, Type, java_class_name
from penstock.errors import DataError

__all__ = [
    "class_of",
    "not_a_map",
    "not_a_struct",
    "require_map_or_null",
    "require_sink_record",
    "require_struct_or_null",
]


def class_of(value: Any, schema: Schema | None = None) -> str:
    """The JVM class name of a value, ``null`` for None."""
    return "null" if value is None else java_class_name(value, schema)


def not_a_map(purpose: str, value: Any) -> DataError:
    return DataError(f"Only Map objects supported in absence of schema for [{purpose}], found: {class_of(value)}")


def not_a_struct(purpose: str, value: Any, schema: Schema | None) -> DataError:
    return DataError(f"Only Struct objects supported for [{purpose}], found: {class_of(value, schema)}")


def require_map_or_null(value: Any, purpose: str) -> dict[str, Any] | None:
    if value is None or isinstance(value, dict):
        return value
    raise not_a_map(purpose, value)


def require_struct_or_null(value: Any, purpose: str, schema: Schema) -> dict[str, Any] | None:
    if value is None or (isinstance(value, dict) and schema.type is Type.STRUCT):
        return value
    raise not_a_struct(purpose, value, schema)


def require_sink_record(record: Any, purpose: str) -> SinkRecord:
    if isinstance(record, SinkRecord):
        return record
    found = (
        "org.apache.kafka.connect.source.SourceRecord" if isinstance(record, SourceRecord) else type(record).__name__
    )
    raise DataError(f"Only SinkRecord supported for [{purpose}], found: {found}")
