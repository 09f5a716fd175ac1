"""Avro schemas as objects. What ``org.apache.avro.Schema`` is in Java, as far as registry and converters need it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from penstock.api import InvalidSchemaError

__all__ = ["NAMED", "NO_DEFAULT", "PRIMITIVES", "AvroField", "AvroSchema", "check_name", "full_name", "split_name"]

PRIMITIVES: Final = frozenset({"null", "boolean", "int", "long", "float", "double", "bytes", "string"})
NAMED: Final = frozenset({"record", "error", "enum", "fixed"})
NO_DEFAULT: Final = object()
_NAME: Final = re.compile(r"[^\W\d]\w*")


def check_name(name: Any, what: str = "name") -> str:
    """A simple name, checked as Java's ``Schema.validateName`` does."""
    if not isinstance(name, str):
        raise InvalidSchemaError(f"No {what} in schema" if name is None else f"Invalid {what}: {name!r}")
    if not name:
        raise InvalidSchemaError(f"Empty {what}")
    if not _NAME.fullmatch(name):
        if not (name[0].isalpha() or name[0] == "_"):
            raise InvalidSchemaError(f"Illegal initial character: {name}")
        raise InvalidSchemaError(f"Illegal character in: {name}")
    return name


def split_name(name: str) -> tuple[str | None, str]:
    """Namespace (None if there is none) and simple name."""
    namespace, _, simple = name.rpartition(".")
    return namespace or None, simple


def full_name(namespace: str | None, name: str) -> str:
    return f"{namespace}.{name}" if namespace else name


class AvroField:
    """One field of a record. `default` is JSON data, or `NO_DEFAULT`."""

    __slots__ = ("aliases", "default", "doc", "name", "order", "props", "schema")

    def __init__(
        self,
        name: str,
        schema: AvroSchema,
        doc: str | None = None,
        default: Any = NO_DEFAULT,
        order: str = "ascending",
        aliases: tuple[str, ...] = (),
        props: Mapping[str, Any] | None = None,
    ) -> None:
        self.name = name
        self.schema = schema
        self.doc = doc
        self.default = default
        self.order = order
        self.aliases = aliases
        self.props: dict[str, Any] = dict(props or {})

    @property
    def has_default(self) -> bool:
        return self.default is not NO_DEFAULT


class AvroSchema:
    """One node of an Avro schema. Built once, then only read; recursive schemas refer to the same object again.

    `type` is the Avro word (``record``, ``int``, ``union``, ...). A type declared as ``error`` is a record with `is_error`:
    as in Java, only its text shows the difference. `props` are the attributes Avro itself does not
    know, in order; `logicalType` and its companions are among them, as in Java.
    """

    __slots__ = (
        "aliases",
        "default",
        "doc",
        "fields",
        "is_error",
        "items",
        "name",
        "namespace",
        "props",
        "size",
        "symbols",
        "type",
        "types",
        "values",
    )

    def __init__(
        self,
        type: str,  # noqa: A002 - Avro's word
        *,
        name: str | None = None,
        namespace: str | None = None,
        doc: str | None = None,
        aliases: tuple[str, ...] = (),
        props: Mapping[str, Any] | None = None,
        symbols: tuple[str, ...] = (),
        default: str | None = None,
        size: int = 0,
        items: AvroSchema | None = None,
        values: AvroSchema | None = None,
        types: tuple[AvroSchema, ...] = (),
        is_error: bool = False,
    ) -> None:
        self.type = type
        self.name = name
        self.namespace = namespace
        self.doc = doc
        self.aliases = aliases
        self.props: dict[str, Any] = dict(props or {})
        self.fields: tuple[AvroField, ...] = ()
        self.symbols = symbols
        self.default = default
        self.size = size
        self.items = items
        self.values = values
        self.types = types
        self.is_error = is_error

    @property
    def full_name(self) -> str:
        """The full name of a named type; otherwise the type's word, which is what unions go by."""
        return full_name(self.namespace, self.name) if self.name is not None else self.type

    def field(self, name: str) -> AvroField | None:
        return next((f for f in self.fields if f.name == name), None)

    def __repr__(self) -> str:
        return f"AvroSchema({self.full_name})"
