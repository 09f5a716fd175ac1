"""What happens to a request before it meets a route: plain ASGI, so that it costs next to nothing.

Paths are matched as they were sent, still percent-encoded, so that a connector's name may hold any character, ``/``
and ``%`` included; `decoded` gives a handler the name. A slash at the end makes no difference. HEAD is GET without the
body. A body that is not said to be JSON is refused.
"""

from __future__ import annotations

from collections.abc import MutableMapping
from typing import Any, Final
from urllib.parse import unquote

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from penstock.rest.errors import http_error

__all__ = ["HEAD", "RawPaths", "decoded"]

#: The scope's key that tells a handler that GET was made of HEAD.
HEAD: Final = "penstock.head"
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})


def decoded(segment: str) -> str:
    """One segment of a path, percent-encoding undone once; ``+`` is itself there."""
    return unquote(segment)


class RawPaths:
    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        path = raw.partition(b"?")[0].decode("latin-1")
        scope = {**scope, "path": path.rstrip("/") or "/"}
        if scope["method"] in _WITH_BODY and not _is_json(scope):
            await http_error(415)(scope, receive, send)
        elif scope["method"] == "HEAD":
            await self._app({**scope, "method": "GET", HEAD: True}, receive, _without_body(send))
        else:
            await self._app(scope, receive, send)


def _is_json(scope: Scope) -> bool:
    """True also where there is no body to be read."""
    headers = dict(scope["headers"])
    kind = headers.get(b"content-type")
    if kind is None or (headers.get(b"content-length", b"0") == b"0" and b"transfer-encoding" not in headers):
        return True
    return bool(kind.partition(b";")[0].strip().lower() in (b"application/json", b"*/*"))


def _without_body(send: Send) -> Send:
    async def only_head(message: Message) -> None:
        if message["type"] == "http.response.body":
            shortened: MutableMapping[str, Any] = {**message, "body": b""}
            await send(shortened)
        else:
            await send(message)

    return only_head
