"""Checks that a registered schema says of timestamps what ``timestamp.precision`` makes of them."""

from __future__ import annotations

from penstock.data import Schema, Type
from penstock.data.logical import TIMESTAMP_NAME
from penstock.errors import DataError
from penstock_converters.precision import TIMESTAMP_PRECISION, Instants, Precision

__all__ = ["check_precision"]


def check_precision(own: Schema, registered: Schema, instants: Instants, precision: Precision) -> None:
    """Refuse to write timestamps of `own` under a schema by which they would be read as something else.

    JSON is written by the data's own schema, so that the registered one has no say in the numbers. Raises `DataError`
    naming the field. What `registered` does not call a timestamp is left alone.
    """
    _check(own, registered, instants, precision, "", set())


def _check(
    own: Schema | None,
    other: Schema | None,
    instants: Instants,
    precision: Precision,
    path: str,
    seen: set[tuple[int, int]],
) -> None:
    if own is None or other is None or (id(own), id(other)) in seen:
        return
    seen.add((id(own), id(other)))
    if own.name == TIMESTAMP_NAME and other.name == TIMESTAMP_NAME:
        met = instants.of(other)
        if met is not precision:
            error = DataError(
                f"The registered schema has timestamps in {met.value}, and {TIMESTAMP_PRECISION}={precision.value} would"
                f" write {precision.value} under it; set {TIMESTAMP_PRECISION}={met.value}, or register a schema with the"
                " finer timestamps"
            )
            if path:
                error.add_note(f"Field: {path}")
            raise error
    if own.type is not other.type:
        return
    if own.type is Type.STRUCT:
        for member in own.fields:
            field = other.field(member.name)
            inner = f"{path}.{member.name}" if path else member.name
            _check(member.schema, field and field.schema, instants, precision, inner, seen)
    else:
        _check(own.key_schema, other.key_schema, instants, precision, f"{path}{{key}}", seen)
        _check(own.value_schema, other.value_schema, instants, precision, f"{path}[]", seen)
