"""Connections to a database: opened with attempts and pauses, checked before use, closed from any thread."""

from __future__ import annotations

import contextlib
import logging
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from penstock.errors import ConnectError, TaskStopped
from penstock_connectors.jdbc.sql_errors import sql_error

if TYPE_CHECKING:
    from penstock_connectors.jdbc.dialects.dialect import Dialect

__all__ = ["ConnectionKeeper", "DatabaseConnection"]

log = logging.getLogger(__name__)


class DatabaseConnection:
    """A driver's connection together with its dialect. Used by one thread at a time; `close` may come from another."""

    def __init__(self, raw: Any, dialect: Dialect) -> None:
        #: The driver's own connection (DB-API), for what this class does not wrap.
        self.raw = raw
        self.dialect = dialect

    def cursor(self) -> Any:
        """Return a driver's cursor that the client buffers."""
        return self.raw.cursor()

    def execute(self, statement: str, parameters: Sequence[Any] = ()) -> int:
        """Run a statement written for the driver (its own placeholders), and return the number of rows it touched."""
        cursor = self.raw.cursor()
        try:
            # Without parameters the drivers leave '%' in the text alone.
            cursor.execute(statement, parameters) if parameters else cursor.execute(statement)
            return int(cursor.rowcount)
        finally:
            cursor.close()

    def query(self, statement: str, parameters: Sequence[Any] = ()) -> list[tuple[Any, ...]]:
        """Run a query written for the driver, and return all its rows."""
        cursor = self.raw.cursor()
        try:
            cursor.execute(statement, parameters) if parameters else cursor.execute(statement)
            return list(cursor.fetchall())
        finally:
            cursor.close()

    def commit(self) -> None:
        """Commit the transaction."""
        self.raw.commit()

    def rollback(self) -> None:
        """Roll the transaction back. A connection that is gone already is left alone."""
        with contextlib.suppress(Exception):
            self.raw.rollback()

    @contextlib.contextmanager
    def transaction(self) -> Iterator[None]:
        """Commit at the end of the block; roll back if it raises."""
        try:
            yield
        except BaseException:
            self.rollback()
            raise
        self.commit()

    def is_valid(self) -> bool:
        """Return whether the server still answers. Ends the transaction that is open."""
        try:
            self.query(self.dialect.ping)
            self.raw.rollback()
        except Exception as error:
            log.debug("The connection does not answer: %s", error)
            return False
        return True

    def cancel(self) -> None:
        """End the statement that another thread is running, as far as the driver can. Safe from any thread."""
        for name in ("cancel_safe", "cancel", "interrupt"):
            method = getattr(self.raw, name, None)
            if method is not None:
                with contextlib.suppress(Exception):
                    method()
                return
        # A driver without a way to cancel: its connection's end does it.
        with contextlib.suppress(Exception):
            self.raw._sock.shutdown(2)

    def close(self) -> None:
        """Close the connection, as far as it is still there."""
        with contextlib.suppress(Exception):
            self.raw.close()


class ConnectionKeeper:
    """Keeps one connection open, and opens another where it was lost (``CachedConnectionProvider``).

    `get` is called from one thread; `stop` from any: a wait between two attempts then ends with `TaskStopped`.
    """

    def __init__(self, dialect: Dialect, attempts: int, backoff_ms: int) -> None:
        self._dialect = dialect
        self._attempts, self._backoff = max(1, attempts), backoff_ms / 1000
        self._stopped = threading.Event()
        self._lock = threading.Lock()
        self._connection: DatabaseConnection | None = None

    def get(self) -> DatabaseConnection:
        """Return a connection that answers. Raise `SqlError` once the attempts are used up."""
        connection = self._connection
        if connection is not None:
            if connection.is_valid():
                return connection
            log.info("The database connection is invalid. Reconnecting...")
            self.close()
        opened = self._open()
        with self._lock:
            if self._stopped.is_set():
                opened.close()
                raise TaskStopped("stopped while connecting to the database")
            self._connection = opened
        return opened

    @property
    def current(self) -> DatabaseConnection | None:
        """Return the connection that is open, unchecked; None if there is none."""
        return self._connection

    def close(self) -> None:
        """Close the connection; the next `get` opens another."""
        with self._lock:
            connection, self._connection = self._connection, None
        if connection is not None:
            connection.close()

    def stop(self) -> None:
        """End waits of `get` for good. Does not close the connection, which its thread may be using."""
        self._stopped.set()

    def _open(self) -> DatabaseConnection:
        for attempt in range(1, self._attempts + 1):
            if self._stopped.is_set():
                break
            try:
                return self._dialect.connect()
            except ConnectError:
                raise  # a driver that is not there, a parameter that it does not take: no attempt will help
            except Exception as error:
                if attempt == self._attempts:
                    raise sql_error(error) from error
                log.info(
                    "Unable to connect to database on attempt %d/%d. Will retry in %d ms: %s",
                    attempt, self._attempts, self._backoff * 1000, sql_error(error).message,
                )  # fmt: skip
                self._stopped.wait(self._backoff)
        raise TaskStopped("stopped while connecting to the database")
