"""`ConfigChanges`: changes of the config topic, and of what runs here, become work started, stopped and restarted."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from penstock.herder.boundary import HerderWorker
from penstock.herder.configs import ConfigReader, ConnectorEntry
from penstock.herder.distributed.rounds import Rounds
from penstock.herder.distributed.running import RunningWork
from penstock.herder.failures import FailedTasks
from penstock.herder.loggers import LEVELS, Loggers
from penstock.herder.restart import RestartRequest
from penstock.herder.statuses import StatusKeeper
from penstock.runtime.status import ConnectorTaskId, State

__all__ = ["ConfigChanges"]


class ConfigChanges:
    """A `penstock.herder.distributed.news.NewsTaker`. For the herder's thread."""

    def __init__(
        self,
        worker: HerderWorker,
        configs: ConfigReader,
        statuses: StatusKeeper,
        rounds: Rounds,
        work: RunningWork,
        failed: FailedTasks,
        loggers: Loggers,
    ) -> None:
        self._worker, self._configs, self._statuses = worker, configs, statuses
        self._rounds, self._work, self._failed, self._loggers = rounds, work, failed, loggers

    # From the topic

    def connector_updated(self, name: str) -> None:
        self._failed.forget(name)
        self._rounds.connector_updated(name)

    def connector_removed(self, name: str) -> None:
        self._failed.forget(name)
        self._rounds.connector_removed(name)

    def tasks_updated(self, tasks: Sequence[ConnectorTaskId]) -> None:
        self._rounds.tasks_updated(tasks)

    def target_changed(self, name: str) -> None:
        if (entry := self._configs.get(name)) is not None:
            self._work.apply_target(name, entry)

    def task_target_changed(self, task: ConnectorTaskId) -> None:
        entry = self._configs.get(task.connector)
        if entry is not None and task.task < len(entry.tasks):
            self._work.apply_task_target(task, entry)

    def restart_requested(self, request: RestartRequest) -> None:
        """Restart what runs here of the connector; every worker hears of the request."""
        name = request.connector
        entry, last = self._configs.get(name), self._statuses.connector(name)
        if entry is None or last is None:
            return
        plan = request.plan(last.state, {t.id: t.state for t in self._statuses.tasks(name)})
        self._failed.forget(name)
        tasks = [task for task in plan.tasks if task in self._work.tasks]
        self._work.stop_tasks(tasks)
        for task in tasks:
            if (status := self._statuses.task(task)) is not None:
                own = replace(status, state=State.RESTARTING, worker_id=self._worker.worker_id, trace=None)
                self._statuses.put_task(own)
        if plan.connector and name in self._work.connectors:
            self._worker.stop_connector(name)
            self._statuses.put_connector(name, replace(last, state=State.RESTARTING, trace=None))
            self._work.start_connector(name, entry)
        self._work.start((), tasks)

    def level_changed(self, namespace: str, level: str) -> None:
        if level in LEVELS:
            self._loggers.set_level(namespace, level)

    # ---- news of running connectors and tasks

    def restart_failed(self, task: ConnectorTaskId) -> None:
        """Restart the task if it has failed still."""
        status = self._statuses.task(task)
        if status is not None and status.state is State.FAILED:
            self._work.restart_tasks([task])

    def reload(self, name: str, entry: ConnectorEntry) -> None:
        """Start anew what runs here of the connector: values that were looked up have run out."""
        self._work.restart_all(name, entry)
