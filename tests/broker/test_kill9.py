"""A standalone worker that is killed at any moment loses nothing and goes on where it stood.

A file grows while the worker reads it; the worker is killed with SIGKILL again and again, at seeded random moments.
"""

import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, TopicPartition

from penstock.testing.worker_process import WorkerProcess, free_port

WIDTH = 64  # bytes a line, its end included, so that a position says which line


@pytest.mark.parametrize(
    ("lines", "kills", "seed"),
    [(30_000, 3, 1), pytest.param(200_000, 10, 2, marks=pytest.mark.soak)],
    ids=["short", "long"],
)
def test_a_killed_worker_delivers_every_line_in_order_and_goes_on_where_it_stood(
    kafka: str, topic: Callable[..., str], tmp_path: Path, lines: int, kills: int, seed: int
) -> None:
    name, chance = topic(), random.Random(seed)
    arguments = write_configs(tmp_path, kafka, name)
    feeder = Feeder(tmp_path / "input.txt", lines, seconds=kills * 1.5)
    stood = {0}
    for _ in range(kills):
        with WorkerProcess(arguments, tmp_path / "worker.log") as worker:
            time.sleep(chance.uniform(0.3, 3.0))
            worker.check()
        stood.add(position(tmp_path / "offsets.json") // WIDTH)
    feeder.finish()
    with WorkerProcess(arguments, tmp_path / "worker.log") as worker:
        seen = read_until(kafka, name, last=lines - 1, alive=worker.check)
        assert worker.stop() == 0
    assert position(tmp_path / "offsets.json") == lines * WIDTH

    assert list(dict.fromkeys(seen)) == list(range(lines))  # every line, first occurrences in order
    starts = [later for earlier, later in itertools.pairwise(seen) if later != earlier + 1]
    assert len(starts) <= kills
    assert set(starts) <= stood, f"restarted at lines {starts}, but the offsets file said {sorted(stood)}"
    assert max(stood) > 0, "no offset was stored before a kill: nothing was tested"


def write_configs(folder: Path, bootstrap: str, topic: str) -> list[str]:
    (folder / "worker.properties").write_text(
        f"bootstrap.servers={bootstrap}\n"
        f"listeners=http://127.0.0.1:{free_port()}\n"
        f"offset.storage.file.filename={folder / 'offsets.json'}\n"
        "offset.flush.interval.ms=100\n"
        "key.converter=org.apache.kafka.connect.storage.StringConverter\n"
        "value.converter=org.apache.kafka.connect.storage.StringConverter\n"
    )
    (folder / "file.properties").write_text(
        f"name=lines\nconnector.class=FileStreamSource\ntasks.max=1\nfile={folder / 'input.txt'}\ntopic={topic}\nbatch.size=500\n"
    )
    return ["standalone", str(folder / "worker.properties"), str(folder / "file.properties")]


class Feeder:
    """Appends numbered lines to a file from a thread, in small pieces over `seconds`; a piece may end inside a line."""

    def __init__(self, path: Path, lines: int, seconds: float) -> None:
        self._text = b"".join(b"%0*d\n" % (WIDTH - 1, number) for number in range(lines))
        self._path, self._seconds = path, seconds
        path.touch()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        self._hurry.set()
        self._thread.join()

    def _run(self) -> None:
        pieces = max(1, int(self._seconds / 0.02))
        size = len(self._text) // pieces + 1
        with self._path.open("ab", buffering=0) as file:
            for at in range(0, len(self._text), size):
                file.write(self._text[at : at + size])
                self._hurry.wait(0.02)


def position(offsets: Path) -> int:
    """Where the stored offset stands; 0 before the first."""
    if not offsets.exists():
        return 0
    entries = json.loads(offsets.read_text())["offsets"]
    return int(entries[0]["offset"]["position"]) if entries else 0


def read_until(bootstrap: str, topic: str, last: int, alive: Callable[[], None], timeout: float = 120) -> list[int]:
    """The line numbers in the topic, in its order, until the last line is there and nothing follows it."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"read-{topic}", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    seen: list[int] = []
    deadline = time.monotonic() + timeout
    for batch in batches(consumer):
        seen += batch
        if seen and seen[-1] == last and not batch:
            break
        alive()
        assert time.monotonic() < deadline, f"line {last} did not come within {timeout} s; the last is {seen[-1:]}"
    consumer.close()
    return seen


def batches(consumer: Consumer) -> Iterator[list[int]]:
    while True:
        yield [int(message.value() or b"-1") for message in consumer.consume(10_000, 0.5)]
