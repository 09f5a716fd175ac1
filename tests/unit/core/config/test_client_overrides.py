"""Java's client settings: checked where a connector overrides them, and in librdkafka's words where they are used."""

from __future__ import annotations

from typing import Any, Final

import pytest
from confluent_kafka import Consumer, Producer
from confluent_kafka.admin import AdminClient

from penstock.config.client_def import Client, client_config_def
from penstock.config.definition import ConfigType
from penstock.config.info import config_text
from penstock.errors import ConfigError
from penstock.herder.overrides import OverridePolicy
from penstock.kafka.clients import ClientKind, KafkaClients, client_settings
from penstock.kafka.settings import NO_EFFECT, TRANSLATED, translate

CLIENTS: Final[tuple[Client, ...]] = ("producer", "consumer", "admin")
#: Settings whose use needs a file, a login or a group that is not here.
ELSEWHERE: Final = {"sasl.mechanism", "security.protocol", "bootstrap.servers", "group.protocol"}


def infos(props: dict[str, str], source: bool = False, policy: str = "All") -> dict[str, dict[str, Any]]:
    config = {"errors.deadletterqueue.topic.name": "d", **props}
    parts = OverridePolicy.named(policy).infos("X", source, config)
    return {c["value"]["name"]: c for part in parts for c in part["configs"]}


def errors(key: str, value: str) -> list[str]:
    return list(infos({key: value})[key]["value"]["errors"])


@pytest.mark.parametrize(
    ("key", "value", "error"),
    [
        ("consumer.override.max.poll.records", "x", "Invalid value x for configuration max.poll.records: Not a number of type INT"),
        ("consumer.override.max.poll.records", "0", "Invalid value 0 for configuration max.poll.records: Value must be at least 1"),
        ("producer.override.linger.ms", "soon", "Invalid value soon for configuration linger.ms: Not a number of type LONG"),
        ("producer.override.acks", "2", "Invalid value 2 for configuration acks: String must be one of: all, -1, 0, 1"),
        ("producer.override.enable.idempotence", "yes", "Invalid value yes for configuration enable.idempotence: Expected value to be either true or false"),
        ("producer.override.compression.type", "brotli", "Invalid value brotli for configuration compression.type: String must be one of: none, gzip, snappy, lz4, zstd"),
        ("consumer.override.auto.offset.reset", "middle", "Invalid value middle for configuration auto.offset.reset: String must be one of: latest, earliest, none"),
        ("consumer.override.auto.offset.reset", "by_duration:P1D", "Invalid value by_duration:P1D for configuration auto.offset.reset: String must be one of: latest, earliest, none"),
        ("admin.override.request.timeout.ms", "-5", "Invalid value -5 for configuration request.timeout.ms: Value must be at least 0"),
    ],
)  # fmt: skip
def test_an_override_that_is_not_valid_is_refused_in_kafkas_words(key: str, value: str, error: str) -> None:
    assert errors(key, value) == [error]


def test_a_refused_override_names_its_setting() -> None:
    assert "partitioner.class" in errors("producer.override.partitioner.class", "com.acme.P")[0]
    assert "keytool" in errors("producer.override.ssl.keystore.location", "/x/k.jks")[0]


@pytest.mark.parametrize("client", CLIENTS)
def test_no_error_about_a_password_shows_it(client: Client) -> None:
    for key in client_config_def(client).keys:
        if key.type is ConfigType.PASSWORD:
            name = f"{client}.override.{key.name}"
            assert "hush-hush" not in str(infos({name: "hush-hush"})), key.name


def test_an_override_is_listed_with_kafkas_definition_under_its_whole_name() -> None:
    found = infos({"consumer.override.max.poll.records": "7", "consumer.override.queued.min.messages": "3"})
    definition = found["consumer.override.max.poll.records"]["definition"]
    assert definition["name"] == "consumer.override.max.poll.records"
    assert (definition["type"], definition["default_value"], definition["required"]) == ("INT", "500", False)
    assert (definition["group"], definition["order_in_group"], definition["width"]) == (None, -1, "NONE")
    assert definition["display_name"] == "max.poll.records"
    assert found["consumer.override.max.poll.records"]["value"]["value"] == "7"
    assert found["consumer.override.queued.min.messages"]["definition"] is None


@pytest.mark.parametrize(
    "name", ["sasl.jaas.config", "ssl.key.password", "ssl.keystore.key", "sasl.password", "ssl.key.pem"]
)
@pytest.mark.parametrize("client", CLIENTS)
def test_an_overridden_secret_is_hidden(client: str, name: str) -> None:
    line = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="hush-hush";'
    found = infos({f"{client}.override.{name}": line})
    assert found[f"{client}.override.{name}"]["value"]["value"] == "[hidden]"
    assert "hush-hush" not in str(found)


def test_a_policy_that_forbids_says_so_beside_other_errors() -> None:
    found = infos({"consumer.override.max.poll.records": "x"}, policy="None")
    assert len(found["consumer.override.max.poll.records"]["value"]["errors"]) == 2


def make(client: Client, settings: dict[str, Any]) -> None:
    kinds: dict[Client, Any] = {"producer": Producer, "consumer": Consumer, "admin": AdminClient}
    made = kinds[client]({"bootstrap.servers": "127.0.0.1:1", "log_level": 0, **settings})
    if client == "consumer":
        made.close()


@pytest.mark.parametrize("client", CLIENTS)
def test_the_client_takes_every_java_setting_at_its_default(client: Client) -> None:
    for key in client_config_def(client).keys:
        value = config_text(key.default, key.type) if key.has_default else None
        if not value or key.name in ELSEWHERE:
            continue
        settings = client_settings(ClientKind(client), {"group.id": "g", key.name: value}, "test")
        make(client, settings if client == "consumer" else {k: v for k, v in settings.items() if k != "group.id"})


@pytest.mark.parametrize("client", CLIENTS)
def test_the_client_takes_the_ends_of_every_java_range(client: Client) -> None:
    """Java's ranges are wider than librdkafka's; what is said beyond them is meant as much as the end."""
    clients = KafkaClients({"bootstrap.servers": "127.0.0.1:1"})
    for key in client_config_def(client).keys:
        if key.type not in (ConfigType.INT, ConfigType.LONG) or key.name in NO_EFFECT:
            continue
        for text in ("-1", "0", "1", "2147483647"):
            try:
                if key.validator is not None:
                    key.validator.ensure_valid(key.name, int(text))
                settings = clients.settings(ClientKind(client), {key.name: text}, "test")
            except ConfigError:
                continue  # Java refuses it, too
            # Rules between two settings are the user's to keep.
            if key.name not in ("session.timeout.ms", "max.poll.interval.ms", "delivery.timeout.ms"):
                make(client, {"group.id": "g", **settings} if client == "consumer" else settings)


@pytest.mark.parametrize("client", CLIENTS)
def test_every_java_setting_is_translated_without_effect_or_the_same(client: Client) -> None:
    for key in client_config_def(client).keys:
        if key.name in NO_EFFECT or key.name in TRANSLATED or key.name == "sasl.jaas.config":
            continue
        assert translate(key.name, "v") == {key.name: "v"}


@pytest.mark.parametrize(
    ("name", "value", "own"),
    [
        ("batch.size", "0", {"batch.size": 1}),
        ("connections.max.idle.ms", "-1", {"connections.max.idle.ms": 0}),
        ("auto.offset.reset", "none", {"auto.offset.reset": "error"}),
        ("max.poll.interval.ms", "2147483647", {"max.poll.interval.ms": 86_400_000}),
        ("delivery.timeout.ms", "2147483647", {"message.timeout.ms": 0}),
        ("delivery.timeout.ms", "0", {"message.timeout.ms": 1}),
        ("fetch.min.bytes", "0", {"fetch.min.bytes": 1}),
        ("group.protocol", "CONSUMER", {"group.protocol": "consumer"}),
        ("enable.idempotence", "TRUE", {"enable.idempotence": "true"}),
        ("receive.buffer.bytes", "-1", {"socket.receive.buffer.bytes": 0}),
        ("acks", "-1", {"acks": "-1"}),
        ("client.dns.lookup", "resolve_canonical_bootstrap_servers_only", {"client.dns.lookup": "resolve_canonical_bootstrap_servers_only"}),
        (
            "partition.assignment.strategy",
            "org.apache.kafka.clients.consumer.RangeAssignor,org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
            {"partition.assignment.strategy": "range"},
        ),
        (
            "partition.assignment.strategy",
            "class org.apache.kafka.clients.consumer.CooperativeStickyAssignor",
            {"partition.assignment.strategy": "cooperative-sticky"},
        ),
        (
            "partition.assignment.strategy",
            "org.apache.kafka.clients.consumer.RoundRobinAssignor, org.apache.kafka.clients.consumer.RangeAssignor",
            {"partition.assignment.strategy": "roundrobin,range"},
        ),
    ],
)  # fmt: skip
def test_javas_values_are_said_in_librdkafkas_words(name: str, value: str, own: dict[str, Any]) -> None:
    assert translate(name, value) == own


def test_the_level_of_the_codec_in_use_counts() -> None:
    props = {"compression.type": "zstd", "compression.gzip.level": "9", "compression.zstd.level": "3"}
    settings = client_settings(ClientKind.PRODUCER, props, "test")
    assert settings["compression.level"] == 3
    assert "compression.gzip.level" not in settings
