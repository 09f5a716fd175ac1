"""Replacement texts of Java's ``Matcher.replaceFirst``: ``$1``, ``${name}``, ``\\x``."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from penstock.errors import DataError
from penstock.java.regex import JavaMatch, JavaPattern

__all__ = ["compile_replacement", "replaced_whole"]

_NAME: Final = re.compile(r"[a-zA-Z0-9]*", re.ASCII)


def compile_replacement(text: str, pattern: JavaPattern) -> Callable[[JavaMatch], str]:
    """A function from a match of `pattern` to what the replacement stands for.

    Groups that took no part are empty. Raises `DataError` in Java's words for a reference to no group: Kafka notices
    that only when a record comes.
    """
    parts: list[str | int] = []
    at = 0
    while at < len(text):
        char = text[at]
        if char == "\\":
            if at + 1 == len(text):
                raise DataError("character to be escaped is missing")
            parts.append(text[at + 1])
            at += 2
        elif char == "$":
            group, at = _reference(text, at + 1, pattern)
            parts.append(group)
        else:
            parts.append(char)
            at += 1

    def expand(match: JavaMatch) -> str:
        return "".join(part if isinstance(part, str) else match[part] or "" for part in parts)

    return expand


def replaced_whole(text: str, pattern: JavaPattern, replacement: str) -> str | None:
    """Return `text` renamed as ``RegexRouter`` renames topics; None if the whole of it does not match.

    Raise `DataError` for a replacement that refers to no group.
    """
    match = pattern.fullmatch(text)
    if match is None:
        return None
    # fullmatch and replaceFirst may take different ways through the alternatives of a pattern; Java searches anew.
    first = pattern.search(text) or match
    return text[: first.start()] + compile_replacement(replacement, pattern)(first) + text[first.end() :]


def _reference(text: str, at: int, pattern: JavaPattern) -> tuple[int, int]:
    """The group that a ``$`` before `at` refers to, and where the text goes on."""
    char = text[at : at + 1]
    if not char:
        raise DataError("Illegal group reference: group index is missing")
    if char == "{":
        return _named(text, at + 1, pattern)
    if not ("0" <= char <= "9"):
        raise DataError("Illegal group reference")
    number = int(char)
    at += 1
    if number > pattern.groups:
        raise DataError(f"No group {number}")
    while "0" <= (digit := text[at : at + 1]) <= "9" and number * 10 + int(digit) <= pattern.groups:
        number = number * 10 + int(digit)
        at += 1
    return number, at


def _named(text: str, at: int, pattern: JavaPattern) -> tuple[int, int]:
    found = _NAME.match(text, at)
    assert found is not None  # it matches nothing, too
    name, end = found[0], found.end()
    if not name:
        raise DataError("named capturing group has 0 length name")
    if text[end : end + 1] != "}":
        raise DataError("named capturing group is missing trailing '}'")
    if name[0].isdigit():
        raise DataError(f"capturing group name {{{name}}} starts with digit character")
    if name not in pattern.names:
        raise DataError(f"No group with name {{{name}}}")
    return pattern.names[name], end + 1
