"""The keys of ``registry.properties``: used, refused by name, or without effect and warned of."""

from __future__ import annotations

import enum
import logging
from collections.abc import Mapping
from dataclasses import dataclass
from typing import NamedTuple

from penstock.access.settings import ACCESS_KEYS, AccessConfig
from penstock.config.stores import look_for_java_stores
from penstock.errors import ConfigError
from penstock.http.forwarded import parse_proxies
from penstock.http.limits import DEFAULT_MAX_BODY, DEFAULT_MAX_CONNECTIONS, DEFAULT_TIMEOUT_MS, HttpLimits
from penstock.http.listeners import Listener, parse_listener
from penstock.measurements import Windows
from penstock_registry.server.kafka_config import BOOTSTRAP, KAFKA_KEYS, KafkaConfig, is_connection_key
from penstock_registry.server.levels import CompatibilityLevel
from penstock_registry.server.limits import Limit, Limits
from penstock_registry.server.log_values import MAX_INT

__all__ = ["LIMIT_KEYS", "USED_KEYS", "ServerConfig", "StoreKind"]

_log = logging.getLogger(__name__)

_EVERYWHERE = "0.0.0.0"  # noqa: S104 - Confluent's default: all addresses
_DEFAULT_LISTENERS = "http://0.0.0.0:8081"
_DEFAULT_MAX_SCHEMA = 1024 * 1024

TLS_KEYS = frozenset(
    {
        "ssl.keystore.location", "ssl.keystore.password", "ssl.keystore.type", "ssl.key.password", "ssl.keystore.key",
        "ssl.keystore.certificate.chain", "ssl.truststore.location", "ssl.truststore.password", "ssl.truststore.type",
        "ssl.truststore.certificates", "ssl.client.auth", "ssl.client.authentication", "ssl.enabled.protocols",
        "ssl.cipher.suites",
    }
)  # fmt: skip
USED_KEYS = frozenset(
    {
        "listeners", "port", "store", "schema.compatibility.level", "avro.compatibility.level", "mode.mutability",
        "schema.registry.group.id", "registry.name", "registry.max.request.size", "registry.max.schema.size",
        "registry.max.schema.nesting", "registry.max.import.id", "registry.max.connections", "registry.request.timeout.ms",
        "metrics.num.samples", "metrics.sample.window.ms", "registry.trusted.proxies", "access.control.allow.origin", "access.control.allow.methods", *ACCESS_KEYS, *TLS_KEYS,
        *KAFKA_KEYS,
    }
)  # fmt: skip
LIMIT_KEYS = {"schemas": "schema", "subjects": "subject", "versions": "subject.version", "contexts": "context"}

_STORE_HINT = "expected kafka, sqlite:PATH or memory"
_OPEN_HINT = "without it the registry would stand open where you meant it not to; roles by subject do its work here"
#: Keys that would be dangerous to pass over, and what to do instead.
_REFUSED = {
    "kafkastore.connection.url": "registries elect their leader through Kafka; set kafkastore.bootstrap.servers",
    "kafkastore.group.id": "the group's name is schema.registry.group.id",
    "authentication.roles": "roles stand in the users file and in tokens, see authentication.basic.users.file",
    "confluent.schema.registry.authorizer.class": _OPEN_HINT,
    "resource.extension.class": "Java extensions cannot be loaded",
    "schema.registry.resource.extension.class": "Java extensions cannot be loaded",
    "schema.providers": "schema formats are plugins; install the one you need",
}
#: Beginnings of known keys that change nothing here.
_WITHOUT_EFFECT = (
    "kafkastore.", "inter.instance.", "master.", "leader.", "host.name", "schema.cache.", "metric.", "metrics.",
    "jmx.", "debug", "access.control.", "request.logger.", "response.", "shutdown.graceful.", "ssl.", "thread.pool.",
    "compression.enable", "http2.", "websocket.", "confluent.", "init.", "topic.", "dek.", "schema.registry.",
    "zookeeper.", "cors.", "idle.timeout.ms", "connection.", "max.schemas.", "server.",
)  # fmt: skip


class StoreKind(enum.Enum):
    MEMORY = "memory"
    SQLITE = "sqlite"
    KAFKA = "kafka"


class WebSettings(NamedTuple):
    """Whom to believe about browsers and proxies."""

    #: ``access.control.allow.origin`` and ``.methods``; no origins: no CORS.
    allow_origins: tuple[str, ...] = ()
    allow_methods: tuple[str, ...] = ()
    #: ``registry.trusted.proxies``: whose ``X-Forwarded-*`` headers are believed.
    proxies: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class ServerConfig:
    """A registry's settings, parsed."""

    listeners: tuple[Listener, ...]
    store: StoreKind
    #: The file of a SQLite store, else nothing.
    store_path: str
    #: The settings of a Kafka store; None for another one.
    kafka: KafkaConfig | None
    compatibility: CompatibilityLevel
    mode_mutability: bool
    group_id: str
    name: str
    http: HttpLimits
    web: WebSettings
    max_schema_size: int
    max_schema_nesting: int
    max_import_id: int
    access: AccessConfig
    #: The ``ssl.*`` keys of https listeners, in the words of `penstock.config.tls`.
    tls: Mapping[str, str]
    limits: Limits
    #: The time that averages, maxima and rates of metrics look back.
    windows: Windows
    warnings: tuple[str, ...]

    @classmethod
    def parse(cls, props: Mapping[str, str]) -> ServerConfig:
        """Raises `ConfigError` for a value that cannot be meant and for a key that must not be passed over."""
        for key, hint in _REFUSED.items():
            if key in props:
                raise ConfigError(f"The registry does not support {key}: {hint}.")
        level_key = (
            "schema.compatibility.level" if "schema.compatibility.level" in props else "avro.compatibility.level"
        )
        return cls(
            _listeners(props),
            *_store(props),
            _kafka(props),
            _level(level_key, props.get(level_key, "backward")),
            _boolean("mode.mutability", props.get("mode.mutability", "true")),
            props.get("schema.registry.group.id", "schema-registry"),
            props.get("registry.name", "default"),
            _http_limits(props),
            WebSettings(
                _listed(props, "access.control.allow.origin"),
                _listed(props, "access.control.allow.methods"),
                parse_proxies("registry.trusted.proxies", _listed(props, "registry.trusted.proxies")),
            ),
            _positive("registry.max.schema.size", props.get("registry.max.schema.size", str(_DEFAULT_MAX_SCHEMA))),
            _positive("registry.max.schema.nesting", props.get("registry.max.schema.nesting", "200")),
            min(_positive("registry.max.import.id", props.get("registry.max.import.id", "2000000000")), MAX_INT),
            AccessConfig.parse(props, "the registry", "schema-registry"),
            _tls(props),
            _limits(props),
            Windows(
                _positive("metrics.sample.window.ms", props.get("metrics.sample.window.ms", "30000")) / 1000,
                _positive("metrics.num.samples", props.get("metrics.num.samples", "2")),
            ),
            tuple(_warnings(props)),
        )


def _store(props: Mapping[str, str]) -> tuple[StoreKind, str]:
    standard = "kafka" if props.get(BOOTSTRAP) else "memory"
    text = props.get("store", standard).strip()
    name, _, path = text.partition(":")
    kind = StoreKind.__members__.get(name.upper())
    if kind is None or (kind is StoreKind.SQLITE) != bool(path):
        raise ConfigError("store", text, _STORE_HINT)
    return kind, path


def _kafka(props: Mapping[str, str]) -> KafkaConfig | None:
    kind, _ = _store(props)
    if kind is not StoreKind.KAFKA:
        if props.get(BOOTSTRAP):
            raise ConfigError(
                "store", props["store"], f"{BOOTSTRAP} is set: take one of the two out, or set store=kafka"
            )
        return None
    return KafkaConfig.parse(props)


def _listeners(props: Mapping[str, str]) -> tuple[Listener, ...]:
    text = props.get("listeners")
    if text is None:
        text = f"http://0.0.0.0:{props['port']}" if "port" in props else _DEFAULT_LISTENERS
    listeners = []
    for entry in filter(None, (part.strip() for part in text.split(","))):
        listener = parse_listener(entry, None)
        listeners.append(listener if listener.host else listener._replace(host=_EVERYWHERE))
    if not listeners:
        raise ConfigError("listeners", text, "expected at least one http://HOST:PORT or https://HOST:PORT")
    return tuple(listeners)


def _http_limits(props: Mapping[str, str]) -> HttpLimits:
    def number(key: str, default: int) -> int:
        return _positive(key, props.get(key, str(default)))

    return HttpLimits(
        max_body=number("registry.max.request.size", DEFAULT_MAX_BODY),
        max_body_key="registry.max.request.size",
        max_connections=number("registry.max.connections", DEFAULT_MAX_CONNECTIONS),
        max_connections_key="registry.max.connections",
        timeout=number("registry.request.timeout.ms", DEFAULT_TIMEOUT_MS) / 1000,
        media_type="application/vnd.schemaregistry.v1+json",
    )


def _listed(props: Mapping[str, str], key: str) -> tuple[str, ...]:
    return tuple(filter(None, (part.strip() for part in props.get(key, "").split(","))))


def _tls(props: Mapping[str, str]) -> dict[str, str]:
    """Return the TLS keys, with Confluent's two ways to ask for client certificates turned into one."""
    tls = {key: props[key] for key in TLS_KEYS if key in props}
    if problems := look_for_java_stores(tls).problems:
        raise ConfigError(problems[0])
    old = tls.pop("ssl.client.auth", "false")
    wanted = tls.pop("ssl.client.authentication", "REQUIRED" if _boolean("ssl.client.auth", old) else "NONE")
    if wanted.upper() not in ("NONE", "REQUESTED", "REQUIRED"):
        raise ConfigError("ssl.client.authentication", wanted, "expected NONE, REQUESTED or REQUIRED")
    return {**tls, "ssl.client.auth": wanted.lower()}


def _level(key: str, text: str) -> CompatibilityLevel:
    level = CompatibilityLevel.__members__.get(text.strip().upper())
    if level is None:
        raise ConfigError(key, text, f"expected one of {', '.join(CompatibilityLevel.__members__).lower()}")
    return level


def _boolean(key: str, text: str) -> bool:
    if text.strip().lower() not in ("true", "false"):
        raise ConfigError(key, text, "expected true or false")
    return text.strip().lower() == "true"


def _positive(key: str, text: str) -> int:
    try:
        number = int(text)
    except ValueError:
        number = 0
    if number < 1:
        raise ConfigError(key, text, "expected a number of 1 or more")
    return number


def _limits(props: Mapping[str, str]) -> Limits:
    found = {}
    for field, name in LIMIT_KEYS.items():
        standard: Limit = getattr(Limits(), field)
        default_key, most_key = f"{name}.search.default.limit", f"{name}.search.max.limit"
        found[field] = Limit(
            _positive(default_key, props.get(default_key, str(standard.default))),
            _positive(most_key, props.get(most_key, str(standard.most))),
        )
    return Limits(**found)


def _warnings(props: Mapping[str, str]) -> list[str]:
    limit_keys = {f"{name}.search.{end}.limit" for name in LIMIT_KEYS.values() for end in ("default", "max")}
    warnings = []
    for key in sorted(props):
        if key in USED_KEYS or key in limit_keys or key in _REFUSED or is_connection_key(key):
            continue
        if key.startswith(_WITHOUT_EFFECT):
            warnings.append(f"{key} has no effect in this registry")
        else:
            warnings.append(f"{key} is not a setting the registry knows; is it misspelt?")
    return warnings
