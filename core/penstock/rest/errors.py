"""Errors to statuses and bodies (``ConnectExceptionMapper``), and the JSON answer itself."""

from __future__ import annotations

import json
import logging
from collections.abc import Callable, Coroutine
from typing import Any, ClassVar, Final

from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from penstock.errors import (
    AlreadyExistsError,
    BadRequestError,
    ConfigError,
    ConflictError,
    ConnectError,
    NotFoundError,
)
from penstock.herder.interface import RequestTargetError
from penstock.http.pace import metered
from penstock.logs import log_failure
from penstock.rest.forwarding import forward
from penstock.rest.slots import Kind

__all__ = ["PROBLEM", "REASONS", "JsonResponse", "RestError", "Route", "error_response", "http_error", "status_of"]

_log = logging.getLogger(__name__)

#: The scope's key for a `RestError` that a route answers with before anything is done; None if there is none.
PROBLEM: Final = "penstock.problem"
#: Reason phrases as they stand in Jersey's own messages.
REASONS: Final = {
    400: "Bad Request",
    401: "Unauthorized",
    403: "Forbidden",
    404: "Not Found",
    405: "Method Not Allowed",
    406: "Not Acceptable",
    415: "Unsupported Media Type",
}
_STATUSES: Final[tuple[tuple[type[ConnectError], int], ...]] = (
    (NotFoundError, 404),
    (AlreadyExistsError, 409),
    (ConflictError, 409),
    (BadRequestError, 400),
    (ConfigError, 400),
)


class JsonResponse(Response):
    """JSON as Connect sends it: UTF-8, members in the order given, any size of integer."""

    media_type = "application/json"
    charset: ClassVar[str] = ""  # type: ignore[misc]  # JSON has no charset parameter; Starlette would add one to text only

    def render(self, content: Any) -> bytes:
        return json.dumps(content, ensure_ascii=False, separators=(",", ":")).encode("utf-8", "backslashreplace")


class RestError(ConnectError):
    """An answer with a status of its own."""

    def __init__(self, status: int, message: str | None = None, headers: dict[str, str] | None = None) -> None:
        super().__init__(message or f"HTTP {status} {REASONS[status]}")
        self.status, self.headers = status, headers


def status_of(error: BaseException) -> int:
    if isinstance(error, RestError):
        return error.status
    return next((status for kind, status in _STATUSES if isinstance(error, kind)), 500)


def error_response(status: int, message: str, headers: dict[str, str] | None = None) -> JsonResponse:
    return JsonResponse({"error_code": status, "message": message}, status, headers)


def http_error(status: int, headers: dict[str, str] | None = None) -> JsonResponse:
    """Return an error answer that has no text but its status."""
    return error_response(status, f"HTTP {status} {REASONS.get(status, '')}".rstrip(), headers)


class Route(APIRoute):
    """A route whose errors, of whatever kind, become answers. Starlette's own handling of an unforeseen exception
    raises it again after the answer, which costs the client its connection."""

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        super().__init__(path, metered(endpoint), **options)
        self._kind = Kind.of(path, frozenset(self.methods or ()))

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        handle = super().get_route_handler()

        async def guarded(request: Request) -> Response:
            try:
                problem: RestError | None = request.scope.get(PROBLEM)
                if problem is not None:
                    raise problem
                slot = request.app.state.context.slots.of(self._kind)
                if slot is None:
                    return await handle(request)
                async with slot:
                    return await handle(request)
            except HTTPException:
                raise
            except ClientDisconnect:
                return http_error(400)  # nobody reads it
            except Exception as error:
                return await _answered(request, error)

        return guarded


async def _answered(request: Request, error: Exception) -> Response:
    if isinstance(error, RequestTargetError):
        try:
            return await forward(request, error, request.app.state.context.client)
        except Exception as failure:
            error = failure
    return _answer(request, error)


def _answer(request: Request, error: Exception) -> Response:
    status = status_of(error)
    headers = error.headers if isinstance(error, RestError) else None
    if isinstance(error, ConflictError) and error.retry_after is not None:
        headers = {"Retry-After": str(max(1, round(error.retry_after)))}
    if status >= 500:
        log_failure(_log, error, "%s %s failed: %s", request.method, request.scope["path"], error)
    return error_response(status, str(error) or type(error).__name__, headers)
