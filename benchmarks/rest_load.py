"""What a dashboard costs a pipeline: clients that ask a worker's REST API without pause while a source runs.

A distributed worker with 64 connectors, one of which writes as fast as it can. Rounds with and without the clients take
turns; compared are the records a second of neighbouring rounds.
"""

from __future__ import annotations

import argparse
import http.client
import json
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import urlsplit

from harness import HERE, Topics, cpu_seconds, median, resident_mb, wait_for
from penstock.testing.broker import KafkaBroker, fetch_jars
from penstock.testing.worker_group import WorkerGroup

CONNECTORS, CLIENTS = 64, 16
PATHS = ("/connectors?expand=status&expand=info", *(f"/connectors/idle{number}/status" for number in range(7)))


@dataclass
class Load:
    """`CLIENTS` connections, each asking one path after the other; a thread each in this process."""

    base: str
    seconds: float
    answers: int = 0
    errors: list[str] = field(default_factory=list)
    slowest: float = 0.0
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def run(self) -> Load:
        threads = [threading.Thread(target=self._client, args=(number,)) for number in range(CLIENTS)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return self

    def _client(self, number: int) -> None:
        parts = urlsplit(self.base)
        connection = http.client.HTTPConnection(parts.hostname or "", parts.port, timeout=30)
        deadline, turn = time.monotonic() + self.seconds, number
        while (before := time.monotonic()) < deadline:
            path = PATHS[turn % len(PATHS)]
            turn += 1
            try:
                connection.request("GET", path)
                answer = connection.getresponse()
                body = answer.read()
                wrong = "" if answer.status == 200 and json.loads(body) else f"{path}: {answer.status} {body[:200]!r}"
            except (OSError, http.client.HTTPException, ValueError) as error:
                wrong = f"{path}: {error!r}"
                connection.close()
            with self._lock:
                self.answers += not wrong
                self.errors += [wrong] if wrong else []
                self.slowest = max(self.slowest, time.monotonic() - before)
        connection.close()


def rounds(
    group: WorkerGroup, topics: Topics, topic: str, seconds: float, count: int
) -> Iterator[tuple[float, Load | None]]:
    """Records a second, without clients and with them in turn; without them first and last."""
    worker = group.any()
    for number in range(2 * count + 1):
        before, start = topics.count(topic), time.monotonic()
        load = Load(worker.rest, seconds).run() if number % 2 else None
        if load is None:
            time.sleep(seconds)
        yield (topics.count(topic) - before) / (time.monotonic() - start), load


def measure(bootstrap: str, folder: Path, seconds: float, count: int) -> dict[str, float]:
    group, topics = WorkerGroup(bootstrap, folder, f"rest-{folder.name}"), Topics(bootstrap)
    with group.start(0).wait_ready() as worker:
        group.until("the group is whole", lambda: group.settled(1))
        topic = topics.make(f"rest-{folder.name}")
        idle = {"connector.class": "org.apache.kafka.connect.tools.MockSourceConnector"}
        for number in range(CONNECTORS - 1):
            group.create(0, f"idle{number}", idle)
        busy = {
            "connector.class": "org.apache.kafka.connect.tools.SchemaSourceConnector", "topic": topic, "tasks.max": "1",
            "throughput": "-1", "num.messages": str(2**31 - 1), "producer.override.compression.type": "lz4",
        }  # fmt: skip
        group.create(0, "busy", busy)
        expected = {"busy": 1, **{f"idle{number}": 1 for number in range(CONNECTORS - 1)}}
        group.until("all run", lambda: group.all_running(expected))
        wait_for("records", lambda: topics.count(topic) > 20_000)
        rates: list[float] = []
        loads: list[Load] = []
        for rate, load in rounds(group, topics, topic, seconds, count):
            rates.append(rate)
            loads += [load] if load is not None else []
        shares = [rates[i] / ((rates[i - 1] + rates[i + 1]) / 2) for i in range(1, len(rates), 2)]
        return {
            "kept": median(shares),
            "alone": median(rates[::2]),
            "with_clients": median(rates[1::2]),
            "answers": median(load.answers / load.seconds for load in loads),
            "errors": sum(len(load.errors) for load in loads),
            "slowest": max(load.slowest for load in loads),
            "cpu": cpu_seconds(worker.pid),
            "mb": resident_mb(worker.pid),
        }


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=20)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--bootstrap")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="penstock-rest-") as folder:
        if chosen.bootstrap:
            found = measure(chosen.bootstrap, Path(folder), chosen.seconds, chosen.rounds)
        else:
            with KafkaBroker(fetch_jars(HERE.parent / "tests" / "broker" / "pom.xml")) as broker:
                found = measure(broker.bootstrap, Path(folder), chosen.seconds, chosen.rounds)
    print(json.dumps(found))
    return 0


if __name__ == "__main__":
    sys.exit(main())
