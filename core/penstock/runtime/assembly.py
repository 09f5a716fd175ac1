"""Puts a task's parts together from its configuration: converters, header converter, chain of transforms."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from penstock.api import Converter, HeaderConverter, Predicate, Task, Transform
from penstock.errors import ConfigError, PluginError
from penstock.plugins import PluginKind, Plugins
from penstock.runtime.chain import Chain, Stage
from penstock.runtime.meters import TaskMeter
from penstock.runtime.task_plugins import TaskPlugins, UsedPlugin
from penstock.runtime.tolerance import LogReporter, Reporter

__all__ = [
    "Converters",
    "build_chain",
    "build_converters",
    "log_reporters",
    "made",
    "strip_prefix",
    "used_plugins",
    "with_registry_url",
]

_DEFAULT_HEADER_CONVERTER: Final = "org.apache.kafka.connect.storage.SimpleHeaderConverter"


@dataclass(frozen=True, slots=True)
class Converters:
    """The converters of one task, and the names that failures call them by."""

    key: Converter
    value: Converter
    header: HeaderConverter
    key_class: str
    value_class: str
    header_class: str

    def close(self) -> None:
        for converter in (self.key, self.value, self.header):
            converter.close()


def strip_prefix(config: Mapping[str, Any], prefix: str) -> dict[str, Any]:
    return {name[len(prefix) :]: value for name, value in config.items() if name.startswith(prefix)}


def with_registry_url(plugins: Plugins, config: Mapping[str, str], url: str | None) -> dict[str, str]:
    """`config` with ``schema.registry.url`` for those of its converters that use a registry and name none."""
    completed = dict(config)
    for which in ("key", "value") if url is not None else ():
        setting, name = f"{which}.converter.schema.registry.url", config.get(f"{which}.converter")
        if name and setting not in config and _uses_registry(plugins, name):
            completed[setting] = url or ""
    return completed


def _uses_registry(plugins: Plugins, name: str) -> bool:
    try:
        return plugins.find(PluginKind.CONVERTER, name).plugin.uses_registry
    except PluginError:
        return False  # whoever needs the converter will say that it is not there


def build_converters(plugins: Plugins, connector: Mapping[str, str], worker: Mapping[str, str]) -> Converters:
    """A converter named in the connector's configuration comes with the settings there; otherwise the worker's does."""
    key, key_class = _converter(plugins, connector, worker, "key")
    value, value_class = _converter(plugins, connector, worker, "value")
    header, header_class = _header_converter(plugins, connector, worker)
    return Converters(key, value, header, key_class, value_class, header_class)


def _chosen(connector: Mapping[str, str], worker: Mapping[str, str], setting: str) -> tuple[str | None, dict[str, Any]]:
    source = connector if connector.get(setting) else worker
    return source.get(setting), strip_prefix(source, setting + ".")


def _converter(
    plugins: Plugins, connector: Mapping[str, str], worker: Mapping[str, str], which: str
) -> tuple[Converter, str]:
    setting = f"{which}.converter"
    name, config = _chosen(connector, worker, setting)
    if name is None:
        raise ConfigError(f'Missing required configuration "{setting}" which has no default value.')
    info = plugins.find(PluginKind.CONVERTER, name)
    config.pop("plugin.version", None)
    converter: Converter = plugins.new(PluginKind.CONVERTER, name)
    converter.configure({**config, "converter.type": which}, which == "key")
    return converter, info.class_name


def _header_converter(
    plugins: Plugins, connector: Mapping[str, str], worker: Mapping[str, str]
) -> tuple[HeaderConverter, str]:
    name, config = _chosen(connector, worker, "header.converter")
    name = name or _DEFAULT_HEADER_CONVERTER
    config.pop("plugin.version", None)
    info = plugins.find(PluginKind.HEADER_CONVERTER, name)
    converter: HeaderConverter = plugins.new(PluginKind.HEADER_CONVERTER, name)
    converter.configure({**config, "converter.type": "header"})
    return converter, info.class_name


def _aliases(config: Mapping[str, str], setting: str) -> list[str]:
    return [alias.strip() for alias in config.get(setting, "").split(",") if alias.strip()]


def build_chain(plugins: Plugins, connector: Mapping[str, str]) -> Chain:
    """The transforms in the order of ``transforms``, each with its predicate (KIP-66, KIP-585)."""
    stages = []
    for alias in _aliases(connector, "transforms"):
        prefix = f"transforms.{alias}."
        config = strip_prefix(connector, prefix)
        name = config.pop("type", None)
        if not name:
            raise ConfigError(f'Missing required configuration "{prefix}type" which has no default value.')
        config.pop("plugin.version", None)
        predicate_alias = config.pop("predicate", "")
        negate = str(config.pop("negate", "false")).strip().lower() == "true"
        info = plugins.find(PluginKind.TRANSFORM, name)
        transform: Transform = plugins.new(PluginKind.TRANSFORM, name)
        transform.configure(config)
        predicate, class_name = (
            _predicate(plugins, connector, alias, predicate_alias) if predicate_alias else (None, "")
        )
        stages.append(Stage(alias, transform, info.class_name, predicate, negate, predicate_alias, class_name))
    return Chain(stages)


def _predicate(plugins: Plugins, connector: Mapping[str, str], transform: str, alias: str) -> tuple[Predicate, str]:
    declared = _aliases(connector, "predicates")
    if alias not in declared:
        raise ConfigError(
            f"transforms.{transform}.predicate",
            alias,
            f"there is no such predicate; predicates declares {', '.join(declared) or 'none'}",
        )
    prefix = f"predicates.{alias}."
    config = strip_prefix(connector, prefix)
    name = config.pop("type", None)
    if not name:
        raise ConfigError(f'Missing required configuration "{prefix}type" which has no default value.')
    config.pop("plugin.version", None)
    predicate: Predicate = plugins.new(PluginKind.PREDICATE, name)
    predicate.configure(config)
    return predicate, plugins.find(PluginKind.PREDICATE, name).class_name


def used_plugins(kind: str, task: Task, chain: Chain, converters: Converters) -> TaskPlugins:
    """Return the plugins of a task, for its metrics. `kind` is ``source`` or ``sink``; the connector is not among them."""
    guarded = [stage for stage in chain.stages if stage.predicate is not None]
    return TaskPlugins(
        kind,
        UsedPlugin.of(task),
        converters={
            "key-converter": UsedPlugin.of(converters.key, converters.key_class),
            "value-converter": UsedPlugin.of(converters.value, converters.value_class),
            "header-converter": UsedPlugin.of(converters.header, converters.header_class),
        },
        transforms={stage.alias: UsedPlugin.of(stage.transform, stage.class_name) for stage in chain.stages},
        predicates={stage.predicate_alias: UsedPlugin.of(stage.predicate, stage.predicate_class) for stage in guarded},
    )


def made(task_class: type, kind: type[Any]) -> Any:
    """Return a new task. Raises `PluginError` if the class that the connector names is not of that kind."""
    task = task_class()
    if not isinstance(task, kind):
        raise PluginError(f"{task_class.__module__}.{task_class.__qualname__} is no {kind.__name__}")
    return task


def log_reporters(common: Mapping[str, Any], meter: TaskMeter | None = None) -> list[Reporter]:
    """Return the reporter that ``errors.log.enable`` asks for; it tells `meter`."""
    return [LogReporter(common["errors.log.include.messages"], meter)] if common["errors.log.enable"] else []
