"""Answers that are made once and sent until something changes: what monitors ask for, every second, of every worker.

Plain ASGI in front of the routes. The herder's `revision` says whether anything the answers show has changed; it is
read before an answer is made, so that one made meanwhile is never sent as newer than it is.
"""

from __future__ import annotations

import asyncio
import re
from collections.abc import Hashable
from typing import Final, NamedTuple

from penstock.herder.interface import Herder
from penstock.http.asgi import App, Message, Receive, Scope, Send

__all__ = ["Prepared"]

#: What the configurations and statuses alone decide. Health also counts restarts, topics and offsets stand elsewhere.
_PATHS: Final = re.compile(r"/connectors(?:/[^/]+(?:/(?:config|status|tasks(?:/[0-9]+(?:/status)?)?))?)?")
#: Bytes of answers kept at one time; more, and all are made anew.
_MOST: Final = 16 * 1024 * 1024


class _Answer(NamedTuple):
    headers: list[tuple[bytes, bytes]]
    body: bytes


class Prepared:
    """All on the event loop's thread: no lock."""

    def __init__(self, app: App, herder: Herder) -> None:
        self._app, self._herder = app, herder
        self._revision: Hashable = None
        self._answers: dict[tuple[str, bytes], _Answer] = {}
        self._size = 0
        #: Those being made: whoever asks for the same waits for it.
        self._making: dict[tuple[str, bytes], asyncio.Event] = {}

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["method"] != "GET" or not self._settled(scope):
            await self._app(scope, receive, send)
            return
        key = scope["path"], scope["query_string"]
        while (answer := self._answers.get(key)) is None:
            if (made := self._making.get(key)) is None:
                await self._make(key, scope, receive, send)
                return
            await made.wait()
            if not self._settled(scope):
                await self._app(scope, receive, send)
                return
        await send({"type": "http.response.start", "status": 200, "headers": list(answer.headers)})
        await send({"type": "http.response.body", "body": answer.body})

    def _settled(self, scope: Scope) -> bool:
        """Whether this is one of those, and the herder says of what revision it would be; older answers are gone then."""
        if _PATHS.fullmatch(scope["path"]) is None or b"health" in scope["query_string"]:
            return False
        revision = self._herder.revision()
        if revision is None or revision != self._revision:
            self._revision = revision
            self._answers.clear()
            self._size = 0
        return revision is not None

    async def _make(self, key: tuple[str, bytes], scope: Scope, receive: Receive, send: Send) -> None:
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
            # Those who waited ask again: where this one failed, each makes its own.
            del self._making[key]
            made.set()

    def _keep(self, key: tuple[str, bytes], answer: _Answer) -> None:
        if self._size + len(answer.body) > _MOST:
            self._answers.clear()
            self._size = 0
        if len(answer.body) <= _MOST:
            self._answers[key] = answer
            self._size += len(answer.body)
