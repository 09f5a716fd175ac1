"""Connect schemas in the envelope's JSON form (``JsonConverter.asJsonSchema`` and ``asConnectSchema``)."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from penstock.data import Schema, SchemaBuilder, Type, validate_value
from penstock.data.conversion import wrap
from penstock.errors import DataError, SchemaBuilderError

__all__ = ["connect_schema", "json_schema"]

_NAMES: Final = {Type.FLOAT32: "float", Type.FLOAT64: "double"}
_TYPES: Final = {_NAMES.get(t, t.value): t for t in Type}


def json_schema(schema: Schema, write_default: Callable[[Schema, Any], Any]) -> dict[str, Any]:
    """`schema` as a tree; `write_default` makes a tree of a default value. Members are in Kafka's order."""
    return _json_schema(schema, write_default, ())


def _json_schema(
    schema: Schema, write_default: Callable[[Schema, Any], Any], outer: tuple[Schema, ...]
) -> dict[str, Any]:
    if any(schema is s for s in outer):
        raise DataError(
            f"{schema!r} refers to itself, which a JSON envelope cannot say; set schemas.enable=false or use a "
            "converter for Avro, Protobuf or JSON Schema"
        )
    inner = (*outer, schema)
    node: dict[str, Any] = {"type": _NAMES.get(schema.type, schema.type.value)}
    if schema.type is Type.ARRAY:
        node["items"] = _part(schema.value_schema, write_default, inner)
    elif schema.type is Type.MAP:
        node["keys"] = _part(schema.key_schema, write_default, inner)
        node["values"] = _part(schema.value_schema, write_default, inner)
    elif schema.type is Type.STRUCT:
        node["fields"] = [{**_json_schema(f.schema, write_default, inner), "field": f.name} for f in schema.fields]
    node["optional"] = schema.optional
    for key in ("name", "version", "doc"):
        if getattr(schema, key) is not None:
            node[key] = getattr(schema, key)
    if schema.parameters:
        node["parameters"] = dict(schema.parameters)
    if schema.default is not None:
        node["default"] = write_default(schema, schema.default)
    return node


def _part(schema: Schema | None, write_default: Callable[[Schema, Any], Any], outer: tuple[Schema, ...]) -> Any:
    # A schema made from text may leave the type of its elements open.
    return None if schema is None else _json_schema(schema, write_default, outer)


def connect_schema(node: Any, read_default: Callable[[Schema, Any], Any]) -> Schema:
    """The schema that the tree `node` describes; `read_default` reads a default value of it."""
    try:
        return _connect_schema(node, read_default)
    except RecursionError:
        raise DataError("The schema is nested too deeply") from None


def _connect_schema(node: Any, read_default: Callable[[Schema, Any], Any]) -> Schema:
    kind = node.get("type") if isinstance(node, dict) else None
    if not isinstance(kind, str):
        raise DataError("Schema must contain 'type' field")
    builder = _builder(kind, node, read_default)
    if node.get("optional") is True:
        builder.optional()
    if isinstance(node.get("name"), str):
        builder.name(node["name"])
    if type(node.get("version")) is int:
        builder.version(wrap(node["version"], 32))
    if isinstance(node.get("doc"), str):
        builder.doc(node["doc"])
    if isinstance(node.get("parameters"), dict):
        for name, value in node["parameters"].items():
            if not isinstance(value, str):
                raise DataError("Schema parameters must have string values.")
            builder.parameter(name, value)
    schema = builder.build()
    return schema if "default" not in node else _with_default(schema, read_default(schema, node["default"]))


def _with_default(schema: Schema, default: Any) -> Schema:
    """``SchemaBuilder.defaultValue``, except that a struct's default is taken as well: Kafka writes one and then
    cannot read it."""
    try:
        validate_value(schema, default)
    except DataError as error:
        raise SchemaBuilderError("Invalid default value") from error
    return schema.replace(default=default)


def _builder(kind: str, node: dict[str, Any], read_default: Callable[[Schema, Any], Any]) -> SchemaBuilder:
    if kind not in _TYPES:
        raise DataError(f"Unknown schema type: {kind}")
    match _TYPES[kind]:
        case Type.ARRAY:
            return SchemaBuilder.array(
                _required(node, "items", "Array schema did not specify the element type", read_default)
            )
        case Type.MAP:
            key = _required(node, "keys", "Map schema did not specify the key type", read_default)
            value = _required(node, "values", "Map schema did not specify the value type", read_default)
            return SchemaBuilder.map(key, value)
        case Type.STRUCT:
            return _struct_builder(node, read_default)
        case primitive:
            return SchemaBuilder(primitive)


def _required(node: dict[str, Any], key: str, problem: str, read_default: Callable[[Schema, Any], Any]) -> Schema:
    if node.get(key) is None:
        raise DataError(problem)
    return _connect_schema(node[key], read_default)


def _struct_builder(node: dict[str, Any], read_default: Callable[[Schema, Any], Any]) -> SchemaBuilder:
    fields = node.get("fields")
    if not isinstance(fields, list):
        raise DataError('Struct schema\'s "fields" argument is not an array.')
    builder = SchemaBuilder.struct()
    for field in fields:
        name = field.get("field") if isinstance(field, dict) else None
        if not isinstance(name, str):
            raise DataError("Struct schema's field name not specified properly")
        builder.field(name, _connect_schema(field, read_default))
    return builder
