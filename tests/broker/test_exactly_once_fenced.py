"""Sources that deliver exactly once when somebody takes their identity."""

from __future__ import annotations

import re
from collections.abc import Callable

from confluent_kafka import Producer

from lab.committed import numbers, once_and_in_order, read
from lab.worker_group import WorkerGroup

COUNTING = {
    "connector.class": "lab.counting_source:CountingSource", "tasks.max": "2", "rate": "400",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter.schemas.enable": "false",
}  # fmt: skip


def test_a_task_whose_identity_was_taken_runs_again_by_itself(
    group: Callable[..., WorkerGroup], topic: Callable[..., str], kafka: str
) -> None:
    name, records = topic("group", create=False), topic("records")
    cluster = group(kafka, name, exactly_once_source_support="enabled")
    config = {**COUNTING, "topic": records, "limit": "1000000", "errors.restart.backoff.ms": "100"}
    cluster.create(0, "numbers", config)
    cluster.until("it writes", lambda: len(read(kafka, records)) > 300)
    for restarts in (1, 2):
        thief = Producer({"bootstrap.servers": kafka, "transactional.id": f"{name}-numbers-0"})
        thief.init_transactions(30)
        again = re.compile(rf"\[numbers\|task-0\] failed; restart {restarts} in .*\[numbers\|task-0\] is RUNNING", re.S)
        cluster.until("it runs again", lambda again=again: again.search(cluster.any().log(10**7)))
        before = len(numbers(read(kafka, records))[0])
        cluster.until("it goes on", lambda before=before: len(numbers(read(kafka, records))[0]) > before + 200)
    code, health = cluster.any().call("GET", "/connectors/numbers/health")
    assert (code, health["tasks"]) == (200, {"RUNNING": 2})
    assert cluster.any().call("PUT", "/connectors/numbers/stop")[0] == 204
    cluster.until("stopped", lambda: cluster.any().call("GET", "/connectors/numbers/status")[1]["tasks"] == [])
    assert set(once_and_in_order(read(kafka, records))) == {0, 1}
