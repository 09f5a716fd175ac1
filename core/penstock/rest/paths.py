"""Checks of a request before it meets a route: plain ASGI, so that they cost next to nothing.

Paths are matched as they were sent, still percent-encoded, so that a connector's name may hold any character, ``/``
and ``%`` included; `decoded` gives a handler the name. A slash at the end makes no difference. HEAD is GET without the
body. A change that another site's web page makes, and media types that do not serve, are noted in the scope: a route
refuses them, after the sender was let through and it is known that there is such a path and method.
"""

from __future__ import annotations

from typing import Final
from urllib.parse import unquote

from penstock.http.asgi import App, Receive, Scope, Send, header_values, without_body
from penstock.http.media import best_type, media_type
from penstock.http.origins import OriginRules
from penstock.rest.errors import PROBLEM, RestError

__all__ = ["HEAD", "RawPaths", "decoded"]

#: The scope's key that tells a handler that GET was made of HEAD.
HEAD: Final = "penstock.head"
_WITH_BODY: Final = frozenset({"POST", "PUT", "PATCH"})
_JSON: Final = "application/json"
_READ: Final = frozenset({_JSON, "*/*"})


def decoded(segment: str) -> str:
    """Return one segment of a path, its percent-encoding undone once; ``+`` is itself there."""
    return unquote(segment)


class RawPaths:
    def __init__(self, app: App, origins: OriginRules) -> None:
        self._app = app
        self._origins = origins

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        foreign = self._origins.problem(scope)
        problem = _media_problem(scope) if foreign is None else RestError(403, foreign)
        raw: bytes = scope.get("raw_path") or scope["path"].encode()
        path = raw.partition(b"?")[0].decode("latin-1")
        scope = {**scope, "path": path.rstrip("/") or "/", PROBLEM: problem}
        if scope["method"] == "HEAD":
            await self._app({**scope, "method": "GET", HEAD: True}, receive, without_body(send))
        else:
            await self._app(scope, receive, send)


def _media_problem(scope: Scope) -> RestError | None:
    """Return the refusal of a body that is not said to be JSON, or of an answer that may not be; None if all is well."""
    if scope["method"] in _WITH_BODY and _has_body(scope):
        kinds = header_values(scope, b"content-type")
        kind = media_type(kinds[0].decode("latin-1")) if kinds else ""
        if len(kinds) > 1:
            return _unsupported("HTTP 415 Unsupported Media Type: the request has more than one Content-Type header")
        if not kind:
            return _unsupported(
                f"HTTP 415 Unsupported Media Type: the request has a body, but no Content-Type header; send Content-Type: {_JSON}"
            )
        if kind not in _READ:
            return _unsupported(None)
    accepts = header_values(scope, b"accept")
    if accepts and best_type(b",".join(accepts).decode("latin-1"), (_JSON, *_answered(scope))) is None:
        return RestError(406)
    return None


def _answered(scope: Scope) -> tuple[str, ...]:
    """Return the media types that the path is answered in, besides JSON."""
    return ("text/plain",) if scope["path"].rstrip("/") == "/metrics" else ()


def _unsupported(message: str | None) -> RestError:
    return RestError(415, message, {"Accept": _JSON})


def _has_body(scope: Scope) -> bool:
    length = header_values(scope, b"content-length")
    return bool(header_values(scope, b"transfer-encoding")) or (bool(length) and length[0].strip(b"0") != b"")
