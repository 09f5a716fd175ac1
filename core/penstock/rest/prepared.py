"""Answers that are made once and sent until something changes: what monitors ask for, every second, of every worker.

Plain ASGI in front of the routes. The herder's `revision` says whether anything the answers show has changed; it is
read before an answer is made, so that one made meanwhile is never sent as newer than it is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Hashable
from typing import Final, NamedTuple
from urllib.parse import parse_qsl

from penstock.access.principal import Principal
from penstock.herder.interface import Herder
from penstock.http.asgi import App, Message, Receive, Scope, Send
from penstock.rest.access import CALLER
from penstock.rest.errors import PROBLEM

__all__ = ["Prepared"]

#: Answers that the configurations and statuses alone decide. Health also counts restarts; topics and offsets stand elsewhere.
_PATHS: Final = re.compile(r"/connectors(?:/[^/]+(?:/(?:config|status|tasks(?:/[0-9]+(?:/status)?)?))?)?")
_EXPANSIONS: Final = frozenset({"info", "status", "health"})
#: Bytes of answers and their keys that are kept at one time; beyond them all are made anew.
_MAX_BYTES: Final = 16 * 1024 * 1024
#: Bytes that an entry costs beside its key and body: the objects that it is made of, its headers.
_ENTRY_BYTES: Final = 1024

#: A path, and what of the query counts for its answer.
_Key = tuple[str, frozenset[str]]


class _Answer(NamedTuple):
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Prepared:
    """All on the event loop's thread: no lock."""

    def __init__(self, app: App, herder: Herder) -> None:
        self._app, self._herder = app, herder
        self._revision: Hashable = None
        self._answers: dict[_Key, _Answer] = {}
        self._size = 0
        #: Answers in the making: a request for the same answer waits for it.
        self._making: dict[_Key, asyncio.Event] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or scope.get(PROBLEM) is not None or _sees_a_part(scope):
            await self._app(scope, receive, send)
            return
        key = _key(scope)
        if key is None or not self._settled():
            await self._app(scope, receive, send)
            return
        while (answer := self._answers.get(key)) is None:
            if (made := self._making.get(key)) is None:
                await self._make(key, scope, receive, send)
                return
            await made.wait()
            if not self._settled():
                await self._app(scope, receive, send)
                return
        await send({"type": "http.response.start", "status": 200, "headers": list(answer.headers)})
        await send({"type": "http.response.body", "body": answer.body})

    def _settled(self) -> bool:
        """Return whether the herder says which revision an answer would show; answers that show another are gone then."""
        revision = self._herder.revision()
        if revision is None or revision != self._revision:
            self._revision = revision
            self._answers.clear()
            self._size = 0
        return revision is not None

    async def _make(self, key: _Key, scope: Scope, receive: Receive, send: Send) -> None:
        revision, made = self._revision, asyncio.Event()
        self._making[key] = made
        start: Message = {}
        chunks: list[bytes] = []

        async def keep(message: Message) -> None:
            nonlocal start
            if message["type"] == "http.response.start":
                start = {**message, "headers": list(message["headers"])}  # what is wrapped around adds to the list
            elif message["type"] == "http.response.body":
                chunks.append(message.get("body", b""))
            await send(message)

        try:
            await self._app(scope, receive, keep)
            if start.get("status") == 200 and revision == self._revision:
                self._keep(key, _Answer(start["headers"], b"".join(chunks)))
        finally:
            # The requests that waited ask again: if this one failed, each makes its own answer.
            del self._making[key]
            made.set()

    def _keep(self, key: _Key, answer: _Answer) -> None:
        size = _ENTRY_BYTES + len(key[0]) + len(answer.body)
        if self._size + size > _MAX_BYTES:
            self._answers.clear()
            self._size = 0
        if size <= _MAX_BYTES:
            self._answers[key] = answer
            self._size += size


def _sees_a_part(scope: Scope) -> bool:
    """Return whether the answer is for somebody who does not see everything."""
    caller: Principal | None = scope.get(CALLER)
    return caller is not None and not caller.reads_everything


def _key(scope: Scope) -> _Key | None:
    """Return the key of a request's answer, None if it is not prepared. Nobody fills the memory with queries that mean
    nothing: they are left out of the key, or their answer is made each time where no query means anything."""
    path: str = scope["path"]
    if _PATHS.fullmatch(path) is None:
        return None
    if path != "/connectors":
        return None if scope["query_string"] else (path, frozenset())
    query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
    expand = frozenset(value if value in _EXPANSIONS else "" for name, value in query if name == "expand")
    return None if "health" in expand else (path, expand)
