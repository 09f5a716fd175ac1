"""Finding a schema under a subject, and registering one: which id and version it has, or gets.

The rules are those of Confluent's ``register`` and ``lookUpSchemaUnderSubject``, with one made stricter: within a
context an id never means two schemas.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from penstock_registry.server.batch import Batch, Registration
from penstock_registry.server.catalog import Catalog
from penstock_registry.server.compatibility import check_compatibility
from penstock_registry.server.content import (
    VERSION_PROPERTY,
    SchemaContent,
    StoredSchema,
    merge_metadata,
    merge_rule_sets,
    sorted_metadata,
)
from penstock_registry.server.errors import (
    RegistryError,
    id_too_high,
    incompatible_schema,
    invalid_schema,
    not_permitted,
    reference_exists,
    store_failed,
)
from penstock_registry.server.grouping import GroupCommit
from penstock_registry.server.levels import Mode
from penstock_registry.server.log import CheckedLog
from penstock_registry.server.log_values import MAX_INT
from penstock_registry.server.reading import Candidate, SchemaReader
from penstock_registry.server.requests import ReferenceRequest, SchemaRequest
from penstock_registry.server.settings import Settings, shown_subject
from penstock_registry.server.subjects import DEFAULT_CONTEXT, Subject, check_subject, context_of
from penstock_registry.server.tags import find_tags, with_tags
from penstock_registry.store import ContextKey, Key, SchemaKey
from penstock_registry.store.records import DEFAULT_TENANT, Value

__all__ = ["Registering"]

#: How often an id that another writer took first is allocated again.
_ID_RETRIES = 10
#: Modes in which schemas come with the ids they have elsewhere, and are taken as they are.
_WITH_IDS = (Mode.IMPORT, Mode.FORWARD)


class Registering:
    def __init__(
        self,
        catalog: Catalog,
        log: CheckedLog,
        writer: threading.RLock,
        reader: SchemaReader,
        settings: Settings,
        max_import_id: int = MAX_INT,
    ) -> None:
        self._catalog = catalog
        self._log = log
        self._reader = reader
        self._settings = settings
        self._max_import_id = max_import_id
        self._group: GroupCommit[Registration] = GroupCommit(writer, self._register_all)

    # --- finding -----------------------------------------------------------------------------------------------------

    def candidate(self, subject: str, request: SchemaRequest, normalize: bool = False) -> Candidate | None:
        """Return `request` parsed, normalized if it or the subject's config wants that; None if it has no schema."""
        normalize = normalize or bool(self._settings.config_in_scope(subject).get("normalize"))
        return self._reader.candidate(subject, request, normalize)

    def known(
        self, subject: str, request: SchemaRequest, normalize: bool = False, deleted: bool = False
    ) -> StoredSchema | None:
        """Return what `find` finds for `request`, if that was read before and is there as it is; None if that is undecided."""
        if not normalize:
            normalize = bool(self._settings.config_in_scope(subject).get("normalize"))
        content = self._reader.remembered(request, normalize)
        return None if content is None else self._catalog.newest(subject, content.identity, deleted)

    def find(self, subject: str, candidate: Candidate, deleted: bool = False) -> StoredSchema | None:
        """Return the version of `subject` that `candidate` describes, the newest if several; None if there is none.

        A candidate without metadata or rules takes any; one without references also finds a version whose
        references, filled in, read the same.
        """
        exact = self._catalog.newest(subject, candidate.content.identity, deleted)
        if exact is not None:
            return exact
        versions = self._catalog.versions(subject, deleted)
        return next((stored for stored in reversed(versions) if self._describes(candidate, stored)), None)

    def find_filled(
        self, subject: str, request: SchemaRequest, normalize: bool = False, deleted: bool = False
    ) -> StoredSchema | None:
        """`find` with what registering would add to `request`: metadata and rules of the latest version and of the config."""
        latest = self._catalog.version(subject, -1)
        if latest is None or request.is_empty:
            return None
        filled = fill_from_previous(self._settings.config_in_scope(subject), request, [latest], None)
        if filled == request:
            return None
        candidate = self.candidate(subject, filled, normalize)
        return None if candidate is None else self.find(subject, candidate, deleted)

    def _describes(self, candidate: Candidate, stored: StoredSchema) -> bool:
        asked, known = candidate.content, stored.content
        if asked.schema_type != known.schema_type or not _same_extras(asked, known):
            return False
        if not asked.references and known.references:
            try:
                return self._reader.parsed(stored).formatted("resolved") == asked.text
            except RegistryError:  # the log has a schema that cannot be read: it is not the one that was sent
                return False
        return asked.text == known.text and asked.references == known.references

    # --- registering -------------------------------------------------------------------------------------------------

    def register(
        self,
        subject: str,
        request: SchemaRequest,
        normalize: bool = False,
        visible: Callable[[str], bool] = lambda _: True,
    ) -> StoredSchema:
        """Return the version of `subject` with this schema, made if there is none. `subject` is in its stored form;
        refusals name others only if they are `visible`.

        Raises 42201 (schema), 42205 (mode), 42208 (subject), 40901 (incompatible).
        """
        check_subject(subject)
        config = self._settings.config_in_scope(subject)
        normalize = normalize or bool(config.get("normalize"))
        if request.changes_tags:
            request = self._tagged(subject, request, normalize)
        candidate = self._reader.candidate(subject, request, normalize)
        existing = None if candidate is None else self.find(subject, candidate)
        if existing is not None and request.version in (0, existing.version) and request.id in (-1, existing.id):
            return existing
        if candidate is not None and existing is None:
            self._check_new(subject, candidate)
        wanted = Registration(subject, request, candidate, normalize, visible)
        self._group.run(wanted)
        return wanted.result()

    def _check_new(self, subject: str, candidate: Candidate) -> None:
        """Raise 42201 for a schema that could not be read again, unless it is stored already."""
        if self._catalog.id_of(context_of(subject), candidate.content.identity) is None:
            self._reader.check_readable(subject, candidate)

    def _tagged(self, subject: str, request: SchemaRequest, normalize: bool) -> SchemaRequest:
        """`request` with its tag changes done to the text: its own, or that of the version it starts from."""
        if request.is_empty:
            latest = self._catalog.version(subject, -1)
            if latest is None:
                raise invalid_schema("Empty schema")
            request = from_stored(latest, request)
        candidate = self._reader.candidate(subject, request, normalize)
        assert candidate is not None
        text = with_tags(candidate.content, request.tags_to_add, request.tags_to_remove)
        return request.with_(text=text, tags_to_add=(), tags_to_remove=())

    def _register_all(self, wanted: Sequence[Registration]) -> None:
        """One write for as many of `wanted` as do not depend on each other; the first is settled in any case."""
        todo = list(wanted)
        for _ in range(_ID_RETRIES):
            batch = Batch(self._catalog)
            for one in todo:
                if batch.has_room_for(one):
                    self._plan_or_fail(one, batch)
            self._write(batch)
            if todo[0].done:
                return
            # The log decides: another writer took the id first.
            todo = todo[:1]
        one = todo[0]
        one.fail(store_failed(f"no id for {one.subject} after {_ID_RETRIES} tries"))

    def _plan_or_fail(self, one: Registration, batch: Batch) -> None:
        try:
            found = self._plan(one, batch)
        except Exception as error:  # whoever asked for it is told, and no one else
            one.fail(error)
        else:
            if found is not None:
                one.succeed(found)

    def _write(self, batch: Batch) -> None:
        if not batch.planned:
            return
        try:
            self._log.append_checked(batch.records)
        except RegistryError as error:
            # The store takes no record of this size and wrote none: each is tried by itself, so that one fails alone.
            if len(batch.planned) == 1:
                batch.planned[0][0].fail(error)
            return
        except Exception as error:  # of the store: what became of each is not known
            for one, _ in batch.planned:
                one.fail(error)
            return
        for one, stored in batch.planned:
            written = self._catalog.version(stored.subject, stored.version)
            if written is not None and written.id == stored.id and written.content.identity == stored.content.identity:
                one.succeed(written)

    def _plan(self, one: Registration, batch: Batch) -> StoredSchema | None:
        """Put what is to be written for `one` into `batch`; or answer the version that is there already."""
        subject, request, candidate = one.subject, one.request, one.candidate
        importing = self._check_mode(subject, request) in _WITH_IDS
        schema_id, found = self._known_version(subject, request, candidate)
        if found is not None:
            return found
        versions = self._catalog.versions(subject, deleted=True)
        live = [stored for stored in versions if not stored.deleted]
        new_version = versions[-1].version + 1 if versions else 1
        if not importing:
            config = self._settings.config_in_scope(subject)
            filled = fill_from_previous(config, request, live, new_version)
            if request.propagate_tags and live:
                filled = self._with_tags_of(live[-1], subject, filled, one.normalize)
            if filled != request:
                candidate = self._reader.candidate(subject, filled, one.normalize)
                schema_id, found = self._known_version(subject, filled, candidate)
                if found is not None:
                    return found
                if candidate is not None and not _same_text(candidate, one.candidate):
                    self._check_new(subject, candidate)
            if candidate is None:
                raise invalid_schema("Empty schema")
            if problems := check_compatibility(self._reader, config, candidate, live):
                raise incompatible_schema(subject, problems)
        if candidate is None:
            raise invalid_schema("Empty schema")
        if request.version <= 0:
            version = new_version
        elif importing or request.version == new_version:
            version = request.version
        else:
            raise invalid_schema("Version is not one more than previous version")
        if not 1 <= version <= MAX_INT:
            raise invalid_schema(f"Version {version} is out of range")
        content = candidate.content
        batch.check_references(subject, version, content)
        self._check_not_torn_away(subject, version, content)
        if schema_id >= 0:
            self._check_id_free(subject, schema_id, content)
        else:
            schema_id = batch.id_for(context_of(subject), content.identity, one.visible)
        stored = StoredSchema(subject, version, schema_id, content, False, 0)
        records = self._records(stored, batch)
        self._log.check(records)
        batch.add(one, stored, records)
        return None

    def _check_not_torn_away(self, subject: str, version: int, content: SchemaContent) -> None:
        """Raise 42206 if another schema takes the place of a version that is referenced: what references it would
        mean something else, or nothing."""
        replaced = self._catalog.version(subject, version, deleted=True)
        if replaced is None or replaced.content.identity == content.identity:
            return
        if self._catalog.referrers(SchemaKey(subject, version), deleted=True):
            raise reference_exists(subject, version)

    def _with_tags_of(
        self, previous: StoredSchema, subject: str, request: SchemaRequest, normalize: bool
    ) -> SchemaRequest:
        """`request` with the inline tags of `previous` where it has what they are at."""
        tags = find_tags(previous.content, ("*",))
        candidate = self._reader.candidate(subject, request, normalize) if tags else None
        if candidate is None or candidate.content.schema_type != previous.content.schema_type:
            return request
        return request.with_(text=with_tags(candidate.content, tags, (), lenient=True))

    def _check_mode(self, subject: str, request: SchemaRequest) -> Mode:
        mode = self._settings.check_writable(subject)
        if request.id >= 0 and mode not in _WITH_IDS:
            raise not_permitted(f"{shown_subject(subject)} is not in import mode")
        if request.id < 0 and mode is not Mode.READWRITE:
            raise not_permitted(f"{shown_subject(subject)} is not in read-write mode")
        return mode

    def _known_version(
        self, subject: str, request: SchemaRequest, candidate: Candidate | None
    ) -> tuple[int, StoredSchema | None]:
        """Return the id to register under (-1: a new one), and the version if the subject has this schema already."""
        if candidate is None:
            return request.id, None
        identity = candidate.content.identity
        if request.version == 0 or (request.version < 0 and request.id >= 0):
            for stored in reversed(self._catalog.versions(subject)):
                if stored.content.identity == identity and request.id in (-1, stored.id):
                    return stored.id, stored
        known = self._catalog.id_of(context_of(subject), identity)
        return (known if known is not None and request.id < 0 else request.id), None

    def _check_id_free(self, subject: str, schema_id: int, content: SchemaContent) -> None:
        entry = self._catalog.entry(context_of(subject), schema_id)
        if entry is None:
            if schema_id > self._max_import_id:
                raise id_too_high(schema_id, subject, context_of(subject), self._max_import_id)
            return
        with self._catalog.lock:
            retired = entry.overwritten.issuperset(entry.keys)
        if entry.content.identity != content.identity or retired:
            context = Subject.parse(subject).context_prefix
            raise not_permitted(f"Overwrite new schema with id {schema_id} in context {context} is not permitted.")

    def _records(self, stored: StoredSchema, batch: Batch) -> list[tuple[Key, Value | None]]:
        records: list[tuple[Key, Value | None]] = []
        context = context_of(stored.subject)
        if context != DEFAULT_CONTEXT and not self._catalog.knows_context(context):
            records.append((ContextKey(DEFAULT_TENANT, context), {"tenant": DEFAULT_TENANT, "context": context}))
        for earlier in self._catalog.versions(stored.subject, deleted=True):
            key = SchemaKey(earlier.subject, earlier.version)
            comes_back = earlier.deleted and earlier.id == stored.id and earlier.version != stored.version
            if comes_back and not batch.is_referenced(key):
                # The schema comes back as a new version; its soft-deleted one makes room.
                records.append((key, None))
        records.append((SchemaKey(stored.subject, stored.version), stored.to_value()))
        return records


def from_stored(stored: StoredSchema, request: SchemaRequest) -> SchemaRequest:
    """`request` with the schema of `stored`; its own metadata and rules stay if it has any."""
    content = stored.content
    return request.with_(
        text=content.text,
        schema_type=content.schema_type,
        references=tuple(ReferenceRequest(*reference) for reference in content.references),
        metadata=request.metadata if request.metadata is not None else content.metadata,
        rule_set=request.rule_set if request.rule_set is not None else content.rule_set,
    )


def fill_from_previous(
    config: Mapping[str, Any], request: SchemaRequest, live: Sequence[StoredSchema], new_version: int | None
) -> SchemaRequest:
    """Return `request` with what it leaves out taken from the latest version, then with what the config puts under and
    over it. Without a `new_version` the metadata names none."""
    previous = live[-1].content if live else None
    filled = request
    if request.is_empty:
        if previous is None:
            raise invalid_schema("Empty schema")
        filled = from_stored(live[-1], request)
    metadata = filled.metadata if filled.metadata is not None or previous is None else previous.metadata
    rule_set = filled.rule_set if filled.rule_set is not None or previous is None else previous.rule_set
    metadata = merge_metadata(merge_metadata(config.get("defaultMetadata"), metadata), config.get("overrideMetadata"))
    rule_set = merge_rule_sets(merge_rule_sets(config.get("defaultRuleSet"), rule_set), config.get("overrideRuleSet"))
    pinned = VERSION_PROPERTY in ((metadata or {}).get("properties") or {})
    if new_version is not None and (request.version != 0 or pinned):
        metadata = sorted_metadata(merge_metadata(metadata or {}, {"properties": {VERSION_PROPERTY: str(new_version)}}))
    return filled.with_(metadata=metadata, rule_set=rule_set)


def _same_text(one: Candidate, other: Candidate | None) -> bool:
    return (
        other is not None
        and one.content.text == other.content.text
        and one.content.references == other.content.references
    )


def _same_extras(asked: SchemaContent, known: SchemaContent) -> bool:
    if asked.rule_set is not None and asked.rule_set != known.rule_set:
        return False
    return asked.metadata is None or asked.metadata == known.metadata or asked.metadata == _unpinned(known.metadata)


def _unpinned(metadata: Mapping[str, Any] | None) -> dict[str, Any] | None:
    if metadata is None:
        return None
    properties = {key: value for key, value in (metadata.get("properties") or {}).items() if key != VERSION_PROPERTY}
    return {**metadata, "properties": properties}
