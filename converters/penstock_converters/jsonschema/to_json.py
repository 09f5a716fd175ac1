"""Connect schemas to JSON Schemas (``JsonSchemaData.fromConnectSchema``), members in the order the JVM gives them.

The JVM keeps properties, parameters and the ``connect.*`` members in hash maps and prints them in their order. That
order is part of a registered text, so it is kept here.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from penstock.data import DECIMAL_NAME, Schema, Type
from penstock.data.logical import TIMESTAMP_NAME
from penstock.errors import DataError
from penstock.java.hash_order import in_java_order
from penstock_converters.json.text import dumps, exact_loads
from penstock_converters.jsonschema import names
from penstock_converters.jsonschema.names import JsonSchemaOptions
from penstock_converters.precision import SEMANTIC_NAMES
from penstock_converters.sumtypes import GENERAL_ENUM, GENERAL_UNION
from penstock_registry.formats.jsonschema.text import write

__all__ = ["schema_text"]

_NUMBERS: Final = {
    Type.INT8: "integer", Type.INT16: "integer", Type.INT32: "integer", Type.INT64: "integer",
    Type.FLOAT32: "number", Type.FLOAT64: "number",
}  # fmt: skip
_NULL: Final = {"type": "null"}

Tree = dict[str, Any]


def schema_text(schema: Schema, options: JsonSchemaOptions, write_default: Callable[[Schema, Any], Any]) -> str:
    """The JSON Schema of `schema`; `write_default` makes a tree of a default value. Raises `DataError`."""
    try:
        tree = _Mapping(options, write_default).schema(schema)
    except RecursionError:
        raise DataError("The schema is nested too deeply") from None
    return write(tree)


class _Mapping:
    def __init__(self, options: JsonSchemaOptions, write_default: Callable[[Schema, Any], Any]) -> None:
        self._options = options
        self._write_default = write_default
        #: The structs around the one being written, and those that hold themselves and were written before. By the
        #: identity of their fields, which a struct's optional form shares.
        self._open: dict[int, Tree] = {}
        self._recursive: dict[int, Tree] = {}

    def schema(self, schema: Schema, index: int | None = None, keep_optional: bool = True) -> Tree:
        if names.is_union(schema):
            return self._union(schema, index)
        if not (schema.optional and keep_optional):
            return self._plain(schema, index)
        return {**_connect(index=index), "oneOf": [_NULL, self._plain(schema, None)]}

    def _union(self, schema: Schema, index: int | None) -> Tree:
        branches: list[Any] = [_NULL] if schema.optional else []
        branches += [self.schema(f.schema, f.index, keep_optional=False) for f in schema.fields]
        return {**_connect(index=index), "oneOf": branches}

    def _plain(self, schema: Schema, index: int | None) -> Tree:
        """A schema without regard to being optional."""
        if schema.type is Type.STRUCT:
            return self._struct(schema, index)
        kind, connect_type, rest = self._kind(schema)
        if schema.type is Type.BOOLEAN:
            return {**self._common(schema, connect_type, index), **kind, **rest}
        return {**kind, **self._common(schema, connect_type, index), **rest}

    def _common(self, schema: Schema, connect_type: str | None, index: int | None) -> Tree:
        """Return what all kinds have: title, description, default, and what only Connect knows."""
        tree: Tree = {}
        name, version = schema.name, schema.version
        if name == TIMESTAMP_NAME and self._options.precision.is_finer:
            name, version = SEMANTIC_NAMES[self._options.precision], 1
        if name is not None:
            tree["title"] = name
        if schema.doc is not None:
            tree["description"] = schema.doc
        if schema.default is not None:
            # written and read once, so that numbers stand in the notation of JSON schemas
            tree["default"] = exact_loads(dumps(self._write_default(schema, schema.default)))
        marks = (names.NAMESPACE, GENERAL_ENUM, GENERAL_UNION)
        parameters = {k: v for k, v in schema.parameters.items() if not k.startswith(marks)}
        return {**tree, **_connect(connect_type, version, dict(in_java_order(parameters)), index)}

    def _kind(self, schema: Schema) -> tuple[Tree, str | None, Tree]:
        """The members before the common ones, ``connect.type``, the members after."""
        match schema.type:
            case Type.BOOLEAN:
                return {"type": "boolean"}, None, {}
            case Type.STRING:
                return _enumeration(schema) or {"type": "string"}, None, {}
            case Type.BYTES:
                return {"type": "number" if schema.name == DECIMAL_NAME else "string"}, "bytes", {}
            case Type.ARRAY:
                return {"type": "array"}, None, {"items": self._part(schema.value_schema)}
            case Type.MAP:
                return self._map(schema)
        return {"type": _NUMBERS[schema.type]}, schema.type.value, {}

    def _map(self, schema: Schema) -> tuple[Tree, str, Tree]:
        if names.is_object(schema):
            return {"type": "object"}, "map", {"additionalProperties": self._part(schema.value_schema)}
        members = {
            names.KEY: self._part(schema.key_schema, 0),
            names.VALUE: self._part(schema.value_schema, 1),
        }
        return {"type": "array"}, "map", {"items": {"type": "object", "properties": dict(in_java_order(members))}}

    def _part(self, schema: Schema | None, index: int | None = None) -> Tree:
        if schema is None:
            raise DataError("The type of an array's or a map's elements is not known, so no JSON schema can say it")
        return self.schema(schema, index)

    def _struct(self, schema: Schema, index: int | None) -> Tree:
        key = id(schema.fields)
        known = self._open.get(key) or self._recursive.get(key)
        if known is not None:
            self._recursive[key] = known
            known.setdefault("$id", f"#id{len(self._recursive)}")
            return {"$ref": known["$id"], **_connect(index=index)}
        tree: Tree = {"type": "object"}
        if not self._options.additional_properties:
            tree["additionalProperties"] = False
        tree |= self._common(schema, None, index)
        self._open[key] = tree
        properties = {f.name: self.schema(f.schema, f.index) for f in schema.fields}
        del self._open[key]
        if properties:
            tree["properties"] = dict(in_java_order(properties))
        return tree


def _connect(
    connect_type: str | None = None,
    version: int | None = None,
    parameters: dict[str, str] | None = None,
    index: int | None = None,
) -> Tree:
    """The ``connect.*`` members, in the JVM's order."""
    tree: Tree = {}
    if index is not None:
        tree[names.CONNECT_INDEX] = index
    if version is not None:
        tree[names.CONNECT_VERSION] = version
    if connect_type is not None:
        tree[names.CONNECT_TYPE] = connect_type
    if parameters:
        tree[names.CONNECT_PARAMETERS] = parameters
    return tree


def _enumeration(schema: Schema) -> Tree | None:
    for mark in (names.ENUM, GENERAL_ENUM):
        if mark in schema.parameters:
            start = mark + "."
            # The general form keeps positions as values; in both the parameter's name ends with the symbol.
            return {"enum": [name[len(start) :] for name in schema.parameters if name.startswith(start)]}
    return None
