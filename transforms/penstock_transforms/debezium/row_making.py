"""The making of rows out of change events: the settings, what is added to rows and headers, and the new schemas."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, NoReturn

from penstock.data import OPTIONAL_STRING, Schema, Type
from penstock.errors import ConnectError
from penstock_transforms.debezium.dropped_fields import FieldsFromHeader
from penstock_transforms.debezium.envelope import OP, Get, field_of, plain_struct, rebuilt, refusing
from penstock_transforms.debezium.event_fields import EventField
from penstock_transforms.operating import Edit, defaults_filler
from penstock_transforms.requirements import not_a_struct

__all__ = [
    "PURPOSE",
    "Addition",
    "Deletes",
    "Make",
    "Plan",
    "Rows",
    "additions_of",
    "extended",
    "header_additions",
    "plain_rows",
    "row_schema",
    "rows_of",
    "rows_with_additions",
]

PURPOSE: Final = "source field insertion"
_DELETED: Final = "__deleted"

#: Takes an event and the row in it; gives the new value.
Make = Callable[[dict[str, Any], Any], dict[str, Any]]
#: A part of the event by the name it gets: its schema (None beside no schema) and how to read it.
Addition = tuple[str, Schema | None, Get]


class Deletes(enum.Enum):
    """The treatment of the event of a deleted row."""

    DROP = "drop"
    #: The value becomes null, its schema stays that of the row.
    NULL = "null"
    #: Value and schema become null.
    TOMBSTONE = "tombstone"
    REWRITE = "rewrite"


class Plan(NamedTuple):
    """The settings of the transform."""

    deletes: Deletes
    keeps_tombstones: bool
    fill: bool
    fields: Sequence[EventField]
    headers: Sequence[EventField]
    route: str
    drop: FieldsFromHeader | None

    @property
    def rewrites(self) -> bool:
        return self.deletes is Deletes.REWRITE


class Rows(NamedTuple):
    """A way to make a row's value. `schema` is what it has then; `copies`: nobody else holds what comes out."""

    schema: Schema | None
    make: Make
    copies: bool


def rows_of(plan: Plan, schema: Schema | None, additions: Sequence[Addition], deleted: str = "false") -> Rows:
    """Return the way of the rows of `schema`: marked if the plan says so, with `additions`."""
    mark = deleted if plan.rewrites else None
    if schema is not None and schema.type is not Type.STRUCT:
        return Rows(schema, lambda _event, row: plain_struct(row, PURPOSE, schema), False)
    fill = defaults_filler(schema) if mark is not None and plan.fill else None
    after = None if schema is None else extended(schema, mark is not None, additions)
    if mark is None and not additions:
        return Rows(after, lambda _event, row: plain_struct(row, PURPOSE, schema), False)
    return Rows(after, _maker(schema, fill, mark, [(name, get) for name, _, get in additions]), True)


def rows_with_additions(
    plan: Plan, envelope: Schema | None, schema: Schema | None, deleted: str = "false"
) -> tuple[Rows, Callable[[], NoReturn] | None]:
    """Return the way of rows with the parts that the plan adds. If these cannot be added, the way goes without, and what raises
    the error comes too: other records of the schema may do without them."""
    try:
        if envelope is not None:
            field_of(envelope, OP)
        return rows_of(plan, schema, additions_of(envelope, plan.fields), deleted), None
    except ConnectError as error:
        return plain_rows(plan, schema), refusing(error)


def plain_rows(plan: Plan, schema: Schema | None) -> Rows:
    """Return the way of rows without anything added by the plan, but the mark if the row can take it."""
    try:
        return rows_of(plan, schema, ())
    except ConnectError:
        return rows_of(plan._replace(deletes=Deletes.DROP), schema, ())


def _maker(schema: Schema | None, fill: Edit | None, mark: str | None, reads: Sequence[tuple[str, Get]]) -> Make:
    def make(event: dict[str, Any], row: Any) -> dict[str, Any]:
        if not isinstance(row, dict):
            raise not_a_struct(PURPOSE, row, schema)
        value = dict(row)
        if fill is not None:
            fill(value)
        if mark is not None:
            value[_DELETED] = mark
        for name, get in reads:
            value[name] = get(event)
        return value

    return make


def extended(schema: Schema, marked: bool, additions: Sequence[Addition]) -> Schema:
    """Return the schema of a row with ``__deleted``, if it is marked, and the additions. Raise `SchemaBuilderError` for a name twice."""
    builder = rebuilt(schema)
    if marked:
        builder.field(_DELETED, OPTIONAL_STRING)
    for name, added, _ in additions:
        assert added is not None  # beside a schema each has one
        builder.field(name, added)
    return builder.build()


def row_schema(envelope: Schema | None, part: str) -> Schema | None:
    """Return the schema of the row before or after a change; None beside no schema, and where events have no such row."""
    field = None if envelope is None else envelope.field(part)
    return None if field is None else field.schema


def additions_of(envelope: Schema | None, fields: Sequence[EventField], whole: bool = False) -> list[Addition]:
    """Return those parts that events have, bound to their schema; `whole` as in `EventField.bound_to`, which says what is raised."""
    if envelope is None:
        return [(field.name, None, field.value_in) for field in fields]
    bound = ((field.name, field.bound_to(envelope, whole)) for field in fields)
    return [(name, *found) for name, found in bound if found is not None]


def header_additions(plan: Plan, envelope: Schema | None) -> tuple[list[Addition], Callable[[], NoReturn] | None]:
    """Return the parts that become headers, and what raises the error for each event if they cannot."""
    try:
        return additions_of(envelope, plan.headers, whole=True), None
    except ConnectError as error:
        return [], refusing(error)
