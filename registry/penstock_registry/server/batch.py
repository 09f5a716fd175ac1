"""Registrations that share one write to the store."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from penstock_registry.server.catalog import Catalog
from penstock_registry.server.content import Identity, SchemaContent, StoredSchema, referenced_keys
from penstock_registry.server.errors import invalid_schema, no_ids_left
from penstock_registry.server.grouping import Change
from penstock_registry.server.log_values import MAX_INT
from penstock_registry.server.reading import Candidate
from penstock_registry.server.requests import SchemaRequest
from penstock_registry.server.subjects import context_of
from penstock_registry.store import Key, SchemaKey
from penstock_registry.store.records import Value

__all__ = ["Batch", "Registration"]


class Registration(Change[StoredSchema]):
    """A schema to be registered: `subject` in its stored form, the request and what it was read as."""

    __slots__ = ("candidate", "normalize", "request", "subject", "visible")

    def __init__(
        self,
        subject: str,
        request: SchemaRequest,
        candidate: Candidate | None,
        normalize: bool,
        visible: Callable[[str], bool],
    ) -> None:
        super().__init__()
        self.subject = subject
        self.request = request
        self.candidate = candidate
        self.normalize = normalize
        self.visible = visible


class Batch:
    """Registrations that go to the store in one write, each to a subject of its own.

    None of them sees what the others are about to write, so what it depends on must not be among that: its subject's
    versions, and the ids of its context, of which this keeps count.
    """

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.planned: list[tuple[Registration, StoredSchema]] = []
        self.records: list[tuple[Key, Value | None]] = []
        self._subjects: set[str] = set()
        self._ids: dict[tuple[str, Identity], int] = {}
        self._max_ids: dict[str, int] = {}
        #: The versions that the planned ones reference, and those they take away.
        self._referenced: set[SchemaKey] = set()
        self._removed: set[SchemaKey] = set()
        self._closed = False

    def has_room_for(self, one: Registration) -> bool:
        """Return whether `one` may join. A schema that brings its own id is written by itself: any number may be one that was
        just given."""
        if one.done or self._closed or one.subject in self._subjects:
            return False
        return one.request.id < 0 or not self.planned

    def id_for(self, context: str, identity: Identity, visible: Callable[[str], bool]) -> int:
        """Return a new id, the same for the same schema. Raises 42205 when the context has none left, and names who has
        the last one if that is `visible`."""
        known = self._ids.get((context, identity))
        if known is not None:
            return known
        highest = max(self._max_ids.get(context, 0), self._catalog.max_id(context))
        if highest >= MAX_INT:
            holders = [key for key in self._catalog.holders(context, highest) if visible(key.subject)]
            raise no_ids_left(context, highest, holders)
        return highest + 1

    def is_referenced(self, key: SchemaKey) -> bool:
        """Return whether any schema, a soft-deleted or a planned one too, references `key`."""
        return key in self._referenced or bool(self._catalog.referrers(key, deleted=True))

    def check_references(self, subject: str, version: int, content: SchemaContent) -> None:
        """Raise 42201 unless everything that `content` references will be there once it is written."""
        for reference, key in zip(content.references, referenced_keys(subject, content), strict=True):
            if key == (subject, version):
                raise invalid_schema(f'The reference "{reference.name}" leads back to the schema itself')
            if key in self._removed or self._catalog.version(*key, deleted=True) is None:
                raise invalid_schema(
                    f'No schema reference found for subject "{reference.subject}" and version {reference.version}'
                )

    def add(self, one: Registration, stored: StoredSchema, records: Sequence[tuple[Key, Value | None]]) -> None:
        self.planned.append((one, stored))
        self.records += records
        self._subjects.add(stored.subject)
        context = context_of(stored.subject)
        self._ids[context, stored.content.identity] = stored.id
        self._max_ids[context] = max(self._max_ids.get(context, 0), stored.id)
        self._referenced.update(referenced_keys(stored.subject, stored.content))
        self._removed.update(key for key, value in records if value is None and isinstance(key, SchemaKey))
        self._closed = one.request.id >= 0
