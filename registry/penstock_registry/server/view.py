"""The registry as one caller sees it: everything that can be asked of it, and done to its subjects."""

from __future__ import annotations

from dataclasses import dataclass

from penstock.access.principal import Role
from penstock.api.registry import InvalidSchemaError
from penstock_registry.server.catalog import Catalog
from penstock_registry.server.compatibility import check_compatibility
from penstock_registry.server.content import StoredSchema, change_rules
from penstock_registry.server.deleting import Deleting
from penstock_registry.server.errors import (
    RegistryError,
    forbidden,
    invalid_schema,
    schema_not_found,
    subject_not_found,
    version_not_found,
)
from penstock_registry.server.formats import Formats
from penstock_registry.server.id_view import IdView
from penstock_registry.server.reading import SchemaReader
from penstock_registry.server.registering import Registering, fill_from_previous, from_stored
from penstock_registry.server.requests import SchemaRequest
from penstock_registry.server.settings import Settings
from penstock_registry.server.sight import Sight
from penstock_registry.server.subjects import ANY_CONTEXT, Subject, SubjectFilter, check_subject
from penstock_registry.store import SchemaKey

__all__ = ["LATEST", "Rooms", "View"]

#: The version number that stands for the latest.
LATEST = -1


@dataclass(frozen=True, slots=True)
class Rooms:
    """The parts of a registry that its views ask."""

    catalog: Catalog
    formats: Formats
    settings: Settings
    reader: SchemaReader
    registering: Registering
    deleting: Deleting


class View(IdView):
    """Thread-safe. What `sight` does not show is answered as if it were not there, and cannot be changed or used.

    Every question and every change names a subject once, here, and is held against the subject behind that name: what
    is checked and what is used cannot differ.
    """

    def __init__(self, rooms: Rooms, sight: Sight) -> None:
        super().__init__(rooms.catalog, rooms.settings, sight)
        self.formats = rooms.formats
        self._rooms = rooms
        self._reader = rooms.reader
        self._registering = rooms.registering

    # --- registering and finding -------------------------------------------------------------------------------------

    def register(self, subject: str, request: SchemaRequest, normalize: bool = False) -> StoredSchema:
        """Return the version with this schema, made if there is none. Raises what `Registering.register` raises, and
        40301 for a reference to what the caller may not read."""
        name = self._named(subject, Role.WRITE)
        self._check_references(name, request)
        return self._registering.register(name, request, normalize, self._sight.shows)

    def change_tags(self, subject: str, version: int, request: SchemaRequest) -> StoredSchema:
        """Make a new version: `version` with its tags changed. `request` brings the tags, and metadata if any."""
        base = self.version(subject, version)
        if request.rules_to_merge is not None or request.rules_to_remove:
            # The rules as they were before count, and not those that the request brings.
            before = self.catalog.version(base.subject, request.version - 1 if request.version else LATEST)
            known = None if before is None else before.content.rule_set
            request = request.with_(rule_set=change_rules(known, request.rules_to_merge, request.rules_to_remove))
        filled = from_stored(base, request).with_(version=request.version or LATEST)
        return self._registering.register(self._named(subject, Role.WRITE), filled, visible=self._sight.shows)

    def lookup(
        self, subject: str, request: SchemaRequest, normalize: bool = False, deleted: bool = False
    ) -> StoredSchema:
        """Return the version of `subject` with this schema, as it was sent or in its normal form. Raises 40401, 40403,
        42201."""
        name = self._named(subject)
        self._check_references(name, request)
        candidate = self._registering.candidate(name, request, normalize)
        if not self.catalog.has_subject(name, deleted):
            raise subject_not_found(name)
        if candidate is None:
            raise schema_not_found()
        found = self._in_contexts(name, lambda one: self._registering.find(one, candidate, deleted))
        found = found or self._registering.find_filled(name, request, normalize, deleted)
        if found is not None:
            return found
        if normalize:
            raise schema_not_found()
        try:
            return self.lookup(subject, request, True, deleted)
        except RegistryError as error:
            if error.code == 42201:  # it has no normal form
                raise schema_not_found() from None
            raise

    def known(
        self, subject: str, request: SchemaRequest, normalize: bool = False, deleted: bool = False
    ) -> StoredSchema | None:
        """Return what `lookup` finds, where that takes no parsing; None if that is undecided."""
        return self._registering.known(self._named(subject), request, normalize, deleted)

    def known_registered(self, subject: str, request: SchemaRequest, normalize: bool = False) -> StoredSchema | None:
        """Return the version that `register` answers without writing, where that takes no parsing; None if that is
        undecided. Raises 42208."""
        if request.version != 0 or request.id != -1 or request.changes_tags:
            return None
        name = self._named(subject, Role.WRITE)
        check_subject(name)
        return self._registering.known(name, request, normalize)

    def version(self, subject: str, version: int, deleted: bool = False) -> StoredSchema:
        """Return one version, or the latest for -1. Raises 40401 or 40402."""
        name = self._named(subject)
        found = self._in_contexts(name, lambda one: self.catalog.version(one, version, deleted))
        if found is not None:
            return found
        if not self.catalog.has_subject(name, deleted):
            raise subject_not_found(name)
        raise version_not_found(version)

    def latest_with_metadata(self, subject: str, wanted: dict[str, str], deleted: bool = False) -> StoredSchema:
        """Return the newest version whose metadata has all of `wanted` among its properties. Raises 40401 or 40403."""
        name = self._named(subject)
        if not self.catalog.has_subject(name, deleted):
            raise subject_not_found(name)
        for stored in reversed(self.catalog.versions(name, deleted)):
            properties = (stored.content.metadata or {}).get("properties") or {}
            if wanted.items() <= properties.items():
                return stored
        raise schema_not_found()

    def versions(
        self, subject: str, deleted: bool = False, deleted_only: bool = False, beside: bool = False
    ) -> list[StoredSchema]:
        """Return a subject's versions: with the soft-deleted ones (`deleted`), or these alone. `beside` adds them too,
        but only to a subject that is not deleted as a whole. Raises 40401."""
        name = self._named(subject)
        if not self.catalog.has_subject(name, deleted or deleted_only):
            raise subject_not_found(name)
        found = self.catalog.versions(name, deleted or deleted_only or beside)
        return [stored for stored in found if stored.deleted or not deleted_only]

    def subjects(self, prefix: str, deleted: bool = False, deleted_only: bool = False) -> list[str]:
        """Return names, sorted. `deleted` adds the subjects that have only soft-deleted versions, `deleted_only`
        returns these."""
        found = self.catalog.subjects()
        if not self._sight.is_whole:
            found = [one for one in found if self._sight.shows(one[0])]
        if prefix != ANY_CONTEXT:
            asked = SubjectFilter.parse(prefix)
            found = [one for one in found if asked.matches(one[0])]
        if deleted_only:
            return [name for name, alive in found if not alive]
        return [name for name, alive in found if alive or deleted]

    def schemas(
        self, prefix: str, deleted: bool = False, latest_only: bool = False, aliases: bool = False
    ) -> list[StoredSchema]:
        """Return the versions of the subjects that begin with `prefix`; with `aliases` also of those that have another
        name that does."""
        with self.catalog.lock:
            found = []
            names = self.subjects(prefix, deleted)
            if aliases:
                asked = SubjectFilter.parse(prefix)
                meant = [subject for subject, others in self.aliases().items() if any(map(asked.matches, others))]
                names = sorted({*names, *(name for name in meant if self.catalog.has_subject(name, deleted))})
            for name in names:
                versions = self.catalog.versions(name, deleted)
                found += versions[-1:] if latest_only else versions
        return found

    def aliases(self) -> dict[str, list[str]]:
        """Return the other names of each subject that has any."""
        shows = self._sight.shows
        seen = {
            subject: [name for name in names if shows(name)]
            for subject, names in self.settings.aliases().items()
            if shows(subject)
        }
        return {subject: names for subject, names in seen.items() if names}

    def formatted(self, stored: StoredSchema, form: str) -> str:
        """Return the text of a schema in another form. Raises 42201 if it has none, 40301 if it references what the
        caller may not read."""
        if not form:
            return stored.content.text
        try:
            if stored.content.references and not self._sight.is_whole:
                for _, other in self._reader.references_of(stored.subject, stored.content.references):
                    self._sight.require(Role.READ, other.subject)
            return self._reader.parsed(stored).formatted(form)
        except InvalidSchemaError as error:
            raise invalid_schema(f"The schema cannot be shown as {form}: {error.message}") from error

    def referenced_by(self, subject: str, version: int, deleted: bool = False) -> list[int]:
        """Return the ids of the schemas that reference this version. Raises 40401 or 40402."""
        stored = self.version(subject, version, deleted)
        referrers = self.catalog.referrers(SchemaKey(stored.subject, stored.version), deleted)
        return sorted({referrer.id for referrer in referrers if self._sight.shows(referrer.subject)})

    # --- deleting ----------------------------------------------------------------------------------------------------

    def delete_version(self, subject: str, version: int, permanent: bool = False) -> int:
        return self._rooms.deleting.delete_version(self._deletable(subject, permanent), version, permanent)

    def delete_subject(self, subject: str, permanent: bool = False) -> list[int]:
        return self._rooms.deleting.delete_subject(self._deletable(subject, permanent), permanent)

    def delete_context(self, context: str) -> None:
        self._sight.require(Role.ADMIN, Subject(context, "").context_prefix)
        self._rooms.deleting.delete_context(context)

    # --- compatibility -----------------------------------------------------------------------------------------------

    def test_compatibility(
        self, subject: str, request: SchemaRequest, version: int | None = None, normalize: bool = False
    ) -> list[str]:
        """Return why this schema could not follow `version` (-1: the latest, None: all); empty if it could.

        Nothing at all is no obstacle. Raises 40402 for a number nobody has, 42201 for what is no schema.
        """
        name = self._named(subject)
        self._check_references(name, request)
        if version is None:
            earlier = self.catalog.versions(name)
        else:
            stored = self.catalog.version(name, version)
            if stored is None and version != LATEST:
                raise version_not_found(version)
            earlier = [] if stored is None else [stored]
        config = self.settings.config_in_scope(name)
        if version is not None and not earlier:
            return []
        if request.is_empty:
            raise invalid_schema("Empty schema")
        next_version = earlier[-1].version + 1 if earlier else 1
        filled = fill_from_previous(config, request, earlier, next_version)
        candidate = self._reader.candidate(name, filled, normalize or bool(config.get("normalize")))
        if candidate is None:
            raise invalid_schema("Empty schema")
        return check_compatibility(self._reader, config, candidate, earlier)

    # --- names -------------------------------------------------------------------------------------------------------

    def _named(self, subject: str, role: Role = Role.READ) -> str:
        """Return the subject behind a name, which the caller must have `role` for. Raises 40301."""
        name = self._behind(subject)
        self._sight.require(role, name)
        return name

    def _deletable(self, subject: str, permanent: bool) -> str:
        return self._named(subject, Role.ADMIN if permanent else Role.WRITE)

    def _check_references(self, name: str, request: SchemaRequest) -> None:
        """Raise 40301 for a reference to what the caller may not read: a schema shows what it references, resolved."""
        parent = Subject.parse(name)
        for reference in request.references:
            target = parent.qualify(reference.subject or "")
            if not self._sight.shows(target):
                raise forbidden("Read", f"Subject: {target}")
