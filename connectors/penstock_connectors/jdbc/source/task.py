"""``JdbcSourceTask``: reads the tables, or the query, that the connector gave it."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from penstock.api import SourceTask
from penstock.data import SourceRecord
from penstock.errors import ConfigError, ConnectError
from penstock_connectors.jdbc import JDBC_VERSION
from penstock_connectors.jdbc.connection import ConnectionKeeper
from penstock_connectors.jdbc.settings import connection_keeper, dialect_of
from penstock_connectors.jdbc.source import names
from penstock_connectors.jdbc.source.batches import BatchQueue
from penstock_connectors.jdbc.source.config_def import TASK_CONFIG_DEF
from penstock_connectors.jdbc.source.plan import plan_queriers
from penstock_connectors.jdbc.source.processor import Processor
from penstock_connectors.jdbc.source.reading import reader_for
from penstock_connectors.jdbc.source.settings import moments_of, query_of

__all__ = ["JdbcSourceTask"]

log = logging.getLogger(__name__)

_NO_TABLE = (
    "Task is being killed because it was not assigned a table nor a query to execute. If run in table mode please make sure "
    "that the tables exist on the database. If the table does exist on the database, we recommend using the fully qualified "
    "table name."
)
#: Seconds that `poll` waits at most, so that a pause takes effect.
_MAX_LINGER = 1.0


class JdbcSourceTask(SourceTask):
    """A thread of its own reads; ``poll`` hands over what it read."""

    version: ClassVar[str] = JDBC_VERSION
    java_class: ClassVar[str] = "io.confluent.connect.jdbc.source.JdbcSourceTask"
    #: The clock of poll intervals; a test may set another.
    clock = staticmethod(time.monotonic)

    def __init__(self) -> None:
        self._stopped = threading.Event()
        self._keeper: ConnectionKeeper | None = None
        self._queue: BatchQueue | None = None
        self._processor: Processor | None = None
        self._thread: threading.Thread | None = None
        self._linger = _MAX_LINGER

    def start(self, props: Mapping[str, str]) -> None:
        try:
            config = TASK_CONFIG_DEF.parse(props)
        except ConfigError as error:
            raise ConfigError("Couldn't start JdbcSourceTask due to configuration error") from error
        tables, query = config[names.TABLES], query_of(config)
        if not tables and query is None:
            if config[names.TABLES_FETCHED]:
                raise ConfigError(_NO_TABLE)
            log.info("Waiting for the tables to be read from the database")
            return
        if tables and query is not None:
            raise ConfigError(
                "Invalid configuration: a JdbcSourceTask cannot have both a table and a query assigned to it"
            )
        if config[names.ISOLATION] not in names.ISOLATION_MODES:
            raise ConnectError(
                f"No enum constant io.confluent.connect.jdbc.source.JdbcSourceConnectorConfig.TransactionIsolationMode.{config[names.ISOLATION]}"
            )
        self._linger = min(max(config["poll.linger.ms"], 0) / 1000, _MAX_LINGER)
        self._begin(config, props)

    def _begin(self, config: dict[str, Any], props: Mapping[str, str]) -> None:
        dialect = dialect_of(config, props, TASK_CONFIG_DEF.names)
        self._keeper = keeper = connection_keeper(dialect, config)
        reader = reader_for(dialect, moments_of(config))
        connection = keeper.get()
        if config[names.ISOLATION] != "DEFAULT":
            reader.set_isolation(connection, config[names.ISOLATION].replace("_", " "))
        queriers = plan_queriers(config, reader, connection, self.context.offset_storage_reader)
        connection.rollback()
        batch = config["batch.max.rows"]
        self._queue = BatchQueue(config["max.buffer.size"] or batch * 4)
        self._processor = Processor(
            queriers, keeper, self._queue, config["poll.interval.ms"] / 1000, config["query.retry.attempts"], self.clock
        )
        name = f"{threading.current_thread().name} jdbc-source"  # the log names connector and task by it
        self._thread = threading.Thread(target=self._processor.run, name=name, daemon=True)
        self._thread.start()

    def poll(self) -> Sequence[SourceRecord] | None:
        if self._queue is None:
            self._stopped.wait(_MAX_LINGER)
            return None
        return self._queue.take(self._linger)

    def stop(self) -> None:
        self._stopped.set()
        if self._processor is not None:
            self._processor.stop()
        elif self._keeper is not None:
            self._keeper.stop()

    def close(self) -> None:
        if self._thread is not None:
            self._thread.join(10)
            if self._thread.is_alive():
                log.warning("The reading thread did not end in time; it ends with its statement")
                return
        if self._keeper is not None:
            self._keeper.close()
