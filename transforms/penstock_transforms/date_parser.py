"""Reading dates as a lenient ``SimpleDateFormat`` does.

Lenient means: fields may lie outside their range and carry over (the 40th of the 13th month), blanks before a field are
skipped, and text after the last field is ignored. Two numbers with nothing between them are told apart by the number of
pattern letters. Where fields contradict each other, the one read last wins, as in ``java.util.Calendar``.
"""

from __future__ import annotations

import datetime as dt
import re
from collections.abc import Callable, Sequence
from typing import Final

from penstock.java.calendar import civil_from_day, day_from_civil, weekday
from penstock.java.numbers import wrap
from penstock_transforms.date_pattern import AM_PM, ERAS, MONTHS, WEEKDAYS, Element

__all__ = ["DateParser"]

_NUMBER: Final = re.compile(r"-?\d+")
_BLANKS: Final = re.compile(r"[ \t]*")
#: Hours and minutes of an offset, by what is written in the pattern.
_OFFSETS: Final = {
    "rfc": re.compile(r"(\d\d)(\d\d)", re.ASCII),
    "gmt": re.compile(r"(\d\d?):(\d\d)", re.ASCII),
    "X1": re.compile(r"(\d\d)()", re.ASCII),
    "X2": re.compile(r"(\d\d)(\d\d)", re.ASCII),
    "X3": re.compile(r"(\d\d):(\d\d)", re.ASCII),
}
#: Abbreviations that are read as zones, in minutes east of UTC. Java reads these and many hundred more.
_ZONES: Final = {
    "UTC": 0, "UCT": 0, "GMT": 0, "WET": 0, "WEST": 60, "CET": 60, "CEST": 120, "EET": 120, "EEST": 180, "MSK": 180,
    "EST": -300, "EDT": -240, "CST": -360, "CDT": -300, "MST": -420, "MDT": -360, "PST": -480, "PDT": -420,
    "AKST": -540, "AKDT": -480, "HST": -600, "JST": 540, "KST": 540,
    "Coordinated Universal Time": 0, "Greenwich Mean Time": 0, "Central European Standard Time": 60,
    "Eastern Standard Time": -300, "Eastern Daylight Time": -240, "Central Standard Time": -360,
    "Central Daylight Time": -300, "Mountain Standard Time": -420, "Mountain Daylight Time": -360,
    "Pacific Standard Time": -480, "Pacific Daylight Time": -420,
}  # fmt: skip
#: Read as a number and kept as they are; k and h have a value of their own for "0".
_PLAIN: Final = "YyMLwWDdFuHkKhmsS"


class DateParser:
    """Parses texts of one pattern. Immutable."""

    def __init__(self, elements: Sequence[Element], now: dt.datetime) -> None:
        self._elements = elements
        self._century = _century_start(now)
        self._quick = _plain_parser(elements)

    def parse(self, text: str) -> int:
        """Milliseconds since the epoch. Raises ``ValueError`` where the text does not fit the pattern."""
        quick = self._quick(text) if self._quick is not None else None
        return self._parse(text) if quick is None else quick

    def _parse(self, text: str) -> int:
        fields: dict[str, int] = {}
        at = 0
        for i, element in enumerate(self._elements):
            if not element.letter:
                if not text.startswith(element.text, at):
                    raise ValueError(text)
                at += len(element.text)
                continue
            following = self._elements[i + 1] if i + 1 < len(self._elements) else None
            at = self._read(text, at, element, following, fields)
        if not self._elements or at == 0:
            raise ValueError(text)
        return self._moment(fields)

    def _read(self, text: str, start: int, element: Element, following: Element | None, fields: dict[str, int]) -> int:
        """Read one field into `fields`, which keep the order in which they were read; the place after it."""
        letter, width, _ = element
        found = _BLANKS.match(text, start)
        at = found.end() if found else start
        if at >= len(text):
            raise ValueError(text)
        if letter in "zZX":
            minutes, at = _zone(text, start, at, element)
            fields["zone"] = minutes * 60_000
            return at
        names = _names(letter, width)
        if names:
            value, at = _name(text, start, names)
        else:
            end = start + width if following is not None and _is_number(following) else len(text)
            if end > len(text):
                raise ValueError(text)
            value, at = self._number(text, at, end, element)
        key = {"k": "H", "h": "K", "L": "M"}.get(letter, letter)
        fields.pop(key, None)
        fields[key] = value
        return at

    def _number(self, text: str, at: int, end: int, element: Element) -> tuple[int, int]:
        found = _NUMBER.match(text, at, end)
        if found is None:
            raise ValueError(text)
        digits = found[0].lstrip("-").lstrip("0")
        if len(digits) > 19:  # beyond every long: not worked out
            value = -(2**31) if found[0].startswith("-") else 2**31 - 1
        else:
            number = -int(digits or "0") if found[0].startswith("-") else int(digits or "0")
            value = wrap(number, 32) if -(2**63) <= number < 2**63 else (2**31 - 1 if number > 0 else -(2**31))
        if element.letter in "yY" and element.width <= 2 and len(found[0]) == 2 and found[0].isdigit():
            value = self._two_digit_year(value)
        elif (element.letter, value) in (("k", 24), ("h", 12)):
            value = 0
        return value, found.end()

    def _two_digit_year(self, value: int) -> int:
        start = civil_from_day(self._century // 86_400_000)[0]
        return value + start // 100 * 100 + (100 if value < start % 100 else 0)

    def _moment(self, fields: dict[str, int]) -> int:
        day = _day(fields)
        millis = day * 86_400_000 + _time(fields) - fields.get("zone", 0)
        # A two-digit year may be the first or the last of the hundred: the day decides.
        if self._ambiguous(fields) and millis < self._century:
            later = {**fields, "y": fields["y"] + 100}
            return _day(later) * 86_400_000 + _time(later) - later.get("zone", 0)
        return millis

    def _ambiguous(self, fields: dict[str, int]) -> bool:
        two_digits = any(e.letter == "y" and e.width <= 2 for e in self._elements)
        return two_digits and fields.get("y") == civil_from_day(self._century // 86_400_000)[0]


def _plain_parser(elements: Sequence[Element]) -> Callable[[str], int | None] | None:
    """For patterns of numbers with text between them: a function that knows the usual texts, and None for all others."""
    expression = ""
    letters: list[str] = []
    for i, (letter, width, text) in enumerate(elements):
        if not letter:
            expression += re.escape(text)
            continue
        after = elements[i + 1] if i + 1 < len(elements) else None
        apart = after is None or (not after.letter and not after.text[0].isdigit())
        if letter not in "yMdHmsS" or letter in letters or not apart or (width > 2 and letter == "M"):
            return None
        if letter == "y" and width < 3:
            return None
        letters.append(letter)
        # The general way parses years further out (signs, blanks, a great many digits).
        expression += "([0-9]{1,6})"
    if "y" not in letters:
        return None
    begin = re.compile(expression + "(?![0-9])").match
    groups = {letter: i + 1 for i, letter in enumerate(letters)}
    year, month, day, hour, minute, second, milli = (groups.get(letter) for letter in "yMdHmsS")
    last: tuple[tuple[int, int, int], int] = ((1970, 1, 1), 0)

    def parse(text: str) -> int | None:
        nonlocal last
        found = begin(text)
        if found is None:
            return None
        date = (int(found[year or 0]), int(found[month]) if month else 1, int(found[day]) if day else 1)
        known, days = last
        if date != known:
            days = day_from_civil(*date)
            last = (date, days)
        seconds = ((int(found[hour]) if hour else 0) * 60 + (int(found[minute]) if minute else 0)) * 60
        seconds += int(found[second]) if second else 0
        return days * 86_400_000 + seconds * 1000 + (int(found[milli]) if milli else 0)

    return parse


def _century_start(now: dt.datetime) -> int:
    """80 years before now, in milliseconds: where the hundred years of two-digit years begin."""
    millis = int(now.timestamp() * 1000)
    day, rest = divmod(millis, 86_400_000)
    year, month, day_of_month = civil_from_day(day)
    return day_from_civil(year - 80, month, day_of_month) * 86_400_000 + rest


def _is_number(element: Element) -> bool:
    """Is it read as a number, so that one before it must know its own length?"""
    return element.letter != "" and element.letter in _PLAIN and not (element.letter in "ML" and element.width > 2)


def _names(letter: str, width: int) -> tuple[str, ...]:
    if letter in "ML" and width > 2:
        return MONTHS
    return {"G": ERAS, "a": AM_PM, "E": WEEKDAYS}.get(letter, ())


def _name(text: str, start: int, names: tuple[str, ...]) -> tuple[int, int]:
    """The longest of the names, in full or cut to three letters, in any case; months count from 1, others from 0."""
    best: tuple[int, int] | None = None
    for i, name in enumerate(names):
        for form in (name, name[:3]):
            if text[start : start + len(form)].lower() == form.lower() and (
                best is None or start + len(form) > best[1]
            ):
                best = (i + 1 if len(names) == 12 else i, start + len(form))
    if best is None:
        raise ValueError(text)
    return best


def _zone(text: str, start: int, at: int, element: Element) -> tuple[int, int]:
    """Minutes east of UTC, and the place after the zone."""
    char = text[at]
    if element.letter == "X":
        if char == "Z":
            return 0, at + 1
        return _offset(text, at, f"X{element.width}")
    if char in "+-":
        return _offset(text, at, "rfc")
    if text[start : start + 3].upper() == "GMT":
        after = start + 3
        return _offset(text, after, "gmt") if text[after : after + 1] in ("+", "-") else (0, after)
    best = max((z for z in _ZONES if text[at : at + len(z)].lower() == z.lower()), key=len, default=None)
    if best is None:
        raise ValueError(text)
    return _ZONES[best], at + len(best)


def _offset(text: str, at: int, form: str) -> tuple[int, int]:
    found = _OFFSETS[form].match(text, at + 1)
    if text[at : at + 1] not in ("+", "-") or found is None or int(found[1]) > 23 or int(found[2] or 0) > 59:
        raise ValueError(text)
    minutes = int(found[1]) * 60 + int(found[2] or 0)
    return (-minutes if text[at] == "-" else minutes), found.end()


def _day(fields: dict[str, int]) -> int:
    """The day number. Of day of month, day of year and week the one read last counts."""
    year = fields.get("y", 1970)
    if fields.get("G") == 0:
        year = 1 - year
    order = list(fields)
    if "Y" in fields and ("y" not in fields or order.index("Y") > order.index("y")):
        return _week_day(fields["Y"], fields.get("w", 1), _weekday_read(fields) or 0)
    month = fields.get("M", 1)
    first = day_from_civil(year, month, 1)
    wanted = _weekday_read(fields)
    ways = {"d": order.index("d") if "d" in fields else -1, "D": order.index("D") if "D" in fields else -1}
    for letter in "WFw":
        both = letter in fields and wanted is not None
        ways[letter] = max(order.index(letter), _weekday_index(order)) if both else -1
    best = max(ways, key=lambda letter: ways[letter])
    if ways[best] < 0:
        best = next((letter for letter in "WFw" if letter in fields), "F" if wanted is not None else "d")
    match best:
        case "D":
            return day_from_civil(year, 1, 1) + fields["D"] - 1
        case "w":
            return _week_day(year, fields["w"], wanted or 0)
        case "W":
            return first - weekday(first) + (fields["W"] - 1) * 7 + (wanted or 0)
        case "F":
            return first + ((wanted or 0) - weekday(first)) % 7 + (fields.get("F", 1) - 1) * 7
    return day_from_civil(year, month, fields.get("d", 1))


def _week_day(year: int, week: int, day: int) -> int:
    january = day_from_civil(year, 1, 1)
    return january - weekday(january) + (week - 1) * 7 + day


def _weekday_read(fields: dict[str, int]) -> int | None:
    """0 for Sunday; ``u`` counts from 1 for Monday."""
    last = next((letter for letter in reversed(fields) if letter in "Eu"), None)
    return None if last is None else fields["u"] % 7 if last == "u" else fields["E"]


def _weekday_index(order: list[str]) -> int:
    return max(order.index(letter) for letter in ("E", "u") if letter in order)


def _time(fields: dict[str, int]) -> int:
    """Milliseconds in the day. ``H`` or ``K`` with ``a``: the one read last."""
    order = list(fields)
    twelve = max(order.index("K"), order.index("a")) if "K" in fields and "a" in fields else -1
    if "H" in fields and order.index("H") > twelve:
        hour = fields["H"]
    else:
        hour = fields.get("K", 0) + 12 * fields.get("a", 0)
    return hour * 3_600_000 + fields.get("m", 0) * 60_000 + fields.get("s", 0) * 1000 + fields.get("S", 0)
