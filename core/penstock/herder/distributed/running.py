"""What of this worker's work runs: connectors and tasks started, stopped, moved to other states."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from penstock.herder.boundary import HerderWorker
from penstock.herder.configs import ConfigReader, ConnectorEntry
from penstock.herder.task_configs import TaskConfigs
from penstock.runtime.status import ConnectorTaskId, TargetState

__all__ = ["RunningWork"]

_log: Final = logging.getLogger(__name__)
#: How many tasks are made at the same time: each may wait for brokers and plugins (``START_STOP_THREAD_POOL_SIZE``).
_STARTERS: Final = 8

Done = Callable[[BaseException | None], None]


def _ignore(error: BaseException | None) -> None:
    return None


class RunningWork:
    """For the herder's thread, but for `cut_off`. `connectors` and `tasks` are those that were started here, or failed to."""

    def __init__(self, worker: HerderWorker, configs: ConfigReader, tasks: TaskConfigs) -> None:
        self._worker, self._configs, self._task_configs = worker, configs, tasks
        self._pool = ThreadPoolExecutor(max_workers=_STARTERS, thread_name_prefix="herder-start")
        self._lock = threading.Lock()
        self._cut_off = False
        #: Called with each connector that starts here.
        self.on_start: Callable[[str], None] = lambda name: None
        self.connectors: set[str] = set()
        #: With the target state that each has.
        self.tasks: dict[ConnectorTaskId, TargetState] = {}

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    # Starting

    def start(self, connectors: Iterable[str], tasks: Iterable[ConnectorTaskId]) -> None:
        """Whatever of these does not run yet; those without a configuration are left out."""
        for name in connectors:
            if name not in self.connectors and (entry := self._configs.get(name)) is not None:
                self.start_connector(name, entry)
        wanted = []
        for task in tasks:
            entry = self._configs.get(task.connector)
            if task not in self.tasks and entry is not None and task.task < len(entry.tasks):
                wanted.append((task, entry))
        self._start_tasks(wanted)

    def start_connector(self, name: str, entry: ConnectorEntry, done: Done = _ignore) -> None:
        if self._is_cut_off():
            return
        self.connectors.add(name)

        def settled(error: BaseException | None) -> None:
            done(error)
            if error is None:
                self._task_configs.request(name)

        self._worker.start_connector(name, entry.config, entry.target, self._task_configs.request, settled)
        self.on_start(name)

    def _start_tasks(self, wanted: list[tuple[ConnectorTaskId, ConnectorEntry]]) -> None:
        for task, entry in wanted:
            self.tasks[task] = entry.task_target(task.task)
        for _ in self._pool.map(self._start_task, wanted):
            pass

    def _start_task(self, wanted: tuple[ConnectorTaskId, ConnectorEntry]) -> None:
        if not self._is_cut_off():
            self._task_configs.start(*wanted)

    # Stopping

    def stop_all(self) -> None:
        self.revoke(set(self.connectors), set(self.tasks))

    def revoke(self, connectors: Iterable[str], tasks: Iterable[ConnectorTaskId]) -> None:
        """Stop these, tasks first: their connector may look after something they need."""
        self.stop_tasks(tasks)
        for name in [name for name in connectors if name in self.connectors]:
            self._worker.stop_connector(name)
            self.connectors.discard(name)

    def stop_tasks(self, tasks: Iterable[ConnectorTaskId]) -> None:
        running = [task for task in tasks if task in self.tasks]
        if running:
            self._worker.stop_tasks(running)
        for task in running:
            del self.tasks[task]

    def tasks_of(self, connector: str) -> list[ConnectorTaskId]:
        return sorted(task for task in self.tasks if task.connector == connector)

    def cut_off(self) -> None:
        """Stop everything at once and start nothing until `reconnected`: others may be given it. From any thread, since
        the herder's may be waiting for the very cluster that is out of reach; it calls `stop_all` after."""
        with self._lock:
            self._cut_off = True
        self._worker.stop_tasks(self._worker.task_ids())
        for name in self._worker.connector_names():
            self._worker.stop_connector(name)

    def reconnected(self) -> None:
        with self._lock:
            self._cut_off = False

    def _is_cut_off(self) -> bool:
        with self._lock:
            return self._cut_off

    # Changing

    def reconfigure_connector(self, name: str) -> None:
        """Its configuration changed: a fresh instance, which is then asked for its tasks."""
        entry = self._configs.get(name)
        if name in self.connectors and entry is not None:
            _log.info("[%s] starts anew with a new configuration", name)
            self.restart_connector(name, entry)

    def restart_connector(self, name: str, entry: ConnectorEntry, done: Done = _ignore) -> None:
        self._worker.stop_connector(name)
        self.start_connector(name, entry, done)

    def restart_all(self, name: str, entry: ConnectorEntry) -> None:
        """What runs here of the connector."""
        if entry.target is TargetState.STOPPED:
            return
        if name in self.connectors:
            self.restart_connector(name, entry)
        self.restart_tasks(self.tasks_of(name))

    def restart_tasks(self, tasks: Iterable[ConnectorTaskId]) -> None:
        wanted = [task for task in tasks if task in self.tasks]
        self.stop_tasks(wanted)
        self.start((), wanted)

    def apply_target(self, name: str, entry: ConnectorEntry) -> None:
        """The connector's target state changed."""
        own = self.tasks_of(name)
        if name not in self.connectors and not own:
            return
        self._worker.set_target_state(name, entry.target)
        for task in own:
            wanted = entry.task_target(task.task)
            if wanted is not entry.target or self.tasks[task] is TargetState.STOPPED:
                # It is held by a state of its own, or was and has no instance.
                self._replace(task, entry, wanted)
            else:
                self.tasks[task] = wanted
        if entry.target is TargetState.STARTED and name in self.connectors:
            self._task_configs.request(name)

    def apply_task_target(self, task: ConnectorTaskId, entry: ConnectorEntry) -> None:
        wanted = entry.task_target(task.task)
        if task in self.tasks and self.tasks[task] is not wanted:
            self._replace(task, entry, wanted)

    def _replace(self, task: ConnectorTaskId, entry: ConnectorEntry, wanted: TargetState) -> None:
        self.tasks[task] = wanted
        self._task_configs.apply_target(task, entry)
