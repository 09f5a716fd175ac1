"""``penstock doctor`` as a command: files, exit status, and no secret in what it prints."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from penstock.cli import main
from penstock.testing.broker import free_ports

MODULE = "org.apache.kafka.common.security.plain.PlainLoginModule"
#: Texts that must be in no line, and where each stands.
SECRETS = {
    "url": "of-the-registrys-url",
    "file": "of-a-config-provider",
    "jaas": "of-the-workers-login",
    "consumer": "of-the-consumers-login",
    "info": "of-the-registrys-user",
    "connector": "of-the-connectors-login",
}


@pytest.fixture
def files(tmp_path: Path) -> dict[str, Path]:
    """Nobody listens at any address in them."""
    kafka, registry = free_ports(2)
    (tmp_path / "secrets.properties").write_text(f"password={SECRETS['file']}\n")
    login = lambda secret: f'{MODULE} required username="ann" password="{secret}";'  # noqa: E731 - one line says it
    worker = {
        "bootstrap.servers": f"127.0.0.1:{kafka}",
        "group.id": "workers",
        **{f"{which}.storage.topic": f"workers-{which}" for which in ("config", "offset", "status")},
        "config.providers": "file",
        "config.providers.file.class": "org.apache.kafka.common.config.provider.FileConfigProvider",
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanism": "PLAIN",
        "sasl.jaas.config": login(SECRETS["jaas"]),
        "consumer.security.protocol": "SASL_PLAINTEXT",
        "consumer.sasl.mechanism": "PLAIN",
        "consumer.sasl.jaas.config": login(SECRETS["consumer"]),
        "key.converter": "io.confluent.connect.avro.AvroConverter",
        "key.converter.schema.registry.url": f"http://ann:{SECRETS['url']}@127.0.0.1:{registry}",
        "value.converter": "io.confluent.connect.avro.AvroConverter",
        "value.converter.schema.registry.url": f"http://127.0.0.1:{registry}",
        "value.converter.basic.auth.credentials.source": "USER_INFO",
        "value.converter.basic.auth.user.info": f"ann:{SECRETS['info']}",
        "offset.flush.interval.msx": f"${{file:{tmp_path}/secrets.properties:password}}",
    }
    connector = {
        "name": "orders",
        "connector.class": "FileStreamSink",
        "topics": "orders",
        "file": f"${{file:{tmp_path}/secrets.properties:password}}",
        "tasks.max": f"${{file:{tmp_path}/secrets.properties:password}}",
        "consumer.override.sasl.jaas.config": login(SECRETS["connector"]),
    }
    found = {"worker": tmp_path / "worker.properties", "connector": tmp_path / "orders.json"}
    found["worker"].write_text("".join(f"{name}={value}\n" for name, value in worker.items()))
    found["connector"].write_text(json.dumps(connector))
    return found


def doctor(*arguments: Any) -> int:
    return main(["doctor", *map(str, arguments), "--timeout", "2"])


@pytest.mark.parametrize("options", [[], ["--json"], ["--log-level", "DEBUG"]])
def test_no_secret_is_in_any_line(
    files: dict[str, Path], options: list[str], capfd: pytest.CaptureFixture[str]
) -> None:
    assert doctor(files["worker"], files["connector"], *options) == 1
    out, err = capfd.readouterr()
    assert [name for name, secret in SECRETS.items() if secret in out + err] == []
    assert "tasks.max" in out, "it was looked at"


def test_the_report_names_what_cannot_be_reached_and_skips_the_rest(
    files: dict[str, Path], capsys: pytest.CaptureFixture[str]
) -> None:
    assert doctor(files["worker"], files["connector"], "--json") == 1
    report = json.loads(capsys.readouterr().out)
    levels = {(finding["check"], finding["level"]) for finding in report["findings"]}
    assert {("kafka", "broken"), ("registry", "broken"), ("topics", "skipped"), ("converters", "skipped")} <= levels
    assert report["healthy"] is False


def test_a_standalone_worker_has_no_topics_of_its_own(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    [port] = free_ports(1)
    file = tmp_path / "standalone.properties"
    string = "org.apache.kafka.connect.storage.StringConverter"
    file.write_text(
        f"bootstrap.servers=127.0.0.1:{port}\nkey.converter={string}\nvalue.converter={string}\n"
        f"offset.storage.file.filename={tmp_path}/offsets\n"
    )
    assert doctor(file, "--json") == 1
    checks = {finding["check"] for finding in json.loads(capsys.readouterr().out)["findings"]}
    assert checks == {"settings", "plugins", "kafka", "clock", "rights", "registry"}


def test_a_file_that_is_not_there_is_told(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert doctor(tmp_path / "none.properties") == 1
    assert "none.properties" in capsys.readouterr().out
