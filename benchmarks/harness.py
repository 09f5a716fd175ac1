"""Starts one process per measurement and reads what it costs. Linux only: CPU time and memory come from /proc."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

from lab.worker_process import WorkerProcess, free_port

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")


def cpu_seconds(pid: int) -> float:
    """CPU time of all threads of `pid` so far, user and system."""
    fields = Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / TICKS


def resident_mb(pid: int) -> float:
    found = re.search(r"VmRSS:\s+(\d+) kB", Path(f"/proc/{pid}/status").read_text())
    assert found is not None
    return int(found[1]) / 1024


def wait_for(what: str, probe: Callable[[], Any], seconds: float = 120, pause: float = 0.02) -> Any:
    """Ask `probe` until it gives something true, and return that."""
    deadline = time.monotonic() + seconds
    while not (found := probe()):
        if time.monotonic() > deadline:
            raise SystemExit(f"gave up waiting for {what} after {seconds:.0f} s")
        time.sleep(pause)
    return found


class Topics:
    """Makes topics, and says how many records one holds."""

    def __init__(self, bootstrap: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-offsets"})

    def make(self, name: str, partitions: int = 1) -> str:
        self._admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)
        return name

    def close(self) -> None:
        self._consumer.close()

    def count(self, name: str) -> int:
        return int(self._consumer.get_watermark_offsets(TopicPartition(name, 0), timeout=10)[1])


class Worker(WorkerProcess):
    """A ``penstock standalone`` process with its REST API, in a folder of its own."""

    def __init__(
        self,
        folder: Path,
        bootstrap: str,
        settings: Mapping[str, str],
        connectors: Sequence[Mapping[str, str]] = (),
        program: Path | None = None,
    ) -> None:
        """`program` is a Python file that stands in for the command ``penstock``."""
        folder.mkdir(parents=True)
        self.folder = folder
        rest = f"http://127.0.0.1:{free_port()}"
        properties = {
            "bootstrap.servers": bootstrap,
            "listeners": rest,
            "offset.storage.file.filename": str(folder / "offsets.json"),
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            **settings,
        }
        (folder / "worker.properties").write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        arguments: list[str | Path] = [
            *([] if program is None else [program]),
            "standalone",
            folder / "worker.properties",
        ]
        for number, config in enumerate(connectors):
            arguments.append(folder / f"connector-{number}.json")
            Path(arguments[-1]).write_text(json.dumps({"name": config["name"], "config": dict(config)}))
        python = None if program is None else Path(sys.executable)
        super().__init__(arguments, folder / "worker.log", rest, {"PYTHONPATH": str(HERE)}, python)

    def put(self, path: str, body: Any) -> None:
        code, answer = self.call("PUT", path, body)
        if code not in (200, 201):
            raise SystemExit(f"PUT {path}: {code} {answer}\n{self.log()}")

    def check_tasks(self, connector: str) -> None:
        """End the benchmark with the worker's own words when a task failed."""
        self.check()
        code, status = self.call("GET", f"/connectors/{connector}/status")
        if code == 200 and any(part["state"] == "FAILED" for part in [status["connector"], *status["tasks"]]):
            raise SystemExit(f"{connector} failed: {json.dumps(status, indent=1)}\n{self.log()}")


def script(name: str, *arguments: object) -> Any:
    """Run another file of this folder in a process of its own; its last line is JSON."""
    command = [sys.executable, HERE / name, *map(str, arguments)]
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        raise SystemExit(f"{name} failed:\n{ran.stdout}\n{ran.stderr}")
    return json.loads(ran.stdout.splitlines()[-1])


def median(values: Iterable[float]) -> float:
    return statistics.median(values)


def table(title: str, head: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    print(f"\n{title}\n")
    for row in [head, ["-" * width for width in widths], *rows]:
        print(
            "  "
            + "  ".join(
                cell.ljust(width) if not column else cell.rjust(width)
                for column, (cell, width) in enumerate(zip(row, widths, strict=True))
            )
        )
    sys.stdout.flush()
