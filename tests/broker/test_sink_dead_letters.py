"""Every way of a bad record through a sink on a real broker (KIP-298, KIP-610): what is written, what is in the dead
letter queue, which offsets are committed, what comes again after a restart, and what the log says."""

import threading
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Message
from confluent_kafka.admin import AdminClient

from lab.sink_worker import SinkWorker, produce, read_topic

TOLERANT = {"errors.tolerance": "all", "errors.deadletterqueue.topic.replication.factor": "1"}
WITH_CONTEXT = {**TOLERANT, "errors.deadletterqueue.context.headers.enable": "true"}
JSON = {"value.converter": "json", "value.converter.schemas.enable": "false"}
CAST = {"transforms": "c", "transforms.c.type": "org.apache.kafka.connect.transforms.Cast$Value", "transforms.c.spec": "int32"}  # fmt: skip
HALF = b'"cut \\ud83d"'
DATA_EXCEPTION = "org.apache.kafka.connect.errors.DataException"

#: Name, connector settings, a bad value, stage, class of the stage, class of the error, part of its message.
PATHS = [
    ("value", JSON, b"not json", "VALUE_CONVERTER", "org.apache.kafka.connect.json.JsonConverter", DATA_EXCEPTION, "Converting byte[]"),
    ("key", {**JSON, "key.converter": "json", "key.converter.schemas.enable": "false"}, b"9", "KEY_CONVERTER", "org.apache.kafka.connect.json.JsonConverter", DATA_EXCEPTION, "Converting byte[]"),
    ("transform", {**JSON, **CAST}, b'"x"', "TRANSFORMATION", "org.apache.kafka.connect.transforms.Cast$Value", DATA_EXCEPTION, "x"),
    ("half-character", {**JSON, **CAST}, HALF, "TRANSFORMATION", "org.apache.kafka.connect.transforms.Cast$Value", DATA_EXCEPTION, "cut ?"),
    ("put", JSON, b'"errant"', "TASK_PUT", "RecordingSinkTask", DATA_EXCEPTION, "the store does not take it"),
]  # fmt: skip


def headers_of(message: Message) -> dict[str, bytes | None]:
    return dict(message.headers() or [])


@pytest.mark.parametrize(
    ("config", "bad", "stage", "class_name", "error", "text"), [path[1:] for path in PATHS], ids=[p[0] for p in PATHS]
)
def test_a_bad_record_is_one_dead_letter_with_its_story_its_offset_is_committed_and_nothing_comes_again(
    kafka: str, topic: Callable[..., str], tmp_path: Path,
    config: dict[str, str], bad: bytes, stage: str, class_name: str, error: str, text: str,
) -> None:  # fmt: skip
    name, queue = topic(), topic("dlq", create=False)
    sink = SinkWorker(
        tmp_path,
        kafka,
        {"topics": name, "errors.deadletterqueue.topic.name": queue, **config, **WITH_CONTEXT},
    )
    produce(kafka, name, [b"1"])
    produce(kafka, name, [bad], key=b"its key", headers=[("own", b"\xff"), ("own", None)], timestamp=1_700_000_000_123)
    produce(kafka, name, [b"2"])
    with sink.start() as running:
        sink.wait(running, lambda: sink.committed == {(name, 0): 3}, "the committed offset")
        assert sink.task(running)["state"] == "RUNNING"
        assert running.stop() == 0
    (letter,) = read_topic(kafka, queue)
    assert (letter.key(), letter.value(), letter.timestamp()) == (b"its key", bad, (1, 1_700_000_000_123))
    assert (letter.headers() or [])[:2] == [("own", b"\xff"), ("own", None)]
    headers = headers_of(letter)
    prefix = "__connect.errors."
    told = {key: headers.get(prefix + key) for key in ("topic", "partition", "offset", "connector.name", "task.id")}
    assert told == {
        "topic": name.encode(), "partition": b"0", "offset": b"1", "connector.name": sink.name.encode(), "task.id": b"0",
    }  # fmt: skip
    assert headers[prefix + "stage"] == stage.encode()
    assert class_name in (headers[prefix + "class.name"] or b"").decode()
    assert headers[prefix + "exception.class.name"] == error.encode()
    assert text in (headers[prefix + "exception.message"] or b"").decode()
    assert text in (headers[prefix + "exception.stacktrace"] or b"").decode()

    with sink.start() as running:
        produce(kafka, name, [b"3"])
        sink.wait(running, lambda: sink.committed == {(name, 0): 4}, "the next record's offset")
        assert running.stop() == 0
    assert sink.values == ["1", "2", "3"]
    assert len(read_topic(kafka, queue)) == 1


def test_without_context_headers_a_dead_letter_is_the_record_as_it_came(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, queue = topic(), topic("dlq")
    sink = SinkWorker(tmp_path, kafka, {"topics": name, "errors.deadletterqueue.topic.name": queue, **JSON, **TOLERANT})
    produce(kafka, name, [b"bad"], headers=[("own", b"1")])
    with sink.start() as running:
        sink.wait(running, lambda: sink.committed == {(name, 0): 1}, "the committed offset")
        assert running.stop() == 0
    (letter,) = read_topic(kafka, queue)
    assert letter.headers() == [("own", b"1")]


def test_without_tolerance_the_dead_letter_is_written_the_task_fails_and_only_what_came_before_is_committed(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, queue = topic(), topic("dlq")
    config = {
        "topics": name,
        "errors.deadletterqueue.topic.name": queue,
        **JSON,
        "consumer.override.max.poll.records": "1",
    }
    sink = SinkWorker(tmp_path, kafka, config)
    produce(kafka, name, [b"1", b"bad", b"2"])
    with sink.start() as running:
        sink.wait(running, lambda: sink.task(running).get("state") == "FAILED", "the failure")
        assert f"topic {name}, partition 0, offset 1" in sink.task(running)["trace"]
        assert running.stop() == 0
    assert sink.values == ["1"]
    assert sink.committed == {(name, 0): 1}
    assert [letter.value() for letter in read_topic(kafka, queue)] == [b"bad"]


def test_tolerance_without_a_queue_passes_over_bad_records_logs_them_and_commits(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name = topic()
    logged = {"errors.log.enable": "true", "errors.log.include.messages": "true"}
    sink = SinkWorker(tmp_path, kafka, {"topics": name, **JSON, "errors.tolerance": "all", **logged})
    produce(kafka, name, [b"1", b"bad", b'"errant"', b"2"])
    with sink.start() as running:
        sink.wait(running, lambda: sink.committed == {(name, 0): 4}, "the committed offset")
        assert running.stop() == 0
    assert sink.values == ["1", "2"]
    for stage, offset, told in (
        ("VALUE_CONVERTER", 1, f"topic='{name}', partition=0, offset=1"),
        ("TASK_PUT", 2, "value='errant', offset=2"),
    ):
        (line,) = (x for x in sink.log.splitlines() if f" {stage} (" in x and f"offset {offset}:" in x)
        assert told in line


def test_a_dead_letter_that_the_broker_refuses_holds_its_partitions_commit_and_is_named_and_comes_again(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, queue = topic(partitions=2), topic("dlq", max_message_bytes="2000")
    sink = SinkWorker(tmp_path, kafka, {"topics": name, "errors.deadletterqueue.topic.name": queue, **JSON, **TOLERANT})
    produce(kafka, name, [b"1", b"x" * 5000, b"2"])
    produce(kafka, name, [b"3"], partition=1)
    with sink.start() as running:
        sink.wait(running, lambda: sink.committed == {(name, 1): 1}, "the other partition's offset")
        named = f"the dead letter of {name}-0, offset 1, was not written"
        sink.wait(running, lambda: named in sink.log, "the dead letter's name in the log")
        assert "max.message.bytes" in sink.log
        assert sink.task(running)["state"] == "RUNNING"
        assert running.stop() == 0
    assert sink.committed == {(name, 1): 1}
    admin = AdminClient({"bootstrap.servers": kafka})
    widen(admin, queue)
    with sink.start() as running:
        sink.wait(running, lambda: sink.committed == {(name, 0): 3, (name, 1): 1}, "both offsets")
        assert running.stop() == 0
    assert [letter.value() for letter in read_topic(kafka, queue)] == [b"x" * 5000]
    assert sink.values.count("3") == 1


def widen(admin: AdminClient, name: str) -> None:
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, ResourceType

    entry = ConfigEntry("max.message.bytes", "1000000", incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, name, incremental_configs=[entry])
    admin.incremental_alter_configs([resource])[resource].result(30)


def test_a_queue_that_cannot_be_made_fails_the_task_whatever_is_tolerated_and_says_which_setting(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, queue = topic(), topic("dlq", create=False)
    config = {"topics": name, "errors.deadletterqueue.topic.name": queue, "errors.tolerance": "all", **JSON}
    sink = SinkWorker(tmp_path, kafka, config)  # three replicas, Kafka Connect's default, on one broker
    produce(kafka, name, [b"1"])
    with sink.start() as running:
        sink.wait(running, lambda: sink.task(running).get("state") == "FAILED", "the failure")
        trace = sink.task(running)["trace"]
        assert f"Cannot create topic {queue}" in trace
        assert "errors.deadletterqueue.topic.replication.factor (3)" in trace
        assert running.stop() == 0
    assert sink.committed == {}


def test_a_dead_lettering_sink_loses_nothing_when_it_is_killed_and_repeats_nothing_after_a_stop(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, queue, count = topic(partitions=2), topic("dlq"), 4000
    sink = SinkWorker(
        tmp_path, kafka, {"topics": name, "errors.deadletterqueue.topic.name": queue, **JSON, **WITH_CONTEXT}
    )
    good = {f"{p}{n:05d}" for p in (1, 2) for n in range(count) if n % 50}
    bad = {f"bad {p} {n}" for p in (1, 2) for n in range(0, count, 50)}

    def feed(start: int, end: int) -> None:
        for p in (1, 2):
            values = [f"bad {p} {n}" if n % 50 == 0 else f"{p}{n:05d}" for n in range(start, end)]
            produce(kafka, name, values, partition=p - 1)

    feeder = threading.Thread(target=lambda: [feed(start, start + 500) for start in range(0, count, 500)])
    feeder.start()
    for kill in (1, 2):
        with sink.start() as running:
            sink.wait(running, lambda kill=kill: len(set(sink.values)) > kill * 1500, "records")
            running.kill()
    feeder.join()
    with sink.start() as running:
        sink.wait(running, lambda: sink.committed == {(name, 0): count, (name, 1): count}, "every offset")
        assert running.stop() == 0
    letters = [(letter.value() or b"").decode() for letter in read_topic(kafka, queue)]
    # A kill inside a write leaves the beginning of a line; its record comes again.
    assert good <= set(sink.values)
    assert set(letters) == bad
    lines, stopped_with = len(sink.lines), len(letters)
    with sink.start() as running:
        produce(kafka, name, ["7"])
        sink.wait(running, lambda: sink.committed[name, 0] == count + 1, "one more offset")
        assert running.stop() == 0
    assert len(sink.lines) == lines + 1
    assert len(read_topic(kafka, queue)) == stopped_with
