"""`TableBuffer`: the records of one put that go to one table, written in the order that the JVM's connector keeps.

Records are written together until a schema changes, ``batch.size`` is reached, or a row follows a delete. What is written
together is written rows first, then deletes (``BufferedRecords``).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from penstock.data import Schema, SinkRecord
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.sink.config import SinkConfig
from penstock_connectors.jdbc.sink.fields import FieldsMetadata
from penstock_connectors.jdbc.sink.statements import Statements
from penstock_connectors.jdbc.sink.structure import DatabaseStructure
from penstock_connectors.jdbc.sink.writing import RowWriter, row_writer
from penstock_connectors.jdbc.sink.writing.row_writer import Target
from penstock_connectors.jdbc.tables import TableId

__all__ = ["RowWriters", "TableBuffer"]


@dataclass
class RowWriters:
    """Makes the row writers of tables and schemas, and keeps them from one put to the next. For one thread."""

    dialect: Dialect
    statements: Statements
    config: SinkConfig
    structure: DatabaseStructure

    def __post_init__(self) -> None:
        self._known: dict[tuple[TableId, Schema | None, Schema | None], RowWriter] = {}

    _LIMIT = 1000

    def get(
        self, connection: DatabaseConnection, table: TableId, key_schema: Schema | None, value_schema: Schema | None
    ) -> RowWriter:
        """Return the writer, the table made or changed if it needs to be."""
        key = (table, key_schema, value_schema)
        known = self._known.get(key)
        # A table that was changed since has another definition.
        if known is not None and known.target.definition is self.structure.definition(connection, table):
            return known
        fields = FieldsMetadata.extract(table.name, self.config, key_schema, value_schema)
        definition = self.structure.create_or_amend(connection, table, fields)
        if len(self._known) >= self._LIMIT:
            self._known.clear()
        made = row_writer(
            self.dialect, self.statements, self.config, Target(definition, fields, key_schema, value_schema)
        )
        self._known[key] = made
        return made


class TableBuffer:
    """One table's part of one put."""

    def __init__(
        self,
        writer_of: Callable[[Schema | None, Schema | None], RowWriter],
        connection: DatabaseConnection,
        batch_size: int,
    ) -> None:
        self._writer_of, self._connection, self._batch_size = writer_of, connection, batch_size
        self._records: list[SinkRecord] = []
        self._deletes = False
        self._key_schema: Schema | None = None
        self._value_schema: Schema | None = None
        self._writer: RowWriter | None = None

    def add(self, records: Sequence[SinkRecord]) -> None:
        """Take `records`, which have the same schemas and of which all or none are deletes. Writes what is full."""
        first = records[0]
        delete = first.value is None
        # A delete has no value's schema for the most part, and needs none.
        value_schema = self._value_schema if delete and first.value_schema is None else first.value_schema
        if self._writer is None or first.key_schema != self._key_schema or value_schema != self._value_schema:
            self.flush()
            self._key_schema, self._value_schema = first.key_schema, value_schema
            self._writer = self._writer_of(first.key_schema, value_schema)
        elif self._deletes and not delete:
            self.flush()
        self._deletes = self._deletes or delete
        self._fill(records, delete)

    def _fill(self, records: Sequence[SinkRecord], delete: bool) -> None:
        start, size = 0, self._batch_size
        while start < len(records):
            end = start + size - len(self._records)
            self._records.extend(records[start:end])
            start = end
            if len(self._records) >= size:
                self.flush()
                self._deletes = delete and start < len(records)

    def flush(self) -> None:
        """Write what was added and is not written."""
        records, self._records = self._records, []
        if not records:
            return
        assert self._writer is not None
        if self._deletes:
            rows = [record for record in records if record.value is not None]
            deletes = [record for record in records if record.value is None]
            self._deletes = False
            if rows:
                self._writer.write(self._connection, rows)
            self._writer.delete(self._connection, deletes)
        else:
            self._writer.write(self._connection, records)
