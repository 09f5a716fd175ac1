"""The registry as a service of a process: its HTTP server in a thread, and ``local://NAME`` for the converters beside it."""

from __future__ import annotations

import asyncio
import logging
import socket
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version as distribution_version
from typing import TYPE_CHECKING

from penstock.api.registry import SchemaFormat
from penstock.errors import WorkerError
from penstock_registry.client.local import register_local, unregister_local
from penstock_registry.server.config import Listener, ServerConfig
from penstock_registry.server.direct import DirectClient
from penstock_registry.server.formats import Formats
from penstock_registry.server.registry import Registry, RegistryOptions
from penstock_registry.server.stores import make_store
from penstock_registry.store import RegistryStore

if TYPE_CHECKING:
    import uvicorn

__all__ = ["RegistryService"]

_log = logging.getLogger(__name__)
_START_SECONDS = 30.0
_STOP_SECONDS = 10.0


class RegistryService:
    """A registry with its HTTP server (`penstock.api.Service`). Start and stop once each, from any thread.

    `formats` are schema languages beside the built-in ones: by type name, what makes them. To be given before `start`.
    `store` takes the place of the one that the settings name.
    """

    def __init__(
        self, formats: Mapping[str, Callable[[], SchemaFormat]] | None = None, store: RegistryStore | None = None
    ) -> None:
        self.formats: dict[str, Callable[[], SchemaFormat]] = dict(formats or {})
        self._given_store = store
        self._lock = threading.Lock()
        self._registry: Registry | None = None
        self._server: uvicorn.Server | None = None
        self._thread: threading.Thread | None = None
        self._urls: tuple[str, ...] = ()
        self._name: str | None = None

    @property
    def urls(self) -> Sequence[str]:
        return self._urls

    @property
    def registry(self) -> Registry:
        """The registry itself, for callers in the same process. Only between start and stop."""
        if self._registry is None:
            raise WorkerError("The schema registry is not running: start it first.")
        return self._registry

    def start(self, config: Mapping[str, str]) -> None:
        """Begin serving; returns once it can answer. Raises `ConfigError` or `WorkerError`."""
        settings = ServerConfig.parse(config)
        for warning in settings.warnings:
            _log.warning("Schema registry: %s", warning)
        with self._lock:
            if self._registry is not None:
                raise WorkerError("The schema registry is running already.")
            sockets = _bind_all(settings.listeners)
            options = RegistryOptions(settings.compatibility, settings.mode_mutability)
            registry = Registry(self._given_store or make_store(settings), Formats(self.formats), options)
            try:
                registry.start()
                self._serve(registry, settings, sockets)
            except BaseException:
                registry.close()
                for bound in sockets:
                    bound.close()
                raise
            self._registry = registry
            self._urls = tuple(
                Listener(listener.host, bound.getsockname()[1]).url
                for listener, bound in zip(settings.listeners, sockets, strict=True)
            )
            self._name = settings.name
            register_local(settings.name, DirectClient(registry))
        _log.info("Schema registry serves at %s and local://%s", ", ".join(self._urls), settings.name)

    def stop(self) -> None:
        """Stop serving; may be called twice."""
        with self._lock:
            if self._registry is None:
                return
            if self._name is not None:
                unregister_local(self._name)
            if self._server is not None:
                self._server.should_exit = True
            if self._thread is not None:
                self._thread.join(_STOP_SECONDS)
                if self._thread.is_alive():
                    _log.warning("The schema registry's HTTP server did not stop within %.0f s", _STOP_SECONDS)
            self._registry.close()
            self._registry = self._server = self._thread = None
            self._urls = ()

    def _serve(self, registry: Registry, settings: ServerConfig, sockets: list[socket.socket]) -> None:
        # FastAPI and uvicorn cost 30 MB: not before somebody really starts a registry.
        import uvicorn

        from penstock_registry.server.http.app import make_app

        clusters = {"kafka-cluster": "", "schema-registry-cluster": settings.group_id}
        app = make_app(
            registry,
            version=distribution_version("penstock"),
            identity={"scope": {"path": [], "clusters": clusters}},
            limits=settings.limits,
            max_request_size=settings.max_request_size,
        )
        server = uvicorn.Server(
            uvicorn.Config(
                app,
                log_config=None,
                log_level="warning",
                access_log=False,
                lifespan="off",
                server_header=False,
                timeout_graceful_shutdown=int(_STOP_SECONDS) // 2,
            )
        )
        thread = threading.Thread(
            target=lambda: asyncio.run(server.serve(sockets=sockets)), name="schema-registry-http", daemon=True
        )
        thread.start()
        deadline = time.monotonic() + _START_SECONDS
        while not server.started:
            if not thread.is_alive() or time.monotonic() > deadline:
                raise WorkerError("The schema registry's HTTP server did not start; the log says why.")
            time.sleep(0.005)  # uvicorn tells by a flag only
        self._server, self._thread = server, thread


def _bind_all(listeners: Sequence[Listener]) -> list[socket.socket]:
    """One listening socket each; a port in use is told before anything else is done."""
    bound: list[socket.socket] = []
    try:
        for listener in listeners:
            bound.append(_bind(listener))
    except BaseException:
        for one in bound:
            one.close()
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
            f"The schema registry cannot listen at http://{listener.host}:{listener.port}: {error.strerror or error}. "
            "Stop what holds the port, or set listeners to another address."
        ) from error
    sock.setblocking(False)
    return sock
