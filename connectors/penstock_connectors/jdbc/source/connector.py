"""``io.confluent.connect.jdbc.JdbcSourceConnector``: tables or a query of a database, dealt out to tasks."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar

from penstock.api import ExactlyOnceSupport, SourceConnector, SourceTask
from penstock.config import Config, ConfigDef
from penstock.errors import ConfigError, ConnectError
from penstock_connectors.jdbc import JDBC_VERSION
from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.settings import connection_keeper, dialect_of
from penstock_connectors.jdbc.source import names
from penstock_connectors.jdbc.source.config_def import CONFIG_DEF
from penstock_connectors.jdbc.source.monitor import TableMonitor, TablePatterns
from penstock_connectors.jdbc.source.offsets import INCREMENTING, NANOS, TIMESTAMP
from penstock_connectors.jdbc.source.settings import query_of
from penstock_connectors.jdbc.source.table_filter import check_names, table_filter
from penstock_connectors.jdbc.source.task import JdbcSourceTask
from penstock_connectors.jdbc.source.validation import validate
from penstock_connectors.jdbc.tables import TableId

__all__ = ["JdbcSourceConnector"]

log = logging.getLogger(__name__)


class JdbcSourceConnector(SourceConnector):
    """A query makes one task. Tables are watched by a thread, and dealt out to tasks in contiguous groups."""

    version: ClassVar[str] = JDBC_VERSION
    _monitor: TableMonitor | None = None

    @classmethod
    def config_def(cls) -> ConfigDef:
        return CONFIG_DEF

    def validate(self, configs: Mapping[str, str]) -> Config:
        return validate(configs)

    def start(self, props: Mapping[str, str]) -> None:
        self._props = dict(props)
        try:
            self._config = config = CONFIG_DEF.parse(props)
        except ConfigError as error:
            raise ConnectError("Couldn't start JdbcSourceConnector due to configuration error") from error
        self._dialect: Dialect = dialect_of(config, props, CONFIG_DEF.names)
        keeper = connection_keeper(self._dialect, config)
        if query_of(config) is not None:
            if any(config[key] for key in (names.WHITELIST, names.BLACKLIST, names.INCLUDE_LIST, names.EXCLUDE_LIST)):
                raise ConnectError("query may not be combined with whole-table copying settings.")
            keeper.get()
            keeper.close()
            return
        patterns = TablePatterns(
            config["catalog.pattern"],
            config["schema.pattern"],
            config["table.types"],
            table_filter(config, self._dialect),
        )
        self._monitor = TableMonitor(
            self._dialect, keeper, self.context, patterns, config["table.poll.interval.ms"] / 1000
        )
        keeper.get()
        self._monitor.start()

    @property
    def task_class(self) -> type[SourceTask]:
        return JdbcSourceTask

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        if self._monitor is None:
            return [self._task([], fetched=True)]
        wait_s = self._config["table.monitoring.startup.polling.limit.ms"] / 1000
        tables = self._monitor.tables(wait_s)
        if not tables:
            if tables is None:
                log.warning("The connector has not been able to read the list of tables from the database yet.")
            else:
                log.warning("No tables were found so there's no work to be done.")
            return [self._task([], fetched=tables is not None)]
        try:
            check_names(tables, self._config)
        except ConnectError as error:
            raise self._monitor.fail(error) from error
        return [self._task(group, fetched=True) for group in group_partitions(tables, min(len(tables), max_tasks))]

    def _task(self, tables: Sequence[TableId], fetched: bool) -> dict[str, str]:
        listed = ",".join(map(self._dialect.table_sql, tables))
        return {**self._props, names.TABLES: listed, names.TABLES_FETCHED: "true" if fetched else "false"}

    def stop(self) -> None:
        if self._monitor is not None:
            self._monitor.stop()

    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport:
        """Return whether every row has an offset of its own: with an incrementing column, and not by time alone."""
        mode = props.get("mode", "")
        has_id = mode in (names.INCREMENTING, names.TIMESTAMP_INCREMENTING)
        return ExactlyOnceSupport.SUPPORTED if has_id else ExactlyOnceSupport.UNSUPPORTED

    def alter_offsets(self, props: Mapping[str, str], offsets: Mapping[Any, Mapping[str, Any] | None]) -> bool:
        """Refuse offsets that no task could begin with; any partition may be reset."""
        for partition, offset in offsets.items():
            if offset is None:
                continue
            keys = set(dict(partition))
            if not keys <= {"protocol", "table"} and keys != {"query"}:
                raise ConnectError(
                    f'The partition {dict(partition)} is none of a JDBC source; expected {{"protocol": "1", "table": "schema.table"}} or {{"query": "query"}}'
                )
            for name, value in offset.items():
                if (
                    name not in (INCREMENTING, TIMESTAMP, NANOS)
                    or isinstance(value, bool)
                    or not isinstance(value, int)
                ):
                    raise ConnectError(
                        f"The offset has {name}={value!r}; expected whole numbers for {INCREMENTING}, {TIMESTAMP} and {NANOS}"
                    )
        return True


def group_partitions(tables: Sequence[TableId], groups: int) -> list[list[TableId]]:
    """Return the tables in so many contiguous groups, the larger ones first (``ConnectorUtils.groupPartitions``)."""
    size, larger = divmod(len(tables), groups)
    dealt, place = [], 0
    for group in range(groups):
        end = place + size + (group < larger)
        dealt.append(list(tables[place:end]))
        place = end
    return dealt
