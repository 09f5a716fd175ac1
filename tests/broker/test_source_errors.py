"""Every way of a bad record through a source on a real broker (KIP-298, KIP-779): what is in the topic, which offsets
are committed, what comes again after a restart, what the log says; and what is no record's fault, which ends the task."""

import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka.admin import AdminClient

from lab.sink_worker import read_topic
from lab.source_worker import Source, SourceWorker, script
from penstock.testing.broker import KafkaBroker

LOG = {"errors.log.enable": "true", "errors.log.include.messages": "true"}
CAST = {"transforms": "c", "transforms.c.type": "org.apache.kafka.connect.transforms.Cast$Value", "transforms.c.spec": "int32", "value.converter": "json", "value.converter.schemas.enable": "false"}  # fmt: skip

#: Name, connector settings, settings of the topic, the bad record among good ones, what is said and shown of it.
RECORDS: list[tuple[str, dict[str, str], dict[str, str], dict[str, Any], str, str]] = [
    ("transform", CAST, {}, {"value": "bad"}, "TRANSFORMATION (org.apache.kafka.connect.transforms.Cast$Value", "value='bad'"),
    ("refused-topic", {}, {}, {"value": "1", "topic": "bad topic %"}, "A topic's name has at most 249", "topic='bad topic %'"),
    ("no-partition", {}, {}, {"value": "1", "partition": 77}, "a partition that the topic does not have", "partition=77"),
    ("too-large", {}, {}, {"value": "1" * 1_500_000, "key": "k"}, "cannot write a record of 1500001 bytes to topic", "key='k'"),
    ("too-large-for-broker", {}, {"max_message_bytes": "5000"}, {"value": "1" * 6000, "headers": {"h": "x"}}, "max.message.bytes of the topic", "headers=[h='x']"),
]  # fmt: skip
RECORD_CASES = pytest.mark.parametrize(
    ("config", "of_topic", "bad", "said", "shown"), [case[1:] for case in RECORDS], ids=[case[0] for case in RECORDS]
)


@pytest.fixture(scope="module")
def source(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Source]]:
    """``source(name, config)`` creates a connector in the one worker of these tests."""
    worker = SourceWorker(tmp_path_factory.mktemp("sources"), kafka)
    with worker.start() as running:
        yield lambda name, config: Source(worker, running, name, config)


@RECORD_CASES
def test_a_tolerated_record_is_left_out_and_logged_its_offset_is_committed_and_nothing_comes_again(
    source: Callable[..., Source], kafka: str, topic: Callable[..., str],
    config: dict[str, str], of_topic: dict[str, str], bad: dict[str, Any], said: str, shown: str,
) -> None:  # fmt: skip
    name = topic(**of_topic)
    records = script("1", bad, "2", "3")
    connector = source(name, {"topic": name, "errors.tolerance": "all", **LOG, **config, **records})
    connector.wait(lambda: connector.offsets == {"s": 3}, "the committed offset")
    connector.wait(lambda: connector.topics == [name], "the topic")
    assert connector.state == "RUNNING"
    connector.restart()
    connector.wait(lambda: connector.state == "RUNNING", "the restart")
    assert [message.value() for message in read_topic(kafka, name)] == [b"1", b"2", b"3"]
    line = next(
        line
        for line in connector.log.splitlines()
        if said in line and f"[{name}|" in line and "failed for the record" in line
    )
    assert "source partition {'source': 's'}, source offset {'n': 1}" in line
    assert shown in line
    assert "object at 0x" not in line


@RECORD_CASES
def test_a_record_that_is_not_tolerated_ends_the_task_with_its_position_and_what_to_change(
    source: Callable[..., Source], kafka: str, topic: Callable[..., str],
    config: dict[str, str], of_topic: dict[str, str], bad: dict[str, Any], said: str, shown: str,
) -> None:  # fmt: skip
    name = topic(**of_topic)
    connector = source(name, {"topic": name, **config, **script("1", bad, "2")})
    connector.wait(lambda: connector.state == "FAILED", "the failure")
    assert said in connector.trace
    assert "source partition {'source': 's'}" in connector.trace
    assert "KafkaError{" not in connector.trace.splitlines()[0]
    if bad["value"] == "1" * len(bad["value"]) and len(bad["value"]) > 1:
        assert "Raise producer.override.max.request.size, and max.message.bytes" in connector.trace
    assert "bad topic %" not in connector.topics
    assert max(connector.offsets.values(), default=-1) <= 0
    assert b"2" not in [message.value() for message in read_topic(kafka, name)] or not connector.offsets


#: Name, connector settings, what is said: a topic that cannot be made is no record's fault.
ONE = {"topic.creation.default.partitions": "1", "topic.creation.default.replication.factor": "1"}
CREATION = [
    ("replication", {**ONE, "topic.creation.default.replication.factor": "3"}, "only 1 broker"),
    ("policy", {**ONE, "topic.creation.default.cleanup.policy": "sweep"}, "sweep"),
    ("setting", {**ONE, "topic.creation.default.no.such": "1"}, "no.such"),
    ("name", {**ONE, "topic": "bad topic %"}, "Unable to create topic(s) bad topic %"),
]


@pytest.mark.parametrize(("config", "said"), [case[1:] for case in CREATION], ids=[case[0] for case in CREATION])
@pytest.mark.parametrize("tolerance", ["none", "all"])
def test_a_topic_that_cannot_be_made_ends_the_task_whatever_is_tolerated_and_no_offset_is_committed(
    source: Callable[..., Source], kafka: str, topic: Callable[..., str],
    config: dict[str, str], said: str, tolerance: str,
) -> None:  # fmt: skip
    name = topic(create=False)
    connector = source(name, {"topic": name, "errors.tolerance": tolerance, **config, **script("1", "2")})
    connector.wait(lambda: connector.state == "FAILED", "the failure")
    assert f"Unable to create topic(s) {config.get('topic', name)}: " in connector.trace
    assert said in connector.trace
    assert (connector.offsets, connector.topics) == ({}, [])
    assert name not in AdminClient({"bootstrap.servers": kafka}).list_topics(timeout=30).topics


COUNTING = {"connector.class": "lab.sources:CountingSource", "rate": "2000", "sources": "3"}


@pytest.mark.parametrize(
    "settings",
    [{}, {"errors.tolerance": "all"}, {"connector.class": "lab.sources:ConfirmedCountingSource"}],
    ids=["plain", "tolerant", "confirmed"],
)
def test_nothing_comes_twice_after_a_clean_stop_and_nothing_is_missing_after_a_kill(
    kafka: str, topic: Callable[..., str], tmp_path: Path, settings: dict[str, str]
) -> None:
    name = topic()
    worker = SourceWorker(tmp_path, kafka)

    def count() -> int:
        return len(read_topic(kafka, name))

    with worker.start() as running:
        connector = Source(worker, running, name, {"topic": name, **COUNTING, **settings})
        connector.wait(lambda: min(connector.offsets.values(), default=0) > 300, "the first offsets")
        connector.wait(lambda: connector.topics == [name], "the topic")
        assert running.stop() == 0
    for kill in (False, True):
        before = count()
        with worker.start() as running:
            connector = Source(worker, running, name, {"topic": name, **COUNTING, **settings})
            connector.wait(lambda before=before: count() > before + 500, "more records")
            if kill:
                running.process.kill()
                running.process.wait()
            else:
                assert running.stop() == 0
                values = [message.value() for message in read_topic(kafka, name)]
                assert len(values) == len(set(values))  # nothing twice after two clean stops
    with worker.start() as running:
        before = count()
        connector = Source(worker, running, name, {"topic": name, **COUNTING, **settings})
        connector.wait(lambda: count() > before, "more records")
        assert running.stop() == 0
    stored = {
        entry["partition"]["source"]: entry["offset"]["n"]
        for entry in json.loads((worker.folder / "offsets").read_text())["offsets"]
    }
    seen: dict[int, set[int]] = {0: set(), 1: set(), 2: set()}
    for message in read_topic(kafka, name):
        number, n = (message.value() or b"").decode().split(":")
        seen[int(number)].add(int(n))
    for number, found in seen.items():
        assert found == set(range(max(found) + 1))  # none is missing
        assert max(found) == stored[number]  # and all that was sent is committed


def test_while_the_broker_stands_still_the_log_names_what_waits_and_afterwards_nothing_is_missing_or_twice(
    private_broker: Callable[..., KafkaBroker], tmp_path: Path
) -> None:
    broker = private_broker()
    worker = SourceWorker(tmp_path, broker.bootstrap, "offset.flush.timeout.ms=1000\n")
    with worker.start() as running:
        connector = Source(worker, running, "counted", {"topic": "counted", **COUNTING, "rate": "200", **ONE})
        connector.wait(lambda: len(connector.offsets) == 3, "the first offsets")
        broker.freeze()
        connector.wait(lambda: "are not acknowledged by Kafka" in worker.log, "the complaint", 60)
        broker.thaw()
        frozen = max(connector.offsets.values())
        connector.wait(lambda: min(connector.offsets.values()) > frozen + 300, "offsets after it")
        assert connector.state == "RUNNING"
        assert running.stop() == 0
    line = next(line for line in worker.log.splitlines() if "are not acknowledged by Kafka" in line)
    assert "[counted|task-0] " in line
    assert "waiting: counted-0 (" in line
    values = [message.value() for message in read_topic(broker.bootstrap, "counted")]
    assert len(values) == len(set(values)) > 900
