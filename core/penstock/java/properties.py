"""Java ``.properties``, as ``java.util.Properties.load`` reads them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from penstock.errors import ConfigError

__all__ = ["parse_properties"]

_WHITESPACE: Final = " \t\f"
_ESCAPES: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f"}
#: The ends of lines; ``str.splitlines`` would split at more.
_LINE: Final = re.compile(r"\r\n|\r|\n")


def parse_properties(text: str) -> dict[str, str]:
    """Java properties from a text; of a key given twice, the last value counts.

    Raises `ConfigError` for a malformed ``\\u`` escape, as Java does.
    """
    found: dict[str, str] = {}
    for number, line in _logical_lines(text.removeprefix("\ufeff")):
        key, value = _split(line)
        try:
            found[_unescape(key)] = _unescape(value)
        except ConfigError as error:
            raise ConfigError(f"line {number}: {error.message}") from None
    return found


def _logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Lines with continuations joined, each with the number of its last part; comments and blank lines left out.

    A comment is never continued, and a continuation that looks like a comment is not one.
    """
    pending: str | None = None
    number = 0
    for number, natural in enumerate(_LINE.split(text), 1):
        stripped = natural.lstrip(_WHITESPACE)
        if pending is None and (not stripped or stripped[0] in "#!"):
            continue
        line = stripped if pending is None else pending + stripped
        backslashes = len(stripped) - len(stripped.rstrip("\\"))
        if backslashes % 2:
            pending = line[:-1]
            continue
        pending = None
        yield number, line
    if pending:
        yield number, pending


def _split(line: str) -> tuple[str, str]:
    """Key and value, both still escaped: the key ends at the first unescaped ``=``, ``:`` or white space."""
    end = 0
    while end < len(line) and line[end] not in "=:" + _WHITESPACE:
        end += 2 if line[end] == "\\" else 1
    end = min(end, len(line))
    rest = line[end:].lstrip(_WHITESPACE)
    if rest[:1] in ("=", ":"):
        rest = rest[1:].lstrip(_WHITESPACE)
    return line[:end], rest


def _unescape(text: str) -> str:
    if "\\" not in text:
        return text
    out: list[str] = []
    i = 0
    while i < len(text):
        char = text[i]
        if char != "\\":
            out.append(char)
            i += 1
            continue
        escape = text[i + 1 : i + 2]
        if escape == "u":
            digits = text[i + 2 : i + 6]
            if not re.fullmatch(r"[0-9a-fA-F]{4}", digits):
                # The text that was met is not shown: it may be part of a secret.
                raise ConfigError("Malformed \\u escape: four hexadecimal digits expected")
            out.append(chr(int(digits, 16)))
            i += 6
        else:
            out.append(_ESCAPES.get(escape, escape))
            i += 2
    # Two escapes may spell one character beyond the basic plane.
    return "".join(out).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
