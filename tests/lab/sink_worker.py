"""A standalone worker with one sink connector that tests stop, kill and start again, and what a user would look at."""

from __future__ import annotations

import json
import os
import time
import uuid
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, Message, Producer, TopicPartition

from lab.committed import group_offsets_at
from lab.patience import PATIENCE_S
from lab.worker_process import WorkerProcess, free_port

__all__ = ["SinkWorker", "produce", "read_topic"]


class SinkWorker:
    """The worker's folder, configuration and log; `start` runs it as a process of its own."""

    def __init__(self, folder: Path, bootstrap: str, config: Mapping[str, str], worker: str = "") -> None:
        """`config` is the connector's, laid over a `lab.sinks.RecordingSink` that writes to `out`; `worker` is more
        lines for the worker's properties."""
        self.folder, self.bootstrap = folder, bootstrap
        self.out = folder / "out.txt"
        self._rest = f"http://127.0.0.1:{free_port()}"
        self.name = f"sink-{uuid.uuid4().hex[:8]}"  # its group, too: a broker keeps what an earlier run committed
        (folder / "worker.properties").write_text(
            f"bootstrap.servers={bootstrap}\nlisteners={self._rest}\noffset.storage.file.filename={folder / 'offsets'}\n"
            "key.converter=string\nvalue.converter=string\noffset.flush.interval.ms=300\n"
            "consumer.session.timeout.ms=1000\nconsumer.heartbeat.interval.ms=300\nconsumer.metadata.max.age.ms=500\n"
            + worker
        )
        whole = {"name": self.name, "connector.class": "lab.sinks:RecordingSink", "file": str(self.out), **config}
        (folder / "connector.json").write_text(json.dumps({"name": self.name, "config": whole}))

    def start(self) -> WorkerProcess:
        """Start the worker at DEBUG and wait until its REST API answers."""
        arguments = [
            "standalone", str(self.folder / "worker.properties"), str(self.folder / "connector.json"), "--log-level", "DEBUG",
        ]  # fmt: skip
        environ = {"PYTHONPATH": f"{Path(__file__).parents[1]}{os.pathsep}{self.folder}"}
        return WorkerProcess(arguments, self.folder / "worker.log", self._rest, environ).wait_ready()

    @property
    def lines(self) -> list[str]:
        """Return what the sink has written, in its order."""
        return self.out.read_text().splitlines() if self.out.exists() else []

    @property
    def values(self) -> list[str]:
        """The values that the sink has written; lines that a kill has torn, or that are half written, have none."""
        return [parts[3] for line in self.lines if len(parts := line.split(" ", 3)) == 4]

    @property
    def log(self) -> str:
        """The worker's log, without the client's own lines."""
        text = (self.folder / "worker.log").read_text(errors="replace")
        return "\n".join(line for line in text.splitlines() if "librdkafka" not in line)

    @property
    def committed(self) -> dict[tuple[str, int], int]:
        """The offsets that the connector's group has committed, as Kafka tells them."""
        return group_offsets_at(self.bootstrap, f"connect-{self.name}")

    def task(self, running: WorkerProcess) -> dict[str, Any]:
        """The status of task 0; empty before it has one."""
        code, status = running.call("GET", f"/connectors/{self.name}/status")
        tasks = status["tasks"] if code == 200 else []
        return dict(tasks[0]) if tasks else {}

    def wait(self, running: WorkerProcess, probe: Callable[[], object], what: str, timeout: float = PATIENCE_S) -> None:
        """Until `probe` answers true. AssertionError with the end of the log after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not probe():
            running.check()
            assert time.monotonic() < deadline, f"no {what} within {timeout:g} s:\n{self.log[-6000:]}"
            time.sleep(0.05)


def produce(bootstrap: str, topic: str, values: Iterable[bytes | str | None], partition: int = 0, **more: Any) -> None:
    """Write `values` to the topic; `more` are arguments of ``produce`` (key, headers, timestamp)."""
    producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "linger.ms": 5})
    for value in values:
        while True:
            try:
                producer.produce(topic, value=value, partition=partition, **more)
                break
            except BufferError:
                producer.poll(0.1)
    assert producer.flush(60) == 0


def read_topic(bootstrap: str, topic: str, partition: int = 0) -> list[Message]:
    """Return all records that the partition holds now; empty if there is no such topic."""
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": f"read-{topic}", "enable.auto.commit": False})
    try:
        if topic not in consumer.list_topics(timeout=30).topics:
            return []
        place = TopicPartition(topic, partition, 0)
        start, end = consumer.get_watermark_offsets(place, timeout=30)
        consumer.assign([place])
        found: list[Message] = []
        while start + len(found) < end:
            found += [m for m in consumer.consume(min(100_000, end - start - len(found)), 0.5) if m.error() is None]
        return found
    finally:
        consumer.close()
