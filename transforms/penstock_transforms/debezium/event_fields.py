"""Parts of a change event that are added to its row or its headers: ``op``, ``source.table``, ``lsn:position``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, NamedTuple, Self

from penstock.data import Schema, Type
from penstock.errors import ConfigError, DataError
from penstock_transforms.debezium.envelope import Get
from penstock_transforms.levels import copy_basics
from penstock_transforms.requirements import require_map_or_null

__all__ = ["EventField", "split_as_java"]

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
        """Read ``field``, ``struct.field``, or either with ``:name`` behind it. What stands behind a second dot is ignored.

        Raise a `ConfigError` that names `setting` for anything else.
        """
        parts = split_as_java(text.strip(), ":")
        steps = split_as_java(parts[0], ".") if parts else []
        if not steps or len(parts) > 2:
            problem = "a part is written field, struct.field, or either with :name behind it"
            raise ConfigError(setting, text, f"Unexpected field name: {text}; {problem}")
        field = steps[0] if len(steps) == 1 else steps[1]
        struct = _struct_of(field) if len(steps) == 1 else steps[0]
        given = field if len(steps) == 1 else f"{struct}_{field}"
        return cls(struct, field, prefix + (parts[1] if len(parts) == 2 else given))

    def bound_to(self, envelope: Schema, whole: bool = False) -> tuple[Schema, Get] | None:
        """Return the part's schema, made optional, and the function that reads it from an event; None if there is no such part.

        A part that its struct lacks is looked for in the event itself. A struct cannot become a field of the row; only
        with `whole`, for headers, is it given. Raise a `DataError` if events of this schema lack the struct.
        """
        holder = envelope
        if self.struct is not None:
            member = envelope.field(self.struct)
            if member is None:
                raise DataError(
                    f"{self.struct} is not a valid field name: no field of {envelope!r}, looking for {self.field}"
                )
            holder = member.schema
        found = holder.field(self.field)
        inside = found is not None
        if found is None:
            found = envelope.field(self.field)
        if found is None:
            return None
        get = self._getter(inside)
        if found.schema.type is not Type.STRUCT:
            return copy_basics(found.schema).optional().build(), get
        if whole:
            return found.schema.replace(optional=True, default=None), get
        return copy_basics(found.schema).optional().build(), _null_alone(get)

    def value_in(self, event: Mapping[str, Any]) -> Any:
        """Return the part of an event without schema; None if there is none."""
        if self.struct is None:
            return event.get(self.field)
        inside = require_map_or_null(event.get(self.struct), "added field")
        return None if inside is None else inside.get(self.field)

    def _getter(self, inside: bool) -> Get:
        struct, field = self.struct, self.field
        if struct is None:
            return lambda event: event.get(field)
        if inside:
            return lambda event: None if (part := event.get(struct)) is None else part.get(field)
        return lambda event: None if event.get(struct) is None else event.get(field)


def _null_alone(get: Get) -> Get:
    def check(event: dict[str, Any]) -> None:
        if get(event) is not None:
            raise DataError("Struct schemas do not match.")

    return check


def _struct_of(field: str) -> str | None:
    if field in _OF_EVENT:
        return None
    if field == "updateDescription":  # MongoDB's
        return field
    return "transaction" if field in _OF_TRANSACTION else "source"


def split_as_java(text: str, separator: str) -> list[str]:
    """``Pattern.split``: empty parts at the end do not count, unless there is but one part."""
    parts = text.split(separator)
    if len(parts) > 1:
        while parts and not parts[-1]:
            parts.pop()
    return parts
