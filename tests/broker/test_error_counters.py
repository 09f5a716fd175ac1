"""What the task's meter counts on every path of an error on a real broker (KIP-298, KIP-610, KIP-779)."""

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.in_process import InProcessWorker
from lab.sink_worker import produce
from lab.source_worker import script
from penstock.runtime.meters import Total

JSON = {"value.converter": "json", "value.converter.schemas.enable": "false"}
CAST = {"transforms": "c", "transforms.c.type": "org.apache.kafka.connect.transforms.Cast$Value", "transforms.c.spec": "int32"}  # fmt: skip
BUSY = {"transforms": "b", "transforms.b.type": "lab.busy:BusyOnce", "errors.retry.timeout": "20000"}
ALL = {"errors.tolerance": "all"}
LOG = {"errors.log.enable": "true"}
ONE = {"errors": 1, "failures": 1, "skipped": 1}
#: Name, connector settings, whether there is a dead letter queue, the bad record among good ones, counts above zero.
SINKS: list[tuple[str, dict[str, str], bool, dict[str, Any], dict[str, int]]] = [
    ("value", ALL, True, {"value": b"not json"}, {**ONE, "dead_letters": 1}),
    ("key", {**ALL, "key.converter": "json", "key.converter.schemas.enable": "false"}, True, {"value": b"9", "key": b"{"}, {**ONE, "dead_letters": 1}),
    ("header", {**ALL, "header.converter": "json", "header.converter.schemas.enable": "false"}, True, {"value": b"9", "headers": [("h", b"{")]}, {**ONE, "dead_letters": 1}),
    ("transform", {**ALL, **CAST}, True, {"value": b'"x"'}, {**ONE, "dead_letters": 1}),
    ("put", ALL, True, {"value": b'"errant"'}, {"failures": 1, "skipped": 1, "dead_letters": 1, "sent": 1}),
    ("logged", {**ALL, **LOG}, False, {"value": b"not json"}, {**ONE, "errors_logged": 1}),
    ("logged-put", {**ALL, **LOG}, False, {"value": b'"errant"'}, {"failures": 1, "skipped": 1, "errors_logged": 1, "sent": 1}),
    ("refused-letter", {**ALL, "producer.override.max.request.size": "1000"}, True, {"value": b"x" * 2000}, {**ONE, "dead_letters": 1, "dead_letter_failures": 1}),
    ("retried", BUSY, False, {"value": b'"busy"'}, {"errors": 1, "retries": 1, "sent": 1}),
    ("not-tolerated", LOG, True, {"value": b"not json"}, {"errors": 1, "failures": 1, "dead_letters": 1, "errors_logged": 1, "read": -1, "sent": -1}),
]  # fmt: skip


@pytest.fixture(scope="module")
def worker(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[InProcessWorker]:
    with InProcessWorker(tmp_path_factory.mktemp("counted"), kafka) as running:
        yield running


def counted(worker: InProcessWorker, name: str, of: str) -> dict[str, int]:
    """What the task has counted of errors, and of records in and out; zeros are left out."""
    left_out = {
        Total.COMMITS,
        Total.FAILED_COMMITS,
        Total.LATE_COMMITS,
        Total.COMMIT_REQUESTS,
        *([Total.POLLED] if of == "sink" else []),
    }
    return {total.name.lower(): n for total, n in worker.totals(name).items() if n and total not in left_out}


@pytest.mark.parametrize(
    ("config", "with_queue", "bad", "counts"), [case[1:] for case in SINKS], ids=[case[0] for case in SINKS]
)
def test_a_sink_counts_each_way_of_a_bad_record(
    worker: InProcessWorker, kafka: str, topic: Callable[..., str], tmp_path: Path,
    config: dict[str, str], with_queue: bool, bad: dict[str, Any], counts: dict[str, int],
) -> None:  # fmt: skip
    name = topic()
    queue = {"errors.deadletterqueue.topic.name": topic("dlq")} if with_queue else {}
    produce(kafka, name, [b"1", b"2"], key=b"1")
    produce(kafka, name, [bad["value"]], key=bad.get("key", b"1"), headers=bad.get("headers", []))
    produce(kafka, name, [b"3"], key=b"1")
    expected = {**counts, "read": 4 + counts.get("read", 0), "sent": 3 + counts.get("sent", 0)}
    file = str(tmp_path / "out")
    worker.put(
        name, {"connector.class": "lab.sinks:RecordingSink", "topics": name, "file": file, **JSON, **queue, **config}
    )
    worker.wait(lambda: worker.state(name), "the task")
    try:
        worker.wait(lambda: counted(worker, name, "sink") == expected, f"{expected}", 30)
    except AssertionError:
        assert counted(worker, name, "sink") == expected
    worker.delete(name)


#: Name, connector settings, settings of the topic, the bad record among good ones, counts above zero.
SOURCES: list[tuple[str, dict[str, str], dict[str, str], dict[str, Any], dict[str, int]]] = [
    ("transform", {**ALL, **CAST}, {}, {"value": "bad"}, {**ONE, "written": 3}),
    ("logged", {**ALL, **CAST, **LOG}, {}, {"value": "bad"}, {**ONE, "errors_logged": 1, "written": 3}),
    ("refused", ALL, {}, {"value": "1", "topic": "bad topic %"}, {"failures": 1, "skipped": 1, "written": 4}),
    ("too-large-for-broker", ALL, {"max_message_bytes": "5000"}, {"value": "1" * 6000}, {"failures": 1, "skipped": 1, "written": 4}),
    ("retried", BUSY, {}, {"value": "busy"}, {"errors": 1, "retries": 1, "written": 4}),
    ("not-tolerated", {**CAST, **LOG}, {}, {"value": "bad"}, {"errors": 1, "failures": 1, "errors_logged": 1, "written": 2}),
]  # fmt: skip


@pytest.mark.parametrize(
    ("config", "of_topic", "bad", "counts"), [case[1:] for case in SOURCES], ids=[case[0] for case in SOURCES]
)
def test_a_source_counts_each_way_of_a_bad_record(
    worker: InProcessWorker, topic: Callable[..., str],
    config: dict[str, str], of_topic: dict[str, str], bad: dict[str, Any], counts: dict[str, int],
) -> None:  # fmt: skip
    name = topic(**of_topic)
    expected = {"polled": 4, **counts}
    records = script("1", "2", bad, "3")
    worker.put(name, {"connector.class": "lab.sources:ScriptedSource", "topic": name, **JSON, **records, **config})
    worker.wait(lambda: worker.state(name), "the task")
    try:
        worker.wait(lambda: counted(worker, name, "source") == expected, f"{expected}", 30)
    except AssertionError:
        assert counted(worker, name, "source") == expected
    worker.delete(name)
