"""``X-Forwarded-For`` and ``X-Forwarded-Proto``: believed from the proxies that a setting names, and from nobody else."""

from __future__ import annotations

import ipaddress
from collections.abc import Sequence

from uvicorn.middleware.proxy_headers import ProxyHeadersMiddleware

from penstock.errors import ConfigError
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
    return ProxyHeadersMiddleware(app, trusted_hosts=list(proxies)) if proxies else app  # type: ignore[arg-type,return-value]  # uvicorn's own ASGI types
