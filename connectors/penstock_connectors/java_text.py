"""Values as the JVM prints them: ``String.valueOf`` of what a converter made.

Two texts differ on purpose. Bytes, of which the JVM prints an address, are printed in Base64; dates are printed in
UTC, whatever the machine's time zone is.
"""

from __future__ import annotations

import base64
import datetime as dt
import math
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from penstock.data import Float32, Schema, Struct, Type

__all__ = ["printer", "to_text"]

Printer = Callable[[Any], str]


def to_text(value: Any, schema: Schema | None = None) -> str:
    """One value's text. `schema` tells a struct from a map and a float from a double."""
    return printer(schema)(value)


def printer(schema: Schema | None) -> Printer:
    """A function that prints values of `schema`; worth keeping for the next value of the same schema."""
    if schema is None:
        return _any
    return _nullable(_bound(schema))


def double_text(value: float) -> str:
    """``Double.toString``: shortest digits, ``1.0E10`` beyond 10^7 and below 10^-3."""
    return _java_float(value, repr(value))


def float_text(value: float) -> str:
    """``Float.toString``: the shortest digits that give the same 32 bits."""
    if not math.isfinite(value):
        return _java_float(value, "")
    bits = struct.pack("<f", value)
    short = next(t for t in (f"{value:.{p}g}" for p in range(1, 10)) if struct.pack("<f", float(t)) == bits)
    return _java_float(value, short)


def _java_float(value: float, digits_text: str) -> str:
    if math.isnan(value):
        return "NaN"
    if math.isinf(value):
        return "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return "-0.0" if math.copysign(1, value) < 0 else "0.0"
    sign, digits, exponent = Decimal(digits_text).normalize().as_tuple()
    assert isinstance(exponent, int)
    text = "".join(map(str, digits))
    point = len(text) + exponent  # the decimal point stands after so many digits
    if -3 < point <= 7:
        plain = format(Decimal((sign, digits, exponent)), "f")
        return plain if "." in plain else plain + ".0"
    return f"{'-' * sign}{text[0]}.{text[1:] or '0'}E{point - 1}"


def _date_text(value: dt.date) -> str:
    """``java.util.Date.toString``, whose words do not depend on the locale."""
    moment = value if isinstance(value, dt.datetime) else dt.datetime(value.year, value.month, value.day, tzinfo=dt.UTC)
    moment = moment.astimezone(dt.UTC)
    return f"{_DAYS[moment.weekday()]} {_MONTHS[moment.month - 1]} {moment:%d %H:%M:%S} UTC {moment.year:04d}"


_DAYS: Final = ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun")
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def _time_text(value: dt.time) -> str:
    return _date_text(dt.datetime.combine(dt.date(1970, 1, 1), value, tzinfo=dt.UTC))


def _bytes_text(value: Any) -> str:
    return base64.b64encode(value).decode("ascii")


def _list_text(item: Printer) -> Printer:
    return lambda value: "[" + ", ".join(map(item, value)) + "]"


def _map_text(key: Printer, item: Printer) -> Printer:
    return lambda value: "{" + ", ".join([f"{key(k)}={item(v)}" for k, v in value.items()]) + "}"


def _struct_text(schema: Schema) -> Printer:
    fields: list[tuple[str, str, Printer]] = []

    def print_struct(value: dict[str, Any]) -> str:
        if not fields:  # bound on first use: a schema may contain itself
            fields.extend((f.name, f.name + "=", _bound(f.schema)) for f in schema.fields)
        parts = []
        for name, label, text in fields:
            member = value.get(name)
            if member is not None:
                parts.append(label + text(member))
        return "Struct{" + ",".join(parts) + "}"

    return print_struct


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
    bytes: _bytes_text,
    bytearray: _bytes_text,
    memoryview: _bytes_text,
    list: _list_text(_any),
    tuple: _list_text(_any),
    dict: _map_text(_any, _any),
    dt.datetime: _date_text,
    dt.date: _date_text,
    dt.time: _time_text,
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
