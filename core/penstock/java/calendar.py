"""Day numbers and calendar dates, as ``java.util.GregorianCalendar`` counts them.

Day 0 is 1970-01-01. Before 1582-10-15 the calendar is the Julian one. Years are astronomical: 0 is 1 BC. No limits on
years, which is why this is not `datetime`.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CUTOVER_DAY", "civil_from_day", "day_from_civil", "day_of_year", "week_of_year", "weekday"]

#: 1582-10-15, the first day of the Gregorian calendar.
CUTOVER_DAY: Final = -141427
_GREGORIAN_ERA: Final = 146_097  # days in 400 years
_JULIAN_ERA: Final = 1_461  # days in 4 years
#: From 0000-03-01 to 1970-01-01 in each calendar.
_GREGORIAN_SHIFT: Final = 719_468
_JULIAN_SHIFT: Final = 719_470


def civil_from_day(day: int) -> tuple[int, int, int]:
    """Year, month (1 to 12) and day of the month."""
    # Years are counted from March, so that the leap day is a year's last.
    if day >= CUTOVER_DAY:
        era, rest = divmod(day + _GREGORIAN_SHIFT, _GREGORIAN_ERA)
        year_of_era = (rest - rest // 1460 + rest // 36524 - rest // 146096) // 365
        year = era * 400 + year_of_era
        day_of_year_ = rest - (365 * year_of_era + year_of_era // 4 - year_of_era // 100)
    else:
        era, rest = divmod(day + _JULIAN_SHIFT, _JULIAN_ERA)
        year_of_era = min(rest // 365, 3)
        year = era * 4 + year_of_era
        day_of_year_ = rest - 365 * year_of_era
    shifted = (5 * day_of_year_ + 2) // 153
    month = shifted + 3 if shifted < 10 else shifted - 9
    return (year + 1 if month <= 2 else year), month, day_of_year_ - (153 * shifted + 2) // 5 + 1


def day_from_civil(year: int, month: int, day: int) -> int:
    """Lenient: month and day may lie outside their range and carry over."""
    carry, month0 = divmod(month - 1, 12)
    year += carry
    gregorian = _days_before_month(year, month0 + 1, True) + day - 1
    julian = _days_before_month(year, month0 + 1, False) + day - 1
    return gregorian if gregorian >= CUTOVER_DAY and julian >= CUTOVER_DAY else julian


def _days_before_month(year: int, month: int, gregorian: bool) -> int:
    year = year - 1 if month <= 2 else year
    day_of_year_ = (153 * (month - 3 if month > 2 else month + 9) + 2) // 5
    days = 365 * year + year // 4 + day_of_year_
    return days - year // 100 + year // 400 - _GREGORIAN_SHIFT if gregorian else days - _JULIAN_SHIFT


def day_of_year(day: int) -> int:
    return day - day_from_civil(civil_from_day(day)[0], 1, 1) + 1


def weekday(day: int) -> int:
    """0 for Sunday."""
    return (day + 4) % 7


def week_of_year(day: int) -> tuple[int, int]:
    """Week year and week, by the rules of the US locale: weeks begin on Sunday, the first holds January 1st."""
    year = civil_from_day(day)[0]
    for candidate in (year + 1, year):
        january = day_from_civil(candidate, 1, 1)
        start = january - weekday(january)
        if day >= start:
            return candidate, (day - start) // 7 + 1
    raise AssertionError("a day lies after the start of its own year")
