"""The table that a topic's records go to."""

from __future__ import annotations

from penstock.errors import ConnectError
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.sink.config import SinkConfig
from penstock_connectors.jdbc.tables import TableId

__all__ = ["TableNames"]


class TableNames:
    """Finds each topic's table, and remembers it. For one thread."""

    def __init__(self, dialect: Dialect, config: SinkConfig) -> None:
        self._dialect, self._format = dialect, config.table_format
        self._tables: dict[str, TableId] = {}
        self._current: tuple[str | None, str | None] | None = None

    def table(self, topic: str, connection: DatabaseConnection) -> TableId:
        """Return the table of `topic`. Raise `ConnectError` for a name that cannot be read."""
        found = self._tables.get(topic)
        if found is None:
            found = self._tables[topic] = self._find(topic, connection)
        return found

    def _find(self, topic: str, connection: DatabaseConnection) -> TableId:
        text = self._format.replace("${topic}", topic)
        if not text:
            raise ConnectError(
                f"Destination table name for topic '{topic}' is empty using the format string '{self._format}'"
            )
        return self.complete(self._dialect.parse_table(text), connection)

    def complete(self, table: TableId, connection: DatabaseConnection) -> TableId:
        """Return `table` as the database calls it, with the catalog and the schema that a name without them means."""
        if self._current is None:
            self._current = self._dialect.current(connection)
        return TableId(
            table.catalog or self._current[0], table.schema or self._current[1], self._known_name(table.name)
        )

    def _known_name(self, name: str) -> str:
        limit = self._dialect.max_identifier
        if self._dialect.name == "PostgreSqlDatabaseDialect" and limit is not None:
            # PostgreSQL counts bytes, and would cut the name by itself, with another name in our messages.
            name = name.encode("utf-8", "replace")[:limit].decode("utf-8", "ignore")
        if self._dialect.quoting.always:
            return name
        folds = {"PostgreSqlDatabaseDialect": str.lower, "OracleDatabaseDialect": str.upper}
        return folds.get(self._dialect.name, str)(name)
