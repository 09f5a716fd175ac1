"""Validation of a whole configuration: rules that span settings, and a look at the database (``JdbcSourceConnectorValidation``).

Each step ends the validation where it finds an error, and the database is asked only once all else is right.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from penstock.config import Config, ConfigValue
from penstock.errors import ConnectError
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.settings import dialect_of
from penstock_connectors.jdbc.source import names
from penstock_connectors.jdbc.source.config_def import CONFIG_DEF
from penstock_connectors.jdbc.source.reading import reader_for
from penstock_connectors.jdbc.source.settings import is_masked, moments_of, query_of
from penstock_connectors.jdbc.sql_errors import driver_text, is_driver_error, sql_state

__all__ = ["validate"]

log = logging.getLogger(__name__)

_LISTS: Final = (names.WHITELIST, names.BLACKLIST, names.INCLUDE_LIST, names.EXCLUDE_LIST)
_MIXED: Final = (
    "Cannot mix legacy and new configuration approaches. Legacy configurations (table.whitelist, table.blacklist, "
    "timestamp.column.name, incrementing.column.name) cannot be used together with new configurations (table.include.list, "
    "table.exclude.list, timestamp.columns.mapping, incrementing.column.mapping). Please choose one approach: either use all "
    "legacy configurations or all new configurations."
)
_NO_LIST: Final = (
    "At least one table filtering configuration is required. Provide one of: table.whitelist, table.blacklist, "
    "table.include.list, or table.exclude.list."
)
_TWO_QUERIES: Final = (
    "Both 'query' and 'query.masked' configs cannot be set at the same time. Please use only one of them."
)
_QUERY_AND_LIST: Final = (
    "Do not specify table filtering configs with 'query'. Remove table.whitelist / table.blacklist / table.include.list / "
    "table.exclude.list when using query mode or 'query' when using table filtering mode."
)
_NO_INCREMENTING: Final = (
    "'incrementing.column.name' must be provided when using mode 'incrementing' or 'timestamp+incrementing' with a custom "
    "query. The incrementing column cannot be auto-discovered in query mode because there is no table to inspect. Note that "
    "'incrementing.column.mapping' is not applied in query mode (it maps columns by table-name regex, and a custom query has "
    "no underlying table to match), so 'incrementing.column.name' must be set explicitly."
)
_BAD_QUERY: Final = (
    "The configured query is not valid and has database/connection errors. Please provide the correct query by validating the "
    "query syntax and the existing table/column names with the database being connected"
)


def validate(configs: Mapping[str, str]) -> Config:
    """Return the outcome of every setting. No instance is needed; a connection is opened and closed.

    Errors of the database are told at the setting that they belong to. Any other exception is a fault of the connector's
    own, and is raised.
    """
    values = CONFIG_DEF.validate(configs)
    if any(value.errors for value in values):
        return Config(values)
    checked = _Validation(configs, values)
    try:
        checked.run()
    except ConnectError as error:
        # The JVM's connector ends its validation here, too, and leaves the rest to the start.
        log.warning(
            "The validation of connector %s ends early: %s", configs.get("name", "without a name"), error.message
        )
    return Config(values)


class _Validation:
    def __init__(self, props: Mapping[str, str], values: list[ConfigValue]) -> None:
        self._props = props
        self._config = CONFIG_DEF.parse(props)
        self._by_name = {value.name: value for value in values}
        self._query = query_of(self._config)

    def run(self) -> bool:
        """Run the steps until one finds an error. Return whether all is right."""
        steps: list[Callable[[], bool]] = [
            self._isolation, self._old_or_new, self._queries, self._query_columns, self._own_settings, self._database,
            self._new_settings,
        ]  # fmt: skip
        return all(step() for step in steps)

    def _error(self, message: str, *settings: str) -> bool:
        for name in settings:
            self._by_name[name].add_error(message)
        return False

    def _isolation(self) -> bool:
        mode = self._config[names.ISOLATION]
        if mode not in names.ISOLATION_MODES:
            raise ConnectError(f"{names.ISOLATION} is '{mode}', expected one of {', '.join(names.ISOLATION_MODES)}")
        if mode == "SQL_SERVER_SNAPSHOT" and self._dialect().name != "SqlServerDatabaseDialect":
            return self._error(
                "Isolation mode of `SQL_SERVER_SNAPSHOT` can only be configured with a Sql Server Dialect",
                names.ISOLATION,
            )
        return True

    def _old_settings_used(self) -> list[str]:
        config = self._config
        used = [key for key in (names.WHITELIST, names.BLACKLIST) if config[key]]
        if config[names.TIMESTAMP_NAMES] and config[names.TIMESTAMP_NAMES][0].strip():
            used.append(names.TIMESTAMP_NAMES)
        if (config[names.INCREMENTING_NAME] or "").strip():
            used.append(names.INCREMENTING_NAME)
        return used

    def _new_settings_used(self) -> list[str]:
        keys = (names.INCLUDE_LIST, names.EXCLUDE_LIST, names.TIMESTAMP_MAPPING, names.INCREMENTING_MAPPING)
        return [key for key in keys if self._config[key]]

    def _old_or_new(self) -> bool:
        if self._query is not None:
            return True
        old, new = self._old_settings_used(), self._new_settings_used()
        if old and new:
            return self._error(_MIXED, *old, *new)
        return True if old or new else self._error(_NO_LIST, *_LISTS)

    def _queries(self) -> bool:
        query, masked = self._config[names.QUERY], self._query if is_masked(self._config) else None
        if query and masked:
            return self._error(_TWO_QUERIES, names.QUERY, names.QUERY_MASKED)
        lists = [key for key in _LISTS if self._config[key]]
        if self._query is not None and lists:
            return self._error(_QUERY_AND_LIST, names.QUERY, names.QUERY_MASKED, *lists)
        if self._query is not None and not _is_select(self._query):
            key = names.QUERY_MASKED if masked else names.QUERY
            return self._error(
                f"Only SELECT statements are supported for '{key}'. Please provide a statement that starts with SELECT.",
                key,
            )
        return True

    def _query_columns(self) -> bool:
        by_id = self._config["mode"] in (names.INCREMENTING, names.TIMESTAMP_INCREMENTING)
        if self._query is None or not by_id or (self._config[names.INCREMENTING_NAME] or "").strip():
            return True
        return self._error(_NO_INCREMENTING, names.INCREMENTING_NAME)

    def _own_settings(self) -> bool:
        """Check the settings that the JVM's connector does not have."""
        mode, columns = self._config[names.KEY_MODE], self._config[names.KEY_COLUMNS]
        if mode == "columns" and not columns:
            return self._error("key.mode=columns needs the columns' names in key.columns", names.KEY_COLUMNS)
        if mode != "columns" and columns:
            return self._error("key.columns counts with key.mode=columns only", names.KEY_COLUMNS)
        if mode == "primary_key" and self._query is not None:
            return self._error("A query has no primary key; use key.mode=columns", names.KEY_MODE)
        if self._config[names.LATE_COMMITS] == "wait" and self._query is not None:
            return self._error("late.commits=wait needs tables; a query may read any", names.LATE_COMMITS)
        if self._config[names.LATE_COMMITS] == "wait" and self._config["mode"] == names.BULK:
            return self._error("late.commits=wait means nothing in mode bulk, which misses no rows", names.LATE_COMMITS)
        return True

    # --- the database

    def _dialect(self) -> Dialect:
        return dialect_of(self._config, self._props, CONFIG_DEF.names)

    def _database(self) -> bool:
        try:
            dialect = self._dialect()
            connection = dialect.connect()
        except Exception as error:
            if not isinstance(error, ConnectError) and not is_driver_error(error):
                raise
            log.info("The database cannot be reached: %s", driver_text(error))
            return self._error(f"Could not connect to database. {driver_text(error)}", "connection.url")
        try:
            return self._query is None or self._check_query(dialect, connection, self._query)
        finally:
            connection.close()

    def _check_query(self, dialect: Dialect, connection: DatabaseConnection, query: str) -> bool:
        try:
            reader_for(dialect, moments_of(self._config)).check(connection, query)
        except Exception as error:
            if not is_driver_error(error):
                raise
            return self._error(
                _BAD_QUERY + _codes(error), names.QUERY_MASKED if is_masked(self._config) else names.QUERY
            )
        return True

    # --- the new settings

    def _new_settings(self) -> bool:
        if not self._new_settings_used():
            return True
        config, mode = self._config, self._config["mode"]
        if config[names.EXCLUDE_LIST] and not config[names.INCLUDE_LIST]:
            return self._error(
                "table.exclude.list cannot be used without table.include.list. Exclude list only applies to tables that match the include list.",
                names.EXCLUDE_LIST,
            )
        kinds = (
            ("Timestamp", names.TIMESTAMP_MAPPING, names.TIMESTAMP),
            ("Incrementing", names.INCREMENTING_MAPPING, names.INCREMENTING),
        )
        for title, key, own_mode in kinds:
            modes = f"'{own_mode}' or '{names.TIMESTAMP_INCREMENTING}'"
            needed = mode in (own_mode, names.TIMESTAMP_INCREMENTING)
            if needed and not config[key]:
                return self._error(
                    f"{title} column configuration must be provided when using mode {modes}. Provide '{key}'.", "mode"
                )
            if config[key] and not needed:
                return self._error(
                    f"{title} column configurations should not be provided if mode is not {modes}. Remove '{key}'.",
                    "mode",
                )
        return True


def _is_select(query: str) -> bool:
    text = query.strip()
    return text[:6].upper() == "SELECT" and not (text[6:7].isalnum() or text[6:7] == "_")


def _codes(error: BaseException) -> str:
    """Return the SQLSTATE and the driver's number, as far as there are any, in brackets."""
    state = sql_state(error)
    number: Any = (
        error.args[0] if error.args and isinstance(error.args[0], int) else getattr(error, "sqlite_errorcode", 0)
    )
    parts = [f"SQLState: {state}"] if state else []
    parts += [f"errorCode: {number}"] if number else []
    return f" ({', '.join(parts)})" if parts else ""
