"""A standalone worker whose source connectors tests create over REST, and what a user would look at."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from lab.patience import PATIENCE_S
from lab.worker_process import WorkerProcess, free_port

__all__ = ["Source", "SourceWorker", "script"]


def script(*records: Mapping[str, Any] | str) -> dict[str, str]:
    """The setting of a `lab.sources.ScriptedSource` that hands out `records`, in order; a text is a value alone."""
    return {"script": json.dumps([r if isinstance(r, Mapping) else {"value": r} for r in records])}


class SourceWorker:
    """The worker's folder, configuration and log; `start` runs it as a process of its own."""

    def __init__(self, folder: Path, bootstrap: str, extra: str = "") -> None:
        """`extra` is more lines for the worker's properties."""
        self.folder = folder
        self._rest = f"http://127.0.0.1:{free_port()}"
        (folder / "worker.properties").write_text(
            f"bootstrap.servers={bootstrap}\nlisteners={self._rest}\noffset.storage.file.filename={folder / 'offsets'}\n"
            f"key.converter=string\nvalue.converter=string\noffset.flush.interval.ms=300\n{extra}"
        )

    def start(self) -> WorkerProcess:
        """Start the worker and wait until its REST API answers."""
        arguments = ["standalone", str(self.folder / "worker.properties")]
        environ = {"PYTHONPATH": os.fspath(Path(__file__).parents[1])}
        return WorkerProcess(arguments, self.folder / "worker.log", self._rest, environ).wait_ready()

    @property
    def log(self) -> str:
        """The worker's log, without the client's own lines."""
        text = (self.folder / "worker.log").read_text(errors="replace")
        return "\n".join(line for line in text.splitlines() if "librdkafka" not in line)


class Source:
    """One connector of a running worker, of the class `lab.sources.ScriptedSource` unless its configuration differs."""

    def __init__(self, worker: SourceWorker, running: WorkerProcess, name: str, config: Mapping[str, str]) -> None:
        self._worker, self._running, self.name = worker, running, name
        code, answer = running.call(
            "PUT", f"/connectors/{name}/config", {"connector.class": "lab.sources:ScriptedSource", **config}
        )
        assert code in (200, 201), answer

    @property
    def offsets(self) -> dict[Any, int]:
        """The committed offsets by the name of the source partition."""
        answer = self._running.call("GET", f"/connectors/{self.name}/offsets")[1].get("offsets", [])
        return {entry["partition"]["source"]: entry["offset"]["n"] for entry in answer}

    @property
    def topics(self) -> list[str]:
        """Return the topics that ``GET /connectors/NAME/topics`` lists."""
        return sorted(self._running.call("GET", f"/connectors/{self.name}/topics")[1][self.name]["topics"])

    @property
    def state(self) -> str:
        return str(self.task.get("state"))

    @property
    def trace(self) -> str:
        return str(self.task.get("trace"))

    @property
    def task(self) -> dict[str, Any]:
        """The status of task 0; empty before it has one."""
        code, status = self._running.call("GET", f"/connectors/{self.name}/status")
        tasks = status["tasks"] if code == 200 else []
        return dict(tasks[0]) if tasks else {}

    @property
    def log(self) -> str:
        return self._worker.log

    def restart(self) -> None:
        code, _ = self._running.call("POST", f"/connectors/{self.name}/restart?includeTasks=true")
        assert code == 202

    def wait(self, probe: Callable[[], object], what: str, timeout: float = PATIENCE_S) -> None:
        """Until `probe` answers true. AssertionError with the end of the log after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not probe():
            self._running.check()
            assert time.monotonic() < deadline, (
                f"no {what} within {timeout:g} s: {self.task}, {self.offsets}\n{self._worker.log[-6000:]}"
            )
            time.sleep(0.05)
