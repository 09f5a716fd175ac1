"""Connect's logical types: Decimal, Date, Time, Timestamp, and their primitive forms.

Sources: ``org.apache.kafka.connect.data.{Decimal,Date,Time,Timestamp}``. Every ``*_from_*`` raises `DataError` for
what Python's types cannot hold (years before 1 or beyond 9999) and says so.
"""

from __future__ import annotations

import datetime as dt
from decimal import MAX_EMAX, MAX_PREC, MIN_EMIN, Context, Decimal
from functools import lru_cache
from typing import Final

from penstock.data.schema import Schema, Type
from penstock.errors import DataError
from penstock.java.numbers import MAX_DIGITS

__all__ = [
    "DATE",
    "DATE_NAME",
    "DECIMAL_NAME",
    "EPOCH",
    "LOGICAL_NAMES",
    "MILLIS_PER_DAY",
    "OPTIONAL_DATE",
    "OPTIONAL_TIME",
    "OPTIONAL_TIMESTAMP",
    "SCALE_FIELD",
    "TIME",
    "TIMESTAMP",
    "TIMESTAMP_NAME",
    "TIME_NAME",
    "beyond_python",
    "date_from_days",
    "date_to_days",
    "decimal_from_bytes",
    "decimal_scale",
    "decimal_schema",
    "decimal_to_bytes",
    "scale_of",
    "time_from_millis",
    "time_to_millis",
    "timestamp_from_millis",
    "timestamp_to_millis",
    "unscaled",
]

DECIMAL_NAME: Final = "org.apache.kafka.connect.data.Decimal"
DATE_NAME: Final = "org.apache.kafka.connect.data.Date"
TIME_NAME: Final = "org.apache.kafka.connect.data.Time"
TIMESTAMP_NAME: Final = "org.apache.kafka.connect.data.Timestamp"
LOGICAL_NAMES: Final = frozenset({DECIMAL_NAME, DATE_NAME, TIME_NAME, TIMESTAMP_NAME})

SCALE_FIELD: Final = "scale"
MILLIS_PER_DAY: Final = 86_400_000
EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCH_ORDINAL: Final = dt.date(1970, 1, 1).toordinal()
_MILLISECOND: Final = dt.timedelta(milliseconds=1)

DATE: Final = Schema(Type.INT32, name=DATE_NAME, version=1)
TIME: Final = Schema(Type.INT32, name=TIME_NAME, version=1)
TIMESTAMP: Final = Schema(Type.INT64, name=TIMESTAMP_NAME, version=1)
OPTIONAL_DATE: Final = DATE.as_optional()
OPTIONAL_TIME: Final = TIME.as_optional()
OPTIONAL_TIMESTAMP: Final = TIMESTAMP.as_optional()


_FIRST_MILLIS: Final = -62_135_596_800_000
_LAST_MILLIS: Final = 253_402_300_799_999


def beyond_python(name: str | None, value: object) -> bool:
    """Is `value` a number of milliseconds that stands for a Date, Time or Timestamp which Python's types cannot hold?

    Converters read such points in time as plain numbers and write them back; no other number is a logical value.
    """
    if type(value) is not int:
        return False
    if name == TIME_NAME:
        return value == MILLIS_PER_DAY  # Connect lets a day end at 24:00
    return not _FIRST_MILLIS <= value <= _LAST_MILLIS


def decimal_schema(scale: int, optional: bool = False) -> Schema:
    return Schema(Type.BYTES, optional, DECIMAL_NAME, 1, parameters={SCALE_FIELD: str(scale)})


#: Rounds nothing that fits into memory.
_EXACT: Final = Context(prec=MAX_PREC, Emin=MIN_EMIN, Emax=MAX_EMAX)


def decimal_scale(schema: Schema) -> int:
    """The scale a Decimal schema declares."""
    text = schema.parameters.get(SCALE_FIELD)
    if text is None:
        raise DataError("Invalid Decimal schema: scale parameter not found.")
    try:
        scale = int(text)
    except ValueError:
        raise DataError("Invalid scale parameter found in Decimal schema: ") from None
    if not -(2**31) <= scale < 2**31 or "_" in text or text != text.strip():  # as Integer.parseInt has it
        raise DataError("Invalid scale parameter found in Decimal schema: ")
    return scale


def scale_of(value: Decimal) -> int:
    """``BigDecimal.scale()``: minus the exponent."""
    exponent = value.as_tuple().exponent
    if not isinstance(exponent, int):  # 'n', 'N' or 'F'
        raise DataError(f"Decimal value {value} is not a finite number")
    return -exponent


def unscaled(value: Decimal) -> int:
    """Return ``BigDecimal.unscaledValue()``, free of the decimal context's precision. Raise `DataError` for more than
    `MAX_DIGITS` digits."""
    return _unscaled(value, scale_of(value))


def _unscaled(value: Decimal, scale: int) -> int:
    digits = value.adjusted() + scale + 1
    if digits > MAX_DIGITS:
        raise DataError(f"Decimal value has {digits} digits, expected {MAX_DIGITS} at the most")
    return int(value.scaleb(scale, _EXACT))


@lru_cache(maxsize=64)
def _one_of_scale(scale: int) -> Decimal:
    """A Decimal of that scale. Comparing exponents with it costs a quarter of asking for one."""
    return Decimal((0, (1,), -scale))


def decimal_to_bytes(value: Decimal, scale: int) -> bytes:
    """Two's complement, big-endian, of the unscaled value (``Decimal.fromLogical``)."""
    try:
        fits = value.same_quantum(_one_of_scale(scale))
    except OverflowError:  # no Decimal has such a scale
        fits = False
    if not fits:
        raise DataError(
            f"Decimal value has mismatching scale for given Decimal schema. Schema has scale {scale}, value has scale {scale_of(value)}."
        )
    number = _unscaled(value, scale)
    length = (number if number >= 0 else ~number).bit_length() // 8 + 1
    return number.to_bytes(length, "big", signed=True)


def decimal_from_bytes(data: bytes, scale: int) -> Decimal:
    """Return the Decimal of a two's complement (``Decimal.toLogical``). Raise `DataError` for one of no bytes, or of so many
    that it has more than `MAX_DIGITS` digits."""
    if not data:
        raise DataError("Zero length BigInteger: a Decimal needs at least one byte")
    if len(data) > _MAX_BYTES:
        raise DataError(f"A Decimal of {len(data)} bytes is too large, expected {_MAX_BYTES} at the most")
    return decimal_from_unscaled(int.from_bytes(data, "big", signed=True), scale)


#: The bytes that `MAX_DIGITS` digits take.
_MAX_BYTES: Final = 4_160
_SCALEB_LIMIT: Final = 100_000  # far from where scaleb() refuses


def decimal_from_unscaled(number: int, scale: int) -> Decimal:
    """Return `number` moved by `scale` digits. The digits of `number` cost the square of their count."""
    # Decimal(tuple) keeps every digit; arithmetic would round to the context's 28.
    if abs(number) < 10**15 and abs(scale) <= _SCALEB_LIMIT:
        return Decimal(number).scaleb(-scale)
    return Decimal((number < 0, Decimal(number).as_tuple().digits, -scale))


def date_to_days(value: dt.date) -> int:
    return value.toordinal() - _EPOCH_ORDINAL


def date_from_days(days: int) -> dt.date:
    try:
        return dt.date.fromordinal(days + _EPOCH_ORDINAL)
    except (ValueError, OverflowError):
        raise DataError(
            f"Date {days} days from 1970-01-01 lies outside the years 1 to 9999 that a date can hold"
        ) from None


def time_to_millis(value: dt.time) -> int:
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond // 1000


def time_from_millis(millis: int) -> dt.time:
    if not 0 <= millis <= MILLIS_PER_DAY:
        raise DataError("Time values must use number of milliseconds greater than 0 and less than 86400000")
    seconds, ms = divmod(millis % MILLIS_PER_DAY, 1000)
    minutes, second = divmod(seconds, 60)
    hour, minute = divmod(minutes, 60)
    return dt.time(hour, minute, second, ms * 1000)


def timestamp_to_millis(value: dt.datetime) -> int:
    """Milliseconds since the epoch, rounded down; a datetime without timezone is refused."""
    if value.tzinfo is None:
        raise DataError(f"Timestamp {value.isoformat()} has no timezone; expected a timezone-aware datetime in UTC")
    return (value - EPOCH) // _MILLISECOND


def timestamp_from_millis(millis: int) -> dt.datetime:
    try:
        return EPOCH + dt.timedelta(milliseconds=millis)
    except OverflowError:
        raise DataError(
            f"Timestamp {millis} ms from the epoch lies outside the years 1 to 9999 that a timestamp can hold"
        ) from None
