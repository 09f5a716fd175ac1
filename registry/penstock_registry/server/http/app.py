"""The ASGI application of a registry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Depends, FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from penstock.errors import ConnectError
from penstock.http.origins import OriginRules
from penstock.http.prometheus import CONTENT_TYPE, Exposition
from penstock_registry.server.access.guard import Guard, asking
from penstock_registry.server.errors import RegistryError, http_error, not_here
from penstock_registry.server.http.answer_meter import AnswerMeter
from penstock_registry.server.http.described import complete
from penstock_registry.server.http.following import OUTCOME, Following
from penstock_registry.server.http.front import Front
from penstock_registry.server.http.media import JSON_TYPE
from penstock_registry.server.http.metered import Metered
from penstock_registry.server.http.parameters import Reply, check_accept
from penstock_registry.server.http.refusals import refusal
from penstock_registry.server.http.schema_routes import ContextRoutes, SchemaRoutes
from penstock_registry.server.http.settings_routes import SettingsRoutes
from penstock_registry.server.http.subject_routes import SubjectRoutes
from penstock_registry.server.limits import Limits
from penstock_registry.server.registry import Registry
from penstock_registry.server.view import View
from penstock_registry.store import NotLeaderError

if TYPE_CHECKING:
    from penstock_registry.server.leader.forwarding import Forwarder

__all__ = ["make_app"]

#: Parts of Confluent's API that are not there, by the first part of their paths.
_NOT_HERE: Final = {
    "associations": "associations of subjects with resources",
    "dek-registry": "encryption keys (client-side field level encryption)",
    "exporters": "exporters (schema linking); penstock schema export and import carry schemas over",
}


def make_app(
    registry: Registry,
    *,
    version: str,
    identity: Mapping[str, Any],
    limits: Limits | None = None,
    max_request_size: int,
    guard: Guard | None = None,
    forwarder: Forwarder | None = None,
    origins: OriginRules | None = None,
    metered: Metered | None = None,
) -> Front:
    """An ASGI application over `registry`, which must be started. Without a `guard` it is open to everybody; `forwarder`
    passes changes on while another registry leads; `metered` is behind ``GET /metrics``."""
    limits = limits or Limits()
    app = FastAPI(
        title="penstock schema registry", version=version, redirect_slashes=False, docs_url="/docs", redoc_url=None
    )
    app.state.max_request_size = max_request_size
    router = APIRouter(dependencies=[Depends(check_accept)], redirect_slashes=False)

    def seen() -> View:
        return registry.seen_by(asking())

    SubjectRoutes(seen, limits).add_to(router)
    SchemaRoutes(seen, limits).add_to(router)
    SettingsRoutes(registry.settings).add_to(router)
    ContextRoutes(seen, registry.problem, limits, identity, version).add_to(router)
    app.include_router(router)
    metered = metered or Metered(AnswerMeter())
    exposition = Exposition(metered.measurements)

    def metrics() -> Response:
        """Return this registry's metrics in Prometheus' text form."""
        return Response(exposition.text(), headers={"Content-Type": CONTENT_TYPE})

    # Without the router's look at Accept: scrapers ask for text.
    app.add_api_route("/metrics", metrics, methods=["GET"], response_class=Response)
    complete(app)
    app.add_exception_handler(RegistryError, _registry_error)
    app.add_exception_handler(NotLeaderError, _not_leader)
    for failure in (ConnectError, Exception):
        app.add_exception_handler(failure, _other_failure)
    app.add_exception_handler(HTTPException, _http_exception)
    app.add_exception_handler(ClientDisconnect, _gone)
    app.add_exception_handler(RequestValidationError, _unreadable_parameter)
    inner = app if forwarder is None else Following(app, forwarder, max_request_size)
    return Front(inner, registry, guard, forwarder, max_request_size, origins, metered.answers)


def _answer(error: RegistryError) -> Response:
    # A content type nobody can read is refused before the registry's own media types come into play.
    media_type = JSON_TYPE if error.code == 400 and error.message == "Bad Request" else None
    return Reply(
        {"error_code": error.code, "message": error.message}, status_code=error.http_status, media_type=media_type
    )


async def _registry_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RegistryError)
    return _answer(error)


async def _not_leader(request: Request, error: Exception) -> Response:
    request.scope.get(OUTCOME, {})["not_leader"] = True
    return await _other_failure(request, error)


async def _other_failure(request: Request, error: Exception) -> Response:
    return _answer(refusal(error, request.method, request.url.path))


async def _http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)
    missing = _NOT_HERE.get(request.url.path.split("/")[1])
    return _answer(not_here(missing) if missing and error.status_code == 404 else http_error(error.status_code))


async def _gone(request: Request, error: Exception) -> Response:
    return Response(status_code=400)  # nobody reads it


async def _unreadable_parameter(request: Request, error: Exception) -> Response:
    return _answer(http_error(404))
