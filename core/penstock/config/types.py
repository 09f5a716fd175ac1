"""The types of settings, and how each is read from text (``ConfigDef.parseType``)."""

from __future__ import annotations

import enum
import re
from collections.abc import Callable
from typing import Any, Final

from penstock.errors import ConfigError

__all__ = ["ConfigType", "Password", "parse_type"]


class ConfigType(enum.Enum):
    BOOLEAN = "boolean"
    STRING = "string"
    INT = "int"
    SHORT = "short"
    LONG = "long"
    DOUBLE = "double"
    LIST = "list"
    CLASS = "class"
    PASSWORD = "password"  # noqa: S105 - the name of a type


class Password:
    """A secret: printing it, logging it or putting it into JSON shows ``[hidden]``. The text is in `value`."""

    __slots__ = ("value",)
    HIDDEN: Final = "[hidden]"

    def __init__(self, value: str) -> None:
        self.value = value

    def __repr__(self) -> str:
        return self.HIDDEN

    __str__ = __repr__

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Password) and other.value == self.value

    def __hash__(self) -> int:
        return hash(self.value)


#: The characters that Java's ``\\s`` matches.
_BLANKS: Final = " \t\n\x0b\f\r"
_INT_BITS: Final = {ConfigType.SHORT: 16, ConfigType.INT: 32, ConfigType.LONG: 64}
_INTEGER: Final = re.compile(r"[+-]?0{0,1000}\d{1,20}", re.ASCII)


def split_list(text: str) -> list[str]:
    """Return the parts of a list between commas, without blanks around them; none of an empty text."""
    return [part.strip(_BLANKS) for part in text.split(",")] if text else []


def parse_type(name: str, value: Any, type: ConfigType) -> Any:  # noqa: A002 - Connect's word
    """Return one value from its text (or already parsed) form; `ConfigError` says what was expected."""
    if value is None:
        return None
    text = value.strip() if isinstance(value, str) else None
    return _PARSERS[type](name, value, text, type)


def _boolean(name: str, value: Any, text: str | None, _: ConfigType) -> bool:
    if isinstance(value, bool):
        return value
    if text is not None and text.lower() in ("true", "false"):
        return text.lower() == "true"
    raise ConfigError(name, value, "Expected value to be either true or false")


def _string(name: str, value: Any, text: str | None, _: ConfigType) -> str:
    if text is None:
        raise ConfigError(name, value, f"Expected value to be a string, but it was a {type(value).__name__}")
    return text


def _integer(name: str, value: Any, text: str | None, type: ConfigType) -> int:  # noqa: A002 - Connect's word
    number: int | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        number = value
    elif text is not None and _INTEGER.fullmatch(text):
        number = int(text)
    bits = _INT_BITS[type]
    if number is None or not -(2 ** (bits - 1)) <= number < 2 ** (bits - 1):
        raise ConfigError(name, value, f"Not a number of type {type.name}")
    return number


def _double(name: str, value: Any, text: str | None, _: ConfigType) -> float:
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(value)
    try:
        return float((text or "").replace("_", "?"))
    except ValueError:
        raise ConfigError(name, value, "Not a number of type DOUBLE") from None


def _list(name: str, value: Any, text: str | None, _: ConfigType) -> list[Any]:
    if text is not None:
        return split_list(text)
    if isinstance(value, list | tuple):
        return list(value)
    raise ConfigError(name, value, "Expected a comma separated list.")


def _class(name: str, value: Any, text: str | None, _: ConfigType) -> Any:
    # Names stay names here: what a class name means is the plugin manager's to say, not ConfigDef's.
    if text is not None or isinstance(value, type):
        return value if text is None else text
    raise ConfigError(name, value, "Expected a Class instance or class name.")


def _password(name: str, value: Any, text: str | None, _: ConfigType) -> Password:
    if isinstance(value, Password):
        return value
    if text is None:
        raise ConfigError(name, Password.HIDDEN, f"Expected value to be a string, but it was a {type(value).__name__}")
    return Password(text)


_PARSERS: Final[dict[ConfigType, Callable[[str, Any, str | None, ConfigType], Any]]] = {
    ConfigType.BOOLEAN: _boolean,
    ConfigType.STRING: _string,
    ConfigType.INT: _integer,
    ConfigType.SHORT: _integer,
    ConfigType.LONG: _integer,
    ConfigType.DOUBLE: _double,
    ConfigType.LIST: _list,
    ConfigType.CLASS: _class,
    ConfigType.PASSWORD: _password,
}
