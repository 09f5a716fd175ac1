"""JVM workers and penstock's in one group that delivers exactly once: either fences the other's tasks, whoever leads."""

from __future__ import annotations

import json
import os
import signal
from collections import defaultdict
from pathlib import Path

from confluent_kafka.admin import AdminClient, NewTopic

from lab.committed import messages
from lab.jvm_cluster import JvmCluster
from lab.worker_process import WorkerProcess

POM = Path(__file__).parent / "jvm" / "pom.xml"
NAME = "numbers"


def config(cluster: JvmCluster, tasks: int) -> dict[str, str]:
    return {
        "connector.class": "org.apache.kafka.connect.tools.VerifiableSourceConnector", "tasks.max": str(tasks),
        "topic": cluster.topic("numbers"), "throughput": "50", "exactly.once.support": "requested",
        # So that a worker that is frozen leaves a transaction open.
        "transaction.boundary": "interval", "transaction.boundary.interval.ms": "500",
        "value.converter": "org.apache.kafka.connect.converters.LongConverter",
        "key.converter": "org.apache.kafka.connect.converters.IntegerConverter",
    }  # fmt: skip


def numbers(cluster: JvmCluster) -> dict[int, list[int]]:
    """Return each task's committed numbers, in the order they stand in."""
    found = defaultdict(list)
    for message in messages(cluster.kafka, cluster.topic("numbers")):
        key, value = message.key(), message.value()
        assert isinstance(key, bytes)
        assert isinstance(value, bytes)
        found[int.from_bytes(key, "big")].append(int.from_bytes(value, "big"))
    return found


def fenced(cluster: JvmCluster) -> list[int]:
    """Return the task counts of the fencing records in the config topic."""
    records = [(m.key() or b"", m.value()) for m in messages(cluster.kafka, cluster.topic("config"))]
    return [
        json.loads(value)["task-count"] for key, value in records if value and key == f"tasks-fencing-{NAME}".encode()
    ]


def test_each_kind_fences_the_others_tasks_and_every_number_is_seen_once(
    kafka: str, tmp_path: Path, soak: bool
) -> None:
    """Short: the JVM leads, is frozen, and comes back to a group that penstock leads. Long: and the other way round."""
    settings = {"exactly_once_source_support": "enabled", "producer_transaction_timeout_ms": "60000"}
    with JvmCluster(POM, kafka, tmp_path, **settings) as cluster:
        admin = AdminClient({"bootstrap.servers": kafka})
        made = admin.create_topics([NewTopic(cluster.topic("numbers"), 1, 1)])
        made[cluster.topic("numbers")].result(60)
        jvm = cluster.start_jvm().wait_ready()
        cluster.call(jvm, "PUT", f"/connectors/{NAME}/config", config(cluster, 2), expect=201)
        cluster.eventually(lambda: cluster.running(jvm, NAME, 2), "two tasks")
        penstock = cluster.start_penstock().wait_ready()
        for worker in (jvm, penstock):
            code, answer = worker.call("PUT", f"/connectors/{NAME}/fence")
            assert (code, answer["message"]) == (400, "Internal request missing required signature")

        # The JVM leads: penstock's tasks have it fence the older ones, by a signed request.
        reconfigure(cluster, penstock, 3, (jvm, penstock))
        assert not leads(penstock)
        assert fenced(cluster) == [2, 3]
        freeze(cluster, jvm, penstock, 3)
        # Now penstock leads, and the JVM's tasks ask it.
        assert leads(penstock)
        reconfigure(cluster, jvm, 2, (jvm, penstock))
        assert fenced(cluster) == [2, 3, 2]
        if soak:
            reconfigure(cluster, penstock, 4, (jvm, penstock))
            assert fenced(cluster) == [2, 3, 2, 4]
            freeze(cluster, penstock, jvm, 4)
            assert not leads(penstock)
            reconfigure(cluster, penstock, 3, (jvm, penstock))
            assert fenced(cluster) == [2, 3, 2, 4, 3]
        before = {task: len(seen) for task, seen in numbers(cluster).items()}
        cluster.eventually(lambda: len(numbers(cluster)[0]) > before[0] + 50, "it goes on")
        cluster.call(jvm, "PUT", f"/connectors/{NAME}/stop", expect=204)
        cluster.eventually(lambda: cluster.states(jvm, NAME) == ("STOPPED", []), "stopped")
        found = numbers(cluster)
        for task, seen in sorted(found.items()):
            assert seen == list(range(len(seen))), (task, [n for n in seen if seen.count(n) > 1][:10])
        assert sorted(found) == list(range(4 if soak else 3))
        for worker in (jvm, penstock):
            offsets = cluster.call(worker, "GET", f"/connectors/{NAME}/offsets", expect=200)["offsets"]
            stand = {entry["partition"]["id"]: entry["offset"]["seqno"] for entry in offsets}
            assert stand == {task: seen[-1] for task, seen in found.items()}


def leads(penstock: WorkerProcess) -> bool:
    return bool(penstock.call("GET", "/cluster")[1]["leader"])


def reconfigure(cluster: JvmCluster, asked: WorkerProcess, tasks: int, workers: tuple[WorkerProcess, ...]) -> None:
    cluster.call(asked, "PUT", f"/connectors/{NAME}/config", config(cluster, tasks), expect=200)
    ids = {cluster.worker_id(worker) for worker in workers}
    cluster.eventually(lambda: all(cluster.running(w, NAME, tasks, ids) for w in workers), f"{tasks} tasks on {ids}")


def freeze(cluster: JvmCluster, frozen: WorkerProcess, other: WorkerProcess, tasks: int) -> None:
    """Stop a worker past its session, and let it go on with what it was about to write once the other has all tasks."""
    os.kill(frozen.pid, signal.SIGSTOP)
    try:
        only = {cluster.worker_id(other)}
        cluster.eventually(lambda: cluster.running(other, NAME, tasks, only), f"all on {only}")
    finally:
        os.kill(frozen.pid, signal.SIGCONT)
    both = {cluster.worker_id(frozen), cluster.worker_id(other)}
    for worker in (other, frozen):  # the frozen one tells at first what it knew
        cluster.eventually(
            lambda worker=worker: cluster.running(worker, NAME, tasks, both), f"{tasks} tasks on both again"
        )
