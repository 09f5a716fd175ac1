"""Time zones, and points in time of any year: as numbers since the epoch and as ISO texts.

A local time is a number of seconds too: those from 1970-01-01T00:00 on a clock that stands in the zone.
"""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from collections.abc import Callable
from typing import Final, NamedTuple

from penstock.errors import DataError

__all__ = ["Zone", "moved_time", "moved_timestamp", "zone_of"]

_OFFSET: Final = re.compile(r"([+-])(\d\d):(\d\d)(?::(\d\d))?", re.ASCII)
_MAX_OFFSET: Final = 18 * 3600
#: Java knows these as abbreviations only, and then finds no rules for them.
_ABBREVIATIONS: Final = frozenset({"EST", "HST", "MST", "ROC"})
_DAY: Final = 86_400
_EPOCH: Final = dt.datetime(1970, 1, 1, tzinfo=dt.UTC)
_EPOCH_ORDINAL: Final = _EPOCH.toordinal()
_CYCLE_DAYS: Final = 146_097  # of 400 years, after which the calendar is the same again
_CYCLE: Final = _CYCLE_DAYS * _DAY
_FIRST: Final = int((dt.datetime(2, 1, 1, tzinfo=dt.UTC) - _EPOCH).total_seconds())
_FAR: Final = int((dt.datetime(9000, 1, 1, tzinfo=dt.UTC) - _EPOCH).total_seconds())


class Zone(NamedTuple):
    """The offsets of a zone from UTC, in seconds, east is positive."""

    #: The offset for a local time (``ZoneRules.getOffset(LocalDateTime)``): where a clock is put forward or back, the one before.
    of_local: Callable[[int], int]
    #: The offset at a number of seconds since the epoch.
    at: Callable[[int], int]


def zone_of(text: str) -> Zone | None:
    """Return the zone of an offset (``+05:30``) or of a name (``Europe/Paris``); None for anything else."""
    fixed = _OFFSET.fullmatch(text)
    if fixed is not None:
        hours, minutes, seconds = (int(part or 0) for part in fixed.groups()[1:])
        offset = hours * 3600 + minutes * 60 + seconds
        if minutes > 59 or seconds > 59 or offset > _MAX_OFFSET:
            return None
        return _fixed(-offset if fixed[1] == "-" else offset)
    if text in _ABBREVIATIONS or not text[:1].isalpha():
        return None
    try:
        return _named(zoneinfo.ZoneInfo(text))
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        return None


def _fixed(offset: int) -> Zone:
    return Zone(lambda _: offset, lambda _: offset)


def _named(zone: dt.tzinfo) -> Zone:
    def of_local(seconds: int) -> int:
        return _seconds((_EPOCH + dt.timedelta(seconds=_near(seconds))).replace(tzinfo=zone).utcoffset())

    def at(seconds: int) -> int:
        return _seconds(dt.datetime.fromtimestamp(_near(seconds), zone).utcoffset())

    return Zone(of_local, at)


def _near(seconds: int) -> int:
    """Return a point in time of the same rules within Python's years: zones have none but yearly rules in far years."""
    if seconds < _FIRST:
        return _FIRST
    return seconds if seconds < _FAR else _FAR - _CYCLE + (seconds - _FAR) % _CYCLE


def _seconds(offset: dt.timedelta | None) -> int:
    return 0 if offset is None else offset.days * _DAY + offset.seconds


_TIME_TEXT: Final = r"(\d\d):(\d\d)(?::(\d\d)(?:\.(\d{1,9}))?)?(Z|[+-]\d\d(?::\d\d(?::\d\d)?)?)"
_ISO_TIME: Final = re.compile(_TIME_TEXT, re.ASCII | re.IGNORECASE)
_ISO_TIMESTAMP: Final = re.compile(r"(-?\d{4}|[+-]\d{5,10})-(\d\d)-(\d\d)T" + _TIME_TEXT, re.ASCII | re.IGNORECASE)


def moved_timestamp(text: str, zone: Zone) -> str:
    """Return an ISO date-time with offset as the zone's clocks show it; its fraction of a second keeps its digits but noughts.

    The offset is that which the zone has for the date-time as it is written, as Debezium takes it: within hours of a
    change of the clocks that may be the other one. Raise `DataError` for a text of another form.
    """
    parts = _ISO_TIMESTAMP.fullmatch(text)
    day = None if parts is None else _days(int(parts[1]), int(parts[2]), int(parts[3]))
    read = None if parts is None else _clock(parts.groups()[3:])
    if day is None or read is None:
        raise DataError(f"Text '{text}' is not a date-time with an offset, like 2024-02-29T13:45:00.5+01:00")
    local = day * _DAY + read.second
    offset = zone.of_local(local)
    days, second = divmod(local - read.offset + offset, _DAY)
    return f"{_date_text(days)}T{_clock_text(second, read.fraction, offset)}"


def moved_time(text: str, offset: int) -> str:
    """Return an ISO time with offset as a clock shows it at another offset. Raise `DataError` for a text of another form."""
    parts = _ISO_TIME.fullmatch(text)
    read = None if parts is None else _clock(parts.groups())
    if read is None:
        raise DataError(f"Text '{text}' is not a time with an offset, like 13:45:00.5+01:00")
    return _clock_text((read.second - read.offset + offset) % _DAY, read.fraction, offset)


class _Clock(NamedTuple):
    #: The second of the day.
    second: int
    #: The digits behind the point.
    fraction: str
    offset: int


def _clock(parts: tuple[str | None, ...]) -> _Clock | None:
    """Return the time that a text's parts say; None if there is no such time or offset."""
    hour, minute, second = (int(part or 0) for part in parts[:3])
    offset = _offset(parts[4] or "")
    if hour > 23 or minute > 59 or second > 59 or offset is None:
        return None
    return _Clock(hour * 3600 + minute * 60 + second, parts[3] or "", offset)


def _offset(text: str) -> int | None:
    if text in ("Z", "z"):
        return 0
    digits = text[1:].replace(":", "")
    hours, minutes, seconds = int(digits[:2]), int(digits[2:4] or 0), int(digits[4:] or 0)
    offset = hours * 3600 + minutes * 60 + seconds
    if minutes > 59 or seconds > 59 or offset > _MAX_OFFSET:
        return None
    return -offset if text[0] == "-" else offset


def _days(year: int, month: int, day: int) -> int | None:
    """Return the days since the epoch, in the Gregorian calendar of all years; None if there is no such date."""
    cycles, near = divmod(year - 2000, 400)
    try:
        return dt.date(2000 + near, month, day).toordinal() - _EPOCH_ORDINAL + cycles * _CYCLE_DAYS
    except ValueError:
        return None


def _date_text(days: int) -> str:
    start = dt.date(2000, 1, 1).toordinal() - _EPOCH_ORDINAL
    cycles, near = divmod(days - start, _CYCLE_DAYS)
    date = dt.date.fromordinal(_EPOCH_ORDINAL + start + near)
    year = date.year + 400 * cycles
    sign = "+" if year > 9999 else "-" if year < 0 else ""
    return f"{sign}{abs(year):04}-{date.month:02}-{date.day:02}"


def _clock_text(second: int, fraction: str, offset: int) -> str:
    digits = fraction.rstrip("0")
    hour, rest = divmod(second, 3600)
    return f"{hour:02}:{rest // 60:02}:{rest % 60:02}{'.' if digits else ''}{digits}{_offset_text(offset)}"


def _offset_text(offset: int) -> str:
    if not offset:
        return "Z"
    hours, rest = divmod(abs(offset), 3600)
    seconds = f":{rest % 60:02}" if rest % 60 else ""
    return f"{'-' if offset < 0 else '+'}{hours:02}:{rest // 60:02}{seconds}"
