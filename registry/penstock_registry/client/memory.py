"""``mock://NAME``: a registry in memory, shared by all who name it in this process (Confluent's MockSchemaRegistry)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Sequence

from penstock.api import SchemaReference
from penstock_registry.client.interface import RegisteredSchema, RegistryClient, RegistryRequestError
from penstock_registry.guid import content_guid

__all__ = ["MemoryClient", "drop_mock", "mock_client"]

_Key = tuple[str, str, tuple[SchemaReference, ...]]


class MemoryClient(RegistryClient):
    """Ids count from 1; one schema has one id under all subjects. No compatibility checks, no deletes.

    `normalize`, where given, turns (text, type, references' texts) into the normalized text; without it a request to
    normalize leaves the text as it is.
    """

    def __init__(self, normalizer: Callable[[str, str, dict[str, str]], str] | None = None) -> None:
        self._lock = threading.Lock()
        self._normalizer = normalizer
        self._ids: dict[_Key, int] = {}
        self._by_id: dict[int, _Key] = {}
        self._by_guid: dict[str, _Key] = {}
        self._subjects: dict[str, list[int]] = {}
        #: The number of requests by method: for tests of caches.
        self.requests: dict[str, int] = {}

    def register(
        self,
        subject: str,
        schema: str,
        schema_type: str = "AVRO",
        references: Sequence[SchemaReference] = (),
        normalize: bool = False,
    ) -> RegisteredSchema:
        key = self._key(schema, schema_type, references, normalize)
        with self._lock:
            self._count("register")
            id = self._ids.get(key)  # noqa: A001 - the registry's word
            if id is None:
                id = len(self._ids) + 1  # noqa: A001 - the registry's word
                self._ids[key] = id
                self._by_id[id] = key
                self._by_guid.setdefault(_guid(key), key)
            versions = self._subjects.setdefault(subject, [])
            if id not in versions:
                versions.append(id)
            return self._registered(subject, versions.index(id) + 1)

    def lookup(
        self,
        subject: str,
        schema: str,
        schema_type: str = "AVRO",
        references: Sequence[SchemaReference] = (),
        normalize: bool = False,
        deleted: bool = False,
    ) -> RegisteredSchema:
        key = self._key(schema, schema_type, references, normalize)
        with self._lock:
            self._count("lookup")
            id = self._ids.get(key)  # noqa: A001 - the registry's word
            versions = self._subjects.get(subject)
            if not versions:
                raise RegistryRequestError("Subject Not Found", 40401)
            if id is None or id not in versions:
                raise RegistryRequestError("Schema Not Found", 40403)
            return self._registered(subject, versions.index(id) + 1)

    def schema_by_id(self, id: int, subject: str | None = None) -> RegisteredSchema:  # noqa: A002 - the registry's word
        with self._lock:
            self._count("schema_by_id")
            key = self._by_id.get(id)
            if key is None:
                # what the JVM's mock answers, whatever the subject
                raise RegistryRequestError("Subject Not Found", 40401)
            return RegisteredSchema(id, *key, guid=_guid(key))

    def schema_by_guid(self, guid: str) -> RegisteredSchema:
        with self._lock:
            self._count("schema_by_guid")
            key = self._by_guid.get(guid)
            if key is None:
                raise RegistryRequestError(f"Schema {guid} not found", 40403)
            return RegisteredSchema(-1, *key, guid=guid)

    def latest(self, subject: str) -> RegisteredSchema:
        with self._lock:
            self._count("latest")
            versions = self._subjects.get(subject)
            if not versions:
                raise RegistryRequestError("Subject Not Found", 40401)
            return self._registered(subject, len(versions))

    def version(self, subject: str, version: int) -> RegisteredSchema:
        with self._lock:
            self._count("version")
            versions = self._subjects.get(subject)
            if not versions:
                raise RegistryRequestError("Subject Not Found", 40401)
            if not 1 <= version <= len(versions):
                raise RegistryRequestError("Version Not Found", 40402)
            return self._registered(subject, version)

    def all(self) -> list[RegisteredSchema]:
        """Return all registered schemas, by subject in order of their first registration, then version."""
        with self._lock:
            return [self._registered(s, v + 1) for s, ids in self._subjects.items() for v in range(len(ids))]

    def _registered(self, subject: str, version: int) -> RegisteredSchema:
        id = self._subjects[subject][version - 1]  # noqa: A001 - the registry's word
        key = self._by_id[id]
        return RegisteredSchema(id, *key, subject, version, _guid(key))

    def _key(self, schema: str, schema_type: str, references: Sequence[SchemaReference], normalize: bool) -> _Key:
        if normalize and self._normalizer is not None:
            schema = self._normalizer(schema, schema_type, self.resolve(references))
        return schema, schema_type, tuple(references)

    def _count(self, method: str) -> None:
        self.requests[method] = self.requests.get(method, 0) + 1


def _guid(key: _Key) -> str:
    text, _, references = key
    return content_guid(text, references)


_mocks: dict[str, MemoryClient] = {}
_mocks_lock = threading.Lock()


def mock_client(name: str, normalizer: Callable[[str, str, dict[str, str]], str] | None = None) -> MemoryClient:
    """Return the registry of ``mock://name``, made if need be."""
    with _mocks_lock:
        if name not in _mocks:
            _mocks[name] = MemoryClient(normalizer)
        return _mocks[name]


def drop_mock(name: str) -> None:
    """Forget ``mock://name``; the next who asks gets an empty one."""
    with _mocks_lock:
        _mocks.pop(name, None)
