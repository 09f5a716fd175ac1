"""The checks that need no Kafka: settings, classes, the connector's configuration, the registry."""

from __future__ import annotations

import base64
from pathlib import Path
from typing import Any

import pytest

from lab.surroundings import FakeRegistry, Refusal, findings, situation
from penstock.cli.registry_http import RegistryHttp
from penstock.doctor import Level
from penstock.doctor.classes import ConnectorCheck, PluginsCheck
from penstock.doctor.registry import RegistryCheck
from penstock.doctor.registry_access import RegistryAccess, registry_accesses
from penstock.doctor.worker_settings import SettingsCheck
from penstock.errors import ConfigError, ConnectError

OK, WARNING, BROKEN, SKIPPED = Level.OK, Level.WARNING, Level.BROKEN, Level.SKIPPED
AVRO = "io.confluent.connect.avro.AvroConverter"
SINK = {"connector.class": "FileStreamSink", "topics": "orders", "file": "f"}
SOURCE = {"connector.class": "FileStreamSource", "topic": "lines", "file": "f"}


# --- settings


def test_settings_without_effect_are_warned_about_with_the_nearest_name() -> None:
    found = findings(SettingsCheck(situation(vlaue__converter="x")))
    assert [finding.level for finding in found] == [OK, WARNING]
    assert "did you mean value.converter?" in found[1].message


@pytest.mark.parametrize(
    ("connector", "more", "about"),
    [
        (None, {}, ["consumer.security.protocol", "producer.security.protocol"]),
        (SINK, {}, ["consumer.security.protocol"]),
        (SOURCE, {}, ["producer.security.protocol"]),
        (SINK, {"consumer__security__protocol": "SSL"}, []),
        ({**SINK, "consumer.override.security.protocol": "SSL"}, {}, []),
    ],
)
def test_clients_of_tasks_without_the_workers_security_are_warned_about(
    connector: Any, more: dict[str, str], about: list[str]
) -> None:
    found = findings(SettingsCheck(situation(connector, security__protocol="SSL", **more)))
    assert [finding.about for finding in found if finding.level is WARNING] == about


def test_a_standalone_worker_needs_a_folder_that_it_may_write(tmp_path: Path) -> None:
    gone = dict.fromkeys(("group__id", "config__storage__topic", "offset__storage__topic", "status__storage__topic"))
    file = str(tmp_path / "offsets")
    changed: dict[str, Any] = {**gone, "offset__storage__file__filename": file}
    assert [finding.level for finding in findings(SettingsCheck(situation(**changed)))] == [OK, OK]
    changed["offset__storage__file__filename"] = str(tmp_path / "no" / "offsets")
    told = findings(SettingsCheck(situation(**changed)))[-1]
    assert (told.level, told.about) == (BROKEN, "offset.storage.file.filename")


# --- classes


def test_every_class_of_worker_and_connector_is_imported() -> None:
    connector = {**SINK, "transforms": "a", "transforms.a.type": "InsertField$Value"}
    [finding] = findings(PluginsCheck(situation(connector)))
    assert (finding.level, finding.message) == (OK, "4 classes were looked up and imported")


@pytest.mark.parametrize(
    ("setting", "value", "blocks"),
    [
        ("connector.class", "com.acme.Nothing", True),
        ("value.converter", "com.acme.Nothing", False),
        ("transforms.a.type", "com.acme.Nothing", False),
        ("predicates.p.type", "com.acme.Nothing", False),
        ("header.converter", "com.acme.Nothing", False),
    ],
)
def test_a_class_that_is_not_installed_is_told_by_its_setting(setting: str, value: str, blocks: bool) -> None:
    chain = {
        "transforms": "a",
        "transforms.a.type": "DropKey",
        "predicates": "p",
        "predicates.p.type": "RecordIsTombstone",
    }
    told = findings(PluginsCheck(situation({**SINK, **chain, setting: value})))[0]
    assert (told.level, told.about, told.blocks) == (BROKEN, setting, blocks)
    assert "com.acme.Nothing" in told.message


def test_a_connector_is_validated_as_over_rest() -> None:
    [finding] = findings(ConnectorCheck(situation(SINK)))
    assert finding.level is OK
    wrong = {**SINK, "tasks.max": "many", "errors.tolerance": "some", "fiel": "x"}
    found = findings(ConnectorCheck(situation(wrong)))
    assert {finding.about for finding in found if finding.level is BROKEN} == {"tasks.max", "errors.tolerance"}
    assert ["did you mean file?" in finding.message for finding in found if finding.level is WARNING] == [True]


def test_a_sink_that_would_join_the_workers_group_is_broken() -> None:
    found = findings(ConnectorCheck(situation({**SINK, "consumer.override.group.id": "workers"})))
    assert any("conflicts with Connect worker group workers" in finding.message for finding in found)


# --- the registry


def registry_check(
    registry: FakeRegistry, connector: Any = None, url: str = "http://ann:hush@registry:8081", **changed: Any
) -> Any:
    asked: list[RegistryAccess] = []

    def opened(access: RegistryAccess) -> FakeRegistry:
        asked.append(access)
        return registry

    settings = {"value__converter": AVRO, "value__converter__schema__registry__url": url, **changed}
    found = findings(RegistryCheck(situation(connector, **settings), opened))
    assert "hush" not in repr(found) + repr(asked)
    return found, asked


def test_a_registry_that_answers_is_told_with_mode_and_level() -> None:
    [finding], asked = registry_check(FakeRegistry())
    assert (finding.level, finding.about) == (OK, "http://registry:8081")
    assert finding.message == "answers: AVRO, JSON, PROTOBUF; mode READWRITE, compatibility BACKWARD"
    assert [access.url for access in asked] == ["http://ann:hush@registry:8081"]


@pytest.mark.parametrize(
    ("registry", "connector", "level", "words"),
    [
        (FakeRegistry(mode="READONLY"), SOURCE, WARNING, "mode is READONLY"),
        (FakeRegistry(mode="READONLY"), SINK, OK, "READONLY"),
        (FakeRegistry(mode="IMPORT"), SOURCE, WARNING, "mode is IMPORT"),
        (FakeRegistry(level="NONE"), None, WARNING, "level is NONE"),
        (FakeRegistry(refusal=Refusal(401)), None, BROKEN, "basic.auth."),
        (FakeRegistry(refusal=Refusal(40101)), None, BROKEN, "basic.auth."),
        (FakeRegistry(refusal=Refusal(40301)), None, BROKEN, "a role that may read"),
        (FakeRegistry(refusal=ConnectError("refused")), None, BROKEN, "Start the registry"),
    ],
)
def test_a_registry_that_cannot_serve_is_told_with_what_to_change(
    registry: FakeRegistry, connector: Any, level: Level, words: str
) -> None:
    found, _ = registry_check(registry, connector)
    assert found[-1].level is level
    assert words in f"{found[-1].message} {found[-1].advice}"


def test_a_source_that_does_not_register_may_use_a_readonly_registry() -> None:
    changed = {"value__converter__auto__register__schemas": "false"}
    found, _ = registry_check(FakeRegistry(mode="READONLY"), SOURCE, **changed)
    assert [finding.level for finding in found] == [OK]


def test_each_registry_of_a_list_is_asked_and_one_of_both_converters_only_once() -> None:
    both = {"key__converter": AVRO, "key__converter__schema__registry__url": "http://a:1"}
    found, asked = registry_check(FakeRegistry(), url="http://a:1,http://b:2", **both)
    assert [access.url for access in asked] == ["http://a:1", "http://b:2"]
    assert [finding.level for finding in found] == [OK, OK]


def test_converters_without_a_registry_ask_nobody_and_one_of_the_process_cannot_be_asked() -> None:
    [finding] = findings(RegistryCheck(situation(), lambda access: FakeRegistry()))
    assert finding.level is OK
    found, asked = registry_check(FakeRegistry(), url="local://default")
    assert found[0].level is SKIPPED
    assert asked == []


JAAS = 'org.apache.kafka.common.security.plain.PlainLoginModule required username="ann" password="hush";'


@pytest.mark.parametrize(
    ("settings", "user", "token"),
    [
        ({}, None, None),
        ({"basic.auth.credentials.source": "USER_INFO", "basic.auth.user.info": "ann:hush"}, "ann:hush", None),
        ({"basic.auth.credentials.source": "SASL_INHERIT", "sasl.jaas.config": JAAS}, "ann:hush", None),
        ({"bearer.auth.credentials.source": "STATIC_TOKEN", "bearer.auth.token": "hush"}, None, "hush"),
    ],
)
def test_a_registry_is_asked_as_the_converter_asks_it(
    settings: dict[str, str], user: str | None, token: str | None
) -> None:
    [access] = registry_accesses({"schema.registry.url": "http://r:1", **settings})
    assert (access.user, access.token) == (user, token)
    assert "hush" not in repr(access)
    headers = RegistryHttp(access.url, access.user, access.token)._headers
    wanted = {"ann:hush": f"Basic {base64.b64encode(b'ann:hush').decode()}"}.get(
        user or "", token and f"Bearer {token}"
    )
    assert headers.get("Authorization") == wanted


def test_credentials_that_are_not_whole_are_told_by_their_setting() -> None:
    settings = {"schema.registry.url": "http://r:1", "bearer.auth.credentials.source": "OAUTHBEARER"}
    with pytest.raises(ConfigError, match=r"bearer\.auth\.issuer\.endpoint\.url is missing"):
        registry_accesses(settings)
    found, _ = registry_check(FakeRegistry(), value__converter__bearer__auth__credentials__source="OAUTHBEARER")
    assert (found[0].level, found[0].about) == (BROKEN, "value.converter")


def test_certificates_of_an_https_registry_are_read(tmp_path: Path) -> None:
    settings = {
        "schema.registry.url": "https://r:1",
        "schema.registry.ssl.truststore.location": str(tmp_path / "no.pem"),
    }
    with pytest.raises(ConfigError, match=r"schema\.registry\.ssl\.truststore\.location"):
        registry_accesses(settings)
    del settings["schema.registry.ssl.truststore.location"]
    [access] = registry_accesses(settings)
    assert access.tls is not None
