"""The address of a converter's registry, and the credentials that the converter shows there."""

from __future__ import annotations

import ssl
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final

from penstock.config.jaas import parse_jaas
from penstock.config.tls import client_context
from penstock.errors import ConfigError

__all__ = ["RegistryAccess", "registry_accesses"]

_PREFIX: Final = "schema.registry."
#: The client library's names of PEM files, and Java's.
_PEM_FILES: Final = {
    "ssl.ca.location": "ssl.truststore.location",
    "ssl.certificate.location": "ssl.keystore.location",
}


@dataclass(frozen=True)
class RegistryAccess:
    """One of a converter's registries. The URL may hold user and password; `user` is ``name:password``. None of it is shown."""

    url: str = field(repr=False)
    user: str | None = field(default=None, repr=False)
    token: str | None = field(default=None, repr=False)
    tls: ssl.SSLContext | None = field(default=None, repr=False, compare=False)


def registry_accesses(settings: Mapping[str, str]) -> list[RegistryAccess]:
    """Return the registries that a converter's settings name, of those that are asked over HTTP.

    Raises `ConfigError` for settings that cannot be used.
    """
    urls = [url.strip() for url in settings.get("schema.registry.url", "").split(",") if url.strip()]
    web = [url for url in urls if url.startswith(("http://", "https://"))]
    if not web:
        return []
    user, token = _user(settings), _token(settings)
    tls = _tls(settings) if any(url.startswith("https") for url in web) else None
    return [RegistryAccess(url, user, token, tls if url.startswith("https") else None) for url in web]


def _user(settings: Mapping[str, str]) -> str | None:
    source = settings.get("basic.auth.credentials.source", "URL").upper()
    if source == "USER_INFO":
        return settings.get("basic.auth.user.info") or settings.get("schema.registry.basic.auth.user.info")
    if source == "SASL_INHERIT":
        login = parse_jaas(settings.get("sasl.jaas.config", ""))
        return f"{login.get('sasl.username', '')}:{login.get('sasl.password', '')}"
    return None


def _token(settings: Mapping[str, str]) -> str | None:
    source = settings.get("bearer.auth.credentials.source", "")
    if source == "STATIC_TOKEN":
        return settings.get("bearer.auth.token")
    if source != "OAUTHBEARER":
        return None
    from penstock.kafka.oauth import ClientCredentials  # brings a Kafka client along

    needed = {
        name: settings.get(f"bearer.auth.{name}", "") for name in ("issuer.endpoint.url", "client.id", "client.secret")
    }
    for name, value in needed.items():
        if not value:
            raise ConfigError(f"bearer.auth.{name} is missing, which bearer.auth.credentials.source=OAUTHBEARER needs")
    url, client, secret = needed.values()
    return ClientCredentials(url, client, secret, settings.get("bearer.auth.scope")).token()


def _tls(settings: Mapping[str, str]) -> ssl.SSLContext:
    tls = {k.removeprefix(_PREFIX): v for k, v in settings.items() if k.removeprefix(_PREFIX).startswith("ssl.")}
    for theirs, javas in _PEM_FILES.items():
        if tls.get(theirs):
            tls[javas] = tls[theirs]
    return client_context(_PREFIX, {name: value for name, value in tls.items() if value})
