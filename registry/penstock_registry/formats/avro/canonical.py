"""Avro schemas as text, in the form of Java's ``Schema.toString()``: the form the registry stores and compares."""

from __future__ import annotations

import json
import math
from typing import Any

from penstock.api import InvalidSchemaError
from penstock.data import Float32
from penstock.java.json_text import quote
from penstock.java.number_text import double_text, float_text
from penstock_registry.formats.avro.model import PRIMITIVES, AvroField, AvroSchema

__all__ = ["java_json", "same", "to_json", "to_text"]


def to_text(schema: AvroSchema, known: frozenset[str] = frozenset()) -> str:
    """`known` are full names defined elsewhere (references): they are written as names."""
    return java_json(to_json(schema, known))


def to_json(schema: AvroSchema, known: frozenset[str] = frozenset()) -> Any:
    return _Writer(known).schema(schema, None)


class _Writer:
    def __init__(self, known: frozenset[str]) -> None:
        self._known_names = known
        self._seen: dict[str, AvroSchema] = {}

    def schema(self, schema: AvroSchema, space: str | None) -> Any:
        if schema.type == "union":
            return [self.schema(t, space) for t in schema.types]
        if schema.type in PRIMITIVES:
            return {"type": schema.type, **schema.props} if schema.props else schema.type
        if schema.type == "array":
            assert schema.items is not None
            return {"type": "array", "items": self.schema(schema.items, space), **schema.props}
        if schema.type == "map":
            assert schema.values is not None
            return {"type": "map", "values": self.schema(schema.values, space), **schema.props}
        return self._named(schema, space)

    def _named(self, schema: AvroSchema, space: str | None) -> Any:
        assert schema.name is not None
        full = schema.full_name
        seen = self._seen.get(full)
        if full in self._known_names or (seen is not None and (seen is schema or same(seen, schema))):
            return _qualified(schema, space)
        if seen is not None:
            raise InvalidSchemaError(f"Can't redefine: {full}")
        self._seen[full] = schema
        node: dict[str, Any] = {"type": "error" if schema.is_error else schema.type, "name": schema.name}
        if schema.namespace is not None:
            if schema.namespace != space:
                node["namespace"] = schema.namespace
        elif space is not None:
            node["namespace"] = ""
        if schema.doc is not None:
            node["doc"] = schema.doc
        if schema.type == "enum":
            node["symbols"] = list(schema.symbols)
            if schema.default is not None:
                node["default"] = schema.default
        elif schema.type == "fixed":
            node["size"] = schema.size
        else:
            node["fields"] = [self._field(f, schema.namespace) for f in schema.fields]
        node.update(schema.props)
        if schema.aliases:
            node["aliases"] = [_relative(alias, schema.namespace) for alias in schema.aliases]
        return node

    def _field(self, field: AvroField, space: str | None) -> dict[str, Any]:
        node: dict[str, Any] = {"name": field.name, "type": self.schema(field.schema, space)}
        if field.doc is not None:
            node["doc"] = field.doc
        if field.has_default:
            node["default"] = field.default
        if field.order != "ascending":
            node["order"] = field.order
        if field.aliases:
            node["aliases"] = list(field.aliases)
        node.update(field.props)
        return node


def _qualified(schema: AvroSchema, space: str | None) -> str:
    # A type named like a primitive is written in full, or it would be read back as the primitive.
    assert schema.name is not None
    if schema.namespace is None or (schema.namespace == space and schema.name not in PRIMITIVES):
        return schema.name
    return schema.full_name


def _relative(name: str, space: str | None) -> str:
    namespace, _, simple = name.rpartition(".")
    if (namespace or None) == space:
        return simple
    # Without its dot a name of no namespace would be read back as one of `space`.
    return f"{namespace}.{simple}"


def same(a: AvroSchema, b: AvroSchema, _open: frozenset[tuple[int, int]] = frozenset()) -> bool:
    """Java's ``Schema.equals``: names, structure, defaults, order and extra properties; not doc, not aliases."""
    if a is b:
        return True
    pair = (id(a), id(b))
    if pair in _open:
        return True
    if a.type != b.type or a.full_name != b.full_name or a.props != b.props:
        return False
    inner = _open | {pair}
    if a.type == "record":
        return len(a.fields) == len(b.fields) and all(
            x.name == y.name
            and x.order == y.order
            and x.props == y.props
            and x.has_default == y.has_default
            and (not x.has_default or x.default == y.default)
            and same(x.schema, y.schema, inner)
            for x, y in zip(a.fields, b.fields, strict=True)
        )
    if a.type == "union":
        return len(a.types) == len(b.types) and all(map(lambda x, y: same(x, y, inner), a.types, b.types))
    if a.type == "array":
        assert a.items is not None
        assert b.items is not None
        return same(a.items, b.items, inner)
    if a.type == "map":
        assert a.values is not None
        assert b.values is not None
        return same(a.values, b.values, inner)
    return a.symbols == b.symbols and a.size == b.size and a.default == b.default


def java_json(node: Any) -> str:
    """JSON as Jackson prints it: no spaces, nothing beyond ASCII escaped, numbers in Java's form."""
    if isinstance(node, dict):
        return "{" + ",".join(f"{quote(k)}:{java_json(v)}" for k, v in node.items()) + "}"
    if isinstance(node, list | tuple):
        return "[" + ",".join(map(java_json, node)) + "]"
    if isinstance(node, str):
        return quote(node)
    if isinstance(node, float):
        return _java_number(node)
    return json.dumps(node)


def _java_number(number: float) -> str:
    shown = float_text(number) if isinstance(number, Float32) else double_text(number)
    return shown if math.isfinite(number) else f'"{shown}"'
