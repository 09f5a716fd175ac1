"""Listening sockets and the thread that serves them."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

import uvicorn

from penstock.errors import WorkerError
from penstock_registry.server.config import Listener

__all__ = ["HttpServer", "bind_all"]

_log = logging.getLogger(__name__)
_START_SECONDS: Final = 30.0
_STOP_SECONDS: Final = 10.0


class HttpServer:
    """Serves `app` at listeners that `bind_all` took, each with TLS or without. Start and stop once each."""

    def __init__(self, app: Any, bound: Sequence[tuple[Listener, socket.socket]], tls: ssl.SSLContext | None) -> None:
        self._servers = [(_server(app, tls if listener.scheme == "https" else None), sock) for listener, sock in bound]
        self._thread = threading.Thread(target=self._run, name="schema-registry-http", daemon=True)

    def start(self) -> None:
        """Returns once every listener answers. Raises `WorkerError`."""
        self._thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not all(server.started for server, _ in self._servers):
            if not self._thread.is_alive() or time.monotonic() > deadline:
                raise WorkerError("The schema registry's HTTP server did not start; the log says why.")
            time.sleep(0.005)  # uvicorn tells by a flag only

    def stop(self) -> None:
        for server, _ in self._servers:
            server.should_exit = True
        self._thread.join(_STOP_SECONDS)
        if self._thread.is_alive():
            _log.warning("The schema registry's HTTP server did not stop within %.0f s", _STOP_SECONDS)

    def _run(self) -> None:
        with asyncio.Runner(loop_factory=_loop_factory()) as runner:
            runner.run(self._serve())

    async def _serve(self) -> None:
        await asyncio.gather(*(server.serve(sockets=[sock]) for server, sock in self._servers))


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """uvloop's where it is installed (the extra ``fast``); httptools beside it uvicorn finds by itself."""
    try:
        import uvloop
    except ImportError:
        return None
    return uvloop.new_event_loop


def _server(app: Any, tls: ssl.SSLContext | None) -> uvicorn.Server:
    config = uvicorn.Config(
        app,
        log_config=None,
        log_level="warning",
        access_log=False,
        lifespan="off",
        ws="none",
        server_header=False,
        timeout_graceful_shutdown=int(_STOP_SECONDS) // 2,
    )
    config.load()
    config.ssl = tls
    return uvicorn.Server(config)


def bind_all(listeners: Sequence[Listener]) -> list[tuple[Listener, socket.socket]]:
    """Take a port for each, as it then is; a port in use is told before anything else is done."""
    bound: list[tuple[Listener, socket.socket]] = []
    try:
        for listener in listeners:
            sock = _bind(listener)
            bound.append((listener._replace(port=sock.getsockname()[1]), sock))
    except BaseException:
        for _, sock in bound:
            sock.close()
        raise
    return bound


def _bind(listener: Listener) -> socket.socket:
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    # asyncio switches Nagle's delay off only on sockets that say they are TCP; with it every answer takes 40 ms.
    sock = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind((listener.host, listener.port))
        sock.listen(256)
    except OSError as error:
        sock.close()
        raise WorkerError(
            f"The schema registry cannot listen at {listener.scheme}://{listener.host}:{listener.port}: "
            f"{error.strerror or error}. Stop what holds the port, or set listeners to another address."
        ) from error
    sock.setblocking(False)
    return sock
