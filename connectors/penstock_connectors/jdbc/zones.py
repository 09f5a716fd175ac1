"""Time zones by the names that Java's ``ZoneId`` takes."""

from __future__ import annotations

import datetime as dt
import re
import zoneinfo
from typing import Any, Final

from penstock.errors import ConfigError

__all__ = ["TimeZoneValidator", "time_zone"]

_PROBLEM: Final = (
    "Invalid time zone. See the list of valid time zones at "
    "https://docs.oracle.com/javase/8/docs/api/java/time/ZoneId.html#shortIds"
)
_OFFSET: Final = re.compile(r"(?:UTC|GMT|UT)?([+-])(\d{1,2})(?::?(\d{2})(?::?(\d{2}))?)?", re.ASCII)
_UTC: Final = frozenset(
    {"UTC", "Z", "Etc/UTC", "GMT", "UT", "Etc/GMT", "Zulu", "UCT", "Universal", "Greenwich", "GMT0"}
)
#: ``ZoneId.SHORT_IDS``.
_SHORT: Final = dict(
    pair.split("=")
    for pair in (
        "ACT=Australia/Darwin AET=Australia/Sydney AGT=America/Argentina/Buenos_Aires ART=Africa/Cairo AST=America/Anchorage "
        "BET=America/Sao_Paulo BST=Asia/Dhaka CAT=Africa/Harare CNT=America/St_Johns CST=America/Chicago CTT=Asia/Shanghai "
        "EAT=Africa/Addis_Ababa ECT=Europe/Paris EST=-05:00 HST=-10:00 IET=America/Indiana/Indianapolis IST=Asia/Kolkata "
        "JST=Asia/Tokyo MIT=Pacific/Apia MST=-07:00 NET=Asia/Yerevan NST=Pacific/Auckland PLT=Asia/Karachi "
        "PNT=America/Phoenix PRT=America/Puerto_Rico PST=America/Los_Angeles SST=Pacific/Guadalcanal VST=Asia/Ho_Chi_Minh"
    ).split()
)


def time_zone(setting: str, name: str) -> dt.tzinfo:
    """Return the zone called `name`; ``datetime.UTC`` itself for every name of it. Raise `ConfigError`, which names `setting`."""
    text = _SHORT.get(name, name)
    if text in _UTC:
        return dt.UTC
    offset = _OFFSET.fullmatch(text)
    if offset:
        hours, minutes, seconds = (int(part or 0) for part in offset.groups()[1:])
        delta = dt.timedelta(hours=hours, minutes=minutes, seconds=seconds)
        if minutes < 60 and seconds < 60 and delta <= dt.timedelta(hours=18):
            return dt.timezone(-delta if offset[1] == "-" else delta) if delta else dt.UTC
    try:
        return zoneinfo.ZoneInfo(text)
    except (ValueError, OSError, KeyError):  # ZoneInfoNotFoundError is a KeyError
        raise ConfigError(setting, name, _PROBLEM) from None


class TimeZoneValidator:
    """Accepts what `time_zone` does."""

    def ensure_valid(self, name: str, value: Any) -> None:
        if value is not None:
            time_zone(name, value)

    def __str__(self) -> str:
        return "Any valid JDK time zone"
