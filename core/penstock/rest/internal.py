"""Signed requests of a group's workers to their leader (KIP-507, ``InternalClusterResource``)."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import TypeVar

from fastapi import APIRouter, Depends
from starlette.requests import Request
from starlette.responses import Response

from penstock.errors import BadRequestError
from penstock.herder.distributed.signatures import SIGNATURE_HEADER, signature_of
from penstock.herder.interface import Herder, InternalHerder, InternalRequestError
from penstock.http.documents import parse_document
from penstock.rest.access import UNSIGNED
from penstock.rest.context import Body, HerderDep, Name
from penstock.rest.errors import RestError, Route

__all__ = ["check_claimed_signature", "router"]

_log = logging.getLogger(__name__)

router = APIRouter(route_class=Route)
_T = TypeVar("_T")


async def _announced_signature(request: Request, herder: HerderDep) -> None:
    """Refuse a request that says nothing of a signature, where there must be one, before its body is read."""
    internal = _internal(herder)
    if SIGNATURE_HEADER not in request.headers:
        _checked(request, lambda: internal.check_signature(None))


#: Guards a route for signed requests; the signature itself is checked once the body is there.
_Signed = Depends(_announced_signature)


@router.post("/connectors/{name}/tasks", dependencies=[_Signed])
def put_task_configs(request: Request, name: Name, body: Body, herder: HerderDep) -> Response:
    internal = _internal(herder)
    signature = _checked(request, lambda: signature_of(request.headers, body))
    # Before the body is parsed: a stranger's costs nothing more.
    _checked(request, lambda: internal.check_signature(signature))
    configs = _configs(body)
    _checked(request, lambda: internal.put_task_configs(name, configs, signature))
    return Response(status_code=204)


@router.put("/connectors/{name}/fence", dependencies=[_Signed])
def fence_zombies(request: Request, name: Name, body: Body, herder: HerderDep) -> Response:
    internal = _internal(herder)
    _checked(request, lambda: internal.fence_zombies(name, signature_of(request.headers, body)))
    return Response(status_code=204)


def check_claimed_signature(request: Request, herder: Herder, signed: bytes) -> None:
    """Raise a 401 if the request was let through for a signature of another worker that turns out to be wrong. `signed` are
    the bytes that it is of."""
    if UNSIGNED in request.scope:
        internal = _internal(herder)
        _checked(request, lambda: internal.check_signature(signature_of(request.headers, signed)))


def _checked(request: Request, action: Callable[[], _T]) -> _T:
    try:
        return action()
    except InternalRequestError as error:
        refusal: RestError | None = request.scope.get(UNSIGNED)
        if refusal is None:
            raise RestError(error.status, error.message) from error
        # A stranger may have sent it, who learns nothing; if it was a worker, the reason is looked for here.
        _log.info("Refused %s %s as not signed by this group: %s", request.method, request.scope["path"], error.message)
        raise refusal from None


def _internal(herder: Herder) -> InternalHerder:
    if not isinstance(herder, InternalHerder):
        raise RestError(405)
    return herder


def _configs(body: bytes) -> list[dict[str, str]]:
    configs = parse_document(body)
    if not isinstance(configs, list) or not all(isinstance(config, dict) for config in configs):
        raise BadRequestError("Expected a list of task configurations, each an object of texts")
    return [{k: v if isinstance(v, str) else str(v) for k, v in c.items() if v is not None} for c in configs]
