"""Sources that deliver exactly once, on a real broker: what a reader of committed records sees, through kills, pauses and reconfigurations."""

from __future__ import annotations

import os
import random
import signal
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from confluent_kafka.admin import AdminClient, NewTopic

from lab.committed import numbers, once_and_in_order, read
from lab.worker_group import WorkerGroup
from penstock.testing.broker import KafkaBroker

SOURCE = "org.apache.kafka.connect.tools.VerifiableSourceConnector"


@pytest.fixture
def group(kafka: str, tmp_path: Path, topic: Callable[..., str]) -> Iterator[Callable[..., WorkerGroup]]:
    groups: list[WorkerGroup] = []

    def make(workers: int, bootstrap: str = kafka, **settings: str) -> WorkerGroup:
        settings = {"exactly.once.source.support": "enabled", **settings}
        made = WorkerGroup(bootstrap, tmp_path, topic("group", create=False), **settings)
        groups.append(made)
        for number in range(workers):
            made.start(number)
        for worker in made.workers.values():
            worker.wait_ready()
        made.until("the group is whole", lambda: made.settled(workers))
        return made

    yield make
    for made in groups:
        for worker in made.workers.values():
            worker.kill()


def test_lines_arrive_once_whatever_is_restarted(
    group: Callable[..., WorkerGroup], topic: Callable[..., str], kafka: str, tmp_path: Path
) -> None:
    cluster, records = group(1), topic("records")
    lines = tmp_path / "in.txt"
    lines.write_text("".join(f'"{i}"\n' for i in range(1000)))
    config = {
        "connector.class": "FileStreamSource", "file": str(lines), "topic": records, "exactly.once.support": "required",
        "value.converter": "org.apache.kafka.connect.storage.StringConverter",
    }  # fmt: skip
    cluster.create(0, "lines", config)
    cluster.until("all lines are there", lambda: len(read(kafka, records)) == 1000)
    worker = cluster.any()
    worker.call("PUT", "/connectors/lines/pause")
    worker.call("PUT", "/connectors/lines/resume")
    worker.call("POST", "/connectors/lines/restart?includeTasks=true")
    with lines.open("a") as file:
        file.write("".join(f'"{i}"\n' for i in range(1000, 2000)))
    cluster.until("the rest is there", lambda: len(read(kafka, records)) == 2000)
    assert [int(value) for value in read(kafka, records)] == list(range(2000))
    code, offsets = worker.call("GET", "/connectors/lines/offsets")
    assert code == 200
    assert offsets["offsets"][0]["offset"]["position"] == lines.stat().st_size


COUNTING = {
    "connector.class": "lab.counting_source:CountingSource", "tasks.max": "4", "exactly.once.support": "required",
    "key.converter": "org.apache.kafka.connect.storage.StringConverter", "value.converter.schemas.enable": "false",
}  # fmt: skip
BOUNDARIES: dict[str, dict[str, str]] = {
    "poll": {"transaction.boundary": "poll"},
    "interval": {"transaction.boundary": "interval", "transaction.boundary.interval.ms": "500"},
    "connector": {"transaction.boundary": "connector"},
}


class Faults:
    """Kills, freezes and restarts workers at random, one at a time, and waits until all run again."""

    def __init__(self, cluster: WorkerGroup, workers: int, tasks: dict[str, int], seed: int) -> None:
        self.cluster, self.workers, self.tasks = cluster, workers, tasks
        self.random = random.Random(seed)

    def kill(self) -> None:
        victim = self.random.choice(list(self.cluster.workers))
        self.cluster.kill(victim)
        self.recovered(self.workers - 1)
        self.cluster.start(victim).wait_ready()
        self.recovered(self.workers)

    def freeze(self) -> None:
        """Stop a worker for longer than its session; it goes on with what it was about to do."""
        number = self.cluster.leader() if self.random.random() < 0.5 else self.random.choice(list(self.cluster.workers))
        frozen = self.cluster.workers.pop(number)
        os.kill(frozen.pid, signal.SIGSTOP)
        self.recovered(self.workers - 1)
        os.kill(frozen.pid, signal.SIGCONT)
        self.cluster.workers[number] = frozen
        self.recovered(self.workers)

    def restart(self) -> None:
        victim = self.random.choice(list(self.cluster.workers))
        assert self.cluster.workers.pop(victim).stop() == 0
        self.cluster.start(victim).wait_ready()
        self.recovered(self.workers)

    def restart_broker(self, broker: KafkaBroker, *, cleanly: bool) -> None:
        if cleanly:
            broker.stop()
        else:
            broker.kill()
        broker.start()
        self.recovered(self.workers)

    def recovered(self, workers: int) -> None:
        running = lambda: self.cluster.settled(workers) and self.cluster.all_running(self.tasks)  # noqa: E731 - one condition
        self.cluster.until("all run", running)


@dataclass(frozen=True)
class Size:
    """How long a run is; each of four tasks counts to `limit`, so many numbers a second."""

    workers: int
    faults: int
    limit: int
    rate: int


SHORT, LONG, LARGE = Size(2, 2, 4_000, 400), Size(3, 15, 40_000, 400), Size(3, 40, 125_000, 300)


@pytest.mark.parametrize("boundary", BOUNDARIES)
def test_every_number_arrives_once_and_in_order_through_faults(
    group: Callable[..., WorkerGroup], private_broker: Callable[..., KafkaBroker], boundary: str, soak: bool
) -> None:
    """Short: a kill, a freeze and a reconfiguration of two workers. Long: three workers and many faults; the broker is stopped and killed, too."""
    size = (LARGE if boundary == "poll" else LONG) if soak else SHORT
    broker = private_broker()
    cluster = group(size.workers, broker.bootstrap)
    admin = AdminClient({"bootstrap.servers": broker.bootstrap})
    admin.create_topics([NewTopic("records", 4, 1)])["records"].result(60)
    config = {**COUNTING, **BOUNDARIES[boundary], "topic": "records", "limit": str(size.limit)}
    cluster.create(0, "numbers", {**config, "rate": str(size.rate)})
    faults = Faults(cluster, size.workers, {"numbers": 4}, seed=len(boundary))
    faults.recovered(size.workers)
    for turn in range(size.faults):
        [faults.kill, faults.freeze, faults.restart][turn % 3]()
        if soak and turn in (size.faults // 3, 2 * size.faults // 3):
            faults.restart_broker(broker, cleanly=turn == size.faults // 3)
        if turn in (1, size.faults // 2):
            reconfigure(cluster, {**config, "rate": str(size.rate + turn)})
            faults.recovered(size.workers)
    reconfigure(cluster, {**config, "rate": "5000"})  # to the end
    total = 4 * size.limit
    cluster.until("all numbers are there", lambda: len(read(broker.bootstrap, "records")) >= total, 600)
    assert once_and_in_order(read(broker.bootstrap, "records")) == dict.fromkeys(range(4), size.limit)


def reconfigure(cluster: WorkerGroup, config: dict[str, str]) -> None:
    code, answer = cluster.any().call("PUT", "/connectors/numbers/config", config)
    assert code == 200, answer


def test_what_a_connector_aborts_is_not_seen_and_does_not_come_again(
    group: Callable[..., WorkerGroup], topic: Callable[..., str], kafka: str
) -> None:
    cluster, records = group(1), topic("records")
    config = {**COUNTING, **BOUNDARIES["connector"], "topic": records, "limit": "2100", "rate": "20000", "tasks.max": "1", "abort.every": "3"}  # fmt: skip
    cluster.create(0, "numbers", config)
    cluster.until("all that is committed is there", lambda: len(read(kafka, records)) >= 1400)
    cluster.any().call("POST", "/connectors/numbers/restart?includeTasks=true")
    cluster.until("it runs again", lambda: cluster.all_running({"numbers": 1}))
    expected = [n for n in range(2100) if (n // 70 + 1) % 3]
    assert numbers(read(kafka, records)) == {0: expected}
    code, offsets = cluster.any().call("GET", "/connectors/numbers/offsets")
    assert (code, offsets["offsets"][0]["offset"]) == (200, {"n": 2099})
    assert len(read(kafka, records, "read_uncommitted")) == 2100
