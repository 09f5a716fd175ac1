"""Starts one process per measurement and reads what it costs. Linux only: CPU time and memory come from /proc."""

from __future__ import annotations

import json
import os
import re
import socket
import statistics
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

from confluent_kafka import Consumer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

HERE = Path(__file__).parent
TICKS = os.sysconf("SC_CLK_TCK")
PENSTOCK = Path(sys.executable).with_name("penstock")


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


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Topics:
    """Makes topics, and says how many records one holds."""

    def __init__(self, bootstrap: str) -> None:
        self._admin = AdminClient({"bootstrap.servers": bootstrap})
        self._consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "bench-offsets"})

    def make(self, name: str) -> str:
        self._admin.create_topics([NewTopic(name, 1, 1)])[name].result(30)
        return name

    def count(self, name: str) -> int:
        return int(self._consumer.get_watermark_offsets(TopicPartition(name, 0), timeout=10)[1])


class Worker:
    """A ``penstock standalone`` process with its REST API, in a folder of its own."""

    def __init__(
        self, folder: Path, bootstrap: str, settings: Mapping[str, str], connectors: Sequence[Mapping[str, str]] = ()
    ) -> None:
        folder.mkdir(parents=True)
        self.folder, self.port = folder, free_port()
        properties = {
            "bootstrap.servers": bootstrap,
            "listeners": f"http://127.0.0.1:{self.port}",
            "offset.storage.file.filename": str(folder / "offsets.json"),
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            **settings,
        }
        (folder / "worker.properties").write_text("".join(f"{key}={value}\n" for key, value in properties.items()))
        files = []
        for number, config in enumerate(connectors):
            files.append(folder / f"connector-{number}.json")
            files[-1].write_text(json.dumps({"name": config["name"], "config": dict(config)}))
        self._log = (folder / "worker.log").open("wb")
        self.process = subprocess.Popen(
            [PENSTOCK, "standalone", folder / "worker.properties", *files],
            stdout=self._log,
            stderr=self._log,
            env={**os.environ, "PYTHONPATH": str(HERE)},
            cwd=folder,
        )
        self.pid = self.process.pid

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self._log.close()

    def check(self) -> None:
        if self.process.poll() is not None:
            raise SystemExit(f"the worker ended with {self.process.returncode}:\n{self.log()}")

    def log(self) -> str:
        return (self.folder / "worker.log").read_text(errors="replace")[-4000:]

    def ready(self) -> bool:
        self.check()
        try:
            return self.get("/connectors") is not None
        except (urllib.error.URLError, ConnectionError):
            return False

    def get(self, path: str) -> Any:
        return self._request("GET", path, None)

    def put(self, path: str, body: Any) -> Any:
        return self._request("PUT", path, body)

    def check_tasks(self, connector: str) -> None:
        """End the benchmark with the worker's own words when a task failed."""
        self.check()
        status = self.get(f"/connectors/{connector}/status")
        if any(part["state"] == "FAILED" for part in [status["connector"], *status["tasks"]]):
            raise SystemExit(f"{connector} failed: {json.dumps(status, indent=1)}\n{self.log()}")

    def _request(self, method: str, path: str, body: Any) -> Any:
        request = urllib.request.Request(
            f"http://127.0.0.1:{self.port}{path}",
            method=method,
            data=None if body is None else json.dumps(body).encode(),
            headers={"Content-Type": "application/json"},
        )
        try:
            with urllib.request.urlopen(request, timeout=60) as answer:
                return json.loads(answer.read() or b"null")
        except urllib.error.HTTPError as error:
            raise SystemExit(
                f"{method} {path}: {error.code} {error.read().decode(errors='replace')}\n{self.log()}"
            ) from error


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
