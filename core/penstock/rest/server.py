"""`RestServer`: Connect's REST API at the worker's listeners."""

from __future__ import annotations

import logging
import socket
import ssl
from typing import Any, Final, NamedTuple

from penstock.config.tls import client_context, server_context, tls_settings
from penstock.config.worker import WorkerConfig
from penstock.errors import ConfigError
from penstock.herder.forwarding import WorkerClient
from penstock.herder.interface import Herder
from penstock.http.forwarded import parse_proxies
from penstock.http.limits import HttpLimits
from penstock.http.listeners import ALL_ADDRESSES, Listener, bind, bracketed, parse_listener
from penstock.http.origins import OriginRules
from penstock.http.server import HttpServer, Served
from penstock.rest.access import access_of
from penstock.rest.app import AppSettings, admin_app, connect_app
from penstock.rest.context import Context
from penstock.rest.headers import parse_header_rules
from penstock.rest.siblings import Siblings

__all__ = ["DEFAULT_PORT", "Advertised", "RestServer"]

_log = logging.getLogger(__name__)
DEFAULT_PORT: Final = 8083

_Bound = tuple[Listener, socket.socket]


class Advertised(NamedTuple):
    """Return the address at which other workers and users find this one. A worker's id is its ``host:port``."""

    scheme: str
    host: str
    port: int

    @property
    def url(self) -> str:
        return f"{self.scheme}://{bracketed(self.host)}:{self.port}/"

    @property
    def worker_id(self) -> str:
        return f"{self.host}:{self.port}"


class RestServer:
    """Binds the ports when made, so that addresses are known (and taken) before anything else starts; serves between
    `start` and `stop`."""

    def __init__(self, config: WorkerConfig) -> None:
        self._config = config
        #: For requests to other workers of the group, with the certificates of the listeners.
        self.worker_client = WorkerClient(lambda: _client_tls(config))
        #: Who may do what.
        self.access = access_of(config)
        self._proxies = parse_proxies("rest.trusted.proxies", config["rest.trusted.proxies"] or ())
        self._bound: list[_Bound] = []
        self._admin_bound: list[_Bound] = []
        try:
            for key, bound in (("listeners", self._bound), ("admin.listeners", self._admin_bound)):
                for text in config[key] or ():
                    bound.append(bind(parse_listener(text, DEFAULT_PORT, key), "Cannot listen", key))
        except BaseException:
            self._close_sockets()
            raise
        self._server: HttpServer | None = None
        #: The other workers of this machine, if one command started them; set before `start`.
        self.siblings: Siblings | None = None

    @property
    def listeners(self) -> list[Listener]:
        """The listeners as bound: with their real port numbers."""
        return [listener for listener, _ in self._bound]

    @property
    def admin_listeners(self) -> list[Listener]:
        return [listener for listener, _ in self._admin_bound]

    @property
    def advertised(self) -> Advertised:
        """``rest.advertised.*``, or else what the first listener that fits says (``RestServer.advertisedUrl``)."""
        wanted = self._config["rest.advertised.listener"]
        fitting = [x for x in self.listeners if wanted is None or x.scheme == wanted.lower()]
        if not fitting:
            raise ConfigError("rest.advertised.listener", wanted, "no listener has this protocol")
        # Without a setting http comes first, as in Connect.
        listener = min(fitting, key=lambda x: x.scheme)
        host = self._config["rest.advertised.host.name"] or listener.host
        if host in ALL_ADDRESSES:
            host = socket.gethostname()
        return Advertised(listener.scheme, host, self._config["rest.advertised.port"] or listener.port)

    def start(self, herder: Herder) -> None:
        """Return once every listener answers. Raises `WorkerError` or `ConfigError`."""
        config = self._config
        origins = _listed(config["access.control.allow.origin"])
        context = Context(
            herder,
            topic_tracking=config["topic.tracking.enable"],
            topic_tracking_reset=config["topic.tracking.allow.reset"],
            get_actions=config["rest.get.actions"],
            client=self.worker_client,
            origins=OriginRules(origins, self._own_hosts()),
            own_url=self.advertised.url.rstrip("/"),
            siblings=self.siblings,
        )
        settings = AppSettings(
            allow_origins=origins,
            allow_methods=_listed(config["access.control.allow.methods"]),
            headers=parse_header_rules(config["response.http.headers.config"] or ""),
            proxies=self._proxies,
            access=self.access,
            # Unset: with the rest. An empty list: nowhere. Listed: there only.
            with_admin=config["admin.listeners"] is None,
        )
        app = connect_app(context, settings)
        served = [Served(app, bound, self._tls(x, "listeners.https.")) for x, bound in self._bound]
        if self._admin_bound:
            admin = admin_app(context, settings)
            served += [Served(admin, bound, self._tls(x, "admin.listeners.https.")) for x, bound in self._admin_bound]
        self._server = HttpServer("rest", served, _limits(config))
        self._server.start()
        if self.siblings is not None:
            self.siblings.announce(self.advertised.url.rstrip("/"))
        _log.info("REST listens on %s; advertised as %s", ", ".join(map(str, self.listeners)), self.advertised.url)

    def stop(self) -> None:
        """Take no further requests; those at work get a few seconds."""
        if self._server is not None:
            self._server.stop()
        self._close_sockets()

    def _tls(self, listener: Listener, prefix: str) -> ssl.SSLContext | None:
        if listener.scheme != "https":
            return None
        return server_context(*tls_settings(self._config.raw, prefix))

    def _own_hosts(self) -> set[str]:
        """The names by which users reach this worker."""
        hosts = {listener.host for listener in (*self.listeners, *self.admin_listeners)}
        return {*hosts, self.advertised.host, socket.gethostname()}

    def _close_sockets(self) -> None:
        for _, bound in self._bound + self._admin_bound:
            bound.close()


def _limits(config: WorkerConfig) -> HttpLimits:
    return HttpLimits(
        max_body=config["rest.max.request.size"],
        max_body_key="rest.max.request.size",
        max_connections=config["rest.max.connections"],
        max_connections_key="rest.max.connections",
        timeout=config["rest.request.timeout.ms"] / 1000,
    )


def _client_tls(config: WorkerConfig) -> ssl.SSLContext | None:
    """Return the context that the listeners' settings make, None for Python's own if there are none."""
    prefix, props = tls_settings(config.raw, "listeners.https.")
    return client_context(prefix, props) if props else None


def _listed(value: Any) -> tuple[str, ...]:
    items = value.split(",") if isinstance(value, str) else value or ()
    return tuple(item.strip() for item in items if item.strip())
