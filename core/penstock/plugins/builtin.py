"""The plugins that core itself brings: the config providers of Kafka."""

from __future__ import annotations

from penstock.api import Plugin, hookimpl

_PROVIDERS = "org.apache.kafka.common.config.provider"


@hookimpl
def penstock_register_config_providers() -> list[Plugin]:
    return [
        Plugin(
            "file",
            "penstock.config.providers:FileConfigProvider",
            (f"{_PROVIDERS}.FileConfigProvider",),
            "values from a properties file",
        ),
        Plugin(
            "directory",
            "penstock.config.providers:DirectoryConfigProvider",
            (f"{_PROVIDERS}.DirectoryConfigProvider",),
            "values from a directory with one file a key",
        ),
        Plugin(
            "env",
            "penstock.config.providers:EnvVarConfigProvider",
            (f"{_PROVIDERS}.EnvVarConfigProvider",),
            "values from environment variables",
        ),
    ]
