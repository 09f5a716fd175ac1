"""Answers about versions and schemas, with the members of Confluent's answers in their order."""

from __future__ import annotations

from typing import Any

from penstock_registry.server.content import StoredSchema
from penstock_registry.server.id_view import Found
from penstock_registry.server.view import View

__all__ = ["guid_answer", "id_answer", "lookup_answer", "registered_answer", "version_answer"]


def version_answer(view: View, stored: StoredSchema, form: str = "") -> dict[str, Any]:
    """Return a version as GET answers it, its text in `form`."""
    return {
        "subject": stored.subject,
        "version": stored.version,
        "id": stored.id,
        "guid": stored.content.guid,
        **_content(view, stored, form),
        "ts": stored.timestamp_ms,
        "deleted": stored.deleted,
    }


def lookup_answer(view: View, stored: StoredSchema, form: str = "") -> dict[str, Any]:
    """Return a version as a lookup answers it."""
    return {
        "subject": stored.subject,
        "version": stored.version,
        "id": stored.id,
        "guid": stored.content.guid,
        **_content(view, stored, form),
    }


def registered_answer(view: View, stored: StoredSchema, form: str = "") -> dict[str, Any]:
    """Return a version as a registration answers it."""
    return {
        "id": stored.id,
        "version": stored.version,
        "guid": stored.content.guid,
        **_content(view, stored, form),
    }


def id_answer(view: View, found: Found, form: str = "") -> dict[str, Any]:
    """Return a schema as GET by id answers it: with a place where it is registered, without the id."""
    stored = found.stored
    place: dict[str, Any] = {} if stored is None else {"subject": stored.subject, "version": stored.version}
    return place | guid_answer(view, found, form)


def guid_answer(view: View, found: Found, form: str = "") -> dict[str, Any]:
    """Return a schema as GET by GUID answers it: without any place."""
    stored = found.stored
    content = found.content.members() if stored is None else _content(view, stored, form)
    return {
        "guid": found.content.guid,
        **content,
        "ts": None if stored is None else stored.timestamp_ms,
        "deleted": stored is None or stored.deleted,
    }


def _content(view: View, stored: StoredSchema, form: str) -> dict[str, Any]:
    members = stored.content.members()
    if form:
        members["schema"] = view.formatted(stored, form)
    return members
