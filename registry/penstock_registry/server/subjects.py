"""Subject names and the contexts they stand in: ``:.ctx:subject``, and plain ``subject`` in the default context."""

from __future__ import annotations

import unicodedata
from typing import NamedTuple

from penstock_registry.server.errors import invalid_subject

__all__ = [
    "ANY_CONTEXT",
    "DEFAULT_CONTEXT",
    "Subject",
    "SubjectFilter",
    "check_subject",
    "context_of",
    "normalize_context",
]

DEFAULT_CONTEXT = "."
#: The prefix that stands for every context in a listing.
ANY_CONTEXT = ":*:"
#: Names Confluent keeps for itself.
_RESERVED = frozenset({"__GLOBAL", "__EMPTY"})


class Subject(NamedTuple):
    """A subject's two parts. ``str`` of it is the form that is stored and shown."""

    context: str
    name: str

    @classmethod
    def parse(cls, qualified: str) -> Subject:
        """``:.ctx:name`` or ``name``; ``:.ctx`` alone stands for the context itself (``QualifiedSubject``)."""
        if not qualified.startswith(":."):
            return cls(DEFAULT_CONTEXT, qualified)
        context, _, name = qualified[1:].partition(":")
        return cls(context, name)

    def __str__(self) -> str:
        return self.name if self.context == DEFAULT_CONTEXT else f":{self.context}:{self.name}"

    @property
    def context_prefix(self) -> str:
        """``:.ctx:``, and nothing for the default context, as messages and config keys have it."""
        return "" if self.context == DEFAULT_CONTEXT else f":{self.context}:"

    @property
    def is_context(self) -> bool:
        """True when it names a context of its own and no subject in it."""
        return not self.name and self.context != DEFAULT_CONTEXT

    def qualify(self, other: str) -> str:
        """`other` as seen from this subject: a plain name belongs to the same context."""
        if other.startswith(":."):
            return str(Subject.parse(other))
        return str(Subject(self.context, other))


class SubjectFilter(NamedTuple):
    """The subjects that a ``subjectPrefix`` asks for. `context` None is any."""

    context: str | None
    prefix: str

    @classmethod
    def parse(cls, prefix: str) -> SubjectFilter:
        if prefix.startswith(ANY_CONTEXT):
            return cls(None, prefix[len(ANY_CONTEXT) :])
        return cls(*Subject.parse(prefix))

    def matches(self, subject: str) -> bool:
        context, name = Subject.parse(subject)
        return (self.context is None or self.context == context) and name.startswith(self.prefix)


def context_of(subject: str) -> str:
    return Subject.parse(subject).context


def normalize_context(text: str) -> str:
    """``ctx``, ``.ctx`` and ``:.ctx:`` are the same context, shown as ``.ctx``."""
    text = text.removeprefix(":").removesuffix(":")
    return text if text.startswith(".") else f".{text}"


def check_subject(subject: str) -> None:
    """Refuse names nothing can be stored under."""
    name = Subject.parse(subject).name
    if not subject or name in _RESERVED or any(unicodedata.category(character) == "Cc" for character in subject):
        raise invalid_subject(subject)
