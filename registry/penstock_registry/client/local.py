"""``local://NAME``: registries that live in this process, reached without HTTP."""

from __future__ import annotations

import threading

from penstock.errors import ConfigError
from penstock_registry.client.interface import RegistryClient

__all__ = ["local_client", "register_local", "unregister_local"]

_locals: dict[str, RegistryClient] = {}
_lock = threading.Lock()


def register_local(name: str, client: RegistryClient) -> None:
    """Let ``local://name`` mean `client`, from now on and for clients made from now on."""
    with _lock:
        _locals[name] = client


def unregister_local(name: str) -> None:
    with _lock:
        _locals.pop(name, None)


def local_client(name: str) -> RegistryClient:
    """Return the registry of ``local://name``. Raises a `ConfigError` that lists the known ones if there is none."""
    with _lock:
        client = _locals.get(name)
        known = ", ".join(f"local://{n}" for n in sorted(_locals))
    if client is None:
        raise ConfigError(
            "schema.registry.url",
            f"local://{name}",
            f"no such registry runs in this process (known: {known or 'none'}); "
            "set schema.registry.embedded=true or give an http:// URL",
        )
    return client
