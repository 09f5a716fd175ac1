"""A broker that is away for longer than a transaction may stay open: sources that deliver exactly once, others, and a sink."""

from __future__ import annotations

import time
from collections.abc import Callable

from confluent_kafka.admin import AdminClient, NewTopic

from lab.committed import numbers, once_and_in_order, read
from lab.worker_group import WorkerGroup
from penstock.testing.broker import KafkaBroker

COUNTING = {
    "connector.class": "lab.counting_source:CountingSource", "tasks.max": "2", "rate": "400",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter.schemas.enable": "false",
}  # fmt: skip


def _topics(bootstrap: str, *names: str) -> None:
    admin = AdminClient({"bootstrap.servers": bootstrap})
    for future in admin.create_topics([NewTopic(name, 2, 1) for name in names]).values():
        future.result(30)


def test_an_outage_of_the_broker_fails_nothing_for_good_and_loses_nothing(
    group: Callable[..., WorkerGroup], private_broker: Callable[..., KafkaBroker], soak: bool
) -> None:
    """The transactions time out meanwhile: their tasks are fenced, and come back."""
    broker = private_broker(transaction_abort_timed_out_transaction_cleanup_interval_ms="500")
    kafka, limit = broker.bootstrap, 60_000 if soak else 12_000
    _topics(kafka, "once", "often")
    exactly = group(kafka, "exactly", exactly_once_source_support="enabled")
    plain = group(kafka, "plain")
    boundary = {
        "transaction.boundary": "interval",
        "transaction.boundary.interval.ms": "500",
        "producer.override.transaction.timeout.ms": "4000",
    }
    lines = plain.folder / "out.txt"
    sink = {
        "connector.class": "FileStreamSink", "topics": "often", "file": str(lines), "tasks.max": "2",
        "key.converter": "org.apache.kafka.connect.storage.StringConverter",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    }  # fmt: skip
    exactly.create(0, "numbers", {**COUNTING, **boundary, "topic": "once", "limit": str(limit)})
    plain.create(0, "numbers", {**COUNTING, "topic": "often", "limit": str(limit)})
    plain.create(0, "lines", sink)

    def written() -> set[str]:
        return set(lines.read_text().splitlines()) if lines.exists() else set()

    def move_on() -> None:
        """All three write more than they had."""
        once, sunk = len(read(kafka, "once")), len(written())
        exactly.until("it writes", lambda: len(read(kafka, "once")) > min(once + 500, 2 * limit - 1), 240)
        plain.until("the sink writes", lambda: len(written()) > min(sunk + 500, 2 * limit - 1), 240)

    for away in [60.0, 1.0, 1.0] if soak else [15.0]:
        move_on()
        broker.kill()
        time.sleep(away)
        broker.start()
        exactly.until("all run", lambda: exactly.all_running({"numbers": 2}), 240)
        plain.until("all run", lambda: plain.all_running({"numbers": 2, "lines": 2}), 240)
    exactly.until("all is there", lambda: len(read(kafka, "once")) >= 2 * limit, 240)
    assert once_and_in_order(read(kafka, "once")) == {0: limit, 1: limit}
    complete = {task: set(range(limit)) for task in (0, 1)}
    plain.until(
        "all is there",
        lambda: {task: set(seen) for task, seen in numbers(read(kafka, "often")).items()} == complete,
        240,
    )
    plain.until("the sink has all", lambda: len(written()) >= 2 * limit, 240)
    for cluster, connectors in ((exactly, {"numbers": 2}), (plain, {"numbers": 2, "lines": 2})):
        assert cluster.all_running(connectors)
