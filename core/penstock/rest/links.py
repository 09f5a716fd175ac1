"""Links in answers: the URL that they begin with."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.requests import Request

if TYPE_CHECKING:
    from penstock.rest.context import Context

__all__ = ["base_url"]


def base_url(request: Request) -> str:
    """Return the URL that links in an answer begin with: the host that the client asked for if it is a name of this
    worker, or else the advertised URL, since anybody can write anything into ``Host``."""
    context: Context = request.app.state.context
    host = request.headers.get("host", "")
    return f"{request.scope['scheme']}://{host}" if context.origins.is_own(host) else context.own_url
