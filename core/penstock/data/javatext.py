"""How Java writes a value: ``toString`` of numbers, dates, collections and structs, where that text leaves the process.

Floats are written in the shortest form that reads back as the same number, in the notation of ``Double.toString`` (as
Java 19 and later do; earlier releases print a digit too many for a few numbers).
"""

from __future__ import annotations

import datetime as dt
import math
import struct
from decimal import Decimal
from fractions import Fraction
from typing import Any, Final

from penstock.data.calendar_days import civil_from_day, weekday
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

__all__ = ["date_text", "decimal_text", "double_text", "float_text", "java_text", "millis_of", "to_float32"]

_PACK: Final = struct.Struct(">f")
_SMALLEST_NORMAL: Final = 2.0**-126


def to_float32(value: float | int | Decimal) -> float:
    """The nearest ``float`` of 32 bits, rounded once; infinite where it is too large."""
    try:
        wide = float(value)
    except OverflowError:  # an int beyond all doubles
        return math.inf if value > 0 else -math.inf
    if not isinstance(value, float) and math.isfinite(wide):
        wide = _round_to_odd(value, wide)
    try:
        return float(_PACK.unpack(_PACK.pack(wide))[0])
    except OverflowError:
        return math.copysign(math.inf, wide)


def _round_to_odd(exact: int | Decimal, near: float) -> float:
    # Rounding to 53 bits and then to 24 may be off by one; of the two doubles around the exact value the odd one is
    # on the right side of every tie.
    ratio = Fraction(near)
    if ratio == Fraction(exact):
        return near
    other = math.nextafter(near, math.inf if ratio < Fraction(exact) else -math.inf)
    odd = struct.unpack(">q", struct.pack(">d", near))[0] & 1
    return near if odd else other


def double_text(value: float) -> str:
    """``Double.toString``."""
    magnitude = abs(value)
    if 1e-3 <= magnitude < 1e7:
        return repr(value)  # Python's and Java's notations agree here
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    if value == 0:
        return repr(value)
    return _scientific(repr(value), f"{value:.1e}", value)


def float_text(value: float) -> str:
    """``Float.toString``; `value` is rounded to 32 bits first."""
    value = to_float32(float(value))
    if value == 0 or not math.isfinite(value):
        return double_text(value)
    short = shortest_float32(value)
    if 1e-3 <= abs(value) < 1e7:
        return repr(float(short))
    return _scientific(short, f"{value:.1e}", value, single=True)


def shortest_float32(value: float) -> str:
    """The shortest decimal that reads back as the 32-bit float `value` (finite)."""
    packed = _PACK.pack(value)
    # Six digits find every shorter text too, zeros at its end dropped; only subnormal numbers are coarser than that.
    for digits in range(6 if abs(value) >= _SMALLEST_NORMAL else 1, 9):
        text = f"{value:.{digits}g}"
        try:
            if _PACK.pack(float(text)) == packed:
                return text
        except OverflowError:  # rounded up beyond the largest float
            continue
    return f"{value:.9g}"


def _scientific(shortest: str, two_digits: str, value: float, *, single: bool = False) -> str:
    """``d.dddEn``, `shortest` being the shortest text that reads back as `value`."""
    sign, digits, power = _digits(shortest)
    if len(digits) == 1:
        # Java renders at least two digits and then takes the pair that is nearest: 4.9E-324, not 5E-324.
        again = float(two_digits)
        if (_PACK.pack(again) == _PACK.pack(value)) if single else again == value:
            sign, digits, power = _digits(two_digits)
    return f"{sign}{digits[0]}.{digits[1:] or '0'}E{power}"


def _digits(text: str) -> tuple[str, str, int]:
    """Sign, significant digits without trailing zeros, and the power of ten of the first of them."""
    negative, digits, exponent = Decimal(text).as_tuple()
    assert isinstance(exponent, int)
    power = exponent + len(digits) - 1
    return "-" if negative else "", "".join(map(str, digits)).rstrip("0"), power


def decimal_text(value: Decimal) -> str:
    """``BigDecimal.toString``: Python's own notation, but Java has no negative zero."""
    text = str(value)
    return text[1:] if value.is_zero() and text[0] == "-" else text


def millis_of(value: dt.date | dt.time | dt.datetime) -> int:
    """``java.util.Date.getTime()`` of what stands for a ``java.util.Date``."""
    if isinstance(value, dt.datetime):
        return timestamp_to_millis(value)
    if isinstance(value, dt.date):
        return date_to_days(value) * MILLIS_PER_DAY
    return time_to_millis(value)


_DAYS: Final = ("Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat")
#: Milliseconds stand for a date of these that Python's types cannot hold.
_DATES: Final = frozenset({DATE_NAME, TIME_NAME, TIMESTAMP_NAME})
_MONTHS: Final = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def date_text(value: dt.date | dt.time | dt.datetime | int) -> str:
    """``java.util.Date.toString()`` in UTC; an int is milliseconds, of any size. Before 1582-10-15 Java's calendar is
    the Julian one."""
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
