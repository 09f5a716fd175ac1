"""Parts of a Debezium change event that go into the row or its headers: ``op``, ``source.table``, ``lsn:position``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

from penstock.data import Schema, Type
from penstock.errors import ConfigError, DataError
from penstock_transforms.requirements import require_map_or_null

__all__ = ["EventField"]

#: The parts looked for in the event itself if no struct stands before them; all others stand in ``source``.
_OF_EVENT: Final = frozenset({"op", "ts_ms", "ts_us", "ts_ns"})
_OF_TRANSACTION: Final = frozenset({"id", "data_collection_order", "total_order"})


class EventField(NamedTuple):
    """One such part: its struct within the event (None: the event itself), its field there, its name in the result."""

    struct: str | None
    field: str
    name: str

    @classmethod
    def parse(cls, text: str, prefix: str, setting: str) -> Self:
        path, _, new_name = text.strip().partition(":")
        steps = path.split(".")
        if not all(steps) or len(steps) > 2 or (":" in text and not new_name):
            raise ConfigError(setting, text, "a part is written field, struct.field, or either with :name behind it")
        if len(steps) == 2:
            struct, field = steps
            return cls(struct, field, prefix + (new_name or f"{struct}_{field}"))
        return cls(_struct_of(path), path, prefix + (new_name or path))

    def schema_in(self, envelope: Schema) -> Schema:
        """The part's schema, optional. A `DataError` if events of this schema have no such part."""
        inside: Schema | None = envelope
        if self.struct is not None:
            parent = envelope.field(self.struct)
            inside = None if parent is None else parent.schema
        found = inside.field(self.field) if inside is not None and inside.type is Type.STRUCT else None
        if found is None:
            where = self.struct or "the event"
            raise DataError(f"Unexpected field name: {self.field}; {where} of {envelope!r} has no such field")
        return found.schema.replace(optional=True, default=None)

    def value_in(self, event: Mapping[str, Any]) -> Any:
        """Return the field's value; None if the struct is null: snapshots have no transaction."""
        inside = event if self.struct is None else require_map_or_null(event.get(self.struct), "added field")
        return None if inside is None else inside.get(self.field)


def _struct_of(field: str) -> str | None:
    if field in _OF_EVENT:
        return None
    return "transaction" if field in _OF_TRANSACTION else "source"
