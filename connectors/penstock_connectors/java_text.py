"""Values as the JVM prints them, ``String.valueOf`` of what a converter made: worked out once per schema.

The texts are `penstock.data.javatext`'s, except that bytes, of which the JVM prints an address, are printed in Base64.
"""

from __future__ import annotations

import base64
import datetime as dt
from decimal import Decimal
from typing import Any, Final

from penstock.data import Float32, NanoDatetime, Schema, Struct, Type
from penstock.data.javatext import date_text
from penstock.data.struct_text import Printer, struct_printer
from penstock.java.number_text import decimal_text, double_text, float_text

__all__ = ["printer"]


def printer(schema: Schema | None) -> Printer:
    """A function that prints values of `schema`; worth keeping for the next value of the same schema."""
    if schema is None:
        return _any
    return _nullable(_bound(schema))


def _bytes_text(value: Any) -> str:
    return base64.b64encode(value).decode("ascii")


def _list_text(item: Printer) -> Printer:
    return lambda value: "[" + ", ".join(map(item, value)) + "]"


def _map_text(key: Printer, item: Printer) -> Printer:
    return lambda value: "{" + ", ".join([f"{key(k)}={item(v)}" for k, v in value.items()]) + "}"


def _struct_text(schema: Schema) -> Printer:
    return struct_printer(schema, _bound)


def _any(value: Any) -> str:
    if value is None:
        return "null"
    if type(value) is Struct:
        return _struct_text(value.schema)(value)
    text = _BY_TYPE.get(type(value))
    return str(value) if text is None else text(value)


_BY_TYPE: Final[dict[type, Printer]] = {
    bool: lambda v: "true" if v else "false",
    float: double_text,
    Float32: float_text,
    Decimal: decimal_text,
    bytes: _bytes_text,
    bytearray: _bytes_text,
    memoryview: _bytes_text,
    list: _list_text(_any),
    tuple: _list_text(_any),
    dict: _map_text(_any, _any),
    dt.datetime: date_text,
    NanoDatetime: date_text,
    dt.date: date_text,
    dt.time: date_text,
}


def _nullable(text: Printer) -> Printer:
    return lambda value: "null" if value is None else text(value)


def _bound(schema: Schema) -> Printer:
    match schema.type:
        case Type.STRUCT:
            return _struct_text(schema)
        case Type.ARRAY:
            return _list_text(printer(schema.value_schema))
        case Type.MAP:
            return _map_text(printer(schema.key_schema), printer(schema.value_schema))
        case Type.STRING:
            return str
        case Type.FLOAT32:
            return float_text
    return _any
