"""Source partitions and offsets in the form of the JVM's connector (``OffsetProtocols``, ``TimestampIncrementingOffset``)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from penstock.errors import ConnectError
from penstock_connectors.jdbc.tables import TableId

__all__ = ["QUERY_PARTITION", "Offset", "table_partition", "timestamp_offset", "v0_partition"]

INCREMENTING: Final = "incrementing"
TIMESTAMP: Final = "timestamp"
NANOS: Final = "timestamp_nanos"
QUERY_PARTITION: Final = {"query": "query"}


def table_partition(table: TableId) -> dict[str, str]:
    """Return the partition that offsets of `table` are kept under."""
    return {"protocol": "1", "table": table.fqn}


def v0_partition(table: TableId) -> dict[str, str]:
    """Return the partition of old releases, which is looked up if the other has no offset, and never written."""
    return {"table": table.name}


@dataclass(frozen=True, slots=True)
class Offset:
    """A place to go on after: an id, an instant in microseconds, or both; None where there is none."""

    incrementing: int | None = None
    micros: int | None = None

    @classmethod
    def of_map(cls, offset: Mapping[str, Any] | None) -> Offset:
        """Return the offset that a connector committed. Raise `ConnectError` for one that is not a JDBC source's."""
        if not offset:
            return cls()
        numbers = {name: offset.get(name) for name in (INCREMENTING, TIMESTAMP, NANOS)}
        for name, value in numbers.items():
            if value is not None and (not isinstance(value, int) or isinstance(value, bool)):
                raise ConnectError(f"The committed offset has {name}={value!r}; expected a whole number")
        millis, nanos = numbers[TIMESTAMP], numbers[NANOS]
        if millis is None:
            return cls(numbers[INCREMENTING])
        # The nanoseconds are those of the whole second, the milliseconds among them.
        micros = millis * 1000 if nanos is None else millis // 1000 * 1_000_000 + nanos // 1000
        return cls(numbers[INCREMENTING], micros)

    def to_map(self) -> dict[str, int]:
        """Return the offset as it is committed."""
        found = {} if self.incrementing is None else {INCREMENTING: self.incrementing}
        return found if self.micros is None else {**timestamp_offset(self.micros), **found}

    @property
    def after_id(self) -> int:
        """Return the id that rows must be above."""
        return -1 if self.incrementing is None else self.incrementing

    @property
    def after_micros(self) -> int:
        """Return the instant that rows must be later than."""
        return 0 if self.micros is None else self.micros


def timestamp_offset(micros: int) -> dict[str, int]:
    """Return the part of an offset that tells an instant."""
    return {NANOS: micros % 1_000_000 * 1000, TIMESTAMP: micros // 1000}
