"""`DatabaseWriter`: writes a batch of records in one transaction (``JdbcDbWriter``)."""

from __future__ import annotations

import functools
import logging
import time
from collections.abc import Callable, Iterator, Sequence
from typing import Final

from penstock.data import Schema, SinkRecord
from penstock.errors import ConnectError, TaskStopped
from penstock_connectors.jdbc.connection import ConnectionKeeper, DatabaseConnection
from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.sink.admission import Admission
from penstock_connectors.jdbc.sink.buffer import RowWriters, TableBuffer
from penstock_connectors.jdbc.sink.config import SinkConfig
from penstock_connectors.jdbc.sink.errors import TableAlterOrCreateError, UnfitRecordError
from penstock_connectors.jdbc.sink.naming import TableNames
from penstock_connectors.jdbc.sink.schemaless import Schemaless
from penstock_connectors.jdbc.sink.statements import statements_for
from penstock_connectors.jdbc.sink.structure import DatabaseStructure
from penstock_connectors.jdbc.sink.writing.row_writer import HalfCharacterError
from penstock_connectors.jdbc.sql_errors import ErrorKind, SqlError, classify, is_driver_error
from penstock_connectors.jdbc.tables import TableId

__all__ = ["DatabaseWriter"]

log = logging.getLogger(__name__)

#: A connection that was used so recently is not asked whether it is there, which costs two ways to the server and back.
_TRUSTED_S: Final = 2.0


class DatabaseWriter:
    """For one thread. Knows the tables until `forget`."""

    def __init__(self, config: SinkConfig, dialect: Dialect, keeper: ConnectionKeeper) -> None:
        self._config, self._dialect, self._keeper = config, dialect, keeper
        self._admission = Admission(config)
        #: With exactly once nothing may commit rows without their offsets, so tables are made before any row is written.
        self._schemaless = Schemaless() if config.parsed["schemaless.enable"] else None
        self._clock = time.monotonic
        #: When a batch was last committed.
        self._used = float("-inf")
        self._tables_first: bool = config.parsed["exactly.once"]
        self._tells_unfit = config.parsed["unfit.records"] == "report"
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
        `TableAlterOrCreateError` where a table does not fit, `ConnectError` for records that do not fit the settings, which
        with ``unfit.records=report`` is an `UnfitRecordError`.
        """
        fresh = self._clock() - self._used > _TRUSTED_S
        connection = self._keeper.get() if fresh else self._keeper.current or self._keeper.get()
        try:
            self._write_all(connection, records, before_commit)
        except Exception as error:
            if fresh or classify(error) is not ErrorKind.CONNECTION or not is_driver_error(error):
                raise
            # It was not looked at before, so that it may have been gone for a while.
            self._keeper.close()
            self._write_all(self._keeper.get(), records, before_commit)
        self._used = self._clock()

    def _write_all(
        self,
        connection: DatabaseConnection,
        records: Sequence[SinkRecord],
        before_commit: Callable[[DatabaseConnection], None] | None,
    ) -> None:
        try:
            self._write_once(connection, records, before_commit)
        except HalfCharacterError as error:
            log.info("%s; the records are written again, with question marks for such halves", error.message)
            connection.rollback()
            self._write_all(connection, records, before_commit)  # ends: each row writer raises it once
        except BaseException:
            connection.rollback()
            raise

    def _write_once(
        self,
        connection: DatabaseConnection,
        records: Sequence[SinkRecord],
        before_commit: Callable[[DatabaseConnection], None] | None,
    ) -> None:
        if self._schemaless is not None:
            records = self._schemaless.with_schemas(records)
        self._write_rows(connection, list(_runs(records)))
        if before_commit is not None:
            before_commit(connection)
        connection.commit()

    def _write_rows(self, connection: DatabaseConnection, runs: Sequence[Sequence[SinkRecord]]) -> None:
        try:
            if self._tables_first:
                self._prepare(connection, runs)
            self._write(connection, runs)
        except (SqlError, TableAlterOrCreateError, HalfCharacterError, TaskStopped):
            raise
        except ConnectError as error:
            if self._tells_unfit:
                raise UnfitRecordError(error) from error
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
    start, first = 0, records[0]
    topic, key_schema, value_schema = first.topic, first.key_schema, first.value_schema
    no_key, no_value = first.key is None, first.value is None
    for index, record in enumerate(records):
        # By identity: schemas that are equal and not the same make two runs, which the buffer puts together again.
        if (
            record.value_schema is value_schema
            and record.key_schema is key_schema
            and (record.value is None) is no_value
            and (record.key is None) is no_key
            and record.topic == topic
        ):
            continue
        yield records[start:index]
        start, topic, key_schema, value_schema = index, record.topic, record.key_schema, record.value_schema
        no_key, no_value = record.key is None, record.value is None
    yield records[start:] if start else records
