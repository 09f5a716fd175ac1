"""PostgreSQL's dates and times beyond Python's: infinity, years before 1 and after 9999, 24:00.

They come as numbers: days or microseconds since 1970, or microseconds of the day. The driver's own loaders, which are faster,
are used until one refuses a value.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

import psycopg
from psycopg.adapt import Loader, Transformer
from psycopg.pq import Format

from penstock.errors import DataError

__all__ = ["load_again"]

_DAY: Final = 86_400_000_000
#: ``PGStatement.DATE_POSITIVE_INFINITY`` and ``DATE_NEGATIVE_INFINITY``, in microseconds.
_INFINITY: Final = {"infinity": 9_223_372_036_825_200_000_000, "-infinity": -9_223_372_036_832_400_000_000}


def load_again(cursor: Any) -> list[tuple[Any, ...]]:
    """Return the rows that a cursor has fetched and could not load."""
    result = cursor.pgresult  # first: the cursor lets go of it when a loader is registered
    for name, loader in _LOADERS.items():
        cursor.adapters.register_loader(name, loader)
    transformer = Transformer(cursor)
    loads = [transformer.get_loader(result.ftype(i), Format.TEXT).load for i in range(result.nfields)]
    rows = range(result.ntuples)
    columns = [
        [_loaded(result.get_value(row, place), load, result.fname(place)) for row in rows]
        for place, load in enumerate(loads)
    ]
    return list(zip(*columns, strict=True))


def _loaded(data: bytes | None, load: Callable[[bytes], Any], column: bytes | None) -> Any:
    if data is None:
        return None
    try:
        return load(data)
    except (psycopg.DataError, DataError) as error:
        # An error of the driver's would have the query run again, for ever.
        name = (column or b"").decode("utf-8", "replace")
        raise DataError(f"A value of column {name} cannot be read: {error}") from error


class _Date(Loader):
    def load(self, data: Any) -> int:
        text = bytes(data).decode()
        if text in _INFINITY:
            raise DataError(f"The date {text} is no day; select a CASE in a query to put another in its place")
        return _day(text)


class _Timestamp(Loader):
    def load(self, data: Any) -> int:
        text = bytes(data).decode()
        if text in _INFINITY:
            return _INFINITY[text]
        date, clock, *era = text.split(" ")
        # The session's time zone is UTC.
        return _day(" ".join([date, *era])) * _DAY + _clock(clock.removesuffix("+00"))


class _Time(Loader):
    def load(self, data: Any) -> int:
        return _clock(bytes(data).decode()) % _DAY


class _TimeWithZone(Loader):
    def load(self, data: Any) -> dt.time:
        text = bytes(data).decode()
        clock, sign, offset = text.partition("+" if "+" in text else "-")
        hours, minutes, seconds = (int(part) for part in f"{offset}:00:00".split(":")[:3])
        shift = dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
        micros = _clock(clock) % _DAY
        whole = dt.datetime(1970, 1, 1) + dt.timedelta(microseconds=micros)  # noqa: DTZ001 - a time of day
        return whole.time().replace(tzinfo=dt.timezone(-shift if sign == "-" else shift))


_LOADERS: Final = {
    "date": _Date, "timestamp": _Timestamp, "timestamptz": _Timestamp, "time": _Time, "timetz": _TimeWithZone,
}  # fmt: skip


def _day(text: str) -> int:
    """Return the days from 1970-01-01 to a date of today's calendar carried back, as PostgreSQL counts."""
    date, _, era = text.partition(" ")
    year, month, day = (int(part) for part in date.split("-"))
    if era == "BC":
        year = 1 - year
    year -= month <= 2
    century, rest = divmod(year, 400)
    day_of_year = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5 + day - 1
    return century * 146_097 + rest * 365 + rest // 4 - rest // 100 + day_of_year - 719_468


def _clock(text: str) -> int:
    hours, minutes, seconds = text.split(":")
    whole, _, fraction = seconds.partition(".")
    return ((int(hours) * 60 + int(minutes)) * 60 + int(whole)) * 1_000_000 + int(fraction.ljust(6, "0") or 0)
