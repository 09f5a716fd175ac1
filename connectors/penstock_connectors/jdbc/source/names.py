"""Names of settings and their values that several modules of the source use."""

from __future__ import annotations

from typing import Final

BULK: Final = "bulk"
INCREMENTING: Final = "incrementing"
TIMESTAMP: Final = "timestamp"
TIMESTAMP_INCREMENTING: Final = "timestamp+incrementing"
MODES: Final = ("", BULK, TIMESTAMP, INCREMENTING, TIMESTAMP_INCREMENTING)

WHITELIST: Final = "table.whitelist"
BLACKLIST: Final = "table.blacklist"
INCLUDE_LIST: Final = "table.include.list"
EXCLUDE_LIST: Final = "table.exclude.list"
INCREMENTING_NAME: Final = "incrementing.column.name"
TIMESTAMP_NAMES: Final = "timestamp.column.name"
INCREMENTING_MAPPING: Final = "incrementing.column.mapping"
TIMESTAMP_MAPPING: Final = "timestamp.columns.mapping"
QUERY: Final = "query"
QUERY_MASKED: Final = "query.masked"
ISOLATION: Final = "transaction.isolation.mode"

#: Settings that the connector gives its tasks.
TABLES: Final = "tables"
TABLES_FETCHED: Final = "tables.fetched"

ISOLATION_MODES: Final = (
    "DEFAULT", "READ_UNCOMMITTED", "READ_COMMITTED", "REPEATABLE_READ", "SERIALIZABLE", "SQL_SERVER_SNAPSHOT",
)  # fmt: skip
NUMERIC_MAPPINGS: Final = ("NONE", "PRECISION_ONLY", "BEST_FIT", "BEST_FIT_EAGER_DOUBLE")
GRANULARITIES: Final = (
    "CONNECT_LOGICAL", "MICROS_LONG", "MICROS_STRING", "MICROS_ISO_DATETIME_STRING",
    "NANOS_LONG", "NANOS_STRING", "NANOS_ISO_DATETIME_STRING",
)  # fmt: skip

#: The settings that penstock adds.
KEY_MODE: Final = "key.mode"
KEY_COLUMNS: Final = "key.columns"
COLUMNS_INCLUDE: Final = "columns.include"
COLUMNS_EXCLUDE: Final = "columns.exclude"
TYPE_FALLBACK: Final = "unmapped.types"
LATE_COMMITS: Final = "late.commits"
LATE_COMMITS_LAG: Final = "late.commits.lag.ms"
