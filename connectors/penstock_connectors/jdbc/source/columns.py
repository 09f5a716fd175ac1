"""Columns of a result: their SQL type as JDBC has it, and the Connect schema that follows from it.

The rules are those of ``GenericDatabaseDialect.addFieldToSchema``; which column has which type is each database's own
business (`penstock_connectors.jdbc.source.reading`).
"""

from __future__ import annotations

import enum
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from penstock.data import (
    BOOLEAN,
    BYTES,
    DATE,
    DECIMAL_NAME,
    FLOAT32,
    FLOAT64,
    INT8,
    INT16,
    INT32,
    INT64,
    STRING,
    TIME,
    Schema,
    Type,
)

__all__ = [
    "PRECISION_PARAMETER",
    "ResultColumn",
    "SqlType",
    "column_schema",
    "decimal_with_precision",
    "is_numeric_mapped",
]

#: Above this precision a number does not fit int64 for certain.
_MAX_INTEGER_PRECISION: Final = 18
_LOWEST_SCALE: Final = -84
PRECISION_PARAMETER: Final = "connect.decimal.precision"
#: The scale of a Decimal whose column has none.
UNSET_SCALE: Final = 127


#: A Python type; a column's own `type` hides the builtin.
Kind = type


class SqlType(enum.Enum):
    """The types of ``java.sql.Types``, as far as they differ here."""

    BOOLEAN = "boolean"
    BIT = "bit"
    TINYINT = "tinyint"
    SMALLINT = "smallint"
    INTEGER = "integer"
    BIGINT = "bigint"
    REAL = "real"
    DOUBLE = "double"
    NUMERIC = "numeric"
    STRING = "string"
    BYTES = "bytes"
    DATE = "date"
    TIME = "time"
    TIMESTAMP = "timestamp"
    ARRAY = "array"
    #: No Connect type is known for it.
    OTHER = "other"


@dataclass(slots=True)
class ResultColumn:
    """One column of a query's result."""

    name: str
    type: SqlType
    optional: bool = True
    #: The digits of a number; None where a numeric column has neither precision nor scale.
    precision: int | None = None
    scale: int = 0
    signed: bool = True
    #: The type as the database names it, for messages.
    type_name: str = ""
    #: Whether a TIME or TIMESTAMP is a point in time, which no time zone of the settings moves.
    instant: bool = False
    #: A function of a value that is not null, which makes the type's usual Python value of what the driver gives.
    read: Callable[[Any], Any] | None = None
    #: The type whose values need no `read`: it is spared for them. With `bits`, only for integers of so many bits.
    #: An integer of a TIMESTAMP is milliseconds since 1970.
    native: Kind | None = None
    bits: int | None = None
    #: The elements of an ARRAY.
    element: ResultColumn | None = None


_PLAIN: Final = {
    SqlType.BOOLEAN: BOOLEAN, SqlType.BIT: INT8, SqlType.BIGINT: INT64, SqlType.REAL: FLOAT32, SqlType.DOUBLE: FLOAT64,
    SqlType.STRING: STRING, SqlType.BYTES: BYTES, SqlType.DATE: DATE, SqlType.TIME: TIME,
}  # fmt: skip
_SIGNED: Final = {SqlType.TINYINT: INT8, SqlType.SMALLINT: INT16, SqlType.INTEGER: INT32}
_UNSIGNED: Final = {SqlType.TINYINT: INT16, SqlType.SMALLINT: INT32, SqlType.INTEGER: INT64}


def column_schema(column: ResultColumn, mapping: str, granularity: Schema) -> Schema | None:
    """Return the schema of `column` under a ``numeric.mapping`` and the schema that ``timestamp.granularity`` calls for;
    None for a type that Connect has none for."""
    kind = column.type
    if kind is SqlType.NUMERIC:
        schema = is_numeric_mapped(column, mapping) or decimal_with_precision(column)
    elif kind is SqlType.TIMESTAMP:
        schema = granularity
    elif kind is SqlType.ARRAY:
        element = None if column.element is None else column_schema(column.element, mapping, granularity)
        if element is None:
            return None
        schema = Schema(Type.ARRAY, value_schema=element)
    elif kind in _SIGNED:
        schema = (_SIGNED if column.signed else _UNSIGNED)[kind]
    elif kind in _PLAIN:
        schema = _PLAIN[kind]
    else:
        return None
    return schema.as_optional() if column.optional else schema


def is_numeric_mapped(column: ResultColumn, mapping: str) -> Schema | None:
    """Return the integer or double schema that ``numeric.mapping`` gives a NUMERIC column; None if it stays a Decimal.

    A column without precision and scale counts as one of precision 0 and scale 0, as with pgjdbc.
    """
    precision, scale = column.precision or 0, column.scale if column.precision is not None else 0
    if mapping == "none":
        return None
    if mapping == "precision_only":
        return _integer(precision) if scale == 0 and precision <= _MAX_INTEGER_PRECISION else None
    if _LOWEST_SCALE <= scale < 1:
        return _integer(precision) if precision <= _MAX_INTEGER_PRECISION else None
    if scale > 0 and (mapping == "best_fit_eager_double" or precision <= _MAX_INTEGER_PRECISION):
        return FLOAT64
    return None


def _integer(precision: int) -> Schema:
    if precision > 9:
        return INT64
    if precision > 4:
        return INT32
    return INT16 if precision > 2 else INT8


def decimal_with_precision(column: ResultColumn) -> Schema:
    """Return the Decimal schema of a NUMERIC column, which also tells its precision."""
    scale = UNSET_SCALE if column.precision is None else column.scale
    parameters = {"scale": str(scale), PRECISION_PARAMETER: str(column.precision or 0)}
    return Schema(Type.BYTES, False, DECIMAL_NAME, 1, parameters=parameters)
