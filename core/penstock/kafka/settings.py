"""Java client settings in librdkafka's words.

Source of the names: Kafka's ``ProducerConfig``, ``ConsumerConfig``, ``AdminClientConfig`` and librdkafka's
CONFIGURATION.md. A setting is either translated, of no effect here (one warning), or refused by name: silence would
hide a change of delivery or security.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Mapping
from typing import Any, Final

from penstock.errors import ConfigError

__all__ = ["NO_EFFECT", "SAME_NAME", "TRANSLATED", "ClientKind", "Translation"]


class ClientKind(enum.Enum):
    PRODUCER = "producer"
    CONSUMER = "consumer"
    ADMIN = "admin"


#: Takes the value; gives librdkafka settings.
Translation = Callable[[str], Mapping[str, Any]]

#: Settings that both know by one name and mean the same by.
SAME_NAME: Final = frozenset(
    """
    bootstrap.servers client.id client.rack client.dns.lookup reconnect.backoff.ms
    reconnect.backoff.max.ms retry.backoff.ms retry.backoff.max.ms connections.max.idle.ms
    socket.connection.setup.timeout.ms request.timeout.ms
    acks batch.size compression.type enable.idempotence linger.ms max.in.flight.requests.per.connection
    retries transaction.timeout.ms transactional.id
    group.id group.instance.id auto.offset.reset check.crcs enable.auto.commit fetch.max.bytes fetch.min.bytes
    heartbeat.interval.ms isolation.level max.partition.fetch.bytes max.poll.interval.ms session.timeout.ms
    group.protocol group.remote.assignor
    security.protocol ssl.cipher.suites ssl.key.password sasl.kerberos.service.name sasl.kerberos.kinit.cmd
    """.split()
)

#: Settings of the Java clients that have nothing to act on in librdkafka.
NO_EFFECT: Final = frozenset(
    """
    auto.include.jmx.reporter enable.metrics.push metric.reporters metrics.num.samples metrics.recording.level
    metrics.sample.window.ms key.serializer value.serializer key.deserializer value.deserializer
    max.block.ms partitioner.adaptive.partitioning.enable partitioner.availability.timeout.ms partitioner.ignore.keys
    socket.connection.setup.timeout.max.ms metadata.max.idle.ms enable.metrics.push default.api.timeout.ms
    exclude.internal.topics auto.commit.interval.ms allow.auto.create.topics
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
    names = []
    for name in (v.strip() for v in value.split(",")):
        known = _ASSIGNORS.get(name, name if name in ("range", "roundrobin", "cooperative-sticky") else None)
        if known is None:
            raise ConfigError(
                "partition.assignment.strategy",
                name,
                "expected RangeAssignor, RoundRobinAssignor or CooperativeStickyAssignor",
            )
        names.append(known)
    return {"partition.assignment.strategy": ",".join(names)}


def _partitioner(value: str) -> Mapping[str, Any]:
    if value in ("", "null", "org.apache.kafka.clients.producer.internals.DefaultPartitioner"):
        return {}
    raise ConfigError(
        "partitioner.class", value, "a partitioner of one's own is not supported; leave it out for Java's default"
    )


def _interceptors(value: str) -> Mapping[str, Any]:
    if not value.strip():
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


def _refused(name: str, why: str) -> Translation:
    def refuse(value: str) -> Mapping[str, Any]:
        if value in ("", "null"):
            return {}
        raise ConfigError(name, value, why)

    return refuse


def _one(name: str) -> Translation:
    return lambda value: {name: value}


TRANSLATED: Final[dict[str, Translation]] = {
    "buffer.memory": lambda v: {"queue.buffering.max.kbytes": max(1, int(v) // 1024)},
    "max.request.size": _one("message.max.bytes"),
    # 2147483647 is Java's "for ever" (Connect's default); librdkafka says that with 0. Beside a transactional id
    # it may not be set at all, see KafkaClients.
    "delivery.timeout.ms": lambda v: {"message.timeout.ms": 0 if int(v) >= 2**31 - 1 else int(v)},
    # Java looks for new topics and partitions at this interval; librdkafka has an interval of its own for that.
    "metadata.max.age.ms": lambda v: {"metadata.max.age.ms": v, "topic.metadata.refresh.interval.ms": v},
    "fetch.max.wait.ms": _one("fetch.wait.max.ms"),
    "receive.buffer.bytes": lambda v: {"socket.receive.buffer.bytes": max(0, int(v))},  # -1 there, 0 here: the system's
    "send.buffer.bytes": lambda v: {"socket.send.buffer.bytes": max(0, int(v))},
    "compression.gzip.level": _one("compression.level"),
    "compression.lz4.level": _one("compression.level"),
    "compression.zstd.level": _one("compression.level"),
    "max.poll.records": lambda v: {},  # the sink loop's batch size; see penstock.runtime.sink
    "metadata.recovery.strategy": lambda v: {"metadata.recovery.strategy": v.lower()},
    "partition.assignment.strategy": _assignors,
    "partitioner.class": _partitioner,
    "interceptor.classes": _interceptors,
    "sasl.mechanism": _one("sasl.mechanisms"),
    "ssl.truststore.certificates": _one("ssl.ca.pem"),
    "ssl.keystore.certificate.chain": _one("ssl.certificate.pem"),
    "ssl.keystore.key": _one("ssl.key.pem"),
    "ssl.keystore.location": _keystore,
    "ssl.keystore.password": _one("ssl.keystore.password"),
    "ssl.truststore.location": _truststore,
    "ssl.truststore.password": lambda v: {},  # certificates in a PEM file have none
    "ssl.keystore.type": _store_type("ssl.keystore.type"),
    "ssl.truststore.type": _store_type("ssl.truststore.type"),
    "ssl.endpoint.identification.algorithm": lambda v: {"ssl.endpoint.identification.algorithm": v or "none"},
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
    "sasl.oauthbearer.client.credentials.client.id": _one("sasl.oauthbearer.client.id"),
    "sasl.oauthbearer.client.credentials.client.secret": _one("sasl.oauthbearer.client.secret"),
    "sasl.oauthbearer.scope": _one("sasl.oauthbearer.scope"),
}
