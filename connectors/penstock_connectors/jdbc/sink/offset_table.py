"""`OffsetTable`: a sink's offsets in a table of the database that it writes to.

A row says for one connector, topic and partition which record comes next, and which task owns it. A task claims its rows
when partitions are assigned to it; whoever owned them before can then commit nothing more, because `store` finds no row
of its own and its transaction is rolled back.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Final

from penstock.api import TopicPartition
from penstock.data import INT32, INT64, STRING
from penstock.errors import ConnectError
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.dialects.dialect import PARAMETER
from penstock_connectors.jdbc.sink.config import SinkConfig
from penstock_connectors.jdbc.sink.fields import SinkField
from penstock_connectors.jdbc.sink.naming import TableNames
from penstock_connectors.jdbc.sink.statements import Statements, statements_for
from penstock_connectors.jdbc.sql_errors import is_driver_error
from penstock_connectors.jdbc.tables import TableId

__all__ = ["FencedError", "OffsetTable", "offset_table"]

#: The row of a partition that no record was written of.
_NONE: Final = -1
_FIELDS: Final = (
    SinkField(STRING, "connector", True),
    SinkField(STRING, "topic", True),
    SinkField(INT32, "topic_partition", True),
    SinkField(INT64, "next_offset", False),
    SinkField(STRING, "owner", False),
)


class FencedError(ConnectError):
    """Another task has claimed the partition since."""


class OffsetTable:
    """One connector's rows. Holds no connection; each method works in the transaction of the one that it is given."""

    def __init__(self, dialect: Dialect, statements: Statements, name: str, connector: str) -> None:
        self._dialect, self._statements = dialect, statements
        self._name, self._connector = name, connector
        self._table: TableId | None = None

    def ensure(self, connection: DatabaseConnection, names: TableNames) -> None:
        """Make the table if it is not there, and commit. Raises the driver's errors."""
        table = names.complete(self._dialect.parse_table(self._name), connection)
        if self._dialect.table_type(connection, table) is None:
            try:
                connection.execute(self._statements.create_table(table, _FIELDS))
                connection.commit()
            except Exception as error:
                connection.rollback()
                # Another task may have been first.
                if not is_driver_error(error) or self._dialect.table_type(connection, table) is None:
                    raise
        missing = {field.name for field in _FIELDS} - {c.name.lower() for c in self._dialect.columns(connection, table)}
        if missing:
            raise ConnectError(
                f"Table {table} is no table of offsets: it lacks the columns {', '.join(sorted(missing))}. "
                "Set another exactly.once.table"
            )
        connection.commit()
        self._table = table

    def claim(
        self, connection: DatabaseConnection, partitions: Sequence[TopicPartition], owner: str
    ) -> dict[TopicPartition, int]:
        """Make `owner` the owner of `partitions`, commit, and return the next record of those that are known.

        Waits for a transaction of the former owner that is being committed. Raises the driver's errors.
        """
        found = {}
        # In one order everywhere, so that two tasks cannot wait for each other.
        for partition in sorted(partitions):
            key = (self._connector, partition.topic, partition.partition)
            if not self._run(connection, f"UPDATE {{}} SET {self._set('owner')} WHERE {self._key()}", (owner, *key)):
                names = self._statements.names(field.name for field in _FIELDS)
                values = ",".join([PARAMETER] * len(_FIELDS))
                self._run(connection, f"INSERT INTO {{}} ({names}) VALUES ({values})", (*key, _NONE, owner))
                continue
            offset = self._next(connection, key)
            if offset != _NONE:
                found[partition] = offset
        connection.commit()
        return found

    def ask(
        self, connection: DatabaseConnection, partitions: Sequence[TopicPartition], owner: str
    ) -> dict[TopicPartition, int]:
        """Return the next record of the `partitions` that have one, all of which `owner` has.

        Waits for a transaction that is being committed. Raise `FencedError` if a partition is not the owner's any more; the
        driver's errors as they are.
        """
        found = {}
        # An update that changes nothing, which waits for the row.
        statement = f"UPDATE {{}} SET {self._set('owner')} WHERE {self._key()} AND {self._set('owner')}"
        for partition in sorted(partitions):
            key = (self._connector, partition.topic, partition.partition)
            if not self._run(connection, statement, (owner, *key, owner)):
                raise self._fenced(partition)
            offset = self._next(connection, key)
            if offset != _NONE:
                found[partition] = offset
        connection.commit()
        return found

    def _next(self, connection: DatabaseConnection, key: tuple[str, str, int]) -> int:
        query = f"SELECT {self._statements.name('next_offset')} FROM {self._shown} WHERE {self._key()}"
        return int(connection.query(self._dialect.statement(query), key)[0][0])

    def store(self, connection: DatabaseConnection, offsets: Mapping[TopicPartition, int], owner: str) -> None:
        """Set the next records of partitions that `owner` has; the caller commits. Raise `FencedError` if one is not its own."""
        statement = f"UPDATE {{}} SET {self._set('next_offset')} WHERE {self._key()} AND {self._set('owner')}"
        for partition, offset in sorted(offsets.items()):
            key = (self._connector, partition.topic, partition.partition)
            if not self._run(connection, statement, (offset, *key, owner)):
                raise self._fenced(partition)

    def change(self, connection: DatabaseConnection, offsets: Mapping[TopicPartition, int | None]) -> None:
        """Set the next records, None to forget one; no partitions at all: forget them all. Nobody owns them then. Commits."""
        if not offsets:
            self._run(connection, f"DELETE FROM {{}} WHERE {self._set('connector')}", (self._connector,))
        for partition, offset in sorted(offsets.items()):
            key = (self._connector, *partition)
            self._run(connection, f"DELETE FROM {{}} WHERE {self._key()}", key)
            if offset is not None:
                names = self._statements.names(field.name for field in _FIELDS)
                values = ",".join([PARAMETER] * len(_FIELDS))
                self._run(connection, f"INSERT INTO {{}} ({names}) VALUES ({values})", (*key, offset, ""))
        connection.commit()

    def _fenced(self, partition: TopicPartition) -> FencedError:
        return FencedError(
            f"connector {self._connector}: {partition} belongs to another task now, according to {self._shown}; nothing was written"
        )

    @property
    def _shown(self) -> str:
        assert self._table is not None
        return self._dialect.table_sql(self._table)

    def _set(self, name: str) -> str:
        return f"{self._statements.name(name)} = {PARAMETER}"

    def _key(self) -> str:
        return " AND ".join(self._set(field.name) for field in _FIELDS if field.primary_key)

    def _run(self, connection: DatabaseConnection, statement: str, parameters: Sequence[object]) -> int:
        text = self._dialect.statement(statement.replace("{}", self._shown, 1))
        return connection.execute(text, parameters)


def offset_table(dialect: Dialect, config: SinkConfig) -> OffsetTable:
    """Return the table that the settings name."""
    return OffsetTable(
        dialect, statements_for(dialect, config), config.parsed["exactly.once.table"], config.connector_name
    )
