"""A client of a registry in the same process: no HTTP, the same answers and refusals."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar
from urllib.parse import quote

import orjson

from penstock.api import SchemaReference
from penstock.errors import RetriableError
from penstock_registry.client.interface import RegisteredSchema, RegistryClient, RegistryRequestError
from penstock_registry.server.content import StoredSchema
from penstock_registry.server.errors import RegistryError, forwarding_failed, schema_not_found
from penstock_registry.server.http.media import DEFAULT_TYPE
from penstock_registry.server.registry import LATEST, Registry
from penstock_registry.server.requests import ReferenceRequest, SchemaRequest

if TYPE_CHECKING:
    from penstock_registry.server.leader.forwarding import Forwarder

__all__ = ["DirectClient"]

T = TypeVar("T")


class DirectClient(RegistryClient):
    """The client behind ``local://NAME``. Safe from any thread."""

    def __init__(self, registry: Registry, forwarder: Forwarder | None = None) -> None:
        """`forwarder` where several registries share a store: what is to be registered may be another's to write."""
        self._registry = registry
        self._forwarder = forwarder

    def register(
        self,
        subject: str,
        schema: str,
        schema_type: str = "AVRO",
        references: Sequence[SchemaReference] = (),
        normalize: bool = False,
    ) -> RegisteredSchema:
        request = _request(schema, schema_type, references)
        forwarder = self._forwarder
        if forwarder is not None and not forwarder.election.leads:
            made = _ask(lambda: _forward(forwarder, subject, request, normalize))
            if made is not None:
                return made
        return _ask(lambda: _registered(self._registry.register(subject, request, normalize)))

    def lookup(
        self,
        subject: str,
        schema: str,
        schema_type: str = "AVRO",
        references: Sequence[SchemaReference] = (),
        normalize: bool = False,
        deleted: bool = False,
    ) -> RegisteredSchema:
        request = _request(schema, schema_type, references)
        return _ask(lambda: _registered(self._registry.lookup(subject, request, normalize, deleted)))

    def schema_by_id(self, id: int, subject: str | None = None) -> RegisteredSchema:  # noqa: A002 - the registry's word
        def find() -> RegisteredSchema:
            found = self._registry.by_id(id, subject or "")
            if found is None:
                raise schema_not_found(id)
            content, place = found.content, found.stored
            return RegisteredSchema(
                id,
                content.text,
                content.schema_type,
                content.references,
                None if place is None else place.subject,
                None if place is None else place.version,
                content.guid,
            )

        return _ask(find)

    def schema_by_guid(self, guid: str) -> RegisteredSchema:
        def find() -> RegisteredSchema:
            found = self._registry.by_guid(guid)
            if found is None:
                raise schema_not_found(guid)
            content = found.content
            return RegisteredSchema(-1, content.text, content.schema_type, content.references, guid=guid)

        return _ask(find)

    def latest(self, subject: str) -> RegisteredSchema:
        return self.version(subject, LATEST)

    def version(self, subject: str, version: int) -> RegisteredSchema:
        # A reference may be to a version that was soft-deleted since: it still has to be read.
        return _ask(lambda: _registered(self._registry.version(subject, version, deleted=version != LATEST)))


def _request(schema: str, schema_type: str, references: Sequence[SchemaReference]) -> SchemaRequest:
    asked = tuple(ReferenceRequest(*reference) for reference in references)
    return SchemaRequest(schema, schema_type, asked)


def _forward(forwarder: Forwarder, subject: str, request: SchemaRequest, normalize: bool) -> RegisteredSchema | None:
    """Return what the leader answers; None if this registry leads after all."""
    references = [reference.to_json() for reference in request.references]
    body = {"schema": request.text, "schemaType": request.schema_type, "references": references}
    target = f"/subjects/{quote(subject, safe='')}/versions?normalize={str(normalize).lower()}"
    reply = forwarder.forward("POST", target, [("Content-Type", DEFAULT_TYPE)], orjson.dumps(body))
    if reply is None:
        return None
    try:
        answer = orjson.loads(reply.body)
        if reply.status >= 300:
            raise RegistryError(answer["error_code"], reply.status, answer["message"])
        known = tuple(SchemaReference(r["name"], r["subject"], r["version"]) for r in answer.get("references") or ())
        return RegisteredSchema(
            answer["id"], answer["schema"], answer["schemaType"], known, subject, answer["version"], answer.get("guid")
        )
    except (ValueError, KeyError, TypeError) as error:
        raise forwarding_failed("of the group", f"an answer that is none of a registry ({error})") from error


def _registered(stored: StoredSchema) -> RegisteredSchema:
    content = stored.content
    return RegisteredSchema(
        stored.id,
        content.text,
        content.schema_type,
        content.references,
        stored.subject,
        stored.version,
        content.guid,
    )


def _ask(ask: Callable[[], T]) -> T:
    try:
        return ask()
    except RegistryError as error:
        if error.http_status >= 500:
            raise RetriableError(error.message) from error
        raise RegistryRequestError(error.message, error.code) from error
