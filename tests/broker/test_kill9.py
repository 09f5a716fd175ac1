"""kill -9, of the worker and of the broker: nothing is lost, order is kept, and work goes on where it stood.

A source reads a file that grows meanwhile; a sink writes one from a topic that grows meanwhile. Whatever is killed is
killed with SIGKILL, at seeded random moments, half of them during start-up.
"""

import contextlib
import itertools
import json
import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from lab.patience import PATIENCE_S
from lab.worker_process import WorkerProcess, free_port
from penstock.testing.broker import KafkaBroker

WIDTH = 64  # bytes a line, its end included, so that a position says which line
SIZES = pytest.mark.parametrize(
    ("lines", "kills", "seed"),
    [(30_000, 3, 1), pytest.param(200_000, 10, 2, marks=pytest.mark.soak)],
    ids=["short", "long"],
)


@SIZES
def test_a_source_whose_worker_is_killed_delivers_every_line_in_order_and_goes_on_where_it_stood(
    kafka: str, topic: Callable[..., str], tmp_path: Path, lines: int, kills: int, seed: int
) -> None:
    name, chance = topic(), random.Random(seed)
    worker = source_worker(tmp_path, kafka, name)
    feeder = Feeder(tmp_path / "input.txt", lines, seconds=kills * 2)
    stood = [0]
    for kill in range(kills):
        with worker() as running:
            if kill % 2:
                time.sleep(chance.uniform(0, 2))
            else:
                poll(lambda: position(tmp_path) > stood[-1] * WIDTH, running, "stored offsets")
                time.sleep(chance.uniform(0, 0.5))
            running.check()
        stood.append(position(tmp_path) // WIDTH)
    feeder.finish()
    with worker() as running:
        running.wait_ready()  # all lines may have been there before it: it must not be stopped while it starts
        seen = read_until(kafka, name, last=lines - 1, running=running)
        assert running.stop() == 0
    assert position(tmp_path) == lines * WIDTH

    assert list(dict.fromkeys(seen)) == list(range(lines))  # every line, first occurrences in order
    starts = [later for earlier, later in itertools.pairwise(seen) if later != earlier + 1]
    assert len(starts) <= kills
    assert set(starts) <= set(stood), f"restarted at lines {starts}, but the offsets file said {stood}"


def test_a_source_whose_broker_is_killed_delivers_every_line_in_order(
    private_broker: Callable[..., KafkaBroker], tmp_path: Path
) -> None:
    lines, broker = 20_000, private_broker()
    feeder = Feeder(tmp_path / "input.txt", lines, seconds=8)
    with source_worker(tmp_path, broker.bootstrap, "lines")() as running:
        for _ in range(2):
            before = position(tmp_path)
            poll(lambda before=before: position(tmp_path) > before, running, "stored offsets")
            broker.kill()
            time.sleep(1)
            broker.start()
        feeder.finish()
        seen = read_until(broker.bootstrap, "lines", last=lines - 1, running=running)
        assert running.stop() == 0
    assert list(dict.fromkeys(seen)) == list(range(lines))
    assert position(tmp_path) == lines * WIDTH


@SIZES
def test_a_sink_whose_worker_is_killed_writes_every_record_in_order(
    kafka: str, topic: Callable[..., str], tmp_path: Path, lines: int, kills: int, seed: int
) -> None:
    name, chance = topic(), random.Random(seed)
    worker, output = sink_worker(tmp_path, kafka, name), tmp_path / "output.txt"
    feeder = TopicFeeder(kafka, name, lines, seconds=kills * 10)
    for _ in range(kills):
        before = size(output)
        with worker() as running:
            poll(lambda before=before: size(output) > before, running, "written lines")
            time.sleep(chance.uniform(0, 0.5))
    feeder.finish()
    with worker() as running:
        last = b"%0*d\n" % (WIDTH - 1, lines - 1)
        running.wait_ready()
        poll(lambda: output.read_bytes().endswith(last), running, "the last line")
        assert running.stop() == 0
    # A kill may leave the beginning of a line, which the next one then follows: the last WIDTH bytes are the line.
    seen = [int(line[1 - WIDTH :]) for line in output.read_bytes().splitlines() if len(line) >= WIDTH - 1]
    assert list(dict.fromkeys(seen)) == list(range(lines))
    assert len(seen) < lines * kills, "it began again instead of going on"


def source_worker(folder: Path, bootstrap: str, topic: str) -> Callable[[], WorkerProcess]:
    return standalone(
        folder,
        bootstrap,
        f"connector.class=FileStreamSource\nfile={folder / 'input.txt'}\ntopic={topic}\nbatch.size=500\n",
    )


def sink_worker(folder: Path, bootstrap: str, topic: str) -> Callable[[], WorkerProcess]:
    return standalone(
        folder, bootstrap, f"connector.class=FileStreamSink\nfile={folder / 'output.txt'}\ntopics={topic}\n"
    )


def standalone(folder: Path, bootstrap: str, connector: str) -> Callable[[], WorkerProcess]:
    """Starts the same worker, with one connector, as often as it is called."""
    listener = f"http://127.0.0.1:{free_port()}"
    (folder / "worker.properties").write_text(
        f"bootstrap.servers={bootstrap}\n"
        f"listeners={listener}\n"
        f"offset.storage.file.filename={folder / 'offsets.json'}\n"
        "offset.flush.interval.ms=100\n"
        "consumer.session.timeout.ms=1000\n"  # a killed member keeps its partitions for so long
        "consumer.heartbeat.interval.ms=300\n"
        "key.converter=org.apache.kafka.connect.storage.StringConverter\n"
        "value.converter=org.apache.kafka.connect.storage.StringConverter\n"
    )
    (folder / "connector.properties").write_text(f"name=lines\ntasks.max=1\n{connector}")
    arguments = ["standalone", str(folder / "worker.properties"), str(folder / "connector.properties")]
    return lambda: WorkerProcess(arguments, folder / "worker.log", listener)


def poll(probe: Callable[[], bool], running: WorkerProcess, what: str, timeout: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + timeout
    while not probe():
        running.check()
        assert time.monotonic() < deadline, f"no {what} within {timeout:g} s:\n{running.log()}"
        time.sleep(0.02)


def size(file: Path) -> int:
    return file.stat().st_size if file.exists() else 0


class Feeder:
    """Appends numbered lines to a file from a thread, in small pieces over `seconds`; a piece may end inside a line."""

    def __init__(self, path: Path, lines: int, seconds: float) -> None:
        self._path, self._lines, self._seconds = path, lines, seconds
        path.touch()
        self._hurry = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def finish(self) -> None:
        """Write the rest at once, and wait for that."""
        self._hurry.set()
        self._thread.join()

    def _run(self) -> None:
        text = b"".join(b"%0*d\n" % (WIDTH - 1, number) for number in range(self._lines))
        with self._path.open("ab", buffering=0) as file:
            for start, end in self._pieces(len(text)):
                file.write(text[start:end])

    def _pieces(self, length: int) -> Iterator[tuple[int, int]]:
        step = int(length * 0.02 / self._seconds) + 1
        for start in range(0, length, step):
            yield start, min(length, start + step)
            self._hurry.wait(0.02)


class TopicFeeder(Feeder):
    """The same lines as records of a topic."""

    def __init__(self, bootstrap: str, topic: str, lines: int, seconds: float) -> None:
        self._producer = Producer({"bootstrap.servers": bootstrap, "max.in.flight.requests.per.connection": 1})
        self._topic = topic
        super().__init__(Path("/dev/null"), lines, seconds)

    def _run(self) -> None:
        for start, end in self._pieces(self._lines):
            for number in range(start, end):
                self._producer.produce(self._topic, b"%0*d" % (WIDTH - 1, number))
            self._producer.poll(0)
        self._producer.flush()


def position(folder: Path) -> int:
    """Where the stored offset stands; 0 before the first."""
    with contextlib.suppress(FileNotFoundError):
        entries = json.loads((folder / "offsets.json").read_text())["offsets"]
        return int(entries[0]["offset"]["position"]) if entries else 0
    return 0


def read_until(bootstrap: str, topic: str, last: int, running: WorkerProcess, timeout: float = PATIENCE_S) -> list[int]:
    """The line numbers in the topic, in its order, until the last line is there and nothing follows it."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"read-{topic}", "enable.auto.commit": False})
    consumer.assign([TopicPartition(topic, 0, 0)])
    seen: list[int] = []
    deadline = time.monotonic() + timeout
    for batch in batches(consumer):
        seen += batch
        if seen and seen[-1] == last and not batch:
            break
        running.check()
        assert time.monotonic() < deadline, f"line {last} did not come within {timeout} s; the last is {seen[-1:]}"
    consumer.close()
    return seen


def batches(consumer: Consumer) -> Iterator[list[int]]:
    while True:
        yield [int(message.value() or b"-1") for message in consumer.consume(10_000, 0.5)]
