"""Workers of one group, each a process of its own, for tests and benchmarks of a whole cluster."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

from lab.patience import PATIENCE_S
from lab.worker_process import WorkerProcess, free_port

__all__ = ["DELAY_S", "SESSION_S", "WORKER_VARIABLE", "WorkerGroup"]

CONVERTER: Final = "org.apache.kafka.connect.json.JsonConverter"
#: The configuration of a group unless its maker says otherwise: when a worker counts as dead, and how long its work waits.
SESSION_S: Final = 6
#: In each worker's environment: its number, for a connector that says who ran it (`EnvVarConfigProvider`).
WORKER_VARIABLE: Final = "PENSTOCK_TEST_WORKER"
DELAY_S: Final = 1


class WorkerGroup:
    """Workers of one group, each a process. `authorization` is the header of every call, where the group has users."""

    def __init__(
        self, bootstrap: str, folder: Path, group: str, *, authorization: str | None = None, **settings: str
    ) -> None:
        self._authorization = authorization
        self.name, self.folder, self.workers = group, folder, dict[int, WorkerProcess]()
        self._ports: dict[int, int] = {}
        self._own: dict[int, dict[str, str]] = {}
        self._settings = {
            "bootstrap.servers": bootstrap,
            "group.id": group,
            "key.converter": CONVERTER,
            "value.converter": CONVERTER,
            "offset.storage.partitions": "3",
            "offset.flush.interval.ms": "1000",
            "session.timeout.ms": str(SESSION_S * 1000),
            "heartbeat.interval.ms": "1000",
            # The group of a sink must notice a dead worker in time, too.
            "consumer.session.timeout.ms": str(SESSION_S * 1000),
            "scheduled.rebalance.max.delay.ms": str(DELAY_S * 1000),
            **{f"{which}.storage.topic": f"{group}-{which}" for which in ("config", "offset", "status")},
            **{f"{which}.storage.replication.factor": "1" for which in ("config", "offset", "status")},
            **settings,
        }

    def topic(self, which: str) -> str:
        """The group's own: ``config``, ``offset`` or ``status``."""
        return f"{self.name}-{which}"

    def write(self, number: int, port: int) -> Path:
        file = self.folder / f"worker{number}.properties"
        settings = {**self._settings, **self._own.get(number, {}), "listeners": f"http://127.0.0.1:{port}"}
        file.write_text("".join(f"{key}={value}\n" for key, value in settings.items()))
        return file

    def start(self, number: int, own: dict[str, str] | None = None) -> WorkerProcess:
        """Start a worker; one that was there before comes back at its address. `own` are settings of this one alone."""
        self._own.setdefault(number, {}).update(own or {})
        port = self._ports[number] = self._ports.get(number) or free_port()
        file = self.write(number, port)
        log, variables = self.folder / f"worker{number}.log", {WORKER_VARIABLE: str(number)}
        worker = WorkerProcess(
            ["worker", file], log, f"http://127.0.0.1:{port}", variables, authorization=self._authorization
        )
        self.workers[number] = worker
        return worker

    def any(self) -> WorkerProcess:
        return next(iter(self.workers.values()))

    def kill(self, number: int) -> None:
        self.workers.pop(number).kill()

    def leader(self) -> int:
        for number, worker in self.workers.items():
            if worker.call("GET", "/cluster")[1]["leader"]:
                return number
        raise AssertionError("nobody leads")

    def logs(self) -> str:
        return "\n".join(f"--- {path.name}\n{path.read_text()[-4000:]}" for path in self.folder.glob("*.log"))

    def until(self, what: str, check: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
        deadline = time.monotonic() + seconds
        while True:
            for worker in self.workers.values():
                worker.check()
            if check():
                return
            assert time.monotonic() < deadline, f"not within {seconds:g} s: {what}\n{self.logs()}"
            time.sleep(0.1)

    def settled(self, workers: int) -> bool:
        """All agree that the group is whole and at rest."""
        answers = [worker.call("GET", "/cluster")[1] for worker in self.workers.values()]
        groups = [answer["group"] for answer in answers]
        return all(
            group["state"] == "stable" and len(group.get("workers", ())) == workers and group["pending"] is None
            for group in groups
        )

    def assignment(self) -> Counter[str]:
        """Return how often each connector and task is assigned, as the leader says."""
        group = self.any().call("GET", "/cluster")[1]["group"]
        return Counter(item for worker in group["workers"] for item in (*worker["connectors"], *worker["tasks"]))

    def running(self) -> int:
        """Return how many connectors and tasks really run, as each worker says of itself."""
        answers = [worker.call("GET", "/cluster")[1] for worker in self.workers.values()]
        return sum(answer["connector_count"] + answer["task_count"] for answer in answers)

    def all_running(self, connectors: dict[str, int]) -> bool:
        """Every connector with so many tasks is RUNNING, on workers that live."""
        living = {worker.rest.removeprefix("http://") for worker in self.workers.values()}
        for name, tasks in connectors.items():
            code, status = self.any().call("GET", f"/connectors/{name}/status")
            if code != 200 or len(status["tasks"]) != tasks:
                return False
            parts = [status["connector"], *status["tasks"]]
            if any(part["state"] != "RUNNING" or part["worker_id"] not in living for part in parts):
                return False
        return True

    def create(self, number: int, name: str, config: dict[str, Any]) -> None:
        code, answer = self.workers[number].call("POST", "/connectors", {"name": name, "config": config})
        assert code == 201, (answer, self.logs())
