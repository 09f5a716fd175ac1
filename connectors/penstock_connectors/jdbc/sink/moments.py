"""Dates, times and timestamps in the forms that databases take: text with its offset, milliseconds, Python's own types.

What is written is the clock of ``db.timezone``, in the calendar of ``date.calendar.system`` (``DateTimeUtils`` and the
``GregorianCalendar`` that the JVM's drivers format with: the Julian calendar before 15 October 1582).
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

from penstock.data import DATE_NAME, TIMESTAMP_NAME, NanoDatetime
from penstock.data.logical import EPOCH, MILLIS_PER_DAY, date_from_days, date_to_days, time_to_millis
from penstock.data.nanos import timestamp_to_micros
from penstock.errors import DataError
from penstock.java.calendar import CUTOVER_DAY, civil_from_day, day_from_civil
from penstock_connectors.jdbc.sink.config import SinkConfig

__all__ = ["Moments"]

#: A day after the change of calendars; what is later needs no second look.
_MODERN_DATE: Final = dt.date(1582, 10, 17)
_MODERN: Final = dt.datetime(1582, 10, 17, tzinfo=dt.UTC)
_MICROSECOND: Final = dt.timedelta(microseconds=1)
_MILLISECOND: Final = dt.timedelta(milliseconds=1)
_DAY_MICROS: Final = MILLIS_PER_DAY * 1000
#: The days of 400 years, after which the modern calendar repeats itself, and those from 0001-01-01 to 1970-01-01.
_ERA: Final = 146_097
_ERA_SHIFT: Final = 719_162 + _ERA
_ERA_START: Final = 1


class Moments:
    """Converts values of Date, Time and Timestamp. A value is a Python object, or the milliseconds of one that Python's types
    cannot hold. Safe from any thread."""

    def __init__(self, config: SinkConfig) -> None:
        self._zone, self._date_zone, self._proleptic = config.zone, config.date_zone, config.proleptic
        self._plain, self._plain_date = self._zone is dt.UTC, self._date_zone is dt.UTC
        self._nanoseconds = config.nanoseconds

    @property
    def printable(self) -> frozenset[str]:
        """Return the logical types of which ``str()`` of a modern value is `date_text` or `timestamp_text`."""
        return frozenset({TIMESTAMP_NAME} if self._plain else ()) | frozenset({DATE_NAME} if self._plain_date else ())

    # --- text, for PostgreSQL: it reads the offset where the column has a time zone

    def date_text(self, value: Any) -> str:
        """Return a Date as ``2024-02-29``."""
        if self._plain_date and isinstance(value, dt.date) and value > _MODERN_DATE:
            return value.isoformat()
        day, _, _ = self._local(self._date_micros(value), self._date_zone)
        return self._day_text(day) + self._era(day)

    def time_text(self, value: Any) -> str:
        """Return a Time as ``13:14:15.123000+00:00``."""
        micros, offset = self._time(value)
        return _clock_text(micros) + _offset_text(offset)

    def timestamp_text(self, value: Any) -> str:
        """Return a Timestamp as ``2024-02-29 23:59:59.123000+00:00``."""
        if isinstance(value, dt.datetime) and value > _MODERN:
            return (value if self._plain else value.astimezone(self._zone)).isoformat(" ")
        day, micros, offset = self._local(_timestamp_micros(value), self._zone)
        return f"{self._day_text(day)} {_clock_text(micros)}{_offset_text(offset)}{self._era(day)}"

    # --- milliseconds since the epoch, for SQLite: no zone changes them

    def date_millis(self, value: Any) -> int:
        """Return a Date as milliseconds."""
        return self._legacy(self._date_micros(value), self._date_zone) // 1000

    def time_millis(self, value: Any) -> int:
        """Return a Time as milliseconds of the day."""
        return value if isinstance(value, int) else time_to_millis(value)

    def timestamp_millis(self, value: Any) -> int:
        """Return a Timestamp as milliseconds, rounded down."""
        if isinstance(value, dt.datetime) and value > _MODERN:
            return (value - EPOCH) // _MILLISECOND
        return self._legacy(_timestamp_micros(value), self._zone) // 1000

    # --- Python's own types, for the other drivers

    def date_value(self, value: Any) -> dt.date:
        """Return a Date as the date in its zone. Raise `DataError` beyond the years that Python knows."""
        if self._plain_date and isinstance(value, dt.date) and value > _MODERN_DATE:
            return value
        day, _, _ = self._local(self._date_micros(value), self._date_zone)
        return self._date(day)

    def time_value(self, value: Any) -> dt.time:
        """Return a Time as the clock in its zone."""
        return _time_of_day(self._time(value)[0])

    def timestamp_value(self, value: Any) -> dt.datetime:
        """Return a Timestamp as the zone's date and clock, without a zone."""
        if isinstance(value, dt.datetime) and value > _MODERN:
            return (value if self._plain else value.astimezone(self._zone)).replace(tzinfo=None)
        day, micros, _ = self._local(_timestamp_micros(value), self._zone)
        return dt.datetime.combine(self._date(day), _time_of_day(micros))

    # --- literals of defaults, always in the modern calendar

    def date_literal(self, value: Any) -> str:
        """Return a Date as ``2024-02-29``."""
        day, _, _ = self._local(self._date_micros(value), self._date_zone)
        return date_from_days(day).isoformat()

    def time_literal(self, value: Any) -> str:
        """Return a Time as ``13:14:15.123``."""
        return _clock_text(self._time(value)[0])[:12]

    def timestamp_literal(self, value: Any) -> str:
        """Return a Timestamp as ``2024-02-29 23:59:59.123``."""
        day, micros, _ = self._local(_timestamp_micros(value), self._zone)
        return f"{date_from_days(day).isoformat()} {_clock_text(micros)[:12]}"

    # --- fields of timestamp.fields.list

    def counted(self, then: Callable[[dt.datetime], Any]) -> Callable[[Any], Any]:
        """Return a function of a count since the epoch, a number or its text, in the unit of ``timestamp.precision.mode``;
        `then` converts the Timestamp. The function raises `DataError` for what is no such count."""
        per_micro = 1000 if self._nanoseconds else 1

        def convert(value: Any) -> Any:
            try:
                micros, nanos = divmod(int(value), per_micro)
                moment = EPOCH + dt.timedelta(microseconds=micros)
            except (ValueError, OverflowError):
                raise DataError(
                    f"'{value}' in a field of timestamp.fields.list is no count since 1970 between the years 1 and 9999"
                ) from None
            return then(NanoDatetime.of(moment, nanos) if nanos else moment)

        return convert

    # --- inside

    def _date_micros(self, value: Any) -> int:
        return value * 1000 if isinstance(value, int) else date_to_days(value) * _DAY_MICROS

    def _time(self, value: Any) -> tuple[int, dt.timedelta]:
        millis = self.time_millis(value)
        micros = value.microsecond % 1000 if isinstance(value, dt.time) else 0
        _, local, offset = self._local(millis * 1000 + micros, self._zone)
        return local, offset

    def _local(self, micros: int, zone: dt.tzinfo) -> tuple[int, int, dt.timedelta]:
        """Return day number, microseconds of the day and offset of an instant in `zone`."""
        offset = dt.timedelta(0) if zone is dt.UTC else _offset(micros, zone)
        day, rest = divmod(micros + offset // _MICROSECOND, _DAY_MICROS)
        return day, rest, offset

    def _legacy(self, micros: int, zone: dt.tzinfo) -> int:
        """Return the instant that Java's old calendar shows as the modern one shows `micros`, if the modern one is asked for."""
        if not self._proleptic:
            return micros
        day, _, _ = self._local(micros, zone)
        if day >= CUTOVER_DAY:
            return micros
        return micros + (day_from_civil(*_civil(day)) - day) * _DAY_MICROS

    def _civil(self, day: int) -> tuple[int, int, int]:
        return _civil(day) if self._proleptic else civil_from_day(day)

    def _day_text(self, day: int) -> str:
        year, month, of_month = self._civil(day)
        return f"{year if year > 0 else 1 - year:04}-{month:02}-{of_month:02}"

    def _era(self, day: int) -> str:
        return "" if self._civil(day)[0] > 0 else " BC"

    def _date(self, day: int) -> dt.date:
        try:
            return dt.date(*self._civil(day))
        except ValueError:
            raise DataError(
                f"Date {day} days from 1970-01-01 cannot be written through this database's driver"
            ) from None


def _civil(day: int) -> tuple[int, int, int]:
    """Return year, month and day of the modern calendar, carried back and forth without limit."""
    era, rest = divmod(day + _ERA_SHIFT, _ERA)
    moved = dt.date.fromordinal(rest + _ERA_START)
    return moved.year + (era - 1) * 400, moved.month, moved.day


def _offset(micros: int, zone: dt.tzinfo) -> dt.timedelta:
    try:
        moment = EPOCH + dt.timedelta(microseconds=micros)
        return moment.astimezone(zone).utcoffset() or dt.timedelta(0)
    except OverflowError:  # beyond Python's years: as at the nearer end of what it knows
        end = dt.datetime(2, 1, 1, tzinfo=dt.UTC) if micros < 0 else dt.datetime(9998, 1, 1, tzinfo=dt.UTC)
        return end.astimezone(zone).utcoffset() or dt.timedelta(0)


def _timestamp_micros(value: Any) -> int:
    return value * 1000 if isinstance(value, int) else timestamp_to_micros(value)


def _clock_text(micros: int) -> str:
    seconds, rest = divmod(micros, 1_000_000)
    return f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{rest:06}"


def _time_of_day(micros: int) -> dt.time:
    seconds, rest = divmod(micros, 1_000_000)
    return dt.time(seconds // 3600, seconds // 60 % 60, seconds % 60, rest)


def _offset_text(offset: dt.timedelta) -> str:
    seconds = int(offset.total_seconds())
    sign, seconds = ("-", -seconds) if seconds < 0 else ("+", seconds)
    tail = f":{seconds % 60:02}" if seconds % 60 else ""
    return f"{sign}{seconds // 3600:02}:{seconds // 60 % 60:02}{tail}"
