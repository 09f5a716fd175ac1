"""Listeners: reading them from settings, and taking their ports."""

from __future__ import annotations

import socket
from typing import Final, NamedTuple
from urllib.parse import urlsplit

from penstock.errors import ConfigError, WorkerError

__all__ = ["ALL_ADDRESSES", "Listener", "bind", "bracketed", "parse_listener"]

#: Hosts that stand for every address of the machine.
ALL_ADDRESSES: Final = ("", "0.0.0.0", "::")  # noqa: S104 - compared, not bound
_BACKLOG: Final = 256


class Listener(NamedTuple):
    """One entry of ``listeners``. An empty host is every address of the machine; port 0 is any free one."""

    scheme: str
    host: str
    port: int

    def __str__(self) -> str:
        return f"{self.scheme}://{bracketed(self.host)}:{self.port}"

    @property
    def url(self) -> str:
        """Return the URL at which a client on this machine reaches it."""
        return str(self._replace(host="localhost") if self.host in ALL_ADDRESSES else self)


def bracketed(host: str) -> str:
    """Return `host` as URLs have it: an IPv6 address in brackets."""
    return f"[{host}]" if ":" in host else host


def parse_listener(text: str, default_port: int | None, key: str = "listeners") -> Listener:
    """Read ``http://[host]:port`` or ``https://…``. With `default_port` None the port must be given.

    Raises `ConfigError` naming `key`.
    """
    try:
        parts = urlsplit(text.strip())
        port = default_port if parts.port is None else parts.port
    except ValueError as error:
        raise ConfigError(key, text, str(error)) from None
    if parts.scheme.lower() not in ("http", "https") or parts.path.strip("/") or port is None:
        raise ConfigError(key, text, "Expected http://[host]:port or https://[host]:port")
    return Listener(parts.scheme.lower(), parts.hostname or "", port)


def bind(listener: Listener, who: str, key: str) -> tuple[Listener, socket.socket]:
    """Take the port of `listener` from now on; return the listener with its real port, and the socket.

    Raises `WorkerError` that says what `who` cannot do and names the setting `key`.
    """
    family = socket.AF_INET6 if ":" in listener.host else socket.AF_INET
    # asyncio switches Nagle's delay off only on sockets that say they are TCP; with it every answer takes 40 ms.
    bound = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    try:
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((listener.host, listener.port))
        bound.listen(_BACKLOG)  # another process on this port must fail, not share it
        bound.setblocking(False)
    except (OSError, OverflowError) as error:
        bound.close()
        raise WorkerError(
            f"{who} on {listener} ({key}): {getattr(error, 'strerror', None) or error}. Stop what uses the port, or name "
            f"another one, for example {key}={listener.scheme}://{bracketed(listener.host)}:{_other_port(listener.port)}"
        ) from error
    return listener._replace(port=bound.getsockname()[1]), bound


def _other_port(port: int) -> int:
    return port + 1 if 0 < port < 65535 else 8083
