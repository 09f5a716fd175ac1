"""CSV text: the end of a record, and the meaning of a field under a schema."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any, Final

from penstock.data import Schema, Type
from penstock.data.logical import LOGICAL_NAMES
from penstock.errors import ConfigError
from penstock_connectors.files.fitting import Misfit, fit_for
from penstock_connectors.reading import Split

__all__ = ["csv_splitter", "text_fit"]


def csv_splitter(separator: bytes, quote: bytes) -> Split:
    """Cuts bytes at the line ends that stand outside quotes.

    A quote opens a quoted field only at the field's start, as the csv module reads it: an inch sign within a field
    is a character like any other.
    """

    def end_of(data: bytes, start: int) -> int:
        """The newline that ends the record at `start`, or -1."""
        newline = data.find(b"\n", start)
        if newline < 0 or data.find(quote, start, newline) < 0:
            return newline
        at = start
        while True:
            if data.startswith(quote, at):
                at = _closing(data, quote, at + 1)
                if at < 0:
                    return -1
                at += 1
            newline = data.find(b"\n", at)
            if newline < 0:
                return -1
            comma = data.find(separator, at, newline)
            if comma < 0:
                return newline
            at = comma + 1

    def split(data: bytes) -> tuple[list[bytes], bytes]:
        records = []
        start = 0
        while (end := end_of(data, start)) >= 0:
            records.append(data[start : end + 1])
            start = end + 1
        return records, data[start:]

    return split


def _closing(data: bytes, quote: bytes, at: int) -> int:
    """The quote that closes the field whose text starts at `at`, or -1; doubled quotes are text."""
    while True:
        at = data.find(quote, at)
        if at < 0 or not data.startswith(quote, at + 1):
            return at
        at += 2


_INT: Final = re.compile(r"[+-]?\d{1,30}", re.ASCII)
_FLOAT: Final = re.compile(r"[+-]?(?:\d++(?:\.\d*+)?|\.\d++)(?:[eE][+-]?\d++)?", re.ASCII)


def text_fit(schema: Schema, column: str) -> Callable[[str], Any]:
    """A function from a field's text to the value of `schema`; it raises `Misfit`. Nulls are the caller's."""
    if schema.type in (Type.STRUCT, Type.ARRAY, Type.MAP):
        raise ConfigError(f"The schema of column {column!r} is {schema!r}; a CSV field holds plain values only")
    fit = fit_for(schema.replace(optional=False))
    if schema.name in LOGICAL_NAMES or schema.type in (Type.STRING, Type.BYTES):
        return fit
    read = _READ[schema.type]
    return lambda text: fit(read(text))


def _read_int(text: str) -> int:
    if not _INT.fullmatch(text):
        raise Misfit(f"expected a whole number, met {text[:60]!r}")
    return int(text)


def _read_float(text: str) -> float:
    if not _FLOAT.fullmatch(text):
        raise Misfit(f"expected a number, met {text[:60]!r}")
    return float(text)


def _read_boolean(text: str) -> bool:
    match text.lower():
        case "true":
            return True
        case "false":
            return False
    raise Misfit(f"expected true or false, met {text[:60]!r}")


_READ: Final[dict[Type, Callable[[str], Any]]] = {
    Type.INT8: _read_int,
    Type.INT16: _read_int,
    Type.INT32: _read_int,
    Type.INT64: _read_int,
    Type.FLOAT32: _read_float,
    Type.FLOAT64: _read_float,
    Type.BOOLEAN: _read_boolean,
}
