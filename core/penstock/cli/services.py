"""Parts that need plugins only: settings with their providers, and the registry, which is a service of a plugin."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, cast

from penstock.api import HasSummary, Service
from penstock.config.bounded import TIMEOUT_KEY, BoundedProvider
from penstock.config.definition import parse_type
from penstock.config.disclosure import LookedUpValues
from penstock.config.provider import ConfigProvider
from penstock.config.table import ROWS
from penstock.config.transformer import ConfigTransformer
from penstock.errors import ConfigError
from penstock.logs import log_summary
from penstock.plugins import PluginKind, Plugins

__all__ = ["config_transformer", "log_registry", "resolved_properties", "start_registry"]

_log: Final = logging.getLogger(__name__)

_REGISTRY_SERVICE: Final = "schema-registry"


def config_transformer(props: Mapping[str, str], plugins: Plugins) -> ConfigTransformer:
    """Return the transformer with the providers that ``config.providers`` and ``config.providers.<name>.*`` name (KIP-297)."""
    providers: dict[str, ConfigProvider] = {}
    timeout = _timeout_of(props)
    for name in (n.strip() for n in props.get("config.providers", "").split(",")):
        if not name:
            continue
        prefix = f"config.providers.{name}."
        class_name = props.get(prefix + "class")
        if not class_name:
            raise ConfigError(f'Missing required configuration "{prefix}class" which has no default value.')
        provider: ConfigProvider = plugins.new(PluginKind.CONFIG_PROVIDER, class_name)
        parameters = prefix + "param."
        provider.configure({k.removeprefix(parameters): v for k, v in props.items() if k.startswith(parameters)})
        providers[name] = BoundedProvider(provider, timeout)
    return ConfigTransformer(providers)


def _timeout_of(props: Mapping[str, str]) -> float:
    """Return the seconds that a provider may take. The worker's settings are parsed later, once their values are there."""
    row = ROWS[TIMEOUT_KEY]
    value: int = parse_type(TIMEOUT_KEY, props.get(TIMEOUT_KEY, row.default), row.type)
    if row.validator is not None:
        row.validator.ensure_valid(TIMEOUT_KEY, value)
    return value / 1000


def resolved_properties(props: Mapping[str, str], transformer: ConfigTransformer) -> dict[str, str]:
    return dict(transformer.transform(props)[0])


def start_registry(plugins: Plugins, settings: Mapping[str, str]) -> Service:
    """The registry, found as a service plugin: core knows nothing else of it."""
    service: Any = plugins.new(PluginKind.SERVICE, _REGISTRY_SERVICE)
    for info in plugins.infos(PluginKind.SCHEMA_FORMAT):
        if info.distribution != "penstock":  # its own formats the registry knows; a stranger's it is handed
            service.formats[info.plugin.name.upper()] = partial(plugins.new, PluginKind.SCHEMA_FORMAT, info.plugin.name)
    service.start(settings)
    return cast("Service", service)


def log_registry(service: Service, looked_up: LookedUpValues) -> None:
    """Log the summary of a registry that was started; `looked_up` keeps values of config providers out of it."""
    if isinstance(service, HasSummary):
        lines = {name: looked_up.shown(text) for name, text in service.summary().items()}
        log_summary(_log, f"Schema registry is up at {looked_up.shown(', '.join(service.urls))}", lines)
