"""Checks for settings, in the words of ``ConfigDef``'s own validators."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Protocol

from penstock.errors import ConfigError

__all__ = [
    "CaseInsensitiveValidString",
    "CompositeValidator",
    "LambdaValidator",
    "NonEmptyString",
    "NonEmptyStringWithoutControlChars",
    "NonNullValidator",
    "Range",
    "ValidList",
    "ValidString",
    "Validator",
]


class Validator(Protocol):
    """Checks a parsed value. ``str()`` of it says what is valid, for docs."""

    def ensure_valid(self, name: str, value: Any) -> None:
        """Raise `ConfigError` unless `value` is allowed for the setting `name`."""


class Range:
    """Accepts a number of at least `low` and at most `high`; None leaves a side open."""

    def __init__(self, low: float | None = None, high: float | None = None) -> None:
        self._low, self._high = low, high

    @classmethod
    def at_least(cls, low: float) -> Range:
        return cls(low)

    @classmethod
    def between(cls, low: float, high: float) -> Range:
        return cls(low, high)

    def ensure_valid(self, name: str, value: Any) -> None:
        if value is None:
            raise ConfigError(name, None, "Value must be non-null")
        if self._low is not None and value < self._low:
            raise ConfigError(name, value, f"Value must be at least {self._low}")
        if self._high is not None and value > self._high:
            raise ConfigError(name, value, f"Value must be no more than {self._high}")

    def __str__(self) -> str:
        if self._low is None:
            return f"[...,{self._high}]"
        return f"[{self._low},...]" if self._high is None else f"[{self._low},...,{self._high}]"


class ValidString:
    """Accepts one of a few strings."""

    def __init__(self, *valid: str) -> None:
        self._valid = valid

    def ensure_valid(self, name: str, value: Any) -> None:
        if value not in self._valid:
            raise ConfigError(name, value, f"String must be one of: {', '.join(self._valid)}")

    def __str__(self) -> str:
        return f"[{', '.join(self._valid)}]"


class CaseInsensitiveValidString:
    def __init__(self, *valid: str) -> None:
        self._valid = tuple(v.upper() for v in valid)

    def ensure_valid(self, name: str, value: Any) -> None:
        if value is None or str(value).upper() not in self._valid:
            raise ConfigError(name, value, f"String must be one of (case insensitive): {', '.join(self._valid)}")

    def __str__(self) -> str:
        return f"(case insensitive) [{', '.join(self._valid)}]"


class ValidList:
    """Accepts a list without duplicates; on request of some values only, not empty, or null."""

    def __init__(self, *valid: str, allow_empty: bool = True, allow_null: bool = False) -> None:
        self._valid, self._allow_empty, self._allow_null = valid, allow_empty, allow_null

    @classmethod
    def any_non_duplicate_values(cls, allow_empty: bool, allow_null: bool) -> ValidList:
        return cls(allow_empty=allow_empty, allow_null=allow_null)

    def ensure_valid(self, name: str, value: Sequence[str] | None) -> None:
        if value is None:
            if self._allow_null:
                return
            raise ConfigError(f"Configuration '{name}' values must not be null.")
        valid = ", ".join(self._valid) or "any non-empty value"
        if not value and not self._allow_empty:
            raise ConfigError(f"Configuration '{name}' must not be empty. Valid values include: {valid}")
        if len(set(value)) != len(value):
            raise ConfigError(f"Configuration '{name}' values must not be duplicated.")
        for item in value:
            if item == "":
                raise ConfigError(f"Configuration '{name}' values must not be empty.")
            if self._valid and item not in self._valid:
                raise ConfigError(name, item, f"String must be one of: {', '.join(self._valid)}")

    def __str__(self) -> str:
        return f"[{', '.join(self._valid)}]" if self._valid else "any non-duplicate values"


class NonNullValidator:
    def ensure_valid(self, name: str, value: Any) -> None:
        if value is None:
            raise ConfigError(name, value, "entry must be non null")

    def __str__(self) -> str:
        return "non-null string"


class NonEmptyString:
    def ensure_valid(self, name: str, value: Any) -> None:
        if value is not None and value == "":
            raise ConfigError(name, value, "String must be non-empty")

    def __str__(self) -> str:
        return "non-empty string"


class NonEmptyStringWithoutControlChars:
    def ensure_valid(self, name: str, value: Any) -> None:
        if value is None:
            return  # a required setting that is missing was reported already
        if value == "":
            raise ConfigError(name, value, "String may not be empty")
        found = [str(ord(c)) for c in value if ord(c) < 32 or 127 <= ord(c) < 160]
        if found:
            raise ConfigError(
                name,
                value,
                f"String may not contain control sequences but had the following ASCII chars: {', '.join(found)}",
            )

    def __str__(self) -> str:
        return "non-empty string without ISO control characters"


class LambdaValidator:
    """A validator made of a function, with a text that says what is valid."""

    def __init__(self, check: Callable[[str, Any], None], text: str) -> None:
        self._check, self._text = check, text

    def ensure_valid(self, name: str, value: Any) -> None:
        self._check(name, value)

    def __str__(self) -> str:
        return self._text


class CompositeValidator:
    """Accepts what all of several validators accept."""

    def __init__(self, *validators: Validator) -> None:
        self._validators = validators

    def ensure_valid(self, name: str, value: Any) -> None:
        for validator in self._validators:
            validator.ensure_valid(name, value)

    def __str__(self) -> str:
        return ",".join(map(str, self._validators))
