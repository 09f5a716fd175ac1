"""Java client settings in kafka-python's words: the connection of a group member.

As with `penstock.kafka.settings`: translated, of no effect here, or refused by name.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final

from penstock.config import Password
from penstock.config.jaas import parse_jaas
from penstock.config.tls import client_context
from penstock.errors import ConfigError
from penstock.kafka.oauth import ClientCredentials

__all__ = ["connection_settings"]

_log: Final = logging.getLogger(__name__)

_NUMBERS: Final = {
    "reconnect.backoff.ms": "reconnect_backoff_ms",
    "reconnect.backoff.max.ms": "reconnect_backoff_max_ms",
    "retry.backoff.ms": "retry_backoff_ms",
    "metadata.max.age.ms": "metadata_max_age_ms",
    "connections.max.idle.ms": "connections_max_idle_ms",
    "socket.connection.setup.timeout.ms": "socket_connection_setup_timeout_ms",
    "socket.connection.setup.timeout.max.ms": "socket_connection_setup_timeout_max_ms",
}
_MECHANISMS: Final = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "GSSAPI")
_PROTOCOLS: Final = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")


def connection_settings(props: Mapping[str, Any], owner: str) -> dict[str, Any]:
    """kafka-python's settings for the connection that `props` describes, a worker's own settings. `owner` is named in
    errors; they are `ConfigError` and never hold a secret."""
    given = {name: str(raw.value if isinstance(raw, Password) else raw) for name, raw in props.items()}
    settings: dict[str, Any] = {
        "bootstrap_servers": [s.strip() for s in given.get("bootstrap.servers", "").split(",") if s.strip()],
        "security_protocol": _one_of(given, "security.protocol", "PLAINTEXT", _PROTOCOLS),
    }
    if not settings["bootstrap_servers"]:
        raise ConfigError(f"{owner}: bootstrap.servers is missing: expected host:port,host:port")
    for name, own in _NUMBERS.items():
        if name in given:
            settings[own] = _number(name, given[name])
    if given.get("client.dns.lookup") == "resolve_canonical_bootstrap_servers_only":
        settings["client_dns_lookup"] = given["client.dns.lookup"]
    if settings["security_protocol"] in ("SSL", "SASL_SSL"):
        settings["ssl_context"] = client_context("", {k: v for k, v in given.items() if _says_something(k, v)})
    if settings["security_protocol"].startswith("SASL"):
        settings.update(_sasl(given))
    return settings


def _says_something(name: str, value: str) -> bool:
    # An empty text is no file and no password; for this one setting it is a value.
    return name.startswith("ssl.") and bool(value or name == "ssl.endpoint.identification.algorithm")


def _one_of(given: Mapping[str, str], name: str, default: str, allowed: tuple[str, ...]) -> str:
    value = given.get(name, default).upper()
    if value not in allowed:
        raise ConfigError(name, given.get(name), f"expected one of {', '.join(allowed)}")
    return value


def _number(name: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise ConfigError(name, text, "expected a whole number") from None


def _sasl(given: Mapping[str, str]) -> dict[str, Any]:
    mechanism = _one_of(given, "sasl.mechanism", "GSSAPI", _MECHANISMS)
    settings: dict[str, Any] = {"sasl_mechanism": mechanism}
    jaas = parse_jaas(given["sasl.jaas.config"]) if given.get("sasl.jaas.config") and mechanism != "GSSAPI" else {}
    if mechanism == "GSSAPI":
        settings["sasl_kerberos_service_name"] = given.get("sasl.kerberos.service.name", "kafka")
    elif mechanism == "OAUTHBEARER":
        settings["sasl_oauth_token_provider"] = _oauth(given, jaas)
    else:
        if "sasl.username" not in jaas:
            raise ConfigError(
                f"sasl.jaas.config is missing: {mechanism} needs a login module line with username and password"
            )
        settings["sasl_plain_username"] = jaas["sasl.username"]
        settings["sasl_plain_password"] = jaas["sasl.password"]
    return settings


def _oauth(given: Mapping[str, str], jaas: Mapping[str, Any]) -> ClientCredentials:
    first: Callable[[str, str], str | None] = lambda own, other: given.get(own) or jaas.get(other)  # noqa: E731 - names two places
    client_id = first("sasl.oauthbearer.client.credentials.client.id", "sasl.oauthbearer.client.id")
    secret = first("sasl.oauthbearer.client.credentials.client.secret", "sasl.oauthbearer.client.secret")
    url = given.get("sasl.oauthbearer.token.endpoint.url")
    if not url or not client_id or not secret:
        raise ConfigError(
            "OAUTHBEARER needs sasl.oauthbearer.token.endpoint.url, and clientId and clientSecret in sasl.jaas.config or "
            "sasl.oauthbearer.client.credentials.client.id and .secret"
        )
    return ClientCredentials(url, client_id, secret, first("sasl.oauthbearer.scope", "sasl.oauthbearer.scope"))
