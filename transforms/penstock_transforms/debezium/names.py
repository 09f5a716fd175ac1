"""Names of schemas and fields that Avro takes (``schema.name.adjustment.mode``, ``field.name.adjustment.mode``)."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from penstock_transforms.debezium.settings import word

__all__ = ["ADJUSTMENTS", "Adjust", "field_adjuster", "schema_adjuster"]

Adjust = Callable[[str], str]

#: The words that both settings take.
ADJUSTMENTS: Final = ("none", "avro", "avro_unicode")

#: (what may not begin a name, what may not stand further on), for schemas and fields, plain and with Unicode escapes.
_PATTERNS: Final = {
    ("avro", True): (re.compile(r"[^A-Za-z_]"), re.compile(r"[^A-Za-z0-9_.]")),
    ("avro", False): (re.compile(r"[^A-Za-z_]"), re.compile(r"[^A-Za-z0-9_]")),
    ("avro_unicode", True): (re.compile(r"[^A-Za-z]"), re.compile(r"[^A-Za-z0-9.]")),
    ("avro_unicode", False): (re.compile(r"[^A-Za-z]"), re.compile(r"[^A-Za-z0-9]")),
}


def schema_adjuster(mode: str) -> Adjust:
    """Return the function that makes a schema's full name one that Avro takes, as `mode` says."""
    return _adjuster(word(mode), True)


def field_adjuster(mode: str) -> Adjust:
    """Return the function that makes a field's name one that Avro takes, as `mode` says."""
    return _adjuster(word(mode), False)


def _adjuster(mode: str, dots: bool) -> Adjust:
    if mode == "none":
        return lambda name: name
    not_first, not_further = _PATTERNS[mode, dots]
    replace = _underscore if mode == "avro" else _escape

    def adjust(name: str) -> str:
        first, rest = name[:1], name[1:]
        if not_first.match(first):
            # Plain, a digit stays behind its underscore: names that differ in it only go on differing.
            kept = first if mode == "avro" and first.isdecimal() else ""
            first = not_first.sub(replace, first) + kept
        return first + not_further.sub(replace, rest)

    return adjust


def _underscore(found: re.Match[str]) -> str:
    return "_" if ord(found.group()) < 0x10000 else "__"  # one for each half of a pair


def _escape(found: re.Match[str]) -> str:
    """Java's ``Integer.toHexString`` of each UTF-16 unit; only up to two digits are filled up, with two zeros."""
    units = found.group().encode("utf-16-be", "surrogatepass")
    numbers = [f"{high << 8 | low:x}" for high, low in zip(units[::2], units[1::2], strict=True)]
    return "".join("_u" + ("00" + digits if len(digits) <= 2 else digits) for digits in numbers)
