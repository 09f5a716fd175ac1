"""Field names that may be paths (KIP-821).

Under syntax V1 a name is a name, dots and all. Under V2 dots lead into nested structs or maps; a step that itself
contains a dot stands in backticks, and a backslash before a backtick keeps it part of the step:
``a.b``, ```a.b`.c``, ```odd\\`.name```.
"""

from __future__ import annotations

import enum
from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from penstock.data import Field, Schema
from penstock.errors import ConfigError
from penstock_transforms.requirements import require_map_or_null, require_struct_or_null

__all__ = ["FieldPath", "FieldSyntax"]

_NESTED: Final = "nested field access"


class FieldSyntax(enum.Enum):
    V1 = "V1"
    V2 = "V2"

    @classmethod
    def of(cls, config: Mapping[str, Any]) -> FieldSyntax:
        return cls(str(config["field.syntax.version"]).upper())


class FieldPath(NamedTuple):
    """The steps to one field; at least one. Parents may be absent in a value: then so is the field."""

    steps: tuple[str, ...]

    @classmethod
    def parse(cls, text: str, syntax: FieldSyntax) -> FieldPath:
        """A `ConfigError` if a backtick is left open."""
        return cls((text,) if syntax is FieldSyntax.V1 else tuple(_split(text)))

    @property
    def name(self) -> str:
        """The field's own name: the last step."""
        return self.steps[-1]

    @property
    def parents(self) -> tuple[str, ...]:
        return self.steps[:-1]

    def field_in(self, schema: Schema) -> Field | None:
        """The field this path leads to, or None. A `DataError` if a step leads into something other than a struct."""
        for step in self.parents:
            field = schema.field(step)
            if field is None:
                return None
            schema = field.schema
        return schema.field(self.name)

    def value_in_map(self, value: Mapping[str, Any]) -> Any:
        """Return the field's value in a value without schema; None if a parent is missing or null."""
        for step in self.parents:
            nested = require_map_or_null(value.get(step), _NESTED)
            if nested is None:
                return None
            value = nested
        return value.get(self.name)

    def value_in_struct(self, value: Mapping[str, Any], schema: Schema, with_default: bool) -> Any:
        """Return the field's value in a struct of `schema`; with `with_default` a null gives way to the field's default."""
        for step in self.parents:
            field = schema.field(step)
            if field is None:
                return None
            nested = require_struct_or_null(_get(value, field, with_default), _NESTED, field.schema)
            if nested is None:
                return None
            value, schema = nested, field.schema
        field = schema.field(self.name)
        return None if field is None else _get(value, field, with_default)


def _get(value: Mapping[str, Any], field: Field, with_default: bool) -> Any:
    found = value.get(field.name)
    return field.schema.default if found is None and with_default else found


def _split(path: str) -> list[str]:
    steps: list[str] = []
    at = 0
    while at < len(path):
        step, at = _quoted(path, at) if path[at] == "`" else _plain(path, at)
        steps.append(step)
    if not path or path.endswith("."):
        steps.append("")
    return steps


def _plain(path: str, start: int) -> tuple[str, int]:
    dot = path.find(".", start)
    return (path[start:], len(path)) if dot < 0 else (path[start:dot], dot + 1)


def _quoted(path: str, opening: int) -> tuple[str, int]:
    # Only a backtick before a dot or at the end can close; one elsewhere is a letter like any other.
    start = at = opening + 1
    step = ""
    while True:
        at = path.find("`", at)
        last = at == len(path) - 1
        escaped = at > 0 and path[at - 1] == "\\"
        if at < 0 or (last and escaped):
            raise ConfigError(
                f"Incomplete backtick pair in path: [{path}], consider adding a backslash before backtick at position {opening} to escape it"
            )
        if last:
            return step + path[start:at], at + 1
        if path[at + 1] != ".":
            at += 1
        elif escaped:
            step += path[start : at - 1] + "`"
            start = at = at + 1
        else:
            return step + path[start:at], at + 2
