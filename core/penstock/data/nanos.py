"""Timestamps finer than milliseconds: `NanoDatetime`, and datetimes as microseconds and nanoseconds since the epoch.

Connect's own Timestamp counts milliseconds. A converter that is set to a finer precision (``timestamp.precision``)
gives and takes datetimes with their microseconds, and a `NanoDatetime` where there is more than that.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, Final, SupportsIndex, overload

from penstock.data.logical import EPOCH
from penstock.errors import DataError

__all__ = [
    "NanoDatetime",
    "timestamp_from_micros",
    "timestamp_from_nanos",
    "timestamp_to_micros",
    "timestamp_to_nanos",
]

_MICROSECOND: Final = dt.timedelta(microseconds=1)
_FRACTION_END: Final = len("2024-02-29T13:45:00.123456")


class NanoDatetime(dt.datetime):
    """A datetime that knows `nanosecond`, 0 to 999: what goes beyond its microsecond.

    penstock makes one only where that is not 0, with `of`; every other timestamp is a plain datetime. It equals no
    datetime that differs by nanoseconds, lies between its neighbours, and hashes, prints, pickles and copies with
    them. `replace`, `astimezone` and adding or subtracting a timedelta keep them. The difference of two datetimes is a
    timedelta, rounded down to microseconds.

    Code that knows datetimes alone sees one that is cut to its microsecond: `microsecond`, `timestamp`, `time`,
    `strftime` are those of datetime, and none of its methods needs more than datetime's own arguments.
    """

    __slots__ = ("_nanosecond",)

    _nanosecond: int

    def __new__(
        cls,
        year: SupportsIndex,
        month: SupportsIndex,
        day: SupportsIndex,
        hour: SupportsIndex = 0,
        minute: SupportsIndex = 0,
        second: SupportsIndex = 0,
        microsecond: SupportsIndex = 0,
        tzinfo: dt.tzinfo | None = None,
        *,
        fold: int = 0,
        nanosecond: int = 0,
    ) -> NanoDatetime:
        if not 0 <= nanosecond <= 999:
            raise ValueError(f"nanosecond must be in 0..999, not {nanosecond}")
        made = super().__new__(cls, year, month, day, hour, minute, second, microsecond, tzinfo, fold=fold)
        made._nanosecond = nanosecond
        return made

    @classmethod
    def of(cls, moment: dt.datetime, nanosecond: int) -> dt.datetime:
        """`moment`, cut to its microsecond, with `nanosecond` (0 to 999) beyond that; for 0 a plain datetime."""
        if nanosecond == 0:
            return moment if type(moment) is dt.datetime else dt.datetime.combine(moment.date(), moment.timetz())
        return cls(
            moment.year, moment.month, moment.day, moment.hour, moment.minute, moment.second, moment.microsecond,
            moment.tzinfo, fold=moment.fold, nanosecond=nanosecond,
        )  # fmt: skip

    @property
    def nanosecond(self) -> int:
        return self._nanosecond

    # -- comparing

    def _same_microsecond(self, other: object) -> bool:
        return super().__eq__(other) is True

    def __eq__(self, other: object) -> bool:
        equal = super().__eq__(other)
        return self._nanosecond == _nanosecond(other) if equal is True else equal

    def __ne__(self, other: object) -> bool:
        equal = self.__eq__(other)
        return equal if equal is NotImplemented else not equal

    def __lt__(self, other: dt.datetime) -> bool:  # type: ignore[override]  # datetime's own signature, which narrows date's
        return self._nanosecond < _nanosecond(other) if self._same_microsecond(other) else super().__lt__(other)

    def __le__(self, other: dt.datetime) -> bool:  # type: ignore[override]  # see __lt__
        return self._nanosecond <= _nanosecond(other) if self._same_microsecond(other) else super().__le__(other)

    def __gt__(self, other: dt.datetime) -> bool:  # type: ignore[override]  # see __lt__
        return self._nanosecond > _nanosecond(other) if self._same_microsecond(other) else super().__gt__(other)

    def __ge__(self, other: dt.datetime) -> bool:  # type: ignore[override]  # see __lt__
        return self._nanosecond >= _nanosecond(other) if self._same_microsecond(other) else super().__ge__(other)

    def __hash__(self) -> int:
        plain = super().__hash__()
        return hash((plain, self._nanosecond)) if self._nanosecond else plain

    # -- arithmetic

    def __add__(self, other: dt.timedelta) -> dt.datetime:  # type: ignore[override]  # a plain datetime where no nanoseconds are left
        moved = super().__add__(other)
        return moved if moved is NotImplemented else self.of(moved, self._nanosecond)

    __radd__ = __add__  # type: ignore[assignment]  # see __add__

    @overload  # type: ignore[override]  # see __add__
    def __sub__(self, other: dt.datetime) -> dt.timedelta: ...
    @overload
    def __sub__(self, other: dt.timedelta) -> dt.datetime: ...
    def __sub__(self, other: Any) -> Any:
        result: Any = super().__sub__(other)
        if isinstance(result, dt.timedelta):
            return result if self._nanosecond >= _nanosecond(other) else result - _MICROSECOND
        return result if result is NotImplemented else self.of(result, self._nanosecond)

    def __rsub__(self, other: Any) -> Any:
        if not isinstance(other, dt.datetime):
            return NotImplemented
        difference = other - self.of(self, 0)
        return difference - _MICROSECOND if _nanosecond(other) < self._nanosecond else difference

    # -- other forms

    def replace(self, *args: Any, nanosecond: int | None = None, **changes: Any) -> dt.datetime:  # type: ignore[override]  # datetime's arguments, and one more
        return self.of(super().replace(*args, **changes), self._nanosecond if nanosecond is None else nanosecond)

    def __replace__(self, /, **changes: Any) -> Any:  # for copy.replace of Python 3.13
        return self.replace(**changes)

    def astimezone(self, tz: dt.tzinfo | None = None) -> dt.datetime:  # type: ignore[override]  # see __add__
        return self.of(super().astimezone(tz), self._nanosecond)

    def isoformat(self, sep: str = "T", timespec: str = "auto") -> str:
        """With nine digits of the second, or as `timespec` says, which may be ``nanoseconds`` too."""
        if timespec == "nanoseconds" or (timespec == "auto" and self._nanosecond):
            text = super().isoformat(sep, "microseconds")
            return f"{text[:_FRACTION_END]}{self._nanosecond:03}{text[_FRACTION_END:]}"
        return super().isoformat(sep, timespec)

    def __str__(self) -> str:
        return self.isoformat(" ")

    def __repr__(self) -> str:
        return f"{super().__repr__()[:-1]}, nanosecond={self._nanosecond})"

    def __reduce_ex__(self, protocol: SupportsIndex) -> tuple[Any, ...]:
        return _remade, (self.of(self, 0), self._nanosecond)


def _remade(moment: dt.datetime, nanosecond: int) -> dt.datetime:
    return NanoDatetime.of(moment, nanosecond)


def _nanosecond(value: object) -> int:
    # Other subclasses of datetime have it under this name, too.
    found = getattr(value, "nanosecond", 0)
    return found if isinstance(found, int) else 0


def timestamp_to_micros(value: dt.datetime) -> int:
    """Microseconds since the epoch, rounded down; a datetime without timezone is refused."""
    if value.tzinfo is None:
        raise DataError(f"Timestamp {value.isoformat()} has no timezone; expected a timezone-aware datetime in UTC")
    since = value - EPOCH
    return (since.days * 86_400 + since.seconds) * 1_000_000 + since.microseconds


def timestamp_to_nanos(value: dt.datetime) -> int:
    """Nanoseconds since the epoch, exactly; beyond 64 bits outside the years 1677 to 2262."""
    return timestamp_to_micros(value) * 1000 + _nanosecond(value)


def timestamp_from_micros(micros: int) -> dt.datetime:
    try:
        return EPOCH + dt.timedelta(microseconds=micros)
    except OverflowError:
        raise DataError(
            f"Timestamp {micros} microseconds from the epoch lies outside the years 1 to 9999 that a timestamp can hold"
        ) from None


def timestamp_from_nanos(nanos: int) -> dt.datetime:
    """A plain datetime where the number is of whole microseconds, else a `NanoDatetime`."""
    micros, rest = divmod(nanos, 1000)
    return NanoDatetime.of(timestamp_from_micros(micros), rest)
