"""`ConfigDef`: which settings something takes, with type, default, checks, and everything a form or a doc page needs.

The rules and the words are those of ``org.apache.kafka.common.config.ConfigDef``; what the validate endpoint answers
is made from it (see `penstock.config.info`). Keys stay in their dotted form; values are parsed by `ConfigDef.parse`.
"""

from __future__ import annotations

import enum
import logging
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol, Self

from penstock.config.types import ConfigType, Password, parse_type
from penstock.config.validators import Validator, ValidList
from penstock.errors import ConfigError

__all__ = [
    "NO_DEFAULT",
    "Config",
    "ConfigDef",
    "ConfigKey",
    "ConfigType",
    "ConfigValue",
    "Importance",
    "Parser",
    "Password",
    "Recommender",
    "Width",
    "parse_type",
]

log = logging.getLogger(__name__)


class Importance(enum.Enum):
    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Width(enum.Enum):
    NONE = "none"
    SHORT = "short"
    MEDIUM = "medium"
    LONG = "long"


class _NoDefault:
    def __repr__(self) -> str:
        return "NO_DEFAULT"


#: The default of a setting that must be given.
NO_DEFAULT: Final = _NoDefault()


class Recommender(Protocol):
    """Suggests values, and decides whether a setting is shown at all, given the others' values."""

    def valid_values(self, name: str, parsed: Mapping[str, Any]) -> Sequence[Any]: ...

    def visible(self, name: str, parsed: Mapping[str, Any]) -> bool: ...


#: Takes name and parsed value, gives the value to use; `ConfigError` for one that is not understood.
Parser = Callable[[str, Any], Any]


@dataclass(frozen=True, slots=True)
class ConfigKey:
    """One setting."""

    name: str
    type: ConfigType
    default: Any
    importance: Importance
    doc: str
    validator: Validator | None = None
    group: str | None = None
    order: int = -1
    width: Width = Width.NONE
    display_name: str = ""
    dependents: tuple[str, ...] = ()
    recommender: Recommender | None = None
    internal: bool = False
    #: A second step of parsing, for what needs more than the type to be understood (a class name).
    parser: Parser | None = None

    @property
    def has_default(self) -> bool:
        return self.default is not NO_DEFAULT


@dataclass(slots=True)
class ConfigValue:
    """The outcome of one setting's validation. `value` is None if it could not be parsed."""

    name: str
    value: Any = None
    recommended_values: list[Any] = field(default_factory=list)
    errors: list[str] = field(default_factory=list)
    visible: bool = True

    def add_error(self, message: str) -> None:
        self.errors.append(message)


@dataclass(slots=True)
class Config:
    """The answer of `Connector.validate`."""

    values: list[ConfigValue]

    def value(self, name: str) -> ConfigValue | None:
        return next((v for v in self.values if v.name == name), None)


class ConfigDef:
    """An ordered set of `ConfigKey`s.

    Built once, by chained `define` calls, then only read: safe to share. ``ConfigDef(base)`` starts from a copy.
    """

    def __init__(self, base: ConfigDef | None = None) -> None:
        self._keys: dict[str, ConfigKey] = dict(base._keys) if base else {}
        self._groups: list[str] = list(base._groups) if base else []

    def define(
        self,
        name: str,
        type: ConfigType,  # noqa: A002 - Connect's word
        default: Any = NO_DEFAULT,
        *,
        importance: Importance,
        doc: str,
        validator: Validator | None = None,
        group: str | None = None,
        order: int = -1,
        width: Width = Width.NONE,
        display_name: str | None = None,
        dependents: Iterable[str] = (),
        recommender: Recommender | None = None,
        internal: bool = False,
        parser: Parser | None = None,
    ) -> Self:
        """Add a setting. The default is given in its text or its parsed form and is checked here, at import."""
        if name in self._keys:
            raise ConfigError(f"Configuration {name} is defined twice.")
        if group is not None and group not in self._groups:
            self._groups.append(group)
        parsed = default if default is NO_DEFAULT else parse_type(name, default, type)
        if validator is not None and parsed is not NO_DEFAULT:
            validator.ensure_valid(name, parsed)
        self._keys[name] = ConfigKey(
            name, type, parsed, importance, doc, validator, group, order, width,
            name if display_name is None else display_name, tuple(dependents), recommender, internal, parser,
        )  # fmt: skip
        return self

    def include(self, other: ConfigDef) -> Self:
        """Add another definition's settings as they are."""
        for key in other.keys:
            if key.name in self._keys:
                raise ConfigError(f"Configuration {key.name} is defined twice.")
            if key.group is not None and key.group not in self._groups:
                self._groups.append(key.group)
            self._keys[key.name] = key
        return self

    def embed(self, prefix: str, group: str, start_order: int, other: ConfigDef) -> Self:
        """Add another definition's settings under a prefix, in `group` or groups below it (``ConfigDef.embed``).

        They come sorted. Their validators and recommenders go on seeing names without the prefix.
        """
        for order, key in enumerate(other.sorted_keys(), start_order):
            name = prefix + key.name
            if name in self._keys:
                raise ConfigError(f"Configuration {name} is defined twice.")
            key_group = group if key.group is None else f"{group}: {key.group}"
            if key_group not in self._groups:
                self._groups.append(key_group)
            self._keys[name] = replace(
                key,
                name=name,
                group=key_group,
                order=order,
                dependents=tuple(prefix + d for d in key.dependents),
                validator=key.validator and _EmbeddedValidator(prefix, key.validator),
                recommender=key.recommender and _EmbeddedRecommender(prefix, key.recommender),
            )
        return self

    def sorted_keys(self) -> list[ConfigKey]:
        """Return the settings by group, order, required first, importance and name (``ConfigDef.sortedConfigs``)."""
        groups = {group: i for i, group in enumerate(self._groups)}
        importance = list(Importance)
        return sorted(
            self._keys.values(),
            key=lambda k: (
                k.internal,  # last, so that the others' order is Kafka's
                -1 if k.group is None else groups[k.group],
                k.order,
                k.has_default,
                importance.index(k.importance),
                k.name,
            ),
        )

    @property
    def keys(self) -> list[ConfigKey]:
        """The settings in the order of their definition."""
        return list(self._keys.values())

    @property
    def names(self) -> set[str]:
        return set(self._keys)

    @property
    def groups(self) -> list[str]:
        return list(self._groups)

    def key(self, name: str) -> ConfigKey | None:
        return self._keys.get(name)

    def parse(self, props: Mapping[str, Any]) -> dict[str, Any]:
        """Return all settings, parsed, with defaults filled in. Raises `ConfigError` for the first that is wrong."""
        return {name: self._parse_value(key, props) for name, key in self._keys.items()}

    def _parse_value(self, key: ConfigKey, props: Mapping[str, Any]) -> Any:
        if key.name in props:
            value = _parsed(key, props[key.name])
        elif key.has_default:
            value = key.default
        else:
            raise ConfigError(f'Missing required configuration "{key.name}" which has no default value.')
        if isinstance(key.validator, ValidList) and isinstance(value, list):
            value = _without_duplicates(key.name, value)
        if key.validator is not None:
            key.validator.ensure_valid(key.name, value)
        return value

    def validate(self, props: Mapping[str, Any]) -> list[ConfigValue]:
        """Return the value, errors and recommendations of every setting; never raises for what is in `props`."""
        values = {name: ConfigValue(name) for name in self._keys}
        for name in self._undefined_dependents():
            values[name] = ConfigValue(
                name, errors=[f"{name} is referred in the dependents, but not defined."], visible=False
            )
        parsed = {name: self._parse_for_validate(key, props, values[name]) for name, key in self._keys.items()}
        for name, key in self._keys.items():
            self._recommend(key, parsed, values[name])
        return list(values.values())

    def _undefined_dependents(self) -> list[str]:
        return list(dict.fromkeys(d for key in self._keys.values() for d in key.dependents if d not in self._keys))

    def _parse_for_validate(self, key: ConfigKey, props: Mapping[str, Any], outcome: ConfigValue) -> Any:
        value: Any = None
        if key.name in props:
            try:
                value = _parsed(key, props[key.name])
            except ConfigError as error:
                outcome.add_error(error.message)
        elif key.has_default:
            value = key.default
        else:
            outcome.add_error(f'Missing required configuration "{key.name}" which has no default value.')
        if key.validator is not None:  # after a parse error as well, then with None: Connect users know both messages
            try:
                key.validator.ensure_valid(key.name, value)
            except ConfigError as error:
                outcome.add_error(error.message)
        outcome.value = value
        return value

    def _recommend(self, key: ConfigKey, parsed: Mapping[str, Any], outcome: ConfigValue) -> None:
        if key.recommender is None:
            return
        try:
            outcome.recommended_values = list(key.recommender.valid_values(key.name, parsed))
            outcome.visible = key.recommender.visible(key.name, parsed)
        except ConfigError as error:
            outcome.add_error(error.message)


class _EmbeddedValidator:
    def __init__(self, prefix: str, validator: Validator) -> None:
        self._prefix, self._validator = prefix, validator

    def ensure_valid(self, name: str, value: Any) -> None:
        self._validator.ensure_valid(name.removeprefix(self._prefix), value)

    def __str__(self) -> str:
        return str(self._validator)


class _EmbeddedRecommender:
    def __init__(self, prefix: str, recommender: Recommender) -> None:
        self._prefix, self._recommender = prefix, recommender

    def _inner(self, parsed: Mapping[str, Any]) -> dict[str, Any]:
        return {k.removeprefix(self._prefix): v for k, v in parsed.items() if k.startswith(self._prefix)}

    def valid_values(self, name: str, parsed: Mapping[str, Any]) -> Sequence[Any]:
        return self._recommender.valid_values(name.removeprefix(self._prefix), self._inner(parsed))

    def visible(self, name: str, parsed: Mapping[str, Any]) -> bool:
        return self._recommender.visible(name.removeprefix(self._prefix), self._inner(parsed))


def _without_duplicates(name: str, value: list[Any]) -> list[Any]:
    """KIP-1161: a repeated item is dropped where a setting is used; `ConfigDef.validate` calls it an error."""
    once = list(dict.fromkeys(value))
    if len(once) < len(value):
        log.warning("Setting %s has values more than once; it is taken as %s", name, ",".join(map(str, once)))
    return once


def _parsed(key: ConfigKey, given: Any) -> Any:
    value = parse_type(key.name, given, key.type)
    return value if key.parser is None or value is None else key.parser(key.name, value)
