"""Does a value fit a schema? The checks and words of ``ConnectSchema.validateValue``."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from decimal import Decimal
from typing import Any, Final

from penstock.data.logical import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME, beyond_python
from penstock.data.schema import Schema, Type
from penstock.data.values import BigInteger, Float32, Int8, Int16, Int32, StructValue, java_class_name
from penstock.errors import DataError

__all__ = ["validate_fields", "validate_value"]


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
    Type.MAP: lambda v: isinstance(v, dict) and not isinstance(v, StructValue),
    Type.STRUCT: lambda v: isinstance(v, dict),
}
_FITS_LOGICAL: Final[dict[str, Callable[[Any], bool]]] = {
    DECIMAL_NAME: lambda v: isinstance(v, Decimal),
    DATE_NAME: lambda v: _is_date(v) or beyond_python(DATE_NAME, v),
    TIME_NAME: lambda v: isinstance(v, dt.time) or beyond_python(TIME_NAME, v),
    TIMESTAMP_NAME: lambda v: isinstance(v, dt.datetime) or beyond_python(TIMESTAMP_NAME, v),
}
_INTEGERS: Final = (Type.INT8, Type.INT16, Type.INT32, Type.INT64)


def validate_value(schema: Schema | None, value: Any, field: str | None = None) -> None:
    """Raise `DataError` unless `value` fits `schema`; `field` is named in the message.

    Elements of arrays and maps and fields of structs are checked too. None fits an optional schema; a required one
    with a default is the caller's to fill in first.
    """
    _validate(schema, value, "value" if field is None else f'field: "{field}"')


def _validate(schema: Schema | None, value: Any, where: str) -> None:
    if schema is None:
        raise DataError(f"No schema defined for {where}")
    if value is None:
        if not schema.optional:
            raise DataError(f"Invalid value: null used for required {where}, schema type: {schema.type.name}")
        return
    fits = _FITS_LOGICAL.get(schema.name) if schema.name is not None else None
    if not (fits or _FITS[schema.type])(value):
        raise _misfit(schema, value, where)
    if schema.type is Type.STRUCT:
        _validate_struct(schema, value)
    elif schema.type is Type.ARRAY:
        for item in value:
            _validate(schema.value_schema, item, f"element of array {where}")
    elif schema.type is Type.MAP:
        for key, item in value.items():
            _validate(schema.key_schema, key, f"key of map {where}")
            _validate(schema.value_schema, item, f"value of map {where}")


def _misfit(schema: Schema, value: Any, where: str) -> DataError:
    if schema.type in _INTEGERS and schema.name not in _FITS_LOGICAL and type(value) in (int, BigInteger):
        bits = int(schema.type.name[3:])
        return DataError(
            f"Value {value} does not fit schema type {schema.type.name} for {where}: "
            f"expected {-(2 ** (bits - 1))} to {2 ** (bits - 1) - 1}"
        )
    name = "" if schema.name is None else f' "{schema.name}"'
    met = java_class_name(value)
    return DataError(f"Invalid Java object for schema{name} with type {schema.type.name}: class {met} for {where}")


def _validate_struct(schema: Schema, value: dict[str, Any]) -> None:
    if isinstance(value, StructValue):
        if value.schema != schema:
            raise DataError("Struct schemas do not match.")
    else:
        for name in value:
            if schema.field(name) is None:
                raise DataError(f"{name} is not a valid field name")
    validate_fields(schema, value)


def validate_fields(schema: Schema, value: Mapping[str, Any]) -> None:
    """Raise `DataError` for the first field whose value does not fit; a default stands in for what is absent."""
    for member in schema.fields:
        item = value.get(member.name)
        if item is None and member.schema.default is not None:
            continue
        validate_value(member.schema, item, member.name)
