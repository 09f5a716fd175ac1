"""``/admin/loggers`` (KIP-495, KIP-976)."""

from __future__ import annotations

import logging

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from penstock.errors import BadRequestError, NotFoundError
from penstock.herder.loggers import LEVELS
from penstock.rest import entities
from penstock.rest.context import Body, HerderDep, Name
from penstock.rest.errors import JsonResponse, Route

__all__ = ["router"]

_log = logging.getLogger(__name__)

router = APIRouter(route_class=Route)


@router.get("/admin/loggers")
def list_loggers(herder: HerderDep) -> Response:
    return JsonResponse({name: entities.logger_level(level) for name, level in herder.loggers().items()})


@router.get("/admin/loggers/{name}")
def get_logger(name: Name, herder: HerderDep) -> Response:
    level = herder.logger(name)
    if level is None:
        raise NotFoundError(f"Logger {name} not found.")
    return JsonResponse(entities.logger_level(level))


@router.put("/admin/loggers/{name}")
def set_level(request: Request, name: Name, body: Body, herder: HerderDep) -> Response:
    level = entities.parse_object(body, '{"level": "DEBUG"}').get("level")
    if level is None:
        raise BadRequestError("Desired 'level' parameter was not specified in request.")
    if str(level).upper() not in LEVELS:
        raise NotFoundError(f"invalid log level '{level}'.")
    scope = request.query_params.get("scope", "worker").lower()
    if scope == "cluster":
        herder.set_cluster_logger_level(name, str(level).upper())
        return Response(status_code=204)
    if scope != "worker":
        _log.warning("Unknown scope %r in a request to set a logger's level; taken as 'worker'", scope)
    return JsonResponse(herder.set_worker_logger_level(name, str(level).upper()))
