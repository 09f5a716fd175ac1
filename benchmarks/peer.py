"""The same connector configs on the JVM's Connect worker and on penstock, side by side: ``make bench-peer``.

One task, one partition, one broker and registry. Both workers stay up; each case has a warm-up run on either side, and then
pairs of runs in turns. CPU is user and system time of the worker process, all its threads included; the rate is the slope
between the first and the last sighting of the end offset (sources) or of the committed offset (sinks). A ratio is
penstock's figure divided by the JVM's of the same pair; the median of the pairs is reported.
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
import zipfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from confluent_kafka import Consumer, KafkaException, TopicPartition

from harness import HERE, Topics, Worker, cpu_seconds, median, resident_mb, table
from lab.jvm_connect import JvmConnect, fetch_connect
from lab.worker_process import WorkerProcess, free_port
from peer_cases import Case, cases, fill
from peer_plot import plot
from penstock.testing.broker import find_java, find_tool
from run import broker, registry

_POM: Final = HERE.parent / "tests" / "compat" / "jvm" / "pom.xml"
_SETTINGS: Final = {"offset.flush.interval.ms": "200", "value.converter": "org.apache.kafka.connect.json.JsonConverter"}
_GIVE_UP_S: Final = 600
_SERVICES: Final = {
    "org.apache.kafka.connect.source.SourceConnector": "penstock.bench.BatchSource",
    "org.apache.kafka.connect.sink.SinkConnector": "penstock.bench.CountingSink",
}


@dataclass(frozen=True)
class Taken:
    """One run: CPU seconds a million records, records a second, resident megabytes at its end."""

    cpu: float
    rate: float
    memory: float


def compiled(home: Path, work: Path) -> Path:
    """Return a jar of the Java connectors in ``java/``."""
    classes = work / "classes"
    sources = sorted((HERE / "java").glob("*.java"))
    command = [find_tool("javac", "a JDK"), "-cp", f"{home / 'lib'}/*", "-d", classes, *sources]
    subprocess.run(command, check=True)
    jar = work / "bench.jar"
    with zipfile.ZipFile(jar, "w") as archive:
        for file in sorted(classes.rglob("*.class")):
            archive.write(file, file.relative_to(classes))
        for interface, name in _SERVICES.items():
            archive.writestr(f"META-INF/services/{interface}", name)
    return jar


class Comparison:
    """Both workers, and what is measured of them."""

    def __init__(self, options: argparse.Namespace, bootstrap: str, work: Path) -> None:
        self._options, self._bootstrap, self.work = options, bootstrap, work
        self._topics = Topics(bootstrap)
        self._filled: dict[str, str] = {}
        self.workers: dict[str, WorkerProcess] = {}
        self.start: dict[str, dict[str, float]] = {}

    @contextlib.contextmanager
    def running(self) -> Iterator[None]:
        home = fetch_connect(_POM)
        (self.work / "jvm").mkdir()
        heap = [*self._options.heap.split(), "-XX:+UseG1GC", "-Djava.awt.headless=true"]
        jars = [compiled(home, self.work)]
        with contextlib.ExitStack() as stack:
            made: dict[str, Callable[[], WorkerProcess]] = {
                "jvm": lambda: JvmConnect(home, self.work / "jvm", self._bootstrap, _SETTINGS, options=heap, jars=jars),
                "penstock": lambda: Worker(self.work / "penstock", self._bootstrap, _SETTINGS),
            }
            for side, make in made.items():
                began = time.monotonic()
                worker = self.workers[side] = stack.enter_context(make())
                worker.wait_ready()
                self.start[side] = {"seconds": time.monotonic() - began, "cpu": cpu_seconds(worker.pid)}
            time.sleep(5)
            for side, worker in self.workers.items():
                self.start[side]["idle"] = resident_mb(worker.pid)
            yield
        self._topics.close()

    def compare(self, case: Case, registry_url: str) -> dict[str, Any]:
        records = self._options.sink_records if case.kind == "sink" else self._options.records
        if case.kind == "sink" and case.encoding not in self._filled:
            topic = self._filled[case.encoding] = self._topics.make(f"peer-{case.encoding}-{uuid.uuid4().hex[:6]}")
            fill(self._bootstrap, topic, case.encoding, registry_url, records)
        taken: dict[str, list[Taken]] = {side: [] for side in self.workers}
        for number in range(self._options.pairs + 1):
            for side in self.workers:
                run = self._run(side, case, records)
                if number:
                    taken[side].append(run)
        return row(case.name, taken["jvm"], taken["penstock"])

    def _run(self, side: str, case: Case, records: int) -> Taken:
        worker, name = self.workers[side], f"peer-{uuid.uuid4().hex[:8]}"
        config = {"tasks.max": "1", **case.settings(side)}
        if case.kind == "source":
            topic = config["topic"] = self._topics.make(f"peer-{uuid.uuid4().hex[:8]}")
            look: Callable[[], int] = lambda: self._topics.count(topic)  # noqa: E731  # the other branch's twin
        else:
            topic = config["topics"] = self._filled[case.encoding]
            group = Consumer({"bootstrap.servers": self._bootstrap, "group.id": f"connect-{name}", "log_level": 0})
            look = lambda: committed(group, topic)  # noqa: E731  # as above
        code, answer = worker.call("PUT", f"/connectors/{name}/config", config)
        if code != 201:
            raise SystemExit(f"{side}: {code} {answer}\n{worker.log()}")
        try:
            return self._slope(worker, name, look, records)
        finally:
            worker.call("DELETE", f"/connectors/{name}")
            time.sleep(0.5)

    def _slope(self, worker: WorkerProcess, name: str, look: Callable[[], int], records: int) -> Taken:
        first: tuple[float, float, int] | None = None
        deadline = time.monotonic() + _GIVE_UP_S
        while True:
            seen, now, cpu = look(), time.monotonic(), cpu_seconds(worker.pid)
            if seen and first is None:
                first = now, cpu, seen
            if seen >= records and first is not None:
                done = max(1, seen - first[2])
                seconds = max(now - first[0], 1e-3)
                return Taken((cpu - first[1]) / done * 1e6, done / seconds, resident_mb(worker.pid))
            if now > deadline:
                status = worker.call("GET", f"/connectors/{name}/status")[1]
                raise SystemExit(f"{name}: {seen} of {records} records; {json.dumps(status)}\n{worker.log()}")
            time.sleep(0.02)


def committed(group: Consumer, topic: str) -> int:
    try:
        return max(0, group.committed([TopicPartition(topic, 0)], timeout=10)[0].offset)
    except KafkaException:  # the group's coordinator is busy: look again
        return 0


def row(name: str, jvm: list[Taken], ours: list[Taken]) -> dict[str, Any]:
    """Return the figures of a case, as ``latest.json`` has them."""
    pairs = list(zip(ours, jvm, strict=True))
    return {
        "case": name,
        "cpu_ratio": round(median(mine.cpu / theirs.cpu for mine, theirs in pairs), 3),
        "rate_ratio": round(median(mine.rate / theirs.rate for mine, theirs in pairs), 3),
        "jvm_cpu": round(median(run.cpu for run in jvm), 2),
        "penstock_cpu": round(median(run.cpu for run in ours), 2),
        "jvm_rate": round(median(run.rate for run in jvm)),
        "penstock_rate": round(median(run.rate for run in ours)),
        "jvm_mb": round(median(run.memory for run in jvm)),
        "penstock_mb": round(median(run.memory for run in ours)),
    }


def start_row(start: dict[str, dict[str, float]]) -> dict[str, Any]:
    """Return the start of the workers in the same shape: CPU seconds to REST, and idle memory."""
    jvm, ours = start["jvm"], start["penstock"]
    return {
        "case": "start to REST; idle",
        "cpu_ratio": round(ours["cpu"] / jvm["cpu"], 3),
        "rate_ratio": round(jvm["seconds"] / ours["seconds"], 3),
        "jvm_cpu": round(jvm["cpu"], 2),
        "penstock_cpu": round(ours["cpu"], 2),
        "jvm_mb": round(jvm["idle"]),
        "penstock_mb": round(ours["idle"]),
    }


def write(folder: Path, rows: list[dict[str, Any]], about: dict[str, Any]) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "latest.json").write_text(json.dumps(rows, indent=1) + "\n")
    (folder / "about.json").write_text(json.dumps(about, indent=1) + "\n")
    (folder / "peer.svg").write_text(plot(rows))
    lines = [
        "| case | CPU s/M, JVM | penstock | ratio | records/s, JVM | penstock | ratio | MB, JVM | penstock |",
        "|---|---:|---:|---:|---:|---:|---:|---:|---:|",
        *(
            f"| {r['case']} | {r['jvm_cpu']:.2f} | {r['penstock_cpu']:.2f} | {r['cpu_ratio']:.2f} | {r.get('jvm_rate', 0):,} "
            f"| {r.get('penstock_rate', 0):,} | {r['rate_ratio']:.2f} | {r['jvm_mb']} | {r['penstock_mb']} |"
            for r in rows
        ),
    ]
    said = ", ".join(f"{name} {value}" for name, value in about.items() if name != "command")
    (folder / "peer.md").write_text(f"`{about['command']}`: {said}.\n\n" + "\n".join(lines) + "\n")


def about(options: argparse.Namespace) -> dict[str, Any]:
    java = subprocess.run([find_java(), "-version"], capture_output=True, text=True, check=True).stderr.splitlines()[0]
    return {
        "command": f"make bench-peer PEER='{' '.join(sys.argv[1:])}'".replace(" PEER=''", ""),
        "cores": os.cpu_count(),
        "load at the start": round(os.getloadavg()[0], 1),
        "Python": platform.python_version(),
        "Java": java,
        "heap": options.heap,
        "records": options.records,
        "records of sinks": options.sink_records,
        "pairs": options.pairs,
        "Kafka Connect": "4.3.0",
    }


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--bootstrap", help="a broker that runs; one is started if this is missing")
    parser.add_argument("--records", type=int, default=500_000, help="records of a source's run")
    parser.add_argument("--sink-records", type=int, default=2_000_000, help="records of a sink's run")
    parser.add_argument("--pairs", type=int, default=3)
    parser.add_argument("--only", default=".", help="regular expression for the cases to run")
    parser.add_argument("--heap", default="-Xms256M -Xmx2G", help="options of the JVM; what Kafka's own scripts use")
    parser.add_argument("--out", type=Path, default=HERE / "results")
    return parser.parse_args()


def main() -> None:
    options = arguments()
    said = about(options)
    with broker(options.bootstrap) as bootstrap, tempfile.TemporaryDirectory(prefix="penstock-peer-") as folder:
        work = Path(folder)
        lines = work / "lines.txt"
        with lines.open("w") as file:
            file.writelines(f"{number:010d}{'abcdefghi ' * 9}\n" for number in range(options.records))
        url = f"http://127.0.0.1:{free_port()}"
        comparison = Comparison(options, bootstrap, work)
        with registry(work, url), comparison.running():
            rows = [start_row(comparison.start)]
            for case in cases(options.records, url, lines, work):
                if re.search(options.only, case.name):
                    rows.append(comparison.compare(case, url))
                    last = rows[-1]
                    print(f"{case.name:40} CPU {last['cpu_ratio']:.2f}  rate {last['rate_ratio']:.2f}", flush=True)
        write(options.out, rows, said)
    head = ["", "CPU s/M JVM", "penstock", "ratio", "records/s JVM", "penstock", "ratio"]
    names = ["jvm_cpu", "penstock_cpu", "cpu_ratio", "jvm_rate", "penstock_rate", "rate_ratio"]
    table("Beside the JVM's worker", head, [[r["case"], *(f"{r.get(name, 0):,}" for name in names)] for r in rows])


if __name__ == "__main__":
    main()
