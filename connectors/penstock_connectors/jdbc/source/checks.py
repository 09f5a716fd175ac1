"""Checks of single settings of the source, in the words of the JVM's connector."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from penstock.errors import ConfigError
from penstock.java.regex import JavaRegexError, compile_regex
from penstock_connectors.jdbc.source.names import (
    BULK,
    INCREMENTING,
    INCREMENTING_MAPPING,
    INCREMENTING_NAME,
    MODES,
    TIMESTAMP,
    TIMESTAMP_MAPPING,
    TIMESTAMP_NAMES,
)

__all__ = ["ColumnMapping", "ModeDependents", "RegexList", "TopicPrefix", "VisibleNever"]

_MAX_TOPIC: Final = 249
_TIMESTAMP_KEYS: Final = frozenset({TIMESTAMP_NAMES, TIMESTAMP_MAPPING, "validate.non.null"})
_INCREMENTING_KEYS: Final = frozenset({INCREMENTING_NAME, INCREMENTING_MAPPING, "validate.non.null"})


class RegexList:
    """Accepts a list of Java regular expressions."""

    def ensure_valid(self, name: str, value: Any) -> None:
        for pattern in value or ():
            try:
                compile_regex(pattern.strip())
            except JavaRegexError as error:
                raise ConfigError(
                    name, value, f"Must be a valid comma-separated list of regular expression patterns: {error}"
                ) from error

    def __str__(self) -> str:
        return "a valid comma-separated list of Java regular expressions"


class ColumnMapping:
    """Accepts a list of ``regex:column``, or with `several` of ``regex:[column|column]``."""

    def __init__(self, several: bool) -> None:
        self._several = several

    def ensure_valid(self, name: str, value: Any) -> None:
        for mapping in value or ():
            self._check(name, mapping.strip())

    def _check(self, name: str, mapping: str) -> None:
        parts = mapping.split(":")
        if len(parts) != 2:
            wanted = "regex:[col1|col2|...]" if self._several else "regex:columnName"
            raise ConfigError(name, mapping, f"Invalid format. Expected '{wanted}'")
        pattern, columns = (part.strip() for part in parts)
        try:
            compile_regex(pattern)
        except JavaRegexError as error:
            raise ConfigError(name, pattern, f"Invalid regular expression: {error}") from error
        if not self._several:
            if not columns:
                raise ConfigError(name, columns, "Column name cannot be empty")
            return
        if not (columns.startswith("[") and columns.endswith("]") and len(columns) > 1):
            raise ConfigError(name, columns, "Columns list must be enclosed in square brackets")
        if not columns[1:-1].strip():
            raise ConfigError(name, columns, "Columns list cannot be empty")
        if not all(column.strip() for column in columns[1:-1].split("|")):
            raise ConfigError(name, columns, "Every column name should be non-empty string")

    def __str__(self) -> str:
        if self._several:
            return (
                "a list of mappings in the format 'regex:[col1|col2|...]' where regex is a valid Java regular expression "
                "and columns are valid column names"
            )
        return (
            "a list of mappings in the format 'regex:columnName' where regex is a valid Java regular expression and "
            "columnName is a valid column name"
        )


class TopicPrefix:
    """Accepts the beginning of a topic's name; blanks around it do not count."""

    def ensure_valid(self, name: str, value: Any) -> None:
        if value is None:
            raise ConfigError(name, value, "Topic prefix must not be null.")
        text = value.strip()
        if len(text) > _MAX_TOPIC:
            raise ConfigError(name, value, "Topic prefix length must not exceed max topic name length, 249 chars")
        if not all(char.isascii() and (char.isalnum() or char in "._-") for char in text):
            raise ConfigError(
                name, value, "Topic prefix must not contain any character other than ASCII alphanumerics, '.', '_' and '-'."
            )  # fmt: skip

    def __str__(self) -> str:
        return "ASCII alphanumerics, '.', '_' and '-', 249 characters at most"


class ModeDependents:
    """Shows a setting in the modes that use it."""

    def valid_values(self, name: str, parsed: Mapping[str, Any]) -> Sequence[Any]:
        return []

    def visible(self, name: str, parsed: Mapping[str, Any]) -> bool:
        mode = parsed.get("mode")
        if mode == "":
            raise ConfigError("Query mode must be specified")
        if mode not in MODES:
            raise ConfigError(f"Invalid mode: {mode}")
        if mode == BULK:
            return False
        by_timestamp = name in _TIMESTAMP_KEYS
        by_id = name in _INCREMENTING_KEYS
        return by_timestamp if mode == TIMESTAMP else by_id if mode == INCREMENTING else by_timestamp or by_id


class VisibleNever:
    """Shows a setting in no list."""

    def valid_values(self, name: str, parsed: Mapping[str, Any]) -> Sequence[Any]:
        return []

    def visible(self, name: str, parsed: Mapping[str, Any]) -> bool:
        return False
