"""``/connector-plugins``: what is installed, and the settings of one plugin (KIP-769)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from penstock.api import SourceConnector
from penstock.config import ConfigDef
from penstock.config.connector import sink_connector_config_def, source_connector_config_def
from penstock.config.info import key_info
from penstock.config.versions import VersionRange
from penstock.errors import BadRequestError, NotFoundError, PluginError
from penstock.herder.interface import PluginDescription
from penstock.plugins import PluginInfo, PluginKind, Plugins

__all__ = ["describe_plugins", "plugin_settings"]

#: The kinds these endpoints show, in ``PluginType``'s words where a plugin's own does not say it.
_KINDS: Final = (
    PluginKind.CONNECTOR,
    PluginKind.CONVERTER,
    PluginKind.HEADER_CONVERTER,
    PluginKind.TRANSFORM,
    PluginKind.PREDICATE,
)


def describe_plugins(plugins: Plugins, connectors_only: bool) -> list[PluginDescription]:
    """List plugins by kind and class name. Plugins that another distribution's claim makes unusable are left out."""
    kinds = _KINDS[:1] if connectors_only else _KINDS
    return [
        PluginDescription(info.class_name, info.plugin.connector_type or kind.value, info.version)
        for kind in kinds
        for info in plugins.infos(kind)
        if info.error is None
    ]


def plugin_settings(plugins: Plugins, name: str, version: str | None) -> list[Mapping[str, Any]]:
    """``ConfigKeyInfo`` of every setting, for a plugin named by class, alias or plugin name. The settings that a plugin of
    Kafka's name has beyond Kafka's are `internal`, and not listed.

    A nested class (``Cast$Value``) is named in full here, as in Kafka. Raises `NotFoundError`, or `BadRequestError`
    for a version that is not the one installed.
    """
    kind, info = _find(plugins, name)
    if version is not None and info.version not in _range(version):
        raise BadRequestError(
            f"Plugin {name} is not installed in version {version}; the one version here is {info.version}"
        )
    loaded: Any = plugins.load(kind, name)
    own: ConfigDef = loaded.config_def()
    keys = {key.name: key for key in own.keys}
    if kind is PluginKind.CONNECTOR:
        common = source_connector_config_def if issubclass(loaded, SourceConnector) else sink_connector_config_def
        # A connector's own word on a setting goes before the common one.
        for key in common(None, {"connector.plugin.version": info.version}).keys:
            keys.setdefault(key.name, key)
    return [key_info(key) for key in keys.values() if not key.internal]


def _range(text: str) -> VersionRange:
    try:
        return VersionRange.parse(text)
    except ValueError as error:
        raise BadRequestError(f"Invalid version {text}: {error}") from None


def _find(plugins: Plugins, name: str) -> tuple[PluginKind, PluginInfo]:
    if "$" not in name or "." in name:
        for kind in _KINDS:
            try:
                return kind, plugins.find(kind, name)
            except PluginError:
                continue
    raise NotFoundError(f"Unknown plugin {name}.")
