"""Measures throughput, CPU and memory against tasks and processes, the size of records, and their fields.

    python benchmarks/scaling.py [--bootstrap HOST:PORT] [--only REGEX]

One worker process a measurement. CPU is that of the process with all its threads; rates are the slope of the topic's end
offset, from the first to the last sighting.
"""

from __future__ import annotations

import argparse
import json
import re
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from bench_plugin import WARM_UP
from harness import HERE, Topics, Worker, cpu_seconds, resident_mb, table, wait_for
from lab.worker_process import WorkerProcess, free_port
from run import broker, registry

_AVRO = "io.confluent.connect.avro.AvroConverter"
_JSON = {"value.converter": "org.apache.kafka.connect.json.JsonConverter", "value.converter.schemas.enable": "false"}
_ENDLESS = str(2**40)


class Scaling:
    def __init__(self, bootstrap: str, url: str, work: Path) -> None:
        self._bootstrap, self._work = bootstrap, work
        self._topics = Topics(bootstrap)
        self._avro = {"value.converter": _AVRO, "value.converter.schema.registry.url": url}

    # --- tables

    def tasks(self) -> None:
        """One process with more and more tasks, and two processes with one each."""
        rows = []
        for tasks in (1, 2, 4):
            with self._standalone() as worker:
                rate, cpu = self._source(worker, [worker.pid], tasks, 1_000_000, self._avro)
                rows.append([f"{tasks} in one process", f"{rate:,.0f}", f"{cpu:.2f}"])
        with self._two_processes() as worker:
            pids = wait_for("two workers", lambda: found if len(found := _children(worker.pid)) == 2 else None)
            rate, cpu = self._source(worker, pids, 2, 1_000_000, self._avro)
            rows.append(["2 in two processes (--workers 2)", f"{rate:,.0f}", f"{cpu:.2f}"])
        table("Tasks of a source of mixed rows, Avro", ["tasks", "records/s", "CPU s/M"], rows)

    def memory(self) -> None:
        rows = []
        for tasks in (0, 1, 10, 100, 500):
            row = [str(tasks)]
            for kind in ("source", "sink"):
                with self._standalone() as worker:
                    if tasks:
                        self._idle_tasks(worker, kind, tasks)
                    time.sleep(3)
                    row.append(f"{resident_mb(worker.pid):.0f}")
            rows.append(row)
        table("Memory of a worker with idle tasks, MB", ["tasks", "of a source", "of a sink"], rows)

    def sizes(self) -> None:
        rows = []
        for size, records in ((100, 500_000), (1_000, 200_000), (10_000, 50_000), (100_000, 10_000)):
            with self._standalone() as worker:
                topic, config = self._source_config({"shape": "string", "size": str(size)}, records)
                rate, cpu = self._run(worker, [worker.pid], topic, config, records)
                sink_rate, sink_cpu = self._sink(worker, topic, records)
            rows.append(
                [f"{size:,}", f"{rate:,.0f}", f"{cpu:.2f}", f"{rate * size / 1e6:,.0f}"]
                + [f"{sink_rate:,.0f}", f"{sink_cpu:.2f}", f"{sink_rate * size / 1e6:,.0f}"]
            )
        head = ["bytes", "source records/s", "CPU s/M", "MB/s", "sink records/s", "CPU s/M", "MB/s"]
        table("Size of a record, String", head, rows)

    def fields(self) -> None:
        rows = []
        for fields, records in ((1, 500_000), (10, 500_000), (50, 150_000), (200, 50_000)):
            row = [str(fields)]
            for converter in (self._avro, _JSON):
                with self._standalone() as worker:
                    topic, config = self._source_config({"fields": str(fields), **converter}, records)
                    rate, cpu = self._run(worker, [worker.pid], topic, config, records)
                    row += [f"{rate:,.0f}", f"{cpu:.2f}"]
            rows.append(row)
        head = ["fields", "Avro records/s", "CPU s/M", "JSON records/s", "CPU s/M"]
        table("Fields of a record, a source", head, rows)

    # --- one measurement

    @contextmanager
    def _standalone(self) -> Iterator[WorkerProcess]:
        folder = self._work / uuid.uuid4().hex[:8]
        with Worker(folder, self._bootstrap, {"offset.flush.interval.ms": "500"}) as worker:
            yield worker.wait_ready()

    @contextmanager
    def _two_processes(self) -> Iterator[WorkerProcess]:
        folder = self._work / uuid.uuid4().hex[:8]
        folder.mkdir()
        name, port = f"scaling-{folder.name}", free_port()
        (folder / "worker.properties").write_text(
            f"bootstrap.servers={self._bootstrap}\nlisteners=http://127.0.0.1:{port}\ngroup.id={name}\n"
            f"config.storage.topic={name}-c\noffset.storage.topic={name}-o\nstatus.storage.topic={name}-s\n"
            "config.storage.replication.factor=1\noffset.storage.replication.factor=1\n"
            "status.storage.replication.factor=1\nkey.converter=string\nvalue.converter=string\n"
        )
        arguments = ["worker", str(folder / "worker.properties"), "--workers", "2"]
        rest = f"http://127.0.0.1:{port}"
        with WorkerProcess(arguments, folder / "worker.log", rest, {"PYTHONPATH": str(HERE)}) as worker:
            worker.wait_ready()
            time.sleep(5)  # until both are one group
            yield worker

    def _source_config(self, own: Mapping[str, str], records: int) -> tuple[str, dict[str, str]]:
        topic = self._topics.make(f"scaling-{uuid.uuid4().hex[:8]}")
        marker = str(self._work / f"{topic}.json")
        config = {"connector.class": "bench_plugin.BenchSource", "records": str(records), "marker": marker}
        return topic, {"topic": topic, **config, **own}

    def _source(
        self, worker: WorkerProcess, pids: list[int], tasks: int, records: int, own: Mapping[str, str]
    ) -> tuple[float, float]:
        topic, config = self._source_config({"tasks.max": str(tasks), **own}, records // tasks)
        return self._run(worker, pids, topic, config, records)

    def _run(
        self, worker: WorkerProcess, pids: list[int], topic: str, config: dict[str, str], records: int
    ) -> tuple[float, float]:
        """Return records a second and CPU seconds a million records."""
        self._create(worker, topic, config)
        first: tuple[float, float, int] | None = None
        while True:
            seen, now, cpu = self._topics.count(topic), time.monotonic(), sum(map(cpu_seconds, pids))
            if seen and first is None:
                first = now, cpu, seen
            if first is not None and seen >= records:
                worker.call("DELETE", f"/connectors/{topic}")
                done = seen - first[2]
                return done / (now - first[0]), (cpu - first[1]) / done * 1e6
            worker.check()
            time.sleep(0.02)

    def _sink(self, worker: WorkerProcess, topic: str, records: int) -> tuple[float, float]:
        marker = self._work / f"{topic}.sink.json"
        config = {"connector.class": "bench_plugin.BenchSink", "topics": topic, "marker": str(marker)}
        measured = records - WARM_UP
        self._create(worker, f"{topic}-sink", {**config, "records": str(measured)})
        wait_for("the sink", marker.exists)
        times = json.loads(marker.read_text())
        worker.call("DELETE", f"/connectors/{topic}-sink")
        wall, cpu = (times["end"][unit] - times["start"][unit] for unit in ("wall", "cpu"))
        return measured / wall, cpu / measured * 1e6

    def _idle_tasks(self, worker: WorkerProcess, kind: str, tasks: int) -> None:
        topic = self._topics.make(f"scaling-{uuid.uuid4().hex[:8]}", tasks if kind == "sink" else 1)
        config = {"marker": str(self._work / f"{topic}.json"), "tasks.max": str(tasks), "records": _ENDLESS}
        if kind == "source":
            config |= {"connector.class": "bench_plugin.BenchSource", "topic": topic, "records": "-4999", "batch": "1"}
        else:
            config |= {"connector.class": "bench_plugin.BenchSink", "topics": topic}
        self._create(worker, topic, config)
        wait_for("the tasks", lambda: self._running(worker, topic) == tasks, pause=0.2)

    @staticmethod
    def _running(worker: WorkerProcess, name: str) -> int:
        code, answer = worker.call("GET", f"/connectors/{name}/status")
        return sum(task["state"] == "RUNNING" for task in answer["tasks"]) if code == 200 else 0

    @staticmethod
    def _create(worker: WorkerProcess, name: str, config: dict[str, str]) -> None:
        code, answer = worker.call("PUT", f"/connectors/{name}/config", config)
        if code != 201:
            raise SystemExit(f"{code} {answer}\n{worker.log()}")


def _children(pid: int) -> list[int]:
    """Return the processes that `pid` started."""
    found = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    return [int(child) for child in found.split()]


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").split("\n")[0])
    parser.add_argument("--bootstrap", help="a broker that runs; one is started if this is missing")
    parser.add_argument("--only", default=".", help="regular expression: tasks, memory, sizes, fields")
    options = parser.parse_args()
    with broker(options.bootstrap) as bootstrap, tempfile.TemporaryDirectory(prefix="penstock-scaling-") as folder:
        work, url = Path(folder), f"http://127.0.0.1:{free_port()}"
        with registry(work, url):
            scaling = Scaling(bootstrap, url, work)
            parts: list[Callable[[], None]] = [scaling.tasks, scaling.memory, scaling.sizes, scaling.fields]
            for part in parts:
                if re.search(options.only, part.__name__):
                    part()


if __name__ == "__main__":
    main()
