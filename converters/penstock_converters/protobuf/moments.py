"""Connect's logical types as the messages that stand for them: ``confluent.type.Decimal``, ``google.type.Date`` and
``TimeOfDay``, ``google.protobuf.Timestamp``. The functions from messages take any object with their fields."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from decimal import MAX_EMAX, MIN_EMIN, ROUND_HALF_UP, Context, Decimal
from typing import Any, Final

from penstock.data import DECIMAL_NAME, Schema, java_class_name
from penstock.data.logical import (
    DATE_NAME,
    EPOCH,
    MILLIS_PER_DAY,
    TIME_NAME,
    TIMESTAMP_NAME,
    beyond_python,
    date_to_days,
    scale_of,
    time_from_millis,
    time_to_millis,
    timestamp_from_millis,
    timestamp_to_millis,
    unscaled,
)
from penstock.data.nanos import timestamp_from_micros, timestamp_from_nanos, timestamp_to_nanos
from penstock.errors import DataError
from penstock.java.calendar import civil_from_day, day_from_civil
from penstock_converters.precision import Precision

__all__ = ["FROM_MESSAGE", "TO_FIELDS", "from_message", "to_fields"]

_WORDS: Final = {DECIMAL_NAME: "Decimal", DATE_NAME: "Date", TIME_NAME: "Time", TIMESTAMP_NAME: "Timestamp"}
_MAX_DIGITS: Final = 4000  # Python refuses to print longer integers
_MAX_DECIMAL_BYTES: Final = 1600
_NANOS: Final = 1_000_000_000
_EPOCH_ORDINAL: Final = EPOCH.toordinal()
_MAX_ORDINAL: Final = dt.date.max.toordinal()
#: Dates are those of ``java.util.GregorianCalendar``, which is Julian until 1582-10-04.
_LAST_JULIAN: Final = 1582
_LAST_YEAR: Final = dt.MAXYEAR
_MILLISECOND: Final = dt.timedelta(milliseconds=1)


# -- to the fields of messages --------------------------------------------------------------------------------------


def _wrong(name: str, value: Any, expected: str) -> DataError:
    word = _WORDS[name]
    return DataError(f"Invalid type for {word}, expected {expected} but was class {java_class_name(value)}")


def _decimal_fields(value: Any, schema: Schema) -> dict[str, Any]:
    if not isinstance(value, Decimal):
        raise _wrong(DECIMAL_NAME, value, "BigDecimal")
    number, scale = unscaled(value), scale_of(value)
    digits = len(str(abs(number))) if abs(number) < 10**_MAX_DIGITS else _MAX_DIGITS + 1
    if digits > _MAX_DIGITS or not -(2**31) <= scale < 2**31:
        raise DataError(f"A Decimal of {digits} digits and scale {scale} is too large")
    length = (number if number >= 0 else ~number).bit_length() // 8 + 1
    return {"value": number.to_bytes(length, "big", signed=True), "precision": digits, "scale": scale}


def _date_fields(value: Any, schema: Schema) -> dict[str, Any]:
    time = 0
    if type(value) is dt.date:
        if value.year > _LAST_JULIAN:
            return {"year": value.year, "month": value.month, "day": value.day}
        day = date_to_days(value)
    elif isinstance(value, dt.datetime):
        day, time = date_to_days(value.date()), time_to_millis(value.time())
    elif beyond_python(DATE_NAME, value):
        day, time = divmod(value, MILLIS_PER_DAY)
    else:
        raise _wrong(DATE_NAME, value, "Date")
    if time:
        raise DataError("Kafka Connect Date type should not have any time fields set to non-zero values.")
    year, month, day_of_month = civil_from_day(day)
    if not 0 < year < 2**31:
        raise DataError(f"Date {day} days from 1970-01-01 lies before the year 1: a google.type.Date has no such years")
    return {"year": year, "month": month, "day": day_of_month}


def _time_fields(value: Any, schema: Schema) -> dict[str, Any]:
    if isinstance(value, dt.datetime):
        if value.date() != EPOCH.date():
            raise DataError("Time values must use number of millis greater than 0 and less than 86400000")
        value = value.time()
    if beyond_python(TIME_NAME, value):
        raise DataError("Time 24:00 is not valid: google.type.TimeOfDay holds 00:00 to 23:59:59.999")
    if isinstance(value, dt.time):
        millis = time_to_millis(value)
    else:
        raise _wrong(TIME_NAME, value, "Date")
    seconds, rest = divmod(millis, 1000)
    minutes, second = divmod(seconds, 60)
    return {"hours": minutes // 60, "minutes": minutes % 60, "seconds": second, "nanos": rest * 1_000_000}


def _timestamp_fields(value: Any, schema: Schema) -> dict[str, Any]:
    if beyond_python(TIMESTAMP_NAME, value):
        raise DataError(f"Timestamp is not valid: {value} ms. google.protobuf.Timestamp holds the years 1 to 9999")
    if not isinstance(value, dt.datetime):
        raise _wrong(TIMESTAMP_NAME, value, "Date")
    seconds, rest = divmod(timestamp_to_millis(value), 1000)
    return {"seconds": seconds, "nanos": rest * 1_000_000}


def _finer_fields(precision: Precision) -> Callable[[Any, Schema], dict[str, Any]]:
    def fields(value: Any, schema: Schema) -> dict[str, Any]:
        if not isinstance(value, dt.datetime):
            return _timestamp_fields(value, schema)  # raises
        nanos = timestamp_to_nanos(value)  # may be beyond 64 bits: the message has two fields
        if precision is Precision.MICROSECONDS:
            nanos -= nanos % 1000
        return {"seconds": nanos // _NANOS, "nanos": nanos % _NANOS}

    return fields


#: Logical name → function from (value, schema) to the message's fields. Raises `DataError`.
TO_FIELDS: Final = {
    DECIMAL_NAME: _decimal_fields,
    DATE_NAME: _date_fields,
    TIME_NAME: _time_fields,
    TIMESTAMP_NAME: _timestamp_fields,
}


def to_fields(name: str, precision: Precision) -> Callable[[Any, Schema], dict[str, Any]]:
    """`TO_FIELDS`, with as much of a timestamp as `precision` keeps."""
    return _finer_fields(precision) if name == TIMESTAMP_NAME and precision.is_finer else TO_FIELDS[name]


# -- from messages ----------------------------------------------------------------------------------------------------


def _decimal(message: Any) -> Decimal:
    data = message.value
    if len(data) > _MAX_DECIMAL_BYTES:
        raise DataError(f"A Decimal of {len(data)} bytes is too large")
    if not data:
        raise DataError("Zero length BigInteger: a confluent.type.Decimal needs at least one byte of value")
    number = int.from_bytes(data, "big", signed=True)
    value = Decimal((number < 0, tuple(map(int, str(abs(number)))), -message.scale))
    precision = message.precision
    if precision and len(value.as_tuple().digits) > precision:
        # BigDecimal's MathContext; nothing but zeros may go.
        rounded = Context(precision, ROUND_HALF_UP, MIN_EMIN, MAX_EMAX).plus(value)
        if rounded != value:
            digits = len(value.as_tuple().digits)
            raise DataError(
                f"A confluent.type.Decimal of {digits} digits does not fit its own precision of {precision}"
            )
        return rounded
    return value


def _date(message: Any) -> dt.date | int:
    year, month, day = message.year, message.month, message.day
    if _LAST_JULIAN < year <= _LAST_YEAR:
        try:
            return dt.date(year, month, day)
        except ValueError:
            raise _no_date(year, month, day) from None
    number = day_from_civil(year, month, day)
    if year < 1 or civil_from_day(number) != (year, month, day):
        raise _no_date(year, month, day)
    ordinal = number + _EPOCH_ORDINAL
    return dt.date.fromordinal(ordinal) if 1 <= ordinal <= _MAX_ORDINAL else number * MILLIS_PER_DAY


def _no_date(year: int, month: int, day: int) -> DataError:
    return DataError(f"google.type.Date with year {year}, month {month}, day {day} is no date")


def _time(message: Any) -> dt.time:
    hours, minutes, seconds, nanos = message.hours, message.minutes, message.seconds, message.nanos
    if not (0 <= hours < 24 and 0 <= minutes < 60 and 0 <= seconds < 60 and 0 <= nanos < _NANOS):
        raise DataError(
            f"google.type.TimeOfDay with hours {hours}, minutes {minutes}, seconds {seconds}, nanos {nanos} is no time of day"
        )
    return time_from_millis(((hours * 60 + minutes) * 60 + seconds) * 1000 + nanos // 1_000_000)


def _parts(message: Any) -> tuple[int, int]:
    seconds: int = message.seconds
    nanos: int = message.nanos
    if not 0 <= nanos < _NANOS:
        raise DataError(f"Timestamp is not valid: nanos {nanos}: expected 0 to {_NANOS - 1}")
    return seconds, nanos


def _timestamp(message: Any) -> dt.datetime:
    seconds, nanos = _parts(message)
    millis = seconds * 1000 + nanos // 1_000_000
    try:
        return EPOCH + millis * _MILLISECOND
    except OverflowError:
        return timestamp_from_millis(millis)  # the error says what the limits are


#: Logical name → function from the message to the value. Raises `DataError`.
FROM_MESSAGE: Final = {
    DECIMAL_NAME: _decimal,
    DATE_NAME: _date,
    TIME_NAME: _time,
    TIMESTAMP_NAME: _timestamp,
}


def _micros(message: Any) -> dt.datetime:
    seconds, nanos = _parts(message)
    return timestamp_from_micros(seconds * 1_000_000 + nanos // 1000)


def _nanos(message: Any) -> dt.datetime:
    seconds, nanos = _parts(message)
    return timestamp_from_nanos(seconds * _NANOS + nanos)


_FINER: Final = {Precision.MICROSECONDS: _micros, Precision.NANOSECONDS: _nanos}


def from_message(name: str, precision: Precision) -> Callable[[Any], Any]:
    """`FROM_MESSAGE`, with as much of a timestamp as `precision` keeps."""
    return _FINER[precision] if name == TIMESTAMP_NAME and precision.is_finer else FROM_MESSAGE[name]
