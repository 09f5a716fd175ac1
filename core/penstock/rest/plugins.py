"""``/connector-plugins``: what is installed, which settings it takes, and whether a configuration is valid."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from penstock.errors import BadRequestError
from penstock.herder.unknown_settings import unknown_settings, warning_header
from penstock.rest import entities
from penstock.rest.context import Body, HerderDep, Name, flag
from penstock.rest.errors import JsonResponse, Route

__all__ = ["router"]

router = APIRouter(route_class=Route)


@router.get("/connector-plugins")
def list_plugins(request: Request, herder: HerderDep) -> Response:
    return JsonResponse([entities.plugin(p) for p in herder.connector_plugins(flag(request, "connectorsOnly", True))])


@router.get("/connector-plugins/{name}/config")
def plugin_config(request: Request, name: Name, herder: HerderDep) -> Response:
    return JsonResponse(herder.plugin_config(name, request.query_params.get("version")))


@router.put("/connector-plugins/{name}/config/validate")
def validate(name: Name, body: Body, herder: HerderDep) -> Response:
    config = entities.parse_config(body)
    included = config.get("connector.class")
    if included is not None and not _stem(included).endswith(_stem(name)):
        raise BadRequestError(f"Included connector type {included} does not match request type {name}")
    infos = herder.validate_connector_config(config)
    return JsonResponse(infos, headers=warning_header(unknown_settings(infos, config)))


def _stem(class_name: str) -> str:
    return class_name if class_name == "Connector" else class_name.removesuffix("Connector")
