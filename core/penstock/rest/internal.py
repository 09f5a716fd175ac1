"""What workers of a group ask of their leader, signed (KIP-507, ``InternalClusterResource``)."""

from __future__ import annotations

import json

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from penstock.errors import BadRequestError
from penstock.herder.distributed.signatures import signature_of
from penstock.herder.interface import Herder, InternalHerder, InternalRequestError
from penstock.rest.context import Body, HerderDep, Name
from penstock.rest.errors import RestError, Route

__all__ = ["router"]

router = APIRouter(route_class=Route)


@router.post("/connectors/{name}/tasks")
def put_task_configs(request: Request, name: Name, body: Body, herder: HerderDep) -> Response:
    internal = _internal(herder)
    try:
        internal.put_task_configs(name, _configs(body), signature_of(request.headers, body))
    except InternalRequestError as error:
        raise RestError(error.status, error.message) from error
    return Response(status_code=204)


@router.put("/connectors/{name}/fence")
def fence_zombies(request: Request, name: Name, body: Body, herder: HerderDep) -> Response:
    internal = _internal(herder)
    try:
        internal.fence_zombies(name, signature_of(request.headers, body))
    except InternalRequestError as error:
        raise RestError(error.status, error.message) from error
    return Response(status_code=204)


def _internal(herder: Herder) -> InternalHerder:
    if not isinstance(herder, InternalHerder):
        raise RestError(405)
    return herder


def _configs(body: bytes) -> list[dict[str, str]]:
    try:
        configs = json.loads(body)
    except ValueError:
        raise BadRequestError("The request's body is not JSON; expected a list of task configurations") from None
    if not isinstance(configs, list) or not all(isinstance(config, dict) for config in configs):
        raise BadRequestError("Expected a list of task configurations, each an object of texts")
    return [{str(k): v if isinstance(v, str) else str(v) for k, v in c.items() if v is not None} for c in configs]
