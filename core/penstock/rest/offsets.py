"""``/connectors/{name}/offsets`` (KIP-875) and ``/connectors/{name}/topics`` (KIP-558)."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.responses import Response

from penstock.rest import entities
from penstock.rest.context import Body, Context, ContextDep, HerderDep, Name
from penstock.rest.errors import JsonResponse, RestError, Route

__all__ = ["router"]

router = APIRouter(route_class=Route)


@router.get("/connectors/{name}/offsets")
def get_offsets(name: Name, herder: HerderDep) -> Response:
    return JsonResponse(entities.connector_offsets(herder.connector_offsets(name)))


@router.patch("/connectors/{name}/offsets")
def alter_offsets(name: Name, body: Body, herder: HerderDep) -> Response:
    return JsonResponse({"message": herder.alter_connector_offsets(name, entities.parse_offsets(body))})


@router.delete("/connectors/{name}/offsets")
def reset_offsets(name: Name, herder: HerderDep) -> Response:
    return JsonResponse({"message": herder.reset_connector_offsets(name)})


@router.get("/connectors/{name}/topics")
def get_topics(name: Name, context: ContextDep) -> Response:
    _tracking(context)
    return JsonResponse({name: {"topics": context.herder.connector_topics(name)}})


@router.put("/connectors/{name}/topics/reset")
def reset_topics(name: Name, context: ContextDep) -> Response:
    _tracking(context)
    if not context.topic_tracking_reset:
        raise RestError(403, "Topic tracking reset is disabled.")
    context.herder.reset_connector_topics(name)
    return Response(status_code=202)


def _tracking(context: Context) -> None:
    if not context.topic_tracking:
        raise RestError(403, "Topic tracking is disabled.")
