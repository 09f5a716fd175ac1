"""Change events and the structs in them, as Debezium's transforms look at them.

A change event is a struct whose schema's name ends in ``.Envelope``. What is read from a struct is read as
``org.apache.kafka.connect.data.Struct`` reads it, with its words where a field is missing or of another type.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final, NoReturn

from penstock.data import Field, Schema, SchemaBuilder, Type
from penstock.errors import ConnectError, DataError
from penstock_transforms.blame import with_notes_of
from penstock_transforms.levels import copy_basics
from penstock_transforms.requirements import not_a_struct

__all__ = [
    "AFTER",
    "BEFORE",
    "OP",
    "SOURCE",
    "Get",
    "field_missing",
    "field_of",
    "getter",
    "is_envelope",
    "plain_struct",
    "rebuilt",
    "refusing",
    "typed_field_of",
]

BEFORE: Final = "before"
AFTER: Final = "after"
SOURCE: Final = "source"
OP: Final = "op"

#: Reads something from a struct's or map's dict.
Get = Callable[[dict[str, Any]], Any]


def is_envelope(schema: Schema | None) -> bool:
    """Return whether values of `schema` are change events."""
    return schema is not None and (schema.name or "").endswith(".Envelope")


def field_missing(name: str) -> Callable[..., NoReturn]:
    """Return a function that raises the error for a field that a struct's schema has not, for each record anew."""
    return refusing(DataError(f"{name} is not a valid field name"))


def field_of(schema: Schema, name: str) -> Field:
    """Return the field, or raise a `DataError` in ``Struct.get``'s words."""
    field = schema.field(name)
    if field is None:
        raise DataError(f"{name} is not a valid field name")
    return field


def typed_field_of(schema: Schema, name: str, kind: Type) -> Field:
    """Return the field, or raise a `DataError` in the words of ``Struct.getString`` and the like."""
    field = field_of(schema, name)
    if field.schema.type is not kind:
        raise DataError(f"Field '{name}' is not of type {kind.name}")
    return field


def getter(field: Field) -> Get:
    """Return a function that reads the field, and its default where it is null (``Struct.get``)."""
    name, default = field.name, field.schema.default

    def get(value: dict[str, Any]) -> Any:
        found = value.get(name)
        return default if found is None else found

    return get


def plain_struct(value: Any, purpose: str, schema: Schema | None) -> dict[str, Any]:
    """Return a struct's value as a dict that carries no schema of its own; it is `value` itself where that is one.

    Raise a `DataError` that names `purpose` for anything but a struct, null too.
    """
    if type(value) is dict:
        return value
    if isinstance(value, dict):
        return dict(value)
    raise not_a_struct(purpose, value, schema)


def rebuilt(schema: Schema) -> SchemaBuilder:
    """Return a builder with the name, version, doc, parameters and fields of a struct; not optional, without a default."""
    builder = copy_basics(schema)
    for field in schema.fields:
        builder.field(field.name, field.schema)
    return builder


def refusing(error: ConnectError) -> Callable[..., NoReturn]:
    """Return a function that raises the like of `error` for each record, whatever it is called with."""
    kind, message = type(error), error.message

    def refuse(*_: Any) -> NoReturn:
        raise with_notes_of(kind(message), error)

    return refuse
