"""The questions that definitions of connectors ask about plugins, without knowing the plugin manager."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, Literal, Protocol

from penstock.config.definition import Parser
from penstock.errors import ConfigError, PluginError

__all__ = [
    "ClassRecommender",
    "ClassValidator",
    "Kind",
    "PluginLookup",
    "VersionRecommender",
    "abstract_class_problem",
    "class_parser",
]

Kind = Literal["connector", "converter", "header_converter", "transformation", "predicate"]


class PluginLookup(Protocol):
    """Answers questions about plugins by name. Safe from any thread."""

    def class_names(self, kind: Kind) -> Sequence[str]:
        """Return the full names of every class of the kind."""

    def class_name(self, kind: Kind, name: str) -> str | None:
        """Return the full name of what `name` means, None if it is unknown. Raises `PluginError` if two claim it."""

    def concrete_names(self, kind: Kind, name: str) -> Sequence[str]:
        """Return the classes within the outer class `name`, such as ``X$Key`` and ``X$Value``; none if it is no such class."""

    def version(self, kind: Kind, name: str) -> str | None:
        """Return the version of what `name` means, None if it is unknown."""

    def load(self, kind: Kind, name: str) -> type:
        """Return the class that `name` means. Raises `PluginError`."""


def abstract_class_problem(concrete: Sequence[str]) -> str:
    """Return what Kafka says of an outer class, whose `concrete` classes were meant (``Utils.ensureConcrete``)."""
    return f"This class is abstract and cannot be created. Did you mean {', '.join(concrete)}?"


def class_parser(lookup: PluginLookup, kind: Kind) -> Parser:
    """Return a parser that imports a class by any of its names and gives its full name; its errors are Kafka's."""

    def parse(name: str, value: Any) -> Any:
        try:
            full = lookup.class_name(kind, str(value))
            if full is not None:
                lookup.load(kind, str(value))
                return full
        except PluginError as error:
            raise ConfigError(name, value, error.message) from error
        if _other_kind(lookup, kind, str(value)) is not None or lookup.concrete_names(kind, str(value)):
            return value  # there is such a class; `ClassValidator` says why it does not serve
        raise ConfigError(name, value, f"Class {value} could not be found.")

    return parse


_INTERFACES: Final[Mapping[Kind, str]] = {
    "connector": "Connector",
    "converter": "Converter",
    "header_converter": "HeaderConverter",
    "transformation": "Transformation",
    "predicate": "Predicate",
}


class ClassValidator:
    """Accepts a class of one kind (``ConfigValidator`` of ``ConnectorConfig``); what is no class at all is the parser's."""

    def __init__(self, lookup: PluginLookup, kind: Kind) -> None:
        self._lookup, self._kind = lookup, kind

    def ensure_valid(self, name: str, value: Any) -> None:
        if value is None or self._lookup.class_name(self._kind, str(value)) is not None:
            return
        if concrete := self._lookup.concrete_names(self._kind, str(value)):
            raise ConfigError(abstract_class_problem(concrete))
        other = _other_kind(self._lookup, self._kind, str(value))
        if other is not None:
            raise ConfigError(f"Class class {other} does not implement the {_INTERFACES[self._kind]} interface")

    def __str__(self) -> str:
        return f"a class that implements {_INTERFACES[self._kind]}"


def _other_kind(lookup: PluginLookup, kind: Kind, name: str) -> str | None:
    """Return the full name of the class `name` where it is one of another kind."""
    for other in _INTERFACES:
        try:
            full = None if other == kind else lookup.class_name(other, name)
        except PluginError:
            continue  # the name of two
        if full is not None:
            return full
    return None


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
