"""The tables of the registry's state, filled from the records of the log in their order."""

from __future__ import annotations

import logging
import threading
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from penstock_registry.server.content import Identity, SchemaContent, StoredSchema, referenced_keys
from penstock_registry.server.log_values import check_config, max_ids_of, mode_of, schema_of, version_of
from penstock_registry.server.subjects import DEFAULT_CONTEXT, Subject, context_of
from penstock_registry.server.weighed import WeighedCache
from penstock_registry.store import (
    ClearSubjectKey,
    ConfigKey,
    ContextKey,
    DeleteSubjectKey,
    Key,
    ModeKey,
    NoopKey,
    SchemaKey,
    StoreRecord,
)
from penstock_registry.store.records import Value

__all__ = ["AppliedLog", "IdEntry", "VersionCounts", "covers"]

_log = logging.getLogger(__name__)
#: Bounds of the finished answers, which are made when asked for.
_PREPARED_COUNT = 50_000
_PREPARED_BYTES = 32 * 1024 * 1024


@dataclass(slots=True)
class VersionCounts:
    """The versions that were registered and the versions that were soft-deleted, by schema type, as the log tells: those
    of the log that was found at start are among them, and what is registered and not deleted is there now."""

    registered: dict[str, int] = field(default_factory=dict)
    deleted: dict[str, int] = field(default_factory=dict)

    def note(self, previous: StoredSchema | None, stored: StoredSchema) -> None:
        """Note that `stored` takes the place of `previous`."""
        if previous is not None and previous.id == stored.id:
            if previous.deleted and not stored.deleted:
                _add(self.registered, stored)
            elif stored.deleted and not previous.deleted:
                _add(self.deleted, stored)
            return
        if previous is not None:  # an import puts another schema there
            self.note_gone(previous)
        _add(self.registered, stored)
        if stored.deleted:
            _add(self.deleted, stored)

    def note_gone(self, stored: StoredSchema) -> None:
        """Note that `stored` is there no more."""
        if not stored.deleted:
            _add(self.deleted, stored)

    def copy(self) -> VersionCounts:
        return VersionCounts(dict(self.registered), dict(self.deleted))


def _add(counts: dict[str, int], stored: StoredSchema) -> None:
    kind = stored.content.schema_type
    counts[kind] = counts.get(kind, 0) + 1


@dataclass(slots=True)
class IdEntry:
    """The schema of an id, with the subjects and versions that have it, in the order of the log.

    `overwritten` has the versions whose record was replaced by one with another id, as an import may do: they are still
    told as versions of this id, but do not keep it in use.
    """

    content: SchemaContent
    keys: dict[SchemaKey, None] = field(default_factory=dict)
    overwritten: frozenset[SchemaKey] = frozenset()


@dataclass(slots=True)
class _Context:
    entries: dict[int, IdEntry] = field(default_factory=dict)
    ids: dict[Identity, list[int]] = field(default_factory=dict)
    #: Never goes down while the registry runs, so an id that was deleted is not given to another schema.
    max_id: int = 0


class AppliedLog:
    """The state that the records of the log make, one batch after the other.

    Thread-safe: `lock` guards every table. `penstock_registry.server.catalog.Catalog` answers questions about the state.
    """

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self._subjects: dict[str, dict[int, StoredSchema]] = {}
        self._contexts: dict[str, _Context] = {}
        self._known_contexts: set[str] = set()
        #: Contexts and ids by the digest that a GUID spells.
        self._guids: dict[bytes, tuple[tuple[str, int], ...]] = {}
        self._configs: dict[str | None, Mapping[str, Any]] = {}
        self._modes: dict[str | None, str] = {}
        self._referrers: dict[SchemaKey, set[SchemaKey]] = {}
        #: The ids that have a key among their overwritten ones.
        self._overwritten: dict[SchemaKey, set[int]] = {}
        self._prepared: WeighedCache[tuple[str, int], bytes] = WeighedCache(_PREPARED_COUNT, _PREPARED_BYTES)
        #: Every subject, sorted, and whether it has a version that is not deleted; None when that has changed.
        self._listing: Sequence[tuple[str, bool]] | None = None
        self._counts = VersionCounts()

    # --- applying records --------------------------------------------------------------------------------------------

    def apply(self, records: Sequence[StoreRecord]) -> None:
        """Take over a batch of the log; readers see all of it or nothing.

        A record that makes no sense is reported and left out: one bad record must not take the registry down.
        """
        with self.lock:
            for record in records:
                try:
                    self._apply(*record)
                except Exception as error:  # whatever one record holds, the others count
                    _log.error(
                        "A record of the schema log cannot be used and is left out: key %s: %s: %s",
                        record.key, type(error).__name__, error,
                    )  # fmt: skip

    def _apply(self, key: Key, value: Value | None, timestamp_ms: int) -> None:
        match key:
            case SchemaKey():
                if value is None:
                    self._remove(key)
                else:
                    self._put(key, schema_of(key, value, timestamp_ms))
            case DeleteSubjectKey(subject) if value is not None:
                self._soft_delete(subject, version_of(value), timestamp_ms)
            case ClearSubjectKey(subject) if value is not None:
                self._clear(subject)
            case ConfigKey(subject):
                self._set_or_drop(self._configs, subject, None if value is None else check_config(value))
            case ModeKey(subject):
                self._set_or_drop(self._modes, subject, None if value is None else mode_of(value))
            case ContextKey(_, context):
                if value is None:
                    self._known_contexts.discard(context)
                else:
                    self._known_contexts.add(context)
            case NoopKey() if value is not None:
                for context, number in max_ids_of(value).items():
                    known = self._contexts.setdefault(context, _Context())
                    known.max_id = max(known.max_id, number)
            case _:
                pass  # a record for the log itself, or of a kind this version does not know

    @staticmethod
    def _set_or_drop(table: dict[str | None, Any], subject: str | None, value: Any) -> None:
        if value is None:
            table.pop(subject, None)
        else:
            table[subject] = value

    def _put(self, key: SchemaKey, stored: StoredSchema) -> None:
        name = context_of(key.subject)
        self._known_contexts.add(name)  # old logs have no record of their own for a context
        context = self._contexts.get(name)
        if context is None:
            context = self._contexts[name] = _Context()
        entry = context.entries.get(stored.id)
        if entry is not None and entry.content.identity != stored.content.identity:
            _log.warning(
                "The schema log gives id %d in context %s to %s version %d, but it belongs to another schema since an "
                "earlier record; the later record is left out, since one id never means two schemas.",
                stored.id, name, key.subject, key.version,
            )  # fmt: skip
            return
        versions = self._subjects.get(key.subject)
        previous = None if versions is None else versions.get(key.version)
        if previous is not None and previous.id != stored.id:
            self._unreference(key, previous)
            context.entries[previous.id].overwritten |= {key}
            self._overwritten.setdefault(key, set()).add(previous.id)
            self._prepared.drop((name, previous.id))
        if entry is None:
            entry = context.entries[stored.id] = IdEntry(stored.content)
            context.ids.setdefault(stored.content.identity, []).append(stored.id)
            digest = stored.content.identity.digest
            self._guids[digest] = (*self._guids.get(digest, ()), (name, stored.id))
        entry.keys[key] = None
        if key in entry.overwritten:  # the id is back where it was
            entry.overwritten -= {key}
            self._overwritten[key].discard(stored.id)
        context.max_id = max(context.max_id, stored.id)
        self._counts.note(previous, stored)
        self._place(key, stored, versions)
        for target in referenced_keys(stored.subject, stored.content):
            self._referrers.setdefault(target, set()).add(key)
        self._prepared.drop((name, stored.id))

    def _place(self, key: SchemaKey, stored: StoredSchema, versions: dict[int, StoredSchema] | None) -> None:
        """Among the subject's `versions`, which stay in order."""
        if versions is None:
            versions = self._subjects[key.subject] = {}
        if stored.deleted or not self._is_alive(versions):
            self._listing = None
        in_order = not versions or key.version >= next(reversed(versions))
        versions[key.version] = stored
        if not in_order:
            self._subjects[key.subject] = dict(sorted(versions.items()))

    def _remove(self, key: SchemaKey) -> None:
        versions = self._subjects.get(key.subject, {})
        stored = versions.pop(key.version, None)
        self._listing = None
        if not versions:
            self._subjects.pop(key.subject, None)
        if stored is None:
            return
        self._counts.note_gone(stored)
        self._unreference(key, stored)
        name = context_of(key.subject)
        context = self._contexts[name]
        for schema_id in {stored.id, *self._overwritten.pop(key, ())}:
            entry = context.entries[schema_id]
            entry.keys.pop(key, None)
            entry.overwritten -= {key}
            self._prepared.drop((name, schema_id))
            if not entry.keys:
                self._forget_id(name, context, schema_id, entry)

    def _forget_id(self, name: str, context: _Context, schema_id: int, entry: IdEntry) -> None:
        del context.entries[schema_id]
        same = context.ids[entry.content.identity]
        same.remove(schema_id)
        if not same:
            del context.ids[entry.content.identity]
        digest = entry.content.identity.digest
        places = tuple(place for place in self._guids[digest] if place != (name, schema_id))
        if places:
            self._guids[digest] = places
        else:
            del self._guids[digest]

    def _unreference(self, key: SchemaKey, stored: StoredSchema) -> None:
        for target in referenced_keys(stored.subject, stored.content):
            referrers = self._referrers.get(target)
            if referrers is not None:
                referrers.discard(key)
                if not referrers:
                    del self._referrers[target]

    def _soft_delete(self, subject: str, up_to: int, timestamp_ms: int) -> None:
        versions = self._subjects.get(subject, {})
        self._listing = None
        for version, stored in list(versions.items()):
            if version <= up_to and not stored.deleted:
                gone = StoredSchema(stored.subject, stored.version, stored.id, stored.content, True, timestamp_ms)
                versions[version] = gone
                self._counts.note(stored, gone)
                self._prepared.drop((context_of(subject), stored.id))

    def _clear(self, subject: str | None) -> None:
        for name in [name for name in self._subjects if covers(subject, name)]:
            for stored in [stored for stored in self._subjects[name].values() if stored.deleted]:
                self._remove(SchemaKey(name, stored.version))

    @staticmethod
    def _is_alive(versions: dict[int, StoredSchema]) -> bool:
        return any(not stored.deleted for stored in reversed(versions.values()))


def covers(scope: str | None, subject: str) -> bool:
    """Return whether `subject` belongs to a scope: itself, a context, or (None) the default context."""
    if scope is None:
        return context_of(subject) == DEFAULT_CONTEXT
    asked = Subject.parse(scope)
    return subject == scope or (asked.is_context and asked.context == context_of(subject))
