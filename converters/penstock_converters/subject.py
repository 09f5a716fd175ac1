"""Subject name strategies: under which subject a topic's schemas stand. Shared by the registry converters."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from penstock.errors import ConfigError, SerializationError

__all__ = [
    "RecordNameStrategy",
    "SubjectNameStrategy",
    "TopicNameStrategy",
    "TopicRecordNameStrategy",
    "plugged",
    "subject_name_strategy",
]

_PACKAGE: Final = "io.confluent.kafka.serializers.subject."


class SubjectNameStrategy(Protocol):
    """Names a subject. A user's own class has a constructor without arguments and this method.

    `record_name` is the full name of the schema (an Avro record's, a Protobuf message's, a JSON Schema's title), or
    None where it has none.
    """

    def subject_name(self, topic: str, is_key: bool, record_name: str | None) -> str: ...


class TopicNameStrategy:
    """``<topic>-key`` and ``<topic>-value``."""

    needs_record = False

    def subject_name(self, topic: str, is_key: bool, record_name: str | None) -> str:
        return f"{topic}-{'key' if is_key else 'value'}"


class RecordNameStrategy:
    """The record's full name, whatever the topic."""

    needs_record = True

    def subject_name(self, topic: str, is_key: bool, record_name: str | None) -> str:
        return _required(record_name, is_key, _PACKAGE + "RecordNameStrategy")


class TopicRecordNameStrategy:
    """``<topic>-<record's full name>``."""

    needs_record = True

    def subject_name(self, topic: str, is_key: bool, record_name: str | None) -> str:
        return f"{topic}-{_required(record_name, is_key, _PACKAGE + 'TopicRecordNameStrategy')}"


def _required(record_name: str | None, is_key: bool, strategy: str) -> str:
    if record_name is None:
        which = "key" if is_key else "value"
        raise SerializationError(
            f"In configuration {which}.subject.name.strategy = {strategy}, the message {which} must only be a record schema"
        )
    return record_name


_BUILT_IN: Final[dict[str, Callable[[], SubjectNameStrategy]]] = {
    "TopicNameStrategy": TopicNameStrategy,
    "RecordNameStrategy": RecordNameStrategy,
    "TopicRecordNameStrategy": TopicRecordNameStrategy,
}


def subject_name_strategy(key: str, value: Any) -> SubjectNameStrategy:
    """The strategy a setting names: a built-in by its JVM class or short name, or ``package.module:Class``."""
    made: SubjectNameStrategy = plugged(key, value, _PACKAGE, _BUILT_IN, "subject_name")
    return made


def plugged(key: str, value: Any, package: str, built_in: Mapping[str, Callable[[], Any]], method: str) -> Any:
    """Make what the setting `key` names: one of `built_in` by its name with or without `package`, or a user's own
    class that has `method`. Raises `ConfigError`."""
    if isinstance(value, type):
        return _make_strategy(key, value, method)
    name = str(value)
    simple = name.removeprefix(package)
    if simple in built_in:
        return built_in[simple]()
    module, _, attribute = name.replace(":", ".").rpartition(".")
    try:
        found = getattr(importlib.import_module(module), attribute) if module else None
    except (ImportError, AttributeError):
        found = None
    if found is None:
        # Kafka's words, which scripts know; its own text ends here
        raise ConfigError(key, name, f"Class {name} could not be found.")
    return _make_strategy(key, found, method)


def _make_strategy(key: str, kind: Any, method: str) -> Any:
    if not isinstance(kind, type) or not callable(getattr(kind, method, None)):
        what = "subject_name(topic, is_key, record_name)" if method == "subject_name" else method
        raise ConfigError(key, kind, f"expected a class with a method {what}")
    try:
        return kind()
    except TypeError as error:
        raise ConfigError(key, kind.__qualname__, f"the class cannot be made without arguments: {error}") from error
