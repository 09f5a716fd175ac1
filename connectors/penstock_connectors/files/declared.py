"""A schema written as JSON, in the form of `JsonConverter`'s envelope."""

from __future__ import annotations

from typing import Any, Final

import orjson

from penstock.data import Field, Schema, Type
from penstock.errors import ConfigError, SchemaBuilderError
from penstock_connectors.files.fitting import Misfit, fit_for

__all__ = ["declared_schema"]

_MEMBERS: Final = frozenset(
    {
        "type",
        "optional",
        "name",
        "version",
        "doc",
        "parameters",
        "default",
        "fields",
        "items",
        "keys",
        "values",
        "field",
    }
)
_TYPES: Final = {t.value: t for t in Type} | {"float": Type.FLOAT32, "double": Type.FLOAT64}


def declared_schema(text: str | bytes, origin: str) -> Schema:
    """The schema that `text` declares; `origin` (a setting, a file) is named in errors.

    ``{"type": "struct", "name": "com.example.Order", "fields": [{"field": "id", "type": "int64"},
    {"field": "note", "type": "string", "optional": true}]}``. Raises `ConfigError`.
    """
    try:
        form = orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise ConfigError(f"{origin} is not JSON: {error.msg} at line {error.lineno}, column {error.colno}") from error
    try:
        schema = _schema(form, "schema")
        fit_for(schema)  # says now what JSON lines could not hold
    except (ConfigError, SchemaBuilderError) as error:
        raise ConfigError(f"{origin}: {error.message}") from error
    return schema


def _schema(form: Any, where: str) -> Schema:
    if not isinstance(form, dict):
        raise ConfigError(f"{where} must be an object with a type, met {form!r}")
    kind = _TYPES.get(form.get("type", ""))
    if kind is None:
        raise ConfigError(f"{where} has the type {form.get('type')!r}; expected one of {', '.join(_TYPES)}")
    unknown = sorted(form.keys() - _MEMBERS)
    if unknown:
        raise ConfigError(f"{where} has the unknown member {unknown[0]!r}; expected {', '.join(sorted(_MEMBERS))}")
    schema = Schema(
        kind,
        optional=_typed(form, "optional", bool, where) or False,
        name=_typed(form, "name", str, where),
        version=_typed(form, "version", int, where),
        doc=_typed(form, "doc", str, where),
        parameters={k: str(v) for k, v in (_typed(form, "parameters", dict, where) or {}).items()},
        fields=_fields(form, where) if kind is Type.STRUCT else (),
        key_schema=_part(form, "keys", where) if kind is Type.MAP else None,
        value_schema=_part(form, "values" if kind is Type.MAP else "items", where)
        if kind in (Type.MAP, Type.ARRAY)
        else None,
    )
    default = form.get("default")
    if default is None:
        return schema
    try:
        return schema.replace(default=fit_for(schema)(default))
    except Misfit as error:
        raise ConfigError(f"{where} has a default that does not fit: {error.problem}") from None


def _fields(form: dict[str, Any], where: str) -> list[Field]:
    members = _typed(form, "fields", list, where)
    if members is None:
        raise ConfigError(f"{where} is a struct without fields")
    fields: list[Field] = []
    for index, member in enumerate(members):
        name = member.get("field") if isinstance(member, dict) else None
        if not isinstance(name, str) or not name:
            raise ConfigError(f"{where}.fields[{index}] needs a name: {{'field': name, 'type': ...}}")
        if any(f.name == name for f in fields):
            raise ConfigError(f"{where} has the field {name!r} twice")
        fields.append(Field(name, index, _schema(member, f"{where}.{name}")))
    return fields


def _part(form: dict[str, Any], member: str, where: str) -> Schema:
    if member not in form:
        raise ConfigError(f"{where} is of type {form['type']} and needs {member!r}")
    return _schema(form[member], f"{where}.{member}")


def _typed(form: dict[str, Any], member: str, kind: type, where: str) -> Any:
    value = form.get(member)
    if value is not None and type(value) is not kind:
        raise ConfigError(f"{where} has {member} = {value!r}; expected {kind.__name__}")
    return value
