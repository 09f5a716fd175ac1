"""Reading of results, database by database: cursors that keep the rest on the server, types of columns, times."""

from __future__ import annotations

from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.source.moments import Moments
from penstock_connectors.jdbc.source.reading.generic import GenericReader
from penstock_connectors.jdbc.source.reading.mysql import MySqlReader
from penstock_connectors.jdbc.source.reading.postgresql import PostgreSqlReader
from penstock_connectors.jdbc.source.reading.reader import Reader, RowStream
from penstock_connectors.jdbc.source.reading.sqlite import SqliteReader

__all__ = ["Reader", "RowStream", "reader_for"]

_READERS: dict[str, type[Reader]] = {
    "PostgreSqlDatabaseDialect": PostgreSqlReader,
    "SqliteDatabaseDialect": SqliteReader,
    "MySqlDatabaseDialect": MySqlReader,
}


#: The drivers that a reader is written for, as SQLAlchemy names them.
_DRIVERS: dict[type[Reader], set[str]] = {
    PostgreSqlReader: {"postgresql+psycopg"},
    SqliteReader: {"sqlite", "sqlite+pysqlite"},
    MySqlReader: {"mysql+pymysql", "mariadb+pymysql"},
}


def reader_for(dialect: Dialect, moments: Moments) -> Reader:
    """Return the reader for a dialect; the general one if the URL names another driver, or another database's."""
    kind = _READERS.get(dialect.name, GenericReader)
    driver = dialect.target.drivername
    return (kind if driver in _DRIVERS.get(kind, {driver}) else GenericReader)(dialect, moments)
