"""Version requirements of plugins (KIP-891): a version, ``latest``, or a range in Maven's notation."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Final

from penstock.errors import ConfigError

__all__ = ["PluginVersionValidator", "VersionRange", "version_problem"]

#: Longer than any version there is. What numbers and ranges cost grows with their text.
_MAX_LENGTH: Final = 1_000


@dataclass(frozen=True, slots=True)
class _Interval:
    low: str
    low_included: bool
    high: str
    high_included: bool

    def has(self, version: str) -> bool:
        key = _key(version)
        if self.low and (key < _key(self.low) or (key == _key(self.low) and not self.low_included)):
            return False
        return not (self.high and (key > _key(self.high) or (key == _key(self.high) and not self.high_included)))


@dataclass(frozen=True, slots=True)
class VersionRange:
    """``[1.0,2.0)``, ``(,1.0],[1.2,)``; a bare version means exactly that one, ``latest`` any."""

    intervals: tuple[_Interval, ...]

    @classmethod
    def parse(cls, text: str) -> VersionRange:
        """Return the range that `text` means. Raise `ValueError` saying what is wrong with it."""
        if len(text) > _MAX_LENGTH:
            raise ValueError(f"expected at most {_MAX_LENGTH} characters, met {len(text)}")
        text = text.strip()
        if text.lower() == "latest":
            return cls((_Interval("", True, "", True),))
        if text and text[0] not in "[(":
            if re.search(r"[\[\](),\s]", text):
                raise ValueError(f"Single version must be surrounded by []: {text}")
            return cls((_Interval(text, True, text, True),))
        found, position = [], 0
        while position < len(text):
            interval, position = _interval(text, position)
            found.append(interval)
            if position < len(text):
                if text[position] != ",":
                    raise ValueError(f"expected a comma between ranges: {text}")
                position += 1
        if not found:
            raise ValueError("expected a version, a range or latest")
        return cls(tuple(found))

    def __contains__(self, version: str | None) -> bool:
        return version is not None and any(interval.has(version) for interval in self.intervals)


def _interval(text: str, start: int) -> tuple[_Interval, int]:
    """Read the interval that starts at `start`; return it and where the text goes on."""
    end = start + 1
    while end < len(text) and text[end] not in "[]()":
        end += 1
    bounds = [bound.strip() for bound in text[start + 1 : end].split(",")]
    opening, closing = text[start], text[end : end + 1]
    if opening not in "[(" or closing not in ("]", ")") or len(bounds) > 2:
        raise ValueError(f"Unbounded range: {text}")
    low, high = bounds[0], bounds[-1]
    if len(bounds) == 1:
        if not low or opening != "[" or closing != "]":
            raise ValueError(f"Single version must be surrounded by []: {text}")
    elif low and high and _key(low) > _key(high):
        raise ValueError(f"Range defies version ordering: {text}")
    return _Interval(low, opening == "[", high, closing == "]"), end + 1


def _key(version: str) -> list[tuple[int, int, str]]:
    """Numbers by value; words such as ``SNAPSHOT`` or ``rc`` before the release they lead to."""
    parts: list[tuple[int, int, str]] = []
    for part in [*re.findall(r"\d+|[A-Za-z]+", version), ""]:
        if part.isdigit():
            parts.append((1, int(part), ""))
            continue
        while parts and parts[-1] == (1, 0, ""):
            parts.pop()  # 1.0 is 1, and 1.0-rc1 is 1-rc1
        parts.append((-1, 0, part.lower()) if part else (0, 0, ""))
    return parts


def version_problem(class_name: str, wanted: str | None, installed: str | None) -> str | None:
    """Return why the installed version of a class is not the one wanted, in the words of Kafka's ``Plugins``; else None.

    One version of a distribution can be installed: another one that is asked for would silently not be used.
    """
    if wanted is None or installed is None:
        return None
    try:
        if installed in (wanted, "undefined") or installed in VersionRange.parse(wanted):
            return None
    except ValueError as error:
        return str(error)
    asked = wanted.strip()
    asked = asked if asked[:1] in ("[", "(") else f"[{asked},{asked}]"
    return f"Plugin {class_name} not found that matches the version range {asked}, available versions: [{installed}]"


class PluginVersionValidator:
    """Accepts what `VersionRange.parse` does."""

    def ensure_valid(self, name: str, value: Any) -> None:
        if value is None:
            return
        try:
            VersionRange.parse(value)
        except ValueError as error:
            raise ConfigError(str(error)) from None

    def __str__(self) -> str:
        return "a version, a range of versions such as [1.0,2.0), or latest"
