"""Values of columns: the functions from what a driver gives to what a record holds."""

from __future__ import annotations

import datetime as dt
import decimal
from collections.abc import Callable
from typing import Any, Final

from penstock.data import Schema, Type
from penstock.errors import ConnectError, DataError
from penstock_connectors.jdbc.source.columns import ResultColumn, SqlType
from penstock_connectors.jdbc.source.moments import Moments

__all__ = ["composed", "converter", "moment", "whole"]

_EXACT: Final = decimal.Context(prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)
_LONG_MAX: Final = 2**63 - 1
_BITS: Final = {Type.INT8: 8, Type.INT16: 16, Type.INT32: 32, Type.INT64: 64}


def whole(value: decimal.Decimal) -> int:
    """Return a Decimal id as an integer. Raise `ConnectError` for one with a fraction, or beyond int64."""
    if value > _LONG_MAX:
        raise ConnectError("Decimal value for incrementing column exceeded Long.MAX_VALUE")
    if value.as_tuple().exponent != 0:
        raise ConnectError("Scale of Decimal value for incrementing column must be 0")
    return int(value)


def composed(outer: Callable[[Any], Any], inner: Callable[[Any], Any]) -> Callable[[Any], Any]:
    """Return the function that does `inner`, then `outer`."""

    def both(value: Any) -> Any:
        return outer(inner(value))

    return both


def converter(column: ResultColumn, schema: Schema, moments: Moments) -> Callable[[Any], Any] | None:
    """Return the function that makes a record's value of a driver's; None where they are the same."""
    own = _own_converter(column, schema, moments)
    if column.read is None:
        return own
    return column.read if own is None else composed(own, column.read)


def _own_converter(column: ResultColumn, schema: Schema, moments: Moments) -> Callable[[Any], Any] | None:
    kind = column.type
    if kind is SqlType.NUMERIC:
        return _numeric(column, schema)
    if kind is SqlType.TIMESTAMP:
        instant = moment(column, moments)
        return lambda value: moments.timestamp(instant(value))
    if kind is SqlType.DATE:
        return moments.date
    if kind is SqlType.TIME:
        if column.instant:
            return lambda value: moments.time(value, value.utcoffset() or dt.timedelta())
        return moments.time
    if kind is SqlType.ARRAY:
        return _array(column, schema, moments)
    return None


def moment(column: ResultColumn, moments: Moments) -> Callable[[Any], int]:
    """Return the function of a column's instant. An aware value is an instant in any column."""
    if column.instant:
        return moments.zoned_instant
    if column.read is None:
        return moments.instant
    return lambda value: moments.zoned_instant(value) if getattr(value, "tzinfo", None) else moments.instant(value)


def _array(column: ResultColumn, schema: Schema, moments: Moments) -> Callable[[Any], Any]:
    assert column.element is not None
    assert schema.value_schema is not None
    convert = converter(column.element, schema.value_schema, moments)

    def read(value: Any) -> list[Any]:
        if any(isinstance(item, list) for item in value):
            raise DataError(f"The array of column {column.name} has several dimensions, expected one")
        return [None if item is None else item if convert is None else convert(item) for item in value]

    return read


def _numeric(column: ResultColumn, schema: Schema) -> Callable[[Any], Any]:
    if schema.type is Type.FLOAT64:
        return float
    if schema.type in _BITS:
        return _integer(column.name, _BITS[schema.type])
    scale = int(schema.parameters["scale"])
    exponent = decimal.Decimal((0, (1,), -scale))

    def rescaled(value: Any) -> decimal.Decimal:
        number: decimal.Decimal = value if isinstance(value, decimal.Decimal) else decimal.Decimal(str(value))
        if number.same_quantum(exponent) and number.is_finite():
            return number
        if not number.is_finite():
            raise DataError(f"Bad value for type BigDecimal : {number} in column {column.name}")
        return number.quantize(exponent, decimal.ROUND_HALF_UP, _EXACT)

    return rescaled


def _integer(name: str, bits: int) -> Callable[[Any], int]:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1)

    def cut(value: Any) -> int:
        try:
            number = int(value)
        except (ValueError, OverflowError):
            raise DataError(f"Bad value {value} of column {name}: no number") from None
        if not low <= number < high:
            raise DataError(f"Bad value for type int{bits} : {value} in column {name}; use numeric.mapping=none")
        return number

    return cut
