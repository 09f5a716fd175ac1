"""A standalone worker in the test's own process against a real broker: its counters can be read."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from pathlib import Path

from lab.patience import PATIENCE_S
from lab.worker_process import free_port
from penstock.cli.services import config_transformer
from penstock.cli.wiring import StandaloneProcess
from penstock.config.worker import WorkerConfig
from penstock.plugins import Plugins
from penstock.runtime.meters import Total
from penstock.runtime.sink import WorkerSinkTask
from penstock.runtime.source.task import WorkerSourceTask
from penstock.runtime.status import TargetState
from penstock.storage.offsets import FileOffsetStore

__all__ = ["InProcessWorker"]


class InProcessWorker:
    """A context manager: the worker runs inside. `extra` are more of its settings."""

    def __init__(self, folder: Path, bootstrap: str, extra: Mapping[str, str] | None = None) -> None:
        self.url = f"http://127.0.0.1:{free_port()}"
        props = {
            "bootstrap.servers": bootstrap,
            "listeners": self.url,
            "offset.storage.file.filename": str(folder / "offsets"),
            "offset.flush.interval.ms": "300",
            "key.converter": "string",
            "value.converter": "string",
            "consumer.session.timeout.ms": "1000",
            "consumer.heartbeat.interval.ms": "300",
            **(extra or {}),
        }
        plugins = Plugins.discover()
        config = WorkerConfig.parse(props, "standalone", props)
        store = FileOffsetStore(folder / "offsets")
        self._process = StandaloneProcess(config, plugins, config_transformer(props, plugins), store)

    def __enter__(self) -> InProcessWorker:
        self._process.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._process.stop()

    @property
    def registry_url(self) -> str:
        """Return the address of the embedded registry."""
        assert self._process.registry is not None
        return self._process.registry.urls[0]

    def put(self, name: str, config: Mapping[str, str]) -> None:
        """Create the connector, or change its configuration."""
        self._process.herder.put_connector_config(name, {"name": name, **config}, TargetState.STARTED)

    def delete(self, name: str) -> None:
        self._process.herder.delete_connector(name)

    def totals(self, name: str) -> dict[Total, int]:
        """Return all counts of the connector's task since it started; a failed task keeps them."""
        (task,) = [task for task in self._process.worker.tasks() if task.id.connector == name]
        assert isinstance(task, WorkerSinkTask | WorkerSourceTask)
        return task.meter.totals()

    def state(self, name: str) -> str:
        """The state of task 0; empty before it has one."""
        tasks = self._process.herder.connector_status(name).tasks
        return tasks[0].state.value if tasks else ""

    def trace(self, name: str) -> str:
        """The trace of task 0."""
        return self._process.herder.connector_status(name).tasks[0].trace or ""

    def wait(self, probe: Callable[[], object], what: str, timeout: float = PATIENCE_S) -> None:
        """Until `probe` answers true. AssertionError after `timeout` seconds."""
        deadline = time.monotonic() + timeout
        while not probe():
            assert time.monotonic() < deadline, f"no {what} within {timeout:g} s"
            time.sleep(0.05)
