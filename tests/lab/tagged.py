"""Schemas and values in the tagged JSON form of the recorded vectors, both ways (``tests/vectors/FORMAT.md``)."""

from __future__ import annotations

import datetime as dt
import json
import struct
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from decimal import Decimal
from typing import Any, Final

from penstock.data import BigInteger, FarDate, Field, Float32, Int8, Int16, Int32, Schema, Struct, Type
from penstock.data.logical import (
    DATE_NAME,
    DECIMAL_NAME,
    MILLIS_PER_DAY,
    SCALE_FIELD,
    TIME_NAME,
    TIMESTAMP_NAME,
    date_from_days,
    date_to_days,
    decimal_from_unscaled,
    scale_of,
    time_from_millis,
    time_to_millis,
    timestamp_from_millis,
    timestamp_to_millis,
    unscaled,
)
from penstock.errors import DataError

__all__ = ["canonical", "decode_schema", "decode_value", "encode_schema", "encode_value"]

Tagged = Mapping[str, Any]

_BOXES: Final[dict[str, type[int]]] = {"int8": Int8, "int16": Int16, "int32": Int32}
_LOGICAL_TAGS: Final = {DATE_NAME: "date", TIME_NAME: "time", TIMESTAMP_NAME: "timestamp"}


def decode_schema(node: Tagged | None) -> Schema | None:
    """A recorded schema; a ``cyclic`` struct becomes the enclosing one of its name."""
    return None if node is None else _schema(node, {})


def _schema(node: Tagged, enclosing: dict[str | None, Schema]) -> Schema:
    name = node.get("name")
    if node.get("cyclic"):
        outer = enclosing[name]
        return outer if outer.optional == node["optional"] else _Lazily.same_fields(outer, node["optional"], enclosing)
    kind = Type[node["type"]]
    parts: dict[str, Any] = {
        "name": name, "version": node.get("version"), "doc": node.get("doc"), "parameters": _parameters(node),
    }  # fmt: skip
    if kind is not Type.STRUCT:
        if node.get("keySchema") is not None:
            parts["key_schema"] = _schema(node["keySchema"], enclosing)
        if node.get("valueSchema") is not None:
            parts["value_schema"] = _schema(node["valueSchema"], enclosing)
        schema = Schema(kind, node["optional"], **parts)
    else:
        # The fields come last, so that they can refer to the struct they are in.
        schema = Schema(kind, node["optional"], **parts)
        inner = _Lazily({**enclosing, name: schema})
        members = node.get("fields", [])
        schema._set_fields(
            tuple(Field(f["name"], i, _schema(f["schema"], inner)) for i, f in enumerate(members)),
        )
        inner.finish(schema)
    if "default" not in node:
        return schema
    default = decode_value(node["default"], schema)
    if kind is not Type.STRUCT:
        return schema.replace(default=default)
    object.__setattr__(schema, "default", default)  # not a copy: the struct's fields may refer to this very object
    return schema


def _parameters(node: Tagged) -> Mapping[str, str] | None:
    # The recording sorted them; a Decimal's scale is always the first that its builder sets.
    parameters = node.get("parameters")
    if not parameters or node.get("name") != DECIMAL_NAME or SCALE_FIELD not in parameters:
        return parameters
    return {SCALE_FIELD: parameters[SCALE_FIELD], **parameters}


class _Lazily(dict[str | None, Schema]):
    """The enclosing structs, and copies of them that differ in optionality and wait for their fields."""

    def __init__(self, schemas: Mapping[str | None, Schema]) -> None:
        super().__init__(schemas)
        self._waiting: list[tuple[Schema, Schema]] = []

    @staticmethod
    def same_fields(outer: Schema, optional: bool, enclosing: dict[str | None, Schema]) -> Schema:
        twin = Schema(
            Type.STRUCT, optional, outer.name, outer.version, outer.doc, outer.parameters,
        )  # fmt: skip
        if isinstance(enclosing, _Lazily):
            enclosing._waiting.append((twin, outer))
        return twin

    def finish(self, schema: Schema) -> None:
        for twin, outer in self._waiting:
            if outer is schema:
                twin._set_fields(outer.fields)


def decode_value(node: Tagged | None, schema: Schema | None = None) -> Any:
    """A recorded value as penstock holds it beside `schema` (None: where it travels without one)."""
    if node is None:
        return None
    tag: str = node["t"]
    if tag in ("array", "map", "struct"):
        return _decode_nested(tag, node, schema)
    if tag in _LOGICAL_TAGS.values():
        date = _decode_date(tag, node["ms"])
        return FarDate(date) if schema is None and isinstance(date, int) else date
    return _decode_scalar(tag, node, schema)


def _decode_scalar(tag: str, node: Tagged, schema: Schema | None) -> Any:
    plain = schema is not None and schema.type.value == tag
    match tag:
        case "int64":
            return int(node["v"])
        case "int8" | "int16" | "int32":
            return int(node["v"]) if plain else _BOXES[tag](node["v"])
        case "float32":
            value = struct.unpack(">f", bytes.fromhex(node["bits"]))[0]
            return value if plain else Float32(value)
        case "float64":
            return struct.unpack(">d", bytes.fromhex(node["bits"]))[0]
        case "boolean" | "string":
            return node["v"]
        case "bytes":
            return bytes.fromhex(node["hex"])
        case "decimal":
            return decimal_from_unscaled(int(node["unscaled"]), node["scale"])
        case "bigint":
            return BigInteger(node["v"])
    raise ValueError(f"no value has the tag {tag!r}: {node}")


def _decode_nested(tag: str, node: Tagged, schema: Schema | None) -> Any:
    of = schema if schema is not None and schema.type.value == tag else None
    if tag == "array":
        item = of.value_schema if of else None
        return [decode_value(i, item) for i in node["items"]]
    if tag == "map":
        key, value = (of.key_schema, of.value_schema) if of else (None, None)
        return {decode_value(k, key): decode_value(v, value) for k, v in node["entries"]}
    own = decode_schema(node.get("schema"))
    shape = own or of
    if shape is None:
        raise ValueError(f"a struct without any schema: {node}")
    fields = {
        name: decode_value(value, member.schema if (member := shape.field(name)) else None)
        for name, value in node["fields"].items()
    }
    # Without its own schema beside it a struct has to carry it.
    return Struct.trusted(shape, fields) if own is not None else fields


def _decode_date(tag: str, millis: int) -> Any:
    try:
        if tag == "date" and millis % MILLIS_PER_DAY == 0:
            return date_from_days(millis // MILLIS_PER_DAY)
        if tag == "time" and 0 <= millis < MILLIS_PER_DAY:
            return time_from_millis(millis)
        if tag == "time" and millis == MILLIS_PER_DAY:
            return millis
        # A "date" with a time of day, or a "time" on another day, is no date or time of Python's.
        return timestamp_from_millis(millis)
    except DataError:
        return millis


def encode_schema(schema: Schema | None) -> dict[str, Any] | None:
    return None if schema is None else _encode_schema(schema, [])


def _encode_schema(schema: Schema, enclosing: list[Schema]) -> dict[str, Any]:
    node: dict[str, Any] = {"type": schema.type.name, "optional": schema.optional}
    if schema.name is not None:
        node["name"] = schema.name
    if schema.type is Type.STRUCT and any(schema.fields is s.fields and schema.name == s.name for s in enclosing):
        return {**node, "cyclic": True}
    for key in ("version", "doc"):
        if getattr(schema, key) is not None:
            node[key] = getattr(schema, key)
    if schema.parameters:
        node["parameters"] = dict(schema.parameters)
    if schema.default is not None:
        node["default"] = encode_value(schema.default, schema)
    with _entered(schema, enclosing):
        if schema.type is Type.STRUCT:
            node["fields"] = [
                {"name": f.name, "index": f.index, "schema": _encode_schema(f.schema, enclosing)} for f in schema.fields
            ]
        if schema.key_schema is not None:
            node["keySchema"] = _encode_schema(schema.key_schema, enclosing)
        if schema.value_schema is not None:
            node["valueSchema"] = _encode_schema(schema.value_schema, enclosing)
    return node


@contextmanager
def _entered(schema: Schema, enclosing: list[Schema]) -> Iterator[None]:
    if schema.type is not Type.STRUCT or not schema.fields:
        yield
        return
    enclosing.append(schema)
    yield
    enclosing.pop()


def encode_value(value: Any, schema: Schema | None = None) -> dict[str, Any] | None:
    """A value of penstock's, tagged as the JVM's would be beside `schema`."""
    if value is None:
        return None
    kind = schema.type if schema is not None else None
    logical = _LOGICAL_TAGS.get(schema.name) if schema is not None and schema.name else None
    match value:
        case bool():
            return {"t": "boolean", "v": value}
        case FarDate():
            return {"t": "timestamp", "ms": int(value)}
        case int() if logical and isinstance(_decode_date(logical, value), int):
            return {"t": logical, "ms": value}
        case int():
            return _encode_int(value, kind)
        case float():
            single = isinstance(value, Float32) or kind is Type.FLOAT32
            packed = struct.pack(">f" if single else ">d", value)
            return {"t": "float32" if single else "float64", "bits": packed.hex(), "v": str(value)}
        case str():
            return {"t": "string", "v": value}
        case bytes() | bytearray() | memoryview():
            return {"t": "bytes", "hex": bytes(value).hex()}
        case Decimal():
            return {"t": "decimal", "unscaled": str(unscaled(value)), "scale": scale_of(value)}
        case dt.datetime():
            return {"t": logical or "timestamp", "ms": timestamp_to_millis(value)}
        case dt.date():
            return {"t": logical or "timestamp", "ms": date_to_days(value) * MILLIS_PER_DAY}
        case dt.time():
            return {"t": logical or "timestamp", "ms": time_to_millis(value)}
    return _encode_nested(value, schema)


def _encode_int(value: int, kind: Type | None) -> dict[str, Any]:
    for tag, box in _BOXES.items():
        if isinstance(value, box):
            return {"t": tag, "v": int(value)}
    if isinstance(value, BigInteger) or not -(2**63) <= value < 2**63:
        return {"t": "bigint", "v": str(int(value))}
    return {"t": kind.value if kind is not None and kind.value in _BOXES else "int64", "v": value}


def _encode_nested(value: Any, schema: Schema | None) -> dict[str, Any]:
    match value:
        case list() | tuple():
            item = schema.value_schema if schema is not None and schema.type is Type.ARRAY else None
            return {"t": "array", "items": [encode_value(i, item) for i in value]}
        case dict() if isinstance(value, Struct) or (schema is not None and schema.type is Type.STRUCT):
            return _encode_struct(value, schema)
        case dict():
            of = schema if schema is not None and schema.type is Type.MAP else None
            key, item = (of.key_schema, of.value_schema) if of else (None, None)
            return {"t": "map", "entries": [[encode_value(k, key), encode_value(v, item)] for k, v in value.items()]}
    return {"t": "java", "class": f"{type(value).__module__}.{type(value).__qualname__}"}


def _encode_struct(value: dict[str, Any], schema: Schema | None) -> dict[str, Any]:
    own = value.schema if isinstance(value, Struct) else schema
    assert own is not None
    unknown = [name for name in value if own.field(name) is None]
    if unknown:
        raise ValueError(f"a struct of {own!r} with fields its schema does not have: {unknown}")
    # dict.get: a Struct's own access would check, and this shows what is there.
    fields = {f.name: encode_value(dict.get(value, f.name), f.schema) for f in own.fields}
    node: dict[str, Any] = {"t": "struct", "fields": fields}
    if own != schema:
        node["schema"] = encode_schema(own)
    return node


def canonical(node: Any) -> Any:
    """A form in which equal things are equal: order of maps, reading aids and empty members taken out."""
    if isinstance(node, list):
        return [canonical(item) for item in node]
    if not isinstance(node, dict):
        return node
    if isinstance(node.get("t"), str):
        return _canonical_value(node)
    if isinstance(node.get("hex"), str):
        return {"hex": node["hex"]}
    if isinstance(node.get("type"), str) and "optional" in node:
        return {k: canonical(_bare(v) if k == "default" else v) for k, v in node.items() if v not in (None, {}, [])}
    return {k: canonical(v) for k, v in node.items()}


def _bare(default: Any) -> Any:
    """A default without its schema, which is the one it is the default of."""
    if isinstance(default, dict) and default.get("t") == "struct":
        return {key: value for key, value in default.items() if key != "schema"}
    return default


def _canonical_value(node: dict[str, Any]) -> Any:
    tag = node["t"]
    if tag in ("float32", "float64"):
        return {"t": tag, "bits": node["bits"]}
    if tag == "map":
        entries = [canonical(entry) for entry in node["entries"]]
        return {"t": tag, "entries": sorted(entries, key=lambda e: json.dumps(e, sort_keys=True))}
    if tag == "array":
        return {"t": tag, "items": canonical(node["items"])}
    if tag == "struct":
        fields = {name: canonical(value) for name, value in node["fields"].items() if value is not None}
        own = {"schema": canonical(node["schema"])} if node.get("schema") else {}
        return {"t": tag, "fields": fields, **own}
    return node
