"""Functions from records to rows, generated for one pair of schemas: `RowMaker`.

A row is a tuple of values in the order of a statement's parameters.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final

from penstock.data import DATE_NAME, DECIMAL_NAME, Float32, Schema, SinkRecord, Type
from penstock.data.codegen import Source
from penstock_connectors.jdbc.sink.config import PrimaryKeyMode, SinkConfig
from penstock_connectors.jdbc.sink.fields import FieldsMetadata
from penstock_connectors.jdbc.sink.rows.values import Conversion, Values
from penstock_connectors.jdbc.tables import Column

__all__ = ["FieldPlan", "Rows", "compile_copy", "compile_rows", "field_plans"]

Rows = Callable[[Sequence[SinkRecord]], list[tuple[Any, ...]]]


class FieldPlan:
    """One column of a statement: where its value is in a record, and what it needs."""

    __slots__ = ("conversion", "default", "name", "schema", "source")

    def __init__(self, name: str, schema: Schema, source: str, default: Any, conversion: Conversion | None) -> None:
        self.name, self.schema = name, schema
        #: An expression of ``r``, the record, ``k`` and ``v``, its key and value; ``{}`` stands for the field's name.
        self.source = source
        #: The value in the place of null, None for null itself.
        self.default = default
        self.conversion = conversion


def field_plans(
    names: Iterable[str],
    fields: FieldsMetadata,
    config: SinkConfig,
    key_schema: Schema | None,
    columns: Mapping[str, Column],
    values: Values,
    text_value: bool,
) -> list[FieldPlan]:
    """Return the plans of the columns `names`, which are some of `fields`; `text_value`: the records' value is a text."""
    schemas = {field.name: field.schema for field in fields.all}
    kafka = dict(zip(fields.keys, ("r.topic", "r.partition", "r.offset"), strict=False))
    plans = []
    for name in names:
        schema, default, source = schemas[name], None, "v.get({})"
        if name in fields.keys:
            match config.pk_mode:
                case PrimaryKeyMode.KAFKA:
                    source = kafka[name]
                case PrimaryKeyMode.RECORD_KEY:
                    source = "k.get({})" if key_schema is not None and key_schema.type is Type.STRUCT else "k"
            default = schema.default if source != "k" else None
        elif text_value:
            source = "v"
        elif config.fill_defaults:
            default = schema.default
        plans.append(FieldPlan(name, schema, source, default, values.conversion(schema, name, columns.get(name))))
    return plans


def compile_rows(title: str, plans: Sequence[FieldPlan]) -> Rows:
    """Return the function from records, all of the schemas that `plans` are for, to rows."""
    source = Source(f"rows of {title}")
    with source.function("rows", "records"):
        source.line("out = []")
        source.line("add = out.append")
        with source.block("for r in records:"):
            names = _load(source, plans)
            for plan, name in zip(plans, names, strict=True):
                if plan.conversion is not None:
                    with source.block(f"if {name} is not None:"):
                        source.line(f"{name} = {source.constant(plan.conversion)}({name})")
            source.line(f"add(({''.join(name + ', ' for name in names)}))")
        source.line("return out")
    made: Rows = source.build("rows")
    return made


def _load(source: Source, plans: Sequence[FieldPlan]) -> list[str]:
    """Add the lines that put each field's value, or its default, into a name of its own."""
    if any(plan.source.startswith("k") for plan in plans):
        source.line("k = r.key")
    if any(plan.source.startswith("v") for plan in plans):
        source.line("v = r.value")
    names = []
    for plan in plans:
        name = source.name("a")
        names.append(name)
        source.line(f"{name} = {plan.source.format(repr(plan.name))}")
        if plan.default is not None:
            with source.block(f"if {name} is None:"):
                source.line(f"{name} = {source.constant(plan.default)}")
    return names


# ---- COPY

_ESCAPES: Final = str.maketrans(
    {"\\": "\\\\", "\t": "\\t", "\n": "\\n", "\r": "\\r", "\b": "\\b", "\f": "\\f", "\v": "\\v"}
)


def _escaped(text: str) -> str:
    return text.translate(_ESCAPES)


def compile_copy(
    title: str, plans: Sequence[FieldPlan], printable: frozenset[str]
) -> Callable[[Sequence[SinkRecord]], str]:
    """Return the function from records to the text that PostgreSQL's COPY takes, a line a record.

    `printable` are the logical types of which a modern value is right as it prints.
    """
    source = Source(f"copy of {title}", {"NULL": "\\N", "escaped": _escaped, "date": dt.date, "datetime": dt.datetime})
    with source.function("lines", "records"):
        source.line("out = []")
        source.line("add = out.append")
        with source.block("for r in records:"):
            names = _load(source, plans)
            for plan, name in zip(plans, names, strict=True):
                _copy_text(source, plan, name, printable)
            source.line("add(f'" + "\\t".join("{" + name + "}" for name in names) + "\\n')")
        source.line("return ''.join(out)")
    made: Callable[[Sequence[SinkRecord]], str] = source.build("lines")
    return made


def _copy_text(source: Source, plan: FieldPlan, name: str, printable: frozenset[str]) -> None:
    with source.block(f"if {name} is None:"):
        source.line(f"{name} = NULL")
    if plan.conversion is not None and plan.conversion is not Float32:
        other = "else:"
        if plan.schema.name in printable:
            kind_name = "date" if plan.schema.name == DATE_NAME else "datetime"
            other = f"elif type({name}) is not {kind_name} or {name}.year < 1583:"
        with source.block(other):
            source.line(f"{name} = {source.constant(plan.conversion)}({name})")
            if plan.schema.type is Type.ARRAY:
                source.line(f"{name} = escaped({name})")
        return
    kind = plan.schema.type
    if kind is Type.STRING:
        with source.block(f"elif '\\\\' in {name} or not {name}.isprintable():"):
            source.line(f"{name} = escaped({name})")
    elif kind is Type.BOOLEAN:
        with source.block("else:"):
            source.line(f"{name} = 't' if {name} else 'f'")
    elif kind is Type.BYTES and plan.schema.name != DECIMAL_NAME:
        with source.block("else:"):
            source.line(f"{name} = '\\\\\\\\x' + bytes({name}).hex()")
