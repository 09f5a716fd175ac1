"""The registry as a service of a process: its HTTP server in a thread, and ``local://NAME`` for the converters beside it."""

from __future__ import annotations

import logging
import socket
import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from importlib.metadata import version as distribution_version
from typing import TYPE_CHECKING

from penstock.api.registry import SchemaFormat
from penstock.config.tls import certificate_expiries, server_context
from penstock.errors import ConfigError, WorkerError
from penstock.http.listeners import Listener, bind
from penstock.measurements import Measurement
from penstock_registry.client.local import register_local, unregister_local
from penstock_registry.server.access.guard import Guard
from penstock_registry.server.config import ServerConfig
from penstock_registry.server.direct import DirectClient
from penstock_registry.server.formats import Formats
from penstock_registry.server.registry import Registry, RegistryOptions
from penstock_registry.server.stores import make_store
from penstock_registry.server.summary import summary_of
from penstock_registry.store import RegistryStore

if TYPE_CHECKING:
    from penstock.http.server import HttpServer
    from penstock_registry.server.http.front import Front
    from penstock_registry.server.http.metered import Metered
    from penstock_registry.server.kafka_config import KafkaConfig
    from penstock_registry.server.leader.forwarding import Forwarder

__all__ = ["RegistryService"]

_log = logging.getLogger(__name__)


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
        self._server: HttpServer | None = None
        self._front: Front | None = None
        self._forwarder: Forwarder | None = None
        self._urls: tuple[str, ...] = ()
        self._name: str | None = None
        self._summary: dict[str, str] = {}
        self._metered: Metered | None = None

    def summary(self) -> Mapping[str, str]:
        """Return what it runs with, for the log (`penstock.api.HasSummary`)."""
        return dict(self._summary)

    def measurements(self) -> Iterable[Measurement]:
        """Return everything that is measured now (`penstock.api.HasMeasurements`)."""
        metered = self._metered
        return () if metered is None else metered.measurements()

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
            bound = _bind_all(settings.listeners)
            options = RegistryOptions(
                settings.compatibility,
                settings.mode_mutability,
                settings.max_schema_size,
                settings.max_schema_nesting,
                settings.max_import_id,
            )
            store = self._given_store or make_store(settings)
            registry = Registry(store, Formats(self.formats), options)
            try:
                self._serve(registry, store, settings, bound)
            except BaseException:
                self._end(registry)
                for _, sock in bound:
                    sock.close()
                raise
            self._registry = registry
            self._urls = tuple(listener.url for listener, _ in bound)
            self._name = settings.name
            version = distribution_version("penstock")
            self._summary = summary_of(settings, self._urls, version, registry.formats.names())
            register_local(settings.name, DirectClient(registry, self._forwarder))
        _log.info("Schema registry serves at %s and local://%s", ", ".join(self._urls), settings.name)

    def stop(self) -> None:
        """Stop serving; may be called twice."""
        with self._lock:
            if self._registry is None:
                return
            if self._name is not None:
                unregister_local(self._name)
            self._end(self._registry)
            self._registry = None
            self._urls = ()

    def _end(self, registry: Registry) -> None:
        """End the parts in order: the lead first, so that another registry has it while the last requests are answered."""
        if self._forwarder is not None:
            self._forwarder.election.stop()
            self._forwarder.drain()
        if self._server is not None:
            self._server.stop()
        if self._front is not None:
            self._front.close()
        if self._forwarder is not None:
            self._forwarder.close()
        registry.close()
        self._server = self._front = self._forwarder = self._metered = None

    def _serve(
        self,
        registry: Registry,
        store: RegistryStore,
        settings: ServerConfig,
        bound: Sequence[tuple[Listener, socket.socket]],
    ) -> None:
        # FastAPI and uvicorn cost 30 MB: not before somebody really starts a registry.
        from penstock.http.forwarded import with_forwarded
        from penstock.http.origins import OriginRules, with_cors
        from penstock.http.server import HttpServer, Served
        from penstock_registry.server.http.answer_meter import AnswerMeter
        from penstock_registry.server.http.app import make_app
        from penstock_registry.server.http.metered import Metered

        guard = None if settings.access.is_open else Guard(settings.access, registry.settings.alias_of)
        encrypted = any(listener.scheme == "https" for listener in settings.listeners)
        tls = server_context("", settings.tls) if encrypted else None
        registry.start()
        if settings.kafka is not None:
            self._forwarder = _forwarder(settings.kafka, store, [listener for listener, _ in bound], settings.tls)
        clusters = {"kafka-cluster": getattr(store, "cluster_id", ""), "schema-registry-cluster": settings.group_id}
        metered = self._metered = Metered(
            AnswerMeter(settings.windows),
            registry.catalog.version_counts,
            None if self._forwarder is None else self._forwarder.election,
            custom_formats=len(self.formats),
            expiries=certificate_expiries(settings.tls) if encrypted else None,
        )
        app = make_app(
            registry,
            version=distribution_version("penstock"),
            identity={"scope": {"path": [], "clusters": clusters}},
            limits=settings.limits,
            max_request_size=settings.http.max_body,
            guard=guard,
            forwarder=self._forwarder,
            origins=OriginRules(settings.web.allow_origins, _own_hosts(settings)),
            metered=metered,
        )
        web = with_cors(app, settings.web.allow_origins, settings.web.allow_methods)
        web = with_forwarded(web, settings.web.proxies)
        served = [Served(web, sock, tls if listener.scheme == "https" else None) for listener, sock in bound]
        server = HttpServer("schema-registry-http", served, settings.http)
        self._server, self._front = server, app
        server.start()
        if self._forwarder is not None:
            # Last: whoever is asked to lead must be able to answer.
            self._forwarder.election.start()


def _bind_all(listeners: Sequence[Listener]) -> list[tuple[Listener, socket.socket]]:
    """Take a port for each listener; a port in use is told before anything else is done."""
    bound: list[tuple[Listener, socket.socket]] = []
    try:
        for listener in listeners:
            bound.append(bind(listener, "The schema registry cannot listen", "listeners"))
    except BaseException:
        for _, sock in bound:
            sock.close()
        raise
    return bound


def _own_hosts(settings: ServerConfig) -> set[str]:
    """The names by which users reach this registry."""
    hosts = {listener.host for listener in settings.listeners} | {socket.gethostname()}
    return hosts | {settings.kafka.host} if settings.kafka is not None and settings.kafka.host else hosts


def _forwarder(
    kafka: KafkaConfig, store: RegistryStore, listeners: Sequence[Listener], tls: Mapping[str, str]
) -> Forwarder:
    from penstock.config.tls import client_context
    from penstock_registry.server.leader.election import Election
    from penstock_registry.server.leader.forwarding import Forwarder
    from penstock_registry.store.kafka import KafkaStore

    assert isinstance(store, KafkaStore)
    listener = next((one for one in listeners if one.scheme == kafka.scheme), None)
    if listener is None:
        raise ConfigError("inter.instance.protocol", kafka.scheme, "no listener has this protocol")
    context = client_context("", tls) if kafka.scheme == "https" else None
    everywhere = listener.host in ("0.0.0.0", "::")  # noqa: S104 - compared, not bound
    host = kafka.host or (socket.getfqdn() if everywhere else listener.host)
    return Forwarder(Election(kafka, host, listener.port, store), store, context)
