"""Measure what metrics cost a source and a sink: the CPU of the real worker with its meters, and with stubs in their place, in turns.

Metrics cannot be switched off: a meter is told once a batch. So the runs without them are a worker whose meters were
replaced when it started (`unmetered.py`). A scrape costs by itself, however many records there are: it is measured apart.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
import urllib.request
import uuid
from collections.abc import Callable, Iterator
from pathlib import Path

from harness import HERE, Worker, cpu_seconds, median, table, wait_for
from penstock.runtime.meters import TaskMeter
from run import Bench, broker

#: The bar, in percent of the path's CPU.
_BAR = 2.0
#: Records a batch: what the bench's connectors hand over and take.
_BATCH = 1000


class Unmetered(Bench):
    """The same runs by a worker without meters."""

    def worker(self, settings: dict[str, str] | None = None, connectors: list[dict[str, str]] | None = None) -> Worker:
        folder = self.work / uuid.uuid4().hex[:8]
        return Worker(folder, self.bootstrap, settings or {}, connectors or [], program=HERE / "unmetered.py")


def scrape_ms(bench: Bench, scrapes: int = 50) -> float:
    """Return the CPU of one scrape of a worker with a source that has sent its records, in milliseconds. The first is left
    out: it imports the library."""
    topic = bench.topics.make(f"bench-scrape-{uuid.uuid4().hex[:8]}")
    with bench.worker() as worker:
        worker.wait_ready()
        marker = worker.folder / "marker.json"
        config = {
            "connector.class": "bench_plugin.BenchSource",
            "records": "1000",
            "topic": topic,
            "marker": str(marker),
        }
        worker.put("/connectors/bench/config", config)
        wait_for("the first poll", lambda: marker.exists() or worker.check_tasks("bench"))

        def scrape() -> None:
            urllib.request.urlopen(f"{worker.rest}/metrics", timeout=30).read()

        scrape()
        before = cpu_seconds(worker.pid)
        for _ in range(scrapes):
            scrape()
        return (cpu_seconds(worker.pid) - before) / scrapes * 1000


def meter_ns() -> tuple[float, float]:
    """Return what the meter itself costs, in nanoseconds a record of a source and of a sink."""

    def source(meter: TaskMeter) -> None:
        meter.polled(_BATCH, 0.001)
        meter.wrote(_BATCH, 0)

    def sink(meter: TaskMeter) -> None:
        meter.read(_BATCH, 0)
        meter.sent(_BATCH, 0.001)

    return _least(source), _least(sink)


def _least(act: Callable[[TaskMeter], None], rounds: int = 20, calls: int = 2000) -> float:
    meter, best = TaskMeter(), float("inf")
    for _ in range(rounds):
        began = time.thread_time()
        for _ in range(calls):
            act(meter)
        best = min(best, time.thread_time() - began)
    return best / calls / _BATCH * 1e9


def pairs(metered: Bench, plain: Bench, encoding: str, count: int) -> Iterator[tuple[str, list[float], list[float]]]:
    """Yield, for source and sink, the CPU seconds of each metered run and of the one without meters beside it."""
    source: list[list[float]] = [[], []]
    sink: list[list[float]] = [[], []]
    filled = ""
    for number in range(count):
        order = (0, 1) if number % 2 else (1, 0)  # neither is always the first on a machine that warms up
        for side in order:
            topic, took = (metered, plain)[side].source(encoding, {})
            filled = filled or topic
            source[side].append(took["cpu"])
        for side in order:
            sink[side].append((metered, plain)[side].sink(encoding, filled, {})["cpu"])
    yield "source", source[0], source[1]
    yield "sink", sink[0], sink[1]


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="What metrics cost a source and a sink.")
    parser.add_argument("--records", type=int, default=1_000_000, help="records a run (default: 1000000)")
    parser.add_argument("--pairs", type=int, default=5, help="pairs of runs, of which the median counts (default: 5)")
    parser.add_argument("--encodings", default="string,json-plain", help="of run.py's, without a registry")
    parser.add_argument("--bootstrap", help="a running broker; without it one is started")
    return parser.parse_args()


def main() -> int:
    chosen = options()
    chosen.runs = chosen.pairs
    in_theory = dict(zip(("source", "sink"), meter_ns(), strict=True))
    rows, fine = [], True
    with broker(chosen.bootstrap) as bootstrap, tempfile.TemporaryDirectory(prefix="penstock-bench-") as work:
        metered, plain = Bench(chosen, bootstrap, Path(work)), Unmetered(chosen, bootstrap, Path(work))
        for encoding in chosen.encodings.split(","):
            for path, ours, theirs in pairs(metered, plain, encoding, chosen.pairs):
                costs = sorted((one / other - 1) * 100 for one, other in zip(ours, theirs, strict=True))
                least, us = (min(ours) / min(theirs) - 1) * 100, min(theirs) / chosen.records * 1e6
                fine = fine and least <= _BAR
                rows.append(
                    [
                        f"{path}, {encoding}", f"{us:.2f}", f"{min(ours) / chosen.records * 1e6:.2f}", f"{least:+.1f} %",
                        f"{median(costs):+.1f} % ({costs[0]:+.1f} … {costs[-1]:+.1f})",
                        f"{in_theory[path]:.1f} ns, {in_theory[path] / us / 10:.2f} %",
                    ]
                )  # fmt: skip
        scrape = scrape_ms(metered)
        for bench in (metered, plain):
            bench.topics.close()
    head = ["", "us/record without", "with", "cost", "of the pairs", "the meter's calls alone"]
    title = f"Metrics: {chosen.records:,} records, least of {chosen.pairs} runs, load {os.getloadavg()[0]:.1f}"
    table(title, head, rows)
    print(f"\n  one scrape: {scrape:.1f} ms of CPU, {scrape / 150:.2f} % of a core if it comes every 15 seconds")
    print(f"\n  bar: {_BAR:g} %: {'PASS' if fine else 'FAIL'}")
    return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
