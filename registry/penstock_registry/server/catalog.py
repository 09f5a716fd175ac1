"""The registry's state: it answers questions about what the log's records say, and knows no rules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any

from penstock_registry.guid import guid_digest
from penstock_registry.server.applied_log import AppliedLog, IdEntry, VersionCounts, covers
from penstock_registry.server.content import Identity, StoredSchema
from penstock_registry.server.subjects import DEFAULT_CONTEXT
from penstock_registry.store import (
    SchemaKey,
)

__all__ = ["Catalog", "IdEntry"]


class Catalog(AppliedLog):
    """Thread-safe. `lock` may be held over several questions for answers of one moment; never while doing work."""

    def soft_deleted(self, scope: str | None) -> list[SchemaKey]:
        """Return the soft-deleted versions in a scope: a subject, a context, or (None) the default context."""
        with self.lock:
            return [
                SchemaKey(name, stored.version)
                for name in sorted(self._subjects)
                if covers(scope, name)
                for stored in self._subjects[name].values()
                if stored.deleted
            ]

    def version_counts(self) -> VersionCounts:
        """Return how many versions were registered and soft-deleted, as of now."""
        with self.lock:
            return self._counts.copy()

    # --- subjects and versions ---------------------------------------------------------------------------------------

    def versions(self, subject: str, deleted: bool = False) -> list[StoredSchema]:
        """Return the versions of a subject in ascending order; with the soft-deleted ones if `deleted`."""
        with self.lock:
            return [stored for stored in self._subjects.get(subject, {}).values() if deleted or not stored.deleted]

    def version(self, subject: str, version: int, deleted: bool = False) -> StoredSchema | None:
        """Return one version; -1 is the latest that is not deleted."""
        with self.lock:
            versions = self._subjects.get(subject, {})
            if version == -1:
                return next((stored for stored in reversed(versions.values()) if not stored.deleted), None)
            stored = versions.get(version)
            return stored if stored is not None and (deleted or not stored.deleted) else None

    def newest(self, subject: str, identity: Identity, deleted: bool = False) -> StoredSchema | None:
        """Return the newest version of `subject` with exactly this content."""
        with self.lock:
            for stored in reversed(self._subjects.get(subject, {}).values()):
                if stored.content.identity == identity and (deleted or not stored.deleted):
                    return stored
        return None

    def has_subject(self, subject: str, deleted: bool = False) -> bool:
        """Return whether there is any version of the subject."""
        with self.lock:
            return self._has_version(subject, deleted)

    def has_any(self, scope: str | None, deleted: bool = False) -> bool:
        """Return whether there is any in a scope: a subject, a context, or (None) the default context."""
        with self.lock:
            return any(covers(scope, name) and self._has_version(name, deleted) for name in self._subjects)

    def _has_version(self, subject: str, deleted: bool) -> bool:
        versions = self._subjects.get(subject, {})
        return bool(versions) and (deleted or self._is_alive(versions))

    def subjects(self) -> Sequence[tuple[str, bool]]:
        """Return all subjects, sorted, each with whether it has a version that is not soft-deleted. Do not change the list."""
        with self.lock:
            if self._listing is None:
                self._listing = sorted((name, self._is_alive(versions)) for name, versions in self._subjects.items())
            return self._listing

    def referrers(self, key: SchemaKey, deleted: bool) -> list[StoredSchema]:
        """Return the schemas that reference `key`; with the soft-deleted ones if `deleted`."""
        with self.lock:
            found = (self.version(*referrer, deleted=deleted) for referrer in sorted(self._referrers.get(key, ())))
            return [stored for stored in found if stored is not None]

    # --- ids ---------------------------------------------------------------------------------------------------------

    def id_of(self, context: str, identity: Identity) -> int | None:
        with self.lock:
            known = self._contexts.get(context)
            ids = known.ids.get(identity) if known else None
            return ids[0] if ids else None

    def entry(self, context: str, schema_id: int) -> IdEntry | None:
        with self.lock:
            known = self._contexts.get(context)
            return known.entries.get(schema_id) if known else None

    def max_id(self, context: str) -> int:
        with self.lock:
            known = self._contexts.get(context)
            return known.max_id if known else 0

    def holders(self, context: str, schema_id: int) -> list[SchemaKey]:
        """Return the versions that have this id, soft-deleted ones too."""
        with self.lock:
            entry = self.entry(context, schema_id)
            return [] if entry is None else list(entry.keys)

    def max_id_under(self, context: str, shows: Callable[[str], bool]) -> int:
        """Return the highest id of a context among those that are registered under a subject which `shows` takes."""
        with self.lock:
            known = self._contexts.get(context)
            entries = known.entries.items() if known else ()
            return max(
                (number for number, entry in entries if any(shows(key.subject) for key in entry.keys)), default=0
            )

    def by_guid(self, guid: str) -> list[tuple[str, int]]:
        """Return the contexts and ids of the schema with this GUID."""
        digest = guid_digest(guid)
        with self.lock:
            return [] if digest is None else list(self._guids.get(digest, ()))

    def stored_under(self, entry: IdEntry) -> Iterator[StoredSchema]:
        """Yield the versions of an id, in the order of the log."""
        for key in entry.keys:
            if key in entry.overwritten:
                continue
            stored = self._subjects.get(key.subject, {}).get(key.version)
            if stored is not None:
                yield stored

    def prepared(self, context: str, schema_id: int) -> bytes | None:
        return self._prepared.get((context, schema_id))

    def prepare(self, context: str, schema_id: int, body: bytes) -> None:
        """Keep a finished answer until anything it says changes. Call with `lock` held since the answer was made."""
        self._prepared.put((context, schema_id), body, len(body))

    # --- contexts, config, mode --------------------------------------------------------------------------------------

    def contexts(self) -> list[str]:
        """Return the default context and those that were made by registering, sorted."""
        with self.lock:
            return sorted({DEFAULT_CONTEXT, *self._known_contexts})

    def knows_context(self, context: str) -> bool:
        with self.lock:
            return context == DEFAULT_CONTEXT or context in self._known_contexts

    def config(self, subject: str | None) -> Mapping[str, Any] | None:
        with self.lock:
            return self._configs.get(subject)

    def configs(self) -> dict[str | None, Mapping[str, Any]]:
        with self.lock:
            return dict(self._configs)

    def mode(self, subject: str | None) -> str | None:
        with self.lock:
            return self._modes.get(subject)

    def modes(self) -> dict[str | None, str]:
        with self.lock:
            return dict(self._modes)
