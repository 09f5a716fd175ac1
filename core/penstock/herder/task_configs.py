"""Keeps the tasks of connectors as the connectors want them: asks for configurations, compares, stops and starts.

Everything here runs in the herder's thread, except the question itself: a connector may take its time to answer it, and
the others must not wait.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Final

from penstock.config.transformer import variables_in
from penstock.herder.boundary import HerderWorker
from penstock.herder.configs import ConfigReader, ConnectorEntry
from penstock.herder.interface import ConnectorState, TaskState
from penstock.herder.statuses import StatusKeeper, trace_of
from penstock.herder.thread import HerderThread
from penstock.logs import log_failure
from penstock.runtime.status import ConnectorTaskId, State, TargetState

__all__ = ["Publish", "TaskConfigs", "with_placeholders"]

_log = logging.getLogger(__name__)

#: Seconds before a connector that could not say its tasks' configurations is asked again, and the most that grows to
#: (KAFKA-14079's backoff).
_FIRST_RETRY: Final = 0.25
_LAST_RETRY: Final = 60.0
_STOPPED: Final = TargetState.STOPPED


#: Takes a connector's name and entry, its new task configurations, and what is told how it went.
Publish = Callable[[str, ConnectorEntry, Sequence[Mapping[str, str]], Callable[[Exception | None], None]], None]


class TaskConfigs:
    """The tasks of all connectors that run here.

    `publish` is called in the herder's thread with tasks that differ from those known. It brings them about, or has it
    done, and calls its last argument, from any thread, with None or why it did not work out: then it is tried again.
    `on_start` is called with the connector of each task that starts.
    """

    def __init__(
        self,
        worker: HerderWorker,
        configs: ConfigReader,
        statuses: StatusKeeper,
        thread: HerderThread,
        publish: Publish,
        on_start: Callable[[str], None],
    ) -> None:
        self._worker, self._configs, self._statuses, self._thread = worker, configs, statuses, thread
        self._publish, self._on_start = publish, on_start
        self._pool = ThreadPoolExecutor(max_workers=8, thread_name_prefix="herder-task-configs")
        # Herder thread only, from here.
        self._asking: set[str] = set()
        self._ask_again: set[str] = set()
        self._retry_delay: dict[str, float] = {}
        self._retrying: set[str] = set()
        #: Connectors whose status says that they could not answer.
        self._shown_failed: set[str] = set()

    def stop(self) -> None:
        self._pool.shutdown(wait=False, cancel_futures=True)

    def request(self, name: str) -> None:
        """Bring the connector's tasks up to date, soon. From any thread; asking often costs little."""
        self._thread.submit(lambda: self._update(name))

    def start(self, task: ConnectorTaskId, entry: ConnectorEntry) -> None:
        """Start one task, in the target state it has. Herder thread."""
        target = entry.task_target(task.task)
        if target is _STOPPED:
            last = self._statuses.task(task)
            version = last.version if last else None
            self._statuses.put_task(TaskState(task, State.STOPPED, self._worker.worker_id, None, version))
        else:
            self._worker.start_task(task, entry.config, entry.tasks[task.task], target, entry.generation)
            self._on_start(task.connector)

    def apply_target(self, task: ConnectorTaskId, entry: ConnectorEntry) -> None:
        """Bring the task to its target state, which has changed, with a fresh instance. Herder thread.

        A failed task stays as it is, and shows why, until somebody restarts or stops it.
        """
        status = self._statuses.task(task)
        if status is not None and status.state is State.FAILED and entry.task_target(task.task) is not _STOPPED:
            return
        self._worker.stop_tasks([task])
        self.start(task, entry)

    def _update(self, name: str) -> None:
        entry = self._configs.get(name)
        if entry is None:
            self._retry_delay.pop(name, None)
            return
        if entry.target is not TargetState.STARTED or not self._worker.connector_running(name):
            return
        if name in self._asking:
            self._ask_again.add(name)
            return
        self._asking.add(name)
        self._pool.submit(self._ask, name, entry.revision)

    def _ask(self, name: str, revision: int) -> None:
        tasks: list[dict[str, str]] = []
        failure: Exception | None = None
        try:
            tasks = self._worker.connector_task_configs(name)
        except Exception as error:
            failure = error
        self._thread.submit(lambda: self._answered(name, revision, tasks, failure))

    def _answered(self, name: str, revision: int, tasks: list[dict[str, str]], failure: Exception | None) -> None:
        entry = self._configs.get(name)
        if name in self._ask_again or (entry is not None and entry.revision != revision):
            self._end(name)
            self._update(name)
        elif entry is None or entry.target is not TargetState.STARTED:
            self._retry_delay.pop(name, None)
            self._end(name)
        elif failure is not None:
            self._failed(name, failure)
            self._end(name)
        else:
            self._succeeded(name, entry, [with_placeholders(entry.config, t) for t in tasks])

    def _end(self, name: str) -> None:
        self._asking.discard(name)
        self._ask_again.discard(name)

    def _failed(self, name: str, failure: Exception) -> None:
        """Leave the tasks as they are, and show in the connector's status why they may not be what it wants."""
        log_failure(
            _log, failure, "[%s|worker] Unable to generate task configurations; trying again soon: %s", name, failure
        )
        last = self._statuses.connector(name)
        version = last.version if last else None
        self._shown_failed.add(name)
        self._statuses.put_connector(
            name, ConnectorState(State.FAILED, self._worker.worker_id, trace_of(failure), version)
        )
        self._again_later(name)

    def _again_later(self, name: str) -> None:
        if name not in self._retrying:
            delay = self._retry_delay.get(name, _FIRST_RETRY)
            self._retrying.add(name)
            self._retry_delay[name] = min(delay * 2, _LAST_RETRY)
            self._thread.submit(lambda: self._retry(name), delay)

    def _retry(self, name: str) -> None:
        self._retrying.discard(name)
        self._update(name)

    def _succeeded(self, name: str, entry: ConnectorEntry, tasks: Sequence[Mapping[str, str]]) -> None:
        if name in self._shown_failed and (last := self._statuses.connector(name)) is not None:
            self._statuses.put_connector(name, replace(last, state=State.RUNNING, trace=None))
        self._shown_failed.discard(name)
        _log.debug("[%s|worker] answered with task configurations: %d", name, len(tasks))
        # The connector's own configuration counts: converters and transforms stand in it, not in the tasks' (KAFKA-9228).
        if list(entry.tasks) == list(tasks) and entry.applied_config == entry.config:
            self._published(name, None)
            return
        _log.info("[%s|worker] has new task configurations: %d, before %d", name, len(tasks), len(entry.tasks))
        self._publish(name, entry, tasks, lambda error: self._thread.submit(lambda: self._published(name, error)))

    def _published(self, name: str, error: Exception | None) -> None:
        again = name in self._ask_again
        self._end(name)
        if error is None:
            self._retry_delay.pop(name, None)
            if again:
                self._update(name)
        else:
            _log.warning("[%s|worker] Unable to hand over task configurations; trying again soon: %s", name, error)
            self._again_later(name)


def with_placeholders(connector_config: Mapping[str, str], task_config: Mapping[str, str]) -> dict[str, str]:
    """Return a task's configuration with the placeholders that the connector's own had, so that no looked-up secret is
    kept or shown (``AbstractHerder.reverseTransform``)."""
    raw = {key: value for key, value in connector_config.items() if any(variables_in(value))}
    return {key: raw.get(key, value) for key, value in task_config.items()}
