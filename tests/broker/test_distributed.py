"""Several workers of one group on a real broker: any worker answers, and any worker may die."""

from __future__ import annotations

import os
import random
import re
import signal
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from lab.measured import scrape
from lab.patience import PATIENCE_S
from lab.worker_group import DELAY_S, SESSION_S, WorkerGroup
from lab.worker_process import WorkerProcess, free_port
from penstock.testing.broker import KafkaBroker


@pytest.fixture
def group(kafka: str, tmp_path: Path, topic: Callable[..., str]) -> Iterator[Callable[..., WorkerGroup]]:
    groups: list[WorkerGroup] = []

    def make(workers: int, **settings: str) -> WorkerGroup:
        made = WorkerGroup(kafka, tmp_path, topic("group", create=False), **settings)
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


def sources(group: WorkerGroup, topic: str, count: int) -> dict[str, dict[str, Any]]:
    configs = {}
    for number in range(count):
        file = group.folder / f"in{number}.txt"
        file.write_text("".join(f"line {number} {i}\n" for i in range(50)))
        configs[f"source{number}"] = {
            "connector.class": "FileStreamSource", "file": str(file), "topic": topic, "tasks.max": "1",
        }  # fmt: skip
    return configs


def sink(group: WorkerGroup, topic: str, tasks: int) -> dict[str, Any]:
    return {
        "connector.class": "FileStreamSink", "file": str(group.folder / "out.txt"), "topics": topic,
        "tasks.max": str(tasks),
    }  # fmt: skip


def test_any_worker_takes_writes_and_the_dead_ones_work_moves(
    group: Callable[..., WorkerGroup], topic: Callable[..., str], soak: bool
) -> None:
    """Short: two workers and the leader killed. Long: three, killed and started again in random order."""
    count = 3 if soak else 2
    cluster = group(count)
    records = topic("records", partitions=4)
    connectors = {"sink": 4}
    for number, (name, config) in enumerate(sources(cluster, records, 5 if soak else 2).items()):
        cluster.create(number % count, name, config)
        connectors[name] = 1
    cluster.create(count - 1, "sink", sink(cluster, records, 4))
    cluster.until("all run", lambda: cluster.settled(count) and cluster.all_running(connectors))
    once = Counter([*connectors, *(f"{name}-{i}" for name, tasks in connectors.items() for i in range(tasks))])
    assert cluster.assignment() == once

    for turn in range(12 if soak else 1):
        victim = cluster.leader() if turn % 2 == 0 else random.choice(list(cluster.workers))
        cluster.kill(victim)
        # What a rebalance and starting take; a short run may have a machine that is busy with other things.
        limit = SESSION_S + DELAY_S + (10 if soak else PATIENCE_S)
        cluster.until("all run elsewhere", lambda: cluster.all_running(connectors), limit)
        cluster.until("the group is at rest", lambda: cluster.settled(count - 1))
        assert cluster.assignment() == once
        assert cluster.running() == once.total()
        if soak:
            cluster.start(victim).wait_ready()
            cluster.until("the group is whole", lambda: cluster.settled(count) and cluster.all_running(connectors))
            assert cluster.assignment() == once

    expected = {f"line {n} {i}" for n in range(5 if soak else 2) for i in range(50)}
    out = cluster.folder / "out.txt"
    cluster.until("every line arrived", lambda: expected <= set(out.read_text().split("\n")))


@pytest.mark.soak
def test_a_worker_that_sleeps_through_its_replacement_gives_up_what_it_ran(
    group: Callable[..., WorkerGroup], topic: Callable[..., str]
) -> None:
    cluster = group(3)
    records = topic("records")
    configs = sources(cluster, records, 6)
    for name, config in configs.items():
        cluster.create(0, name, config)
    connectors = dict.fromkeys(configs, 1)
    cluster.until("all run", lambda: cluster.settled(3) and cluster.all_running(connectors))
    once = Counter([*configs, *(f"{name}-0" for name in configs)])
    for turn in range(6):
        victim = cluster.leader() if turn % 2 == 0 else random.choice(list(cluster.workers))
        sleeper = cluster.workers.pop(victim)
        os.kill(sleeper.pid, signal.SIGSTOP)
        cluster.until("all run elsewhere", lambda: cluster.settled(2) and cluster.all_running(connectors))
        os.kill(sleeper.pid, signal.SIGCONT)
        cluster.workers[victim] = sleeper
        cluster.until("the group is whole", lambda: cluster.settled(3) and cluster.all_running(connectors))
        assert cluster.assignment() == once
        assert cluster.running() == once.total()


def test_followers_answer_for_the_leader(group: Callable[..., WorkerGroup], topic: Callable[..., str]) -> None:
    cluster = group(2)
    leader = cluster.leader()
    follower = cluster.workers[1 - leader]
    records = topic("records")
    configs = sources(cluster, records, 2)
    for name, config in configs.items():
        code, made = follower.call("PUT", f"/connectors/{name}/config", config)
        assert (code, made["name"]) == (201, name)
    running = {"source0": 1, "source1": 1}
    cluster.until("both run, on a worker each", lambda: cluster.all_running(running) and cluster.settled(2))
    owners = {follower.call("GET", f"/connectors/{name}/status")[1]["tasks"][0]["worker_id"] for name in configs}
    assert len(owners) == 2

    for name in configs:  # whoever runs it is asked, through the leader if need be
        for worker in cluster.workers.values():
            assert worker.call("POST", f"/connectors/{name}/tasks/0/restart")[0] == 204
            assert worker.call("POST", f"/connectors/{name}/restart")[0] == 204
    assert follower.call("POST", "/connectors/source0/restart?includeTasks=true")[0] == 202
    cluster.until("they run again", lambda: cluster.all_running(running))

    assert follower.call("PATCH", "/connectors/source0/config", {"batch.size": "17"})[0] == 200
    cluster.until(
        "both workers know", lambda: all(
            w.call("GET", "/connectors/source0/config")[1].get("batch.size") == "17" for w in cluster.workers.values()
        )
    )  # fmt: skip
    cluster.until("it runs with it", lambda: cluster.all_running(running) and cluster.settled(2))
    for worker in cluster.workers.values():
        code, error = worker.call("POST", "/connectors/source0/tasks", [])
        assert (code, error["message"]) == (400, "Internal request missing required signature")

    assert follower.call("PUT", "/connectors/source1/stop")[0] == 204
    code, answer = follower.call("DELETE", "/connectors/source1/offsets")
    assert (code, answer["message"]) == (200, "The offsets for this connector have been reset successfully")
    assert follower.call("DELETE", "/connectors/source0")[0] == 204
    cluster.until("it is gone everywhere", lambda: all(
        w.call("GET", "/connectors")[1] == ["source1"] for w in cluster.workers.values()
    ))  # fmt: skip
    cluster.until("nothing of it is left", lambda: cluster.settled(2) and cluster.assignment() == Counter(["source1"]))


def test_a_worker_cut_off_from_the_group_stops_its_tasks_and_takes_them_up_again(
    private_broker: Callable[..., KafkaBroker], tmp_path: Path
) -> None:
    broker = private_broker()
    cluster = WorkerGroup(broker.bootstrap, tmp_path, "cut-off")
    with cluster.start(0).wait_ready() as worker:
        cluster.until("the group is whole", lambda: cluster.settled(1))
        (name, config), *_ = sources(cluster, "lines", 1).items()
        cluster.create(0, name, config)
        cluster.until("it runs", lambda: cluster.all_running({name: 1}) and cluster.settled(1))
        broker.freeze()
        cluster.until("it is stopped", lambda: worker.call("GET", "/cluster")[1]["task_count"] == 0)
        broker.thaw()
        cluster.until("it runs again", lambda: cluster.settled(1) and cluster.all_running({name: 1}))


def test_several_workers_of_one_machine_are_kept_running(kafka: str, topic: Callable[..., str], tmp_path: Path) -> None:
    name = topic("group", create=False)
    cluster = WorkerGroup(kafka, tmp_path, name)
    first = free_port()
    file = cluster.write(0, first)
    log = tmp_path / "worker0.log"
    with WorkerProcess(["worker", file, "--workers", "2"], log, f"http://127.0.0.1:{first}") as supervisor:
        cluster.workers[0] = supervisor.wait_ready()
        cluster.until("both are in the group", lambda: cluster.settled(2))
        pids = [int(found) for found in re.findall(r"worker [12] of 2 is process (\d+)", log.read_text())]
        assert len(pids) == 2
        workers, up = {f"127.0.0.1:{first + number}" for number in range(2)}, "kafka_connect_worker_process_up"
        gathered = lambda worker: scrape(f"http://{worker}", "?all=true")  # noqa: E731 - asked again and again
        both_up = lambda: gathered(f"127.0.0.1:{first}").values(up) == [1, 1]  # noqa: E731 - asked again and again
        cluster.until("both are gathered", both_up)
        for worker in workers:
            found = gathered(worker)
            assert all(found.value(up, worker=name) == 1 for name in workers)
            assert all(found.value("kafka_connect_worker_task_count", worker=name) == 0 for name in workers)
        cluster.until(
            "both say what they are", lambda: set(re.findall(r"Worker (\S+) is up", log.read_text())) == workers
        )
        os.kill(pids[1], signal.SIGKILL)
        cluster.until(
            "another took its place", lambda: len(re.findall(r"worker 2 of 2 is process", log.read_text())) == 2
        )
        cluster.until("both are in the group again", lambda: cluster.settled(2))
        cluster.until("both are gathered again", both_up)
        assert supervisor.stop() == 0
