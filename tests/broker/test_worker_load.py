"""One worker with a lot to do: hundreds of tasks that cost next to nothing while idle, and REST clients without pause."""

from __future__ import annotations

import os
import re
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from statistics import mean
from typing import Any

import pytest
from confluent_kafka import Consumer, TopicPartition

from lab.rest_load import RestLoad
from lab.worker_group import WorkerGroup

TOOLS = "org.apache.kafka.connect.tools."
EVERYTHING = "/connectors?expand=status&expand=info"
#: What a machine that does other things, too, may add to a bar.
PATIENCE_S = 20.0


@pytest.fixture
def worker(kafka: str, tmp_path: Path, topic: Callable[..., str]) -> Iterator[WorkerGroup]:
    group = WorkerGroup(kafka, tmp_path, topic("group", create=False))
    group.start(0).wait_ready()
    group.until("the group is whole", lambda: group.settled(1))
    yield group
    for process in group.workers.values():
        process.kill()


@pytest.fixture
def say(request: pytest.FixtureRequest) -> Callable[[str], None]:
    """Measured figures belong to a long run's output."""
    capture = request.config.pluginmanager.getplugin("capturemanager")

    def tell(text: str) -> None:
        with capture.global_and_fixture_disabled():
            print(f"\n{text}", end="")  # noqa: T201 - for whoever runs the tests

    return tell


def status(pid: int, field: str) -> int:
    """A number out of /proc: VmRSS in kB, Threads."""
    found = re.search(rf"^{field}:\s+(\d+)", Path(f"/proc/{pid}/status").read_text(), re.MULTILINE)
    assert found is not None
    return int(found[1])


def threads(pid: int) -> Counter[str]:
    """By who made them: librdkafka names its own ``rdk:…``."""
    names = Counter[str]()
    for task in Path(f"/proc/{pid}/task").iterdir():
        names["client" if (task / "comm").read_text().startswith("rdk:") else "ours"] += 1
    return names


def running(group: WorkerGroup, tasks: dict[str, int]) -> bool:
    code, found = group.any().call("GET", EVERYTHING)
    return (
        code == 200
        and found.keys() == tasks.keys()
        and all(
            [part["state"] for part in (found[name]["status"]["connector"], *found[name]["status"]["tasks"])]
            == ["RUNNING"] * (count + 1)
            for name, count in tasks.items()
        )
    )


def cpu_seconds(pid: int) -> float:
    """Of all threads of `pid` so far."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def timed(action: Callable[[], Any]) -> float:
    before = time.monotonic()
    action()
    return time.monotonic() - before


def test_hundreds_of_idle_tasks_cost_little_and_stop_move_and_answer_promptly(
    worker: WorkerGroup, soak: bool, say: Callable[[str], None]
) -> None:
    group, pid = worker, worker.any().pid
    count, each = (64, 8) if soak else (16, 8)
    idle = {
        "connector.class": TOOLS + "SchemaSourceConnector", "topic": "none", "throughput": "0", "num.messages": "0",
        "tasks.max": str(each),
    }  # fmt: skip
    before, memory = threads(pid), status(pid, "VmRSS")
    tasks = {f"c{number}": each for number in range(count)}

    def create() -> None:
        for name in tasks:
            group.create(0, name, idle)
        group.until("all run", lambda: group.settled(1) and running(group, tasks), 120)

    created = timed(create)
    after, grown = threads(pid), (status(pid, "VmRSS") - memory) / 1024
    asked = min(timed(lambda: running(group, tasks)) for _ in range(5))
    say(
        f"{count * each} tasks, {count} connectors: running after {created:.1f} s, {grown:.0f} MB more; all asked for in {asked * 1000:.0f} ms"
    )
    # No producer, no consumer, no reader of offsets of a task's own: a thread each for tasks and connectors, and the
    # few of the pools that started them.
    assert after["client"] == before["client"]
    assert after["ours"] - before["ours"] <= count * each + count + 40
    assert grown < 0.2 * count * each
    assert asked < 1.0 + (0 if soak else PATIENCE_S)

    def join() -> None:
        group.start(1).wait_ready()
        group.until("the group is whole", lambda: group.settled(2) and running(group, tasks), 120)

    joined = timed(join)
    sizes = [worker.call("GET", "/cluster")[1]["task_count"] for worker in group.workers.values()]
    assert sizes == [count * each // 2] * 2
    leader = group.leader()
    stopped = timed(lambda: group.workers.pop(leader).stop(60))
    say(f"a second worker has its half after {joined:.1f} s; stopped in {stopped:.1f} s")
    assert stopped < 5.0 + (0 if soak else PATIENCE_S)


def test_clients_that_ask_without_pause_get_answers_and_leave_the_source_its_time(
    worker: WorkerGroup, topic: Callable[..., str], kafka: str, soak: bool, say: Callable[[str], None]
) -> None:
    """Sixteen of them; 64 connectors. Rounds with and without them take turns. The bar of 20 % is the benchmark's, which has
    the machine for itself; here a source that is starved must not pass."""
    group, records, seconds = worker, topic("records"), 20.0 if soak else 2.5
    count = 64 if soak else 16
    for number in range(count - 1):
        group.create(0, f"idle{number}", {"connector.class": TOOLS + "MockSourceConnector"})
    busy = {
        "connector.class": TOOLS + "SchemaSourceConnector", "topic": records, "throughput": "-1", "tasks.max": "1",
        "num.messages": str(2**31 - 1), "producer.override.compression.type": "lz4",
    }  # fmt: skip
    group.create(0, "busy", busy)
    names = {"busy": 1, **{f"idle{number}": 1 for number in range(count - 1)}}
    group.until("all run", lambda: group.settled(1) and running(group, names))
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": "none"})

    def written() -> int:
        return int(consumer.get_watermark_offsets(TopicPartition(records, 0), 30)[1])

    group.until("it writes", lambda: written() > 5000)
    paths = (EVERYTHING, *(f"/connectors/{name}/status" for name in list(names)[:7]))
    rates, costs, loads = [], [], []
    for turn in range(5 if soak else 3):
        start, at, used = time.monotonic(), written(), cpu_seconds(group.any().pid)
        if turn % 2:
            loads.append(RestLoad(group.any().rest, paths, 16, seconds).run())
        else:
            time.sleep(seconds / 2)  # what is measured is what happens meanwhile
        more = written() - at
        rates.append(more / (time.monotonic() - start))
        costs.append(more / (cpu_seconds(group.any().pid) - used))
    consumer.close()
    # By time the machine's other work counts, too, the clients' first of all; by the worker's CPU it does not.
    kept, by_cpu = (mean(figures[1::2]) / mean(figures[::2]) for figures in (rates, costs))
    say(
        f"{sum(load.answers for load in loads)} answers, slowest {max(load.slowest for load in loads):.2f} s; the source kept {kept:.0%} of its rate, {by_cpu:.0%} by CPU"
    )
    assert [error for load in loads for error in load.errors] == []
    assert all(load.answers > 16 * seconds for load in loads)
    if soak:  # seconds are too short for a ratio
        assert by_cpu > 0.8
    assert kept > (0.6 if soak else 0.1)
    status_of = group.any().call("GET", "/connectors/busy/status")[1]
    assert [status_of["connector"]["state"], status_of["tasks"][0]["state"]] == ["RUNNING", "RUNNING"]
