"""Dates, times and timestamps of a database → values of records and of offsets.

A column without time zone is taken in ``db.timezone``; where clocks go back, the later of two instants counts, where they go
forward, the time of day as it was before (``java.util.Calendar``). Instants inside are microseconds since 1970.
With the calendar system LEGACY, days before 1582-10-15 are counted as ``java.util.Date`` counts them: a date of the Julian
calendar, by its name.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

from penstock.data import INT64, STRING, TIMESTAMP, Schema
from penstock.errors import DataError
from penstock.java.calendar import CUTOVER_DAY, day_from_civil

__all__ = ["CUTOVER", "Moments", "micros_of_naive", "micros_text", "naive_of_micros"]

_EPOCH: Final = dt.datetime(1970, 1, 1)  # noqa: DTZ001 - wall-clock times are counted from here
_MICRO: Final = dt.timedelta(microseconds=1)
_DAY: Final = 86_400_000_000
_DAY_MILLIS: Final = 86_400_000
#: The first moment that both calendar systems count alike.
CUTOVER: Final = dt.datetime(1582, 10, 15)  # noqa: DTZ001 - a wall-clock time
_CUTOVER_MICROS: Final = CUTOVER_DAY * _DAY
_FIRST: Final = -62_135_596_800_000_000
_LAST: Final = 253_402_300_799_999_999


def micros_of_naive(value: dt.datetime) -> int:
    """Return the microseconds from 1970-01-01 00:00 to a wall-clock time."""
    return (value - _EPOCH) // _MICRO


def naive_of_micros(micros: int) -> dt.datetime:
    """Return the wall-clock time that many microseconds after 1970-01-01 00:00."""
    return _EPOCH + dt.timedelta(microseconds=micros)


def micros_text(micros: int, digits: int = 6) -> str:
    """Return a wall-clock time as ``2024-01-31T12:00:00.000000``, with so many digits after the point."""
    day, rest = divmod(micros, _DAY)
    year, month, date = _proleptic(day)
    seconds, fraction = divmod(rest, 1_000_000)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return f"{year:04}-{month:02}-{date:02}T{clock}.{fraction:06}" + "0" * (digits - 6)


def _proleptic(day: int) -> tuple[int, int, int]:
    if _FIRST <= day * _DAY <= _LAST:
        found = dt.date.fromordinal(day + 719_163)
        return found.year, found.month, found.day
    # 400 years are the same number of days everywhere in this calendar.
    eras, rest = divmod(day, 146_097)
    found = dt.date.fromordinal(rest + 719_163)
    return found.year + 400 * eras, found.month, found.day


class Moments:
    """The conversions that a connector's settings ask for. Immutable; safe from any thread."""

    def __init__(self, zone: dt.tzinfo, granularity: str = "connect_logical", legacy: bool = True) -> None:
        self.zone = zone
        self.granularity = granularity
        self._legacy = legacy
        self.is_utc = zone is dt.UTC
        self.is_plain = self.is_utc and granularity == "connect_logical"

    @property
    def schema(self) -> Schema:
        """Return the schema of timestamps, not optional."""
        if self.granularity == "connect_logical":
            return TIMESTAMP
        return INT64 if self.granularity.endswith("_long") else STRING

    # --- instants

    def instant(self, value: Any) -> int:
        """Return the instant of a column without time zone (a naive `datetime`, or microseconds on the wall clock)."""
        micros = value if type(value) is int else (value - _EPOCH) // _MICRO
        if micros < _CUTOVER_MICROS and self._legacy:
            micros = _legacy_micros(micros)
        return micros if self.is_utc else micros - self._offset(micros)

    def zoned_instant(self, value: Any) -> int:
        """Return the instant of a column with time zone (an aware `datetime`, or microseconds since 1970)."""
        if type(value) is int:
            micros = value
        else:
            offset = value.utcoffset()
            micros = (value.replace(tzinfo=None) - _EPOCH - (offset or dt.timedelta())) // _MICRO
        return _legacy_micros(micros) if micros < _CUTOVER_MICROS and self._legacy else micros

    def wall_clock(self, micros: int) -> int:
        """Return the time on the wall clock of ``db.timezone`` at an instant."""
        if self.is_utc:
            return micros
        inside = _EPOCH.replace(tzinfo=dt.UTC) + dt.timedelta(
            microseconds=min(max(micros, _FIRST + _DAY), _LAST - _DAY)
        )
        offset = inside.astimezone(self.zone).utcoffset()
        assert offset is not None
        return micros + offset // _MICRO

    def _offset(self, wall: int) -> int:
        inside = naive_of_micros(min(max(wall, _FIRST + _DAY), _LAST - _DAY)).replace(tzinfo=self.zone)
        first, second = inside.utcoffset(), inside.replace(fold=1).utcoffset()
        assert first is not None
        assert second is not None
        return min(first, second) // _MICRO

    # --- values of records

    def timestamp(self, micros: int) -> Any:
        """Return the value of a record for an instant, as the granularity has it."""
        return self._writers[self.granularity](self, micros)

    def _logical(self, micros: int) -> Any:
        if _FIRST <= micros <= _LAST:
            return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(microseconds=micros // 1000 * 1000)
        return micros // 1000  # a number of milliseconds, for what Python's datetime cannot hold

    def _iso(self, micros: int, digits: int) -> str:
        return micros_text(self.wall_clock(micros), digits)

    _writers: Final[dict[str, Callable[[Moments, int], Any]]] = {
        "connect_logical": _logical,
        "micros_long": lambda self, micros: micros,
        "micros_string": lambda self, micros: str(micros),
        "micros_iso_datetime_string": lambda self, micros: self._iso(micros, 6),
        "nanos_long": lambda self, micros: _nanos_long(micros),
        "nanos_string": lambda self, micros: str(micros * 1000),
        "nanos_iso_datetime_string": lambda self, micros: self._iso(micros, 9),
    }

    def date(self, value: dt.date | int) -> Any:
        """Return the value of a record for a DATE (a `date`, or days since 1970)."""
        day = value if type(value) is int else value.toordinal() - 719_163  # type: ignore[union-attr]  # an int is the other case
        if day < CUTOVER_DAY and self._legacy:
            day = _legacy_day(day)
        elif type(value) is not int:
            return value
        return _date_of(day)

    def time(self, value: dt.time | int, offset: dt.timedelta | None = None) -> dt.time:
        """Return the value of a record for a TIME, in UTC: of ``db.timezone`` on 1970-01-01, or of its own `offset`."""
        micros = value if type(value) is int else _micros_of_time(value)  # type: ignore[arg-type]  # an int is the other case
        if offset is None:
            shift = 0 if self.is_utc else self._offset(0)
        else:
            shift = offset // _MICRO
        millis = (micros - shift) // 1000 % _DAY_MILLIS
        seconds, ms = divmod(millis, 1000)
        return dt.time(seconds // 3600, seconds // 60 % 60, seconds % 60, ms * 1000)


def _micros_of_time(value: dt.time) -> int:
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 1_000_000 + value.microsecond


def _nanos_long(micros: int) -> int:
    nanos = micros * 1000
    if not -(2**63) <= nanos < 2**63:
        raise DataError(
            f"The timestamp {micros_text(micros)} does not fit into a number of nanoseconds; use timestamp.granularity=nanos_string"
        )
    return nanos


def _legacy_day(day: int) -> int:
    year, month, date = _proleptic(day)
    return day_from_civil(year, month, date)


def _legacy_micros(micros: int) -> int:
    day, rest = divmod(micros, _DAY)
    return _legacy_day(day) * _DAY + rest


def _date_of(day: int) -> Any:
    try:
        return dt.date.fromordinal(day + 719_163)
    except (ValueError, OverflowError):
        return day * _DAY_MILLIS  # a number of milliseconds, for what Python's date cannot hold
