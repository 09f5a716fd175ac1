"""`JdbcSinkTask`: retries, reports and fails (``io.confluent.connect.jdbc.sink.JdbcSinkTask``)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from penstock.api import ErrantRecordReporter, SinkTask, TopicPartition
from penstock.data import SinkRecord
from penstock.errors import ConnectError, RetriableError
from penstock_connectors.jdbc import JDBC_VERSION
from penstock_connectors.jdbc.settings import connection_keeper, dialect_of
from penstock_connectors.jdbc.sink.config import CONFIG_DEF, SinkConfig
from penstock_connectors.jdbc.sink.errors import TableAlterOrCreateError, UnfitRecordError, chained
from penstock_connectors.jdbc.sink.exactly_once import ExactlyOnce
from penstock_connectors.jdbc.sink.offset_table import FencedError, offset_table
from penstock_connectors.jdbc.sink.writer import DatabaseWriter
from penstock_connectors.jdbc.sql_errors import ErrorKind, SqlError, classify, is_driver_error

__all__ = ["JdbcSinkTask"]

log = logging.getLogger(__name__)

#: How long a task waits for its worker to learn that another one has its partitions.
_FENCED_TRIES: Final = 60
_FENCED_PAUSE_MS: Final = 1000
#: A transaction holds the offsets' rows from their update to the commit, a moment; a longer silence is a lost worker's.
_ABANDONED_S: Final = 60


class JdbcSinkTask(SinkTask):
    """Each `put` is one transaction. An error of the database rolls it back, and the batch comes again; after the last try
    its records are written one by one, and those that fail are reported, if there is a reporter."""

    java_class = "io.confluent.connect.jdbc.sink.JdbcSinkTask"
    version = JDBC_VERSION

    _writer: DatabaseWriter | None = None

    def start(self, props: Mapping[str, str]) -> None:
        self._config = SinkConfig.parse(props)
        dialect = dialect_of(self._config.parsed, props, CONFIG_DEF.names)
        if self._config.parsed["exactly.once"]:
            # A worker that stands still must not keep the next owner of its partitions from claiming them.
            dialect.target.statements += dialect.abandoned_after(_ABANDONED_S)
        self._keeper = connection_keeper(dialect, self._config.parsed)
        self._writer = DatabaseWriter(self._config, dialect, self._keeper)
        self._max_retries: int = self._config.parsed["max.retries"]
        self._remaining = self._max_retries
        self._transient_only = self._config.parsed["retry.on"] == "transient"
        self._fenced = 0
        self._exactly: ExactlyOnce | None = None
        if self._config.parsed["exactly.once"]:
            who = f"connector {self._config.connector_name}"
            table = offset_table(dialect, self._config)
            self._exactly = ExactlyOnce(table, self._writer.names, self._keeper, self.context, who)

    def open(self, partitions: Sequence[TopicPartition]) -> None:
        if self._exactly is not None:
            self._exactly.open(partitions)

    def put(self, records: Sequence[SinkRecord]) -> None:
        if not records:
            return
        try:
            self._put(records)
        except FencedError as error:
            self._after_fencing(error)
        self._remaining = self._max_retries

    def _put(self, records: Sequence[SinkRecord]) -> None:
        try:
            self._write(records)
        except UnfitRecordError as error:
            if self._reporter is None:
                raise error.error from None
            self._write_or_report(records)
        except TableAlterOrCreateError:
            if self._reporter is None:
                raise
            self._write_or_report(records)
        except Exception as error:
            if not is_driver_error(error):
                raise
            self._after_error(records, error)

    def _write(self, records: Sequence[SinkRecord]) -> None:
        assert self._writer is not None
        exactly = self._exactly
        if exactly is None:
            self._writer.write(records)
            return
        exactly.check(records)
        self._writer.write(records, lambda connection: exactly.store(connection, records))
        exactly.stored(records)
        self._fenced = 0

    @property
    def _reporter(self) -> ErrantRecordReporter | None:
        return self.context.errant_record_reporter

    def _after_error(self, records: Sequence[SinkRecord], error: Exception) -> None:
        chain = self._chained(error)
        transient = _is_transient(error)
        log.warning("Write of %d records failed, remainingRetries=%d: %s", len(records), self._remaining, chain.message)
        assert self._writer is not None
        self._writer.forget()
        if self._remaining > 0 and (transient or not self._transient_only):
            self._remaining -= 1
            self.context.timeout(self._config.parsed["retry.backoff.ms"])
            raise RetriableError(f"java.sql.SQLException: {chain.message}") from error
        if self._reporter is None or transient:
            raise ConnectError(f"java.sql.SQLException: {chain.message}") from chain
        self._write_or_report(records)

    def _after_fencing(self, error: FencedError) -> None:
        # A worker that stood still learns of its lost partitions soon, and the batch goes with them. Some of its records may
        # be written, if it was split.
        assert self._exactly is not None
        self._exactly.ask_again()
        self._fenced += 1
        if self._fenced > _FENCED_TRIES:
            raise error
        self.context.timeout(_FENCED_PAUSE_MS)
        raise RetriableError(error.message) from error

    def _chained(self, error: Exception) -> SqlError:
        chain = chained(error, self._config.parsed["trim.sensitive.log"])
        chain.__cause__ = None if self._config.parsed["trim.sensitive.log"] else error
        return chain

    def _write_or_report(self, records: Sequence[SinkRecord]) -> None:
        """Write what can be written, and report the other records: halves of what fails are tried, down to one record."""
        reporter = self._reporter
        assert self._writer is not None
        assert reporter is not None
        self._writer.forget()
        parts = [records]
        while parts:
            part = parts.pop()
            try:
                self._write(part)
            except RetriableError:
                if self._exactly is not None:
                    self._exactly.ask_again()
                raise
            except Exception as error:
                if not isinstance(error, (TableAlterOrCreateError, UnfitRecordError)) and not is_driver_error(error):
                    raise
                if _is_transient(error):
                    raise ConnectError(f"java.sql.SQLException: {self._chained(error).message}") from error
                if len(part) > 1:
                    middle = len(part) // 2
                    parts += [part[middle:], part[:middle]]
                    continue
                self._report(reporter, part[0], error)

    def _report(self, reporter: ErrantRecordReporter, record: SinkRecord, error: Exception) -> None:
        if isinstance(error, UnfitRecordError):
            error = error.error
        elif not isinstance(error, TableAlterOrCreateError):
            error = self._chained(error)
        reported = reporter.report(record, error)
        if self._exactly is not None:
            reported.result()  # before the offset is past it
            self._exactly.skip(record)

    def pre_commit(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        return offsets if self._exactly is None else self._exactly.pre_commit(offsets)

    def close(self, partitions: Sequence[TopicPartition]) -> None:
        if self._exactly is not None:
            self._exactly.close(partitions)

    def stop(self) -> None:
        if self._writer is not None:
            self._keeper.stop()
            self._keeper.close()


def _is_transient(error: BaseException) -> bool:
    """Return whether the database is at fault and not a record: the connection, a lock, a time-out, space."""
    return classify(error) in (ErrorKind.CONNECTION, ErrorKind.RETRIABLE)
