"""The thread of a task that runs its queriers in turn and fills the queue (``TableQuerierProcessor``)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence

from penstock.errors import ConnectError, TaskStopped
from penstock_connectors.jdbc.connection import ConnectionKeeper
from penstock_connectors.jdbc.source.batches import BatchQueue
from penstock_connectors.jdbc.source.querier import Querier
from penstock_connectors.jdbc.sql_errors import ErrorKind, classify, is_driver_error, sql_error

__all__ = ["Processor"]

log = logging.getLogger(__name__)


class Processor:
    """Runs until `stop`, or until an error ends it, which the queue then hands to ``poll``."""

    def __init__(
        self,
        queriers: Sequence[Querier],
        keeper: ConnectionKeeper,
        queue: BatchQueue,
        interval_s: float,
        max_attempts: int,
        clock: Callable[[], float],
    ) -> None:
        self._queriers, self._keeper, self._queue = list(queriers), keeper, queue
        self._interval, self._max_attempts, self._clock = interval_s, max_attempts, clock
        self._stopped = threading.Event()

    def run(self) -> None:
        """Run the queriers until `stop`; the thread's target."""
        try:
            while not self._stopped.is_set():
                querier = min(self._queriers, key=lambda q: q.order)
                if not self._wait(querier):
                    break
                self._turn(querier)
        except TaskStopped:
            log.debug("The task was stopped while it connected")
        except BaseException as error:
            self._queue.fail(_polling(error))
        finally:
            self._keeper.close()

    def stop(self) -> None:
        """End `run` soon: a wait, and a statement that the server is working on. Safe from any thread."""
        self._stopped.set()
        self._keeper.stop()
        self._queue.close()
        connection = self._keeper.current
        if connection is not None:
            connection.cancel()

    def _wait(self, querier: Querier) -> bool:
        """Wait until the querier's next turn. Return False if stopped meanwhile."""
        if querier.last_end is None:
            return not self._stopped.is_set()
        return not self._stopped.wait(max(0.0, querier.last_end + self._interval - self._clock()))

    def _turn(self, querier: Querier) -> None:
        try:
            self._read(querier)
        except TaskStopped:
            raise
        except Exception as error:
            querier.finish(self._clock())
            if self._stopped.is_set():
                return
            if not _is_sql(error):
                raise ConnectError(f"Error while processing table querier of {querier.name}").with_traceback(
                    None
                ) from error
            self._retry(querier, error)

    def _read(self, querier: Querier) -> None:
        try:
            connection = self._keeper.get()
        except ConnectError as error:
            if isinstance(error, TaskStopped):
                raise
            raise _NoConnection from error
        querier.start(connection)
        count = 0
        while batch := querier.fetch():
            if not self._queue.put(batch):
                break
            count += len(batch)
        querier.finish(self._clock())
        querier.attempts = 0
        connection.commit()
        log.debug("Read %d rows of %s", count, querier.name)

    def _retry(self, querier: Querier, error: Exception) -> None:
        """Let the querier's next turn come, or raise once its attempts are used up."""
        querier.attempts += 1
        kind = classify(error)
        connection = self._keeper.current
        if connection is not None:
            connection.rollback()
        if kind is ErrorKind.CONNECTION:
            self._keeper.close()
        text = "<not shown: the query is masked>" if querier.settings.masked else sql_error(error).message
        limit = self._max_attempts if self._max_attempts > 0 else "no limit"
        log.error("SQL exception while running %s, attempt %d of %s: %s", querier.name, querier.attempts, limit, text)
        if _never_passes(error, kind):
            raise _shown(error, querier) from None
        if 0 < self._max_attempts <= querier.attempts:
            raise ConnectError("Failed to query table after retries") from _shown(error, querier)


class _NoConnection(Exception):
    """Wraps an error of connecting, which is not tried again as a query is."""


def _is_sql(error: BaseException) -> bool:
    return not isinstance(error, _NoConnection) and is_driver_error(error)


def _never_passes(error: BaseException, kind: ErrorKind) -> bool:
    """Return whether the JVM's driver has a "non-transient" exception for it: MySQL's do, SQLite's and PostgreSQL's do not."""
    return type(error).__module__.startswith("pymysql") and kind in (ErrorKind.FATAL, ErrorKind.RECORD)


def _shown(error: BaseException, querier: Querier) -> BaseException:
    """Return the error to show; without the driver's text, which may quote the query, where the query is masked."""
    found = sql_error(error)
    if querier.settings.masked:
        return type(found)(f"The database refused the masked query (SQLState: {found.state})", found.kind, found.state)
    return found


def _polling(error: BaseException) -> BaseException:
    """Return ``poll``'s error, with the chain of causes that the JVM's connector shows."""
    cause = error.__cause__
    if isinstance(cause, _NoConnection):
        error.__cause__ = cause.__cause__
    made = ConnectError("Error while polling for records")
    made.__cause__ = error
    return made
