"""The summary at the start of a worker and of a registry: what a person wants to know, and no secret."""

from __future__ import annotations

import json
import logging
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from penstock.api import Service
from penstock.cli.common import set_up_logging
from penstock.cli.services import log_registry
from penstock.cli.summary import worker_summary
from penstock.config.disclosure import LookedUpValues
from penstock.config.worker import WorkerConfig
from penstock.logs import log_summary
from penstock.plugins import Plugins
from penstock.rest.server import RestServer
from penstock_registry.server.config import ServerConfig
from penstock_registry.server.service import RegistryService
from penstock_registry.server.summary import summary_of

SECRET = "hunter2hunter2"
JAAS = f'org.apache.kafka.common.security.plain.PlainLoginModule required username="u" password="{SECRET}";'
DISTRIBUTED = {
    "bootstrap.servers": "b1:9092,b2:9092", "group.id": "orders", "config.storage.topic": "c", "offset.storage.topic": "o",
    "status.storage.topic": "s", "key.converter": "string", "value.converter": "json", "listeners": "http://127.0.0.1:0",
    "rest.advertised.host.name": "worker1",
}  # fmt: skip


@pytest.fixture(autouse=True)
def _logging_as_before() -> Iterator[None]:
    root = logging.getLogger()
    before = list(root.handlers), root.level
    yield
    root.handlers[:], root.level = before


def summary(
    props: Mapping[str, str], mode: str = "distributed", written: Mapping[str, str] | None = None
) -> dict[str, str]:
    config = WorkerConfig.parse(props, mode, written)
    rest = RestServer(config)
    try:
        return worker_summary(config, Plugins.discover(), rest, ["http://127.0.0.1:8081"])
    finally:
        rest.stop()


def test_a_workers_summary_says_in_some_ten_lines_what_runs_where() -> None:
    found = summary(DISTRIBUTED)
    assert 9 <= len(found) <= 13
    assert found["mode"] == "distributed, group orders, protocol sessioned"
    assert found["Kafka"] == "b1:9092,b2:9092, PLAINTEXT"
    assert found["state"] == "configurations in topic c, offsets in topic o, states in topic s"
    assert found["delivery"] == "sources at least once, offsets committed every 60 s"
    assert found["REST"].startswith("http://worker1:")
    assert found["REST security"] == "open to everybody who reaches it, without TLS"
    assert found["schema registry"] == "http://127.0.0.1:8081"
    assert "string" in found["converters"]
    assert "penstock 0" in found["version"]
    assert " connectors, " in found["plugins"]


def test_a_standalone_workers_summary_names_its_file() -> None:
    props = {**DISTRIBUTED, "offset.storage.file.filename": "/var/lib/offsets"}
    found = summary({key: value for key, value in props.items() if key != "group.id"}, "standalone")
    assert (found["mode"], found["state"]) == ("standalone", "offsets in the file /var/lib/offsets")


def test_a_secured_workers_summary_says_how_and_shows_no_secret(tmp_path: Path) -> None:
    users = tmp_path / "users"
    users.write_text("")
    settings = {
        "security.protocol": "sasl_ssl", "sasl.mechanism": "PLAIN", "sasl.jaas.config": JAAS, "ssl.key.password": SECRET,
        "authentication.method": "BASIC", "authentication.basic.users.file": str(users),
        "exactly.once.source.support": "enabled", "admin.listeners": "http://127.0.0.1:0",
    }  # fmt: skip
    found = summary({**DISTRIBUTED, **settings})
    assert found["Kafka"] == "b1:9092,b2:9092, SASL_SSL with PLAIN"
    assert found["REST security"] == "users (BASIC), without TLS"
    assert "/admin at http://127.0.0.1:" in found["REST"]
    assert found["delivery"].startswith("sources exactly once")
    assert SECRET not in str(found)


def test_what_a_config_provider_looked_up_is_shown_as_it_was_written() -> None:
    written = {**DISTRIBUTED, "bootstrap.servers": "${env:BROKERS}", "group.id": "${env:GROUP}"}
    found = summary(
        {**DISTRIBUTED, "bootstrap.servers": "hidden-broker:9092", "group.id": "hidden-group"}, written=written
    )
    assert found["Kafka"] == "${env:BROKERS}, PLAINTEXT"
    assert "${env:GROUP}" in found["mode"]
    assert "hidden" not in str(found)


def registry_summary(**props: str) -> dict[str, str]:
    return summary_of(ServerConfig.parse(props), ["http://r:8081"], "1.0", ["AVRO"])


def test_a_registrys_summary_says_where_schemas_are_kept_and_who_may_ask(tmp_path: Path) -> None:
    assert registry_summary()["store"] == "memory: schemas go with the process"
    assert registry_summary(store="sqlite:/s.db")["store"] == "the file /s.db"
    users = tmp_path / "users"
    users.write_text("")
    found = registry_summary(
        **{
            "kafkastore.bootstrap.servers": "b:9092", "kafkastore.security.protocol": "SASL_SSL",
            "kafkastore.sasl.mechanism": "PLAIN", "kafkastore.sasl.jaas.config": JAAS, "ssl.keystore.password": SECRET,
            "authentication.method": "BASIC", "authentication.basic.users.file": str(users), "leader.eligibility": "false",
        }
    )  # fmt: skip
    assert found["store"] == "topic _schemas at b:9092, SASL_SSL with PLAIN"
    assert found["group"] == "schema-registry; this registry never leads"
    assert found["security"] == "users (BASIC), without TLS"
    assert SECRET not in str(found)


class Described:
    urls: Sequence[str] = ("http://secret-host:8081",)

    def start(self, config: Mapping[str, str]) -> None: ...

    def stop(self) -> None: ...

    def summary(self) -> Mapping[str, str]:
        return {"store": "topic t at secret-broker:9092, PLAINTEXT"}


def logged(capsys: pytest.CaptureFixture[str], form: str, service: Service, looked_up: LookedUpValues) -> str:
    set_up_logging("INFO", form)
    log_registry(service, looked_up)
    return capsys.readouterr().err


def test_a_registrys_summary_hides_what_a_provider_looked_up(capsys: pytest.CaptureFixture[str]) -> None:
    written = {"kafkastore.bootstrap.servers": "${env:B}", "listeners": "http://${env:H}:8081"}
    resolved = {"kafkastore.bootstrap.servers": "secret-broker:9092", "listeners": "http://secret-host:8081"}
    text = logged(capsys, "text", Described(), LookedUpValues(written, resolved))
    assert "${env:B}" in text
    assert "secret-" not in text


def test_as_text_it_is_one_line_for_each_thing_under_a_title(capsys: pytest.CaptureFixture[str]) -> None:
    set_up_logging("INFO")
    log_summary(logging.getLogger("penstock.test"), "Worker w:1 is up", {"mode": "standalone", "state": "a\nb\x1b[31m"})
    title, *lines = capsys.readouterr().err.splitlines()
    assert "INFO" in title
    assert "Worker w:1 is up" in title
    assert lines == ["\tmode: standalone", "\tstate: a", "\tb\\x1b[31m"]


def test_as_json_it_is_one_object(capsys: pytest.CaptureFixture[str]) -> None:
    service = RegistryService()
    service.start({"listeners": "http://127.0.0.1:0", "registry.name": "summed-up"})
    try:
        (line,) = logged(capsys, "json", service, LookedUpValues({}, {})).splitlines()
    finally:
        service.stop()
    found: dict[str, Any] = json.loads(line)
    assert found["level"] == "INFO"
    assert found["message"] == f"Schema registry is up at {found['summary']['addresses'].partition(',')[0]}"
    assert found["summary"]["schema types"] == "JSON, PROTOBUF, AVRO"
