"""A log in one SQLite file: for a registry of one process on one machine."""

from __future__ import annotations

import logging
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from penstock.errors import RetriableError, SerializationError, WorkerError
from penstock_registry.store.interface import Apply, RegistryStore, StoreRecord
from penstock_registry.store.records import Key, Value, decode_key, decode_value, encode_key, encode_value

__all__ = ["SqliteStore"]

_log = logging.getLogger(__name__)
#: "pstk" in the file's header, so that a database of somebody else's is never written to.
_APPLICATION_ID: Final = 0x7073746B
_FORMAT: Final = 1
_BATCH: Final = 1000


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class SqliteStore(RegistryStore):
    """A change is on the disk once `append` returns: every commit is synced. The file belongs to one process at a time.

    The log is kept whole. It is small, and with the records of deleted schemas in it no id is ever given twice.
    """

    def __init__(self, path: Path, *, now_ms: Callable[[], int] = _now_ms) -> None:
        self._path = path
        self._now_ms = now_ms
        self._lock = threading.Lock()
        self._connection: sqlite3.Connection | None = None
        #: The reason why the last write failed; None if it did not.
        self._failure: str | None = None
        self._apply: Apply | None = None

    def start(self, apply: Apply) -> None:
        connection = self._open()
        try:
            for batch in self._batches(connection):
                apply(batch)
        except sqlite3.Error as error:
            connection.close()
            raise WorkerError(
                f"The registry's store {self._path} cannot be read: {error}. Nothing was changed in it; restore the "
                "file from a backup."
            ) from error
        self._connection, self._apply = connection, apply

    def append(self, records: Sequence[tuple[Key, Value | None]]) -> None:
        now = self._now_ms()
        batch = [StoreRecord(key, value, now) for key, value in records]
        rows = [(encode_key(key), encode_value(value), now) for key, value in records]
        with self._lock:
            if self._connection is None or self._apply is None:
                raise WorkerError(f"The registry's store {self._path} is not open: start the registry first.")
            try:
                with _transaction(self._connection):
                    self._connection.executemany("INSERT INTO log (key, value, timestamp_ms) VALUES (?, ?, ?)", rows)
            except sqlite3.Error as error:
                self._failure = f"the store {self._path} did not take the last change: {error}"
                raise RetriableError(f"The registry's store {self._path} did not take the change: {error}") from error
            self._failure = None
            self._apply(batch)

    def problem(self) -> str | None:
        """Tell why the last write failed, until a write succeeds again; a small one is tried for that."""
        with self._lock:
            if self._connection is None:
                return "the store is not open"
            if self._failure is not None:
                try:
                    with _transaction(self._connection):
                        self._connection.execute(f"PRAGMA user_version = {_FORMAT}")
                except sqlite3.Error:
                    return self._failure
                self._failure = None
            return None

    def close(self) -> None:
        with self._lock:
            if self._connection is not None:
                self._connection.close()
            self._connection = self._apply = None

    def _open(self) -> sqlite3.Connection:
        if not self._path.parent.is_dir():
            raise WorkerError(f"The registry's store {self._path} cannot be made: no folder {self._path.parent}")
        connection = None
        try:
            # No waiting for the lock: whoever has it keeps it for as long as it runs.
            connection = sqlite3.connect(self._path, timeout=0, isolation_level=None, check_same_thread=False)
            connection.execute("PRAGMA locking_mode = EXCLUSIVE")
            connection.execute("BEGIN EXCLUSIVE")
            self._check_ours(connection)
            connection.execute("COMMIT")
            # Before the log is switched the lock is not yet one that lasts; from here on it is.
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            with _transaction(connection):
                connection.execute(
                    "CREATE TABLE IF NOT EXISTS log (number INTEGER PRIMARY KEY AUTOINCREMENT, key BLOB NOT NULL, "
                    "value BLOB, timestamp_ms INTEGER NOT NULL) STRICT"
                )
                connection.execute(f"PRAGMA application_id = {_APPLICATION_ID}")
                connection.execute(f"PRAGMA user_version = {_FORMAT}")
        except sqlite3.Error as error:
            if connection is not None:
                connection.close()
            raise self._unusable(error) from error
        except WorkerError:
            if connection is not None:
                connection.close()
            raise
        return connection

    def _check_ours(self, connection: sqlite3.Connection) -> None:
        tables = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        application = connection.execute("PRAGMA application_id").fetchone()[0]
        version = connection.execute("PRAGMA user_version").fetchone()[0]
        if tables and application != _APPLICATION_ID:
            raise WorkerError(
                f"{self._path} is a database, but not a registry's: set store=sqlite:PATH to a file of its own."
            )
        if version > _FORMAT:
            raise WorkerError(
                f"{self._path} was written by a newer registry (format {version}, this one reads {_FORMAT})."
            )

    def _batches(self, connection: sqlite3.Connection) -> Iterator[list[StoreRecord]]:
        """Yield the log. A row that cannot be read is reported and passed over."""
        cursor = connection.execute("SELECT number, key, value, timestamp_ms FROM log ORDER BY number")
        while rows := cursor.fetchmany(_BATCH):
            batch = []
            for number, key, value, timestamp_ms in rows:
                try:
                    batch.append(StoreRecord(decode_key(key), decode_value(value), timestamp_ms))
                except SerializationError as error:
                    _log.error("%s: row %d of the log is passed over: %s", self._path, number, error.message)
            yield batch

    def _unusable(self, error: sqlite3.Error) -> WorkerError:
        if getattr(error, "sqlite_errorcode", None) in (sqlite3.SQLITE_BUSY, sqlite3.SQLITE_LOCKED):
            return WorkerError(
                f"The registry's store {self._path} is in use by another process. One registry owns the file: stop the "
                "other, or give this one a file of its own with store=sqlite:PATH."
            )
        return WorkerError(f"The registry's store {self._path} cannot be opened: {error}")


@contextmanager
def _transaction(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise
