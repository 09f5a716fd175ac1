"""``GET /metrics`` of a worker at work on a real broker: every metric of Kafka Connect is there and moves."""

from __future__ import annotations

import re
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.measured import Scrape, scrape
from lab.sink_worker import produce
from lab.worker_group import WorkerGroup
from penstock.http.prometheus import prometheus_name

LIST = Path(__file__).parents[1] / "vectors" / "connect_metrics.txt"
#: A metric of the JVM worker's list: its name here, and the labels that it has.
LINE = re.compile(r'kafka\.connect:type=([a-z-]+)((?:,[a-z]+="\{[a-z]+\}")*): (.*)')


def listed() -> list[tuple[str, str, tuple[str, ...]]]:
    found = []
    for line in LIST.read_text().splitlines():
        match = LINE.fullmatch(line.strip())
        assert match is not None, line
        group, tags, names = match.groups()
        labels = tuple(re.findall(r"([a-z]+)=", tags))
        found += [(group, name, labels) for name in names.split(", ")]
    return found


@pytest.fixture
def group(kafka: str, tmp_path: Path) -> Iterator[WorkerGroup]:
    made = WorkerGroup(
        kafka, tmp_path, f"metered-{uuid.uuid4().hex[:8]}",
        **{"exactly.once.source.support": "enabled", "offset.flush.interval.ms": "500", "offset.storage.partitions": "1"},
        **{"consumer.statistics.interval.ms": "500", "producer.statistics.interval.ms": "500"},
    )  # fmt: skip
    made.start(0)
    yield made
    for worker in made.workers.values():
        worker.kill()


def source(topic: str) -> dict[str, str]:
    return {
        "connector.class": "lab.measured:MeasuredSource", "topic": topic, "value.converter": "string",
        "transforms": "count", "transforms.count.type": "lab.measured:CountingTransform",
        "transforms.count.predicate": "mine", "predicates": "mine",
        "predicates.mine.type": "org.apache.kafka.connect.transforms.predicates.TopicNameMatches",
        "predicates.mine.pattern": ".*",
    }  # fmt: skip


def sink(topic: str, letters: str, file: Path) -> dict[str, str]:
    return {
        "connector.class": "lab.sinks:RecordingSink", "topics": topic, "file": str(file),
        "value.converter": "json", "value.converter.schemas.enable": "false", "errors.tolerance": "all",
        "errors.log.enable": "true", "errors.deadletterqueue.topic.name": letters,
        "errors.deadletterqueue.topic.replication.factor": "1", "producer.override.max.request.size": "1000",
        "transforms": "b", "transforms.b.type": "lab.busy:BusyOnce", "errors.retry.timeout": "20000",
    }  # fmt: skip


#: Metrics that are above zero after the journey, by the connector whose they are.
MOVED = {
    "source": (
        "connector_task_running_ratio connector_task_batch_size_avg connector_task_batch_size_max "
        "connector_task_offset_commit_avg_time_ms connector_task_offset_commit_max_time_ms "
        "connector_task_offset_commit_success_percentage source_task_source_record_poll_rate "
        "source_task_source_record_poll_total source_task_source_record_write_rate source_task_source_record_write_total "
        "source_task_poll_batch_avg_time_ms source_task_poll_batch_max_time_ms source_task_source_record_active_count_avg "
        "source_task_source_record_active_count_max source_task_transaction_size_avg source_task_transaction_size_max "
        "source_task_transaction_size_min connector_task_pause_ratio plugins_polls_total plugins_size_max "
        "plugins_records_seen_total"
    ),
    "sink": (
        "connector_task_batch_size_max connector_task_offset_commit_success_percentage "
        "sink_task_offset_commit_completion_rate sink_task_offset_commit_completion_total sink_task_offset_commit_seq_no "
        "sink_task_partition_count sink_task_put_batch_avg_time_ms sink_task_put_batch_max_time_ms "
        "sink_task_sink_record_active_count_avg sink_task_sink_record_active_count_max sink_task_sink_record_lag_max "
        "sink_task_sink_record_read_rate sink_task_sink_record_read_total sink_task_sink_record_send_rate "
        "sink_task_sink_record_send_total task_error_deadletterqueue_produce_requests "
        "task_error_last_error_timestamp task_error_total_errors_logged "
        "task_error_total_record_errors task_error_total_record_failures task_error_total_records_skipped "
        "task_error_total_retries"
    ),
}  # fmt: skip


def unmoved(found: Scrape) -> list[str]:
    return [
        f"{connector}: {name}" for connector, names in MOVED.items() for name in names.split()
        if not any(value > 0 for value in found.values(f"kafka_connect_{name}", connector=connector))
    ]  # fmt: skip


def test_every_metric_of_kafka_connect_is_there_and_moves(
    group: WorkerGroup, kafka: str, topic: Callable[..., str]
) -> None:
    worker = group.workers[0].wait_ready()
    group.until("the group is whole", lambda: group.settled(1))
    before = scrape(worker.rest)
    assert before.value("kafka_connect_worker_connector_count") == 0
    name, letters = topic(), topic("letters")
    produce(kafka, name, [b"1", b"2", b'"busy"', b"not json", b'"errant"', b"3"])
    group.create(0, "source", source(topic()))
    group.create(0, "sink", sink(name, letters, group.folder / "out"))
    worker.wait_running("source")
    worker.wait_running("sink")
    group.create(0, "mock", {"connector.class": "MockSource", "mock_mode": "task-failure", "delay_ms": "0"})
    assert worker.call("PUT", "/connectors/source/pause")[0] == 202
    paused = {"connector": "source", "status": "paused"}
    status = "kafka_connect_connector_task_status"
    group.until("the source pauses", lambda: scrape(worker.rest).values(status, **paused) == [1.0])
    assert scrape(worker.rest).value("kafka_connect_worker_connector_paused_task_count", connector="source") == 1
    assert worker.call("PUT", "/connectors/source/resume")[0] == 202
    try:
        group.until("the connectors' metrics have moved", lambda: not unmoved(scrape(worker.rest)))
    except AssertionError:
        assert unmoved(scrape(worker.rest)) == []
    # Only now, because the task fails with it: this record's dead letter is too large for the producer.
    produce(kafka, name, [b"x" * 2000])
    failures = "kafka_connect_task_error_deadletterqueue_produce_failures"
    group.until("a dead letter fails", lambda: scrape(worker.rest).value(failures, connector="sink") > 0)
    group.start(1).wait_ready()
    group.until("the second worker has joined", lambda: group.settled(2))
    after = scrape(worker.rest)

    missing = [
        f"{kind}: {metric}" for kind, metric, labels in listed()
        if not any(
            known == prometheus_name(kind, metric) and set(labels) <= {label for label, _ in found}
            for worker_scrape in (scrape(w.rest) for w in group.workers.values()) for known, found in worker_scrape.samples
        )
    ]  # fmt: skip
    assert not missing
    rebalances = "kafka_connect_worker_rebalance_completed_rebalances_total"
    assert after.value(rebalances) > before.value(rebalances)
    epoch = "kafka_connect_worker_rebalance_epoch"
    assert after.value(epoch) > before.value(epoch)
    assert after.value("kafka_connect_worker_rebalance_rebalance_max_time_ms") > 0
    assert after.value("kafka_connect_worker_connector_startup_success_total") >= 3
    assert after.value("kafka_connect_worker_task_startup_success_total") >= 2
    a_failed_task_keeps_its_metrics(group)
    clients_report_their_own_metrics(group)
    the_process_and_python_are_measured_too(group)


def a_failed_task_keeps_its_metrics(group: WorkerGroup) -> None:
    found = [scrape(worker.rest) for worker in group.workers.values()]
    failed = {"connector": "mock", "task": "0", "status": "failed"}
    for name in ("kafka_connect_connector_task_status", "kafka_connect_connector_status"):
        assert [value for one in found for value in one.values(name, **failed)] == [1.0]
    ratio, count = "kafka_connect_connector_task_running_ratio", "kafka_connect_worker_connector_failed_task_count"
    assert len([value for one in found for value in one.values(ratio, connector="mock")]) == 1
    assert sum(value for one in found for value in one.values(count, connector="mock")) == 1


def clients_report_their_own_metrics(group: WorkerGroup) -> None:
    def summed(name: str, client: str) -> float:
        found = [scrape(worker.rest) for worker in group.workers.values()]
        return sum(sum(one.values(name, clientId=client)) for one in found)

    producer, consumer = "connector-producer-source-0", "connector-consumer-sink-0"
    for name in (
        "record_send_total",
        "request_total",
        "outgoing_byte_total",
        "request_latency_avg",
        "connection_count",
    ):
        group.until(name, lambda name=name: summed(f"kafka_producer_{name}", producer) > 0)  # type: ignore[misc]  # mypy does not infer lambdas with defaults
    group.until("requests", lambda: summed("kafka_consumer_request_total", consumer) > 0)
    group.until("partitions", lambda: summed("kafka_consumer_coordinator_assigned_partitions", consumer) == 1)


def the_process_and_python_are_measured_too(group: WorkerGroup) -> None:
    names = scrape(group.any().rest).names()
    assert {"process_cpu_seconds_total", "process_resident_memory_bytes", "python_info"} <= names
