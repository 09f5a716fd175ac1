"""The kinds of plugins: which hook announces each, and what a class of it must be."""

from __future__ import annotations

import enum
from dataclasses import dataclass
from typing import Final

from penstock import api
from penstock.api import Plugin
from penstock.plugins.names import python_path

__all__ = ["PluginInfo", "PluginKind", "kind_problem"]


class PluginKind(enum.Enum):
    """The value is what REST and listings call it."""

    CONNECTOR = "connector"
    CONVERTER = "converter"
    HEADER_CONVERTER = "header_converter"
    TRANSFORM = "transformation"
    PREDICATE = "predicate"
    CONFIG_PROVIDER = "configprovider"
    SCHEMA_FORMAT = "schema_format"
    SERVICE = "service"

    @property
    def hook(self) -> str:
        return f"penstock_register_{self.name.lower()}s"

    @property
    def word(self) -> str:
        """The kind in a sentence: ``header converter``."""
        return self.name.lower().replace("_", " ")


_BASES: Final[dict[PluginKind, tuple[type, ...]]] = {
    PluginKind.CONNECTOR: (api.SourceConnector, api.SinkConnector),
    PluginKind.CONVERTER: (api.Converter,),
    PluginKind.HEADER_CONVERTER: (api.HeaderConverter,),
    PluginKind.TRANSFORM: (api.Transform,),
    PluginKind.PREDICATE: (api.Predicate,),
    PluginKind.CONFIG_PROVIDER: (api.ConfigProvider,),
    PluginKind.SCHEMA_FORMAT: (api.SchemaFormat,),
}


@dataclass(frozen=True, slots=True)
class PluginInfo:
    """A plugin that was announced, and by whom."""

    kind: PluginKind
    plugin: Plugin
    distribution: str
    #: The reason why it cannot be used (another distribution claims the same name), or None.
    error: str | None = None

    @property
    def class_name(self) -> str:
        """The JVM class name, or the Python path of a class that has none."""
        return self.plugin.aliases[0] if self.plugin.aliases else python_path(self.plugin.target)

    @property
    def version(self) -> str:
        return self.plugin.version


def kind_problem(kind: PluginKind, loaded: object) -> str | None:
    """Return why `loaded` is no class of `kind`; None if it is one."""
    if not isinstance(loaded, type):
        return f"it is not a class but a {type(loaded).__name__}"
    if kind is PluginKind.SERVICE:  # a protocol: services inherit from nothing of ours
        missing = [name for name in ("start", "stop", "urls") if not hasattr(loaded, name)]
        return f"a service needs {', '.join(missing)}" if missing else None
    bases = _BASES[kind]
    if issubclass(loaded, bases):
        return None
    return f"it does not extend {' or '.join(f'penstock.api.{base.__name__}' for base in bases)}"
