"""Drops fields that a header of the record names."""

from __future__ import annotations

from typing import Any, Final

from penstock.data import Schema, Type
from penstock.errors import DataError
from penstock_transforms.levels import copy_basics
from penstock_transforms.operating import Edit, defaults_filler
from penstock_transforms.requirements import class_of

__all__ = ["FieldsFromHeader"]

_MAX_SCHEMAS: Final = 1000


class FieldsFromHeader:
    """`apply` puts new dicts in the place of the record's value, and key if asked; the record is the caller's own.

    Fields are dropped as ``ReplaceField`` drops them: what is left of a struct is required, its nulls give way to
    defaults. With `only_optional` required fields stay; a struct that loses nothing stays as it is.
    """

    def __init__(self, header: str, from_key: bool, only_optional: bool) -> None:
        self._header = header
        self._from_key = from_key
        self._only_optional = only_optional
        self._bound: dict[tuple[Schema, frozenset[str]], tuple[Schema, Edit | None] | None] = {}

    def apply(self, record: Any) -> Any:
        names = next((h.value for h in record.headers if h.key == self._header), None)
        if names is None:
            return record
        if not isinstance(names, list):
            raise DataError(f"Header {self._header} has to hold a list of field names, found {class_of(names)}")
        wanted = frozenset(name for name in names if isinstance(name, str))
        if not wanted:
            return record
        if self._from_key:
            record.key_schema, record.key = self._without(record.key_schema, record.key, wanted)
        record.value_schema, record.value = self._without(record.value_schema, record.value, wanted)
        return record

    def _without(self, schema: Schema | None, value: Any, names: frozenset[str]) -> tuple[Schema | None, Any]:
        if not isinstance(value, dict):
            return schema, value
        if schema is None:
            return None, {name: item for name, item in value.items() if name not in names}
        if schema.type is not Type.STRUCT:
            return schema, value
        bound = self._bound_to(schema, names)
        if bound is None:
            return schema, value
        after, fill = bound
        left = {name: item for name, item in value.items() if after.field(name) is not None}
        if fill is not None:
            fill(left)
        return after, left

    def _bound_to(self, schema: Schema, names: frozenset[str]) -> tuple[Schema, Edit | None] | None:
        key = (schema, names)
        if key not in self._bound:
            if len(self._bound) >= _MAX_SCHEMAS:
                self._bound.clear()
            self._bound[key] = self._bind(schema, names)
        return self._bound[key]

    def _bind(self, schema: Schema, names: frozenset[str]) -> tuple[Schema, Edit | None] | None:
        dropped = names
        if self._only_optional:
            dropped = frozenset(f.name for f in schema.fields if f.name in names and f.schema.optional)
            if not dropped:
                return None
        builder = copy_basics(schema)
        for field in schema.fields:
            if field.name not in dropped:
                builder.field(field.name, field.schema)
        after = builder.build()
        return after, defaults_filler(after)
