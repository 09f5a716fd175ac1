"""At least once on a real broker: where records go, in which order, what is committed when, and whose clients they are."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, ResourceType

from lab.committed import group_offsets_at
from lab.patience import PATIENCE_S
from lab.worker_process import WorkerProcess, free_port
from penstock.testing.broker import KafkaBroker

#: Hashes of Kafka's own test of ``Utils.murmur2``.
MURMUR2 = {
    "21": -973932308,
    "foobar": -790332482,
    "a-little-bit-long-string": -985981536,
    "a-little-bit-longer-string": -1486304829,
    "lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8": -58897971,
    "abc": 479470107,
}
#: What connectors may override in the worker of these tests.
ALLOWED = "max.request.size,group.id,auto.offset.reset,session.timeout.ms"


@pytest.fixture(scope="module")
def worker(kafka: str, tmp_path_factory: pytest.TempPathFactory) -> Iterator[WorkerProcess]:
    """Commits once an hour: what is committed sooner was committed for a reason."""
    with start_worker(
        tmp_path_factory.mktemp("delivery"),
        kafka,
        "offset.flush.interval.ms=3600000\n"
        "connector.client.config.override.policy=Allowlist\n"
        f"connector.client.config.override.allowlist={ALLOWED}\n",
    ) as running:
        yield running.wait_ready()


def test_a_key_goes_to_the_partition_where_java_puts_it(
    worker: WorkerProcess, kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, file = topic(partitions=7), tmp_path / "keys.jsonl"
    file.write_text("".join(json.dumps({"k": key}) + "\n" for key in MURMUR2))
    create(worker, name, {"connector.class": "jsonlines-source", "file": str(file), "topic": name, "key.field": "k"})
    found = {message.key(): message.partition() for message in consume(kafka, name, len(MURMUR2), partitions=7)}
    assert found == {key.encode(): (value & 0x7FFFFFFF) % 7 for key, value in MURMUR2.items()}


def test_each_partition_keeps_its_order_while_the_broker_is_killed_and_comes_back(
    private_broker: Callable[..., KafkaBroker], tmp_path: Path
) -> None:
    broker, count = private_broker(), 9000
    file = tmp_path / "numbers.jsonl"
    file.write_text("")
    config = {
        "connector.class": "jsonlines-source", "file": str(file), "topic": "numbers", "key.field": "k",
        "schema": '{"type":"struct","fields":[{"field":"k","type":"string"},{"field":"n","type":"int32"}]}',
        "batch.size": "100",
        "topic.creation.default.partitions": "3", "topic.creation.default.replication.factor": "1",
    }  # fmt: skip
    lines = [json.dumps({"k": f"key {n % 10}", "n": n}) + "\n" for n in range(count)]
    with start_worker(tmp_path, broker.bootstrap, "offset.flush.interval.ms=200\n") as running:
        running.wait_ready()
        create(running, "numbers", config)
        for third in range(3):
            with file.open("a") as stream:
                stream.writelines(lines[third * count // 3 : (third + 1) * count // 3])
            if third == 1:
                consume(broker.bootstrap, "numbers", count // 3, partitions=3)
                broker.kill()
            elif third == 2:
                broker.start()
        stored = lambda: offsets(running, "numbers")  # noqa: E731 - a probe
        poll(lambda: bool(stored()) and stored()[0]["position"] == file.stat().st_size, running, "the last offset")
        assert running.stop() == 0
    by_partition: dict[int, list[int]] = {0: [], 1: [], 2: []}
    for message in consume(broker.bootstrap, "numbers", count, partitions=3):
        by_partition[message.partition() or 0].append(json.loads(message.value() or b"")["n"])
    seen = {p: list(dict.fromkeys(numbers)) for p, numbers in by_partition.items()}
    assert all(numbers == sorted(numbers) and numbers for numbers in seen.values())
    assert sorted(n for numbers in seen.values() for n in numbers) == list(range(count))


def test_topics_are_created_as_the_first_group_that_includes_them_says(
    worker: WorkerProcess, kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    kept, plain = topic("kept", create=False), topic("plain", create=False)
    file = tmp_path / "in.txt"
    file.write_text("one\n")
    groups = {
        "topic.creation.default.partitions": "2", "topic.creation.default.replication.factor": "1",
        "topic.creation.groups": "kept",
        "topic.creation.kept.include": ".*-kept-.*", "topic.creation.kept.partitions": "5",
        "topic.creation.kept.retention.ms": "86400001", "topic.creation.kept.segment.bytes": "1048576",
    }  # fmt: skip
    admin = AdminClient({"bootstrap.servers": kafka})
    for name in (kept, plain):
        create(worker, name, {"connector.class": "FileStreamSource", "file": str(file), "topic": name, **groups})
        consume(kafka, name, 1, partitions=5 if name == kept else 2)
    found = admin.list_topics(timeout=10).topics
    assert [len(found[name].partitions) for name in (kept, plain)] == [5, 2]
    settings = {name: topic_settings(admin, name) for name in (kept, plain)}
    assert (settings[kept]["retention.ms"], settings[kept]["segment.bytes"]) == ("86400001", "1048576")
    assert settings[plain]["retention.ms"] == "604800000"


def test_overrides_of_a_connector_reach_its_clients_and_those_not_allowed_are_refused_by_name(
    worker: WorkerProcess, kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, out = topic(), tmp_path / "out.txt"
    produce(kafka, name, 0, ["old"])
    sink = {
        "connector.class": "FileStreamSink", "topics": name, "file": str(out),
        "consumer.override.group.id": f"mine-{name}", "consumer.override.auto.offset.reset": "latest",
    }  # fmt: skip
    create(worker, name, sink)
    poll(lambda: bool(members(kafka, f"mine-{name}")), worker, "a member of the group")
    # From the end on: where that is, the client finds out some time after it has joined.
    poll(lambda: produce(kafka, name, 0, ["new"]) or "new" in lines_of(out), worker, "a new record")
    assert "old" not in lines_of(out)
    assert not group_offsets_at(kafka, f"connect-{name}")

    big = tmp_path / "big.txt"
    big.write_text("x" * 5000 + "\n")
    source = {"connector.class": "FileStreamSource", "topic": name, "file": str(big)}
    code, _ = worker.call(
        "PUT", f"/connectors/{name}-big/config", {**source, "producer.override.max.request.size": "2000"}
    )
    assert code == 201
    poll(lambda: "FAILED" in states(worker, f"{name}-big"), worker, "a record too large for the producer")
    trace = worker.call("GET", f"/connectors/{name}-big/status")[1]["tasks"][0]["trace"]
    assert "Message size too large" in trace

    code, answer = worker.call("PUT", f"/connectors/{name}-no/config", {**source, "producer.override.linger.ms": "5"})
    assert code == 400
    assert "The 'Allowlist' policy does not allow 'linger.ms' to be overridden" in answer["message"]


def test_a_sink_is_the_group_connect_and_its_name_and_its_members_say_which_task_they_are(
    worker: WorkerProcess, kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name = topic(partitions=2)
    out = tmp_path / "out.txt"
    create(worker, name, {"connector.class": "FileStreamSink", "topics": name, "file": str(out), "tasks.max": "2"})
    poll(lambda: len(members(kafka, f"connect-{name}")) == 2, worker, "both members")
    assert members(kafka, f"connect-{name}") == [f"connector-consumer-{name}-{task}" for task in (0, 1)]


def test_a_sink_commits_when_a_task_leaves_and_when_it_stops_so_that_nothing_comes_twice(
    worker: WorkerProcess, kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, out = topic(partitions=2), tmp_path / "out.txt"
    create(worker, name, {"connector.class": "FileStreamSink", "topics": name, "file": str(out), "tasks.max": "2"})
    group = f"connect-{name}"
    expected: list[str] = []

    def more(label: str) -> None:
        for partition in (0, 1):
            records = [f"{label} {partition} {number}" for number in range(50)]
            produce(kafka, name, partition, records)
            expected.extend(records)
        poll(lambda: len(lines_of(out)) >= len(expected), worker, f"what was sent {label}")

    more("first")
    assert group_offsets_at(kafka, group) == {}  # the interval is an hour
    assert worker.call("POST", f"/connectors/{name}/tasks/0/restart")[0] == 204
    both = {(name, 0): 50, (name, 1): 50}
    poll(lambda: group_offsets_at(kafka, group) == both, worker, "a commit of both tasks")
    worker.wait_running(name)
    more("second")
    assert worker.call("PUT", f"/connectors/{name}/stop")[0] == 204
    poll(lambda: group_offsets_at(kafka, group) == dict.fromkeys(both, 100), worker, "a commit at the stop")
    assert worker.call("PUT", f"/connectors/{name}/resume")[0] == 202
    more("third")
    assert sorted(lines_of(out)) == sorted(expected)


def test_a_pause_keeps_the_place_of_source_and_sink(
    worker: WorkerProcess, kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name, file, out = topic(), tmp_path / "in.txt", tmp_path / "out.txt"
    append(file, range(10))
    create(worker, f"{name}-in", {"connector.class": "FileStreamSource", "file": str(file), "topic": name})
    create(worker, f"{name}-out", {"connector.class": "FileStreamSink", "topics": name, "file": str(out)})
    poll(lambda: len(lines_of(out)) == 10, worker, "what came before the pause")

    pause(worker, f"{name}-in")
    append(file, range(10, 20))
    time.sleep(1.5)  # longer than the source's pauses between looks
    assert len(consume(kafka, name, 10)) == end_of(kafka, name) == 10
    assert worker.call("PUT", f"/connectors/{name}-in/resume")[0] == 202
    poll(lambda: len(lines_of(out)) == 20, worker, "what waited for the source")

    pause(worker, f"{name}-out")
    append(file, range(20, 30))
    consume(kafka, name, 30)
    time.sleep(1.5)
    assert len(lines_of(out)) == 20
    assert worker.call("PUT", f"/connectors/{name}-out/resume")[0] == 202
    poll(lambda: len(lines_of(out)) >= 30, worker, "what waited for the sink")
    assert lines_of(out) == [str(number) for number in range(30)]


# ---- helpers


def start_worker(folder: Path, bootstrap: str, extra: str) -> WorkerProcess:
    rest = f"http://127.0.0.1:{free_port()}"
    (folder / "worker.properties").write_text(
        f"bootstrap.servers={bootstrap}\nlisteners={rest}\noffset.storage.file.filename={folder / 'offsets.json'}\n"
        f"key.converter=string\nvalue.converter=string\n{extra}"
    )
    return WorkerProcess(["standalone", folder / "worker.properties"], folder / "worker.log", rest)


def create(worker: WorkerProcess, name: str, config: Mapping[str, str]) -> None:
    if config["connector.class"] == "jsonlines-source":
        config = {**config, "value.converter": "json", "value.converter.schemas.enable": "false"}
    code, answer = worker.call("PUT", f"/connectors/{name}/config", config)
    assert code == 201, answer
    worker.wait_running(name)


def pause(worker: WorkerProcess, name: str) -> None:
    assert worker.call("PUT", f"/connectors/{name}/pause")[0] == 202
    poll(lambda: states(worker, name) == {"PAUSED"}, worker, f"pause of {name}")


def states(worker: WorkerProcess, name: str) -> set[str]:
    status = worker.call("GET", f"/connectors/{name}/status")[1]
    return {part["state"] for part in (status["connector"], *status["tasks"])}


def offsets(worker: WorkerProcess, name: str) -> list[dict[str, int]]:
    return [entry["offset"] for entry in worker.call("GET", f"/connectors/{name}/offsets")[1]["offsets"]]


def poll(probe: Callable[[], object], running: WorkerProcess, what: str, timeout: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + timeout
    while not probe():
        running.check()
        assert time.monotonic() < deadline, f"no {what} within {timeout:g} s:\n{running.log()}"
        time.sleep(0.05)


def lines_of(file: Path) -> list[str]:
    return file.read_text().splitlines() if file.exists() else []


def append(file: Path, numbers: range) -> None:
    with file.open("a") as stream:
        stream.writelines(f"{number}\n" for number in numbers)


def members(bootstrap: str, group: str) -> list[str]:
    """The client ids of the group's members that have partitions, sorted."""
    admin = AdminClient({"bootstrap.servers": bootstrap})
    described = admin.describe_consumer_groups([group])[group].result(30)
    return sorted(member.client_id for member in described.members if member.assignment.topic_partitions)


def topic_settings(admin: AdminClient, topic: str) -> dict[str, str]:
    resource = ConfigResource(ResourceType.TOPIC, topic)
    answer = admin.describe_configs([resource])[resource].result(30)
    return {name: entry.value for name, entry in answer.items()}


def produce(bootstrap: str, topic: str, partition: int, values: list[str]) -> None:
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all"})
    for value in values:
        producer.produce(topic, value, partition=partition)
    assert producer.flush(30) == 0


def end_of(bootstrap: str, topic: str) -> int:
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"end-{topic}"})
    end: int = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=30)[1]
    consumer.close()
    return end


def consume(bootstrap: str, topic: str, count: int, partitions: int = 1, timeout: float = PATIENCE_S) -> list[Message]:
    """At least the first `count` records of all partitions, each partition's in order."""
    consumer = Consumer(
        {
            "bootstrap.servers": bootstrap,
            "group.id": f"read-{topic}",
            "enable.auto.commit": False,
            "topic.metadata.refresh.interval.ms": 200,  # the topic may still have to be made
        }
    )
    consumer.assign([TopicPartition(topic, partition, 0) for partition in range(partitions)])
    found: list[Message] = []
    deadline = time.monotonic() + timeout
    batch: list[Message] = []
    while batch or len(found) < count:
        batch = [m for m in consumer.consume(5000, 0.3) if m.error() is None]
        found += batch
        assert time.monotonic() < deadline, f"{topic} has {len(found)} of {count} records"
    consumer.close()
    return found
