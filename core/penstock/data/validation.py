"""Does a value fit a schema? The checks and words of ``ConnectSchema.validateValue``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from penstock.data.logical import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME
from penstock.data.schema import Schema, Type
from penstock.data.values import BigInteger, Float32, Int8, Int16, Int32, Struct, java_class_name
from penstock.errors import DataError

__all__ = ["validate_value"]


def _integer(low: int, high: int, box: type[int] | None) -> Callable[[Any], bool]:
    # A plain int fits by its range; a boxed one (see penstock.data.values) only if it is of this very width.
    def fits(value: Any) -> bool:
        kind = type(value)
        return (kind is int or kind is box) and low <= value <= high

    return fits


def _is_date(value: Any) -> bool:
    return isinstance(value, dt.date) and not isinstance(value, dt.datetime)


_FITS: Final[dict[Type, Callable[[Any], bool]]] = {
    Type.INT8: _integer(-(2**7), 2**7 - 1, Int8),
    Type.INT16: _integer(-(2**15), 2**15 - 1, Int16),
    Type.INT32: _integer(-(2**31), 2**31 - 1, Int32),
    Type.INT64: _integer(-(2**63), 2**63 - 1, None),
    Type.FLOAT32: lambda v: type(v) in (float, Float32),
    Type.FLOAT64: lambda v: type(v) is float,
    Type.BOOLEAN: lambda v: type(v) is bool,
    Type.STRING: lambda v: isinstance(v, str),
    Type.BYTES: lambda v: isinstance(v, bytes | bytearray | memoryview),
    Type.ARRAY: lambda v: isinstance(v, list | tuple),
    Type.MAP: lambda v: isinstance(v, dict) and not isinstance(v, Struct),
    Type.STRUCT: lambda v: isinstance(v, dict),
}
_FITS_LOGICAL: Final[dict[str, Callable[[Any], bool]]] = {
    DECIMAL_NAME: lambda v: isinstance(v, Decimal),
    DATE_NAME: _is_date,
    TIME_NAME: lambda v: isinstance(v, dt.time),
    TIMESTAMP_NAME: lambda v: isinstance(v, dt.datetime),
}
_INTEGERS: Final = (Type.INT8, Type.INT16, Type.INT32, Type.INT64)


def validate_value(schema: Schema | None, value: Any, field: str | None = None) -> None:
    """Raise `DataError` unless `value` fits `schema`; `field` is named in the message.

    Elements of arrays and maps and fields of structs are checked too. None fits an optional schema; a required one
    with a default is the caller's to fill in first.
    """
    where = "" if field is None else f' for field: "{field}"'
    if schema is None:
        raise DataError(f"Invalid schema{where}: the schema may not be null")
    if value is None:
        if not schema.optional:
            raise DataError(
                f"Invalid value: null used for required field{where[4:] if where else ''}, schema type: {schema.type.name}"
            )
        return
    fits = _FITS_LOGICAL.get(schema.name) if schema.name is not None else None
    if not (fits or _FITS[schema.type])(value):
        if schema.type in _INTEGERS and fits is None and type(value) in (int, BigInteger):
            bits = int(schema.type.name[3:])
            raise DataError(
                f"Value {value} does not fit schema type {schema.type.name}{where}: expected {-(2 ** (bits - 1))} to {2 ** (bits - 1) - 1}"
            )
        raise DataError(
            f"Invalid Java object for schema with type {schema.type.name}: class {java_class_name(value)}{where}"
        )
    if schema.type is Type.STRUCT:
        _validate_struct(schema, value, field)
    elif schema.type is Type.ARRAY:
        for item in value:
            validate_value(schema.value_schema, item, field)
    elif schema.type is Type.MAP:
        for key, item in value.items():
            validate_value(schema.key_schema, key, field)
            validate_value(schema.value_schema, item, field)


def _validate_struct(schema: Schema, value: dict[str, Any], field: str | None) -> None:
    if isinstance(value, Struct):
        # A Struct checked its own fields when they were put; what is left is that it is of this schema.
        if value.schema != schema:
            where = "" if field is None else f" for field: {field}"
            raise DataError(f"Struct schemas do not match{where}: expected {schema!r}, met {value.schema!r}")
        return
    for name in value:
        if schema.field(name) is None:
            raise DataError(f"{name} is not a valid field name")
    for member in schema.fields:
        item = value.get(member.name)
        if item is None and member.schema.default is not None:
            continue
        validate_value(member.schema, item, member.name)
