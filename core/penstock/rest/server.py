"""`RestServer`: the listeners, each a uvicorn server, all on one event loop in one thread."""

from __future__ import annotations

import asyncio
import logging
import socket
import ssl
import threading
from typing import Any, Final, NamedTuple
from urllib.parse import urlsplit

import uvicorn
from starlette.types import ASGIApp

from penstock.config.tls import client_context, server_context, tls_settings
from penstock.config.worker import WorkerConfig
from penstock.errors import ConfigError, WorkerError
from penstock.herder.forwarding import WorkerClient
from penstock.herder.interface import Herder
from penstock.rest.app import AppSettings, admin_app, connect_app
from penstock.rest.context import Context
from penstock.rest.headers import parse_header_rules

__all__ = ["Advertised", "Listener", "RestServer", "parse_listener"]

_log = logging.getLogger(__name__)
_DEFAULT_PORT: Final = 8083
#: Seconds for the servers to come up, and for open requests to end.
_START_TIMEOUT: Final = 30.0
_STOP_TIMEOUT: Final = 5


class Listener(NamedTuple):
    """One entry of ``listeners``. An empty host is every address of the machine; port 0 is any free one."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{_bracketed(self.host)}:{self.port}"


class Advertised(NamedTuple):
    """Where other workers and users find this one. A worker's id is its ``host:port``."""

    scheme: str
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"{self.scheme}://{_bracketed(self.host)}:{self.port}/"

    @property
    def worker_id(self) -> str:
        return f"{self.host}:{self.port}"


def parse_listener(text: str) -> Listener:
    try:
        parts = urlsplit(text.strip())
        port = parts.port
    except ValueError as error:
        raise ConfigError("listeners", text, str(error)) from None
    if parts.scheme.lower() not in ("http", "https") or parts.path.strip("/"):
        raise ConfigError("listeners", text, "Expected http://[host]:port or https://[host]:port")
    return Listener(parts.scheme.lower(), parts.hostname or "", _DEFAULT_PORT if port is None else port)


class RestServer:
    """Binds the ports when made, so that addresses are known (and taken) before anything else starts; serves between
    `start` and `stop`."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        #: For requests to other workers of the group, with the certificates of the listeners.
        self.worker_client = WorkerClient(lambda: _client_tls(config))
        self._sockets: list[tuple[Listener, socket.socket]] = []
        self._admin_sockets: list[tuple[Listener, socket.socket]] = []
        try:
            self._sockets += [_bind(parse_listener(text), "listeners") for text in config["listeners"]]
            admin = [parse_listener(text) for text in config["admin.listeners"] or ()]
            self._admin_sockets += [_bind(listener, "admin.listeners") for listener in admin]
        except BaseException:
            self._close_sockets()
            raise
        self._servers: list[uvicorn.Server] = []
        self._thread: threading.Thread | None = None
        self._failure: BaseException | None = None

    @property
    def listeners(self) -> list[Listener]:
        """As bound: real port numbers."""
        return [listener for listener, _ in self._sockets]

    @property
    def admin_listeners(self) -> list[Listener]:
        return [listener for listener, _ in self._admin_sockets]

    @property
    def advertised(self) -> Advertised:
        """``rest.advertised.*``, or else what the first listener that fits says (``RestServer.advertisedUrl``)."""
        wanted = self._config["rest.advertised.listener"]
        fitting = [x for x in self.listeners if wanted is None or x.scheme == wanted.lower()]
        if not fitting:
            raise ConfigError("rest.advertised.listener", wanted, "no listener has this protocol")
        # http first, as in Connect, where nothing is said.
        listener = min(fitting, key=lambda x: x.scheme)
        host = self._config["rest.advertised.host.name"] or listener.host
        if host in ("", "0.0.0.0", "::"):  # noqa: S104 - compared, not bound
            host = socket.gethostname()
        return Advertised(listener.scheme, host, self._config["rest.advertised.port"] or listener.port)

    def start(self, herder: Herder) -> None:
        """Returns once every listener answers. Raises `WorkerError` or `ConfigError`."""
        config = self._config
        context = Context(
            herder,
            topic_tracking=config["topic.tracking.enable"],
            topic_tracking_reset=config["topic.tracking.allow.reset"],
            get_actions=config["rest.get.actions"],
            client=self.worker_client,
        )
        settings = AppSettings(
            allow_origins=_listed(config["access.control.allow.origin"]),
            allow_methods=_listed(config["access.control.allow.methods"]),
            headers=parse_header_rules(config["response.http.headers.config"] or ""),
            # Unset: with the rest. An empty list: nowhere. Listed: there only.
            with_admin=config["admin.listeners"] is None,
        )
        app = connect_app(context, settings)
        servers = [(self._server(app, x, "listeners.https."), s) for x, s in self._sockets]
        if self._admin_sockets:
            admin = admin_app(context, settings)
            servers += [(self._server(admin, x, "admin.listeners.https."), s) for x, s in self._admin_sockets]
        self._servers = [server for server, _ in servers]
        self._thread = threading.Thread(target=self._serve, args=(servers,), name="rest", daemon=True)
        self._thread.start()
        self._await_start()
        _log.info("REST listens on %s; advertised as %s", ", ".join(map(str, self.listeners)), self.advertised.url)

    def stop(self) -> None:
        """No further requests; those open get a few seconds."""
        for server in self._servers:
            server.should_exit = True
        if self._thread is not None:
            self._thread.join(_STOP_TIMEOUT * 2)
        self._close_sockets()

    def _server(self, app: ASGIApp, listener: Listener, prefix: str) -> uvicorn.Server:
        config = uvicorn.Config(
            app,
            log_config=None,
            access_log=False,
            lifespan="off",
            ws="none",
            server_header=False,
            timeout_graceful_shutdown=_STOP_TIMEOUT,
        )
        config.load()
        if listener.scheme == "https":
            config.ssl = server_context(*tls_settings(self._config.raw, prefix))
        return uvicorn.Server(config)

    def _serve(self, servers: list[tuple[uvicorn.Server, socket.socket]]) -> None:
        try:
            asyncio.run(_serve_all(servers))
        except BaseException as error:
            self._failure = error
            _log.exception("The REST server failed")

    def _await_start(self) -> None:
        if self._thread is None:
            return
        step = 0.01
        for _ in range(int(_START_TIMEOUT / step)):
            if self._failure is not None:
                raise WorkerError(f"The REST server could not start: {self._failure}") from self._failure
            if all(server.started for server in self._servers):
                return
            self._thread.join(step)
        raise WorkerError(f"The REST server did not start within {_START_TIMEOUT:g} s")

    def _close_sockets(self) -> None:
        for _, bound in self._sockets + self._admin_sockets:
            bound.close()


async def _serve_all(servers: list[tuple[uvicorn.Server, socket.socket]]) -> None:
    await asyncio.gather(*(server.serve(sockets=[bound]) for server, bound in servers))


def _client_tls(config: WorkerConfig) -> ssl.SSLContext | None:
    """None, Python's own, where nothing is said."""
    prefix, props = tls_settings(config.raw, "listeners.https.")
    return client_context(prefix, props) if props else None


def _bind(listener: Listener, key: str) -> tuple[Listener, socket.socket]:
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    bound = socket.socket(family, socket.SOCK_STREAM)
    bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        bound.bind((listener.host, listener.port))
        bound.listen(128)  # taken from now on: another worker on this port must fail, not share it
    except (OSError, OverflowError) as error:
        bound.close()
        raise WorkerError(
            f"Cannot listen on {listener} ({key}): {getattr(error, 'strerror', None) or error}. Stop what uses the port, or name "
            f"another one, for example {key}=http://:{_free_alternative(listener.port)}"
        ) from error
    return listener._replace(port=bound.getsockname()[1]), bound


def _free_alternative(port: int) -> int:
    return port + 1 if 0 < port < 65535 else _DEFAULT_PORT


def _bracketed(host: str) -> str:
    return f"[{host}]" if ":" in host else host


def _listed(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value or ()
    return tuple(item.strip() for item in items if item.strip())
