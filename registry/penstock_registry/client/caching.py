"""A registry client that remembers what never changes, and asks once however many threads want the same."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Sequence
from typing import Any, TypeVar

from penstock.api import SchemaReference
from penstock_registry.client.interface import RegisteredSchema, RegistryClient

__all__ = ["CachingClient", "SingleFlightCache"]

T = TypeVar("T")


class _Pending:
    __slots__ = ("done", "error", "value")

    def __init__(self) -> None:
        self.done = threading.Event()
        self.value: Any = None
        self.error: BaseException | None = None


class SingleFlightCache:
    """A bounded cache, least recently used out first. While one thread loads a key, others wait for its result.

    A failed load is told to all who waited and is not remembered.
    """

    def __init__(self, capacity: int) -> None:
        self._capacity = max(1, capacity)
        self._entries: OrderedDict[Hashable, Any] = OrderedDict()
        self._pending: dict[Hashable, _Pending] = {}
        self._lock = threading.Lock()

    def get(self, key: Hashable, load: Callable[[], T]) -> T:
        with self._lock:
            if key in self._entries:
                self._entries.move_to_end(key)
                return self._entries[key]  # type: ignore[no-any-return]  # whatever was put under this key
            pending = self._pending.get(key)
            mine = pending is None
            if pending is None:
                pending = self._pending[key] = _Pending()
        if not mine:
            pending.done.wait()
            if pending.error is not None:
                raise pending.error
            return pending.value  # type: ignore[no-any-return]  # what the loading thread got for this key
        try:
            value = load()
        except BaseException as error:
            pending.error = error
            raise
        else:
            pending.value = value
            with self._lock:
                self._entries[key] = value
                while len(self._entries) > self._capacity:
                    self._entries.popitem(last=False)
            return value
        finally:
            with self._lock:
                self._pending.pop(key, None)
            pending.done.set()

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)


class CachingClient(RegistryClient):
    """Caches registrations, lookups, ids, GUIDs and versions of another client; `latest` is always asked anew."""

    def __init__(self, inner: RegistryClient, capacity: int = 1000) -> None:
        self.inner = inner
        self._cache = SingleFlightCache(capacity)

    def register(
        self,
        subject: str,
        schema: str,
        schema_type: str = "AVRO",
        references: Sequence[SchemaReference] = (),
        normalize: bool = False,
    ) -> RegisteredSchema:
        refs = tuple(references)
        return self._cache.get(
            ("register", subject, schema, schema_type, refs, normalize),
            lambda: self.inner.register(subject, schema, schema_type, refs, normalize),
        )

    def lookup(
        self,
        subject: str,
        schema: str,
        schema_type: str = "AVRO",
        references: Sequence[SchemaReference] = (),
        normalize: bool = False,
        deleted: bool = False,
    ) -> RegisteredSchema:
        refs = tuple(references)
        return self._cache.get(
            ("lookup", subject, schema, schema_type, refs, normalize, deleted),
            lambda: self.inner.lookup(subject, schema, schema_type, refs, normalize, deleted),
        )

    def schema_by_id(self, id: int, subject: str | None = None) -> RegisteredSchema:  # noqa: A002 - the registry's word
        return self._cache.get(("id", id, subject), lambda: self.inner.schema_by_id(id, subject))

    def schema_by_guid(self, guid: str) -> RegisteredSchema:
        return self._cache.get(("guid", guid), lambda: self.inner.schema_by_guid(guid))

    def latest(self, subject: str) -> RegisteredSchema:
        return self.inner.latest(subject)

    def version(self, subject: str, version: int) -> RegisteredSchema:
        return self._cache.get(("version", subject, version), lambda: self.inner.version(subject, version))

    def close(self) -> None:
        self.inner.close()
