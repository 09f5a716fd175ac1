"""``java.text.SimpleDateFormat`` patterns, for UTC and the US locale.

Supported letters: ``G y Y M L w W D d F E u a H k K h m s S z Z X``, quoted text and other characters. An unknown
letter is a `ConfigError` in Java's words. Parsing is lenient, as Java's is by default (`penstock_transforms.date_parser`).
Moments are milliseconds since the epoch, of any size.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from operator import itemgetter
from typing import Any, Final

from penstock.java.calendar import civil_from_day, day_of_year, week_of_year, weekday
from penstock_transforms.date_parser import DateParser
from penstock_transforms.date_pattern import AM_PM, ERAS, MONTHS, WEEKDAYS, Element, compile_pattern

__all__ = ["DateFormat"]

_MILLIS_PER_DAY: Final = 86_400_000
_RESOLUTION: Final = {
    "S": 1, "s": 1000, "m": 60_000, "H": 3_600_000, "k": 3_600_000, "K": 3_600_000, "h": 3_600_000, "a": 43_200_000,
}  # fmt: skip


class DateFormat:
    """A compiled pattern. Immutable, safe to share between threads."""

    def __init__(self, pattern: str, now: dt.datetime | None = None) -> None:
        """`now` decides which century a two-digit year is put into: 80 years back to 20 years ahead."""
        self.pattern = pattern
        self.elements = tuple(compile_pattern(pattern))
        #: The pattern shows nothing finer than this many milliseconds.
        self.resolution: int = min((_RESOLUTION.get(e.letter, _MILLIS_PER_DAY) for e in self.elements), default=1)
        self._formatters = [_formatter(e) for e in self.elements]
        #: Set where the pattern is plain numbers; otherwise the formatters are called one by one.
        self.format: Callable[[int], str] = _plain_format(self.elements) or self._format
        self._parser = DateParser(self.elements, now or dt.datetime.now(dt.UTC))

    def _format(self, millis: int) -> str:
        day, rest = divmod(millis, _MILLIS_PER_DAY)
        moment = _Moment(day, rest)
        return "".join([f(moment) for f in self._formatters])

    def parse(self, text: str) -> int:
        """Milliseconds; text after the end of the pattern does not matter. Raises ``ValueError``."""
        return self._parser.parse(text)


class _Moment:
    """A day and the milliseconds in it; calendar fields are worked out once, when first asked for."""

    __slots__ = ("_civil", "day", "rest")

    def __init__(self, day: int, rest: int) -> None:
        self.day, self.rest = day, rest
        self._civil: tuple[int, int, int] | None = None

    @property
    def civil(self) -> tuple[int, int, int]:
        if self._civil is None:
            self._civil = civil_from_day(self.day)
        return self._civil

    @property
    def hour(self) -> int:
        return self.rest // 3_600_000


#: Letters of plain patterns, in the order in which `_plain_format` works them out.
_PLAIN: Final = "yMdHmsS"


def _plain_format(elements: Sequence[Element]) -> Callable[[int], str] | None:
    """One ``%`` for the whole, for patterns such as ``yyyy-MM-dd HH:mm:ss.SSS``: ten times faster."""
    template = ""
    places: list[int] = []
    for letter, width, text in elements:
        if not letter:
            template += text.replace("%", "%%")
        elif letter not in _PLAIN or (letter == "y" and width == 2) or (letter == "M" and width > 2):
            return None
        else:
            template += f"%0{width}d"
            places.append(_PLAIN.index(letter))
    if len(places) < 2:
        return None
    pick: Callable[[tuple[int, ...]], Any] = itemgetter(*places)
    last: tuple[int | None, tuple[int, int, int]] = (None, (0, 0, 0))

    def show(millis: int) -> str:
        nonlocal last
        day, rest = divmod(millis, _MILLIS_PER_DAY)
        known, date = last
        if day != known:
            year, month, day_of_month = civil_from_day(day)
            date = (year if year > 0 else 1 - year, month, day_of_month)
            last = (day, date)
        seconds, ms = divmod(rest, 1000)
        minutes, second = divmod(seconds, 60)
        text: str = template % pick((*date, minutes // 60, minutes % 60, second, ms))
        return text

    return show


_Number = Callable[[_Moment], int]


def _week_of_month(moment: _Moment) -> int:
    _, _, day = moment.civil
    return (day - 1 + weekday(moment.day - day + 1)) // 7 + 1


_NUMBERS: Final[dict[str, _Number]] = {
    "w": lambda t: week_of_year(t.day)[1],
    "W": _week_of_month,
    "D": lambda t: day_of_year(t.day),
    "d": lambda t: t.civil[2],
    "F": lambda t: (t.civil[2] - 1) // 7 + 1,
    "u": lambda t: (weekday(t.day) + 6) % 7 + 1,
    "H": lambda t: t.hour,
    "k": lambda t: t.hour or 24,
    "K": lambda t: t.hour % 12,
    "h": lambda t: t.hour % 12 or 12,
    "m": lambda t: t.rest // 60_000 % 60,
    "s": lambda t: t.rest // 1000 % 60,
    "S": lambda t: t.rest % 1000,
}


def _formatter(element: Element) -> Callable[[_Moment], str]:
    letter, width, text = element
    if not letter:
        return lambda _: text
    if letter in _NUMBERS:
        return _padded(_NUMBERS[letter], width)
    match letter:
        case "G":
            return lambda t: ERAS[t.civil[0] > 0]
        case "y":
            return _year(lambda t: t.civil[0] if t.civil[0] > 0 else 1 - t.civil[0], width)
        case "Y":
            return _year(lambda t: week_of_year(t.day)[0], width)
        case "M" | "L" if width < 3:
            return _padded(lambda t: t.civil[1], width)
        case "M" | "L":
            return lambda t: MONTHS[t.civil[1] - 1][: None if width > 3 else 3]
        case "E":
            return lambda t: WEEKDAYS[weekday(t.day)][: None if width > 3 else 3]
        case "a":
            return lambda t: AM_PM[t.hour >= 12]
    zone = {"X": "Z", "Z": "+0000", "z": "UTC" if width < 4 else "Coordinated Universal Time"}[letter]
    return lambda _: zone


def _padded(number: _Number, count: int) -> Callable[[_Moment], str]:
    if count == 1:
        return lambda t: str(number(t))
    return lambda t: f"{number(t):0{count}d}"


def _year(number: _Number, count: int) -> Callable[[_Moment], str]:
    # Two letters are two digits; any other count is a least width.
    return (lambda t: f"{number(t) % 100:02d}") if count == 2 else _padded(number, count)
