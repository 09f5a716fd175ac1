"""Rows out of change events: what `ExtractNewRecordState` makes of the events of one schema."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from penstock.api import LEFT_TO_APPLY, BoundTransform, NewPart, Shape
from penstock.data import Header, Schema, Type
from penstock.errors import ConnectError, DataError
from penstock_transforms.blame import MISFITS, blame_part
from penstock_transforms.debezium.envelope import (
    AFTER,
    BEFORE,
    refusing,
    typed_field_of,
)
from penstock_transforms.debezium.row_making import (
    PURPOSE,
    Addition,
    Deletes,
    Make,
    Plan,
    Rows,
    additions_of,
    extended,
    header_additions,
    plain_rows,
    row_schema,
    rows_of,
    rows_with_additions,
)
from penstock_transforms.requirements import not_a_struct

__all__ = ["bind_events"]


def bind_events(plan: Plan, shape: Shape, tombstone: Callable[[Any], Any]) -> BoundTransform:
    """Tie to records whose values are events of the shape's value schema, or maps without one. `tombstone` takes nulls."""
    envelope = shape.value_schema
    after, before = row_schema(envelope, AFTER), row_schema(envelope, BEFORE)
    headers, no_headers = header_additions(plan, envelope)
    take_row, unaddable = rows_with_additions(plan, envelope, after)
    take_delete = _deletes(plan, envelope, before, after)
    drop = plan.drop
    new_topic, old_topic = _router(plan.route, plain_rows(plan, after).schema), _router(plan.route, before)

    def apply(record: Any) -> Any:
        event = record.value
        if event is None:
            return tombstone(record)
        if not isinstance(event, dict):
            raise not_a_struct(PURPOSE, event, envelope)
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
    if plan.route or plan.headers or (after is None and envelope is not None):
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
    rows, unaddable = rows_with_additions(plan, envelope, before, "true")

    def add_at_once(record: Any, event: Any, old: Any, topic: Callable[[Any, Any], None] | None) -> Any:
        record = _rewritten(record, event, old, topic, rows)
        if unaddable is not None:
            unaddable()
        return record

    if drop is None or unaddable is not None:
        return add_at_once
    # Debezium drops fields before it adds some: a header that names __op leaves it there.
    rows, late = rows_of(plan, before, (), "true"), _LateAdditions(additions_of(envelope, plan.fields))

    def rewrite(record: Any, event: Any, old: Any, topic: Callable[[Any, Any], None] | None) -> Any:
        record = _rewritten(record, event, old, topic, rows)
        return late.add(drop.apply(record), event)

    return rewrite


def _rewritten(record: Any, event: Any, old: Any, topic: Callable[[Any, Any], None] | None, rows: Rows) -> Any:
    record.value_schema, record.value = rows.schema, rows.make(event, old)
    if topic is not None:
        topic(record, old)
    return record


class _LateAdditions:
    """Adds parts of the event to rows whose schema depends on the record."""

    def __init__(self, additions: Sequence[Addition]) -> None:
        self.additions_of = additions
        self._schemas: dict[Schema, Schema] = {}

    def add(self, record: Any, event: dict[str, Any]) -> Any:
        schema = record.value_schema
        if schema is not None:
            if len(self._schemas) >= 1000:  # as many as headers can name
                self._schemas.clear()
            if schema not in self._schemas:
                self._schemas[schema] = extended(schema, False, self.additions_of)
            record.value_schema = self._schemas[schema]
        record.value = {**record.value, **{name: get(event) for name, _, get in self.additions_of}}
        return record


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
