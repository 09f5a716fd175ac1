"""``/``, ``/health`` and ``/cluster``: about this worker."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

import penstock
from penstock.herder.distributed.signatures import SIGNED_OF_CLUSTER
from penstock.herder.interface import HealthStatus
from penstock.rest.access import sees_everything
from penstock.rest.context import ContextDep, HerderDep
from penstock.rest.errors import JsonResponse, Route
from penstock.rest.internal import check_claimed_signature
from penstock.rest.openapi import describe

__all__ = ["router"]

router = APIRouter(route_class=Route)

#: The place of a sentence that names connectors, for those who may not see all of them.
_SOME_RECORDS: Final = "Records of internal topics make no sense; who may read all connectors is told which."
_HEALTH_CODES: Final = {HealthStatus.HEALTHY: 200, HealthStatus.STARTING: 503, HealthStatus.UNHEALTHY: 500}


@router.get("/")
def server_info(herder: HerderDep) -> Response:
    return JsonResponse(
        {
            "version": penstock.KAFKA_VERSION,
            "commit": f"penstock-{penstock.__version__}",
            "kafka_cluster_id": herder.kafka_cluster_id(),
        }
    )


@router.get("/health")
def health(request: Request, context: ContextDep) -> Response:
    found = context.herder.health(context.health_timeout)
    message = found.message
    if found.problems is not None:
        message += f" {found.problems if sees_everything(request) else _SOME_RECORDS}"
    return JsonResponse({"status": found.status.value, "message": message}, _HEALTH_CODES[found.status])


@router.get("/openapi.json")
def openapi(request: Request) -> Response:
    """This description."""
    return JsonResponse(describe(request.app.state.routes))


@router.get("/cluster")
def cluster(request: Request, herder: HerderDep) -> Response:
    # A follower asks its leader, and answers its users with what it hears.
    check_claimed_signature(request, herder, SIGNED_OF_CLUSTER)
    return JsonResponse(herder.cluster())
