"""One Connect cluster that JVM workers and penstock's take turns in, or share: the same group, topics and settings."""

from __future__ import annotations

import contextlib
import time
import uuid
from collections.abc import Callable
from pathlib import Path
from typing import Any

from lab.jvm_connect import JvmConnect, fetch_connect
from lab.patience import PATIENCE_S
from lab.worker_process import WorkerProcess, free_port

__all__ = ["JvmCluster", "eventually"]

Info = dict[str, Any]


def eventually(
    condition: Callable[[], object], what: str, seconds: float = PATIENCE_S, more: Callable[[], object] | None = None
) -> None:
    """Until `condition` holds; AssertionError with `what`, and with what `more` tells, after `seconds`."""
    deadline = time.monotonic() + seconds
    while not condition():
        if time.monotonic() >= deadline:
            raise AssertionError(f"not within {seconds:g} s: {what}\n{more() if more else ''}")
        time.sleep(0.05)


def _may_try_again(code: int, answer: str) -> bool:
    return (code == 409 and "already exists" not in answer) or (code == 500 and "can be safely retried" in answer)


class JvmCluster:
    """Use it as a context manager: it kills what still runs at its end. `settings` are worker settings for both kinds.

    Sessions and delays are seconds, so that a worker that dies is missed soon.
    """

    def __init__(self, pom: Path, kafka: str, folder: Path, **settings: str) -> None:
        self.kafka, self.folder, self._pom = kafka, folder, pom
        self.group = f"jvm-{uuid.uuid4().hex[:8]}"
        self.workers: list[WorkerProcess] = []
        self._running = contextlib.ExitStack()
        self._started = 0
        self.settings = {
            "group.id": self.group,
            "key.converter": "org.apache.kafka.connect.storage.StringConverter",
            "value.converter": "org.apache.kafka.connect.storage.StringConverter",
            **{f"{what}.storage.topic": self.topic(what) for what in ("config", "offset", "status")},
            **{f"{what}.storage.replication.factor": "1" for what in ("config", "offset", "status")},
            "offset.storage.partitions": "3",
            "status.storage.partitions": "2",
            "session.timeout.ms": "6000",
            "heartbeat.interval.ms": "1000",
            "consumer.session.timeout.ms": "6000",
            "consumer.heartbeat.interval.ms": "500",
            "scheduled.rebalance.max.delay.ms": "500",
            "offset.flush.interval.ms": "200",
            **{name.replace("_", "."): value for name, value in settings.items()},
        }

    def __enter__(self) -> JvmCluster:
        return self

    def __exit__(self, *_: object) -> None:
        self._running.close()

    def topic(self, what: str) -> str:
        return f"{self.group}-{what}"

    def _folder(self, kind: str) -> Path:
        self._started += 1
        folder = self.folder / f"{self._started}-{kind}"
        folder.mkdir(parents=True)
        return folder

    def start_jvm(self, pom: Path | None = None, **settings: str) -> JvmConnect:
        """A JVM worker, of another `pom` than the cluster's if one is given; `wait_ready` waits for it."""
        own = {**self.settings, **{name.replace("_", "."): value for name, value in settings.items()}}
        worker = JvmConnect(fetch_connect(pom or self._pom), self._folder("jvm"), self.kafka, own)
        self._running.enter_context(worker)
        self.workers.append(worker)
        return worker

    def start_penstock(self, **settings: str) -> WorkerProcess:
        """A ``penstock worker`` process with the same properties."""
        folder, rest = self._folder("penstock"), f"http://127.0.0.1:{free_port()}"
        own = {
            "bootstrap.servers": self.kafka,
            "listeners": rest,
            **self.settings,
            **{name.replace("_", "."): value for name, value in settings.items()},
        }
        (folder / "worker.properties").write_text("".join(f"{key}={value}\n" for key, value in own.items()))
        worker = WorkerProcess(["worker", folder / "worker.properties"], folder / "worker.log", rest)
        self._running.enter_context(worker)
        self.workers.append(worker)
        return worker

    def stop(self, worker: WorkerProcess) -> int:
        """SIGTERM, and its exit code."""
        self.workers.remove(worker)
        return worker.stop()

    def kill(self, worker: WorkerProcess) -> None:
        self.workers.remove(worker)
        worker.kill()

    def logs(self) -> str:
        return "\n".join(
            f"--- {path.relative_to(self.folder)}\n{path.read_text(errors='replace')[-3000:]}"
            for path in sorted(self.folder.glob("*/*.log"))
        )

    def eventually(self, condition: Callable[[], object], what: str, seconds: float = PATIENCE_S) -> None:
        def checked() -> object:
            for worker in self.workers:
                worker.check()
            return condition()

        eventually(checked, what, seconds, self.logs)

    # ---- a worker's answers

    def call(self, worker: WorkerProcess, method: str, path: str, body: Any = None, *, expect: int) -> Any:
        """The parsed answer; AssertionError unless it has the status `expect`. A write that meets a rebalance is tried
        again, as Connect's 409 asks for; so is one that a former leader's last claim has fenced, as Connect's 500 says."""
        deadline = time.monotonic() + PATIENCE_S
        code, answer = worker.call(method, path, body)
        while _may_try_again(code, str(answer)) and time.monotonic() < deadline:
            time.sleep(0.5)
            code, answer = worker.call(method, path, body)
        if code != expect:
            raise AssertionError(f"{method} {path}: {code} {answer}\n{self.logs()}")
        return answer

    def states(self, worker: WorkerProcess, connector: str) -> tuple[str, list[tuple[str, str]]]:
        """The connector's state, and each task's with its worker's address."""
        code, status = worker.call("GET", f"/connectors/{connector}/status")
        if code != 200:
            return "", []
        return status["connector"]["state"], [(task["state"], task["worker_id"]) for task in status["tasks"]]

    def running(self, worker: WorkerProcess, connector: str, tasks: int, on: set[str] | None = None) -> bool:
        """Return whether the connector and all its `tasks` are RUNNING, the tasks on just the workers `on`, as `worker` says."""
        state, found = self.states(worker, connector)
        return (
            state == "RUNNING"
            and [task for task, _ in found] == ["RUNNING"] * tasks
            and (on is None or {worker_id for _, worker_id in found} == on)
        )

    @staticmethod
    def worker_id(worker: WorkerProcess) -> str:
        return worker.rest.removeprefix("http://")
