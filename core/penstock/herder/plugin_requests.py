"""`PluginRequests`: requests about plugins and loggers, which every herder answers alike."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.herder.interface import LoggerLevel, PluginAndLoggerRequests, PluginDescription
from penstock.herder.loggers import Loggers
from penstock.herder.plugin_listing import describe_plugins, plugin_settings
from penstock.herder.validation import ConnectorValidator
from penstock.plugins import Plugins

__all__ = ["PluginRequests"]


class PluginRequests(PluginAndLoggerRequests):
    """Answers out of the installed plugins and this process's loggers. Safe from any thread."""

    def __init__(self, plugins: Plugins, validator: ConnectorValidator, loggers: Loggers) -> None:
        self._plugins, self._validator, self._loggers = plugins, validator, loggers

    def validate_connector_config(self, config: Mapping[str, str | None]) -> Mapping[str, Any]:
        return self._validator.validate(config)

    def connector_plugins(self, connectors_only: bool) -> list[PluginDescription]:
        return describe_plugins(self._plugins, connectors_only)

    def plugin_config(self, name: str, version: str | None = None) -> list[Mapping[str, Any]]:
        return plugin_settings(self._plugins, name, version)

    def loggers(self) -> Mapping[str, LoggerLevel]:
        return self._loggers.all()

    def logger(self, name: str) -> LoggerLevel | None:
        return self._loggers.get(name)

    def set_worker_logger_level(self, name: str, level: str) -> list[str]:
        return self._loggers.set_level(name, level)
