"""`JdbcSinkConnector`: settings, their validation, and the tasks, which all have the same configuration."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Final

from penstock.api import SinkConnector, SinkTask, TopicPartition
from penstock.config import Config, ConfigDef, ConfigValue
from penstock.errors import ConfigError, ConnectError
from penstock_connectors.jdbc import JDBC_VERSION
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.settings import dialect_of
from penstock_connectors.jdbc.sink.config import CONFIG_DEF, PrimaryKeyMode, SinkConfig
from penstock_connectors.jdbc.sink.errors import java_text
from penstock_connectors.jdbc.sink.naming import TableNames
from penstock_connectors.jdbc.sink.offset_table import offset_table
from penstock_connectors.jdbc.sink.plan import planned_statements
from penstock_connectors.jdbc.sink.task import JdbcSinkTask
from penstock_connectors.jdbc.sql_errors import driver_text, is_driver_error

__all__ = ["JdbcSinkConnector"]

log = logging.getLogger(__name__)

_RESET: Final = "consumer.override.auto.offset.reset"
_SKIPS: Final = f"cannot work with {_RESET}=latest: what came before the first commit would be skipped after a crash"


class JdbcSinkConnector(SinkConnector):
    """Writes each topic's records into a table of a database."""

    version = JDBC_VERSION

    @classmethod
    def config_def(cls) -> ConfigDef:
        return CONFIG_DEF

    @property
    def task_class(self) -> type[SinkTask]:
        return JdbcSinkTask

    def validate(self, configs: Mapping[str, str]) -> Config:
        """Check each setting, then those that go together, and if all is right try to connect."""
        config = Config(CONFIG_DEF.validate(configs))
        _check_deletes(config)
        exactly = _sound(config, "exactly.once")
        if exactly is not None and exactly.value is True and _skips(configs):
            exactly.add_error(_SKIPS)
        if not any(value.errors for value in config.values):
            self._check_connection(config, configs)
        return config

    def _check_connection(self, config: Config, configs: Mapping[str, str]) -> None:
        url = _sound(config, "connection.url")
        try:
            parsed = SinkConfig.parse(configs)
            dialect = dialect_of(parsed.parsed, configs, CONFIG_DEF.names)
            connection = dialect.connect()
        except Exception as error:
            if not isinstance(error, ConnectError) and not is_driver_error(error):
                raise
            if url is not None:
                url.add_error(f"Could not connect to database. {driver_text(error)}")
            log.info("Validation could not connect to the database: %s", java_text(error))
            return
        try:
            if parsed.parsed["plan.value.schema"] or parsed.parsed["plan.key.schema"]:
                self._plan(
                    config, parsed, connection, [t.strip() for t in configs.get("topics", "").split(",") if t.strip()]
                )
        finally:
            connection.close()

    def _plan(self, config: Config, parsed: SinkConfig, connection: DatabaseConnection, topics: list[str]) -> None:
        """Show the statements that would run as values recommended for ``plan.value.schema``."""
        shown = config.value("plan.value.schema" if parsed.parsed["plan.value.schema"] else "plan.key.schema")
        assert shown is not None
        if not topics:
            shown.add_error("A plan needs the names of topics in 'topics'")
            return
        try:
            shown.recommended_values = list(planned_statements(parsed, connection.dialect, connection, topics))
        except Exception as error:
            if not isinstance(error, ConnectError) and not is_driver_error(error):
                raise
            shown.add_error(driver_text(error))

    def start(self, props: Mapping[str, str]) -> None:
        self._props = dict(props)
        if SinkConfig.parse(props).parsed["exactly.once"] and _skips(props):
            raise ConfigError("exactly.once", True, _SKIPS)

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [dict(self._props) for _ in range(max_tasks)]

    def alter_offsets(self, props: Mapping[str, str], offsets: Mapping[TopicPartition, int | None]) -> bool:
        """With ``exactly.once`` the offsets in the database count, so that they are changed, too."""
        config = SinkConfig.parse(props)
        if not config.parsed["exactly.once"]:
            return super().alter_offsets(props, offsets)
        dialect = dialect_of(config.parsed, props, CONFIG_DEF.names)
        try:
            connection = dialect.connect()
            try:
                table = offset_table(dialect, config)
                table.ensure(connection, TableNames(dialect, config))
                table.change(connection, {TopicPartition(*p): o for p, o in offsets.items()})
            finally:
                connection.close()
        except Exception as error:
            if not is_driver_error(error):
                raise
            raise ConnectError(f"The offsets in the database cannot be changed: {driver_text(error)}") from error
        return True

    def stop(self) -> None:
        """Do nothing: tasks have the connections."""


def _skips(configs: Mapping[str, str]) -> bool:
    return str(configs.get(_RESET, "")).strip().lower() == "latest"


def _sound(config: Config, name: str) -> ConfigValue | None:
    value = config.value(name)
    return value if value is not None and not value.errors else None


def _check_deletes(config: Config) -> None:
    deletes, mode = _sound(config, "delete.enabled"), _sound(config, "pk.mode")
    if deletes is None or mode is None or deletes.value is not True:
        return
    if str(mode.value).lower() != PrimaryKeyMode.RECORD_KEY.value:
        for value in (mode, deletes):
            value.add_error("Deletes are only supported for pk.mode record_key")
