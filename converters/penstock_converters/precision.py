"""``timestamp.precision``: how fine the timestamps are that a converter writes and reads. A setting of penstock's own.

Connect's Timestamp counts milliseconds, and so do the converters unless they are told otherwise. What is finer than
the precision asked for is cut off, down to the number before, as it always was at milliseconds.
"""

from __future__ import annotations

import datetime as dt
import enum
from typing import Any, Final

from penstock.config import ConfigDef, ConfigType, Importance
from penstock.config.validators import ValidString
from penstock.data import Schema, Type, java_class_name
from penstock.data.logical import TIMESTAMP_NAME, beyond_python, timestamp_from_millis, timestamp_to_millis
from penstock.data.nanos import (
    timestamp_from_micros,
    timestamp_from_nanos,
    timestamp_to_micros,
    timestamp_to_nanos,
)
from penstock.errors import DataError

__all__ = ["SEMANTIC_NAMES", "TIMESTAMP_PRECISION", "Instants", "Precision", "define_precision"]

TIMESTAMP_PRECISION: Final = "timestamp.precision"
_TO: Final = (timestamp_to_millis, timestamp_to_micros, timestamp_to_nanos)
_FROM: Final = (timestamp_from_millis, timestamp_from_micros, timestamp_from_nanos)


class Precision(enum.Enum):
    """The unit that a timestamp's number counts."""

    MILLISECONDS = "milliseconds"
    MICROSECONDS = "microseconds"
    NANOSECONDS = "nanoseconds"

    @classmethod
    def of(cls, values: Any) -> Precision:
        """Return the precision that a converter's parsed settings ask for."""
        return cls(values[TIMESTAMP_PRECISION])

    # Members are singletons: hashing by identity is faster than enum's.
    __hash__ = object.__hash__

    @property
    def is_finer(self) -> bool:
        """Finer than Connect's own?"""
        return self is not Precision.MILLISECONDS

    def instant(self, number: int) -> dt.datetime:
        """`number` since the epoch as a datetime in UTC. A `DataError` outside the years 1 to 9999."""
        return _FROM[_ORDER[self]](number)

    def count(self, value: Any) -> int:
        """A Timestamp's value as a number of 64 bits since the epoch.

        A `DataError` for what is no such value, has no timezone, or is too far away: plain numbers, which stand for
        milliseconds that Python's datetimes cannot hold, are so for the finer precisions, whose readers could not give
        them back.
        """
        if isinstance(value, dt.datetime):
            number = _TO[_ORDER[self]](value)
            if -(2**63) <= number < 2**63:
                return number
            raise DataError(
                f"Timestamp {value.isoformat()} is too far from 1970 for {self.value} in 64 bits, which reach from"
                " 1677-09-21 to 2262-04-11"
            )
        if not beyond_python(TIMESTAMP_NAME, value) or not -(2**63) <= value < 2**63:
            raise DataError(f"Invalid type for Timestamp, expected Date but was class {java_class_name(value)}")
        if not self.is_finer:
            return int(value)
        return self.count(timestamp_from_millis(value))  # raises: it says what the limits are


#: The names of schemas of finer timestamps, in the place of Connect's own name for a timestamp: the names that
#: Debezium's connectors gave them (``io.debezium.time``, version 1), which sinks know.
SEMANTIC_NAMES: Final = {
    Precision.MICROSECONDS: "io.debezium.time.MicroTimestamp",
    Precision.NANOSECONDS: "io.debezium.time.NanoTimestamp",
}
_BY_NAME: Final = {name: precision for precision, name in SEMANTIC_NAMES.items()}


class Instants:
    """The Timestamps among one document's schemas whose numbers are finer than milliseconds.

    Connect's schema of a Timestamp does not tell, so they are kept apart, by the schemas' identity. Not for use by
    several threads at once while schemas are added.
    """

    def __init__(self) -> None:
        self._known_schemas: dict[int, tuple[Schema, Precision]] = {}

    def adopt(self, schema: Schema) -> Schema:
        """A Timestamp for a number under one of the finer names, every other schema as it is."""
        precision = _BY_NAME.get(schema.name or "")
        if precision is None or schema.type is not Type.INT64:
            return schema
        return self.keep(schema.replace(name=TIMESTAMP_NAME, version=1), precision)

    def keep(self, schema: Schema, precision: Precision) -> Schema:
        if precision.is_finer:
            self._known_schemas[id(schema)] = (schema, precision)
        return schema

    def of(self, schema: Schema) -> Precision:
        known = self._known_schemas.get(id(schema))
        return known[1] if known is not None else Precision.MILLISECONDS


_ORDER: Final = {precision: place for place, precision in enumerate(Precision)}


def define_precision(definition: ConfigDef, *, internal: bool = False) -> ConfigDef:
    """Add the setting. With `internal` the validate endpoint shows it only where it is given: for the classes whose
    answers are compared with Kafka's."""
    return definition.define(
        TIMESTAMP_PRECISION, ConfigType.STRING, Precision.MILLISECONDS.value, importance=Importance.LOW,
        doc="How fine timestamps are: milliseconds as in Kafka Connect, microseconds or nanoseconds.",
        validator=ValidString(*(precision.value for precision in Precision)), internal=internal,
    )  # fmt: skip
