"""A sink task's part of exactly once into a database: where partitions begin, and offsets in the rows' transaction.

This upholds Delivery 10. (docs/delivery.md).
"""

from __future__ import annotations

import logging
import uuid
from collections.abc import Mapping, Sequence
from typing import Final

from penstock.api import SinkTaskContext, TopicPartition
from penstock.data import SinkRecord
from penstock.errors import ConnectError, RetriableError
from penstock_connectors.jdbc.connection import ConnectionKeeper, DatabaseConnection
from penstock_connectors.jdbc.sink.naming import TableNames
from penstock_connectors.jdbc.sink.offset_table import OffsetTable
from penstock_connectors.jdbc.sql_errors import driver_text, is_driver_error

__all__ = ["ExactlyOnce"]

log = logging.getLogger(__name__)


class ExactlyOnce:
    """One a task; for the task's thread. `open`, `close` and `pre_commit` are called where the task's are."""

    def __init__(
        self, table: OffsetTable, names: TableNames, keeper: ConnectionKeeper, context: SinkTaskContext, who: str
    ) -> None:
        self._table, self._names, self._keeper, self._context, self._who = table, names, keeper, context, who
        #: A name that no other task has, and no other life of this one.
        self._owner: Final = uuid.uuid4().hex
        self._ensured = False
        self._unclaimed: set[TopicPartition] = set()
        #: Partitions of which the database has to be asked what it holds.
        self._unsure: set[TopicPartition] = set()
        self._begins_anew = False
        #: The connection that was there when the database was asked last.
        self._connection: DatabaseConnection | None = None
        #: The record that each partition goes on with, as the database has it; None before the first.
        self._next: dict[TopicPartition, int | None] = {}

    def open(self, partitions: Sequence[TopicPartition]) -> None:
        """Claim `partitions`, and have them begin where the database says. An error of the database is left to `put`."""
        self._unclaimed.update(partitions)
        try:
            self._claim()
        except Exception as error:
            if not is_driver_error(error):
                raise
            log.warning("%s cannot claim its partitions yet: %s", self._who, driver_text(error))

    def _claim(self) -> None:
        connection = self._keeper.get()
        try:
            if not self._ensured:
                self._table.ensure(connection, self._names)
                self._ensured = True
            stored = self._table.claim(connection, sorted(self._unclaimed), self._owner)
        except BaseException:
            connection.rollback()
            raise
        if connection is not self._connection:
            self._unsure.update(self._next)
        self._connection = connection
        self._begin(self._unclaimed, stored)

    def _is_moved(self) -> bool:
        """Ask the database what it holds of the unsure partitions. Return whether they begin anew there, because it is not what
        this task knows, or because it was told to `ask_again`. Raise `FencedError` if another task has one now."""
        connection = self._keeper.get()
        try:
            stored = self._table.ask(connection, sorted(self._unsure), self._owner)
        except BaseException:
            connection.rollback()
            raise
        self._connection = connection
        forgotten = [p for p in self._unsure if p not in stored and self._next.get(p) is not None]
        if forgotten:
            raise ConnectError(
                f"{self._who}: its table of offsets has forgotten what was written of {', '.join(map(repr, sorted(forgotten)))}. "
                "Set the connector's offsets over REST while it is stopped"
            )
        known = {p: self._next[p] for p in self._unsure if self._next.get(p) is not None}
        if stored == known and not self._begins_anew:
            self._unsure.clear()
            return False
        self._begins_anew = False
        self._begin(self._unsure, stored)
        return True

    def _begin(self, partitions: set[TopicPartition], stored: Mapping[TopicPartition, int]) -> None:
        self._next.update({p: stored.get(p) for p in partitions})
        partitions.clear()
        self._context.offset(stored)

    def check(self, records: Sequence[SinkRecord]) -> None:
        """Make sure that `records` may be written now.

        Raise `RetriableError` if their partitions had to be claimed first, or the database had to be asked what it holds,
        which makes them begin anew; `ConnectError` for records that the database holds already. Errors of the database come
        as the driver has them.
        """
        if self._keeper.current is not self._connection:
            # The last commit may be done although its answer was lost; another server may lack what was committed before.
            self._unsure.update(self._next)
        is_claimed = bool(self._unclaimed)
        if is_claimed:
            self._claim()
        if (self._unsure and self._is_moved()) or is_claimed:
            self._context.timeout(0)
            raise RetriableError(f"{self._who} has its partitions now, and begins where the database says")
        for partition, offset in _starts(records).items():
            expected = self._next.get(partition)
            if expected is not None and offset < expected:
                raise ConnectError(
                    f"{self._who} was given {partition} at offset {offset}, and its table of offsets says that the records before "
                    f"{expected} are written: the topic was made anew or its records ended before. Change the connector's offsets over REST while it is stopped"
                )

    def ask_again(self) -> None:
        """Have each partition begin where the database says before the next records are written: those at hand may be
        written in part."""
        self._unsure.update(self._next)
        self._begins_anew = bool(self._unsure)

    def store(self, connection: DatabaseConnection, records: Sequence[SinkRecord]) -> None:
        """Put the offsets after `records` into the transaction. Raise `FencedError` if another task has a partition now,
        `RetriableError` if the connection is a new one, on which the database was not asked yet."""
        if connection is not self._connection:
            self._context.timeout(0)
            raise RetriableError(f"{self._who} has a new connection, and asks the database first what it holds")
        self._table.store(connection, _ends(records), self._owner)

    def stored(self, records: Sequence[SinkRecord]) -> None:
        """Take note that the transaction with the offsets after `records` is committed."""
        self._next.update(_ends(records))

    def skip(self, record: SinkRecord) -> None:
        """Go on after `record`, which was reported. Raises as `store` does, and the driver's errors."""
        connection = self._keeper.get()
        with connection.transaction():
            self.store(connection, [record])
        self.stored([record])

    def pre_commit(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        """Return `offsets`, so that the group's lag can be watched. Where they lie beyond what is stored, transforms have
        dropped records, and the database is told."""
        beyond = {p: o for p, o in offsets.items() if p in self._next and o > (self._next[p] or 0)}
        if beyond:
            try:
                connection = self._keeper.get()
                if connection is self._connection:  # else the next records come first, which have the database asked
                    with connection.transaction():
                        self._table.store(connection, beyond, self._owner)
                    self._next.update(beyond)
            except Exception as error:
                # The dropped records are consumed again, and dropped again.
                log.warning("%s cannot store offsets now: %s", self._who, driver_text(error))
        return offsets

    def close(self, partitions: Sequence[TopicPartition]) -> None:
        """Forget `partitions`. There is nothing to take back: what was written is committed."""
        self._unclaimed.difference_update(partitions)
        self._unsure.difference_update(partitions)
        for partition in partitions:
            self._next.pop(partition, None)


def place(record: SinkRecord) -> tuple[TopicPartition, int]:
    """Return the partition and the offset that `record` was consumed from, whatever a transform has made of its topic."""
    if record.original_topic is None:
        return TopicPartition(record.topic, record.partition or 0), record.offset
    return TopicPartition(record.original_topic, record.original_partition or 0), record.original_offset or 0


def _starts(records: Sequence[SinkRecord]) -> dict[TopicPartition, int]:
    return dict(place(record) for record in reversed(records))


def _ends(records: Sequence[SinkRecord]) -> dict[TopicPartition, int]:
    return {partition: offset + 1 for partition, offset in dict(map(place, records)).items()}
