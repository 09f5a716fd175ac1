"""`Reader`: what the source asks of one kind of database, and `RowStream`, a result that is being read."""

from __future__ import annotations

import contextlib
import datetime as dt
from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, Protocol

from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.source.columns import ResultColumn
from penstock_connectors.jdbc.source.moments import Moments, naive_of_micros
from penstock_connectors.jdbc.source.query_text import appendable
from penstock_connectors.jdbc.tables import TableId

__all__ = ["CursorStream", "Reader", "RowStream"]


class RowStream(Protocol):
    """The rows of a query, fetched in batches."""

    def fetch(self) -> list[tuple[Any, ...]]:
        """Return the next rows, none at the end."""

    def columns(self, rows: Sequence[tuple[Any, ...]]) -> list[ResultColumn]:
        """Return the columns of the result; `rows` are the first that were fetched, at least one."""

    def close(self) -> None:
        """Give the cursor back."""


class Reader(ABC):
    """One kind of database, under the settings of one task. Used by one thread."""

    #: The query for the database's time.
    now_query = "SELECT CURRENT_TIMESTAMP"

    def __init__(self, dialect: Dialect, moments: Moments) -> None:
        self.dialect, self.moments = dialect, moments

    @abstractmethod
    def open(
        self,
        connection: DatabaseConnection,
        statement: str,
        parameters: Sequence[Any],
        rows: int,
        table: TableId | None,
    ) -> RowStream:
        """Run a query written for the driver; its result comes `rows` at a time. `table` is given where the query reads
        one table as it is."""

    def now(self, connection: DatabaseConnection) -> int:
        """Return the database's time as an instant."""
        value = connection.query(self.now_query)[0][0]
        if isinstance(value, dt.datetime):
            return self.moments.zoned_instant(value) if value.tzinfo else self.moments.instant(value)
        return self.moments.instant(dt.datetime.fromisoformat(str(value)))

    def are_instants(self, connection: DatabaseConnection, source: str, columns: Sequence[str]) -> bool:
        """Return whether these columns of a table or sub-select hold points in time that `timestamp_parameter` must know of."""
        return False

    def timestamp_parameter(self, micros: int, instant: bool = False) -> Any:
        """Return an instant as a parameter that is compared with a timestamp column: the wall clock of ``db.timezone``, or
        for an `instant` column of UTC."""
        return naive_of_micros(self.moments.wall_clock(micros))

    def set_isolation(self, connection: DatabaseConnection, level: str) -> None:
        """Set the isolation level of the transactions to come, of this connection and of those that are opened later;
        `level` is one word of SQL's, with blanks."""
        statement = self.isolation_statement(level)
        connection.execute(statement)
        connection.commit()
        self.dialect.target.statements.append(statement)

    def isolation_statement(self, level: str) -> str:
        """Return the statement that sets a connection's isolation level."""
        return f"SET SESSION CHARACTERISTICS AS TRANSACTION ISOLATION LEVEL {level}"

    def native(self, query: str) -> str:
        """Return a query, which is written for the Java driver, as this driver takes it."""
        return query

    def check(self, connection: DatabaseConnection, query: str) -> None:
        """Let the database look at a query without running it; raises the driver's error."""
        cursor = connection.cursor()
        try:
            cursor.execute(f"SELECT * FROM ({appendable(query)}) penstock_check WHERE 1 = 0")
        finally:
            cursor.close()
            connection.rollback()


class CursorStream:
    """A stream on a driver's cursor."""

    def __init__(self, cursor: Any, rows: int) -> None:
        self.cursor, self.size = cursor, rows

    def fetch(self) -> list[tuple[Any, ...]]:
        """Return the next rows, none at the end."""
        return list(self.cursor.fetchmany(self.size))

    def close(self) -> None:
        """Close the cursor as far as it is still there."""
        with contextlib.suppress(Exception):
            self.cursor.close()
