"""``penstock offsets`` with Kafka's own worker: what it shows, changes, and cannot know."""

from __future__ import annotations

import re
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.jvm_connect import JvmConnect, fetch_connect
from lab.patience import PATIENCE_S
from lab.sink_worker import produce
from penstock.cli import main

POM = Path(__file__).parent / "jvm" / "pom.xml"


def await_true(probe: Callable[[], object], what: str, timeout: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + timeout
    while not probe():
        assert time.monotonic() < deadline, f"no {what} within {timeout:g} s"
        time.sleep(0.1)


def test_offsets_of_a_jvm_workers_sink_are_shown_set_reset_and_its_failed_record_must_be_named(
    kafka: str, topic: Callable[..., str], tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    name, out = topic(), tmp_path / "out"
    config = {
        "connector.class": "org.apache.kafka.connect.file.FileStreamSinkConnector", "topics": name, "file": str(out),
        "value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false",
    }  # fmt: skip
    produce(kafka, name, [b"0", b"1", b"bad", b"3"])
    with JvmConnect(fetch_connect(POM), tmp_path, kafka, {"offset.flush.interval.ms": "300"}) as worker:
        worker.wait_ready()
        assert worker.call("PUT", f"/connectors/{name}/config", config)[0] == 201
        at = [name, "--url", worker.rest]

        def state() -> str:
            tasks = worker.call("GET", f"/connectors/{name}/status")[1].get("tasks", [])
            return str(tasks[0]["state"]) if tasks else ""

        await_true(lambda: state() == "FAILED", "the failure")
        assert main(["offsets", "skip", *at, "--stop", "--yes"]) == 1
        assert f"penstock offsets set {name}" in capsys.readouterr().err
        assert main(["offsets", "set", *at, "--stop", "--yes", "--partition", f"{name}-0", "--offset", "3"]) == 0
        await_true(lambda: out.exists() and out.read_text() == "3\n", "the record behind")

        def shown() -> str:
            assert main(["offsets", "show", *at]) == 0
            return capsys.readouterr().out

        await_true(lambda: re.search(rf"{re.escape(name)}-0\s+4\b", shown()), "its offset")
        assert main(["offsets", "set", *at, "--stop", "--yes", "--to-end", "--bootstrap-servers", kafka]) == 0
        assert f"{name}-0  4 -> 4  (no change)" in capsys.readouterr().out
        assert main(["offsets", "reset", *at, "--stop", "--yes"]) == 0
        assert f"{name}-0  4 -> none" in capsys.readouterr().out
