"""What definitions of connectors need to know about plugins, without knowing the plugin manager."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, Protocol

from penstock.config.definition import Parser
from penstock.errors import ConfigError, PluginError

__all__ = ["ClassRecommender", "Kind", "PluginLookup", "VersionRecommender", "abstract_class_problem", "class_parser"]

Kind = Literal["connector", "converter", "header_converter", "transformation", "predicate"]


class PluginLookup(Protocol):
    """Answers questions about plugins by name. Safe from any thread."""

    def class_names(self, kind: Kind) -> Sequence[str]:
        """The full names of every class of the kind."""

    def class_name(self, kind: Kind, name: str) -> str | None:
        """The full name of what `name` means; None if nothing is known by it. `PluginError` if two are."""

    def concrete_names(self, kind: Kind, name: str) -> Sequence[str]:
        """Return the classes within the outer class `name`, such as ``X$Key`` and ``X$Value``; none if it is no such class."""

    def version(self, kind: Kind, name: str) -> str | None:
        """The version of what `name` means, None if nothing is."""

    def load(self, kind: Kind, name: str) -> type:
        """The class. Raises `PluginError`."""


def abstract_class_problem(concrete: Sequence[str]) -> str:
    """Return what Kafka says of an outer class, whose `concrete` classes were meant (``Utils.ensureConcrete``)."""
    return f"This class is abstract and cannot be created. Did you mean {', '.join(concrete)}?"


def class_parser(lookup: PluginLookup, kind: Kind) -> Parser:
    """Turns any name of a class into its full name, having imported it; the error is the one Kafka gives."""

    def parse(name: str, value: Any) -> Any:
        try:
            full = lookup.class_name(kind, str(value))
            if full is not None:
                lookup.load(kind, str(value))
                return full
        except PluginError as error:
            raise ConfigError(name, value, error.message) from error
        if concrete := lookup.concrete_names(kind, str(value)):
            raise ConfigError(name, f"class {value}", abstract_class_problem(concrete))
        raise ConfigError(name, value, f"Class {value} could not be found.")

    return parse


class ClassRecommender:
    """Recommends every class of a kind."""

    def __init__(self, lookup: PluginLookup, kind: Kind) -> None:
        self._lookup, self._kind = lookup, kind

    def valid_values(self, name: str, parsed: Mapping[str, Any]) -> Sequence[Any]:
        return self._lookup.class_names(self._kind)

    def visible(self, name: str, parsed: Mapping[str, Any]) -> bool:
        return True


class VersionRecommender:
    """Recommends the version of the class that another setting names; `hides`: invisible while it names none."""

    def __init__(self, lookup: PluginLookup | None, kind: Kind, setting: str, *, hides: bool) -> None:
        self._lookup, self._kind, self._setting, self._hides = lookup, kind, setting, hides

    def valid_values(self, name: str, parsed: Mapping[str, Any]) -> Sequence[Any]:
        chosen = parsed.get(self._setting)
        if self._lookup is None or chosen is None:
            return []
        version = self._lookup.version(self._kind, str(chosen))
        return [] if version is None else [version]

    def visible(self, name: str, parsed: Mapping[str, Any]) -> bool:
        return not self._hides or parsed.get(self._setting) is not None
