"""Garbage in a group's internal topics on a real broker: every connector but the one it names goes on, and it is told of."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from confluent_kafka import Producer

from lab.worker_group import WorkerGroup

_DEEP: Final = b'{"properties":{"a":' + b"[" * 5000 + b"]" * 5000 + b"}}"
#: Key and value of records that no worker writes, by topic; NAME is a connector that runs.
POISON: Final[dict[str, list[tuple[bytes, bytes | None]]]] = {
    "config": [
        (b"connector-g1", b'{"properties":{"a":1}}'),
        (b"connector-g2", b'{"properties":{"connector.class":"no.such.Class","tasks.max":"9e999"}}'),
        (b"connector-g3", b"{"),
        (b"connector-g4", _DEEP),
        (b"connector-g5", b'{"properties":"text"}'),
        (b"connector-" + b"n" * 40_000, b'{"properties":{"connector.class":"X"}}'),
        (b'connector-\xff\xfe"', b'{"properties":{"connector.class":"\\ud800"}}'),
        (b"task-NAME-" + b"9" * 9000, b'{"properties":{}}'),
        (b"task-NAME-7", b'{"properties":{"x":[1]}}'),
        (b"commit-NAME", b'{"tasks":"1"}'),
        (b"commit-NAME", b'{"tasks":' + b"9" * 1500 + b"}"),
        (b"commit-nobody", b'{"tasks":2000000000}'),
        (b"target-state-NAME", b'{"state":"FLYING"}'),
        (b"tasks-fencing-NAME", b"[]"),
        (b"session-key", b'{"key":1}'),
        (b"restart-connector-nobody", b'{"only-failed":7}'),
        (b"logger-cluster-x", b'{"level":{}}'),
        (b"somebody-elses", b"\x00\x01"),
        (b"", None),
    ],
    "status": [
        (b"status-connector-g1", b'{"state":"FLYING","generation":1}'),
        (b"status-task-NAME-x", b"{}"),
        (b"status-task-g9-0", b'{"state":"RUNNING","generation":"many"}'),
        (b"status-topic-t:connector-NAME", b'{"topic":1}'),
        (b"\xff", b"{"),
    ],
    "offset": [
        (b'["NAME"]', b"{}"),
        (b'["NAME",{"filename":' + b"[" * 5000 + b"]" * 5000 + b"}]", b'{"position":1}'),
        (b'["NAME",{"filename":"other"}]', b"{"),
        (b'["NAME",{"filename":"\\ud800"}]', b'{"position":1e999}'),
        (b"\xff", b"\xff"),
    ],
}


@pytest.fixture
def group(kafka: str, tmp_path: Path, topic: Callable[..., str]) -> Iterator[WorkerGroup]:
    made = WorkerGroup(kafka, tmp_path, topic("group", create=False))
    made.start(0).wait_ready()
    made.until("the group is whole", lambda: made.settled(1))
    yield made
    for worker in made.workers.values():
        worker.kill()


def poison(kafka: str, group: WorkerGroup, name: str) -> None:
    refused: list[str] = []
    producer = Producer({"bootstrap.servers": kafka})
    for which, records in POISON.items():
        for key, value in records:
            producer.produce(
                group.topic(which),
                value=value,
                key=key.replace(b"NAME", name.encode()),
                on_delivery=lambda error, message: refused.append(str(error)) if error else None,
            )
    assert producer.flush(30) == 0
    assert refused == []


def test_garbage_in_the_topics_harms_nobody_else_now_and_after_a_restart(
    kafka: str, group: WorkerGroup, topic: Callable[..., str]
) -> None:
    lines, out = topic("lines"), group.folder / "out.txt"
    file = group.folder / "in.txt"
    file.write_text("one\n")
    group.create(0, "src", {"connector.class": "FileStreamSource", "file": str(file), "topic": lines})
    group.create(0, "snk", {"connector.class": "FileStreamSink", "file": str(out), "topics": lines})
    group.until("both run", lambda: group.all_running({"src": 1, "snk": 1}))
    poison(kafka, group, "src")
    for number, text in enumerate(("two\n", "three\n")):
        with file.open("a") as appended:
            appended.write(text)
        group.until(text, lambda text=text: out.exists() and text in out.read_text())  # type: ignore[misc]  # mypy does not infer lambdas with defaults
        look_at(group)
        if number == 0:
            group.workers[0].stop()
            group.start(0).wait_ready()
            group.until("the group is whole again", lambda: group.settled(1))
            group.until("both run again", lambda: group.all_running({"src": 1, "snk": 1}))
    assert sorted(out.read_text().split()) == ["one", "three", "two"]  # nothing twice after a clean stop
    code, _ = group.any().call("DELETE", "/connectors/g1")
    assert code == 204
    group.until("g1 is gone", lambda: group.any().call("GET", "/connectors/g1")[0] == 404)


def look_at(group: WorkerGroup) -> None:
    """Every answer that a dashboard asks for is there, and what is wrong is told."""
    worker = group.any()
    group.until("g1 is shown", lambda: worker.call("GET", "/connectors/g1/status")[0] == 200)
    code, listed = worker.call("GET", "/connectors?expand=info&expand=status&expand=health")
    assert code == 200
    assert {name: entry["info"]["type"] for name, entry in listed.items() if name in ("src", "snk", "g1", "g2")} == {
        "src": "source", "snk": "sink", "g1": "unknown", "g2": "unknown",
    }  # fmt: skip
    assert listed["src"]["health"]["healthy"]
    status: dict[str, Any] = listed["g1"]["status"]
    assert status["connector"]["state"] == "FAILED"
    assert "no connector.class" in status["connector"]["trace"]
    code, health = worker.call("GET", "/health")
    assert (code, health["status"]) == (200, "healthy")
    assert "Records that make no sense were met" in health["message"]
    assert "Traceback" not in group.logs()
