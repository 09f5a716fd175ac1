"""What clients ask again and again, answered on the event loop: a schema by its id, a version of a subject, the place of
a schema that was read before, in a lookup or a registration that finds it there.

Whatever is not plain, would have to wait or would be refused is left to the routes, which give the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote_to_bytes

import orjson

from penstock_registry.server.content import StoredSchema
from penstock_registry.server.errors import RegistryError
from penstock_registry.server.http.media import body_problem
from penstock_registry.server.registry import LATEST, Registry
from penstock_registry.server.requests import SchemaRequest

if TYPE_CHECKING:
    from penstock_registry.server.leader.forwarding import Forwarder

__all__ = ["QuickAnswers", "lookup_answer", "registered_answer"]

_FLAGS: Final = {"true": True, "false": False}


class QuickAnswers:
    """For a registry that is open to everybody. Nothing here waits; each answers None where the routes have to."""

    def __init__(self, registry: Registry, forwarder: Forwarder | None) -> None:
        self._registry = registry
        self._forwarder = forwarder

    def get(self, path: bytes, query: bytes) -> bytes | None:
        """The body that answers a GET."""
        parts = path.split(b"/")
        try:
            if len(parts) == 4 and parts[1] == b"schemas" and parts[2] == b"ids":
                return self._by_id(parts[3], query)
            if len(parts) == 5 and parts[1] == b"subjects" and parts[3] == b"versions" and not query:
                return self._version(parts[2], parts[4])
        except RegistryError:
            pass  # refused by the routes, with their words
        return None

    @staticmethod
    def takes(path: bytes) -> bool:
        """Whether a POST there is worth reading its body for."""
        return path.startswith(b"/subjects/") and (path.count(b"/") == 2 or path.endswith(b"/versions"))

    def post(self, path: bytes, query: bytes, content_type: str, body: bytes) -> bytes | None:
        """The body that answers a lookup or a registration."""
        flags = _flags(query)
        parts = path.split(b"/")
        if flags is None or body_problem(content_type) is not None or not parts[2]:
            return None
        try:
            members = orjson.loads(body)
            if not isinstance(members, dict):
                return None
            request, subject = SchemaRequest.from_json(members), _text(parts[2])
            if len(parts) == 3 and flags.keys() <= {"normalize", "deleted"}:
                found = self._registry.known(subject, request, **flags)
                return None if found is None else orjson.dumps(lookup_answer(self._registry, found))
            if len(parts) == 4 and flags.keys() <= {"normalize"} and self._writes_here:
                found = self._registry.known_registered(subject, request, **flags)
                return None if found is None else orjson.dumps(registered_answer(self._registry, found))
        except (RegistryError, ValueError):
            pass  # as above
        return None

    @property
    def _writes_here(self) -> bool:
        return self._forwarder is None or self._forwarder.election.leads

    def _by_id(self, number: bytes, query: bytes) -> bytes | None:
        if not number.isdigit() or len(number) > 9:
            return None
        if not query:
            return self._registry.prepared_by_id(int(number))
        # As Java's client asks: ?fetchMaxId=false&subject=orders-value
        asked = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        if not asked.keys() <= {"subject", "fetchMaxId"} or asked.get("fetchMaxId", "false") != "false":
            return None
        found = self._registry.by_id(int(number), asked.get("subject", ""))
        return None if found is None else orjson.dumps(self._registry.answer_for_id(found))

    def _version(self, subject: bytes, version: bytes) -> bytes | None:
        if version in (b"latest", b"-1"):
            number = LATEST
        elif version.isdigit() and len(version) <= 9 and int(version) > 0:
            number = int(version)
        else:
            return None
        return orjson.dumps(self._registry.answer(self._registry.version(_text(subject), number)))


def lookup_answer(registry: Registry, stored: StoredSchema, form: str = "") -> dict[str, Any]:
    answer = registry.answer(stored, form)
    del answer["ts"], answer["deleted"]
    return answer


def registered_answer(registry: Registry, stored: StoredSchema, form: str = "") -> dict[str, Any]:
    answer = lookup_answer(registry, stored, form)
    del answer["subject"]
    return {"id": answer.pop("id"), **answer}


def _flags(query: bytes) -> Mapping[str, bool] | None:
    """The members of a query that has only true and false in it."""
    if not query:
        return {}
    asked = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    if not all(value in _FLAGS for value in asked.values()):
        return None
    return {name: _FLAGS[value] for name, value in asked.items()}


def _text(segment: bytes) -> str:
    return (unquote_to_bytes(segment) if b"%" in segment else segment).decode("utf-8", "replace")
