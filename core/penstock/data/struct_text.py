"""Java's text of structs by a function that is generated once per schema; `javatext` is the general way."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable
from typing import Any, Final

from penstock.data.codegen import Source
from penstock.data.javatext import date_text
from penstock.data.logical import DATE_NAME, TIME_NAME, TIMESTAMP_NAME
from penstock.data.schema import Schema, Type
from penstock.java.number_text import float_text

__all__ = ["Printer", "struct_printer"]

Printer = Callable[[Any], str]

_INTEGER: Final = "repr(m) if type(m) is int else"
_USUAL: Final = {
    Type.INT8: _INTEGER,
    Type.INT16: _INTEGER,
    Type.INT32: _INTEGER,
    Type.INT64: _INTEGER,
    Type.FLOAT32: "float_text(m) if type(m) is float else",
    Type.FLOAT64: "repr(m) if type(m) is float and (1e-3 <= m < 1e7 or -1e7 < m <= -1e-3) else",
    Type.BOOLEAN: "'true' if m is True else 'false' if m is False else",
    Type.STRING: "m if type(m) is str else",
}
_DATES: Final = {DATE_NAME: "date", TIME_NAME: "time", TIMESTAMP_NAME: "datetime"}


def struct_printer(schema: Schema, bind: Callable[[Schema], Printer]) -> Printer:
    """Return a function from a struct's value, a dict, to ``Struct{name=text,…}``, which leaves fields out that are null.

    `bind` makes the function that prints values of a field's schema. It is called for the first value that is not of the
    field's usual Python type, so that a schema may contain itself.
    """
    names = {
        "date_text": date_text,
        "float_text": float_text,
        "date": dt.date,
        "time": dt.time,
        "datetime": dt.datetime,
    }
    source = Source(f"text of {schema!r}", names)
    with source.function("text", "value"):
        source.line("get = value.get")
        source.line("out = ''")
        for field in schema.fields:
            other = source.constant(_bound_late(field.schema, bind))
            source.line(f"if (m := get({field.name!r})) is not None:")
            source.line(f"    out += {f',{field.name}='!r} + ({_usual(field.schema)} {other}(m))")
        source.line("return f'Struct{{{out[1:]}}}'")
    text: Printer = source.build("text")
    return text


def _usual(schema: Schema) -> str:
    """Return the start of a conditional expression: the text of a value `m` of the usual type."""
    if schema.name in _DATES:
        return f"date_text(m) if type(m) is {_DATES[schema.name]} else"
    return _USUAL.get(schema.type, "")


def _bound_late(schema: Schema, bind: Callable[[Schema], Printer]) -> Printer:
    bound: Printer | None = None

    def text(value: Any) -> str:
        nonlocal bound
        if bound is None:  # two threads that come here at once both bind it, to the same end
            bound = bind(schema)
        return bound(value)

    return text
