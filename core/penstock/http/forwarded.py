"""``X-Forwarded-For`` and ``X-Forwarded-Proto``: believed from the proxies that a setting names, and from nobody else."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence
from typing import TYPE_CHECKING

from penstock.errors import ConfigError

if TYPE_CHECKING:
    from penstock.http.asgi import App

__all__ = ["parse_proxies", "with_forwarded"]


def parse_proxies(key: str, texts: Sequence[str]) -> tuple[str, ...]:
    """Read addresses and networks (``10.0.0.7``, ``10.1.0.0/16``, ``::1``). Raises `ConfigError` naming `key`."""
    for text in texts:
        try:
            ipaddress.ip_network(text, strict=False)
        except ValueError:
            raise ConfigError(key, text, "expected IP addresses or networks, as in 10.0.0.7 or 10.1.0.0/16") from None
    return tuple(texts)


def with_forwarded(app: App, proxies: Sequence[str]) -> App:
    """Return `app` for requests whose scheme and client are those that one of `proxies` tells; `app` itself without any."""
    if not proxies:
        return app
    # Settings are read without a server, and uvicorn is large.
    from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

    return ProxyHeadersMiddleware(app, trusted_hosts=list(proxies))  # type: ignore[arg-type,return-value]  # uvicorn has ASGI types of its own
