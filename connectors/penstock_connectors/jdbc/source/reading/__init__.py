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


def reader_for(dialect: Dialect, moments: Moments) -> Reader:
    """Return the reader for a dialect. One named by hand for another database's driver reads as the general one."""
    kind = _READERS.get(dialect.name, GenericReader)
    driver = dialect.target.drivername.partition("+")[0]
    fits = {"PostgreSqlReader": {"postgresql"}, "SqliteReader": {"sqlite"}, "MySqlReader": {"mysql", "mariadb"}}
    if driver not in fits.get(kind.__name__, {driver}):
        kind = GenericReader
    return kind(dialect, moments)
