"""``/connectors``: create, read, change, delete, and the connector's states (``ConnectorsResource``)."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from penstock.errors import BadRequestError, NotFoundError
from penstock.herder.interface import Herder
from penstock.herder.restart import RestartRequest
from penstock.logs import log_failure
from penstock.rest import entities
from penstock.rest.access import Need, WorkerRole, require, visible
from penstock.rest.context import Body, GetAction, HerderDep, Name, flag
from penstock.rest.errors import JsonResponse, Route
from penstock.rest.health import connector_health
from penstock.rest.links import base_url

__all__ = ["router"]

_log = logging.getLogger(__name__)

router = APIRouter(route_class=Route)


@router.get("/connectors")
def list_connectors(request: Request, herder: HerderDep) -> Response:
    expand = request.query_params.getlist("expand")
    if not expand:
        return JsonResponse(visible(request, herder.connectors()))
    names = visible(request, herder.connectors())
    return JsonResponse({name: e for name in names if (e := _expanded(herder, name, expand)) is not None})


def _expanded(herder: Herder, name: str, expand: list[str]) -> dict[str, Any] | None:
    """Return None for a connector that went, has no status yet, or of which the topics have something that cannot be
    shown: one connector must not hide the others."""
    body: dict[str, Any] = {}
    try:
        if "info" in expand:
            body["info"] = entities.connector_info(herder.connector_info(name))
        if "status" in expand:
            body["status"] = entities.connector_state_info(herder.connector_status(name))
        if "health" in expand:  # penstock's own
            body["health"] = _health(herder, name)
    except NotFoundError as error:
        _log.debug("Connector %s is left out of the list: %s", name, error)
        return None
    except Exception as error:
        log_failure(_log, error, "Connector %s is left out of the list: %s", name, error)
        return None
    return body


@router.post("/connectors")
def create_connector(request: Request, body: Body, herder: HerderDep) -> Response:
    wanted = entities.parse_create_connector(body)
    name = wanted.name or ""
    require(request, Need(WorkerRole.EDIT, name))
    config = _with_name(name, wanted.config)
    _, info = herder.put_connector_config(name, config, wanted.initial_state, allow_replace=False)
    return _created(request, entities.connector_info(info))


def _with_name(name: str, config: Mapping[str, str | None]) -> dict[str, str | None]:
    included = config.get("name", name)
    if included != name:
        raise BadRequestError(
            f"Connector name configuration ({included}) doesn't match connector name in the URL ({name})"
        )
    return {**config, "name": name}


def _created(request: Request, info: dict[str, Any]) -> Response:
    segment = quote(info["name"], safe=_PATH_SAFE)
    if not segment.strip("."):
        segment = segment.replace(".", "%2E")  # a client would take . and .. for steps in the path
    return JsonResponse(info, 201, {"Location": f"{base_url(request)}/connectors/{segment}"})


#: The characters that may stand unencoded in a segment of a path (RFC 3986).
_PATH_SAFE = "!$&'()*+,;=:@-._~"


@router.get("/connectors/{name}")
def get_connector(name: Name, herder: HerderDep) -> Response:
    return JsonResponse(entities.connector_info(herder.connector_info(name)))


@router.delete("/connectors/{name}")
def delete_connector(name: Name, herder: HerderDep) -> Response:
    herder.delete_connector(name)
    return Response(status_code=204)


@router.get("/connectors/{name}/config")
def get_config(name: Name, herder: HerderDep) -> Response:
    return JsonResponse(dict(herder.connector_config(name)))


@router.put("/connectors/{name}")
@router.put("/connectors/{name}/config")
def put_config(request: Request, name: Name, body: Body, herder: HerderDep) -> Response:
    created, info = herder.put_connector_config(name, _with_name(name, entities.parse_config(body)))
    answer = entities.connector_info(info)
    return _created(request, answer) if created else JsonResponse(answer)


@router.patch("/connectors/{name}/config")
def patch_config(name: Name, body: Body, herder: HerderDep) -> Response:
    return JsonResponse(entities.connector_info(herder.patch_connector_config(name, entities.parse_config(body))))


@router.get("/connectors/{name}/status")
def get_status(name: Name, herder: HerderDep) -> Response:
    return JsonResponse(entities.connector_state_info(herder.connector_status(name)))


def _health(herder: Herder, name: str) -> dict[str, Any]:
    status, configured = herder.connector_status(name), len(herder.task_configs(name))
    return connector_health(status, configured, herder.task_restarts(name), herder.task_troubles(name))


@router.get("/connectors/{name}/health")
def get_health(name: Name, herder: HerderDep) -> Response:
    """penstock's own, for probes: 200 if all is as the user wants it, 503 otherwise, with what is wrong."""
    found = _health(herder, name)
    return JsonResponse(found, 200 if found["healthy"] else 503)


@router.put("/connectors/{name}/pause")
@router.get("/connectors/{name}/pause", dependencies=[GetAction])
def pause(name: Name, herder: HerderDep) -> Response:
    herder.pause_connector(name)
    return Response(status_code=202)


@router.put("/connectors/{name}/resume")
@router.get("/connectors/{name}/resume", dependencies=[GetAction])
def resume(name: Name, herder: HerderDep) -> Response:
    herder.resume_connector(name)
    return Response(status_code=202)


@router.put("/connectors/{name}/stop")
def stop(name: Name, herder: HerderDep) -> Response:
    herder.stop_connector(name)
    return Response(status_code=204)


@router.post("/connectors/{name}/restart")
def restart(request: Request, name: Name, herder: HerderDep) -> Response:
    plan = RestartRequest(name, flag(request, "onlyFailed", False), flag(request, "includeTasks", False))
    if plan.connector_only:
        herder.restart_connector(name)
        return Response(status_code=204)
    return JsonResponse(entities.connector_state_info(herder.restart_connector_and_tasks(plan)), 202)
