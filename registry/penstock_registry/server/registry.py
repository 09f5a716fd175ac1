"""The registry itself: its parts put together.

The HTTP API and the in-process client are both thin skins over views of a `Registry`. Thread-safe: changes are made under
one writer lock, questions are answered from the catalog as it is at that moment.
"""

from __future__ import annotations

import threading
from collections.abc import Callable
from dataclasses import dataclass

from penstock.access.principal import Principal
from penstock_registry.server.catalog import Catalog
from penstock_registry.server.deleting import Deleting
from penstock_registry.server.formats import Formats
from penstock_registry.server.id_view import Found
from penstock_registry.server.levels import CompatibilityLevel
from penstock_registry.server.log import CheckedLog
from penstock_registry.server.reading import SchemaReader
from penstock_registry.server.registering import Registering
from penstock_registry.server.settings import Settings
from penstock_registry.server.sight import Sight
from penstock_registry.server.subjects import DEFAULT_CONTEXT
from penstock_registry.server.view import LATEST, Rooms, View
from penstock_registry.store import RegistryStore

__all__ = ["LATEST", "Found", "Registry", "RegistryOptions"]


@dataclass(frozen=True, slots=True)
class RegistryOptions:
    """The settings of a registry's rules."""

    compatibility: CompatibilityLevel = CompatibilityLevel.BACKWARD
    mode_mutability: bool = True
    #: Bytes of a schema's text, and how deep its brackets may be nested.
    max_schema_size: int = 1024 * 1024
    max_schema_nesting: int = 200
    #: The highest id that an import may bring: above it there must be some left for schemas that are registered.
    max_import_id: int = 2_000_000_000


class Registry(View):
    """A registry over `store`, and the view of somebody who may do everything."""

    def __init__(self, store: RegistryStore, formats: Formats, options: RegistryOptions | None = None) -> None:
        options = options or RegistryOptions()
        self._store = store
        catalog, log, writer = Catalog(), CheckedLog(store), threading.RLock()
        reader = SchemaReader(formats, catalog, options.max_schema_size, options.max_schema_nesting)
        settings = Settings(
            catalog, log, writer, default_level=options.compatibility, mode_mutability=options.mode_mutability
        )
        registering = Registering(catalog, log, writer, reader, settings, options.max_import_id)
        super().__init__(
            Rooms(catalog, formats, settings, reader, registering, Deleting(catalog, log, writer, settings)), Sight()
        )

    def start(self) -> None:
        """Read the store to its end."""
        self._store.start(self.catalog.apply)

    def close(self) -> None:
        self._store.close()

    def problem(self) -> str | None:
        """Return why changes cannot be made now; None if they can."""
        return self._store.problem()

    def seen_by(self, caller: Principal | None) -> View:
        """Return the registry as `caller` sees it; all of it for None."""
        return self if caller is None else View(self._rooms, Sight(caller))

    def prepared_by_id(self, schema_id: int, prepare: Callable[[Found], bytes]) -> bytes | None:
        """Return the finished answer for an id without further wishes, which `prepare` makes once for as long as it
        holds; None if nobody knows the id."""
        known = self.catalog.prepared(DEFAULT_CONTEXT, schema_id)
        if known is not None:
            return known
        for context in self._contexts_for(""):
            with self.catalog.lock:
                known = self.catalog.prepared(context, schema_id)
                entry = self.catalog.entry(context, schema_id) if known is None else None
                if entry is not None:
                    known = prepare(Found(entry.content, self._place(entry, ""), context, schema_id))
                    self.catalog.prepare(context, schema_id, known)
                if known is not None:
                    return known
        return None
