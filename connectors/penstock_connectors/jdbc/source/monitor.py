"""The thread of a connector that watches the list of tables (``TableMonitorThread``)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Collection
from typing import Protocol

from penstock.errors import ConnectError, TaskStopped
from penstock_connectors.jdbc.connection import ConnectionKeeper
from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.sql_errors import is_driver_error, sql_error
from penstock_connectors.jdbc.tables import TableId

__all__ = ["TableMonitor", "TablePatterns"]

log = logging.getLogger(__name__)

_UNRECOVERABLE = "Encountered an unrecoverable error while reading tables from the database"


class Context(Protocol):
    """The part of a connector's context that the monitor uses."""

    def request_task_reconfiguration(self) -> None: ...
    def raise_error(self, error: BaseException) -> None: ...


class TablePatterns:
    """The place to look for tables: LIKE patterns of catalogs and schemas, the types, and a test for each table."""

    def __init__(
        self, catalog: str | None, schema: str | None, types: Collection[str], test: Callable[[TableId], bool]
    ) -> None:
        self.catalog, self.schema, self.types, self.test = catalog, schema, types, test


class TableMonitor:
    """Reads the list of tables at once and every `interval_s` seconds, and asks for new task configurations when it has
    changed. Safe from any thread."""

    def __init__(
        self, dialect: Dialect, keeper: ConnectionKeeper, context: Context, patterns: TablePatterns, interval_s: float
    ) -> None:
        self._dialect, self._keeper, self._context = dialect, keeper, context
        self._patterns, self._interval = patterns, interval_s
        self._stopped = threading.Event()
        self._changed = threading.Condition()
        self._tables: list[TableId] | None = None
        name = f"{threading.current_thread().name} jdbc-table-monitor"  # the log names the connector by it
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)

    def start(self) -> None:
        """Start the thread."""
        self._thread.start()

    def stop(self, timeout: float = 10) -> None:
        """End the thread and close its connection."""
        self._stopped.set()
        self._keeper.stop()
        connection = self._keeper.current
        if connection is not None:
            connection.cancel()
        if self._thread.ident is not None:
            self._thread.join(timeout)
        self._keeper.close()

    def tables(self, wait_s: float) -> list[TableId] | None:
        """Return the tables as last read; None if none were within `wait_s` seconds."""
        with self._changed:
            self._changed.wait_for(lambda: self._tables is not None or self._stopped.is_set(), wait_s)
            if self._tables is None:
                log.warning("Timed out or interrupted while awaiting for tables being read.")
            return None if self._tables is None else list(self._tables)

    def fail(self, error: BaseException) -> ConnectError:
        """Make the connector FAILED, end the thread, and return the error for the caller to raise."""
        failure = ConnectError(_UNRECOVERABLE)
        failure.__cause__ = error
        self._stopped.set()
        self._context.raise_error(failure)
        return failure

    def _run(self) -> None:
        while not self._stopped.is_set():
            try:
                if self._update():
                    self._context.request_task_reconfiguration()
            except TaskStopped:
                return
            except Exception as error:
                if not self._stopped.is_set():
                    log.error("%s: %s", _UNRECOVERABLE, error)
                    self.fail(error)
                return
            self._stopped.wait(self._interval)

    def _update(self) -> bool:
        """Read the list. Return whether it differs from the one before."""
        patterns = self._patterns
        connection = self._keeper.get()
        try:
            found = self._dialect.tables(connection, patterns.catalog, patterns.schema, patterns.types)
            connection.rollback()
        except Exception as error:
            if not is_driver_error(error):
                raise
            log.error(
                "Error while trying to get updated table list, ignoring and waiting for next table poll interval: %s",
                sql_error(error).message,
            )
            self._keeper.close()
            return False
        tables = list(dict.fromkeys(table for table in found if patterns.test(table)))
        with self._changed:
            before, self._tables = self._tables, tables
            self._changed.notify_all()
        if before != tables:
            log.info("Found %d tables to read: %s", len(tables), ", ".join(map(str, tables)))
        return before != tables
