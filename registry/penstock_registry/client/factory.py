"""From ``schema.registry.url`` and its companions to a client; one per process where the settings are equal."""

from __future__ import annotations

import importlib
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from penstock.api import SchemaFormat
from penstock.config import Password
from penstock.config.jaas import parse_jaas
from penstock.errors import ConfigError
from penstock_registry.client.caching import CachingClient
from penstock_registry.client.interface import RegistryClient
from penstock_registry.client.local import local_client
from penstock_registry.client.memory import mock_client
from penstock_registry.languages import BUILT_IN

__all__ = ["ClientSettings", "client_for", "split_urls"]

_SSL: Final = "schema.registry."
#: Confluent's key (with or without ``schema.registry.`` for the ssl.* ones) to confluent-kafka's.
_TLS: Final = {
    "ssl.ca.location": "ssl.ca.location",
    "ssl.certificate.location": "ssl.certificate.location",
    "ssl.key.location": "ssl.key.location",
    "ssl.key.password": "ssl.key.password",
}
#: Java's stores: PEM files are the same files under other names.
_JAVA_TLS: Final = frozenset({"ssl.truststore.type", "ssl.keystore.type"})
_JAVA_TLS_LOCATIONS: Final = {
    "ssl.truststore.location": ("ssl.ca.location", "ssl.truststore.type"),
    "ssl.keystore.location": ("ssl.certificate.location", "ssl.keystore.type"),
}
_BEARER: Final = {
    "bearer.auth.credentials.source": "bearer.auth.credentials.source",
    "bearer.auth.token": "bearer.auth.token",
    "bearer.auth.logical.cluster": "bearer.auth.logical.cluster",
    "bearer.auth.identity.pool.id": "bearer.auth.identity.pool.id",
    "bearer.auth.issuer.endpoint.url": "bearer.auth.issuer.endpoint.url",
    "bearer.auth.client.id": "bearer.auth.client.id",
    "bearer.auth.client.secret": "bearer.auth.client.secret",
    "bearer.auth.scope": "bearer.auth.scope",
}
_NUMBERS: Final = {
    "http.read.timeout.ms": ("timeout", 0.001),
    "http.connect.timeout.ms": ("timeout", 0.001),
    "max.retries": ("max.retries", 1),
    "retries.wait.ms": ("retries.wait.ms", 1),
    "retries.max.wait.ms": ("retries.max.wait.ms", 1),
}


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """The address of a registry and the way to talk to it, hashable. `options` are confluent-kafka's keys."""

    urls: tuple[str, ...]
    options: tuple[tuple[str, Any], ...] = ()
    cache_size: int = 1000

    #: Every key `parse` understands, without the ``schema.registry.`` that may stand before ``ssl.``.
    KEYS = frozenset(
        {"schema.registry.url", "basic.auth.credentials.source", "basic.auth.user.info", "schema.registry.basic.auth.user.info", "sasl.jaas.config"}
        | {"schemas.cache.config", "max.schemas.per.subject", "proxy.host", "proxy.port"}
        | set(_TLS) | set(_JAVA_TLS) | set(_JAVA_TLS_LOCATIONS) | set(_BEARER) | set(_NUMBERS)
    )  # fmt: skip

    @classmethod
    def parse(cls, config: Mapping[str, Any]) -> ClientSettings:
        """From a converter's settings. Raises `ConfigError`; keys it does not know are not its business."""
        plain = {k: v.value if isinstance(v, Password) else v for k, v in config.items()}
        urls = split_urls(plain.get("schema.registry.url"))
        options: dict[str, Any] = {}
        _basic(plain, options)
        _bearer(plain, options)
        _tls(plain, options)
        for key, (name, factor) in _NUMBERS.items():
            if key in plain:
                options[name] = _positive(key, plain[key]) * factor
        host = plain.get("proxy.host")
        if host:
            options["proxy"] = f"http://{host}:{_positive('proxy.port', plain.get('proxy.port', 80))}"
        size = plain.get(
            "schemas.cache.config", plain.get("schemas.cache.size", plain.get("max.schemas.per.subject", 1000))
        )
        return cls(urls, tuple(sorted(options.items())), _positive("schemas.cache.config", size))


def split_urls(value: Any) -> tuple[str, ...]:
    """Return the URLs of ``schema.registry.url``: a list, or text with commas; all of one kind."""
    if value is None or value == "" or value == []:
        raise ConfigError('Missing required configuration "schema.registry.url" which has no default value.')
    urls = tuple(u.strip().rstrip("/") for u in (value.split(",") if isinstance(value, str) else value) if u.strip())
    kinds = {u.partition("://")[0] for u in urls}
    for url in urls:
        if url.partition("://")[0] not in ("http", "https", "mock", "local") or "://" not in url:
            raise ConfigError("schema.registry.url", url, "expected http://, https://, mock://NAME or local://NAME")
    if kinds & {"mock", "local"} and len(urls) > 1:
        raise ConfigError("schema.registry.url", ",".join(urls), "mock:// and local:// stand alone")
    return urls


def _basic(plain: Mapping[str, Any], options: dict[str, Any]) -> None:
    source = str(plain.get("basic.auth.credentials.source", "URL")).upper()
    info = plain.get("basic.auth.user.info") or plain.get("schema.registry.basic.auth.user.info")
    if source == "USER_INFO":
        if not info or ":" not in str(info):
            raise ConfigError(
                "basic.auth.user.info", "[hidden]", "expected user:password, as the credentials source is USER_INFO"
            )
        options["basic.auth.user.info"] = str(info)
    elif source == "SASL_INHERIT":
        options["basic.auth.user.info"] = _inherited(plain.get("sasl.jaas.config"))
    elif source != "URL":
        raise ConfigError("basic.auth.credentials.source", source, "expected URL, USER_INFO or SASL_INHERIT")


def _inherited(jaas: Any) -> str:
    """user:password out of the login of Kafka's clients (``SaslBasicAuthCredentialProvider``)."""
    if not jaas:
        raise ConfigError(
            "basic.auth.credentials.source", "SASL_INHERIT", "expected sasl.jaas.config among the converter's settings"
        )
    login = parse_jaas(str(jaas))
    if "sasl.username" not in login:
        raise ConfigError(
            "sasl.jaas.config", "[hidden]", "expected a login module with username and password, for SASL_INHERIT"
        )
    return f"{login['sasl.username']}:{login['sasl.password']}"


def _bearer(plain: Mapping[str, Any], options: dict[str, Any]) -> None:
    source = plain.get("bearer.auth.credentials.source")
    if not source:
        return
    if source not in ("STATIC_TOKEN", "OAUTHBEARER"):
        raise ConfigError("bearer.auth.credentials.source", source, "expected STATIC_TOKEN or OAUTHBEARER")
    for key, name in _BEARER.items():
        if plain.get(key):
            options[name] = plain[key]
    # Confluent Cloud wants to know the cluster, others do not; the library insists on the key.
    options.setdefault("bearer.auth.logical.cluster", "")


def _tls(plain: Mapping[str, Any], options: dict[str, Any]) -> None:
    tls = {k.removeprefix(_SSL): v for k, v in plain.items() if k.removeprefix(_SSL).startswith("ssl.")}
    for key, name in _TLS.items():
        if tls.get(key):
            options[name] = tls[key]
    for key, (name, kind) in _JAVA_TLS_LOCATIONS.items():
        if not tls.get(key):
            continue
        if str(tls.get(kind, "JKS")).upper() != "PEM":
            raise ConfigError(
                _SSL + key, tls[key], f"only PEM stores can be read here: set {_SSL}{kind}=PEM"
                " (keytool -importkeystore -deststoretype PKCS12, then openssl pkcs12, converts a JKS store)"
            )  # fmt: skip
        options[name] = tls[key]


def _positive(key: str, value: Any) -> int:
    try:
        number = int(value)
    except (TypeError, ValueError):
        raise ConfigError(key, value, "Not a number of type INT") from None
    if number < 0:
        raise ConfigError(key, value, "Value must be at least 0")
    return number


_shared: dict[ClientSettings, RegistryClient] = {}
_shared_lock = threading.Lock()


def client_for(urls: str | Sequence[str], config: Mapping[str, Any]) -> RegistryClient:
    """Return the client for these URLs and a converter's settings (``basic.auth.*``, ``schema.registry.ssl.*``, ...).

    HTTP clients with equal settings are one, cache included. ``mock://`` and ``local://`` need no cache.
    """
    settings = ClientSettings.parse({**config, "schema.registry.url": urls})
    kind, _, name = settings.urls[0].partition("://")
    if kind == "mock":
        return mock_client(name, normalized_text)
    if kind == "local":
        return local_client(name)
    with _shared_lock:
        client = _shared.get(settings)
        if client is None:
            from penstock_registry.client.http import HttpClient  # loads an HTTP library: only when there is a URL

            client = CachingClient(HttpClient(settings.urls, dict(settings.options)), settings.cache_size)
            _shared[settings] = client
        return client


def normalized_text(schema: str, schema_type: str, resolved: Mapping[str, str]) -> str:
    """Return the normalized text of a schema in a format that this package offers; of another one the text as it is."""
    target = BUILT_IN.get(schema_type.upper())
    if target is None:
        return schema
    module, _, name = target.partition(":")
    make: Callable[[], SchemaFormat] = getattr(importlib.import_module(module), name)
    return make().parse(schema, (), resolved).normalized().canonical
