"""The queriers of a task: which columns each table goes by, where it begins, and what is checked before (``JdbcSourceTask.start``)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.api import OffsetStorageReader
from penstock.errors import ConfigError, ConnectError
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.source import names
from penstock_connectors.jdbc.source.late_commits import bounds_for
from penstock_connectors.jdbc.source.offsets import QUERY_PARTITION, Offset, table_partition, v0_partition
from penstock_connectors.jdbc.source.querier import Bounds, Querier, QuerierSettings
from penstock_connectors.jdbc.source.query_text import appendable
from penstock_connectors.jdbc.source.reading import Reader
from penstock_connectors.jdbc.source.rows import RowOptions
from penstock_connectors.jdbc.source.settings import is_masked, query_of, row_settings_of
from penstock_connectors.jdbc.source.table_filter import column_by_pattern
from penstock_connectors.jdbc.tables import Column, TableId, split_list

__all__ = ["plan_queriers"]

log = logging.getLogger(__name__)


def plan_queriers(
    config: Mapping[str, Any], reader: Reader, connection: DatabaseConnection, offsets: OffsetStorageReader
) -> list[Querier]:
    """Return the queriers of a task, each with its offset. Raise `ConnectError` for tables that the mode cannot read."""
    planner = _Planner(config, reader, connection, offsets)
    query = query_of(config)
    if query is not None:
        return [planner.query(query)]
    listed = split_list(config[names.TABLES], *reader.dialect.quote)
    return planner.tables([reader.dialect.parse_table(text) for text in listed])


class _Planner:
    def __init__(
        self, config: Mapping[str, Any], reader: Reader, connection: DatabaseConnection, offsets: OffsetStorageReader
    ) -> None:
        self._config, self._reader, self._connection, self._offsets = config, reader, connection, offsets
        self._mode: str = config["mode"]
        self._by_id = self._mode in (names.INCREMENTING, names.TIMESTAMP_INCREMENTING)
        self._by_time = self._mode in (names.TIMESTAMP, names.TIMESTAMP_INCREMENTING)
        self._prefix: str = config["topic.prefix"].strip()
        self._rows = row_settings_of(config, reader.moments)

    def query(self, query: str) -> Querier:
        config = self._config
        query = appendable(self._reader.native(query))
        options = RowOptions(
            self._prefix, None, dict(QUERY_PARTITION),
            config[names.INCREMENTING_NAME] if self._by_id else None,
            tuple(config[names.TIMESTAMP_NAMES]) if self._by_time else (),
            self._keys(None),
        )  # fmt: skip
        return self._querier(options, None, query, [options.partition])

    def tables(self, tables: Sequence[TableId]) -> list[Querier]:
        columns = {table: self._columns_of_mode(table) for table in tables}
        self._check_exists(tables[0], *columns[tables[0]])
        queriers = []
        for table in tables:
            incrementing, timestamps = columns[table]
            if self._config["validate.non.null"]:
                self._check_not_null(table, incrementing, timestamps)
            options = RowOptions(
                self._prefix + table.name, table.name, table_partition(table) if self._mode != names.BULK else v0_partition(table),
                incrementing, timestamps, self._keys(table),
            )  # fmt: skip
            queriers.append(self._querier(options, table, None, [table_partition(table), v0_partition(table)]))
        return queriers

    def _querier(
        self, options: RowOptions, table: TableId | None, query: str | None, partitions: list[dict[str, str]]
    ) -> Querier:
        config = self._config
        settings = QuerierSettings(
            options, self._rows, table, query, config["query.suffix"].strip(), max(1, config["batch.max.rows"]),
            config["timestamp.delay.interval.ms"], is_masked(config), find_incrementing=self._by_id and table is not None,
            bounds=self._bounds(options, table),
        )  # fmt: skip
        return Querier(settings, self._reader, self._initial_offset(partitions))

    def _bounds(self, options: RowOptions, table: TableId | None) -> Bounds | None:
        if self._config[names.LATE_COMMITS] != "wait" or table is None or self._mode == names.BULK:
            return None
        lag_s = self._config[names.LATE_COMMITS_LAG] / 1000
        kind = self._reader.dialect.table_type(self._connection, table)
        return bounds_for(self._reader.dialect, table, kind, options.incrementing, bool(options.timestamps), lag_s)

    # --- columns

    def _columns_of_mode(self, table: TableId) -> tuple[str | None, tuple[str, ...]]:
        """Return the incrementing column (empty if it is to be found, None if the mode has none) and the timestamp columns."""
        config = self._config
        incrementing: str | None = None
        timestamps: tuple[str, ...] = ()
        by_pattern = bool(config[names.INCLUDE_LIST])
        if self._by_time:
            timestamps = () if by_pattern else tuple(name for name in config[names.TIMESTAMP_NAMES] if name)
            if config[names.TIMESTAMP_MAPPING]:
                listed = column_by_pattern(config[names.TIMESTAMP_MAPPING], table, "timestamp")
                if by_pattern:
                    timestamps = tuple(name.strip() for name in listed[1:-1].split("|"))
        if self._by_id:
            incrementing = "" if by_pattern else config[names.INCREMENTING_NAME]
            if config[names.INCREMENTING_MAPPING]:
                found = column_by_pattern(config[names.INCREMENTING_MAPPING], table, "incrementing")
                if by_pattern:
                    incrementing = found
        return incrementing, timestamps

    def _check_exists(self, table: TableId, incrementing: str | None, timestamps: Sequence[str]) -> None:
        known = {column.name.lower() for column in self._describe(table)}
        shown = self._reader.dialect.table_sql(table)
        if incrementing and incrementing.lower() not in known:
            raise ConfigError(f"Incrementing column: {incrementing} does not exist in table '{shown}'")
        missing = [name for name in timestamps if name.lower() not in known]
        if missing:
            raise ConfigError(f"Timestamp columns: {', '.join(missing)} do not exist in table '{shown}'")

    def _check_not_null(self, table: TableId, incrementing: str | None, timestamps: Sequence[str]) -> None:
        if not self._by_id and not self._by_time:
            return
        columns = self._describe(table)
        shown = self._reader.dialect.table_sql(table)
        wanted = {name.lower() for name in timestamps}
        optional_id = any(
            # SQLite's integer primary key has no NOT NULL, and is never null.
            c.nullable is not False and not c.primary_key
            for c in columns
            if c.name.lower() == (incrementing or "").lower()
        )
        if self._by_id and optional_id:
            raise ConnectError(
                f"Cannot make incremental queries using incrementing column {incrementing} on {shown} because this column is nullable."
            )
        certain_time = any(c.nullable is False or c.primary_key for c in columns if c.name.lower() in wanted)
        if self._by_time and not certain_time:
            raise ConnectError(
                f"Cannot make incremental queries using timestamp columns {','.join(timestamps)} on {shown} because all of these columns are nullable."
            )

    def _describe(self, table: TableId) -> list[Column]:
        return self._reader.dialect.columns(self._connection, table)

    def _keys(self, table: TableId | None) -> tuple[str, ...]:
        mode, listed = self._config[names.KEY_MODE], tuple(self._config[names.KEY_COLUMNS])
        if mode == "columns":
            if not listed:
                raise ConfigError(names.KEY_COLUMNS, "", "Expected columns beside key.mode=columns")
            return listed
        if listed:
            raise ConfigError(names.KEY_COLUMNS, ",".join(listed), "Expected key.mode=columns beside it")
        if mode == "none":
            return ()
        if table is None:
            raise ConfigError(names.KEY_MODE, mode, "A query has no primary key; expected key.mode=columns")
        keys = sorted((c.primary_key, c.name) for c in self._describe(table) if c.primary_key)
        if not keys:
            raise ConnectError(f"The table {table} has no primary key, which key.mode=primary_key needs")
        return tuple(name for _, name in keys)

    # --- offsets

    def _initial_offset(self, partitions: list[dict[str, str]]) -> Offset:
        if self._mode == names.BULK:
            return Offset()
        for partition, offset in zip(partitions, self._offsets.offsets(partitions), strict=True):
            if offset is not None:
                log.info("Going on from offset %s of %s", dict(offset), partition)
                return Offset.of_map(offset)
        initial = self._config["timestamp.initial"]
        if initial is None or not self._by_time:
            return Offset()
        if initial == -1:
            return Offset(None, self._reader.now(self._connection))
        return Offset(None, initial * 1000)
