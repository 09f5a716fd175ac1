"""A value carried from the schema it was written with to the one wanted: ``SchemaProjector``.

Numbers widen, fields that the target does not have are dropped, ones that the source does not have take the target's
default or stay null. Names and parameters have to agree.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from penstock.data.schema import Field, Schema, Type
from penstock.errors import SchemaProjectorError
from penstock.java.numbers import to_float32

__all__ = ["project", "projector"]

Projection = Callable[[Any], Any]

_WIDENING: Final = (Type.INT8, Type.INT16, Type.INT32, Type.INT64, Type.FLOAT32, Type.FLOAT64)


def project(source: Schema, value: Any, target: Schema) -> Any:
    """`value` of `source` as a value of `target`; a `SchemaProjectorError` where that cannot be."""
    return projector(source, target)(value)


def projector(source: Schema, target: Schema) -> Projection:
    """Return `project` bound to two schemas: they are checked once, and the function takes values.

    What stands inside arrays and maps, and recursive structs, is checked when the first such value comes.
    """
    return _bind(source, target, {})


_Known = dict[tuple[int, int], tuple[Schema, Schema, Projection]]


def _bind(source: Schema, target: Schema, known: _Known) -> Projection:
    if (id(source), id(target)) in known:
        return known[id(source), id(target)][2]
    _check(source, target)
    if source.optional and not target.optional and target.default is None:
        raise SchemaProjectorError(
            "Writer schema is optional, however, target schema does not provide a default value."
        )
    default = target.default if source.optional and not target.optional else None
    inner: Projection = _unbound

    def apply(value: Any) -> Any:
        return default if value is None else inner(value)

    known[id(source), id(target)] = (source, target, apply)  # before the fields: they may lead back here
    inner = _present(source, target, known)
    return apply


def _unbound(value: Any) -> Any:
    raise SchemaProjectorError("A projection was used while it was being made")


def _check(source: Schema, target: Schema) -> None:
    if source.type is not target.type and not _widens(source.type, target.type):
        raise SchemaProjectorError(
            f"Schema type mismatch. source type: {source.type.name} and target type: {target.type.name}"
        )
    if source.name != target.name:
        raise SchemaProjectorError(
            f"Schema name mismatch. source name: {_shown(source.name)} and target name: {_shown(target.name)}"
        )
    if source.parameters != target.parameters:
        raise SchemaProjectorError(
            f"Schema parameters not equal. source parameters: {_parameters(source)} "
            f"and target parameters: {_parameters(target)}"
        )


def _shown(name: str | None) -> str:
    return "null" if name is None else name


def _parameters(schema: Schema) -> str:
    return f"{{{', '.join(f'{k}={v}' for k, v in schema.parameters.items())}}}" if schema.parameters else "null"


def _widens(source: Type, target: Type) -> bool:
    return source in _WIDENING and target in _WIDENING and _WIDENING.index(source) < _WIDENING.index(target)


def _present(source: Schema, target: Schema, known: _Known) -> Projection:
    match target.type:
        case Type.STRUCT:
            return _struct(source, target, known)
        case Type.ARRAY:
            item = _later(source.value_schema, target.value_schema, known)
            return lambda value: [item(i) for i in value]
        case Type.MAP:
            key = _later(source.key_schema, target.key_schema, known)
            item = _later(source.value_schema, target.value_schema, known)
            return lambda value: {key(k): item(v) for k, v in value.items()}
        case Type.FLOAT32 if source.type is not Type.FLOAT32:
            return to_float32
        case Type.FLOAT64 if source.type is not Type.FLOAT64:
            return float
    return _same


def _same(value: Any) -> Any:
    return value


def _later(source: Schema | None, target: Schema | None, known: _Known) -> Projection:
    if source is None or target is None:
        raise SchemaProjectorError("A collection without a schema for its elements cannot be projected")
    bound: Projection | None = None

    def apply(value: Any) -> Any:
        nonlocal bound
        if bound is None:
            bound = _bind(source, target, known)
        return bound(value)

    return apply


def _struct(source: Schema, target: Schema, known: _Known) -> Projection:
    carried: list[tuple[str, Any, Projection]] = []
    filled: dict[str, Any] = {}
    for field in target.fields:
        from_field = source.field(field.name)
        if from_field is not None:
            carried.append((field.name, from_field.schema.default, _field(from_field, field, known)))
        elif field.schema.optional:
            continue  # stays null
        elif field.schema.default is not None:
            filled[field.name] = field.schema.default
        else:
            raise SchemaProjectorError(f"Required field `{field.name}` is missing from source schema: {source!r}")

    def apply(value: Any) -> dict[str, Any]:
        get = value.get
        result = dict(filled)
        for name, default, carry in carried:
            item = get(name)
            result[name] = carry(default if item is None else item)
        return result

    return apply


def _field(source: Field, target: Field, known: _Known) -> Projection:
    try:
        bound = _bind(source.schema, target.schema, known)
    except SchemaProjectorError as error:
        raise SchemaProjectorError(f"Error projecting {source.name}") from error

    def apply(value: Any) -> Any:
        try:
            return bound(value)
        except SchemaProjectorError as error:
            raise SchemaProjectorError(f"Error projecting {source.name}") from error

    return apply
