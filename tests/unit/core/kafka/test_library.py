"""Settings of Kafka's clients in the library's own names, checked before a client is made."""

from __future__ import annotations

import logging

import pytest
from confluent_kafka import Consumer
from confluent_kafka.admin import AdminClient

from penstock.errors import ConfigError, ConnectError
from penstock.herder.overrides import OverridePolicy
from penstock.herder.unknown_settings import unknown_settings
from penstock.kafka import KafkaClients
from penstock.kafka.admin import alter_group_offsets, create_topic, delete_group, group_offsets
from penstock.kafka.library import check_setting, knows
from penstock.kafka.settings import RUNS_CODE, ClientKind

KINDS = list(ClientKind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("queued.max.messages.kbytes", "x"),
        ("queued.max.messages.kbytes", "-5"),
        ("socket.keepalive.enable", "maybe"),
        ("debug", "everything"),
        ("error_cb", "x"),
        ("stats_cb", "x"),
        ("throttle_cb", "x"),
        ("opaque", "1"),
        ("default.topic.config", "x"),
        ("delivery.report.only.error", "true"),
        ("\ud800", "x"),
        ("client.id", "a\udfff"),
        ("client.id", "a\0b"),
        ("client\0id", "a"),
    ],
)
def test_a_value_that_the_client_library_would_refuse_or_die_of_is_an_error_that_names_no_client(
    kind: ClientKind, name: str, value: str
) -> None:
    with pytest.raises(ConfigError):
        check_setting(kind, name, value)


@pytest.mark.parametrize("kind", KINDS)
def test_the_librarys_own_settings_and_kafkas_are_taken_and_others_are_known_for_unknown(kind: ClientKind) -> None:
    check_setting(kind, "queued.max.messages.kbytes", "1024")
    check_setting(kind, "client.id", "Größe")
    check_setting(kind, "nobody.knows.this", "x")
    assert knows(kind, "queued.max.messages.kbytes")
    assert knows(kind, "metric.reporters")
    assert not knows(kind, "nobody.knows.this")


@pytest.mark.parametrize("name", sorted(RUNS_CODE))
@pytest.mark.parametrize("client", ["producer", "consumer", "admin"])
def test_no_connector_makes_the_worker_load_code_or_run_a_command(client: str, name: str) -> None:
    props = {f"{client}.override.{name}": "/tmp/code.so", "topic.creation.groups": "g"}
    (info,) = [
        value["value"]
        for infos in OverridePolicy.named("All").infos("C", client != "consumer", props)
        for value in infos["configs"]
        if value["value"]["name"] == f"{client}.override.{name}"
    ]
    assert "runs code in the worker" in info["errors"][0]
    with pytest.raises(ConfigError, match="runs code in the worker"):
        KafkaClients({"bootstrap.servers": "127.0.0.1:1"}).settings(ClientKind(client), {name: "/tmp/code.so"}, "me")


def test_a_setting_that_nobody_knows_is_left_out_with_a_warning_as_in_java(caplog: pytest.LogCaptureFixture) -> None:
    clients = KafkaClients({"bootstrap.servers": "127.0.0.1:1"}, consumer={"isolation.leve": "read_committed"})
    with caplog.at_level(logging.WARNING, "penstock.kafka.clients"):
        clients.consumer({"group.id": "g", "nobody.knows.this": "x"}, "connector c").close()
    assert sorted(record.message for record in caplog.records if record.name == "penstock.kafka.clients") == [
        "connector c: consumer setting isolation.leve is not a known setting and has no effect",
        "connector c: consumer setting nobody.knows.this is not a known setting and has no effect",
    ]


def test_an_override_that_nobody_knows_is_warned_about_with_the_nearest_name() -> None:
    config = {
        "consumer.override.isolation.leve": "read_committed",
        "consumer.override.nonsense": "x",
        "consumer.override.queued.max.messages.kbytes": "1",
        "producer.override.debug": "no such thing",
    }
    broken = {"definition": None, "value": {"name": "producer.override.debug", "errors": ["wrong"]}}
    assert unknown_settings({"configs": [broken]}, config) == [
        "consumer.override.isolation.leve is not a known setting and has no effect;"
        " did you mean consumer.override.isolation.level?",
        "consumer.override.nonsense is not a known setting and has no effect",
    ]


def test_half_of_a_surrogate_pair_in_an_admin_call_ends_no_process() -> None:
    admin = AdminClient({"bootstrap.servers": "127.0.0.1:1", "log_level": 0})

    def consumer(group: str) -> Consumer:
        return Consumer({"bootstrap.servers": "127.0.0.1:1", "group.id": group, "log_level": 0})

    for call in (
        lambda: delete_group(admin, ["connect-\ud800"], timeout=0.2),
        lambda: group_offsets(consumer, "connect-\ud800", timeout=0.2),
        lambda: alter_group_offsets(admin, "connect-\ud800", {("t", 0): 1}, timeout=0.2),
        lambda: create_topic(admin, "t", 1, 1, {"\ud800": "\udfff"}, timeout=0.2),
    ):
        with pytest.raises(ConnectError, match="t"):
            call()
