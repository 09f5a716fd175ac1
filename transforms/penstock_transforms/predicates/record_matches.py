"""``RecordMatches``: does a record's content meet a condition, written in the Common Expression Language (CEL)?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar, Final

import cel

from penstock import __version__
from penstock.api import BoundPredicate, Predicate, Shape
from penstock.config import ConfigDef, ConfigType, Importance, ValidString
from penstock.data import Schema
from penstock.errors import ConfigError, DataError
from penstock_transforms.predicates.cel_names import check_names, fields_used
from penstock_transforms.predicates.cel_values import last_headers, moment, to_cel

__all__ = ["RecordMatches", "RecordMatchesKey", "RecordMatchesValue"]

_VARIABLES: Final = ("key", "value", "headers", "topic", "timestamp")
_MISSING: Final = "missing.or.null.behavior"
#: The errors of CEL's evaluation, by way of the library: an unknown key, operands that do not fit, a division by zero,
#: an overflow, a value without a counterpart in CEL, a function called with the wrong arguments.
_CEL_ERRORS: Final = (LookupError, TypeError, ArithmeticError, ValueError, RuntimeError)


class _Condition:
    """A CEL expression over the variables, or a `ConfigError` that shows where it is wrong."""

    def ensure_valid(self, name: str, value: Any) -> None:
        _compile(name, value)

    def __str__(self) -> str:
        return "CEL expression"


def _compile(name: str, text: str | None) -> cel.Program:
    if text is None or not text.strip():
        raise ConfigError(name, text, "a condition is needed, for example: value.amount > 100.0")
    try:
        program = cel.compile(text)
    except ValueError as error:
        raise ConfigError(name, text, str(error)) from error
    check_names(name, text, program, _VARIABLES)
    return program


_CONFIG = (
    ConfigDef()
    .define(
        "condition",
        ConfigType.STRING,
        validator=_Condition(),
        importance=Importance.HIGH,
        doc="CEL expression that is true or false, over key, value, headers (name to value, the last of a name), topic and timestamp.",
    )
    .define(
        _MISSING,
        ConfigType.STRING,
        "fail",
        validator=ValidString("fail", "true", "false"),
        importance=Importance.MEDIUM,
        doc="What the predicate says where the condition cannot be worked out because the key or value is null or a name in it does not exist: "
        "fail (the record's error), true or false.",
    )
)


class RecordMatches(Predicate):
    """The condition is compiled once. Of a struct or map it only turns those fields over to CEL that it names.

    A condition that copes with nulls itself (``value == null || value.x > 1``) is taken at its word; the setting for
    missing names comes in where the expression has no result.
    """

    version = __version__
    part: ClassVar[str] = "value"

    @classmethod
    def config_def(cls) -> ConfigDef:
        return _CONFIG

    def configure(self, configs: Mapping[str, Any]) -> None:
        config = _CONFIG.parse(configs)
        self._text: str = config["condition"]
        self._program = _compile("condition", self._text)
        self._names = frozenset(self._program.variables()) & frozenset(_VARIABLES)
        self._missing: bool | None = {"true": True, "false": False}.get(config[_MISSING])

    def test(self, record: Any) -> bool:
        tied = self.bind(Shape(record.topic, record.key_schema, record.value_schema))
        return tied if isinstance(tied, bool) else tied(record)

    def bind(self, shape: Shape) -> BoundPredicate:
        fill = self._filler(shape)
        execute, complain = self._program.execute, self._complain
        variables: dict[str, Any] = {"topic": shape.topic}

        def test(record: Any) -> bool:
            try:
                fill(variables, record)
                result = execute(variables)
            except _CEL_ERRORS as error:
                return complain(record, error)
            if result is True or result is False:
                return result
            return complain(record, TypeError(f"its result is {result!r}, neither true nor false"))

        return test

    def _filler(self, shape: Shape) -> Callable[[dict[str, Any], Any], None]:
        """A function that puts what the condition names into the variables."""
        names = self._names
        key = self._reader("key", shape.key_schema) if "key" in names else None
        value = self._reader("value", shape.value_schema) if "value" in names else None
        headers, timestamp = "headers" in names, "timestamp" in names
        if value is not None and names <= {"value", "topic"}:
            read = value  # by far the most usual condition

            def fill_value(variables: dict[str, Any], record: Any) -> None:
                variables["value"] = read(record.value)

            return fill_value

        def fill(variables: dict[str, Any], record: Any) -> None:
            if key is not None:
                variables["key"] = key(record.key)
            if value is not None:
                variables["value"] = value(record.value)
            if headers:
                variables["headers"] = last_headers(record.headers)
            if timestamp:
                variables["timestamp"] = moment(record.timestamp)

        return fill

    def _reader(self, name: str, schema: Schema | None) -> Callable[[Any], Any]:
        return to_cel(schema, fields_used(self._text, name))

    def _complain(self, record: Any, error: Exception) -> bool:
        missing = isinstance(error, LookupError)
        null = getattr(record, self.part) is None
        if (missing or null) and self._missing is not None:
            return self._missing
        if missing:
            problem = f"there is no {error}; has(...) asks for a field, and {_MISSING} says what else it means"
        elif null:
            problem = (
                f"the {self.part} is null; {self.part} == null asks for that, and {_MISSING} says what else it means"
            )
        else:
            problem = str(error)
        raise DataError(f"The condition {self._text!r} has no result: {problem}") from error


class RecordMatchesKey(RecordMatches):
    part = "key"


class RecordMatchesValue(RecordMatches):
    part = "value"
