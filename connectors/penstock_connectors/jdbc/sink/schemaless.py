"""Records without a schema: each member of an object goes to the column of its name, as the type that the table has there.

Such a record gets a schema of fields that have no type of their own (`ANYTHING`), one for each set of members, so that a
member that is absent keeps its column's default.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import copy
from typing import Any, Final

from penstock.data import Field, Schema, SinkRecord, Type

__all__ = ["ANYTHING", "Schemaless"]

#: The name of the schema of a value whose column says what it is.
ANYTHING: Final = "io.penstock.jdbc.Anything"
_FIELD: Final = Schema(Type.STRING, True, ANYTHING)


class Schemaless:
    """Gives records without a schema one. For one thread."""

    _LIMIT: Final = 1000

    def __init__(self) -> None:
        self._schemas: dict[tuple[str, ...], Schema] = {}

    def with_schemas(self, records: Sequence[SinkRecord]) -> list[SinkRecord]:
        """Return the records, copies in the places of those whose key or value has no schema."""
        return [self._typed(record) for record in records]

    def _typed(self, record: SinkRecord) -> SinkRecord:
        key = record.key_schema or self._schema(record.key)
        value = record.value_schema or (self._schema(record.value) if isinstance(record.value, dict) else None)
        if key is record.key_schema and value is record.value_schema:
            return record
        made = copy(record)
        made.key_schema, made.value_schema = key, value
        return made

    def _schema(self, value: Any) -> Schema | None:
        if value is None:
            return None
        if not isinstance(value, dict):
            return _FIELD
        names = tuple(value)
        known = self._schemas.get(names)
        if known is None:
            if len(self._schemas) >= self._LIMIT:
                self._schemas.clear()
            fields = [Field(str(name), index, _FIELD) for index, name in enumerate(names)]
            known = self._schemas[names] = Schema(Type.STRUCT, fields=fields)
        return known
