"""Settings that several transforms share, and checks of their form."""

from __future__ import annotations

from typing import Any, Final

from penstock.config import CaseInsensitiveValidString, ConfigDef, ConfigType, Importance
from penstock.errors import ConfigError
from penstock.java.regex import JavaRegexError, compile_regex

__all__ = [
    "FIELD_SYNTAX",
    "REPLACE_NULL",
    "NonEmptyList",
    "RegexValidator",
    "define_field_syntax",
    "define_replace_null",
    "split_pair",
]

REPLACE_NULL: Final = "replace.null.with.default"
FIELD_SYNTAX: Final = "field.syntax.version"


def define_replace_null(config: ConfigDef) -> ConfigDef:
    return config.define(
        REPLACE_NULL,
        ConfigType.BOOLEAN,
        True,
        importance=Importance.MEDIUM,
        doc="Where a field is null and its schema has a default: true puts the default in, false keeps the null.",
    )


def define_field_syntax(config: ConfigDef, kafkas_own: bool = False) -> ConfigDef:
    """Add ``field.syntax.version``. Kafka has it on some transforms (`kafkas_own`); on the others it stays out of validation
    answers."""
    return config.define(
        FIELD_SYNTAX,
        ConfigType.STRING,
        "V1",
        validator=CaseInsensitiveValidString("V1", "V2"),
        importance=Importance.HIGH,
        doc="How field names are read. V1: a name is taken literally. V2: dots lead into nested fields; "
        "a name that contains dots stands in backticks.",
        internal=not kafkas_own,
    )


def split_pair(mapping: str) -> list[str]:
    """``a:b`` into its parts; empty parts at the end do not count, as in Java's ``String.split``."""
    parts = mapping.split(":")
    while len(parts) > 1 and parts[-1] == "":
        parts.pop()
    return parts


class NonEmptyList:
    """``NonEmptyListValidator``: at least one element."""

    def ensure_valid(self, name: str, value: Any) -> None:
        if not value:
            raise ConfigError(name, value, "Empty list")

    def __str__(self) -> str:
        return "non-empty list"


class RegexValidator:
    """``RegexValidator``: a Java regular expression, of the part that is supported here."""

    def ensure_valid(self, name: str, value: Any) -> None:
        try:
            if value is None:
                raise JavaRegexError("no pattern given")
            compile_regex(value)
        except JavaRegexError as error:
            raise ConfigError(name, value, f"Invalid regex: {error}") from error

    def __str__(self) -> str:
        return "valid regex"
