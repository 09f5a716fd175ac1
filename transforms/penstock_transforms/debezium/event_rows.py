"""Rows out of change events: what `ExtractNewRecordState` makes of the events of one schema."""

from __future__ import annotations

import enum
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple, NoReturn

from penstock.api import LEFT_TO_APPLY, BoundTransform, NewPart, Shape
from penstock.data import OPTIONAL_STRING, Header, Schema, Type
from penstock.errors import ConnectError, DataError
from penstock_transforms.blame import MISFITS, blame_part
from penstock_transforms.debezium.dropped_fields import FieldsFromHeader
from penstock_transforms.debezium.envelope import (
    AFTER,
    BEFORE,
    OP,
    Get,
    field_of,
    plain_struct,
    rebuilt,
    refusing,
    typed_field_of,
)
from penstock_transforms.debezium.event_fields import EventField
from penstock_transforms.operating import Edit, defaults_filler
from penstock_transforms.requirements import not_a_struct

__all__ = ["Deletes", "Plan", "bind_events"]

_PURPOSE: Final = "source field insertion"
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


def bind_events(plan: Plan, shape: Shape, tombstone: Callable[[Any], Any]) -> BoundTransform:
    """Tie to records whose values are events of the shape's value schema, or maps without one. `tombstone` takes nulls.

    Raise a `DataError` if no event of that schema can be handled.
    """
    envelope = shape.value_schema
    after, before = _row_schema(envelope, AFTER), _row_schema(envelope, BEFORE)
    headers, no_headers = _header_additions(plan, envelope)
    take_row, unaddable = _rows_with_additions(plan, envelope, after)
    take_delete = _deletes(plan, envelope, before, after)
    drop = plan.drop
    new_topic, old_topic = _router(plan.route, _plain_rows(plan, after).schema), _router(plan.route, before)

    def apply(record: Any) -> Any:
        event = record.value
        if event is None:
            return tombstone(record)
        if not isinstance(event, dict):
            raise not_a_struct(_PURPOSE, event, envelope)
        if no_headers is not None:
            no_headers()
        try:
            if headers:
                _add_headers(record, event, headers)
            row = event.get(AFTER)
            if (row is None or after is None) and envelope is not None:
                _require_rows(after, before)
            if row is None:
                old = event.get(BEFORE)
                # A truncated table or a message has neither; nobody wants deletes where there is nothing to take them.
                return None if old is None or take_delete is None else take_delete(record, event, old, old_topic)
            value = record.value = take_row.make(event, row)
            record.value_schema = take_row.schema
            if new_topic is not None:
                new_topic(record, value)
            if unaddable is not None:
                unaddable()
            return record if drop is None else drop.apply(record)
        except MISFITS as error:
            raise blame_part(error, "value") from error

    bound = BoundTransform(
        apply,
        _shape_after(plan, shape, take_row.schema, before == after),
        writes=frozenset({"record", "headers"} if plan.headers else {"record"}),
    )
    if drop is not None or unaddable is not None:
        return bound._replace(shape=None, replaces=frozenset({"key", "value"}))
    value_alone = frozenset({"value"})
    bound = bound._replace(owns=value_alone) if take_row.copies else bound._replace(replaces=value_alone)
    if plan.route or plan.headers:
        return bound
    return bound._replace(new_part=_row_alone(take_row.make, shape._replace(value_schema=take_row.schema)))


def _require_rows(after: Schema | None, before: Schema | None) -> None:
    if after is None or before is None:
        raise DataError(f"Unknown field: {AFTER if after is None else BEFORE}")


def _row_alone(make: Make, after: Shape) -> NewPart:
    """Return the way of events that hold a row; all others need more than another value."""

    def take(event: Any) -> Any:
        row = event[AFTER]
        return LEFT_TO_APPLY if row is None else make(event, row)

    return NewPart("value", take, keeps_null=True, shape=after)


def _shape_after(plan: Plan, shape: Shape, schema: Schema | None, alike: bool) -> Shape | None:
    """Return the shape of the new records; None if it depends on the record."""
    if plan.route or plan.drop is not None:
        return None
    if shape.value_schema is None:
        return shape
    if plan.deletes in (Deletes.NULL, Deletes.TOMBSTONE) or plan.keeps_tombstones or (plan.rewrites and not alike):
        return None  # a null has another schema than a row
    return shape._replace(value_schema=schema)


class _Rows(NamedTuple):
    """A way to make a row's value. `schema` is what it has then; `copies`: nobody else holds what comes out."""

    schema: Schema | None
    make: Make
    copies: bool


def _rows(plan: Plan, schema: Schema | None, additions: Sequence[Addition], deleted: str = "false") -> _Rows:
    """Return the way of the rows of `schema`: marked if the plan says so, with `additions`."""
    mark = deleted if plan.rewrites else None
    if schema is not None and schema.type is not Type.STRUCT:
        return _Rows(schema, lambda _event, row: plain_struct(row, _PURPOSE, schema), False)
    fill = defaults_filler(schema) if mark is not None and plan.fill else None
    after = None if schema is None else _extended(schema, mark is not None, additions)
    if mark is None and not additions:
        return _Rows(after, lambda _event, row: plain_struct(row, _PURPOSE, schema), False)
    return _Rows(after, _maker(schema, fill, mark, [(name, get) for name, _, get in additions]), True)


def _rows_with_additions(
    plan: Plan, envelope: Schema | None, schema: Schema | None, deleted: str = "false"
) -> tuple[_Rows, Callable[[], NoReturn] | None]:
    """Return the way of rows with the parts that the plan adds. If these cannot be added, the way goes without, and what raises
    the error comes too: other records of the schema may do without them."""
    try:
        if envelope is not None:
            field_of(envelope, OP)
        return _rows(plan, schema, _additions(envelope, plan.fields), deleted), None
    except ConnectError as error:
        return _plain_rows(plan, schema), refusing(error)


def _plain_rows(plan: Plan, schema: Schema | None) -> _Rows:
    """Return the way of rows without anything added by the plan, but the mark if the row can take it."""
    try:
        return _rows(plan, schema, ())
    except ConnectError:
        return _rows(plan._replace(deletes=Deletes.DROP), schema, ())


def _maker(schema: Schema | None, fill: Edit | None, mark: str | None, reads: Sequence[tuple[str, Get]]) -> Make:
    def make(event: dict[str, Any], row: Any) -> dict[str, Any]:
        if not isinstance(row, dict):
            raise not_a_struct(_PURPOSE, row, schema)
        value = dict(row)
        if fill is not None:
            fill(value)
        if mark is not None:
            value[_DELETED] = mark
        for name, get in reads:
            value[name] = get(event)
        return value

    return make


def _extended(schema: Schema, marked: bool, additions: Sequence[Addition]) -> Schema:
    builder = rebuilt(schema)
    if marked:
        builder.field(_DELETED, OPTIONAL_STRING)
    for name, added, _ in additions:
        assert added is not None  # beside a schema each has one
        builder.field(name, added)
    return builder.build()


#: Takes the record, the event, the row in it, and what finds its topic; gives the record.
TakeDelete = Callable[[Any, dict[str, Any], Any, Callable[[Any, Any], None] | None], Any]


def _deletes(plan: Plan, envelope: Schema | None, before: Schema | None, after: Schema | None) -> TakeDelete | None:
    """Return what takes deletes; None if they are dropped."""
    if plan.deletes is Deletes.DROP:
        return None
    drop = plan.drop
    if not plan.rewrites:
        left = after if plan.deletes is Deletes.NULL else None

        def forget(record: Any, _event: Any, old: Any, topic: Callable[[Any, Any], None] | None) -> Any:
            if topic is not None:
                topic(record, old)
            record.value_schema, record.value = left, None
            return record if drop is None else drop.apply(record)

        return forget
    rows, unaddable = _rows_with_additions(plan, envelope, before, "true")

    def add_at_once(record: Any, event: Any, old: Any, topic: Callable[[Any, Any], None] | None) -> Any:
        record = _rewritten(record, event, old, topic, rows)
        if unaddable is not None:
            unaddable()
        return record

    if drop is None or unaddable is not None:
        return add_at_once
    # Debezium drops fields before it adds some: a header that names __op leaves it there.
    rows, late = _rows(plan, before, (), "true"), _LateAdditions(_additions(envelope, plan.fields))

    def rewrite(record: Any, event: Any, old: Any, topic: Callable[[Any, Any], None] | None) -> Any:
        record = _rewritten(record, event, old, topic, rows)
        return late.add(drop.apply(record), event)

    return rewrite


def _rewritten(record: Any, event: Any, old: Any, topic: Callable[[Any, Any], None] | None, rows: _Rows) -> Any:
    record.value_schema, record.value = rows.schema, rows.make(event, old)
    if topic is not None:
        topic(record, old)
    return record


class _LateAdditions:
    """Adds parts of the event to rows whose schema depends on the record."""

    def __init__(self, additions: Sequence[Addition]) -> None:
        self._additions = additions
        self._schemas: dict[Schema, Schema] = {}

    def add(self, record: Any, event: dict[str, Any]) -> Any:
        schema = record.value_schema
        if schema is not None:
            if len(self._schemas) >= 1000:  # as many as headers can name
                self._schemas.clear()
            if schema not in self._schemas:
                self._schemas[schema] = _extended(schema, False, self._additions)
            record.value_schema = self._schemas[schema]
        record.value = {**record.value, **{name: get(event) for name, _, get in self._additions}}
        return record


def _row_schema(envelope: Schema | None, part: str) -> Schema | None:
    """Return the schema of the row before or after a change; None beside no schema, and where events have no such row."""
    field = None if envelope is None else envelope.field(part)
    return None if field is None else field.schema


def _additions(envelope: Schema | None, fields: Sequence[EventField], whole: bool = False) -> list[Addition]:
    if envelope is None:
        return [(field.name, None, field.value_in) for field in fields]
    bound = ((field.name, field.bound_to(envelope, whole)) for field in fields)
    return [(name, *found) for name, found in bound if found is not None]


def _header_additions(plan: Plan, envelope: Schema | None) -> tuple[list[Addition], Callable[[], NoReturn] | None]:
    """Return the parts that become headers, and what raises the error for each event if they cannot."""
    try:
        return _additions(envelope, plan.headers, whole=True), None
    except ConnectError as error:
        return [], refusing(error)


def _add_headers(record: Any, event: dict[str, Any], headers: Sequence[Addition]) -> None:
    for name, schema, get in headers:
        record.headers.append(Header(name, schema, get(event)))


def _router(field: str, schema: Schema | None) -> Callable[[Any, Any], None] | None:
    """Return what gives a record the topic that its row's `field` names; one that is null or blank leaves the topic alone."""
    if not field:
        return None
    if schema is not None:
        try:
            typed_field_of(schema, field, Type.STRING)
        except ConnectError as error:
            return refusing(error)

    def route(record: Any, row: Any) -> None:
        topic = row.get(field) if isinstance(row, dict) else None
        if topic is not None and not isinstance(topic, str):
            raise DataError(f"Field '{field}' is not of type {Type.STRING.name}")
        if topic and topic.strip():
            record.topic = topic

    return route
