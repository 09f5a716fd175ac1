"""The role that a request needs, and the subject it needs it for."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from penstock.access.principal import Role
from penstock_registry.server.subjects import Subject, normalize_context

__all__ = ["Need", "is_change", "need_of"]


class Need(NamedTuple):
    """`subject` None is the registry as a whole. `anywhere`: it is enough to have the role for some subjects; the
    answer then shows these alone."""

    role: Role
    subject: str | None
    anywhere: bool = False

    @property
    def resource(self) -> str:
        return "this server" if self.subject is None else f"Subject: {self.subject}"


#: The roots of the paths at which changes are made.
_CHANGED = ("subjects", "config", "mode", "contexts")
_ANY_READER = Need(Role.READ, None, anywhere=True)


def need_of(method: str, segments: Sequence[str], query: Mapping[str, str]) -> Need:
    """Return what a request needs. The path has no context prefix, and is cut at its slashes and decoded. An unknown one
    needs the most that its method could do."""
    changes = method not in ("GET", "HEAD", "OPTIONS")
    head = segments[0] if segments else ""
    permanent = query.get("permanent", "").lower() == "true"
    match head:
        case "subjects" if len(segments) > 1:
            return _subject_need(method, segments, changes, permanent)
        case "compatibility" if len(segments) > 2:
            return Need(Role.READ, _stored(segments[2]))
        case "config" | "mode" if changes or len(segments) > 1:
            subject = _stored(segments[1]) if len(segments) > 1 else None
            return Need(Role.ADMIN if changes else Role.READ, subject, anywhere=subject is None and not changes)
        case "metrics" if not changes:
            return Need(Role.READ, None)  # they count every subject
        case "contexts" if changes and len(segments) > 1:
            return Need(Role.ADMIN, _stored(f":{normalize_context(segments[1])}:"))
        case _:
            return Need(Role.ADMIN, None) if changes and segments != [""] else _ANY_READER


def is_change(method: str, segments: Sequence[str]) -> bool:
    """Return whether a request changes what the registry holds; on several registries that is the leader's to do."""
    return segments[0] in _CHANGED and need_of(method, segments, {}).role > Role.READ


def _subject_need(method: str, segments: Sequence[str], changes: bool, permanent: bool) -> Need:
    subject = _stored(segments[1])
    if not changes or (method == "POST" and len(segments) == 2):
        return Need(Role.READ, subject)  # a POST to the subject itself only looks a schema up
    return Need(Role.ADMIN if method == "DELETE" and permanent else Role.WRITE, subject)


def _stored(subject: str) -> str | None:
    """Return the name that grants are held against; the default context's own name stands for everything."""
    return str(Subject.parse(subject)) or None
