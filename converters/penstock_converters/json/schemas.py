"""Connect schemas in the envelope's JSON form (``JsonConverter.asJsonSchema`` and ``asConnectSchema``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from penstock.data import Schema, SchemaBuilder, Type, validate_value
from penstock.data.logical import TIMESTAMP_NAME
from penstock.errors import DataError, SchemaBuilderError
from penstock_converters.precision import SEMANTIC_NAMES, Instants, Precision

__all__ = ["connect_schema", "json_schema"]

_NAMES: Final = {Type.FLOAT32: "float", Type.FLOAT64: "double"}
_TYPES: Final = {_NAMES.get(t, t.value): t for t in Type}


def json_schema(
    schema: Schema, write_default: Callable[[Schema, Any], Any], precision: Precision = Precision.MILLISECONDS
) -> dict[str, Any]:
    """`schema` as a tree; `write_default` makes a tree of a default value. Members are in Kafka's order.

    Timestamps that are finer than Connect's go by a name of their own.
    """
    return _json_schema(schema, write_default, SEMANTIC_NAMES.get(precision), ())


def _json_schema(
    schema: Schema, write_default: Callable[[Schema, Any], Any], finer: str | None, outer: tuple[Schema, ...]
) -> dict[str, Any]:
    if any(schema is s for s in outer):
        raise DataError(
            f"{schema!r} refers to itself, which a JSON envelope cannot say; set schemas.enable=false or use a "
            "converter for Avro, Protobuf or JSON Schema"
        )
    inner = (*outer, schema)
    node: dict[str, Any] = {"type": _NAMES.get(schema.type, schema.type.value)}
    if schema.type is Type.ARRAY:
        node["items"] = _part(schema.value_schema, write_default, finer, inner)
    elif schema.type is Type.MAP:
        node["keys"] = _part(schema.key_schema, write_default, finer, inner)
        node["values"] = _part(schema.value_schema, write_default, finer, inner)
    elif schema.type is Type.STRUCT:
        node["fields"] = [
            {**_json_schema(f.schema, write_default, finer, inner), "field": f.name} for f in schema.fields
        ]
    node["optional"] = schema.optional
    for key in ("name", "version", "doc"):
        if getattr(schema, key) is not None:
            node[key] = getattr(schema, key)
    if finer is not None and schema.name == TIMESTAMP_NAME:
        node |= {"name": finer, "version": 1}
    if schema.parameters:
        node["parameters"] = dict(schema.parameters)
    if schema.default is not None:
        node["default"] = write_default(schema, schema.default)
    return node


def _part(
    schema: Schema | None, write_default: Callable[[Schema, Any], Any], finer: str | None, outer: tuple[Schema, ...]
) -> Any:
    # A schema made from text may leave the type of its elements open.
    return None if schema is None else _json_schema(schema, write_default, finer, outer)


def connect_schema(node: Any, read_default: Callable[[Schema, Any], Any], instants: Instants | None = None) -> Schema:
    """The schema that the tree `node` describes; `read_default` reads a default value of it.

    With `instants` numbers under the names of finer timestamps are Timestamps, which are kept there.
    """
    try:
        return _Envelope(read_default, instants).schema(node)
    except RecursionError:
        raise DataError("The schema is nested too deeply") from None


class _Envelope:
    """One schema's reading."""

    def __init__(self, read_default: Callable[[Schema, Any], Any], instants: Instants | None) -> None:
        self._read_default = read_default
        self._instants = instants

    def schema(self, node: Any) -> Schema:
        kind = node.get("type") if isinstance(node, dict) else None
        if not isinstance(kind, str):
            raise DataError("Schema must contain 'type' field")
        builder = self._builder(kind, node)
        if node.get("optional") is True:
            builder.optional()
        if isinstance(node.get("name"), str):
            builder.name(node["name"])
        if type(node.get("version")) is int:
            if not -(2**31) <= node["version"] < 2**31:
                raise DataError("Schema version must be an integer of 32 bits")
            builder.version(node["version"])
        if isinstance(node.get("doc"), str):
            builder.doc(node["doc"])
        if isinstance(node.get("parameters"), dict):
            for name, value in node["parameters"].items():
                if not isinstance(value, str):
                    raise DataError("Schema parameters must have string values.")
                builder.parameter(name, value)
        schema = builder.build()
        if self._instants is not None:
            schema = self._instants.adopt(schema)
        return self._with_default(schema, node["default"]) if "default" in node else schema

    def _with_default(self, schema: Schema, tree: Any) -> Schema:
        """``SchemaBuilder.defaultValue``, except that a struct's default is taken as well: Kafka writes one and then
        cannot read it."""
        default = self._read_default(schema, tree)
        try:
            validate_value(schema, default)
        except DataError as error:
            raise SchemaBuilderError("Invalid default value") from error
        made = schema.replace(default=default)
        return made if self._instants is None else self._instants.keep(made, self._instants.of(schema))

    def _builder(self, kind: str, node: dict[str, Any]) -> SchemaBuilder:
        if kind not in _TYPES:
            raise DataError(f"Unknown schema type: {kind}")
        match _TYPES[kind]:
            case Type.ARRAY:
                return SchemaBuilder.array(
                    self._required(node, "items", "Array schema did not specify the element type")
                )
            case Type.MAP:
                key = self._required(node, "keys", "Map schema did not specify the key type")
                value = self._required(node, "values", "Map schema did not specify the value type")
                return SchemaBuilder.map(key, value)
            case Type.STRUCT:
                return self._struct_builder(node)
            case primitive:
                return SchemaBuilder(primitive)

    def _required(self, node: dict[str, Any], key: str, problem: str) -> Schema:
        if node.get(key) is None:
            raise DataError(problem)
        return self.schema(node[key])

    def _struct_builder(self, node: dict[str, Any]) -> SchemaBuilder:
        fields = node.get("fields")
        if not isinstance(fields, list):
            raise DataError('Struct schema\'s "fields" argument is not an array.')
        builder = SchemaBuilder.struct()
        for field in fields:
            name = field.get("field") if isinstance(field, dict) else None
            if not isinstance(name, str):
                raise DataError("Struct schema's field name not specified properly")
            builder.field(name, self.schema(field))
        return builder
