"""`StandaloneHerder`: one worker, configurations and statuses in memory (``StandaloneHerder``).

All changes run in the herder's thread, one after the other. What may take its time in a connector (starting it, asking
it for task configurations) happens in other threads and comes back as a request of its own; `ConnectorEntry.revision`
tells an answer that is still wanted from one that was overtaken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Final, Generic, TypeVar

import penstock
from penstock.errors import AlreadyExistsError
from penstock.herder.base import REQUEST_TIMEOUT, AbstractHerder, HerderParts, finish, guard, restarting
from penstock.herder.boundary import WholeWorker
from penstock.herder.configs import ConnectorEntry, MemoryConfigStore
from penstock.herder.failures import FailedTasks, restart_policies
from penstock.herder.interface import ConnectorInfo, ConnectorStateInfo, OffsetEntry
from penstock.herder.loggers import Loggers
from penstock.herder.offsets import OffsetChanges
from penstock.herder.recorder import Recorder
from penstock.herder.reloads import Reloads
from penstock.herder.restart import RestartRequest
from penstock.herder.statuses import MemoryStatusStore
from penstock.herder.task_configs import TaskConfigs
from penstock.herder.thread import HerderThread, Mailbox
from penstock.herder.validation import ConnectorValidator
from penstock.plugins import Plugins
from penstock.runtime.status import ConnectorTaskId, State, TargetState

__all__ = ["Standalone", "StandaloneHerder", "compose_standalone"]

_W = TypeVar("_W", bound=WholeWorker)
_STOPPED: Final = TargetState.STOPPED


@dataclass(frozen=True, slots=True)
class Standalone(Generic[_W]):
    """A standalone herder with the parts that others talk to."""

    herder: StandaloneHerder
    worker: _W
    recorder: Recorder
    configs: MemoryConfigStore


def compose_standalone(
    plugins: Plugins,
    worker_id: str,
    make_worker: Callable[[Recorder], _W],
    make_validator: Callable[[_W], ConnectorValidator],
    *,
    request_timeout: float = REQUEST_TIMEOUT,
    defaults: Mapping[str, Any] | None = None,
) -> Standalone[_W]:
    """Put a standalone herder together. The worker gets its listener, the validator the worker.

    `defaults` are the worker's own settings, where a connector's fall back to them (``errors.restart.*``).
    """
    thread = HerderThread("herder-standalone")
    mailbox: Mailbox[StandaloneHerder] = Mailbox(thread)
    configs, statuses = MemoryConfigStore(), MemoryStatusStore()
    failed = FailedTasks(
        thread, restart_policies(configs, defaults), lambda task: mailbox.post(lambda h: h.restart_failed(task))
    )
    recorder = Recorder(configs, statuses, worker_id, plugins, failed.failed)
    worker = make_worker(recorder)
    reloads = Reloads(worker, configs, thread, lambda name, entry: mailbox.post(lambda h: h.reload(name, entry)))
    tasks = TaskConfigs(
        worker,
        configs,
        statuses,
        thread,
        lambda name, entry, new, done: mailbox.post(lambda h: h.publish(name, entry, new, done)),
        reloads.watch,
    )
    validator = make_validator(worker)
    offsets = OffsetChanges(worker.offsets, plugins, validator.resolve)
    parts = HerderParts(worker, configs, statuses, validator, offsets, thread, failed, Loggers(), request_timeout)
    herder = StandaloneHerder(parts, configs, statuses, tasks, reloads)
    mailbox.deliver_to(herder)
    return Standalone(herder, worker, recorder, configs)


class StandaloneHerder(AbstractHerder):
    """Keeps the connectors of one worker that stands by itself. `compose_standalone` makes it."""

    def __init__(
        self,
        parts: HerderParts,
        configs: MemoryConfigStore,
        statuses: MemoryStatusStore,
        tasks: TaskConfigs,
        reloads: Reloads,
    ) -> None:
        """`configs` and `statuses` are those of `parts`, to write to."""
        super().__init__(parts)
        self._configs, self._statuses, self._tasks, self._reloads = configs, statuses, tasks, reloads

    # Life and this worker

    def start(self) -> None:
        self._worker.start()
        self._thread.start()
        self._thread.submit(self._ready.set)

    def stop(self) -> None:
        self._thread.stop(timeout=self._timeout)
        self._tasks.stop()
        running = [task for name in self._configs.names() for task in self._entry(name).task_ids(name)]
        self._worker.stop_tasks(running)
        for name in self._configs.names():
            self._worker.stop_connector(name)
        self._worker.stop()

    def cluster(self) -> Mapping[str, Any]:
        entries = [e for e in map(self._configs.get, self._configs.names()) if e is not None]
        return {
            "mode": "standalone",
            "penstock_version": penstock.__version__,
            "kafka_version": penstock.KAFKA_VERSION,
            "kafka_cluster_id": self.kafka_cluster_id(),
            "worker_id": self._worker.worker_id,
            "connector_count": len(entries),
            "task_count": sum(len(e.tasks) for e in entries),
        }

    # Creating, changing, deleting

    def put_connector_config(
        self,
        name: str,
        config: Mapping[str, str | None],
        target_state: TargetState | None = None,
        allow_replace: bool = True,
    ) -> tuple[bool, ConnectorInfo]:
        valid = self._validator.check(config)
        started: Future[tuple[bool, ConnectorInfo]] = Future()
        self._thread.submit(
            lambda: guard(started, lambda: self._put_config(name, valid, target_state, allow_replace, started))
        )
        return self._thread.wait(started, self._timeout, f"starting connector {name}")

    def _put_config(
        self,
        name: str,
        config: Mapping[str, str],
        target: TargetState | None,
        allow_replace: bool,
        started: Future[tuple[bool, ConnectorInfo]],
    ) -> None:
        created = self._configs.get(name) is None
        if not created:
            if not allow_replace:
                raise AlreadyExistsError(f"Connector {name} already exists")
            self._worker.stop_connector(name)
        entry = self._configs.put_config(name, config, target)
        self._failed.forget(name)
        # Taken now: a new connector has no tasks yet in the answer, as on a distributed worker.
        answer = (created, self._info(name, entry))
        self._start_connector(name, entry, lambda error: finish(started, answer, error))

    def delete_connector(self, name: str) -> None:
        self._call(f"deleting connector {name}", lambda: self._delete(name))

    def _delete(self, name: str) -> None:
        entry = self._entry(name)
        self._worker.stop_tasks(entry.task_ids(name))
        self._worker.stop_connector(name)
        self._configs.remove(name)
        self._failed.forget(name)
        self._statuses.forget_connector(name)

    def publish(
        self,
        name: str,
        entry: ConnectorEntry,
        tasks: Sequence[Mapping[str, str]],
        done: Callable[[Exception | None], None],
    ) -> None:
        """Bring about the task configurations that a connector has answered with. Herder thread."""
        current = self._configs.get(name)
        if current is None or current.revision != entry.revision:
            done(None)  # changed or deleted meanwhile, and asked again
            return
        self._worker.stop_tasks(current.task_ids(name))
        self._statuses.forget_tasks(name)
        entry = self._configs.put_tasks(name, tasks)
        for task in entry.task_ids(name):
            self._tasks.start(task, entry)
        done(None)

    def _start_connector(
        self, name: str, entry: ConnectorEntry, done: Callable[[BaseException | None], None] = lambda error: None
    ) -> None:
        def settled(error: BaseException | None) -> None:
            done(error)
            if error is None:
                self._tasks.request(name)

        self._worker.start_connector(name, entry.config, entry.target, self._tasks.request, settled)
        self._reloads.watch(name)

    def reload(self, name: str, entry: ConnectorEntry) -> None:
        """Start the connector anew with its tasks: values that were looked up have run out. Herder thread."""
        if entry.target is _STOPPED:
            return
        self._worker.stop_connector(name)
        self._start_connector(name, entry)
        self._worker.stop_tasks(entry.task_ids(name))
        for task in entry.task_ids(name):
            self._tasks.start(task, entry)

    # Target states

    def _set_target(self, name: str, target: TargetState) -> None:
        self._call(f"setting connector {name} to {target.value}", lambda: self._change_target(name, target))

    def _change_target(self, name: str, target: TargetState) -> None:
        entry = self._entry(name, "Unknown connector {}")
        if target is _STOPPED:
            self._worker.stop_tasks(entry.task_ids(name))
            self._statuses.forget_tasks(name)
            entry = self._configs.remove_tasks(name)
        entry = self._configs.put_target(name, target)
        self._worker.set_target_state(name, target, lambda error: self._tasks.request(name))
        for task in entry.task_targets:  # tasks held by a target state of their own
            self._tasks.apply_target(ConnectorTaskId(name, task), entry)

    def put_task_target_state(self, task: ConnectorTaskId, state: TargetState) -> None:
        self._call(f"setting task {task} to {state.value}", lambda: self._change_task_target(task, state))

    def _change_task_target(self, task: ConnectorTaskId, state: TargetState) -> None:
        self._known_task(task)
        before = self._entry(task.connector).task_target(task.task)
        entry = self._configs.put_task_target(task, state)
        if entry.task_target(task.task) is not before:
            self._tasks.apply_target(task, entry)

    # Restarting

    def restart_connector(self, name: str) -> None:
        restarted: Future[None] = Future()
        self._thread.submit(lambda: guard(restarted, lambda: self._restart_connector(name, restarted)))
        self._thread.wait(restarted, self._timeout, f"restarting connector {name}")

    def _restart_connector(self, name: str, restarted: Future[None]) -> None:
        entry = self._entry(name, "Unknown connector: {}")
        self._worker.stop_connector(name)
        self._start_connector(name, entry, lambda error: finish(restarted, None, error))

    def restart_connector_and_tasks(self, request: RestartRequest) -> ConnectorStateInfo:
        return self._call(f"restarting connector {request.connector}", lambda: self._restart(request))

    def _restart(self, request: RestartRequest) -> ConnectorStateInfo:
        name = request.connector
        entry = self._entry(name, "Unknown connector: {}")
        now = self.connector_status(name)
        plan = request.plan(now.connector.state, {t.id: t.state for t in now.tasks})
        if plan.tasks:
            self._worker.stop_tasks(plan.tasks)
            for task in plan.tasks:
                self._statuses.set_task_state(task, State.RESTARTING)
        if plan.connector:
            self._worker.stop_connector(name)
            self._statuses.put_connector(name, replace(now.connector, state=State.RESTARTING, trace=None))
            self._start_connector(name, entry)
        answer = restarting(now, plan)
        for task in plan.tasks:
            self._tasks.start(task, entry)
        return answer

    def restart_task(self, task: ConnectorTaskId) -> None:
        self._call(f"restarting task {task}", lambda: self._restart_task(task))

    def _restart_task(self, task: ConnectorTaskId) -> None:
        entry = self._known_task(task)
        self._failed.forget(task.connector)
        self._worker.stop_tasks([task])
        self._tasks.start(task, entry)

    def restart_failed(self, task: ConnectorTaskId) -> None:
        """Restart the task if it has failed still. Herder thread."""
        entry, status = self._configs.get(task.connector), self._statuses.task(task)
        if status is None or status.state is not State.FAILED:
            return
        if entry is not None and task.task < len(entry.tasks):
            self._worker.stop_tasks([task])
            self._tasks.start(task, entry)

    # Topics and offsets

    def reset_connector_topics(self, name: str) -> None:
        self._statuses.reset_topics(name)
        self._worker.forget_topics(name)

    def alter_connector_offsets(self, name: str, offsets: Sequence[OffsetEntry]) -> str:
        entry = self._call(f"altering offsets of connector {name}", lambda: self._entry(name))
        return self._offsets.alter(name, entry, offsets)

    def reset_connector_offsets(self, name: str) -> str:
        entry = self._call(f"resetting offsets of connector {name}", lambda: self._entry(name))
        return self._offsets.reset(name, entry)

    def set_cluster_logger_level(self, name: str, level: str) -> None:
        self._loggers.set_level(name, level)
