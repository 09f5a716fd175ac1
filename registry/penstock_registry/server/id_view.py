"""Questions about ids, GUIDs and contexts, as one caller sees the registry."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TypeVar

from penstock_registry.server.catalog import Catalog, IdEntry
from penstock_registry.server.content import SchemaContent, StoredSchema
from penstock_registry.server.errors import schema_not_found
from penstock_registry.server.settings import Settings
from penstock_registry.server.sight import Sight
from penstock_registry.server.subjects import DEFAULT_CONTEXT, Subject, context_of
from penstock_registry.store import SchemaKey

__all__ = ["Found", "IdView"]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Found:
    """A schema found by id: its content, and one place where it is registered."""

    content: SchemaContent
    stored: StoredSchema | None
    context: str
    id: int


class IdView:
    """An id that is registered under no subject that `sight` shows is an id nobody knows."""

    def __init__(self, catalog: Catalog, settings: Settings, sight: Sight) -> None:
        self.catalog = catalog
        self.settings = settings
        self._sight = sight

    def by_id(self, schema_id: int, subject: str = "") -> Found | None:
        """Return the schema of an id: in the context of `subject`, and for a plain one in any other context after it.

        If the id is registered under `subject` that is the place told, else the first that is not deleted.
        """
        subject = self._behind(subject)
        return self._first_found(((context, schema_id) for context in self._contexts_for(subject)), subject)

    def by_guid(self, guid: str) -> Found | None:
        return self._first_found(self.catalog.by_guid(guid), "")

    def ids_of_guid(self, guid: str) -> list[tuple[str, int]]:
        """Return the contexts and ids of the schema with this GUID."""
        with self.catalog.lock:
            return [place for place in self.catalog.by_guid(guid) if self._seen_entry(*place) is not None]

    def versions_of_id(self, schema_id: int, subject: str = "", deleted: bool = False) -> list[SchemaKey]:
        """Return the subjects and versions an id is registered under. Raises 40403 if nobody knows the id."""
        for context in self._contexts_for(self._behind(subject)):
            with self.catalog.lock:
                entry = self._seen_entry(context, schema_id)
                if entry is not None:
                    return [
                        key
                        for key in entry.keys
                        if self._sight.shows(key.subject) and self.catalog.version(*key, deleted=deleted) is not None
                    ]
        raise schema_not_found()

    def max_id(self, context: str) -> int:
        """Return the highest id of a context, 0 if there is none."""
        if self._sight.is_whole:
            return self.catalog.max_id(context)
        return self.catalog.max_id_under(context, self._sight.shows)

    def contexts(self) -> list[str]:
        """Return the default context and those that were made by registering, sorted."""
        if self._sight.is_whole:
            return self.catalog.contexts()
        with self.catalog.lock:
            used = {context_of(subject) for subject, _ in self.catalog.subjects() if self._sight.shows(subject)}
            known = self.catalog.contexts()
        return [name for name in known if name == DEFAULT_CONTEXT or name in used or self._sight.shows(f":{name}:")]

    # --- for all views -----------------------------------------------------------------------------------------------

    def _behind(self, subject: str) -> str:
        """Return the stored form of a subject (``:.:s`` is ``s``), or the one behind its alias if it has one."""
        name = str(Subject.parse(subject))
        return self.settings.alias_of(name) if self._sight.shows(name) else name

    def _contexts_for(self, subject: str) -> Sequence[str]:
        context = context_of(subject)
        if context != DEFAULT_CONTEXT:
            return [context]
        return [DEFAULT_CONTEXT, *(name for name in self.catalog.contexts() if name != DEFAULT_CONTEXT)]

    def _in_contexts(self, subject: str, find: Callable[[str], T | None]) -> T | None:
        """Return what `find` finds for the subject, or, for a plain one, for its namesakes in other contexts."""
        found = find(subject)
        context, name = Subject.parse(subject)
        if found is not None or context != DEFAULT_CONTEXT:
            return found
        for context in self._contexts_for(subject)[1:]:
            namesake = str(Subject(context, name))
            found = find(namesake) if self._sight.shows(namesake) else None
            if found is not None:
                return found
        return None

    def _seen_entry(self, context: str, schema_id: int) -> IdEntry | None:
        entry = self.catalog.entry(context, schema_id)
        if entry is None or self._sight.is_whole:
            return entry
        return entry if any(self._sight.shows(key.subject) for key in entry.keys) else None

    def _first_found(self, ids: Iterable[tuple[str, int]], subject: str) -> Found | None:
        for context, schema_id in ids:
            with self.catalog.lock:
                entry = self._seen_entry(context, schema_id)
                if entry is not None:
                    return Found(entry.content, self._place(entry, subject), context, schema_id)
        return None

    def _place(self, entry: IdEntry, subject: str) -> StoredSchema | None:
        places = [one for one in self.catalog.stored_under(entry) if self._sight.shows(one.subject)]
        asked = [stored for stored in places if stored.subject == subject]
        alive = [stored for stored in asked or places if not stored.deleted]
        return next(iter(alive or asked or places), None)
