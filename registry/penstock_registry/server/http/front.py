"""The front before the routes: the quick answers, paths under a context, encoded slashes, HEAD.

A plain ASGI callable, since it sees every request: middleware classes would double the cost of one.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, unquote_to_bytes, urlencode

import orjson

from penstock.access.principal import Role
from penstock.http.asgi import App, ClientDisconnect, Message, Receive, Replay, Scope, Send, header_values, send_answer
from penstock.http.origins import OriginRules
from penstock_registry.server.access.guard import Guard, asked_by
from penstock_registry.server.errors import RegistryError
from penstock_registry.server.http.answer_meter import AnswerMeter
from penstock_registry.server.http.endpoints import BY_ID, LOOKUP, REGISTER, VERSION, endpoint_of
from penstock_registry.server.http.media import DEFAULT_TYPE, answer_type
from penstock_registry.server.http.quick import QuickAnswers
from penstock_registry.server.registry import Registry
from penstock_registry.server.subjects import ANY_CONTEXT, Subject, normalize_context

if TYPE_CHECKING:
    from penstock_registry.server.leader.forwarding import Forwarder

__all__ = ["Front", "decode_segment"]

_DEFAULT_BYTES = DEFAULT_TYPE.encode()


class Front:
    """`guard` None lets everybody do everything; without a `forwarder` this registry is the only one. `app` passes on what others have to do."""

    def __init__(
        self,
        app: App,
        registry: Registry,
        guard: Guard | None = None,
        forwarder: Forwarder | None = None,
        max_request_size: int = 0,
        origins: OriginRules | None = None,
        meter: AnswerMeter | None = None,
    ) -> None:
        self._max_request_size = max_request_size
        self._app = app
        self._origins = origins or OriginRules(())
        self._guard = guard
        self._meter = meter or AnswerMeter()
        #: None leaves everything to the routes.
        self._quick: QuickAnswers | None = QuickAnswers(registry, forwarder)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        # A GET may come from any web page, so it need not wait for the check of where it comes from.
        if (
            scope["method"] == "GET"
            and self._quick is not None
            and await self._answered_quickly(self._quick, scope, send)
        ):
            return
        if (foreign := self._origins.problem(scope)) is not None:
            await _refuse(send, RegistryError(403, 403, foreign), ())
            self._meter.answered("", 403, self._meter.clock())
            return
        try:
            await self._answer(scope, receive, send)
        except ClientDisconnect:
            return  # nobody waits for an answer

    async def _answered_quickly(self, quick: QuickAnswers, scope: Scope, send: Send) -> bool:
        """Answer a GET if that can be done at once; return whether it was. As few calls as can be: clients ask this most."""
        began = self._meter.clock()
        media_type = answer_type(_header(scope, b"accept"))
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        if media_type is None or not self._is_open(scope, Role.READ):
            return False
        answer = quick.get(path, scope["query_string"])
        if answer is None:
            return False
        head = [(b"content-type", media_type.encode()), (b"content-length", b"%d" % len(answer))]
        await send({"type": "http.response.start", "status": 200, "headers": head})
        await send({"type": "http.response.body", "body": answer})
        self._meter.answered(_quick_endpoint("GET", path), 200, began)
        return True

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        began = self._meter.clock()
        media_type = answer_type(_header(scope, b"accept"))
        method: str = scope["method"]
        asked_query: bytes = scope["query_string"]
        path: bytes = scope.get("raw_path") or scope["path"].encode()
        quick = self._quick if media_type is not None and method == "POST" else None
        if quick is not None and quick.takes(path) and self._is_open(scope, _posting_role(path)):
            assert media_type is not None
            message = await receive()
            try:
                answer = await self._posted(quick, scope, path, message)
            except RegistryError as error:
                await _refuse(_Sender(scope, send, media_type), error, ())
                self._meter.answered(_quick_endpoint(method, path), error.http_status, began)
                return
            receive = Replay(message, receive)
            if answer is not None:
                await _send_json(send, 200, media_type, answer)
                self._meter.answered(_quick_endpoint(method, path), 200, began)
                return
        segments = _rewrite(scope, path)
        scope["registry.segments"] = segments
        scope["registry.target"] = path.partition(b"?")[0] + (b"?" + asked_query if asked_query else b"")
        scope["registry.media_type"] = media_type
        sender = _Sender(scope, send, media_type)
        if method == "HEAD":
            # A copy: the server looks into its own to know whether a body follows.
            scope = {**scope, "method": "GET"}
        try:
            if self._guard is not None:
                query = dict(parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True))
                asked_by(await self._guard.check(method, segments, query, _header(scope, b"authorization")))
            await self._app(scope, receive, sender)
        except RegistryError as error:
            await _refuse(sender, error, self._challenges if error.http_status == 401 else ())
        endpoint = endpoint_of(method, segments)
        if endpoint is not None:
            self._meter.answered(endpoint, sender.status, began)

    def _is_open(self, scope: Scope, role: Role) -> bool:
        """Return whether the caller may see everything, and do what the role allows with it: a quick answer asks no further."""
        return self._guard is None or self._guard.trusts(_header(scope, b"authorization"), role)

    @property
    def _challenges(self) -> Sequence[str]:
        return () if self._guard is None else self._guard.challenges

    async def _posted(self, quick: QuickAnswers, scope: Scope, path: bytes, message: Message) -> bytes | None:
        """Return the answer, or None to leave the request to the routes; nothing was done then."""
        body = message.get("body", b"")
        if message.get("more_body") or len(body) > self._max_request_size:
            return None
        asked = quick.read(path, scope["query_string"], _header(scope, b"content-type"), body)
        if asked is None:
            return None
        answer = quick.post(asked)
        if answer is None:
            answer = await asyncio.get_running_loop().run_in_executor(quick.threads, quick.post_waiting, asked)
        return answer

    def close(self) -> None:
        """Let go of the threads: no more requests will come."""
        if self._quick is not None:
            self._quick.close()


class _Sender:
    """Passes an answer on: in the media type that was asked for, and without its body for HEAD."""

    def __init__(self, scope: Scope, send: Send, media_type: str | None) -> None:
        #: The answer's status, once it is sent.
        self.status = 0
        self._send = send
        self._media_type = media_type.encode() if media_type and media_type != DEFAULT_TYPE else None
        self._drop_body = scope["method"] == "HEAD"

    async def __call__(self, message: Message) -> None:
        if message["type"] == "http.response.start":
            self.status = message["status"]
            if self._media_type is not None:
                message["headers"] = [
                    (name, self._media_type if value == _DEFAULT_BYTES else value) for name, value in message["headers"]
                ]
        elif message["type"] == "http.response.body" and self._drop_body:
            message["body"] = b""
        await self._send(message)


def _quick_endpoint(method: str, path: bytes) -> str:
    """Return the name of an endpoint that is answered quickly."""
    if method == "GET":
        return BY_ID if path.startswith(b"/schemas/") else VERSION
    return REGISTER if path.count(b"/") == 3 else LOOKUP


def _posting_role(path: bytes) -> Role:
    return Role.WRITE if path.endswith(b"/versions") else Role.READ


def _header(scope: Scope, wanted: bytes) -> str:
    return b", ".join(header_values(scope, wanted)).decode("latin-1")


def _encode_segment(segment: str) -> str:
    return segment.replace("%", "%25").replace("/", "%2F")


def decode_segment(segment: str) -> str:
    """Return a path parameter as the client meant it: a slash in a subject travels the routes as ``%2F``."""
    return segment.replace("%2F", "/").replace("%25", "%")


async def _send_json(send: Send, status: int, media_type: str, body: bytes) -> None:
    await send_answer(send, status, [(b"content-type", media_type.encode())], body)


async def _refuse(send: Send, error: RegistryError, challenges: Sequence[str]) -> None:
    body = orjson.dumps({"error_code": error.code, "message": error.message})
    headers = [(b"content-type", _DEFAULT_BYTES)]
    headers += [(b"www-authenticate", challenge.encode("latin-1", "replace")) for challenge in challenges]
    await send_answer(send, error.http_status, headers, body)


def _rewrite(scope: Scope, raw_path: bytes) -> list[str]:
    """Give the routes a path without a trailing slash or a context prefix, and with slashes only between segments;
    answers the segments."""
    encoded = raw_path.partition(b"?")[0].split(b"/")[1:]
    segments = [unquote_to_bytes(part).decode("utf-8", "replace") for part in encoded]
    if len(segments) > 1 and segments[-1] == "":
        segments.pop()
    if len(segments) > 2 and segments[0] == "contexts":
        segments = _in_context(scope, normalize_context(segments[1]), segments[2:])
    scope["path"] = "/" + "/".join(map(_encode_segment, segments))
    scope["raw_path"] = scope["path"].encode()
    return segments


def _in_context(scope: Scope, context: str, segments: list[str]) -> list[str]:
    """``/contexts/{context}/…`` means ``/…`` with every subject in that context (``ContextFilter``)."""
    whole = Subject(context, "")
    head = segments[0]
    if head in ("config", "mode"):
        return [head, whole.qualify(segments[1]) if len(segments) > 1 else whole.context_prefix, *segments[2:]]
    if head == "compatibility" and len(segments) > 2:
        return [*segments[:2], whole.qualify(segments[2]), *segments[3:]]
    if head == "subjects" and len(segments) > 1:
        return [head, whole.qualify(segments[1]), *segments[2:]]
    if head in ("subjects", "schemas"):
        parameter = "subject" if len(segments) > 1 else "subjectPrefix"
        query = parse_qsl(scope["query_string"].decode("latin-1"), keep_blank_values=True)
        given = next((value for name, value in query if name == parameter), "")
        if not given.startswith((":.", ANY_CONTEXT)):
            given = f"{whole.context_prefix}{given}"
        rest = [(name, value) for name, value in query if name != parameter]
        scope["query_string"] = urlencode([*rest, (parameter, given)]).encode()
    return segments
