"""A ``SimpleDateFormat`` pattern as a row of elements, and the names that its letters stand for."""

from __future__ import annotations

from typing import Final, NamedTuple

from penstock.errors import ConfigError

__all__ = ["AM_PM", "ERAS", "MONTHS", "WEEKDAYS", "Element", "compile_pattern"]

MONTHS: Final = (
    "January", "February", "March", "April", "May", "June",
    "July", "August", "September", "October", "November", "December",
)  # fmt: skip
#: From Sunday on.
WEEKDAYS: Final = ("Sunday", "Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday")
ERAS: Final = ("BC", "AD")
AM_PM: Final = ("AM", "PM")
_LETTERS: Final = "GyYMLwWDdFEuaHkKhmsSzZX"


class Element(NamedTuple):
    """A run of one pattern letter, or (with `letter` empty) text that stands for itself."""

    letter: str
    width: int
    text: str = ""


def compile_pattern(pattern: str) -> list[Element]:
    """Raises `ConfigError`, in Java's words, for what is no pattern."""
    elements: list[Element] = []
    at = 0
    while at < len(pattern):
        char = pattern[at]
        if char == "'":
            text, at = _quoted(pattern, at)
        elif char.isascii() and char.isalpha():
            end = at
            while pattern[end : end + 1] == char:
                end += 1
            elements.append(_element(char, end - at))
            at = end
            continue
        else:
            text, at = char, at + 1
        if elements and not elements[-1].letter:
            text = elements.pop().text + text
        elements.append(Element("", 0, text))
    return elements


def _element(letter: str, count: int) -> Element:
    if letter not in _LETTERS:
        raise ConfigError(f"Illegal pattern character '{letter}'")
    if letter == "X" and count > 3:
        raise ConfigError(f"invalid ISO 8601 format: length={count}")
    return Element(letter, count)


def _quoted(pattern: str, opening: int) -> tuple[str, int]:
    if pattern[opening + 1 : opening + 2] == "'":
        return "'", opening + 2
    text = ""
    at = opening + 1
    while True:
        end = pattern.find("'", at)
        if end < 0:
            raise ConfigError("Unterminated quote")
        text += pattern[at:end]
        if pattern[end + 1 : end + 2] != "'":
            return text, end + 1
        text += "'"
        at = end + 2
