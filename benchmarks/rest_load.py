"""The cost of a dashboard for a pipeline: clients that ask a worker's REST API without pause while a source runs.

A distributed worker with 64 connectors, one of which writes as fast as it can. Rounds with and without the clients take
turns; compared are the records a second of neighbouring rounds.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

from harness import HERE, Topics, cpu_seconds, median, resident_mb, wait_for
from lab.jars import fetch_jars
from lab.rest_load import RestLoad
from lab.worker_group import WorkerGroup
from penstock.testing.broker import KafkaBroker

CONNECTORS, CLIENTS = 64, 16
PATHS = ("/connectors?expand=status&expand=info", *(f"/connectors/idle{number}/status" for number in range(7)))


def rounds(
    group: WorkerGroup, topics: Topics, topic: str, seconds: float, count: int
) -> Iterator[tuple[float, float, RestLoad | None]]:
    """Records a second, records a second of the worker's CPU; without clients and with them in turn, without first and last."""
    worker = group.any()
    for number in range(2 * count + 1):
        before, start, used = topics.count(topic), time.monotonic(), cpu_seconds(worker.pid)
        load = RestLoad(worker.rest, PATHS, CLIENTS, seconds).run() if number % 2 else None
        if load is None:
            time.sleep(seconds)
        written = topics.count(topic) - before
        yield written / (time.monotonic() - start), written / (cpu_seconds(worker.pid) - used), load


def beside(figures: list[float]) -> list[float]:
    """Each round with clients, as a part of the mean of its neighbours without."""
    return [figures[i] / ((figures[i - 1] + figures[i + 1]) / 2) for i in range(1, len(figures), 2)]


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
        rates, costs = list[float](), list[float]()
        loads: list[RestLoad] = []
        for rate, cost, load in rounds(group, topics, topic, seconds, count):
            rates.append(rate)
            costs.append(cost)
            loads += [load] if load is not None else []
        return {
            "kept": median(beside(rates)),
            "kept_by_cpu": median(beside(costs)),
            "alone": median(rates[::2]),
            "with_clients": median(rates[1::2]),
            "answers": median(load.answers / load.seconds for load in loads),
            "errors": sum(len(load.errors) for load in loads),
            "slowest": max(load.slowest for load in loads),
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
