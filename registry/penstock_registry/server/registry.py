"""The registry itself: its parts put together, and everything that can be asked of it.

The HTTP API and the in-process client are both thin skins over `Registry`. Thread-safe: changes are made under one
writer lock, questions are answered from the catalog as it is at that moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, TypeVar

import orjson

from penstock.api.registry import InvalidSchemaError
from penstock_registry.server.catalog import Catalog, IdEntry
from penstock_registry.server.compatibility import check_compatibility
from penstock_registry.server.content import SchemaContent, StoredSchema, change_rules
from penstock_registry.server.deleting import Deleting
from penstock_registry.server.errors import (
    RegistryError,
    invalid_schema,
    schema_not_found,
    subject_not_found,
    version_not_found,
)
from penstock_registry.server.formats import Formats
from penstock_registry.server.levels import CompatibilityLevel
from penstock_registry.server.log import CheckedLog
from penstock_registry.server.reading import SchemaReader
from penstock_registry.server.registering import Registering, fill_from_previous, from_stored
from penstock_registry.server.requests import SchemaRequest
from penstock_registry.server.settings import Settings
from penstock_registry.server.subjects import (
    ANY_CONTEXT,
    DEFAULT_CONTEXT,
    Subject,
    SubjectFilter,
    check_subject,
    context_of,
)
from penstock_registry.store import RegistryStore, SchemaKey

__all__ = ["LATEST", "Found", "Registry", "RegistryOptions"]

#: The version number that stands for the latest.
LATEST = -1

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class RegistryOptions:
    """What the operator may set about the rules."""

    compatibility: CompatibilityLevel = CompatibilityLevel.BACKWARD
    mode_mutability: bool = True
    #: Bytes of a schema's text, and how deep its brackets may be nested.
    max_schema_size: int = 1024 * 1024
    max_schema_nesting: int = 200
    #: The highest id that an import may bring: above it there must be some left for schemas that are registered.
    max_import_id: int = 2_000_000_000


@dataclass(frozen=True, slots=True)
class Found:
    """A schema found by id: its content, and one place where it is registered."""

    content: SchemaContent
    stored: StoredSchema | None
    context: str
    id: int


class Registry:
    def __init__(self, store: RegistryStore, formats: Formats, options: RegistryOptions | None = None) -> None:
        options = options or RegistryOptions()
        self._store = store
        self.formats = formats
        self.catalog = Catalog()
        writer = threading.RLock()
        self._reader = SchemaReader(formats, self.catalog, options.max_schema_size, options.max_schema_nesting)
        log = CheckedLog(store)
        self.settings = Settings(
            self.catalog,
            log,
            writer,
            default_level=options.compatibility,
            mode_mutability=options.mode_mutability,
        )
        self._registering = Registering(self.catalog, log, writer, self._reader, self.settings, options.max_import_id)
        self._deleting = Deleting(self.catalog, log, writer, self.settings)

    def start(self) -> None:
        """Read the store to its end."""
        self._store.start(self.catalog.apply)

    def close(self) -> None:
        self._store.close()

    def problem(self) -> str | None:
        """Why changes cannot be made now; None if they can."""
        return self._store.problem()

    # --- registering and finding -------------------------------------------------------------------------------------

    def register(self, subject: str, request: SchemaRequest, normalize: bool = False) -> StoredSchema:
        return self._registering.register(self._named(subject), request, normalize)

    def change_tags(self, subject: str, version: int, request: SchemaRequest) -> StoredSchema:
        """A new version: `version` with its tags changed. `request` brings the tags, and metadata if any."""
        base = self.version(subject, version)
        if request.rules_to_merge is not None or request.rules_to_remove:
            # What the rules were before counts, and not what the request brings.
            before = self.catalog.version(base.subject, request.version - 1 if request.version else LATEST)
            known = None if before is None else before.content.rule_set
            request = request.with_(rule_set=change_rules(known, request.rules_to_merge, request.rules_to_remove))
        filled = from_stored(base, request).with_(version=request.version or LATEST)
        return self._registering.register(self._named(subject), filled)

    def lookup(
        self, subject: str, request: SchemaRequest, normalize: bool = False, deleted: bool = False
    ) -> StoredSchema:
        """The version of `subject` with this schema. Raises 40401, 40403, 42201."""
        subject = self._named(subject)
        candidate = self._registering.candidate(subject, request, normalize)
        if not self.catalog.has_subject(subject, deleted):
            raise subject_not_found(subject)
        if candidate is None:
            raise schema_not_found()
        found = self._in_contexts(subject, lambda name: self._registering.find(name, candidate, deleted))
        found = found or self._registering.find_filled(subject, request, normalize, deleted)
        if found is None and not normalize:
            # What was registered in its normal form is found by the text it was made of.
            try:
                return self.lookup(subject, request, True, deleted)
            except RegistryError as error:
                if error.code == 42201:  # it has no normal form
                    raise schema_not_found() from None
                raise
        if found is None:
            raise schema_not_found()
        return found

    def known(
        self, subject: str, request: SchemaRequest, normalize: bool = False, deleted: bool = False
    ) -> StoredSchema | None:
        """What `lookup` finds, where that takes no parsing; None says nothing."""
        return self._registering.known(self._named(subject), request, normalize, deleted)

    def known_registered(self, subject: str, request: SchemaRequest, normalize: bool = False) -> StoredSchema | None:
        """The version that `register` answers without writing, where that takes no parsing; None says nothing. Raises
        42208."""
        if request.version != 0 or request.id != -1 or request.changes_tags:
            return None
        name = self._named(subject)
        check_subject(name)
        return self._registering.known(name, request, normalize)

    def version(self, subject: str, version: int, deleted: bool = False) -> StoredSchema:
        """One version, or the latest for -1. Raises 40401 or 40402."""
        subject = self._named(subject)
        found = self._in_contexts(subject, lambda name: self.catalog.version(name, version, deleted))
        if found is not None:
            return found
        if not self.catalog.has_subject(subject, deleted):
            raise subject_not_found(subject)
        raise version_not_found(version)

    def latest_with_metadata(self, subject: str, wanted: dict[str, str], deleted: bool = False) -> StoredSchema:
        """The newest version whose metadata has all of `wanted` among its properties. Raises 40401 or 40403."""
        subject = self._named(subject)
        if not self.catalog.has_subject(subject, deleted):
            raise subject_not_found(subject)
        for stored in reversed(self.catalog.versions(subject, deleted)):
            properties = (stored.content.metadata or {}).get("properties") or {}
            if wanted.items() <= properties.items():
                return stored
        raise schema_not_found()

    def versions(
        self, subject: str, deleted: bool = False, deleted_only: bool = False, beside: bool = False
    ) -> list[StoredSchema]:
        """A subject's versions: with the soft-deleted ones (`deleted`), or these alone. `beside` adds them too, but
        only to a subject that is not deleted as a whole. Raises 40401."""
        subject = self._named(subject)
        if not self.catalog.has_subject(subject, deleted or deleted_only):
            raise subject_not_found(subject)
        found = self.catalog.versions(subject, deleted or deleted_only or beside)
        return [stored for stored in found if stored.deleted or not deleted_only]

    def subjects(self, prefix: str, deleted: bool = False, deleted_only: bool = False) -> list[str]:
        """Names, sorted. `deleted` adds the subjects that have only soft-deleted versions, `deleted_only` tells these."""
        found = self.catalog.subjects()
        if prefix != ANY_CONTEXT:
            asked = SubjectFilter.parse(prefix)
            found = [one for one in found if asked.matches(one[0])]
        if deleted_only:
            return [name for name, alive in found if not alive]
        return [name for name, alive in found if alive or deleted]

    def schemas(
        self, prefix: str, deleted: bool = False, latest_only: bool = False, aliases: bool = False
    ) -> list[StoredSchema]:
        """The versions of the subjects that begin with `prefix`; with `aliases` also of those that have another name
        that does."""
        with self.catalog.lock:
            found = []
            names = self.subjects(prefix, deleted)
            if aliases:
                asked = SubjectFilter.parse(prefix)
                meant = [s for s, others in self.settings.aliases().items() if any(map(asked.matches, others))]
                names = sorted({*names, *(s for s in meant if self.catalog.has_subject(s, deleted))})
            for name in names:
                versions = self.catalog.versions(name, deleted)
                found += versions[-1:] if latest_only else versions
        return found

    def formatted(self, stored: StoredSchema, form: str) -> str:
        if not form:
            return stored.content.text
        try:
            return self._reader.parsed(stored).formatted(form)
        except InvalidSchemaError as error:
            raise invalid_schema(f"The schema cannot be shown as {form}: {error.message}") from error

    def referenced_by(self, subject: str, version: int, deleted: bool = False) -> list[int]:
        """The ids of the schemas that reference this version. Raises 40401 or 40402."""
        stored = self.version(subject, version, deleted)
        key = SchemaKey(stored.subject, stored.version)
        return sorted({referrer.id for referrer in self.catalog.referrers(key, deleted)})

    # --- ids ---------------------------------------------------------------------------------------------------------

    def by_id(self, schema_id: int, subject: str = "", visible: Callable[[str], bool] | None = None) -> Found | None:
        """The schema of an id: in the context of `subject`, and for a plain one in any other context after it. If the
        id is registered under `subject` that is the place told, else the first that is not deleted. An id that is
        registered under no subject that is `visible` is passed over."""
        subject = self._named(subject)
        places = ((context, schema_id) for context in self._contexts_for(subject))
        return self._first_found(places, subject, visible)

    def by_guid(self, guid: str, visible: Callable[[str], bool] | None = None) -> Found | None:
        return self._first_found(self.catalog.by_guid(guid), "", visible)

    def _first_found(
        self, ids: Iterable[tuple[str, int]], subject: str, visible: Callable[[str], bool] | None
    ) -> Found | None:
        for context, schema_id in ids:
            with self.catalog.lock:
                entry = self.catalog.entry(context, schema_id)
                if entry is None or (visible is not None and not any(visible(key.subject) for key in entry.keys)):
                    continue
                return Found(entry.content, self._place(entry, subject, visible), context, schema_id)
        return None

    def versions_of_id(self, schema_id: int, subject: str = "", deleted: bool = False) -> list[SchemaKey]:
        """Under which subjects and versions an id is registered. Raises 40403 if nobody knows the id."""
        for context in self._contexts_for(self._named(subject)):
            with self.catalog.lock:
                entry = self.catalog.entry(context, schema_id)
                if entry is not None:
                    return [key for key in entry.keys if self.catalog.version(*key, deleted=deleted) is not None]
        raise schema_not_found()

    def _place(self, entry: IdEntry, subject: str, visible: Callable[[str], bool] | None = None) -> StoredSchema | None:
        places = [one for one in self.catalog.stored_under(entry) if visible is None or visible(one.subject)]
        asked = [stored for stored in places if stored.subject == subject]
        alive = [stored for stored in asked or places if not stored.deleted]
        return next(iter(alive or asked or places), None)

    def _contexts_for(self, subject: str) -> Sequence[str]:
        context = context_of(subject)
        if context != DEFAULT_CONTEXT:
            return [context]
        return [DEFAULT_CONTEXT, *(name for name in self.catalog.contexts() if name != DEFAULT_CONTEXT)]

    def _in_contexts(self, subject: str, find: Callable[[str], T | None]) -> T | None:
        """What `find` finds for the subject, or, for a plain one, for its namesakes in the other contexts."""
        found = find(subject)
        context, name = Subject.parse(subject)
        if found is not None or context != DEFAULT_CONTEXT:
            return found
        for context in self._contexts_for(subject)[1:]:
            found = find(str(Subject(context, name)))
            if found is not None:
                return found
        return None

    def prepared_by_id(self, schema_id: int) -> bytes | None:
        """The finished answer for an id without further wishes, made once and kept; None if nobody knows the id."""
        known = self.catalog.prepared(DEFAULT_CONTEXT, schema_id)
        if known is not None:
            return known
        for context in self._contexts_for(""):
            with self.catalog.lock:
                known = self.catalog.prepared(context, schema_id)
                entry = self.catalog.entry(context, schema_id) if known is None else None
                if entry is not None:
                    found = Found(entry.content, self._place(entry, ""), context, schema_id)
                    known = orjson.dumps(self.answer_for_id(found))
                    self.catalog.prepare(context, schema_id, known)
                if known is not None:
                    return known
        return None

    # --- deleting ----------------------------------------------------------------------------------------------------

    def delete_version(self, subject: str, version: int, permanent: bool = False) -> int:
        return self._deleting.delete_version(self._named(subject), version, permanent)

    def delete_subject(self, subject: str, permanent: bool = False) -> list[int]:
        return self._deleting.delete_subject(self._named(subject), permanent)

    def delete_context(self, context: str) -> None:
        self._deleting.delete_context(context)

    # --- compatibility -----------------------------------------------------------------------------------------------

    def test_compatibility(
        self, subject: str, request: SchemaRequest, version: int | None = None, normalize: bool = False
    ) -> list[str]:
        """Why this schema could not follow `version` (-1: the latest, None: all); empty if it could.

        Nothing at all is no obstacle. Raises 40402 for a number nobody has, 42201 for what is no schema.
        """
        subject = self._named(subject)
        if version is None:
            earlier = self.catalog.versions(subject)
        else:
            stored = self.catalog.version(subject, version)
            if stored is None and version != LATEST:
                raise version_not_found(version)
            earlier = [] if stored is None else [stored]
        config = self.settings.config_in_scope(subject)
        if version is not None and not earlier:
            return []
        if request.is_empty:
            raise invalid_schema("Empty schema")
        next_version = earlier[-1].version + 1 if earlier else 1
        filled = fill_from_previous(config, request, earlier, next_version)
        candidate = self._reader.candidate(subject, filled, normalize or bool(config.get("normalize")))
        if candidate is None:
            raise invalid_schema("Empty schema")
        return check_compatibility(self._reader, config, candidate, earlier)

    # --- for answers -------------------------------------------------------------------------------------------------

    def answer(self, stored: StoredSchema, form: str = "") -> dict[str, Any]:
        """A version as GET answers it."""
        return {
            "subject": stored.subject,
            "version": stored.version,
            "id": stored.id,
            "guid": stored.content.guid,
            **stored.content.members(),
            "schema": self.formatted(stored, form),
            "ts": stored.timestamp_ms,
            "deleted": stored.deleted,
        }

    def answer_for_id(self, found: Found, form: str = "") -> dict[str, Any]:
        """A schema as GET by id answers it: with a place where it is registered, without the id."""
        stored = found.stored
        answer: dict[str, Any] = {} if stored is None else {"subject": stored.subject, "version": stored.version}
        answer |= {"guid": found.content.guid, **found.content.members()}
        if form and stored is not None:
            answer["schema"] = self.formatted(stored, form)
        answer["ts"] = None if stored is None else stored.timestamp_ms
        answer["deleted"] = stored is None or stored.deleted
        return answer

    def _named(self, subject: str) -> str:
        """The one stored form of a subject (``:.:s`` is ``s``, ``:.ctx`` is ``:.ctx:``), behind its alias if it is one."""
        return self.settings.alias_of(str(Subject.parse(subject)))
