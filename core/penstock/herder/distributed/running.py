"""`RunningWork`: the connectors and tasks that run here are started, stopped and moved to other states."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import Final

from penstock.herder.boundary import HerderWorker
from penstock.herder.configs import ConfigReader, ConnectorEntry
from penstock.herder.task_configs import TaskConfigs
from penstock.runtime.status import ConnectorTaskId, TargetState

__all__ = ["RunningWork"]

_log: Final = logging.getLogger(__name__)
#: The number of tasks that are made at the same time: each may wait for brokers and plugins (``START_STOP_THREAD_POOL_SIZE``).
_STARTERS: Final = 8

Done = Callable[[BaseException | None], None]


def _ignore(error: BaseException | None) -> None:
    return None


class RunningWork:
    """Starts, stops and changes what runs here. For the herder's thread, except `cut_off`.

    `connectors` and `tasks` are those that were started here, or failed to.
    """

    def __init__(
        self,
        worker: HerderWorker,
        configs: ConfigReader,
        tasks: TaskConfigs,
        may_start: Callable[[], bool],
        on_start: Callable[[str], None],
    ) -> None:
        """`may_start` is asked before each start; `on_start` is called with each connector that starts here."""
        self._worker, self._configs, self._task_configs = worker, configs, tasks
        self._may_start, self._on_start = may_start, on_start
        self._pool = ThreadPoolExecutor(max_workers=_STARTERS, thread_name_prefix="herder-start")
        self.connectors: set[str] = set()
        #: The tasks with the target state that each has.
        self.tasks: dict[ConnectorTaskId, TargetState] = {}

    def close(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    # Starting

    def start(self, connectors: Iterable[str], tasks: Iterable[ConnectorTaskId]) -> None:
        """Start what does not run yet; what has no configuration is left out."""
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
        if not self._may_start():
            return
        self.connectors.add(name)

        def settled(error: BaseException | None) -> None:
            done(error)
            if error is None:
                self._task_configs.request(name)

        self._worker.start_connector(name, entry.config, entry.target, self._task_configs.request, settled)
        self._on_start(name)

    def _start_tasks(self, wanted: list[tuple[ConnectorTaskId, ConnectorEntry]]) -> None:
        for task, entry in wanted:
            self.tasks[task] = entry.task_target(task.task)
        for _ in self._pool.map(self._start_task, wanted):
            pass

    def _start_task(self, wanted: tuple[ConnectorTaskId, ConnectorEntry]) -> None:
        if self._may_start():
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
        """Stop everything at once: others may be given it.

        From any thread, since the herder's may be waiting for the very cluster that is out of reach. The herder's calls
        `stop_all` after; until then `may_start` must say no.
        """
        self._worker.stop_tasks(self._worker.task_ids())
        for name in self._worker.connector_names():
            self._worker.stop_connector(name)

    # Changing

    def reconfigure_connector(self, name: str) -> None:
        """Start a fresh instance, whose configuration has changed; it is then asked for its tasks."""
        entry = self._configs.get(name)
        if name in self.connectors and entry is not None:
            _log.info("[%s|worker] starts anew with a new configuration", name)
            self.restart_connector(name, entry)

    def restart_connector(self, name: str, entry: ConnectorEntry, done: Done = _ignore) -> None:
        self._worker.stop_connector(name)
        self.start_connector(name, entry, done)

    def restart_all(self, name: str, entry: ConnectorEntry) -> None:
        """Restart what runs here of the connector."""
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
        """Bring the connector and its tasks here to its target state, which has changed."""
        own = self.tasks_of(name)
        if name not in self.connectors and not own:
            return
        self._worker.set_target_state(name, entry.target, lambda error: self._task_configs.request(name))
        for task in own:
            wanted = entry.task_target(task.task)
            if wanted is not entry.target or self.tasks[task] is TargetState.STOPPED:
                # The task has a target state of its own, or had one and has no instance.
                self._replace(task, entry, wanted)
            else:
                self.tasks[task] = wanted

    def apply_task_target(self, task: ConnectorTaskId, entry: ConnectorEntry) -> None:
        wanted = entry.task_target(task.task)
        if task in self.tasks and self.tasks[task] is not wanted:
            self._replace(task, entry, wanted)

    def _replace(self, task: ConnectorTaskId, entry: ConnectorEntry, wanted: TargetState) -> None:
        self.tasks[task] = wanted
        self._task_configs.apply_target(task, entry)
