"""Puts the rooms together: plugins, clients, stores, worker, herder, REST, embedded registry."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from functools import partial
from typing import Any, Final, cast

from penstock.api import Service
from penstock.config.provider import ConfigProvider
from penstock.config.transformer import ConfigTransformer
from penstock.config.worker import WorkerConfig
from penstock.errors import ConfigError
from penstock.herder.overrides import OverridePolicy
from penstock.herder.standalone import StandaloneHerder, StatusRecorder
from penstock.herder.validation import ConnectorValidator
from penstock.kafka import KafkaClients
from penstock.plugins import PluginKind, Plugins
from penstock.rest.server import RestServer
from penstock.runtime.admission import UnreadLimit
from penstock.runtime.worker import Worker
from penstock.storage import OffsetStore

__all__ = ["StandaloneProcess", "config_transformer", "resolved_properties", "start_registry"]

_log: Final = logging.getLogger(__name__)
_REGISTRY_SERVICE: Final = "schema-registry"
#: The embedded registry's defaults that differ from the standalone one's.
_EMBEDDED_LISTENERS: Final = "http://127.0.0.1:8081"
_LOCAL_NAME: Final = "default"


def config_transformer(props: Mapping[str, str], plugins: Plugins) -> ConfigTransformer:
    """Providers as ``config.providers`` and ``config.providers.<name>.*`` say (KIP-297)."""
    providers: dict[str, ConfigProvider] = {}
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
        providers[name] = provider
    return ConfigTransformer(providers)


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


class StandaloneProcess:
    """A standalone worker with its REST API and, if the configuration asks for it, a schema registry.

    Ports are taken when it is made, so that a second process on the same ports fails before it does anything.
    """

    def __init__(
        self,
        config: WorkerConfig,
        plugins: Plugins,
        transformer: ConfigTransformer,
        offsets: OffsetStore,
        admission: UnreadLimit | None = None,
    ) -> None:
        for warning in config.warnings:
            _log.warning("%s", warning)
        self._config = config
        self._plugins = plugins
        self.registry: Service | None = None
        self.rest = RestServer(config)
        clients = KafkaClients(
            config.client_settings(),
            producer=config.with_prefix("producer."),
            consumer=config.with_prefix("consumer."),
            admin=config.with_prefix("admin."),
        )
        embedded = config["schema.registry.embedded"]
        recorder = StatusRecorder()
        self.worker = Worker(
            config,
            plugins,
            offsets,
            recorder,
            worker_id=self.rest.advertised.worker_id,
            clients=clients,
            transformer=transformer,
            registry_url=f"local://{_LOCAL_NAME}" if embedded else None,
            admission=admission,
            on_topic=recorder.on_topic,
        )
        policy = OverridePolicy.named(
            config["connector.client.config.override.policy"], config["connector.client.config.override.allowlist"]
        )
        validator = ConnectorValidator(
            plugins, self.worker.converter_defaults, resolve=self.worker.resolve, policy=policy
        )
        self.herder = StandaloneHerder(self.worker, recorder, validator, self.worker)

    def start(self) -> None:
        """Registry first, since converters need it; REST last, since it answers for everything else."""
        if self._config["schema.registry.embedded"]:
            settings = {
                "listeners": _EMBEDDED_LISTENERS,
                "store": "memory",
                **self._config.with_prefix("registry."),
                "registry.name": _LOCAL_NAME,
            }
            self.registry = start_registry(self._plugins, settings)
        try:
            self.herder.start()
            self.rest.start(self.herder)
        except BaseException:
            self.stop()
            raise

    def stop(self) -> None:
        self.rest.stop()
        self.herder.stop()
        if self.registry is not None:
            self.registry.stop()
