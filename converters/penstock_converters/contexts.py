"""``context.name.strategy``: in which of the registry's contexts a topic's subjects stand."""

from __future__ import annotations

from typing import Any, Final, Protocol

from penstock.errors import SerializationError
from penstock_converters.subject import SubjectNameStrategy, plugged

__all__ = ["NULL_CONTEXT", "ContextNameStrategy", "InContext", "context_name_strategy"]

_PACKAGE: Final = "io.confluent.kafka.serializers.context."
NULL_CONTEXT: Final = f"{_PACKAGE}NullContextNameStrategy"


class ContextNameStrategy(Protocol):
    """Names a context. A user's own class has a constructor without arguments and this method."""

    def context_name(self, topic: str) -> str | None:
        """``.name`` or ``name``; None for the default context."""


class _Null:
    def context_name(self, topic: str) -> str | None:
        return None


def context_name_strategy(value: Any) -> ContextNameStrategy | None:
    """The strategy a setting names; None for the built-in one, which names none. Raises `ConfigError`."""
    made: ContextNameStrategy = plugged(
        "context.name.strategy", value, _PACKAGE, {"NullContextNameStrategy": _Null}, "context_name"
    )
    return None if isinstance(made, _Null) else made


class InContext:
    """A subject name strategy whose subjects are in a context: ``:.name:subject``."""

    def __init__(self, inner: SubjectNameStrategy, contexts: ContextNameStrategy) -> None:
        self._inner, self._contexts = inner, contexts
        self.needs_record = getattr(inner, "needs_record", True)

    def subject_name(self, topic: str, is_key: bool, record_name: str | None) -> str:
        return self.prefix(topic) + self._inner.subject_name(topic, is_key, record_name)

    def prefix(self, topic: str) -> str:
        """Return what stands before a subject; a name for the context itself, where a request needs no more."""
        name = self._contexts.context_name(topic)
        if not name:
            return ""
        if not isinstance(name, str) or ":" in name:
            raise SerializationError(
                f"context.name.strategy gave {name!r} for topic {topic}: expected a context's name"
            )
        return f":{name}:" if name.startswith(".") else f":.{name}:"
