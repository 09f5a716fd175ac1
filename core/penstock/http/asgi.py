"""ASGI in our own words: the types, and helpers for plain ASGI callables that stand in front of the routes."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, MutableMapping
from typing import Any

from starlette.requests import ClientDisconnect

__all__ = [
    "App",
    "ClientDisconnect",
    "Message",
    "Receive",
    "Replay",
    "Scope",
    "Send",
    "header_values",
    "read_body",
    "send_answer",
    "without_body",
]

Scope = MutableMapping[str, Any]
Message = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]
App = Callable[[Scope, Receive, Send], Awaitable[None]]


def header_values(scope: Scope, name: bytes) -> list[bytes]:
    """Return every value that the request has for the header `name` (lower case), in the order sent."""
    return [value for found, value in scope["headers"] if found == name]


async def read_body(receive: Receive, limit: int, too_large: Callable[[int], Exception]) -> bytes:
    """Return the whole body of a request. Raises ``too_large(limit)`` if it has more than `limit` bytes, and
    `ClientDisconnect` if the client goes first: half a body must never be taken for a whole one.

    `penstock.http.server` refuses such a body before it comes here; another server may not.
    """
    body = bytearray()
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        body += message.get("body", b"")
        if len(body) > limit:
            raise too_large(limit)
        if not message.get("more_body"):
            return bytes(body)


class Replay:
    """A `Receive` that first gives `message`, which was received already, and then whatever `rest` gives."""

    def __init__(self, message: Message, rest: Receive) -> None:
        self._message = message
        self._rest = rest
        self._given = False

    @classmethod
    def of_body(cls, body: bytes, rest: Receive) -> Replay:
        """A replay of a whole body."""
        return cls({"type": "http.request", "body": body, "more_body": False}, rest)

    async def __call__(self) -> Message:
        if self._given:
            return await self._rest()
        self._given = True
        return self._message

    def anew(self) -> Replay:
        """Return a replay that begins at the start again."""
        return Replay(self._message, self._rest)


async def send_answer(send: Send, status: int, headers: Iterable[tuple[bytes, bytes]], body: bytes) -> None:
    """Send a whole answer; its length is added to `headers`."""
    head = [*headers, (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": status, "headers": head})
    await send({"type": "http.response.body", "body": body})


def without_body(send: Send) -> Send:
    """Return a `Send` that passes an answer on without its body, as HEAD wants it."""

    async def send_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            message = {**message, "body": b""}
        await send(message)

    return send_head
