"""A sink under pressure on a real broker: a slow put, a put that asks for another try, large records, aborted ones."""

import time
from collections.abc import Callable
from pathlib import Path

import pytest
from confluent_kafka import Producer

from lab.sink_worker import SinkWorker, produce


def test_a_task_thrown_out_for_a_slow_put_says_so_joins_again_and_reads_what_it_had_not_committed_again(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name = topic(partitions=2)
    config = {
        "topics": name,
        "consumer.override.max.poll.interval.ms": "2000",
        "consumer.override.max.poll.records": "50",
    }
    sink = SinkWorker(tmp_path, kafka, config)
    produce(kafka, name, ["quick"], partition=1)
    produce(kafka, name, ["1", "2", "slow=5"])
    with sink.start() as running:
        sink.wait(running, lambda: sink.log.count(" assigned ") == 2, "a second assignment")
        sink.wait(running, lambda: sink.committed.get((name, 0)) == 3, "the offset of what came again")
        produce(kafka, name, ["after"])
        sink.wait(running, lambda: "after" in sink.values, "what came after")
        assert sink.task(running)["state"] == "RUNNING"
        assert running.stop() == 0
    log = sink.log
    assert "was thrown out of its consumer group: put() took " in log
    assert "and the group allows 2.0 s between polls" in log
    assert "Lower consumer.override.max.poll.records (50) or raise consumer.override.max.poll.interval.ms (2000)" in log
    assert f"lost {name}-0" in log
    assert sink.committed == {(name, 0): 4, (name, 1): 1}
    assert set(sink.values) == {"quick", "1", "2", "slow=5", "after"}


def test_a_put_near_the_limit_is_told_with_its_numbers_and_costs_nothing(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name = topic()
    sink = SinkWorker(tmp_path, kafka, {"topics": name, "consumer.override.max.poll.interval.ms": "4000"})
    produce(kafka, name, ["slow=2.5"])
    with sink.start() as running:
        sink.wait(running, lambda: sink.committed == {(name, 0): 1}, "the offset")
        assert running.stop() == 0
    assert "put() took 2." in sink.log
    assert "for 1 records; after 4.0 s without a poll the group takes the task's partitions away" in sink.log
    assert sink.log.count(" assigned ") == 1


def test_a_put_that_is_tried_again_gets_the_same_batch_and_nothing_comes_twice(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name = topic()
    sink = SinkWorker(tmp_path, kafka, {"topics": name})
    produce(kafka, name, ["1", "busy", "3"])
    with sink.start() as running:
        sink.wait(running, lambda: sink.committed == {(name, 0): 3}, "the offset")
        assert running.stop() == 0
    assert sink.values == ["1", "busy", "3"]
    assert "put() failed and will be tried again in" in sink.log


def test_tasks_that_share_partitions_cooperatively_lose_and_repeat_nothing_when_one_is_restarted(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name = topic(partitions=4)
    assignor = "org.apache.kafka.clients.consumer.CooperativeStickyAssignor"
    config = {"topics": name, "tasks.max": "2", "consumer.override.partition.assignment.strategy": assignor}
    sink = SinkWorker(tmp_path, kafka, config)
    expected: list[str] = []

    def more(label: str) -> None:
        for partition in range(4):
            values = [f"{label} {partition} {number}" for number in range(100)]
            produce(kafka, name, values, partition=partition)
            expected.extend(values)

    with sink.start() as running:
        more("first")
        sink.wait(running, lambda: len(sink.lines) >= len(expected), "the first records")
        assert running.call("POST", f"/connectors/{sink.name}/tasks/0/restart")[0] == 204
        more("second")
        sink.wait(running, lambda: len(sink.lines) >= len(expected), "the second records")
        assert running.stop() == 0
    assert sorted(sink.values) == sorted(expected)
    assert sink.committed == {(name, partition): 200 for partition in range(4)}


@pytest.mark.parametrize(("level", "expected"), [("read_committed", ["kept"]), (None, ["dropped", "kept"])])
def test_records_of_an_aborted_transaction_are_read_unless_the_connector_asks_for_committed_ones(
    kafka: str, topic: Callable[..., str], tmp_path: Path, level: str | None, expected: list[str]
) -> None:
    name = topic()
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": f"tx-{name}"})
    producer.init_transactions(30)
    for value, end in (("dropped", producer.abort_transaction), ("kept", producer.commit_transaction)):
        producer.begin_transaction()
        producer.produce(name, value=value)
        producer.flush(30)  # an abort would drop it from the client's queue
        end(30)
    config = {"topics": name} | ({"consumer.override.isolation.level": level} if level else {})
    sink = SinkWorker(tmp_path, kafka, config)
    with sink.start() as running:
        sink.wait(running, lambda: "kept" in sink.values, "the committed record")
        assert running.stop() == 0
    assert sink.values == expected


def test_a_sink_that_stands_still_keeps_no_more_than_its_buffers_in_memory(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    name = topic()
    sink = SinkWorker(tmp_path, kafka, {"topics": name, "consumer.override.max.poll.records": "5"})
    produce(kafka, name, ["slow=8", *["x" * 500_000] * 300])  # 150 MB
    with sink.start() as running:
        sink.wait(running, lambda: " assigned " in sink.log, "the assignment")
        before, most = memory_mb(running.pid), 0.0
        deadline = time.monotonic() + 6
        while time.monotonic() < deadline:
            most = max(most, memory_mb(running.pid))
            time.sleep(0.2)
        assert most - before < 110, f"{before:.0f} MB before, {most:.0f} MB while the task stood still"
        sink.wait(running, lambda: sink.committed == {(name, 0): 301}, "every record")
        assert running.stop() == 0


def memory_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")
