"""The ASGI application: resources, errors, and what is wrapped around them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from fastapi import APIRouter, FastAPI
from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.responses import Response

from penstock.access.settings import AccessConfig
from penstock.herder.interface import InternalHerder
from penstock.http.asgi import App
from penstock.http.forwarded import with_forwarded
from penstock.http.origins import with_cors
from penstock.http.pace import Pace
from penstock.http.prometheus import Exposition
from penstock.rest import connectors, internal, loggers, metrics, offsets, plugins, root, tasks
from penstock.rest.access import Guard
from penstock.rest.context import Context
from penstock.rest.errors import http_error
from penstock.rest.headers import HeaderRule, ResponseHeaders
from penstock.rest.openapi import allowed_methods
from penstock.rest.paths import RawPaths
from penstock.rest.prepared import Prepared

__all__ = ["AppSettings", "admin_app", "connect_app"]

_RESOURCES = (
    root.router,
    connectors.router,
    tasks.router,
    offsets.router,
    plugins.router,
    metrics.router,
    internal.router,
)


@dataclass(frozen=True, slots=True)
class AppSettings:
    #: ``access.control.allow.origin`` and ``.methods``; no origins: no CORS.
    allow_origins: Sequence[str] = ()
    allow_methods: Sequence[str] = ()
    #: ``response.http.headers.config``.
    headers: Sequence[HeaderRule] = ()
    #: ``rest.trusted.proxies``: whose ``X-Forwarded-*`` headers are believed.
    proxies: Sequence[str] = ()
    #: Who may do what; None lets everybody do everything.
    access: AccessConfig | None = None
    #: Whether ``/admin`` is served here, too.
    with_admin: bool = field(default=True)


def connect_app(context: Context, settings: AppSettings | None = None) -> App:
    """Return Connect's REST API over one herder."""
    settings = settings or AppSettings()
    return _app(context, settings, (*_RESOURCES, *([loggers.router] if settings.with_admin else [])))


def admin_app(context: Context, settings: AppSettings | None = None) -> App:
    """Return ``/admin`` alone, for ``admin.listeners``."""
    return _app(context, settings or AppSettings(), [loggers.router])


def _app(context: Context, settings: AppSettings, routers: Iterable[APIRouter]) -> App:
    app = FastAPI(
        openapi_url=None,
        redirect_slashes=False,
        exception_handlers={HTTPException: _on_http_exception},
    )
    app.state.context = context
    app.state.exposition = Exposition(context.herder.measurements)
    routers = list(routers)
    app.state.routes = [route for router in routers for route in router.routes]
    for router in routers:
        app.include_router(router)
    answering: App = Prepared(app, context.herder)
    if settings.access is not None and not settings.access.is_open:
        answering = Guard(answering, settings.access, isinstance(context.herder, InternalHerder))
    paced = Pace(RawPaths(answering, context.origins))
    wrapped = with_cors(paced, settings.allow_origins, settings.allow_methods)
    if settings.headers:
        wrapped = ResponseHeaders(wrapped, settings.headers)
    return with_forwarded(wrapped, settings.proxies)


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """Answer Starlette's own errors: no such path, no such method. Its ``Allow`` knows only the first method of a path."""
    if not isinstance(error, HTTPException):
        raise error
    allowed = allowed_methods(request.app.state.routes, request.scope) if error.status_code == 405 else []
    if allowed and request.method == "OPTIONS":
        return Response(headers={"Allow": ",".join(allowed)})
    return http_error(error.status_code, {"Allow": ",".join(allowed)} if allowed else dict(error.headers or {}))
