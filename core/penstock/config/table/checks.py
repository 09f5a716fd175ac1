"""Checks for single worker settings that ConfigDef's own validators do not cover."""

from __future__ import annotations

import csv
from typing import Any, Final
from urllib.parse import urlsplit

from penstock.config.validators import LambdaValidator
from penstock.errors import ConfigError

__all__ = [
    "ADMIN_LISTENERS",
    "ALGORITHM",
    "ALGORITHMS",
    "BROKERS",
    "LISTENERS",
    "POSITIVE_OR_BROKERS",
    "PROTOCOLS",
    "RESPONSE_HEADERS",
    "TLS_VERSIONS",
    "one_of",
]

#: The HMACs that sign requests between workers, by Java's names.
_HMACS: Final = ("HmacSHA256", "HmacSHA384", "HmacSHA512", "HmacSHA224", "HmacSHA1", "HmacMD5")
_RULE_ACTIONS: Final = ("set", "add", "setDate", "addDate")


def one_of(*valid: str) -> LambdaValidator:
    """Return a validator that accepts one of `valid` in any letter case."""

    def check(name: str, value: Any) -> None:
        if value is None or value.lower() not in {v.lower() for v in valid}:
            raise ConfigError(name, value, f"String must be one of (case insensitive): {', '.join(valid)}")

    return LambdaValidator(check, f"(case insensitive) [{', '.join(valid)}]")


def _listeners(name: str, value: list[str] | None) -> None:
    for url in value or []:
        try:
            parts = urlsplit(url.strip())
            port = parts.port
        except ValueError:
            parts, port = urlsplit(""), None
        if parts.scheme.lower() not in ("http", "https") or port is None:
            raise ConfigError(name, url, "expected http://HOST:PORT or https://HOST:PORT, where HOST may be empty")


def _brokers(name: str, value: list[str] | None) -> None:
    """``ClientUtils.parseAndValidateAddresses``; a scheme before the host is allowed there, too."""
    if not value:
        raise ConfigError(name, "", "expected at least one broker as HOST:PORT, several separated by commas")
    for address in value:
        host, colon, port = address.rpartition("://")[2].rpartition(":")
        bare_ipv6 = ":" in host and not (host.startswith("[") and host.endswith("]"))
        if not host or bare_ipv6 or not colon or not port.isdecimal() or not 0 < int(port) < 65536:
            raise ConfigError(
                name, address, "expected HOST:PORT, several separated by commas, for example broker-1:9092"
            )


def _some_listeners(name: str, value: list[str] | None) -> None:
    if not value:
        raise ConfigError(
            name, value, "Invalid value for listeners, at least one URL is expected, ex: http://localhost:8080"
        )
    _listeners(name, value)


def _positive_or_brokers(name: str, value: int | None) -> None:
    if value is None or (value < 1 and value != -1):
        raise ConfigError(name, value, "expected a positive number, or -1 for the broker's default")


def _algorithm(name: str, value: str | None) -> None:
    if value is None or value.lower() not in {h.lower() for h in _HMACS}:
        raise ConfigError(name, value, f"expected one of {', '.join(_HMACS)}")


def _algorithms(name: str, value: list[str] | None) -> None:
    if not value:
        raise ConfigError(name, value, "at least one algorithm is expected")
    for algorithm in value:
        _algorithm(name, algorithm)


def _protocols(name: str, value: list[str] | None) -> None:
    for version in value or []:
        if version not in ("TLSv1.2", "TLSv1.3"):
            raise ConfigError(name, version, "expected TLSv1.2 or TLSv1.3")
    if value is not None and "TLSv1.2" not in value:
        raise ConfigError(
            name, ",".join(value), "TLSv1.2 cannot be switched off for Kafka clients here; name it as well"
        )


def _tls_version(name: str, value: str | None) -> None:
    if value not in ("TLS", "TLSv1.2", "TLSv1.3"):
        raise ConfigError(name, value, "expected TLS, TLSv1.2 or TLSv1.3")


def _response_headers(name: str, value: str | None) -> None:
    """``[action] [header]:[value]``, several separated by commas, each in quotes where it holds one (KIP-577)."""
    for rule in next(csv.reader([value or ""], skipinitialspace=True), []):
        action, _, rest = rule.strip().partition(" ")
        header, colon, _ = rest.partition(":")
        if action not in _RULE_ACTIONS or not header.strip() or not colon:
            expected = f"'[action] [header name]:[header value]' with action {', '.join(_RULE_ACTIONS)}"
            raise ConfigError(name, rule.strip(), f"expected {expected}")


BROKERS: Final = LambdaValidator(_brokers, "HOST:PORT, several separated by commas")
LISTENERS: Final = LambdaValidator(_some_listeners, "URLs separated by commas, for example http://:8083,https://:8443")
ADMIN_LISTENERS: Final = LambdaValidator(_listeners, "URLs separated by commas; empty switches the endpoints off")
POSITIVE_OR_BROKERS: Final = LambdaValidator(_positive_or_brokers, "a positive number, or -1 for the broker's default")
ALGORITHM: Final = LambdaValidator(_algorithm, f"[{', '.join(_HMACS)}]")
ALGORITHMS: Final = LambdaValidator(_algorithms, f"some of [{', '.join(_HMACS)}]")
PROTOCOLS: Final = LambdaValidator(_protocols, "TLSv1.2, or TLSv1.2,TLSv1.3")
TLS_VERSIONS: Final = LambdaValidator(_tls_version, "[TLS, TLSv1.2, TLSv1.3]")
RESPONSE_HEADERS: Final = LambdaValidator(_response_headers, "rules '[action] [header name]:[header value]'")
