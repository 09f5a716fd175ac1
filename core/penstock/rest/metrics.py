"""``GET /metrics``: everything that is measured of this worker, for Prometheus."""

from __future__ import annotations

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from penstock.http.prometheus import CONTENT_TYPE
from penstock.rest.errors import Route

__all__ = ["router"]

router = APIRouter(route_class=Route)


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """This worker's metrics in Prometheus' text form."""
    text: bytes = request.app.state.exposition.text()
    return Response(text, headers={"Content-Type": CONTENT_TYPE})
