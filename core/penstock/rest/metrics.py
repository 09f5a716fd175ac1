"""``GET /metrics``: everything that is measured of this worker, or of all workers of its machine, for Prometheus."""

from __future__ import annotations

from typing import Final

from fastapi import APIRouter
from starlette.requests import Request
from starlette.responses import Response

from penstock.http.prometheus import CONTENT_TYPE, Exposition, gathered
from penstock.measurements import Measurement
from penstock.rest.context import Context, flag
from penstock.rest.errors import Route
from penstock.rest.siblings import worker_of

__all__ = ["router"]

router = APIRouter(route_class=Route)
#: The label that says whose a sample is. Prometheus' own `instance` is what was scraped.
_LABEL: Final = "worker"


@router.get("/metrics")
def metrics(request: Request) -> Response:
    """This worker's metrics in Prometheus' text form; with ``?all=true`` those of all workers that one command started."""
    exposition: Exposition = request.app.state.exposition
    text = exposition.text()
    if flag(request, "all", False):
        text = _of_all(request, request.app.state.context, text.decode())
    return Response(text, headers={"Content-Type": CONTENT_TYPE})


def _of_all(request: Request, context: Context, own: str) -> bytes:
    headers = {"Authorization": text} if (text := request.headers.get("authorization")) else {}
    others = {} if context.siblings is None else context.siblings.metrics(context.client, headers)
    texts: dict[str, str | None] = {worker_of(context.own_url): own, **others}
    up = [Measurement("worker-process", "up", int(text is not None), {_LABEL: name}) for name, text in texts.items()]
    return gathered(_LABEL, {name: text for name, text in texts.items() if text is not None}, up)
