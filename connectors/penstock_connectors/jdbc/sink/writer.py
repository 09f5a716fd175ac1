"""`DatabaseWriter`: writes a batch of records in one transaction (``JdbcDbWriter``)."""

from __future__ import annotations

import functools
import logging
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from penstock.data import Schema, SinkRecord
from penstock_connectors.jdbc.connection import ConnectionKeeper, DatabaseConnection
from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.sink.admission import Admission
from penstock_connectors.jdbc.sink.buffer import RowWriters, TableBuffer
from penstock_connectors.jdbc.sink.config import SinkConfig
from penstock_connectors.jdbc.sink.naming import TableNames
from penstock_connectors.jdbc.sink.statements import statements_for
from penstock_connectors.jdbc.sink.structure import DatabaseStructure
from penstock_connectors.jdbc.tables import TableId

__all__ = ["DatabaseWriter"]

log = logging.getLogger(__name__)


class DatabaseWriter:
    """For one thread. Knows the tables until `forget`."""

    def __init__(self, config: SinkConfig, dialect: Dialect, keeper: ConnectionKeeper) -> None:
        self._config, self._dialect, self._keeper = config, dialect, keeper
        self._admission = Admission(config)
        #: With exactly once nothing may commit rows without their offsets, so tables are made before any row is written.
        self._tables_first: bool = config.parsed["exactly.once"]
        self.forget()

    def forget(self) -> None:
        """Close the connection and look at the tables anew."""
        self._keeper.close()
        statements = statements_for(self._dialect, self._config)
        self.names = TableNames(self._dialect, self._config)
        structure = DatabaseStructure(self._dialect, statements, self._config)
        self._writers = RowWriters(self._dialect, statements, self._config, structure)

    def write(
        self, records: Sequence[SinkRecord], before_commit: Callable[[DatabaseConnection], None] | None = None
    ) -> None:
        """Write all of `records`, or none: an error rolls back.

        `before_commit` is called with the transaction that holds the rows. Raises the driver's errors as they are,
        `TableAlterOrCreateError` where a table does not fit, `ConnectError` for records that do not fit the settings.
        """
        connection = self._keeper.get()
        try:
            runs = list(_runs(records))
            if self._tables_first:
                self._prepare(connection, runs)
            self._write(connection, runs)
            if before_commit is not None:
                before_commit(connection)
            connection.commit()
        except BaseException:
            connection.rollback()
            raise

    def _prepare(self, connection: DatabaseConnection, runs: Sequence[Sequence[SinkRecord]]) -> None:
        last: dict[TableId, Schema | None] = {}
        for run in runs:
            first = run[0]
            self._admission.check(first)
            table = self.names.table(first.topic, connection)
            schema = first.value_schema or last.get(table)
            last[table] = schema
            self._writers.get(connection, table, first.key_schema, schema)

    def _write(self, connection: DatabaseConnection, runs: Sequence[Sequence[SinkRecord]]) -> None:
        buffers: dict[TableId, TableBuffer] = {}
        for run in runs:
            first = run[0]
            table = self.names.table(first.topic, connection)
            buffer = buffers.get(table)
            if buffer is None:
                writer_of = functools.partial(self._writers.get, connection, table)
                buffer = buffers[table] = TableBuffer(writer_of, connection, self._config.batch_size)
            self._admission.check(first)
            buffer.add(run)
        for buffer in buffers.values():
            buffer.flush()


def _runs(records: Sequence[SinkRecord]) -> Iterator[Sequence[SinkRecord]]:
    """Return the parts of `records` that have one topic, the same schemas, and all or none a key and a value."""
    start, last = 0, _kind(records[0])
    for index in range(1, len(records)):
        kind = _kind(records[index])
        if kind != last:
            yield records[start:index]
            start, last = index, kind
    yield records[start:] if start else records


def _kind(record: SinkRecord) -> tuple[Any, ...]:
    # By identity: schemas that are equal and not the same make two runs, which the buffer puts together again.
    return record.topic, id(record.key_schema), id(record.value_schema), record.key is None, record.value is None
