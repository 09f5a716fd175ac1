"""A cluster of some size: thirty connectors with four tasks each on three workers, which die, restart and fall asleep."""

from __future__ import annotations

import json
import os
import signal
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, TopicPartition

from lab.worker_group import DELAY_S, SESSION_S, WORKER_VARIABLE, WorkerGroup

TASKS = 4
#: Seconds from a death to RUNNING elsewhere, beyond the session's timeout and the delay that are configured.
MOVING_S = 3.0
#: What a machine that does other things, too, may add to any of these.
PATIENCE_S = 20.0
STOP_S = 5.0
TOOLS = "org.apache.kafka.connect.tools."


@pytest.fixture
def groups(kafka: str, tmp_path: Path, topic: Callable[..., str]) -> Iterator[Callable[..., WorkerGroup]]:
    made: list[WorkerGroup] = []

    def make(workers: int, **settings: str) -> WorkerGroup:
        providers = {
            "config.providers": "env",
            "config.providers.env.class": "org.apache.kafka.common.config.provider.EnvVarConfigProvider",
        }
        group = WorkerGroup(kafka, tmp_path, topic("group", create=False), **providers, **settings)
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


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Measured times belong to a long run's output."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def tell(text: str) -> None:
        with capture.global_and_fixture_disabled():
            sys.stdout.write(f"\n{text}")

    return tell


def connectors(topic: str, count: int) -> dict[str, dict[str, Any]]:
    """Sources that write a record a second and task, and say in a header who wrote it; idle ones; every fifth is a sink."""
    writing = {"connector.class": TOOLS + "VerifiableSourceConnector", "throughput": "1", "topic": topic}
    idle = {"connector.class": TOOLS + "SchemaSourceConnector", "throughput": "0", "num.messages": "1", "topic": topic}
    sink = {"connector.class": "FileStreamSink", "file": os.devnull, "topics": topic}
    configs = {}
    for number in range(count):
        name, kind = f"c{number:02}", (writing, idle, writing, idle, sink)[number % 5]
        configs[name] = {**kind, "tasks.max": str(TASKS)}
        if kind is writing:
            configs[name] |= {
                "transforms": "who",
                "transforms.who.type": "org.apache.kafka.connect.transforms.InsertHeader",
                "transforms.who.header": "who",
                "transforms.who.value.literal": f"{name} ${{env:{WORKER_VARIABLE}}}",
            }
    return configs


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
    whole(group, len(workers), tasks, once)
    return once


def whole(group: WorkerGroup, workers: int, tasks: dict[str, int], once: Counter[str]) -> None:
    """At rest, and everything runs once."""
    group.until("all run", lambda: group.settled(workers) and all_running(group, tasks), 120)
    assert group.assignment() == once
    assert group.running() == once.total()


def limit(soak: bool) -> float:
    """For work to move. Only a long run is held to what is promised: it has the machine for itself."""
    return SESSION_S + DELAY_S + (MOVING_S if soak else MOVING_S + PATIENCE_S)


class Tail:
    """What is written to a topic from now on."""

    def __init__(self, bootstrap: str, topic: str) -> None:
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "tail"})
        self._topic, self._partitions = topic, sorted(self._consumer.list_topics(topic, 30).topics[topic].partitions)
        self._from = self._ends()

    def _ends(self) -> dict[int, int]:
        return {
            p: self._consumer.get_watermark_offsets(TopicPartition(self._topic, p), 30)[1] for p in self._partitions
        }

    def read(self) -> list[Message]:
        """Up to now."""
        found, missing = [], {p: end for p, end in self._ends().items() if end > self._from[p]}
        self._consumer.assign([TopicPartition(self._topic, p, self._from[p]) for p in self._partitions])
        deadline = time.monotonic() + 60
        while missing:
            assert time.monotonic() < deadline, f"{self._topic} was not read to {missing}"
            message = self._consumer.poll(0.2)
            if message is None or message.error() is not None:
                continue
            found.append(message)
            partition, offset = message.partition() or 0, message.offset() or 0
            if offset + 1 >= missing.get(partition, 2**62):
                del missing[partition]
        self._consumer.close()
        return found


def starts(messages: list[Message]) -> list[tuple[str, str, int]]:
    """Task, worker and time in milliseconds of each RUNNING in the status topic: a task says so once it has started."""
    found = []
    for message in messages:
        key, value = message.key() or b"", json.loads(message.value() or b"null")
        if key.startswith(b"status-task-") and value and value["state"] == "RUNNING":
            found.append((key.decode().removeprefix("status-task-"), value["worker_id"], message.timestamp()[1]))
    return found


def writer(message: Message) -> tuple[str, str, int]:
    """Task, number of the worker, and when it produced the record, in milliseconds."""
    connector, _, worker = dict(message.headers() or [])["who"].decode().strip('"').partition(" ")
    return f"{connector}-{json.loads(message.key() or b'')['payload']}", worker, message.timestamp()[1]


def test_a_worker_that_slept_writes_nothing_of_what_others_have_and_comes_back(
    groups: Callable[..., WorkerGroup], topic: Callable[..., str], soak: bool, say: Callable[[str], None], kafka: str
) -> None:
    """SIGSTOP for longer than its session. Then another is stopped in order, and is gone in time."""
    group = groups(3)
    records = topic("records", partitions=3)
    configs = connectors(records, 30 if soak else 10)
    once, tasks = create(group, configs), task_counts(configs)
    for turn in range(4 if soak else 1):
        leader = group.leader()
        number = leader if turn % 2 == 0 else next(n for n in group.workers if n != leader)
        written, status = Tail(kafka, records), Tail(kafka, group.topic("status"))
        sleeper = group.workers.pop(number)
        asleep = time.monotonic()
        os.kill(sleeper.pid, signal.SIGSTOP)
        group.until("all run elsewhere", lambda: all_running(group, tasks), limit(soak))
        say(
            f"{'leader' if number == leader else 'follower'} asleep, all runs elsewhere: {time.monotonic() - asleep:.1f} s"
        )
        group.until("the group is at rest", lambda: group.settled(2))
        woken = int(time.time() * 1000)
        os.kill(sleeper.pid, signal.SIGCONT)
        group.workers[number] = sleeper
        whole(group, 3, tasks, once)

        own = sleeper.rest.removeprefix("http://")
        given = {task: at for task, worker, at in reversed(starts(status.read())) if worker == own and at >= woken}
        since = list(map(writer, written.read()))
        assert len({worker for _, worker, at in since if at >= woken}) == 3
        late = [
            (task, at) for task, worker, at in since if worker == str(number) and woken <= at < given.get(task, at + 1)
        ]
        assert late == [], (woken, given)

    before = time.monotonic()
    victim = next(n for n in group.workers if n != group.leader())
    assert group.workers.pop(victim).stop(60) == 0
    took = time.monotonic() - before
    say(f"stopped in {took:.1f} s")
    assert took < (STOP_S if soak else STOP_S + PATIENCE_S)
    group.until("all run elsewhere", lambda: all_running(group, tasks), limit(soak))


@pytest.mark.soak
def test_the_tasks_of_a_killed_worker_run_elsewhere_in_time(
    groups: Callable[..., WorkerGroup], topic: Callable[..., str], say: Callable[[str], None]
) -> None:
    group = groups(3)
    configs = connectors(topic("records"), 30)
    once, tasks = create(group, configs), task_counts(configs)
    for turn in range(6):
        leader = group.leader()
        victim = leader if turn % 2 == 0 else next(n for n in group.workers if n != leader)
        died = time.monotonic()
        group.kill(victim)
        group.until("all run elsewhere", lambda: all_running(group, tasks), limit(soak=True))
        say(f"{'leader' if victim == leader else 'follower'} killed, all runs again: {time.monotonic() - died:.1f} s")
        whole(group, 2, tasks, once)
        group.start(victim).wait_ready()
        whole(group, 3, tasks, once)


@pytest.mark.soak
def test_a_rolling_restart_moves_each_task_at_most_twice(
    groups: Callable[..., WorkerGroup], topic: Callable[..., str], say: Callable[[str], None], kafka: str
) -> None:
    """Each worker comes back before the delay is over, and is given what it had."""
    group = groups(3, **{"scheduled.rebalance.max.delay.ms": "60000"})
    configs = connectors(topic("records"), 30)
    once, tasks = create(group, configs), task_counts(configs)
    status = Tail(kafka, group.topic("status"))
    for number in range(3):
        before = time.monotonic()
        assert group.workers.pop(number).stop(60) == 0
        stopped = time.monotonic() - before
        assert stopped < STOP_S
        group.start(number).wait_ready()
        group.until("it is back", lambda: group.settled(3) and all_running(group, tasks), 120)
        say(f"worker {number}: stopped in {stopped:.1f} s, all runs again after {time.monotonic() - before:.1f} s")
    whole(group, 3, tasks, once)
    moves = Counter(task for task, _, _ in starts(status.read()))
    say(f"assignments of a task: {dict(Counter(moves.values()))}")
    assert max(moves.values()) <= 2, moves
