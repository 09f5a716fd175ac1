"""The forms a moment may have in ``TimestampConverter``, to and from milliseconds since the epoch.

A Timestamp that is finer than milliseconds keeps its digits where the target has room for them: see `finer`.

A moment that Python's types cannot hold (years before 1 or beyond 9999) stays a number of milliseconds beside a Date,
Time or Timestamp schema; where no schema says that the number is a moment it is a `FarDate`.
"""

from __future__ import annotations

import datetime as dt
import enum
from collections.abc import Callable
from typing import Any, Final

from penstock.data import (
    DATE,
    DATE_NAME,
    INT64,
    STRING,
    TIME,
    TIME_NAME,
    TIMESTAMP,
    TIMESTAMP_NAME,
    BigInteger,
    FarDate,
    Int8,
    Int16,
    Int32,
    Schema,
    Type,
    java_class_name,
)
from penstock.data.javatext import millis_of
from penstock.data.logical import MILLIS_PER_DAY, date_from_days, time_from_millis, timestamp_from_millis
from penstock.data.nanos import timestamp_from_nanos, timestamp_to_nanos
from penstock.errors import ConnectError, DataError
from penstock_transforms.date_format import DateFormat

__all__ = ["Form", "UnixPrecision", "finer", "form_of_schema", "form_of_value", "reader", "writer"]

_MIN_LONG: Final = -(2**63)
_MAX_LONG: Final = 2**63 - 1
_NANOS: Final = 1_000_000_000


class Form(enum.Enum):
    """``target.type``."""

    STRING = "string"
    UNIX = "unix"
    DATE = "Date"
    TIME = "Time"
    TIMESTAMP = "Timestamp"

    def schema(self, optional: bool) -> Schema:
        schema = _SCHEMAS[self]
        return schema.as_optional() if optional else schema


_SCHEMAS: Final = {
    Form.STRING: STRING, Form.UNIX: INT64, Form.DATE: DATE, Form.TIME: TIME, Form.TIMESTAMP: TIMESTAMP,
}  # fmt: skip
_BY_NAME: Final = {TIMESTAMP_NAME: Form.TIMESTAMP, DATE_NAME: Form.DATE, TIME_NAME: Form.TIME}


class UnixPrecision(enum.Enum):
    """``unix.precision``; the value's second part is units a second."""

    SECONDS = ("seconds", 1)
    MILLISECONDS = ("milliseconds", 1_000)
    MICROSECONDS = ("microseconds", 1_000_000)
    NANOSECONDS = ("nanoseconds", 1_000_000_000)

    @classmethod
    def named(cls, name: str) -> UnixPrecision:
        return next(p for p in cls if p.value[0] == name)

    @property
    def per_second(self) -> int:
        return self.value[1]

    @property
    def is_finer(self) -> bool:
        """Finer than Connect's milliseconds?"""
        return self.per_second > 1000

    def to_millis(self, number: int) -> int:
        return _convert(number, self.value[1], 1000)

    def from_millis(self, millis: int) -> int:
        return _convert(millis, 1000, self.value[1])


def _convert(number: int, per_second: int, wanted: int) -> int:
    """``TimeUnit.convert``: cut towards zero, and stopping at the ends of a long."""
    if per_second == wanted:
        return number
    if wanted > per_second:
        return max(_MIN_LONG, min(_MAX_LONG, number * (wanted // per_second)))
    factor = per_second // wanted
    return number // factor if number >= 0 else -(-number // factor)


def form_of_schema(schema: Schema) -> Form:
    """Return the form of moments that values of `schema` have. Raises `ConnectError` for a schema that is none of the forms."""
    named = _BY_NAME.get(schema.name or "")
    if named is not None:
        return named
    if schema.type is Type.STRING:
        return Form.STRING
    if schema.type is Type.INT64:
        return Form.UNIX
    raise ConnectError(f"Schema {schema!r} does not correspond to a known timestamp type format")


def form_of_value(value: Any) -> Form:
    """Return the form of moments that a value without schema has."""
    if isinstance(value, dt.date | dt.time | FarDate):
        return Form.TIMESTAMP
    if isinstance(value, str):
        return Form.STRING
    if _is_long(value):
        return Form.UNIX
    raise DataError(f"TimestampConverter does not support class {java_class_name(value)} objects as timestamps")


def _is_long(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool | Int8 | Int16 | Int32 | BigInteger | FarDate)


def reader(form: Form, date_format: DateFormat | None, precision: UnixPrecision) -> Callable[[Any], int]:
    """From a value of `form` to milliseconds."""
    if form is Form.STRING:
        return _text_reader(date_format)
    if form is not Form.UNIX:
        return _read_moment
    to_millis = precision.to_millis

    def read_unix(value: Any) -> int:
        if not _is_long(value):
            raise DataError(f"Expected Unix timestamp to be a Long, but found class {java_class_name(value)}")
        return to_millis(value)

    return read_unix


def finer(
    form: Form, target: Form, unix: UnixPrecision, timestamps: UnixPrecision, by_millis: Callable[[Any], Any]
) -> Callable[[Any], Any]:
    """`by_millis`, a conversion of values and nulls from `form` to `target`, or one that does not go over milliseconds
    where digits beyond them would be lost.

    A Timestamp is its own Timestamp, and its digits go into a Unix time of a unit that holds them; Java's ``Date`` has
    none, so that a JVM knows no other answer. What is read out of Unix times it does cut to milliseconds, and so it is
    here, unless `timestamps` asks for more. Digits beyond the unit are cut towards zero, as there.
    """
    if form is Form.TIMESTAMP and target is Form.TIMESTAMP:

        def same(value: Any) -> Any:
            if not isinstance(value, dt.datetime) or value.tzinfo is None:
                return by_millis(value)
            return value if value.tzinfo is dt.UTC else value.astimezone(dt.UTC)

        return same
    if form is Form.TIMESTAMP and target is Form.UNIX and unix.is_finer:
        per_second = unix.per_second

        def to_unix(value: Any) -> Any:
            if not isinstance(value, dt.datetime):
                return by_millis(value)
            number = _convert(timestamp_to_nanos(value), _NANOS, per_second)
            return max(_MIN_LONG, min(_MAX_LONG, number))

        return to_unix
    if form is Form.UNIX and target is Form.TIMESTAMP and unix.is_finer and timestamps.is_finer:
        kept, per_second = min(unix.per_second, timestamps.per_second), unix.per_second

        def from_unix(value: Any) -> Any:
            if not _is_long(value):
                return by_millis(value)  # null, or it says what is wrong
            number = _convert(value, per_second, kept)
            try:
                return timestamp_from_nanos(number * (_NANOS // kept))
            except DataError:
                return by_millis(value)  # a number, in a year beyond Python's

        return from_unix
    return by_millis


def _read_moment(value: Any) -> int:
    if isinstance(value, dt.date | dt.time):
        return millis_of(value)
    if _is_long(value) or isinstance(value, FarDate):
        return int(value)
    raise DataError(f"Expected a date, time or timestamp, but found class {java_class_name(value)}")


def _text_reader(date_format: DateFormat | None) -> Callable[[Any], int]:
    if date_format is None:
        # Met with the first text: nulls go through without a format.
        return _miss_format
    parse, pattern = date_format.parse, date_format.pattern

    def read(value: Any) -> int:
        if not isinstance(value, str):
            raise DataError(f"Expected string timestamp to be a String, but found class {java_class_name(value)}")
        try:
            return parse(value)
        except ValueError as error:
            raise DataError(f"Could not parse timestamp: value ({value}) does not match pattern ({pattern})") from error

    return read


def _miss_format(value: Any) -> int:
    raise DataError("TimestampConverter needs the setting format to read timestamps from strings")


def writer(
    form: Form, date_format: DateFormat | None, precision: UnixPrecision, schemaless: bool
) -> Callable[[int], Any]:
    """From milliseconds to a value of `form`."""
    match form:
        case Form.STRING:
            assert date_format is not None  # configure refuses the form without it
            return date_format.format
        case Form.UNIX:
            return precision.from_millis
        case Form.TIME:
            return lambda millis: time_from_millis(millis % MILLIS_PER_DAY)
        case Form.DATE:
            make: Callable[[int], Any] = _date
            if not schemaless:
                return _date_of_schema
        case Form.TIMESTAMP:
            make = timestamp_from_millis
    return _or_millis(make, MILLIS_PER_DAY if form is Form.DATE else 1, FarDate if schemaless else int)


def _date(millis: int) -> dt.date:
    return date_from_days(millis // MILLIS_PER_DAY)


def _date_of_schema(millis: int) -> dt.date | int:
    """Return a date, or the milliseconds of a day that Python's dates cannot hold. Connect's Date counts days in 32 bits, so that no
    converter could write a later one."""
    days = millis // MILLIS_PER_DAY
    if not -(2**31) <= days < 2**31:
        raise DataError(
            f"{days} days from 1970-01-01 do not fit Connect's Date, expected a number of 32 bits; look at unix.precision if the value is a Unix time"
        )
    try:
        return date_from_days(days)
    except DataError:
        return days * MILLIS_PER_DAY


def _or_millis(make: Callable[[int], Any], unit: int, number: Callable[[int], int]) -> Callable[[int], Any]:
    def write(millis: int) -> Any:
        try:
            return make(millis)
        except DataError:
            return number(millis - millis % unit)

    return write
