"""Answers that bypass the routes, for what clients ask again and again: a schema by its id, a version of a subject,
lookups and registrations. They are made on the event loop where nothing has to be parsed or written.

Whatever is not plain is left to the routes, which give the same answers.
"""

from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final
from urllib.parse import parse_qsl, unquote_to_bytes

import orjson

from penstock_registry.server.content import StoredSchema
from penstock_registry.server.errors import RegistryError
from penstock_registry.server.http.answers import id_answer, lookup_answer, registered_answer, version_answer
from penstock_registry.server.http.media import body_problem
from penstock_registry.server.http.refusals import refusal
from penstock_registry.server.registry import LATEST, Found, Registry
from penstock_registry.server.requests import SchemaRequest
from penstock_registry.store import NotLeaderError

if TYPE_CHECKING:
    from penstock_registry.server.leader.forwarding import Forwarder

__all__ = ["QuickAnswers"]

_THREADS: Final = 64
_IDS: Final = b"/schemas/ids/"
_FLAGS: Final = {"true": True, "false": False}


@dataclass(frozen=True, slots=True)
class Asked:
    """A lookup of a schema or, if it `registers`, a registration."""

    registers: bool
    subject: str
    request: SchemaRequest
    flags: Mapping[str, bool]


class QuickAnswers:
    """Quick answers to callers who may see everything. Only `post_waiting` waits; None leaves a request to the routes."""

    def __init__(self, registry: Registry, forwarder: Forwarder | None) -> None:
        self._registry = registry
        self._forwarder = forwarder
        #: Apart from those of the routes, which writes that wait for the store would otherwise occupy.
        self.threads = ThreadPoolExecutor(_THREADS, "schema-registry-request")

    def get(self, path: bytes, query: bytes) -> bytes | None:
        """Return the body that answers a GET; None to leave it to the routes."""
        try:
            if path.startswith(_IDS):
                return self._answer_by_id(path[len(_IDS) :], query)
            parts = path.split(b"/")
            if len(parts) == 5 and parts[1] == b"subjects" and parts[3] == b"versions" and not query:
                return self._version(parts[2], parts[4])
        except RegistryError:
            pass  # refused by the routes, with their words
        return None

    @staticmethod
    def takes(path: bytes) -> bool:
        """Return whether a POST there is worth reading its body for."""
        return path.startswith(b"/subjects/") and (path.count(b"/") == 2 or path.endswith(b"/versions"))

    def read(self, path: bytes, query: bytes, content_type: str, body: bytes) -> Asked | None:
        """Return a lookup or a registration; None for anything that is not plain."""
        flags = _flags(query)
        parts = path.split(b"/")
        if flags is None or body_problem(content_type) is not None or not parts[2]:
            return None
        registers = len(parts) == 4
        if len(parts) > 4 or not flags.keys() <= ({"normalize"} if registers else {"normalize", "deleted"}):
            return None
        if registers and not self._writes_here:
            return None
        try:
            members = orjson.loads(body)
            if isinstance(members, dict):
                return Asked(registers, _text(parts[2]), SchemaRequest.from_json(members), flags)
        except (RegistryError, ValueError):
            pass  # refused by the routes, with their words
        return None

    def post(self, asked: Asked) -> bytes | None:
        """Return the answer if the schema was read before and is registered already, else None."""
        find = self._registry.known_registered if asked.registers else self._registry.known
        try:
            found = find(asked.subject, asked.request, **asked.flags)
        except RegistryError:
            return None
        return None if found is None else self._answer(asked, found)

    def post_waiting(self, asked: Asked) -> bytes | None:
        """Return the answer. Call it on a thread of `threads`: it may have to parse a schema or to wait for the store.

        Return None if another registry must answer, or may have written what is not found here. Raises `RegistryError`,
        whatever goes wrong.
        """
        try:
            act = self._registry.register if asked.registers else self._registry.lookup
            return self._answer(asked, act(asked.subject, asked.request, **asked.flags))
        except NotLeaderError:
            return None  # nothing was written: the routes' wrapper asks the next leader
        except Exception as error:
            unknown = isinstance(error, RegistryError) and error.http_status == 404
            if unknown and not self._writes_here:
                return None
            raise refusal(
                error, "POST", f"/subjects/{asked.subject}{'/versions' if asked.registers else ''}"
            ) from error

    def close(self) -> None:
        self.threads.shutdown(wait=False, cancel_futures=True)

    def _answer(self, asked: Asked, stored: StoredSchema) -> bytes:
        answer = registered_answer if asked.registers else lookup_answer
        return orjson.dumps(answer(self._registry, stored))

    @property
    def _writes_here(self) -> bool:
        return self._forwarder is None or self._forwarder.election.leads

    def _answer_by_id(self, number: bytes, query: bytes) -> bytes | None:
        if not number.isdigit() or len(number) > 9:
            return None
        if not query:
            return self._registry.prepared_by_id(int(number), self._prepare)
        # Java's client asks like this: ?fetchMaxId=false&subject=orders-value
        asked = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
        if not asked.keys() <= {"subject", "fetchMaxId"} or asked.get("fetchMaxId", "false") != "false":
            return None
        found = self._registry.by_id(int(number), asked.get("subject", ""))
        return None if found is None else orjson.dumps(id_answer(self._registry, found))

    def _prepare(self, found: Found) -> bytes:
        return orjson.dumps(id_answer(self._registry, found))

    def _version(self, subject: bytes, version: bytes) -> bytes | None:
        if version in (b"latest", b"-1"):
            number = LATEST
        elif version.isdigit() and len(version) <= 9 and int(version) > 0:
            number = int(version)
        else:
            return None
        return orjson.dumps(version_answer(self._registry, self._registry.version(_text(subject), number)))


def _flags(query: bytes) -> Mapping[str, bool] | None:
    """Return the members of a query whose values are true and false only; None for another one."""
    if not query:
        return {}
    asked = dict(parse_qsl(query.decode("latin-1"), keep_blank_values=True))
    if not all(value in _FLAGS for value in asked.values()):
        return None
    return {name: _FLAGS[value] for name, value in asked.items()}


def _text(segment: bytes) -> str:
    return (unquote_to_bytes(segment) if b"%" in segment else segment).decode("utf-8", "replace")
