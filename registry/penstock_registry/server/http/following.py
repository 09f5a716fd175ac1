"""Between the front and the routes where several registries share a store: changes go to the leader, and what this
registry has not heard of yet it reads up on before it says that there is no such thing."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, Any, Final

import orjson

from penstock.http.asgi import App, Message, Receive, Replay, Scope, Send, read_body
from penstock_registry.server.access.rules import is_change
from penstock_registry.server.errors import body_too_large

if TYPE_CHECKING:
    from penstock_registry.server.leader.forwarding import Forwarder, Reply

__all__ = ["OUTCOME", "Following"]

#: A dict in the scope; whoever answers that this registry may not write puts ``not_leader`` into it.
OUTCOME: Final = "registry.outcome"
_UNKNOWN: Final = frozenset({40401, 40402, 40403, 40408, 40409})


class Following:
    """An ASGI application around the routes. The scope has `method`, ``registry.segments`` (the path's, without a
    context prefix) and ``registry.target`` (path and query as they were sent)."""

    def __init__(self, app: App, forwarder: Forwarder, max_request_size: int) -> None:
        self._app = app
        self._forwarder = forwarder
        self._max_request_size = max_request_size
        self._reading_up = asyncio.Lock()
        self._rounds = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if is_change(scope["method"], scope["registry.segments"]):
            await self._change(scope, await read_body(receive, self._max_request_size, body_too_large), receive, send)
        elif self._forwarder.election.leads:
            await self._app(scope, receive, send)
        else:
            await self._ask(scope, receive, send)

    # --- changes

    async def _change(self, scope: Scope, body: bytes, receive: Receive, send: Send) -> None:
        """By the leader, or here; and again elsewhere if the lead was lost before anything was written."""
        forwarder = self._forwarder
        deadline = forwarder.deadline()
        while True:
            if not forwarder.election.leads:
                reply = await self._forwarded(scope, body, deadline)
                if reply is not None:
                    await _pass_on(send, reply)
                    return
            outcome: dict[str, Any] = {}
            held = _Held(send, lambda status: status >= 500)
            await self._app({**scope, OUTCOME: outcome}, Replay.of_body(body, receive), held)
            if not outcome.get("not_leader") or forwarder.is_over(deadline):
                await held.release()
                return

    async def _forwarded(self, scope: Scope, body: bytes, deadline: float) -> Reply | None:
        headers = [(name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]]
        loop = asyncio.get_running_loop()
        forwarder, target = self._forwarder, scope["registry.target"].decode("latin-1")
        return await loop.run_in_executor(
            forwarder.threads, forwarder.forward, scope["method"], target, headers, body, deadline
        )

    # --- reads

    async def _ask(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, and read the log before a 404: another registry may have registered a moment ago what is not found here."""
        if scope["method"] == "POST":
            receive = Replay.of_body(await read_body(receive, self._max_request_size, body_too_large), receive)
        held = _Held(send, lambda status: status == 404)
        await self._app(dict(scope), receive, held)
        if held.code not in _UNKNOWN:
            await held.release()
            return
        await self._read_up()
        await self._app(scope, receive.anew() if isinstance(receive, Replay) else receive, send)

    async def _read_up(self) -> None:
        """Wait for a reading of the log that began after this call; all who wait share one."""
        wanted = self._rounds + 1
        async with self._reading_up:
            if self._rounds < wanted:
                self._rounds += 1
                loop = asyncio.get_running_loop()
                await loop.run_in_executor(self._forwarder.threads, self._forwarder.catch_up)


class _Held:
    """Passes an answer on, unless its status is one to `hold`: that is kept for `release`."""

    def __init__(self, send: Send, hold: Callable[[int], bool]) -> None:
        self._send = send
        self._hold = hold
        self._kept: list[Message] = []

    async def __call__(self, message: Message) -> None:
        if self._kept or (message["type"] == "http.response.start" and self._hold(message["status"])):
            self._kept.append(message)
        else:
            await self._send(message)

    @property
    def code(self) -> int | None:
        """Return the ``error_code`` of the kept answer, if any."""
        body = b"".join(message.get("body", b"") for message in self._kept)
        try:
            answer = orjson.loads(body) if body else None
        except ValueError:
            return None
        return answer.get("error_code") if isinstance(answer, dict) else None

    async def release(self) -> None:
        for message in self._kept:
            await self._send(message)


async def _pass_on(send: Send, reply: Reply) -> None:
    headers: Sequence[tuple[bytes, bytes]] = [
        *((name.lower().encode("latin-1"), value.encode("latin-1")) for name, value in reply.headers),
        (b"content-length", str(len(reply.body)).encode()),
    ]
    await send({"type": "http.response.start", "status": reply.status, "headers": headers})
    await send({"type": "http.response.body", "body": reply.body})
