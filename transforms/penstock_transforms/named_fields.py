"""Drops fields that a header of the record names."""

from __future__ import annotations

from typing import Any, Final

from penstock.data import Schema, Type
from penstock.errors import DataError
from penstock_transforms.levels import copy_basics
from penstock_transforms.requirements import class_of

__all__ = ["FieldsFromHeader"]

_MAX_SCHEMAS: Final = 1000


class FieldsFromHeader:
    """`apply` puts new dicts in the place of the record's value, and key if asked; the record is the caller's own."""

    def __init__(self, header: str, from_key: bool, only_optional: bool) -> None:
        self._header = header
        self._from_key = from_key
        self._only_optional = only_optional
        self._schemas: dict[tuple[Schema, frozenset[str]], Schema] = {}

    def apply(self, record: Any) -> Any:
        header = record.headers.last_with_name(self._header)
        if header is None:
            return record
        names = header.value
        if not isinstance(names, list) or not all(isinstance(name, str) for name in names):
            raise DataError(f"Header {self._header} has to hold a list of field names, found {class_of(names)}")
        wanted = frozenset(names)
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
        after = self._schemas.get((schema, names))
        if after is None:
            if len(self._schemas) >= _MAX_SCHEMAS:
                self._schemas.clear()
            after = self._schemas[schema, names] = self._schema_without(schema, names)
        return after, {name: item for name, item in value.items() if after.field(name) is not None}

    def _schema_without(self, schema: Schema, names: frozenset[str]) -> Schema:
        builder = copy_basics(schema)
        for field in schema.fields:
            if field.name not in names or (self._only_optional and not field.schema.optional):
                builder.field(field.name, field.schema)
        return builder.build()
