"""Java client settings in librdkafka's words.

Source of the names: Kafka's ``ProducerConfig``, ``ConsumerConfig``, ``AdminClientConfig`` and librdkafka's
CONFIGURATION.md. A setting is either translated, of no effect here (one warning), or refused by name: silence would
hide a change of delivery or security.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, Final

from penstock.config import Password
from penstock.config.jaas import parse_jaas
from penstock.errors import ConfigError
from penstock.java.text import well_formed

__all__ = [
    "NO_EFFECT",
    "RUNS_CODE",
    "TRANSLATED",
    "ClientKind",
    "Translation",
    "has_no_effect",
    "refuse_code",
    "translate",
]


class ClientKind(enum.Enum):
    PRODUCER = "producer"
    CONSUMER = "consumer"
    ADMIN = "admin"


#: Takes the value; gives librdkafka settings.
Translation = Callable[[str], Mapping[str, Any]]

#: Settings of the Java clients that have nothing to act on in librdkafka.
NO_EFFECT: Final = frozenset(
    """
    auto.include.jmx.reporter enable.metrics.push metric.reporters metrics.num.samples metrics.recording.level
    metrics.sample.window.ms key.serializer value.serializer key.deserializer value.deserializer
    max.block.ms partitioner.adaptive.partitioning.enable partitioner.availability.timeout.ms partitioner.ignore.keys
    socket.connection.setup.timeout.max.ms metadata.max.idle.ms enable.metrics.push default.api.timeout.ms
    exclude.internal.topics auto.commit.interval.ms allow.auto.create.topics bootstrap.resolve.timeout.ms
    metadata.cluster.check.enable partitioner.rack.aware share.acknowledgement.mode share.acquire.mode config.providers
    sasl.oauthbearer.clock.skew.seconds sasl.oauthbearer.expected.audience sasl.oauthbearer.expected.issuer
    sasl.oauthbearer.allow.unverified.audience sasl.oauthbearer.allow.unverified.issuer
    sasl.oauthbearer.jwks.endpoint.url sasl.oauthbearer.jwks.endpoint.refresh.ms
    sasl.oauthbearer.jwks.endpoint.retry.backoff.ms sasl.oauthbearer.jwks.endpoint.retry.backoff.max.ms
    sasl.oauthbearer.scope.claim.name sasl.oauthbearer.sub.claim.name sasl.oauthbearer.header.urlencode
    metadata.recovery.rebootstrap.trigger.ms ssl.protocol ssl.enabled.protocols ssl.provider
    ssl.keymanager.algorithm ssl.trustmanager.algorithm ssl.secure.random.implementation
    sasl.login.refresh.buffer.seconds sasl.login.refresh.min.period.seconds sasl.login.refresh.window.factor
    sasl.login.refresh.window.jitter sasl.login.connect.timeout.ms sasl.login.read.timeout.ms
    sasl.login.retry.backoff.max.ms sasl.login.retry.backoff.ms sasl.kerberos.min.time.before.relogin
    sasl.kerberos.ticket.renew.jitter sasl.kerberos.ticket.renew.window.factor
    """.split()
)

_ASSIGNORS: Final = {
    "org.apache.kafka.clients.consumer.RangeAssignor": "range",
    "org.apache.kafka.clients.consumer.RoundRobinAssignor": "roundrobin",
    "org.apache.kafka.clients.consumer.CooperativeStickyAssignor": "cooperative-sticky",
    "org.apache.kafka.clients.consumer.StickyAssignor": None,
}


def _assignors(value: str) -> Mapping[str, Any]:
    """Names of classes, or librdkafka's. Of a list that mixes both protocols the eager assignors count, as in Java: a
    group stays eager until everybody's whole list can do better; librdkafka refuses such a list."""
    names = []
    for name in (v.strip().removeprefix("class ") for v in value.split(",") if v.strip()):
        known = _ASSIGNORS.get(name, name if name in ("range", "roundrobin", "cooperative-sticky") else None)
        if known is None:
            raise ConfigError(
                "partition.assignment.strategy",
                name,
                "expected RangeAssignor, RoundRobinAssignor or CooperativeStickyAssignor",
            )
        names.append(known)
    eager = [name for name in names if name != "cooperative-sticky"]
    return {"partition.assignment.strategy": ",".join(dict.fromkeys(eager or names))} if names else {}


def _partitioner(value: str) -> Mapping[str, Any]:
    if value in ("", "null", "org.apache.kafka.clients.producer.internals.DefaultPartitioner"):
        return {}
    raise ConfigError(
        "partitioner.class", value, "a partitioner of one's own is not supported; leave it out for Java's default"
    )


def _interceptors(value: str) -> Mapping[str, Any]:
    # Confluent's own interceptors only send metrics to its Control Center.
    names = [name.strip() for name in value.split(",") if name.strip()]
    if all(name.startswith("io.confluent.monitoring.clients.interceptor.") for name in names):
        return {}
    raise ConfigError("interceptor.classes", value, "client interceptors are not supported; leave it out")


def _keystore(value: str) -> Mapping[str, Any]:
    if value.endswith((".p12", ".pfx")):
        return {"ssl.keystore.location": value}
    if value.endswith(".pem"):
        return {"ssl.certificate.location": value, "ssl.key.location": value}
    raise ConfigError(
        "ssl.keystore.location",
        value,
        f"a PKCS12 (.p12, .pfx) or PEM (.pem) file is needed; convert a JKS one with: keytool -importkeystore -srckeystore {value} -destkeystore keystore.p12 -deststoretype PKCS12",
    )


def _truststore(value: str) -> Mapping[str, Any]:
    if value.endswith((".pem", ".crt", ".cer")):
        return {"ssl.ca.location": value}
    raise ConfigError(
        "ssl.truststore.location",
        value,
        f"a PEM file is needed; export the certificates of a JKS or PKCS12 one with: keytool -exportcert -rfc -keystore {value} -alias ALIAS >> ca.pem",
    )


def _store_type(name: str) -> Translation:
    def check(value: str) -> Mapping[str, Any]:
        # JKS is Java's default and stands in many files although the store is given as PEM; the location decides.
        if value.upper() not in ("PEM", "PKCS12", "JKS"):
            raise ConfigError(name, value, "expected PEM or PKCS12")
        return {}

    return check


#: Ends of the names of settings whose values are in no error.
_SECRET_ENDS: Final = ("password", "passphrase", "secret", ".key", ".pem", "jaas.config")


def _refused(name: str, why: str, *harmless: str) -> Translation:
    def refuse(value: str) -> Mapping[str, Any]:
        if value in ("", "null", *harmless):
            return {}
        raise ConfigError(name, Password.HIDDEN if name.endswith(_SECRET_ENDS) else value, why)

    return refuse


def _rename_to(name: str) -> Translation:
    return lambda value: {name: value}


def _number(name: str, low: int, high: int, own_name: str | None = None) -> Translation:
    """A whole number, brought into librdkafka's range: beyond it, Java's number means as much as the range's end."""

    def translate_number(value: str) -> Mapping[str, Any]:
        number = _int(name, value)
        return {own_name or name: min(max(number, low), high)}

    return translate_number


def _int(name: str, value: str) -> int:
    try:
        return int(value)
    except ValueError:
        raise ConfigError(name, value, "Not a number of type INT") from None


def _checked_only(name: str) -> Translation:
    """A whole number that is not the client's to know."""

    def check(value: str) -> Mapping[str, Any]:
        _int(name, value)
        return {}

    return check


def _flag(name: str) -> Translation:
    """Java reads true and false in any letter case."""
    return lambda value: {name: value.strip().lower()}


def _idle(value: str) -> Mapping[str, Any]:
    """Java never closes an idle connection at a negative time; librdkafka says that with 0, which closes at once there."""
    idle = _int("connections.max.idle.ms", value)
    return {"connections.max.idle.ms": 0 if idle < 0 else max(1, idle)}


def _delivery_timeout(value: str) -> Mapping[str, Any]:
    """2147483647 is Java's "for ever" (Connect's default); librdkafka says that with 0. Beside a transactional id it may
    not be set at all, see `KafkaClients`."""
    timeout = _int("delivery.timeout.ms", value)
    return {"message.timeout.ms": 0 if timeout >= _INT_MAX else max(1, timeout)}


def _metadata_age(value: str) -> Mapping[str, Any]:
    """Java looks for new topics and partitions at this interval; librdkafka has an interval of its own for that."""
    age = _int("metadata.max.age.ms", value)
    return {
        "metadata.max.age.ms": min(max(age, 1), 86_400_000),
        "topic.metadata.refresh.interval.ms": min(max(age, 1), 3_600_000),
    }


def _reset(value: str) -> Mapping[str, Any]:
    if value.startswith("by_duration"):
        raise ConfigError("auto.offset.reset", value, "String must be one of: latest, earliest, none")
    return {"auto.offset.reset": "error" if value == "none" else value}


def _level(codec: str) -> Translation:
    """The level of one codec; it counts where `client_settings` sees that codec."""
    name = f"compression.{codec}.level"
    return lambda value: {name: _int(name, value)}


_INT_MAX: Final = 2**31 - 1

TRANSLATED: Final[dict[str, Translation]] = {
    "buffer.memory": lambda v: {"queue.buffering.max.kbytes": min(max(1, _int("buffer.memory", v) // 1024), _INT_MAX)},
    "max.request.size": _number("max.request.size", 1000, 1_000_000_000, "message.max.bytes"),
    "delivery.timeout.ms": _delivery_timeout,
    "metadata.max.age.ms": _metadata_age,
    "connections.max.idle.ms": _idle,
    "reconnect.backoff.ms": _number("reconnect.backoff.ms", 0, 3_600_000),
    "reconnect.backoff.max.ms": _number("reconnect.backoff.max.ms", 0, 3_600_000),
    "retry.backoff.ms": _number("retry.backoff.ms", 1, 300_000),
    "retry.backoff.max.ms": _number("retry.backoff.max.ms", 1, 300_000),
    "socket.connection.setup.timeout.ms": _number("socket.connection.setup.timeout.ms", 1000, _INT_MAX),
    "request.timeout.ms": _number("request.timeout.ms", 1, 900_000),
    "batch.size": _number("batch.size", 1, _INT_MAX),  # 0: each record alone
    "linger.ms": _number("linger.ms", 0, 900_000),
    "max.in.flight.requests.per.connection": _number("max.in.flight.requests.per.connection", 1, 1_000_000),
    "transaction.timeout.ms": _number("transaction.timeout.ms", 1000, _INT_MAX),
    "enable.idempotence": _flag("enable.idempotence"),
    "check.crcs": _flag("check.crcs"),
    "enable.auto.commit": _flag("enable.auto.commit"),
    "compression.type": lambda v: {"compression.type": v.strip().lower()},
    "isolation.level": lambda v: {"isolation.level": v.strip().lower()},
    "group.protocol": lambda v: {"group.protocol": v.strip().lower()},
    "security.protocol": lambda v: {"security.protocol": v.strip().lower()},
    "auto.offset.reset": _reset,
    "fetch.max.wait.ms": _number("fetch.max.wait.ms", 0, 300_000, "fetch.wait.max.ms"),
    "fetch.min.bytes": _number("fetch.min.bytes", 1, 100_000_000),
    # In both a soft limit that a single batch may exceed; here it must allow for `message.max.bytes`.
    "fetch.max.bytes": _number("fetch.max.bytes", 1_000_000, 2_147_483_135),
    "max.partition.fetch.bytes": _number("max.partition.fetch.bytes", 1, 1_000_000_000),
    "max.poll.interval.ms": _number("max.poll.interval.ms", 1, 86_400_000),
    "session.timeout.ms": _number("session.timeout.ms", 1, 3_600_000),
    "heartbeat.interval.ms": _number("heartbeat.interval.ms", 1, 3_600_000),
    # -1 there, 0 here: the system's
    "receive.buffer.bytes": _number("receive.buffer.bytes", 0, 100_000_000, "socket.receive.buffer.bytes"),
    "send.buffer.bytes": _number("send.buffer.bytes", 0, 100_000_000, "socket.send.buffer.bytes"),
    "compression.gzip.level": _level("gzip"),
    "compression.lz4.level": _level("lz4"),
    "compression.zstd.level": _level("zstd"),
    # The sink loop's batch size, which it reads in Java's words.
    "max.poll.records": _checked_only("max.poll.records"),
    "transaction.two.phase.commit.enable": _refused(
        "transaction.two.phase.commit.enable", "not supported here; leave it out", "false"
    ),
    "bootstrap.controllers": _refused("bootstrap.controllers", "not supported here; name brokers in bootstrap.servers"),
    "metadata.recovery.strategy": lambda v: {"metadata.recovery.strategy": v.lower()},
    "partition.assignment.strategy": _assignors,
    "partitioner.class": _partitioner,
    "interceptor.classes": _interceptors,
    "sasl.mechanism": _rename_to("sasl.mechanisms"),
    "ssl.truststore.certificates": _rename_to("ssl.ca.pem"),
    "ssl.keystore.certificate.chain": _rename_to("ssl.certificate.pem"),
    "ssl.keystore.key": _rename_to("ssl.key.pem"),
    "ssl.keystore.location": _keystore,
    "ssl.keystore.password": _rename_to("ssl.keystore.password"),
    "ssl.truststore.location": _truststore,
    "ssl.truststore.password": lambda v: {},  # certificates in a PEM file have none
    "ssl.keystore.type": _store_type("ssl.keystore.type"),
    "ssl.truststore.type": _store_type("ssl.truststore.type"),
    "ssl.endpoint.identification.algorithm": lambda v: {
        "ssl.endpoint.identification.algorithm": v.strip().lower() or "none"
    },
    "ssl.engine.factory.class": _refused("ssl.engine.factory.class", "Java classes cannot be loaded here"),
    "security.providers": _refused("security.providers", "Java classes cannot be loaded here"),
    "sasl.client.callback.handler.class": _refused(
        "sasl.client.callback.handler.class", "Java classes cannot be loaded here"
    ),
    "sasl.login.class": _refused("sasl.login.class", "Java classes cannot be loaded here"),
    # The OIDC handler is what librdkafka's own method does; any other class cannot be loaded.
    "sasl.login.callback.handler.class": lambda v: (
        {"sasl.oauthbearer.method": "oidc"}
        if v.endswith("OAuthBearerLoginCallbackHandler")
        else _refused("sasl.login.callback.handler.class", "Java classes cannot be loaded here")(v)
    ),
    "sasl.oauthbearer.token.endpoint.url": lambda v: {
        "sasl.oauthbearer.method": "oidc",
        "sasl.oauthbearer.token.endpoint.url": v,
    },
    "sasl.oauthbearer.client.credentials.client.id": _rename_to("sasl.oauthbearer.client.id"),
    "sasl.oauthbearer.client.credentials.client.secret": _rename_to("sasl.oauthbearer.client.secret"),
    "sasl.oauthbearer.scope": _rename_to("sasl.oauthbearer.scope"),
}
_ASSERTION: Final = "tokens by signed assertion are not supported; use client credentials"
TRANSLATED.update(
    (name, _refused(name, _ASSERTION, *harmless))
    for name, harmless in {
        "sasl.oauthbearer.assertion.algorithm": ("RS256",),
        "sasl.oauthbearer.assertion.claim.aud": (),
        "sasl.oauthbearer.assertion.claim.exp.seconds": ("300",),
        "sasl.oauthbearer.assertion.claim.iss": (),
        "sasl.oauthbearer.assertion.claim.jti.include": ("false",),
        "sasl.oauthbearer.assertion.claim.nbf.seconds": ("60",),
        "sasl.oauthbearer.assertion.claim.sub": (),
        "sasl.oauthbearer.assertion.file": (),
        "sasl.oauthbearer.assertion.private.key.file": (),
        "sasl.oauthbearer.assertion.private.key.passphrase": (),
        "sasl.oauthbearer.assertion.template.file": (),
    }.items()
)
_JWT: Final = "org.apache.kafka.common.security.oauthbearer."
TRANSLATED.update(
    (name, _refused(name, "Java classes cannot be loaded here", f"{_JWT}DefaultJwt{part.capitalize()}"))
    for part in ("retriever", "validator")
    for name in [f"sasl.oauthbearer.jwt.{part}.class"]
)


#: Settings of the client library that load code or run a command: the worker's own properties may say them, no connector.
RUNS_CODE: Final = frozenset(
    {"plugin.library.paths", "ssl.engine.location", "ssl.engine.id", "ssl.providers", "sasl.kerberos.kinit.cmd"}
)
#: The settings that the client library takes beside those in text: the loops set them.
_NO_TEXT: Final = frozenset(
    """
    background_event_cb closesocket_cb connect_cb consume_cb default.topic.config default_topic_conf error_cb
    interceptors log_cb logger oauth_cb oauthbearer_token_refresh_cb offset_commit_cb on_commit on_delivery opaque
    open_cb partitioner_cb rebalance_cb resolve_cb socket_cb ssl.certificate.verify_cb ssl_ca ssl_certificate ssl_key
    stats_cb throttle_cb delivery.report.only.error dr_cb dr_msg_cb
    """.split()
)


def refuse_code(overrides: Mapping[str, Any]) -> None:
    """Raise `ConfigError` if a connector's `overrides` would load code into the worker, or run a command in it."""
    for name in RUNS_CODE.intersection(overrides):
        if (name, overrides[name]) != ("sasl.kerberos.kinit.cmd", "/usr/bin/kinit"):  # Java's default does no harm
            why = "it runs code in the worker, so only the worker's own properties may set it; leave it out"
            raise ConfigError(name, str(overrides[name]), why)


def _check_text(text: str) -> None:
    # The library ends the process at half a surrogate pair, and cuts texts at a NUL.
    if "\0" in text or well_formed(text) != text:
        raise ConfigError("Settings of Kafka's clients take no half of a surrogate pair, and no NUL, in name or value")


def has_no_effect(name: str) -> bool:
    """Return whether the client library has nothing that the setting `name` could act on."""
    return name in NO_EFFECT or name.startswith("confluent.")  # what belongs to Confluent's interceptors and licences


def translate(name: str, value: str) -> Mapping[str, Any]:
    """Return what the Java setting `name` is in librdkafka's words; nothing for one without effect. librdkafka's own
    names pass through. Raises `ConfigError` in Java's words."""
    _check_text(name)
    _check_text(value)
    if name in _NO_TEXT:
        raise ConfigError(name, value, "it is the worker's own to set; leave it out")
    if has_no_effect(name):
        return {}
    if name in TRANSLATED:
        return TRANSLATED[name](value)
    return parse_jaas(value) if name == "sasl.jaas.config" else {name: value}
