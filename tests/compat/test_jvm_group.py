"""JVM workers and penstock's in one group: either leads, either runs what it is given, either takes all when the other goes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from lab.jvm_cluster import JvmCluster
from lab.worker_process import WorkerProcess

POM = Path(__file__).parent / "jvm" / "pom.xml"
POM_4_4 = Path(__file__).parent / "jvm44" / "pom.xml"
TOOLS = "org.apache.kafka.connect.tools."
TASKS = 4
KEY_TTL_MS = 4000


@pytest.fixture
def cluster(kafka: str, tmp_path: Path) -> Iterator[JvmCluster]:
    with JvmCluster(POM, kafka, tmp_path, inter_worker_key_ttl_ms=str(KEY_TTL_MS)) as cluster:
        admin = AdminClient({"bootstrap.servers": kafka})
        made = admin.create_topics([NewTopic(cluster.topic(t), TASKS, 1) for t in ("lines", "numbers")])
        for future in made.values():
            future.result(30)
        (tmp_path / "in.txt").touch()
        yield cluster


def configs(cluster: JvmCluster) -> dict[str, dict[str, str]]:
    lines, numbers = cluster.topic("lines"), cluster.topic("numbers")
    return {
        "lines-src": {
            "connector.class": "FileStreamSource", "tasks.max": "1", "file": str(cluster.folder / "in.txt"), "topic": lines,
        },
        "lines-snk": {
            "connector.class": "FileStreamSink", "tasks.max": str(TASKS), "file": str(cluster.folder / "out.txt"),
            "topics": lines,
        },
        "numbers": {
            "connector.class": TOOLS + "VerifiableSourceConnector", "tasks.max": str(TASKS), "topic": numbers,
            "throughput": "5", "value.converter": "org.apache.kafka.connect.converters.LongConverter",
            "key.converter": "org.apache.kafka.connect.converters.IntegerConverter",
        },
        "schemas": {
            "connector.class": TOOLS + "SchemaSourceConnector", "tasks.max": str(TASKS), "topic": numbers, "throughput": "5",
            "id": "1", "num.messages": "1000000", "value.converter": "org.apache.kafka.connect.json.JsonConverter",
        },
    }  # fmt: skip


class Group:
    """The workers of a cluster, and what must hold while both are in it."""

    def __init__(self, cluster: JvmCluster) -> None:
        self.cluster = cluster
        self.tasks = {"lines-src": 1, "lines-snk": TASKS, "numbers": TASKS, "schemas": TASKS}
        self.lines = 0

    def all_run(self, *workers: WorkerProcess) -> None:
        """As each of `workers` says, everything runs, spread over all of them alike."""
        ids = {self.cluster.worker_id(worker) for worker in workers}

        def spread() -> bool:
            for worker in workers:
                if sorted(worker.call("GET", "/connectors")[1]) != sorted(self.tasks):
                    return False
                if not all(self.cluster.running(worker, name, count) for name, count in self.tasks.items()):
                    return False
                at = [place for name in self.tasks for _, place in self.cluster.states(worker, name)[1]]
                counts = [at.count(worker_id) for worker_id in ids]
                if set(at) != ids or max(counts) - min(counts) > 1:
                    return False
            return True

        self.cluster.eventually(spread, f"{self.tasks} on {ids}")

    def home(self, name: str) -> str:
        """The worker that the connector itself runs on."""
        return str(self.cluster.workers[0].call("GET", f"/connectors/{name}/status")[1]["connector"]["worker_id"])

    def homes(self, worker: WorkerProcess) -> list[str]:
        return [name for name in self.tasks if self.home(name) == self.cluster.worker_id(worker)]

    def lines_come_through(self) -> None:
        with (self.cluster.folder / "in.txt").open("a") as file:
            file.writelines(f"line {i}\n" for i in range(self.lines, self.lines + 20))
        self.lines += 20
        wanted, out = {f"line {i}" for i in range(self.lines)}, self.cluster.folder / "out.txt"
        self.cluster.eventually(lambda: set(out.read_text().split("\n")[:-1]) == wanted, "every line")

    def session_keys(self) -> list[str]:
        """Every key that the config topic has seen, newest last."""
        name = self.cluster.topic("config")
        consumer = Consumer({"bootstrap.servers": self.cluster.kafka, "group.id": "none", "enable.auto.commit": False})
        end = consumer.get_watermark_offsets(TopicPartition(name, 0), 30)[1]
        consumer.assign([TopicPartition(name, 0, 0)])
        found = []
        while consumer.position([TopicPartition(name, 0)])[0].offset < end:
            found += [m.value().decode() for m in consumer.consume(100, 0.2) if m.key() == b"session-key"]
        consumer.close()
        return found


def exercise(group: Group, leader: WorkerProcess, follower: WorkerProcess, *, rotated: bool) -> None:
    """Every write works on either worker, and what the follower's connectors want of their tasks reaches the leader."""
    cluster = group.cluster
    assert group.homes(leader), "no connector on the leader"
    assert group.homes(follower), "no connector on the follower"
    for worker in (leader, follower):  # what only workers may ask is refused to others, and not passed on for them
        code, answer = worker.call("POST", "/connectors/numbers/tasks", [{"task.class": "x"}])
        assert (code, answer["message"]) == (400, "Internal request missing required signature")

    # The connector's instance answers with other tasks: on the follower, signed with the newest of several keys.
    if rotated:
        seen = len(group.session_keys())
        cluster.eventually(lambda: len(group.session_keys()) > seen, "a new key", 3 * KEY_TTL_MS / 1000 + 10)
    for asked, home in ((follower, follower), (follower, leader), (leader, follower)):
        name = next(name for name in group.homes(home) if name != "lines-src")
        count = group.tasks[name] % TASKS + 1  # another number
        cluster.call(
            asked, "PUT", f"/connectors/{name}/config", {**configs(cluster)[name], "tasks.max": str(count)}, expect=200
        )
        group.tasks[name] = count
        cluster.eventually(
            lambda name=name, count=count: len(cluster.states(leader, name)[1]) == count, f"{count} tasks of {name}"
        )
    group.all_run(leader, follower)

    # Created and changed through the follower.
    made = {**configs(cluster)["lines-snk"], "file": str(cluster.folder / "more.txt")}
    cluster.call(follower, "POST", "/connectors", {"name": "more", "config": made}, expect=201)
    assert cluster.call(follower, "PATCH", "/connectors/more/config", {"tasks.max": "2"}, expect=200)["type"] == "sink"
    group.tasks["more"] = 2
    group.all_run(leader, follower)

    paused = ("PAUSED", ["PAUSED"] * 2)
    for worker, other in ((leader, follower), (follower, leader)):
        cluster.call(worker, "PUT", "/connectors/more/pause", expect=202)
        cluster.eventually(lambda other=other: states(cluster, other, "more") == paused, "paused")
        cluster.call(worker, "PUT", "/connectors/more/resume", expect=202)
        for name, count in list(group.tasks.items()):
            cluster.call(worker, "POST", f"/connectors/{name}/restart", expect=204)
            cluster.call(worker, "POST", f"/connectors/{name}/tasks/{count - 1}/restart", expect=204)
        cluster.call(worker, "POST", "/connectors/numbers/restart?includeTasks=true", expect=202)
        group.all_run(leader, follower)
    cluster.call(follower, "PUT", "/connectors/more/stop", expect=204)
    cluster.eventually(lambda: states(cluster, leader, "more") == ("STOPPED", []), "stopped")
    cluster.call(follower, "DELETE", "/connectors/more/offsets", expect=200)
    cluster.call(follower, "DELETE", "/connectors/more", expect=204)
    del group.tasks["more"]
    group.all_run(leader, follower)
    group.lines_come_through()


def states(cluster: JvmCluster, worker: WorkerProcess, name: str) -> tuple[str, list[str]]:
    connector, tasks = cluster.states(worker, name)
    return connector, [task for task, _ in tasks]


def leads(penstock: WorkerProcess) -> bool:
    return bool(penstock.call("GET", "/cluster")[1]["leader"])


def described(penstock: WorkerProcess) -> dict[str, Any]:
    group: dict[str, Any] = penstock.call("GET", "/cluster")[1]["group"]
    return group


def test_both_kinds_of_worker_share_a_group_whoever_leads(cluster: JvmCluster) -> None:
    group = Group(cluster)
    jvm = cluster.start_jvm().wait_ready()
    for name, config in configs(cluster).items():
        cluster.call(jvm, "PUT", f"/connectors/{name}/config", config, expect=201)
    penstock = cluster.start_penstock().wait_ready()
    group.all_run(jvm, penstock)
    assert described(penstock)["protocol"] == "sessioned"
    assert not leads(penstock)
    exercise(group, leader=jvm, follower=penstock, rotated=True)

    assert cluster.stop(jvm) in (0, 143)  # 143: how a JVM says SIGTERM
    group.all_run(penstock)
    assert leads(penstock)
    group.lines_come_through()

    jvm = cluster.start_jvm().wait_ready()
    group.all_run(penstock, jvm)
    assert leads(penstock)
    exercise(group, leader=penstock, follower=jvm, rotated=True)

    cluster.kill(penstock)
    group.all_run(jvm)
    group.lines_come_through()


#: A JVM worker that ran tasks under a better protocol does not stop them when the group falls back to ``eager``
#: (KAFKA-13816), so nobody makes a group of its own that way.
#: ``connect.protocol`` of the JVM worker and of penstock's, who leads, and what their group then speaks.
PROTOCOLS = [
    ("eager", "sessioned", "jvm", "default"),
    ("sessioned", "compatible", "penstock", "compatible"),
    *(
        pytest.param(*case, marks=pytest.mark.soak)
        for case in [
            ("eager", "eager", "penstock", "default"),
            ("compatible", "sessioned", "jvm", "compatible"),
            ("compatible", "eager", "penstock", "default"),
        ]
    ),
]


@pytest.mark.parametrize(("jvms", "penstocks", "leader", "common"), PROTOCOLS)
def test_a_group_speaks_the_best_protocol_that_all_its_workers_know(
    cluster: JvmCluster, jvms: str, penstocks: str, leader: str, common: str
) -> None:
    """And all its work runs once, also when the second worker makes the group fall back, and when it goes again."""
    group = Group(cluster)
    start = {
        "jvm": lambda: cluster.start_jvm(connect_protocol=jvms).wait_ready(),
        "penstock": lambda: cluster.start_penstock(connect_protocol=penstocks).wait_ready(),
    }
    first = start.pop(leader)()
    for name, config in configs(cluster).items():
        cluster.call(first, "PUT", f"/connectors/{name}/config", config, expect=201)
    ((_, start_second),) = start.items()
    second = start_second()
    group.all_run(first, second)
    penstock = first if leader == "penstock" else second
    assert described(penstock)["protocol"] == common
    assert leads(penstock) == (leader == "penstock")
    group.lines_come_through()
    # Not signed: whoever runs the connector, its new tasks reach the leader.
    for name in ("numbers", "schemas"):
        group.tasks[name] = 2
        cluster.call(
            second, "PUT", f"/connectors/{name}/config", {**configs(cluster)[name], "tasks.max": "2"}, expect=200
        )
    group.all_run(first, second)
    cluster.stop(second)
    group.all_run(first)
    group.lines_come_through()


@pytest.mark.parametrize("leader", ["penstock", "4.3", "4.4"])
def test_workers_of_two_kafka_releases_share_a_group_with_penstock(cluster: JvmCluster, leader: str) -> None:
    """Whoever leads, each runs its share and passes on what it is asked; the others take over when the leader goes."""
    group = Group(cluster)
    start = {
        "penstock": cluster.start_penstock,
        "4.3": cluster.start_jvm,
        "4.4": lambda: cluster.start_jvm(POM_4_4),
    }
    workers = {leader: start.pop(leader)().wait_ready()}
    for name, config in configs(cluster).items():
        cluster.call(workers[leader], "PUT", f"/connectors/{name}/config", config, expect=201)
    workers |= {kind: make() for kind, make in start.items()}
    for worker in workers.values():
        worker.wait_ready()
    group.all_run(*workers.values())
    assert leads(workers["penstock"]) is (leader == "penstock")
    assert described(workers["penstock"])["protocol"] == "sessioned"
    group.lines_come_through()
    for count, (kind, worker) in enumerate(workers.items(), 1):
        group.tasks["numbers"] = count
        cluster.call(
            worker,
            "PUT",
            "/connectors/numbers/config",
            {**configs(cluster)["numbers"], "tasks.max": str(count)},
            expect=200,
        )
        cluster.eventually(
            lambda worker=worker, count=count: cluster.running(worker, "numbers", count),
            f"{count} tasks, asked of {kind}",
        )
    cluster.stop(workers.pop(leader))
    group.all_run(*workers.values())
    group.lines_come_through()
