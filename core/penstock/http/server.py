"""`HttpServer`: applications at listeners, each a uvicorn server, all on one event loop in one thread."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, NamedTuple

import uvicorn

from penstock.errors import WorkerError
from penstock.http.asgi import App
from penstock.http.connection import Connection, Traffic
from penstock.http.limits import HttpLimits

__all__ = ["HttpServer", "Served"]

_log = logging.getLogger(__name__)
#: Seconds for the servers to come up, for open requests to end, and for a TLS handshake.
_START_TIMEOUT: Final = 30.0
_STOP_TIMEOUT: Final = 5
_HANDSHAKE_TIMEOUT: Final = 10.0
_BACKLOG: Final = 256
#: Seconds between two looks for clients that take too long, at the most.
_SWEEP: Final = 1.0


class Served(NamedTuple):
    """An application at a bound socket, with TLS or without."""

    app: App
    socket: socket.socket
    tls: ssl.SSLContext | None = None


class HttpServer:
    """Serves between `start` and `stop`, each called once, from any thread. `name` is the thread's, and is in errors."""

    def __init__(self, name: str, served: Sequence[Served], limits: HttpLimits | None = None) -> None:
        self._name = name
        self._sockets = [one.socket for one in served]
        self._limits = limits or HttpLimits()
        self._traffic = Traffic(self._limits)
        self._servers = [_Server(one, self._traffic) for one in served]
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._failure: BaseException | None = None

    def start(self) -> None:
        """Return once every listener answers. Raises `WorkerError`."""
        self._thread.start()
        step = 0.005  # uvicorn tells by a flag only
        for _ in range(int(_START_TIMEOUT / step)):
            if self._failure is not None:
                raise WorkerError(f"The {self._name} server could not start: {self._failure}") from self._failure
            if all(server.started for server in self._servers):
                return
            self._thread.join(step)
        raise WorkerError(f"The {self._name} server did not start within {_START_TIMEOUT:g} s")

    def stop(self) -> None:
        """Take no further requests; those at work get a few seconds."""
        for server in self._servers:
            server.should_exit = True
        if self._thread.is_alive():
            self._thread.join(_STOP_TIMEOUT * 2)
            if self._thread.is_alive():
                _log.warning("The %s server did not stop within %d s", self._name, _STOP_TIMEOUT * 2)
        for bound in self._sockets:
            bound.close()

    def _run(self) -> None:
        try:
            with asyncio.Runner(loop_factory=_loop_factory()) as runner:
                runner.run(self._serve())
        except BaseException as error:
            self._failure = error
            _log.exception("The %s server failed", self._name)

    async def _serve(self) -> None:
        sweeping = asyncio.create_task(self._sweep())
        try:
            await asyncio.gather(
                *(server.serve(sockets=[bound]) for server, bound in zip(self._servers, self._sockets, strict=True))
            )
        finally:
            sweeping.cancel()

    async def _sweep(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await asyncio.sleep(min(_SWEEP, self._limits.timeout / 4))
            self._traffic.sweep(loop.time())


class _Server(uvicorn.Server):
    """One listener's server, whose connections are bounded."""

    def __init__(self, served: Served, traffic: Traffic) -> None:
        config = uvicorn.Config(
            served.app,
            http="httptools",
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            # A setting says whose X-Forwarded-* headers count: see `penstock.http.forwarded`.
            proxy_headers=False,
            timeout_graceful_shutdown=_STOP_TIMEOUT,
        )
        config.load()
        super().__init__(config)
        self._traffic = traffic
        self._tls = served.tls

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """uvicorn's own, for bound sockets alone, with `Connection` and a limit on the time of handshakes."""
        await self.lifespan.startup()
        loop = asyncio.get_running_loop()

        def connect() -> Connection:
            return Connection(self._traffic, self.config, self.server_state, loop)

        self.servers = [
            await loop.create_server(
                connect,
                sock=bound,
                ssl=self._tls,
                ssl_handshake_timeout=_HANDSHAKE_TIMEOUT if self._tls else None,
                backlog=_BACKLOG,
            )
            for bound in sockets or ()
        ]
        self.started = True


def _loop_factory() -> Callable[[], asyncio.AbstractEventLoop] | None:
    """Return uvloop's factory where it is installed (the extra ``fast``), else None for asyncio's own."""
    try:
        import uvloop
    except ImportError:
        return None
    factory: Any = uvloop.new_event_loop
    return factory  # type: ignore[no-any-return]  # uvloop may be missing where types are checked
