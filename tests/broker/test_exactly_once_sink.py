"""``jsonlines-sink`` with ``exactly.once`` on a real broker, whose worker is killed at random moments while it writes: every record once."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path

import pytest

from lab.sink_worker import SinkWorker, produce
from lab.worker_group import WorkerGroup

PARTITIONS = 3


class Numbers:
    """Writes numbered records to all partitions of a topic; the file has to hold each once, in order by partition."""

    def __init__(self, bootstrap: str, topic: str, file: Path) -> None:
        self._bootstrap, self._topic, self._file = bootstrap, topic, file
        self.count = 0

    def more(self, records: int) -> None:
        for partition in range(PARTITIONS):
            values = [json.dumps({"p": partition, "n": n}) for n in range(self.count, self.count + records)]
            produce(self._bootstrap, self._topic, values, partition)
        self.count += records

    @property
    def written(self) -> dict[int, list[int]]:
        """What stands in the file, by partition; a line that is being written is left out."""
        found: dict[int, list[int]] = defaultdict(list)
        for line in self._file.read_bytes().split(b"\n")[:-1] if self._file.exists() else []:
            record = json.loads(line)
            found[record["p"]].append(record["n"])
        return found

    @property
    def whole(self) -> bool:
        return sum(map(len, self.written.values())) >= PARTITIONS * self.count

    def check(self) -> None:
        expected = list(range(self.count))
        assert self.written == dict.fromkeys(range(PARTITIONS), expected)


def config(topic: str, file: Path) -> dict[str, str]:
    return {
        "connector.class": "jsonlines-sink", "file": str(file), "exactly.once": "true", "topics": topic, "tasks.max": "4",
        "value.converter": "json", "value.converter.schemas.enable": "false", "consumer.override.max.poll.records": "100",
    }  # fmt: skip


def test_every_record_is_in_the_file_once_though_the_worker_is_killed_while_it_writes(
    kafka: str, topic: Callable[..., str], tmp_path: Path, soak: bool, record_property: Callable[[str, object], None]
) -> None:
    name, file, chance = topic(partitions=PARTITIONS), tmp_path / "out.jsonl", random.Random(17)
    numbers = Numbers(kafka, name, file)
    sink = SinkWorker(tmp_path, kafka, config(name, file))
    taken_back = 0
    for _ in range(60 if soak else 4):
        with sink.start() as running:
            before = file.stat().st_size if file.exists() else 0
            numbers.more(2_000)
            sink.wait(running, lambda b=before: file.exists() and file.stat().st_size != b, "more lines")
            time.sleep(chance.random() * 0.6)
            running.kill()
        recorded = json.loads(Path(f"{file}.offsets").read_text())["length"]
        taken_back += file.stat().st_size > recorded
    with sink.start() as running:
        sink.wait(running, lambda: numbers.whole, "last lines", 120)
        sink.wait(running, lambda: sum(sink.committed.values()) == PARTITIONS * numbers.count, "last offsets")
        assert running.stop() == 0
    record_property("kills_with_uncommitted_lines", taken_back)
    numbers.check()


def test_a_worker_that_stands_still_while_another_takes_over_writes_nothing_twice(
    kafka: str, topic: Callable[..., str], tmp_path: Path, soak: bool
) -> None:
    name, file = topic(partitions=PARTITIONS), tmp_path / "out.jsonl"
    numbers = Numbers(kafka, name, file)
    cluster = WorkerGroup(kafka, tmp_path, topic("group", create=False))
    try:
        for number in range(2):
            cluster.start(number)
        for worker in cluster.workers.values():
            worker.wait_ready()
        cluster.until("the group is whole", lambda: cluster.settled(2))
        cluster.create(0, "lines", config(name, file))
        for _ in range(5 if soak else 1):
            numbers.more(500)
            cluster.until("lines are written", lambda: numbers.whole)
            owner = owner_of(cluster)
            frozen = cluster.workers.pop(owner)
            os.kill(frozen.pid, signal.SIGSTOP)
            numbers.more(500)
            cluster.until("the other has the task", lambda: cluster.settled(1) and cluster.all_running({"lines": 1}))
            os.kill(frozen.pid, signal.SIGCONT)
            cluster.workers[owner] = frozen
            cluster.until("both are back", lambda: cluster.settled(2) and cluster.all_running({"lines": 1}))
            cluster.until("the rest is written", lambda: numbers.whole)
        numbers.check()
    finally:
        for worker in cluster.workers.values():
            worker.kill()


def owner_of(cluster: WorkerGroup) -> int:
    """The number of the worker that runs the connector's task."""
    code, status = cluster.any().call("GET", "/connectors/lines/status")
    if code != 200 or not status["tasks"]:
        pytest.fail(f"no task: {status}")
    address = status["tasks"][0]["worker_id"]
    return next(number for number, worker in cluster.workers.items() if worker.rest.endswith(address))
