"""Avro schema text to `AvroSchema`, with the checks of Java's ``Schema.Parser``."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable, Mapping
from typing import Any, Final

from penstock.api import InvalidSchemaError
from penstock_registry.formats.avro.canonical import to_text
from penstock_registry.formats.avro.model import (
    NAMED,
    NO_DEFAULT,
    PRIMITIVES,
    AvroField,
    AvroSchema,
    check_name,
    full_name,
    split_name,
)
from penstock_registry.formats.depth import check_depth

__all__ = ["parse", "parse_with_names", "valid_default"]

_SCHEMA_WORDS: Final = frozenset(
    {"type", "name", "namespace", "doc", "aliases", "fields", "items", "values", "symbols", "size", "default"}
)
_FIELD_WORDS: Final = frozenset({"type", "name", "doc", "default", "order", "aliases"})
_ORDERS: Final = frozenset({"ascending", "descending", "ignore"})
_MAX_DEPTH: Final = 200


def parse(text: str, known: Mapping[str, AvroSchema] | None = None, *, check_defaults: bool = True) -> AvroSchema:
    """Parse schema text (a bare type name is fine). `known` are named types defined elsewhere, by full name.

    Raises `InvalidSchemaError` that says what is wrong and where.
    """
    return _Parser(dict(known or {}), check_defaults).parse(_load(text))


def parse_with_names(
    text: str, known: Mapping[str, AvroSchema] | None = None, *, check_defaults: bool = True
) -> tuple[AvroSchema, dict[str, AvroSchema]]:
    """`parse`, and every named type that is known afterwards."""
    parser = _Parser(dict(known or {}), check_defaults)
    return parser.parse(_load(text)), parser.names


def _load(text: str) -> Any:
    try:
        tree = _json(text)
    except InvalidSchemaError:
        if "/*" not in text and "//" not in text:
            raise
        tree = _json(_without_comments(text))
    check_depth(tree, "Invalid Avro schema")
    return tree


def _json(text: str) -> Any:
    try:
        return json.loads(text, parse_int=_whole_number, parse_constant=_no_constant)
    except InvalidSchemaError:
        raise
    except (ValueError, RecursionError) as error:
        raise InvalidSchemaError(f"Avro schema is not valid JSON: {error}") from None


#: A string, or a comment. Nothing is tried twice: a string or comment that never ends is taken to the text's end.
_STRING_OR_COMMENT: Final = re.compile(r'"(?:[^"\\]|\\.)*+"?|(//[^\r\n]*+|/\*(?:[^*]|\*(?!/))*+(?:\*/)?)', re.DOTALL)


def _without_comments(text: str) -> str:
    """Return `text` with a space for each comment: Java's parser allows ``//`` and ``/* */`` in schemas."""

    def kept(found: re.Match[str]) -> str:
        comment = found[1]
        ends = comment and (comment.startswith("//") or (comment.endswith("*/") and len(comment) > 3))
        return " " if ends else found[0]

    return _STRING_OR_COMMENT.sub(kept, text)


def _shown(node: Any) -> str:
    return json.dumps(node, separators=(",", ":"), ensure_ascii=False)


def _whole_number(text: str) -> int:
    try:
        return int(text)
    except ValueError:  # beyond the digits that Python takes, for its time grows with their square
        raise InvalidSchemaError(f"Avro schema has a number of {len(text)} digits: {text[:20]}...") from None


def _no_constant(name: str) -> Any:
    raise InvalidSchemaError(f"Avro schema is not valid JSON: {name} is not a JSON number")


class _Parser:
    def __init__(self, names: dict[str, AvroSchema], check_defaults: bool) -> None:
        self.names = names
        self._check_defaults = check_defaults
        self._depth = 0
        self._defaults: list[AvroField] = []

    def parse(self, node: Any) -> AvroSchema:
        schema = self._schema(node, None)
        # Defaults are checked last: a default may be of a type whose fields are still being read.
        for field in self._defaults:
            if not valid_default(field.schema, field.default):
                raise InvalidSchemaError(
                    f"Invalid default for field {field.name}: {_shown(field.default)} not a {to_text(field.schema)}"
                )
        return schema

    def _schema(self, node: Any, space: str | None) -> AvroSchema:
        self._depth += 1
        if self._depth > _MAX_DEPTH:
            raise InvalidSchemaError(f"Avro schema is nested deeper than {_MAX_DEPTH} levels")
        try:
            if isinstance(node, str):
                return self._reference(node, space)
            if isinstance(node, list):
                return self._union(node, space)
            if isinstance(node, dict):
                return self._object(node, space)
        finally:
            self._depth -= 1
        raise InvalidSchemaError(f"Schema not yet supported: {_shown(node)}")

    def _reference(self, name: str, space: str | None) -> AvroSchema:
        if name in PRIMITIVES:
            return AvroSchema(name)
        full = name if "." in name else full_name(space, name)
        found = self.names.get(full)
        if found is None and "." not in name:
            found = self.names.get(name)  # Avro falls back to the null namespace
        if found is None:
            raise InvalidSchemaError(f"Undefined schema: {full}")
        return found

    def _union(self, node: list[Any], space: str | None) -> AvroSchema:
        types = tuple(self._schema(member, space) for member in node)
        seen: set[str] = set()
        for member in types:
            if member.type == "union":
                raise InvalidSchemaError(f"Nested union: {_shown(node)}")
            if member.full_name in seen:
                raise InvalidSchemaError(f"Duplicate in union:{member.full_name}")
            seen.add(member.full_name)
        return AvroSchema("union", types=types)

    def _object(self, node: dict[str, Any], space: str | None) -> AvroSchema:
        kind = node.get("type")
        if kind is None:
            raise InvalidSchemaError(f"No type: {_shown(node)}")
        if not isinstance(kind, str):
            # {"type": {...}}: Java reads the inner schema and drops the shell.
            return self._schema(kind, space)
        if kind in NAMED:
            return self._named(kind, node, space)
        if kind in PRIMITIVES:
            return AvroSchema(
                kind, props=_props(node, _SCHEMA_WORDS - {"items", "values", "fields", "symbols", "size"})
            )
        if kind == "array":
            if "items" not in node:
                raise InvalidSchemaError(f"Array has no items type: {_shown(node)}")
            return AvroSchema("array", items=self._schema(node["items"], space), props=_props(node, _SCHEMA_WORDS))
        if kind == "map":
            if "values" not in node:
                raise InvalidSchemaError(f"Map has no values type: {_shown(node)}")
            return AvroSchema("map", values=self._schema(node["values"], space), props=_props(node, _SCHEMA_WORDS))
        return self._reference(kind, space)

    def _named(self, kind: str, node: dict[str, Any], space: str | None) -> AvroSchema:
        given = node.get("name")
        if given is None:
            raise InvalidSchemaError(f"No name in schema: {_shown(node)}")
        if not isinstance(given, str):
            raise InvalidSchemaError(f"No name in schema: {_shown(node)}")
        if "." in given:
            namespace, name = split_name(given)
        else:
            declared = node.get("namespace")
            namespace, name = (declared if isinstance(declared, str) else space) or None, given
        check_name(name)
        full = full_name(namespace, name)
        if full in self.names or (namespace is None and name in PRIMITIVES):
            raise InvalidSchemaError(f"Can't redefine: {full}")
        schema = AvroSchema(
            "record" if kind == "error" else kind,
            name=name,
            namespace=namespace,
            doc=_text(node, "doc"),
            aliases=tuple(a if "." in a else full_name(namespace, a) for a in _strings(node, "aliases")),
            # a record's or a fixed's "default" means nothing to Avro and stays as it is
            props=_props(node, _SCHEMA_WORDS if kind == "enum" else _SCHEMA_WORDS - {"default"}),
            is_error=kind == "error",
        )
        self.names[full] = schema
        if kind == "enum":
            self._enum(schema, node)
        elif kind == "fixed":
            size = node.get("size")
            if not isinstance(size, int) or isinstance(size, bool) or size < 0:
                raise InvalidSchemaError(f"Invalid or no size: {_shown(node)}")
            schema.size = size
        else:
            self._fields(schema, node)
        return schema

    def _enum(self, schema: AvroSchema, node: dict[str, Any]) -> None:
        symbols = node.get("symbols")
        if not isinstance(symbols, list):
            raise InvalidSchemaError(f"Enum has no symbols: {_shown(node)}")
        for symbol in symbols:
            check_name(symbol, "symbol")
        if len(set(symbols)) != len(symbols):
            twice = next(s for s in symbols if symbols.count(s) > 1)
            raise InvalidSchemaError(f"Duplicate enum symbol: {twice}")
        schema.symbols = tuple(symbols)
        default = node.get("default")
        if default is not None:
            if default not in symbols:
                raise InvalidSchemaError(
                    f"The Enum Default: {default} is not in the enum symbol set: [{', '.join(symbols)}]"
                )
            schema.default = default

    def _fields(self, schema: AvroSchema, node: dict[str, Any]) -> None:
        members = node.get("fields")
        if not isinstance(members, list):
            raise InvalidSchemaError(f"Record has no fields: {_shown(node)}")
        fields: list[AvroField] = []
        names: dict[str, AvroField] = {}
        for member in members:
            if not isinstance(member, dict):
                raise InvalidSchemaError(f"Record {schema.full_name}: a field must be an object, met {_shown(member)}")
            field = self._field(member, schema)
            first = names.setdefault(field.name, field)
            if first is not field:
                place = f"{field.name} type:{{}} pos:{{}}"
                raise InvalidSchemaError(
                    f"Duplicate field {field.name} in record {schema.full_name}:"
                    f" {place.format(field.schema.type.upper(), len(fields))}"
                    f" and {place.format(first.schema.type.upper(), fields.index(first))}."
                )
            fields.append(field)
        schema.fields = tuple(fields)

    def _field(self, node: dict[str, Any], owner: AvroSchema) -> AvroField:
        name = check_name(node.get("name"), "field name")
        if "type" not in node:
            raise InvalidSchemaError(f"No field type: {_shown(node)}")
        order = node.get("order", "ascending")
        if not isinstance(order, str) or order.lower() not in _ORDERS:
            raise InvalidSchemaError(f"Invalid order for field {name} of {owner.full_name}: {order!r}")
        field = AvroField(
            name,
            self._schema(node["type"], owner.namespace),
            doc=_text(node, "doc"),
            default=node.get("default", NO_DEFAULT),
            order=order.lower(),
            aliases=tuple(_strings(node, "aliases")),
            props=_props(node, _FIELD_WORDS),
        )
        if field.has_default and field.schema.type in ("float", "double") and isinstance(field.default, int | str):
            field.default = _number(field.default)
        if field.has_default and self._check_defaults:
            self._defaults.append(field)
        return field


def _number(value: Any) -> Any:
    # Java turns a default of 1 for a double into 1.0, and the words NaN and Infinity into numbers.
    try:
        return float(value) if isinstance(value, int) and not isinstance(value, bool) else value
    except OverflowError:  # read as Java does, and refused where defaults are checked: it has no text
        return float("inf") if value > 0 else float("-inf")


def _text(node: dict[str, Any], key: str) -> str | None:
    value = node.get(key)
    return value if isinstance(value, str) else None


def _strings(node: dict[str, Any], key: str) -> list[str]:
    value = node.get(key)
    if value is None:
        return []
    if not isinstance(value, list):
        raise InvalidSchemaError(f"{key} not an array: {_shown(node)}")
    for item in value:
        if not isinstance(item, str):
            raise InvalidSchemaError(f"{key.rstrip('es')} not a string: {_shown(item)}")
    return value


def _props(node: dict[str, Any], words: frozenset[str]) -> dict[str, Any]:
    return {k: v for k, v in node.items() if k not in words}


def valid_default(schema: AvroSchema, value: Any, within: frozenset[int] = frozenset()) -> bool:
    """Java's ``Schema.isValidDefault``: a union's default is of its first branch.

    `within` are the fields (by identity) whose own defaults are being filled in: one that needs itself has no end.
    """
    kind = schema.type
    if kind == "union":
        return bool(schema.types) and valid_default(schema.types[0], value, within)
    check = _DEFAULT_CHECKS.get(kind)
    if check is not None:
        return check(value)
    if kind == "enum":
        return isinstance(value, str)
    if kind == "fixed":
        return isinstance(value, str)
    if kind == "array":
        assert schema.items is not None
        return isinstance(value, list) and all(valid_default(schema.items, item, within) for item in value)
    if kind == "map":
        assert schema.values is not None
        return isinstance(value, dict) and all(valid_default(schema.values, item, within) for item in value.values())
    return isinstance(value, dict) and all(_valid_member(field, value, within) for field in schema.fields)


def _valid_member(field: AvroField, value: dict[str, Any], within: frozenset[int]) -> bool:
    if field.name in value:
        return valid_default(field.schema, value[field.name], within)
    return id(field) not in within and valid_default(field.schema, field.default, within | {id(field)})


def _integer(low: int, high: int, value: Any) -> bool:
    if isinstance(value, float) and value.is_integer():
        value = int(value)
    return isinstance(value, int) and not isinstance(value, bool) and low <= value <= high


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool) and math.isfinite(value)


_DEFAULT_CHECKS: Final[dict[str, Callable[[Any], bool]]] = {
    "null": lambda v: v is None,
    "boolean": lambda v: isinstance(v, bool),
    "int": lambda v: _integer(-(2**31), 2**31 - 1, v),
    "long": lambda v: _integer(-(2**63), 2**63 - 1, v),
    "float": _is_number,
    "double": _is_number,
    "bytes": lambda v: isinstance(v, str),
    "string": lambda v: isinstance(v, str),
}
