"""Plugins as the definitions of connector settings see them (`penstock.config.lookup.PluginLookup`)."""

from __future__ import annotations

from collections.abc import Sequence

from penstock.config.lookup import Kind
from penstock.errors import PluginError
from penstock.plugins.kinds import PluginKind
from penstock.plugins.manager import Plugins

__all__ = ["Lookup"]


class Lookup:
    """Answers from one `Plugins`. Safe from any thread."""

    def __init__(self, plugins: Plugins) -> None:
        self._plugins = plugins

    def class_names(self, kind: Kind) -> Sequence[str]:
        return [info.class_name for info in self._plugins.infos(PluginKind(kind))]

    def class_name(self, kind: Kind, name: str) -> str | None:
        info = self._plugins.find_or_none(PluginKind(kind), name)
        return None if info is None else info.class_name

    def concrete_names(self, kind: Kind, name: str) -> Sequence[str]:
        return self._plugins.concrete_names(PluginKind(kind), name)

    def version(self, kind: Kind, name: str) -> str | None:
        try:
            info = self._plugins.find_or_none(PluginKind(kind), name)
        except PluginError:
            return None  # whoever uses the class reports it
        return None if info is None else info.version

    def load(self, kind: Kind, name: str) -> type:
        return self._plugins.load(PluginKind(kind), name)
