"""The least a Python HTTP server can do: a fixed answer, served as the registry serves its own.

bare_asgi.py PORT
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

from penstock.http.listeners import Listener, bind
from penstock.http.server import HttpServer, Served

_START = {
    "type": "http.response.start",
    "status": 200,
    "headers": [(b"content-type", b"application/json"), (b"content-length", b"17")],
}
_BODY = {"type": "http.response.body", "body": b'{"hello":"world"}'}


async def hello(scope: Any, receive: Any, send: Callable[[Any], Awaitable[None]]) -> None:
    await send(_START)
    await send(_BODY)


if __name__ == "__main__":
    _, bound = bind(Listener("http", "127.0.0.1", int(sys.argv[1])), "Cannot listen", "PORT")
    HttpServer("bare", [Served(hello, bound)]).start()
    threading.Event().wait()
