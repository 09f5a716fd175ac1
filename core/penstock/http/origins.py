"""Requests that a web page makes through somebody's browser.

A browser sends some requests to any server on behalf of any page (``fetch`` with ``no-cors``, forms), and more to a server
whose name the page's owner can point anywhere (DNS rebinding). It says where a request comes from: in ``Sec-Fetch-Site``,
or, if it is an old one, in ``Origin``. A change is refused unless it comes from a page of this server itself or from an
origin that CORS allows. A client that is no browser sends neither header.
"""

from __future__ import annotations

import ipaddress
from collections.abc import Collection, Sequence
from typing import Final
from urllib.parse import urlsplit

from starlette.middleware.cors import CORSMiddleware

from penstock.http.asgi import App, Scope, header_values

__all__ = ["OriginRules", "with_cors"]

_SAFE: Final = frozenset({"GET", "HEAD", "OPTIONS", "TRACE"})
#: Jetty's filter, which Connect uses, allows these if a configuration says nothing.
_DEFAULT_METHODS: Final = ("GET", "POST", "HEAD")
#: Ends of names that no stranger can have in the public DNS.
_PRIVATE_ENDS: Final = (".localhost", ".local", ".internal", ".lan", ".home.arpa", ".test")


def with_cors(app: App, origins: Sequence[str], methods: Sequence[str]) -> App:
    """Return `app` with the headers of ``access.control.allow.origin`` and ``.methods``; `app` itself without origins."""
    if not origins:
        return app
    allowed = tuple(methods) or _DEFAULT_METHODS
    return CORSMiddleware(app, allow_origins=tuple(origins), allow_methods=allowed, allow_headers=("*",))


class OriginRules:
    """The check of requests that browsers send for web pages. `own_hosts` are this server's names; addresses and names
    that cannot stand in the public DNS need not be told."""

    def __init__(self, allowed: Collection[str], own_hosts: Collection[str] = ()) -> None:
        self._allowed = frozenset(allowed)
        self._own_hosts = frozenset(host.lower() for host in own_hosts)

    def problem(self, scope: Scope) -> str | None:
        """Return why a request is refused (403), None if it is not."""
        if scope["method"] in _SAFE:
            return None
        sites, origin = header_values(scope, b"sec-fetch-site"), _text(header_values(scope, b"origin"))
        if not sites and not origin:
            return None
        if origin and ("*" in self._allowed or origin in self._allowed):
            return None
        host = _text(header_values(scope, b"host"))
        if sites:
            foreign = any(site.strip().lower() not in (b"same-origin", b"none") for site in sites)
        else:
            foreign = _authority(origin) != host.lower()
        if foreign:
            who = f"a web page of {origin}" if origin and origin != "null" else "a web page of another site"
            return f"A browser sent this for {who}; access.control.allow.origin must name that origin to allow it"
        if not self.is_own(host):
            return (
                f"A browser sent this to the host {host}, which is no name of this server; if it is, "
                "access.control.allow.origin must name the origin of the page"
            )
        return None

    def is_own(self, host: str) -> bool:
        """Return whether a request's `host`, its port included, names this server or at least nobody else."""
        name = _host_name(host)
        if name is None:
            return False
        if name in self._own_hosts or "." not in name or name.endswith(_PRIVATE_ENDS):
            return True
        try:
            ipaddress.ip_address(name)
        except ValueError:
            return False
        return True


def _host_name(host: str) -> str | None:
    """Return the name or address in `host`, in lower case; None if it is no host and port."""
    try:
        parts = urlsplit(f"//{host}")
        port = parts.port
    except ValueError:
        return None
    name = parts.hostname
    whole = {name, f"{name}:{port}", f"[{name}]", f"[{name}]:{port}"}
    return name if name and host.lower() in whole and name.isascii() else None


def _authority(origin: str) -> str:
    return origin.partition("://")[2].lower()


def _text(values: Sequence[bytes]) -> str:
    return values[0].decode("latin-1").strip() if values else ""
