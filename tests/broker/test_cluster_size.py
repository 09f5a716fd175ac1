"""A cluster of some size: thirty connectors with four tasks each on three workers, which die, restart and fall asleep."""

from __future__ import annotations

import os
import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import OFFSET_BEGINNING, Consumer, TopicPartition

from penstock.testing.worker_group import DELAY_S, SESSION_S, WorkerGroup

CONNECTORS, TASKS = 30, 4
#: Seconds from a death to RUNNING elsewhere, beyond the session's timeout and the delay that are configured.
MOVING_S = 3.0


@pytest.fixture
def groups(kafka: str, tmp_path: Path, topic: Callable[..., str]) -> Iterator[Callable[..., WorkerGroup]]:
    made: list[WorkerGroup] = []

    def make(workers: int, **settings: str) -> WorkerGroup:
        group = WorkerGroup(kafka, tmp_path, topic("group", create=False), **settings)
        made.append(group)
        for number in range(workers):
            group.start(number)
        for worker in group.workers.values():
            worker.wait_ready()
        group.until("the group is whole", lambda: group.settled(workers))
        return group

    yield make
    for group in made:
        for worker in group.workers.values():
            worker.kill()


def connectors(topic: str, count: int = CONNECTORS) -> dict[str, dict[str, Any]]:
    """Sources that write a record a second and task, with the worker and the task in it; every fifth is a sink."""
    sources = {
        "connector.class": "org.apache.kafka.connect.tools.VerifiableSourceConnector", "throughput": "1",
        "topic": topic, "tasks.max": str(TASKS),
    }  # fmt: skip
    sinks = {
        "connector.class": "org.apache.kafka.connect.tools.MockSinkConnector", "topics": topic, "tasks.max": "1",
    }  # fmt: skip
    idle = {
        "connector.class": "org.apache.kafka.connect.tools.SchemaSourceConnector", "throughput": "0",
        "num.messages": "1", "topic": topic, "tasks.max": str(TASKS),
    }  # fmt: skip
    kinds = (sources, idle, idle, sources, sinks)
    return {f"c{number:02}": dict(kinds[number % len(kinds)]) for number in range(count)}


def task_counts(configs: dict[str, dict[str, Any]]) -> dict[str, int]:
    return {name: int(config["tasks.max"]) for name, config in configs.items()}


def all_running(group: WorkerGroup, tasks: dict[str, int]) -> bool:
    """By one request, as a monitor asks it: everything is RUNNING on workers that live."""
    living = {worker.rest.removeprefix("http://") for worker in group.workers.values()}
    code, found = group.any().call("GET", "/connectors?expand=status")
    if code != 200 or found.keys() != tasks.keys():
        return False
    for name, count in tasks.items():
        status = found[name]["status"]
        parts = [status["connector"], *status["tasks"]]
        if len(parts) != count + 1 or any(p["state"] != "RUNNING" or p["worker_id"] not in living for p in parts):
            return False
    return True


def create(group: WorkerGroup, configs: dict[str, dict[str, Any]]) -> Counter[str]:
    """All of them, through one worker after the other; what is then assigned once each."""
    workers = list(group.workers)
    for number, (name, config) in enumerate(configs.items()):
        group.create(workers[number % len(workers)], name, config)
    tasks = task_counts(configs)
    once = Counter([*tasks, *(f"{name}-{i}" for name, count in tasks.items() for i in range(count))])
    group.until("all run", lambda: group.settled(len(workers)) and all_running(group, tasks), 120)
    assert group.assignment() == once
    return once


def test_the_tasks_of_a_dead_worker_run_elsewhere_in_time(
    groups: Callable[..., WorkerGroup], topic: Callable[..., str], soak: bool
) -> None:
    """Short: the leader. Long: leader and followers in turn, started again after each."""
    group = groups(3)
    configs = connectors(topic("records"))
    t0=time.monotonic()
    once = create(group, configs)
    print("created in", time.monotonic()-t0)
    tasks = task_counts(configs)
    for turn in range(6 if soak else 1):
        leader = group.leader()
        victim = leader if turn % 2 == 0 else next(n for n in group.workers if n != leader)
        died = time.monotonic()
        group.kill(victim)
        group.until("all run elsewhere", lambda: all_running(group, tasks), SESSION_S + DELAY_S + 60)
        took = time.monotonic() - died
        print(f"{'leader' if victim == leader else 'follower'}: {took:.1f} s")
        group.until("the group is at rest", lambda: group.settled(2))
        assert group.assignment() == once
        if soak:
            group.start(victim).wait_ready()
            group.until("the group is whole", lambda: group.settled(3) and all_running(group, tasks))
            assert group.assignment() == once
