"""Requests that another worker has to answer are sent on to it as they came (``HerderRequestHandler``).

The query parameter ``forward`` says how often that has happened: none yet, ``true`` after once, ``false`` after twice, and
then no more: the group is still deciding who is who.
"""

from __future__ import annotations

import asyncio
from typing import Final
from urllib.parse import parse_qsl, urlencode

from starlette.requests import Request
from starlette.responses import Response

from penstock.errors import ConflictError
from penstock.herder.forwarding import WorkerAnswer, WorkerClient
from penstock.herder.interface import RequestTargetError
from penstock.rest.links import base_url

__all__ = ["forward"]

_REBALANCE: Final = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)"
_NO_LEADER: Final = (
    "Cannot complete request momentarily due to no known leader URL, likely because a rebalance was underway."
)
#: Headers that belong to one connection, and those the client sets itself.
_NOT_PASSED_ON: Final = frozenset(
    {"host", "content-length", "connection", "keep-alive", "transfer-encoding", "te", "trailer", "upgrade", "expect"}
)
_RETURNED: Final = ("content-type", "location", "retry-after", "www-authenticate", "allow", "warning")


async def forward(request: Request, error: RequestTargetError, client: WorkerClient) -> Response:
    """The other worker's answer. Raises `ConflictError` where it makes no sense to ask."""
    query = parse_qsl(request.scope["query_string"].decode("latin-1"), keep_blank_values=True)
    before = next((value for name, value in query if name == "forward"), None)
    if before is not None and before.lower() != "true":
        raise ConflictError(_REBALANCE, retry_after=1) from error
    if not error.forward_url:
        raise ConflictError(_NO_LEADER, retry_after=1) from error
    kept = [(name, value) for name, value in query if name != "forward"]
    raw: bytes = request.scope.get("raw_path") or request.scope["path"].encode()
    target = raw.partition(b"?")[0].decode("latin-1")
    target += "?" + urlencode([*kept, ("forward", "true" if before is None else "false")])
    headers = {name: value for name, value in request.headers.items() if name not in _NOT_PASSED_ON}
    body = await request.body()
    answer = await asyncio.to_thread(client.request, request.method, error.forward_url, target, body or None, headers)
    return _returned(request, error.forward_url, answer)


def _returned(request: Request, base: str, answer: WorkerAnswer) -> Response:
    headers = {name: answer.headers[name] for name in _RETURNED if name in answer.headers}
    if "location" in headers:  # the client goes on talking to the worker it asked
        headers["location"] = headers["location"].replace(base.rstrip("/"), base_url(request), 1)
    return Response(answer.body, answer.status, headers)
