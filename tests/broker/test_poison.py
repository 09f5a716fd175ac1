"""One record in a hundred is poison, of eight kinds: tolerated, it is exactly those that are dead letters, and each comes
back once when the cause is mended; not tolerated, the task fails at the first, and goes on behind each that is skipped."""

import json
import struct
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Producer

from lab.in_process import InProcessWorker
from lab.sink_worker import read_topic
from penstock.cli import main
from penstock.runtime.meters import Total

CONVERTER, TRANSFORM, PUT = "VALUE_CONVERTER", "TRANSFORMATION", "TASK_PUT"
SCHEMA = {
    "type": "object",
    "properties": {"n": {"type": "integer"}, "text": {"type": "string"}, "cast": {"type": "string"}},
    "required": ["n", "text", "cast"],
}
CONFIG = {
    "connector.class": "lab.sinks:StrictSink",
    "value.converter": "io.confluent.connect.json.JsonSchemaConverter",
    "header.converter": "json",
    "header.converter.schemas.enable": "false",
    "transforms": "c",
    "transforms.c.type": "org.apache.kafka.connect.transforms.Cast$Value",
    "transforms.c.spec": "cast:int32",
}
Poison = Callable[[int, int], tuple[bytes | None, bytes, list[tuple[str, bytes]]]]


def framed(schema_id: int, value: Any) -> bytes:
    text = value if isinstance(value, bytes) else json.dumps(value).encode()
    return b"\0" + struct.pack(">I", schema_id) + text


def row(number: int, **changed: Any) -> dict[str, Any]:
    return {"n": number, "text": "good", "cast": str(number), **changed}


def key(number: int) -> bytes:
    return f"k{number}".encode()


#: Kind, the record's key, value and headers for a schema id and a number; stage, part of the error's trace.
KINDS: list[tuple[str, Poison, str, str]] = [
    ("bad frame", lambda i, n: (key(n), b"\x07" + framed(i, row(n))[1:], []), CONVERTER, "magic byte"),
    ("unknown id", lambda i, n: (key(n), framed(i + 999_000, row(n)), []), CONVERTER, "999"),
    ("bad JSON", lambda i, n: (key(n), framed(i, b'{"n": ' + str(n).encode()), []), CONVERTER, ""),
    ("bad type", lambda i, n: (key(n), framed(i, row(n, n=f"number {n}")), []), CONVERTER, ""),
    ("transform", lambda i, n: (key(n), framed(i, row(n, cast=f"none {n}")), []), TRANSFORM, "none"),
    ("oversized", lambda i, n: (key(n), framed(i, row(n, text="x" * 20_000)), []), PUT, "too large"),
    ("null key", lambda i, n: (None, framed(i, row(n)), []), PUT, "needs a key"),
    ("header", lambda i, n: (key(n), framed(i, row(n)), [("h", b"{\xff")]), "HEADER_CONVERTER", ""),
]  # fmt: skip


@pytest.fixture(scope="module")
def worker(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcessWorker]:
    registry = {
        "schema.registry.embedded": "true",
        "registry.store": "memory",
        "registry.listeners": "http://127.0.0.1:0",
    }
    with InProcessWorker(tmp_path_factory.mktemp("poison"), kafka, registry) as running:
        yield running


@pytest.fixture
def schema_id(worker: InProcessWorker) -> int:
    body = json.dumps({"schemaType": "JSON", "schema": json.dumps(SCHEMA)}).encode()
    headers = {"Content-Type": "application/vnd.schemaregistry.v1+json"}
    request = urllib.request.Request(f"{worker.registry_url}/subjects/rows-value/versions", body, headers)
    with urllib.request.urlopen(request) as answer:
        return int(json.load(answer)["id"])


def fill(bootstrap: str, topic: str, schema_id: int, count: int, every: int) -> dict[int, int]:
    """Write `count` records, each `every`th of them poison, the kinds in turn. Returns the poison's kinds by offset."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 20})
    poison: dict[int, int] = {}
    for number in range(count):
        record = key(number), framed(schema_id, row(number)), [("own", b'"kept"')]
        if number % every == every // 2:
            poison[number] = len(poison) % len(KINDS)
            spoilt = KINDS[poison[number]][1](schema_id, number)
            record = spoilt[0], spoilt[1], [*record[2], *spoilt[2]]
        producer.produce(topic, key=record[0], value=record[1], headers=record[2], timestamp=1_700_000_000_000 + number)
        producer.poll(0)
    assert producer.flush(60) == 0
    return poison


def test_tolerated_poison_is_in_the_dead_letter_queue_counted_and_comes_back_once(
    worker: InProcessWorker, schema_id: int, kafka: str, topic: Callable[..., str], tmp_path: Path, soak: bool,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    name, queue, count, out = topic(), topic("dlq"), 100_000 if soak else 10_000, tmp_path / "out"
    poison = fill(kafka, name, schema_id, count, 100)
    letters = {"errors.deadletterqueue.topic.name": queue, "errors.deadletterqueue.context.headers.enable": "true"}
    worker.put(name, {**CONFIG, **letters, "topics": name, "file": str(out), "errors.tolerance": "all"})
    worker.wait(lambda: worker.state(name), "the task")
    worker.wait(lambda: worker.totals(name)[Total.READ] == count, "all records", 120 if soak else 45)
    worker.wait(lambda: len(out.read_text().splitlines()) == count - len(poison), "the good records")
    assert [int(line) for line in out.read_text().splitlines()] == [n for n in range(count) if n not in poison]

    totals = worker.totals(name)
    errant = sum(KINDS[kind][2] == PUT for kind in poison.values())
    assert {total: n for total, n in totals.items() if n and total not in (Total.COMMITS, Total.COMMIT_REQUESTS, Total.READ)} == {
        Total.FAILURES: len(poison), Total.SKIPPED: len(poison), Total.DEAD_LETTERS: len(poison),
        Total.ERRORS: len(poison) - errant, Total.SENT: count - len(poison) + errant,
    }  # fmt: skip
    found = read_topic(kafka, queue)
    assert len(found) == len(poison)
    for letter in found:
        headers = dict(letter.headers() or [])
        number = int(headers["__connect.errors.offset"] or b"")
        _, spoil, stage, said = KINDS[poison.pop(number)]
        own_key, value, _ = spoil(schema_id, number)
        assert (letter.key(), letter.value(), letter.timestamp()[1]) == (own_key, value, 1_700_000_000_000 + number)
        assert headers["own"] == b'"kept"'
        assert headers["__connect.errors.stage"] == stage.encode()
        assert headers["__connect.errors.topic"] == name.encode()
        assert said in (headers["__connect.errors.exception.stacktrace"] or b"").decode()
    assert poison == {}

    tool = ["--url", worker.url, "--bootstrap-servers", kafka]
    assert main(["dlq", "list", name, *tool]) == 0
    listed = Counter({line.split()[1]: int(line.split()[0]) for line in capsys.readouterr().out.splitlines()[1:]})
    assert listed[TRANSFORM] == sum(
        dict(m.headers() or [])["__connect.errors.stage"] == TRANSFORM.encode() for m in found
    )
    # Mended: the transform is gone, and so is what failed in it.
    plain = {k: v for k, v in CONFIG.items() if not k.startswith("transforms")}
    worker.put(name, {**plain, **letters, "topics": name, "file": str(out), "errors.tolerance": "all"})
    assert main(["dlq", "replay", name, *tool, "--stage", TRANSFORM, "--yes"]) == 0
    mended = [int((m.key() or b"")[1:]) for m in found if b'"none ' in (m.value() or b"")]
    worker.wait(lambda: len(out.read_text().splitlines()) >= count - len(found) + len(mended), "the mended records")
    lines = [int(line) for line in out.read_text().splitlines()]
    assert sorted(lines[count - len(found) :]) == sorted(mended)
    assert len(read_topic(kafka, queue)) == len(found)
    worker.delete(name)


def test_poison_that_is_not_tolerated_fails_the_task_at_each_and_only_that_one_is_skipped(
    worker: InProcessWorker, schema_id: int, kafka: str, topic: Callable[..., str], tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:  # fmt: skip
    name, out, count = topic(), tmp_path / "out", 8 * 20
    poison = fill(kafka, name, schema_id, count, 20)
    worker.put(
        name,
        {
            **CONFIG,
            "topics": name,
            "file": str(out),
            "consumer.override.max.poll.records": "1",
            "errors.log.enable": "true",
        },
    )
    for offset in sorted(poison):
        worker.wait(lambda: worker.state(name) == "FAILED", "the failure")
        assert f"topic {name}, partition 0, offset {offset}" in worker.trace(name)
        assert main(["offsets", "skip", name, "--url", worker.url, "--stop", "--yes"]) == 0
        assert f"Skipping the record at topic {name}, partition 0, offset {offset}" in capsys.readouterr().out
    good = [n for n in range(count) if n not in poison]
    worker.wait(lambda: len(out.read_text().splitlines()) >= len(good), "the good records")
    assert [int(line) for line in out.read_text().splitlines()] == good
    worker.delete(name)
