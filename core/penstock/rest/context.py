"""The context of every resource: the herder, the REST settings, and the parts of the request."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from typing import Annotated, Final

from fastapi import Depends
from starlette.requests import Request

from penstock.herder.forwarding import WorkerClient
from penstock.herder.interface import Herder
from penstock.http.origins import OriginRules
from penstock.rest.errors import RestError
from penstock.rest.paths import HEAD, decoded
from penstock.rest.siblings import Siblings
from penstock.rest.slots import Slots
from penstock.runtime.status import ConnectorTaskId

__all__ = ["Body", "Context", "ContextDep", "GetAction", "HerderDep", "Name", "Task", "flag"]

_log = logging.getLogger(__name__)
_TASK_NUMBER: Final = re.compile(r"[+-]?\d{1,10}", re.ASCII)
_BROWSER_HEADERS: Final = ("sec-fetch-mode", "sec-fetch-site", "sec-fetch-dest", "origin", "referer")


@dataclass(frozen=True, slots=True)
class Context:
    herder: Herder
    #: ``topic.tracking.enable`` and ``topic.tracking.allow.reset`` (KIP-558).
    topic_tracking: bool = True
    topic_tracking_reset: bool = True
    #: ``rest.get.actions``: whether pause, resume and a task's restart may be asked for with GET, too.
    get_actions: bool = True
    #: Seconds ``GET /health`` waits for the herder (``health.check.timeout.ms`` of KIP-1017).
    health_timeout: float = 10.0
    #: For requests that another worker of the group has to answer.
    client: WorkerClient = field(default_factory=WorkerClient)
    #: Decides which requests of web pages are taken, and knows the names by which users reach this worker.
    origins: OriginRules = field(default_factory=lambda: OriginRules(()))
    #: This worker's advertised URL, without a slash at its end.
    own_url: str = ""
    #: The other workers of this machine, if one command started them.
    siblings: Siblings | None = None
    #: Threads for requests that may wait.
    slots: Slots = field(default_factory=Slots)


# Dependencies are coroutines because FastAPI would send plain functions through its thread pool.
async def _context(request: Request) -> Context:
    context: Context = request.app.state.context
    return context


ContextDep = Annotated[Context, Depends(_context)]


async def _herder(context: ContextDep) -> Herder:
    return context.herder


HerderDep = Annotated[Herder, Depends(_herder)]


async def _name(request: Request) -> str:
    return decoded(request.path_params["name"])


#: A connector's, plugin's or logger's name out of the path, decoded.
Name = Annotated[str, Depends(_name)]


async def _task(request: Request, name: Name) -> ConnectorTaskId:
    text = request.path_params["task"]
    if not _TASK_NUMBER.fullmatch(text) or not -(2**31) <= int(text) < 2**31:
        raise RestError(404)
    return ConnectorTaskId(name, int(text))


Task = Annotated[ConnectorTaskId, Depends(_task)]


async def _body(request: Request) -> bytes:
    return await request.body()


Body = Annotated[bytes, Depends(_body)]


async def _get_action(request: Request, context: ContextDep) -> None:
    if not context.get_actions or request.scope.get(HEAD):
        raise RestError(405)
    if any(header in request.headers for header in _BROWSER_HEADERS):
        # A link or an image in any web page could otherwise pause a pipeline.
        raise RestError(405, "HTTP 405 Method Not Allowed: a browser cannot do this with GET")
    _log.warning(
        "%s was asked for with GET from %s", request.scope["path"], request.client.host if request.client else "?"
    )


#: Guards a GET that changes something.
GetAction = Depends(_get_action)


def flag(request: Request, name: str, default: bool) -> bool:
    """A boolean query parameter, as Java reads it: ``true`` in any case, anything else is false."""
    value = request.query_params.get(name)
    return default if value is None else value.lower() == "true"
