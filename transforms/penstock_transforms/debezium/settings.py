"""Checks of settings in the words of Debezium's ``Field``, and settings that are known and do nothing here."""

from __future__ import annotations

import logging
from collections.abc import Collection, Mapping
from typing import Any, Final

from penstock.config import ConfigDef, ConfigType, Importance
from penstock.config.types import parse_type
from penstock.errors import ConfigError
from penstock.java.hash_order import keys_in_java_order
from penstock.java.regex import JavaRegexError, compile_regex

__all__ = [
    "OneOf",
    "Pattern",
    "Patterns",
    "Required",
    "define_unused",
    "parse_all",
    "parse_each",
    "refused",
    "warn_of_unused",
    "word",
]

log = logging.getLogger(__name__)

_UNUSED: Final = "Of no effect: "


def word(value: str) -> str:
    """Return an enumeration's word as it is compared: without blanks around it, in lower case."""
    return value.strip().lower()


def refused(name: str, value: Any, problem: str) -> ConfigError:
    """Return the error for a setting as Debezium words it."""
    return ConfigError(name, value, f"The '{name}' value is invalid: {problem}")


class OneOf:
    """Accepts one of a few words, in any case, with blanks around it. `bare`: the message says no more than Kafka's would."""

    def __init__(self, *words: str, bare: bool = False) -> None:
        self._words = words
        self._bare = bare

    def ensure_valid(self, name: str, value: Any) -> None:
        if value is not None and word(value) in self._words:
            return
        problem = f"Value must be one of {', '.join(keys_in_java_order(self._words))}"
        raise ConfigError(name, value, problem) if self._bare else refused(name, value, problem)

    def __str__(self) -> str:
        return f"(case insensitive) [{', '.join(self._words)}]"


class Pattern:
    """Accepts a Java regular expression, of the part that is supported here, and no value."""

    def ensure_valid(self, name: str, value: Any) -> None:
        try:
            compile_regex(value or "")
        except JavaRegexError as error:
            raise refused(name, value, f"A valid regular expressions is expected, but {error}") from error

    def __str__(self) -> str:
        return "valid regex"


class Patterns:
    """Accepts a list of Java regular expressions, and no value."""

    def ensure_valid(self, name: str, value: Any) -> None:
        for text in value or ():
            try:
                compile_regex(text)
            except JavaRegexError as error:
                problem = f"A comma-separated list of valid regular expressions is expected, but {error}"
                raise refused(name, ",".join(value), problem) from error

    def __str__(self) -> str:
        return "list of valid regexes"


class Required:
    """Accepts a text that is not blank."""

    def ensure_valid(self, name: str, value: Any) -> None:
        if value is None or not value.strip():
            raise refused(name, value, "A value is required")

    def __str__(self) -> str:
        return "non-empty string"


def parse_all(definition: ConfigDef, configs: Mapping[str, Any], plain: Collection[str | None] = ()) -> dict[str, Any]:
    """Return the parsed settings, or raise a `ConfigError` that leaves it to its cause to name the setting, as some of Debezium's
    transforms do. Errors of `plain` settings are raised as they are."""
    try:
        return definition.parse(configs)
    except ConfigError as error:
        if error.setting in plain:
            parse_all(definition, {name: value for name, value in configs.items() if name not in plain})
            raise
        raise ConfigError("Unable to validate config.") from error


def parse_each(definition: ConfigDef, configs: Mapping[str, Any]) -> dict[str, Any]:
    """Return the parsed settings, or raise a `ConfigError` that names the setting, in Debezium's words."""
    for name in keys_in_java_order(
        tuple(key.name for key in definition.keys)
    ):  # of several errors Debezium's is the first of these
        key, value = definition.key(name), configs.get(name)
        assert key is not None  # of its own definition
        if value is None and not key.has_default:
            raise refused(name, value, "A value is required")
        if key.type is ConfigType.BOOLEAN and isinstance(value, str) and word(value) not in ("true", "false"):
            raise refused(name, value, "Either 'true' or 'false' is expected")
        if value is not None and key.validator is not None:
            key.validator.ensure_valid(name, parse_type(name, value, key.type))
    return definition.parse(configs)


def define_unused(definition: ConfigDef, reasons: Mapping[str, str]) -> ConfigDef:
    """Add settings that Debezium has or had and that have no effect; `warn_of_unused` says so where one is set."""
    for name, reason in reasons.items():
        definition.define(
            name, ConfigType.STRING, None, importance=Importance.LOW, doc=f"{_UNUSED}{reason}.", internal=True
        )
    return definition


def warn_of_unused(who: str, configs: Mapping[str, Any], reasons: Mapping[str, str]) -> None:
    for name, reason in reasons.items():
        if configs.get(name) is not None:
            log.warning("%s: the setting %s has no effect: %s", who, name, reason)
