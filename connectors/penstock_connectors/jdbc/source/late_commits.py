"""``late.commits=wait``: no row is missed because its transaction committed after later rows were read.

Ids and times are given out before a commit, so that a row may become visible behind those that were read already. On
PostgreSQL the open transactions are known, and rows are read once all that could still add rows before them have ended.
On other databases rows are held back for a time, which is a guess; a warning says so.
"""

from __future__ import annotations

import logging
import time
from collections import deque
from collections.abc import Callable
from typing import Final, Protocol

from penstock.errors import ConnectError
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.tables import TableId

__all__ = ["LagBounds", "SnapshotBounds", "bounds_for"]

log = logging.getLogger(__name__)

#: The writers of a table and its partitions: transactions keep these locks to their end, and have them before an id is given out.
_WRITERS: Final = """
SELECT DISTINCT virtualtransaction FROM pg_catalog.pg_locks
WHERE granted AND locktype = 'relation' AND pid IS DISTINCT FROM pg_backend_pid()
  AND database = (SELECT oid FROM pg_catalog.pg_database WHERE datname = current_database())
  AND mode IN ('RowExclusiveLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock')
  AND (relation = to_regclass(%s) OR relation IN (SELECT relid FROM pg_catalog.pg_partition_tree(to_regclass(%s))))"""
_SNAPSHOT: Final = """
SELECT pg_snapshot_xmin(s)::text::bigint, pg_snapshot_xmax(s)::text::bigint FROM pg_current_snapshot() s"""
#: The beginning of the oldest open transaction of this database, in microseconds.
_OLDEST: Final = """
SELECT (extract(epoch FROM least(
  (SELECT min(xact_start) FROM pg_catalog.pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
    AND backend_type NOT IN ('autovacuum worker', 'walsender', 'parallel worker')),
  (SELECT min(prepared) FROM pg_catalog.pg_prepared_xacts WHERE database = current_database()))) * 1000000)::bigint"""
_SEES_ALL: Final = "SELECT pg_has_role(current_user, 'pg_read_all_stats', 'USAGE')"

_GUESS: Final = (
    "%s cannot tell which transactions are open, so rows of %s are held back for %g s (late.commits.lag.ms): a transaction that "
    "takes longer can still commit rows that are never read"
)


class Limits(Protocol):
    """`penstock_connectors.jdbc.source.querier.Bounds`, as this module makes them."""

    def limits(
        self, connection: DatabaseConnection, after: int, end: int | None
    ) -> tuple[int | None, int | None] | None: ...


def bounds_for(
    dialect: Dialect, table: TableId, kind: str | None, incrementing: str | None, by_time: bool, lag_s: float
) -> Limits:
    """Return the bounds for a table. `kind` is its type, `incrementing` its column in the modes that have one."""
    if kind == "VIEW" or kind == "MATERIALIZED VIEW":
        raise ConnectError(
            f"late.commits=wait needs a table, and {table} is a view: the writers of its tables are not known"
        )
    if dialect.name == "PostgreSqlDatabaseDialect":
        return SnapshotBounds(dialect, table, None if by_time else incrementing, lag_s)
    return LagBounds(dialect, table, None if by_time else incrementing, lag_s)


class SnapshotBounds:
    """PostgreSQL's bounds.

    By id: the highest id is noted together with the transactions that write the table, and with the snapshot. Rows up to
    it are read once these transactions, and all others with an id of the snapshot or before, have ended. By time: rows are
    read up to the beginning of the oldest open transaction.
    """

    def __init__(self, dialect: Dialect, table: TableId, incrementing: str | None, lag_s: float) -> None:
        self._dialect, self._table, self._incrementing, self._lag_s = dialect, table, incrementing, lag_s
        self._name = ".".join(dialect.quoting.quoted(part) for part in (table.schema, table.name) if part)
        self._safe = -1
        #: Highest id, first transaction id that was not given out, writers; None while there is nothing to wait for.
        self._noted: tuple[int, int, frozenset[str]] | None = None
        self._sees_all: bool | None = None

    def limits(
        self, connection: DatabaseConnection, after: int, end: int | None
    ) -> tuple[int | None, int | None] | None:
        """Return the bounds; see `Bounds.limits`."""
        try:
            if end is not None:
                return None, self._time(connection, end)
            self._move_on(connection)
        finally:
            connection.rollback()
        return (self._safe, None) if self._safe > after else None

    def _move_on(self, connection: DatabaseConnection) -> None:
        """Take the noted id as safe if it is by now, and note the next one."""
        self._settle(connection)
        if self._noted is not None:
            return
        assert self._incrementing is not None
        column = self._dialect.quoting.identifier(self._incrementing)
        highest = connection.query(f"SELECT max({column}) FROM {self._dialect.table_sql(self._table)}")[0][0]
        connection.rollback()  # the snapshot must be later than the one that showed the id
        if highest is None or highest <= self._safe:
            return
        _, next_id = connection.query(_SNAPSHOT)[0]
        self._noted = (int(highest), next_id, self._writers(connection))
        connection.rollback()
        self._settle(connection)

    def _settle(self, connection: DatabaseConnection) -> None:
        if self._noted is None:
            return
        highest, next_id, writers = self._noted
        oldest, _ = connection.query(_SNAPSHOT)[0]
        if oldest >= next_id and (not writers or writers.isdisjoint(self._writers(connection))):
            self._safe, self._noted = highest, None

    def _writers(self, connection: DatabaseConnection) -> frozenset[str]:
        return frozenset(row[0] for row in connection.query(_WRITERS, [self._name, self._name]))

    def _time(self, connection: DatabaseConnection, end: int) -> int:
        if self._sees_all is None:
            self._sees_all = bool(connection.query(_SEES_ALL)[0][0])
            if not self._sees_all:
                log.warning(
                    "This role does not see other roles' transactions: rows of %s are held back for %g s (late.commits.lag.ms), and "
                    "a transaction that takes longer can still commit rows that are never read. GRANT pg_read_all_stats to the role",
                    self._table, self._lag_s,
                )  # fmt: skip
        oldest = connection.query(_OLDEST)[0][0]
        bound = end if self._sees_all else end - int(self._lag_s * 1_000_000)
        return bound if oldest is None else min(bound, oldest)


class LagBounds:
    """The bounds of databases that do not tell of open transactions: an id counts once it has been seen for `lag_s` seconds,
    a time once it is that old. SQLite has one writer at a time, so its ids need no bound."""

    def __init__(
        self,
        dialect: Dialect,
        table: TableId,
        incrementing: str | None,
        lag_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._dialect, self._table, self._incrementing, self._lag_s = dialect, table, incrementing, lag_s
        self._clock = clock
        self._seen: deque[tuple[float, int]] = deque()
        self._safe = -1
        self._needs_no_bound = dialect.name == "SqliteDatabaseDialect" and incrementing is not None
        if not self._needs_no_bound:
            log.warning(_GUESS, dialect.name.removesuffix("DatabaseDialect"), table, lag_s)

    def limits(
        self, connection: DatabaseConnection, after: int, end: int | None
    ) -> tuple[int | None, int | None] | None:
        """Return the bounds; see `Bounds.limits`."""
        if end is not None:
            return None, end - int(self._lag_s * 1_000_000)
        if self._needs_no_bound:
            return None, None
        assert self._incrementing is not None
        column = self._dialect.quoting.identifier(self._incrementing)
        highest = connection.query(f"SELECT max({column}) FROM {self._dialect.table_sql(self._table)}")[0][0]
        connection.rollback()
        now = self._clock()
        if highest is not None and (not self._seen or highest > self._seen[-1][1]):
            self._seen.append((now, int(highest)))
        while self._seen and self._seen[0][0] <= now - self._lag_s:
            self._safe = self._seen.popleft()[1]
        return (self._safe, None) if self._safe > after else None
