"""Values, and what Java calls them.

Values are plain Python values:

========== ======================================================================================
schema     value
========== ======================================================================================
INT8..64   `int`
FLOAT32/64 `float`
BOOLEAN    `bool`
STRING     `str`
BYTES      `bytes`
ARRAY      `list`
MAP        `dict` (keys must be hashable)
STRUCT     `dict` from field name to value; a field that is absent is null, its default not filled in
Decimal    `decimal.Decimal` whose exponent is minus the schema's scale
Date       `datetime.date`
Time       `datetime.time`, milliseconds
Timestamp  timezone-aware `datetime.datetime` in UTC, milliseconds; finer only where a converter was asked for it
           (``timestamp.precision``), as `penstock.data.NanoDatetime` if beyond the microsecond
========== ======================================================================================

Where a value travels *without* a schema, a plain ``int`` is Java's ``Long`` and a plain ``float`` its ``Double``. The
subclasses below stand for the narrower boxes; arithmetic on them gives plain numbers again. They are never needed
beside a schema, which says the width.
"""

from __future__ import annotations

import datetime as dt
from decimal import Decimal
from typing import Any, Final

from penstock.data.nanos import NanoDatetime
from penstock.data.schema import Schema, Type

__all__ = ["BigInteger", "FarDate", "Float32", "Int8", "Int16", "Int32", "StructValue", "java_class_name"]


class Int8(int):
    """A ``java.lang.Byte`` without a schema."""

    __slots__ = ()


class Int16(int):
    """A ``java.lang.Short`` without a schema."""

    __slots__ = ()


class Int32(int):
    """A ``java.lang.Integer`` without a schema."""

    __slots__ = ()


class BigInteger(int):
    """A ``java.math.BigInteger`` without a schema; any `int` beyond 64 bits counts as one too."""

    __slots__ = ()


class FarDate(int):
    """A ``java.util.Date`` without a schema, in a year that Python's types cannot hold: milliseconds since the epoch.

    Beside a schema a plain number of milliseconds does, since the schema says what it is.
    """

    __slots__ = ()


class Float32(float):
    """A ``java.lang.Float`` without a schema."""

    __slots__ = ()


class StructValue(dict[str, Any]):
    """A struct's value that carries its schema. Made as `penstock.data.Struct`, which checks what is put in."""

    __slots__ = ("schema",)

    schema: Schema


_JAVA_CLASS: Final[dict[type, str]] = {
    bool: "java.lang.Boolean",
    Int8: "java.lang.Byte",
    Int16: "java.lang.Short",
    Int32: "java.lang.Integer",
    BigInteger: "java.math.BigInteger",
    Float32: "java.lang.Float",
    float: "java.lang.Double",
    str: "java.lang.String",
    bytes: "[B",
    bytearray: "java.nio.HeapByteBuffer",
    memoryview: "java.nio.HeapByteBuffer",
    list: "java.util.ArrayList",
    tuple: "java.util.ArrayList",
    Decimal: "java.math.BigDecimal",
    dt.date: "java.util.Date",
    dt.time: "java.util.Date",
    dt.datetime: "java.util.Date",
    NanoDatetime: "java.util.Date",
    FarDate: "java.util.Date",
}


def java_class_name(value: Any, schema: Schema | None = None) -> str:
    """Return what Java's ``value.getClass().getName()`` would say, for messages that users know by heart.

    With a `schema` whose type fits, its width decides (a plain int is an ``Integer`` beside INT32).
    """
    kind = type(value)
    if kind is int:
        if schema is not None and schema.type in _WIDTH:
            return _WIDTH[schema.type]
        return "java.lang.Long" if -(2**63) <= value < 2**63 else "java.math.BigInteger"
    if kind is float and schema is not None and schema.type is Type.FLOAT32:
        return "java.lang.Float"
    if kind is dict:
        if schema is not None and schema.type is Type.STRUCT:
            return "org.apache.kafka.connect.data.Struct"
        return "java.util.LinkedHashMap"  # like ours, it keeps the order of its entries
    if isinstance(value, StructValue):
        return "org.apache.kafka.connect.data.Struct"
    return _JAVA_CLASS.get(kind) or f"{kind.__module__}.{kind.__qualname__}"


_WIDTH: Final = {
    Type.INT8: "java.lang.Byte",
    Type.INT16: "java.lang.Short",
    Type.INT32: "java.lang.Integer",
    Type.INT64: "java.lang.Long",
}
