"""``make bench``: what the worker costs, beside the bare Kafka client in the same run.

Every number is the median of several runs, each in a process of its own, against a real broker on this machine.  CPU is
that of the whole process, the Kafka client's threads included, in seconds per million records: it hardly depends on what
else the machine does, so it is what the bars are set in.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import platform
import re
import subprocess
import sys
import tempfile
import time
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from bench_plugin import WARM_UP
from codec_record import HEAD, Measured
from harness import HERE, Topics, Worker, cpu_seconds, median, resident_mb, script, table, wait_for
from lab.jars import fetch_jars
from lab.worker_process import WorkerProcess, free_port
from penstock.testing.broker import KafkaBroker

JSON = "org.apache.kafka.connect.json.JsonConverter"
ENCODINGS: dict[str, dict[str, str]] = {
    "avro": {"value.converter": "io.confluent.connect.avro.AvroConverter"},
    "json": {"value.converter": JSON, "value.converter.schemas.enable": "true"},
    "json-plain": {"value.converter": JSON, "value.converter.schemas.enable": "false"},
    "string": {"value.converter": "org.apache.kafka.connect.storage.StringConverter"},
}
SMT = "org.apache.kafka.connect.transforms."
THREE_TRANSFORMS = {
    "transforms": "site,names,types",
    "transforms.site.type": SMT + "InsertField$Value",
    "transforms.site.static.field": "site",
    "transforms.site.static.value": "plant-1",
    "transforms.names.type": SMT + "ReplaceField$Value",
    "transforms.names.renames": "name:customer",
    "transforms.types.type": SMT + "Cast$Value",
    "transforms.types.spec": "count:int64",
}
EACH_SECOND = {"offset.flush.interval.ms": "1000"}
TRANSACTIONS = {
    "exactly.once.support": "required",
    "transaction.boundary": "interval",
    "transaction.boundary.interval.ms": "1000",
}
# A sink reading JSON without a schema gets a dict: these transforms do the same work there.


class Bench:
    def __init__(self, options: argparse.Namespace, bootstrap: str, work: Path) -> None:
        self.records: int = options.records
        self.runs: int = options.runs
        self.bootstrap, self.work, self.topics = bootstrap, work, Topics(bootstrap)
        self.registry_url = f"http://127.0.0.1:{free_port()}"
        self.bars: list[tuple[str, float, float, str]] = []

    def worker(self, settings: dict[str, str] | None = None, connectors: list[dict[str, str]] | None = None) -> Worker:
        return Worker(self.work / uuid.uuid4().hex[:8], self.bootstrap, settings or {}, connectors or [])

    def converter(self, encoding: str) -> dict[str, str]:
        url = {"value.converter.schema.registry.url": self.registry_url} if encoding == "avro" else {}
        return ENCODINGS[encoding] | url

    def embedded(self) -> dict[str, str]:
        """Worker settings for a registry in the same process."""
        listener = f"http://127.0.0.1:{free_port()}"
        return {"schema.registry.embedded": "true", "registry.listeners": listener, "registry.store": "memory"}

    def source(
        self, encoding: str, more: dict[str, str], settings: dict[str, str] | None = None
    ) -> tuple[str, dict[str, float]]:
        """One run of the source path. The topic it filled, and what that took."""
        topic = self.topics.make(f"bench-{encoding}-{uuid.uuid4().hex[:8]}")
        with self.worker(settings) as worker:
            worker.wait_ready()
            marker = worker.folder / "marker.json"
            shape = "string" if encoding == "string" else "struct"
            config = {
                "connector.class": "bench_plugin.BenchSource",
                "records": str(self.records),
                "topic": topic,
                "shape": shape,
                "marker": str(marker),
            }
            worker.put("/connectors/bench/config", {**config, **self.converter(encoding), **more})
            wait_for("the first poll", lambda: marker.exists() or worker.check_tasks("bench"))
            start = json.loads(marker.read_text())["start"]
            wait_for(
                f"{self.records} records in {topic}",
                lambda: self.topics.count(topic) >= self.records + WARM_UP or worker.check_tasks("bench"),
            )
            return topic, {"cpu": cpu_seconds(worker.pid) - start["cpu"], "wall": time.monotonic() - start["wall"]}

    def sink(self, encoding: str, topic: str, transforms: dict[str, str]) -> dict[str, float]:
        with self.worker() as worker:
            worker.wait_ready()
            marker = worker.folder / "marker.json"
            name = f"bench-{uuid.uuid4().hex[:8]}"
            config = {
                "connector.class": "bench_plugin.BenchSink",
                "records": str(self.records),
                "topics": topic,
                "marker": str(marker),
            }
            worker.put(f"/connectors/{name}/config", {**config, **self.converter(encoding), **transforms})
            wait_for(f"{self.records} records of {topic}", lambda: marker.exists() or worker.check_tasks(name))
            times = json.loads(marker.read_text())
            return {unit: times["end"][unit] - times["start"][unit] for unit in ("cpu", "wall")}

    def paths(self, encoding: str) -> tuple[list[list[str]], list[list[str]]]:
        """Rows of the source and of the sink table for one encoding; floor and case take turns, so that both meet the same machine."""
        source_rows, sink_rows = [], []
        filled = ""
        for count, transforms in [(0, {}), *([(3, THREE_TRANSFORMS)] if encoding != "string" else [])]:
            source, floor, sink, sink_floor = [], [], [], []
            for _ in range(self.runs):
                topic, took = self.source(encoding, transforms)
                source.append(took)
                filled = filled or topic
                floor.append(
                    script(
                        "floor.py",
                        "produce",
                        self.bootstrap,
                        self.topics.make(f"floor-{uuid.uuid4().hex[:8]}"),
                        self.records,
                        topic,
                    )
                )
                sink.append(self.sink(encoding, filled, transforms))
                sink_floor.append(script("floor.py", "consume", self.bootstrap, filled, self.records))
            name = f"{encoding}, {count} transforms"
            source_rows.append(self.row(name, source, floor))
            sink_rows.append(self.row(name, sink, sink_floor))
            if encoding == "avro":
                bars = [("source", source, floor, 6.0), ("sink", sink, sink_floor, 8.0)]
                self.bars += [
                    (f"{side} {name}: CPU a record, times the bare client's", ratio(took, base), bar, "x")
                    for side, took, base, bar in bars
                    if count == 3 or side == "sink"
                ]
        return source_rows, sink_rows

    def exactly_once(self) -> None:
        """Measure what transactions cost a source, a commit a second; the two ways take turns.

        A run has so many records that it lasts for several commits: what is over in a second is all beginning and end.
        """
        asked, self.records = self.records, max(self.records, 2_000_000)
        often, once = [], []
        for _ in range(self.runs):
            often.append(self.source("avro", {}, EACH_SECOND)[1])
            own = {"offsets.storage.topic": f"bench-offsets-{uuid.uuid4().hex[:8]}"}
            once.append(self.source("avro", {**TRANSACTIONS, **own}, EACH_SECOND)[1])
        rate_often, rate_once = (self.records / median(run["wall"] for run in runs) for runs in (often, once))
        rows = [
            ["at least once", f"{rate_often:,.0f}", f"{median(run['cpu'] for run in often) / self.records * 1e6:.2f}"],
            ["exactly once", f"{rate_once:,.0f}", f"{median(run['cpu'] for run in once) / self.records * 1e6:.2f}"],
        ]
        self.records = asked
        table("Source, avro, a commit a second", ["", "records/s", "CPU s/M"], rows)
        self.bars.append(("exactly once: throughput it costs", (1 - rate_once / rate_often) * 100, 15, " %"))

    def row(self, name: str, runs: list[dict[str, float]], floor: list[dict[str, float]]) -> list[str]:
        def rate(taken: list[dict[str, float]]) -> str:
            return f"{self.records / median(run['wall'] for run in taken):,.0f}"

        def cpu(taken: list[dict[str, float]]) -> str:
            return f"{median(run['cpu'] for run in taken) / self.records * 1e6:.2f}"

        return [name, rate(runs), cpu(runs), rate(floor), cpu(floor), f"{ratio(runs, floor):.1f}x"]

    def idle(self) -> float:
        """Resident memory of a standalone worker with REST and registry that has nothing to do."""
        with self.worker(self.embedded()) as worker:
            worker.wait_ready()
            time.sleep(2)
            return resident_mb(worker.pid)

    def first_record(self) -> dict[str, float]:
        """From the start of the process to its first record in Kafka, with a registry and Avro."""
        topic = self.topics.make(f"first-{uuid.uuid4().hex[:8]}")
        config = {
            "name": "first",
            "connector.class": "bench_plugin.BenchSource",
            "records": "1",
            "topic": topic,
            "marker": str(self.work / f"{topic}.json"),
        }
        start = time.monotonic()
        with self.worker(self.embedded(), [{**config, **ENCODINGS["avro"]}]) as worker:
            wait_for("the first record", lambda: self.topics.count(topic) or worker.check(), pause=0.005)
            return {"cpu": cpu_seconds(worker.pid), "wall": time.monotonic() - start}

    def footprint(self) -> None:
        idle = median(self.idle() for _ in range(self.runs))
        first = [self.first_record() for _ in range(self.runs)]
        cpu, wall = (median(run[unit] for run in first) for unit in ("cpu", "wall"))
        rows = [
            ["idle, REST and registry in one process", f"{idle:.0f} MB"],
            ["first record in Kafka, CPU", f"{cpu:.2f} s"],
            ["first record in Kafka, wall", f"{wall:.2f} s"],
        ]
        table("penstock standalone", ["", "median"], rows)
        self.bars += [("idle memory", idle, 120, " MB"), ("first record, CPU", cpu, 2, " s")]

    def rest(self) -> None:
        """Measure what sixteen clients of the REST API cost a source; see `rest_load.py`."""
        found = script("rest_load.py", "--bootstrap", self.bootstrap, "--rounds", self.runs)
        rows = [
            ["records/s alone", f"{found['alone']:,.0f}"],
            ["records/s with 16 clients", f"{found['with_clients']:,.0f}"],
            ["answers/s", f"{found['answers']:.0f}"],
            ["slowest answer", f"{found['slowest']:.2f} s"],
            ["wrong answers", f"{found['errors']}"],
        ]
        table("REST under load: 64 connectors, 16 clients without pause while a source runs", ["", ""], rows)
        self.bars += [
            ("REST load: throughput a source loses", (1 - found["kept"]) * 100, 20, " %"),
            ("REST load: the same by the worker's CPU", (1 - found["kept_by_cpu"]) * 100, 20, " %"),
            ("REST load: wrong answers", found["errors"], 0, ""),
        ]

    def verdict(self) -> bool:
        rows = [
            [name, f"{value:.1f}{unit}", f"≤ {bar:g}{unit}", "PASS" if value <= bar else "FAIL"]
            for name, value, bar, unit in self.bars
        ]
        table("Bars", ["", "measured", "bar", ""], rows)
        return all(value <= bar for _, value, bar, _ in self.bars)


def ratio(runs: list[dict[str, float]], floor: list[dict[str, float]]) -> float:
    return median(run["cpu"] for run in runs) / median(run["cpu"] for run in floor)


def codecs(runs: int) -> bool:
    """The formats alone, by the files beside this one that end in ``_codec.py``; the run with the median ratio counts."""
    rows, fine = [], True
    for file in sorted(HERE.glob("*_codec.py")):
        for takes in zip(*(script(file.name, "--json") for _ in range(runs)), strict=True):
            measured = sorted((Measured(**take) for take in takes), key=lambda take: take.theirs / take.ours)
            middle = measured[(runs - 1) // 2]
            rows.append(middle.row())
            fine = fine and middle.judged[2]
    table("Codecs: 8 mixed fields, CPU a record", HEAD, rows)
    return fine


@contextlib.contextmanager
def broker(bootstrap: str | None) -> Iterator[str]:
    if bootstrap:
        yield bootstrap
        return
    # The test broker's flags favour a quick start; a benchmark's broker should not be what is measured, and it is not: only
    # CPU of other processes and rates beside the bare client's are reported.
    with KafkaBroker(fetch_jars(HERE.parent / "tests" / "broker" / "pom.xml")) as started:
        yield started.bootstrap


@contextlib.contextmanager
def registry(work: Path, url: str) -> Iterator[None]:
    """One registry for the run, in a process of its own as in most installations."""
    (work / "registry.properties").write_text(f"listeners={url}\nstore=memory\n")
    with WorkerProcess(["registry", work / "registry.properties"], work / "registry.log", url) as process:
        process.wait_ready("/subjects")
        yield


def options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description="Benchmarks of the worker beside the bare Kafka client.")
    parser.add_argument("--records", type=int, default=300_000, help="records a run (default: 300000)")
    parser.add_argument("--runs", type=int, default=3, help="runs per case, of which the median is shown (default: 3)")
    parser.add_argument(
        "--only",
        default="",
        metavar="REGEX",
        help=f"some parts only: {', '.join([*ENCODINGS, 'exactly-once', 'footprint', 'rest', 'codecs', 'transforms', 'registry', 'metrics'])}",
    )
    parser.add_argument("--bootstrap", help="a running broker; without it one is started")
    return parser.parse_args()


def main() -> int:
    chosen = options()

    def wanted(part: str) -> Any:
        return re.search(chosen.only, part)

    print(
        f"Python {platform.python_version()}, {os.cpu_count()} cores, load {os.getloadavg()[0]:.1f}, {chosen.records:,} records, median of {chosen.runs}"
    )
    fine = codecs(chosen.runs) if wanted("codecs") else True
    if not any(
        wanted(part) for part in [*ENCODINGS, "exactly-once", "footprint", "rest", "transforms", "registry", "metrics"]
    ):
        return 0 if fine else 1
    with broker(chosen.bootstrap) as bootstrap, tempfile.TemporaryDirectory(prefix="penstock-bench-") as work:
        bench = Bench(chosen, bootstrap, Path(work))
        source, sink = [], []
        encodings = list(filter(wanted, ENCODINGS))
        needs_registry = encodings or wanted("exactly-once")
        with registry(Path(work), bench.registry_url) if needs_registry else contextlib.nullcontext():
            for encoding in encodings:
                rows = bench.paths(encoding)
                source += rows[0]
                sink += rows[1]
            if wanted("exactly-once"):
                bench.exactly_once()
        head = ["", "records/s", "CPU s/M", "bare records/s", "bare CPU s/M", "CPU ratio"]
        if source:
            table(
                "Source: a task's records through transforms and converter into Kafka, beside Producer.produce of the same bytes",
                head,
                source,
            )
            table(
                "Sink: Kafka through converter and transforms into put(), beside Consumer.consume of the same records",
                head,
                sink,
            )
        if wanted("footprint"):
            bench.footprint()
        if wanted("rest"):
            bench.rest()
        if bench.bars:
            fine = bench.verdict() and fine
        if wanted("transforms"):
            ran = subprocess.run([sys.executable, HERE / "transforms.py", "--bootstrap", bootstrap], check=False)
            fine = fine and ran.returncode == 0
        if wanted("registry"):
            command = [sys.executable, HERE / "registry_bench.py", "--bootstrap", bootstrap, "--runs", str(chosen.runs)]
            fine = subprocess.run(command, check=False).returncode == 0 and fine
        if wanted("metrics"):
            command = [sys.executable, HERE / "metrics_cost.py", "--bootstrap", bootstrap, "--pairs", str(chosen.runs)]
            fine = subprocess.run(command, check=False).returncode == 0 and fine
        return 0 if fine else 1


if __name__ == "__main__":
    sys.exit(main())
