"""A dead-lettering sink under load on a real broker: memory, and offsets at every interval. Half a minute, or ten with
``--soak``."""

import threading
import time
from collections.abc import Callable
from pathlib import Path

from confluent_kafka import Producer

from lab.sink_worker import SinkWorker, read_topic

RATE = 20_000
#: One record of so many is no JSON.
ONE_BAD_OF = 100
INTERVAL_S = 1.0


class Load:
    """Writes records at `RATE` from a thread, in steps of 50 ms; catches up if the machine was busy."""

    def __init__(self, bootstrap: str, topic: str, seconds: float) -> None:
        self.sent, self._topic, self._seconds = 0, topic, seconds
        self._producer = Producer({"bootstrap.servers": bootstrap, "linger.ms": 20, "acks": "1"})
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def _run(self) -> None:
        began = time.monotonic()
        while (now := time.monotonic() - began) < self._seconds:
            for number in range(self.sent, int(now * RATE)):
                value = b"no json" if number % ONE_BAD_OF == 0 else b'{"n":%d}' % number
                while True:
                    try:
                        self._producer.produce(self._topic, value=value, partition=0)
                        break
                    except BufferError:
                        self._producer.poll(0.1)
                self.sent = number + 1
            self._producer.poll(0)
            time.sleep(0.05)
        assert self._producer.flush(60) == 0

    def join(self) -> None:
        self._thread.join()


def test_a_dead_lettering_sink_under_load_keeps_its_memory_and_commits_at_every_interval(
    kafka: str, topic: Callable[..., str], tmp_path: Path, soak: bool, record_property: Callable[[str, object], None]
) -> None:
    seconds = 600.0 if soak else 25.0
    name, queue = topic(), topic("dlq")
    sink = SinkWorker(
        tmp_path,
        kafka,
        {
            "connector.class": "FileStreamSink", "file": "/dev/null", "topics": name, "errors.tolerance": "all",
            "errors.deadletterqueue.topic.name": queue, "errors.deadletterqueue.context.headers.enable": "true",
            "value.converter": "json", "value.converter.schemas.enable": "false",
        },
        # A machine that stands still for a moment leaves a backlog, which would fill the read-ahead: bounded, it cannot be
        # taken for a leak, nor hide one.
        "consumer.max.poll.records=2000\nconsumer.queued.max.messages.kbytes=4096\n"
        f"offset.flush.interval.ms={INTERVAL_S * 1000:.0f}\n",
    )  # fmt: skip
    memory: list[float] = []
    commits: list[int] = []
    with sink.start() as running:
        sink.wait(running, lambda: " assigned " in sink.log, "the assignment")
        load = Load(kafka, name, seconds)
        began = time.monotonic()
        while time.monotonic() - began < seconds:
            time.sleep(2)
            running.check()
            memory.append(resident_mb(running.pid))
            commits.append(sink.committed.get((name, 0), 0))
        load.join()
        sink.wait(running, lambda: sink.committed.get((name, 0)) == load.sent, "the last offset", 120)
        assert running.stop() == 0
    record_property("records", load.sent)
    record_property("memory_mb", memory)
    settled = memory[len(memory) // 2 :]
    assert max(settled) - min(settled) < 30, memory
    assert commits == sorted(commits)
    # A machine that stands still for a moment costs an interval.
    assert sink.log.count(" committed offsets ") >= 0.7 * seconds / INTERVAL_S, commits
    assert len(read_topic(kafka, queue)) == -(-load.sent // ONE_BAD_OF)


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")
