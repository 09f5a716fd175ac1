"""`DistributedHerder`: one worker of a group (``DistributedHerder``).

The group's leader alone writes configurations; every worker reads them, and runs what the group gave it. Requests that
only the leader, or whoever runs a connector, can answer raise `RequestTargetError` with that worker's address: REST sends
them on. While the group is rebalancing such a request waits, for a bounded time.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Final, TypeVar

import penstock
from penstock.config.worker import WorkerConfig
from penstock.errors import AlreadyExistsError, BadRequestError, ConflictError, ConnectError
from penstock.herder.base import REQUEST_TIMEOUT, AbstractHerder, finish, guard, patched, restarting
from penstock.herder.boundary import ConnectorOffsets, HerderWorker
from penstock.herder.configs import ConnectorEntry
from penstock.herder.distributed.cluster import describe_group
from penstock.herder.distributed.leading import Leader
from penstock.herder.distributed.membership import Membership
from penstock.herder.distributed.news import ConfigNews
from penstock.herder.distributed.requests import WorkerRequests
from penstock.herder.distributed.rounds import Rounds
from penstock.herder.distributed.running import RunningWork
from penstock.herder.distributed.views import ConfigView, StatusView
from penstock.herder.forwarding import WorkerClient
from penstock.herder.interface import (
    ConnectorInfo,
    ConnectorStateInfo,
    InternalHerder,
    OffsetEntry,
    RequestSignature,
    RequestTargetError,
    TaskState,
)
from penstock.herder.loggers import LEVELS
from penstock.herder.recorder import Recorder
from penstock.herder.reloads import Reloads
from penstock.herder.restart import RestartRequest
from penstock.herder.task_configs import TaskConfigs
from penstock.herder.thread import HerderThread
from penstock.herder.validation import ConnectorValidator
from penstock.runtime.status import ConnectorTaskId, State, TargetState
from penstock.storage.config_store import ConfigStore
from penstock.storage.status_store import StatusStore

__all__ = ["DistributedHerder"]

_log: Final = logging.getLogger(__name__)
_T = TypeVar("_T")
_REBALANCE: Final = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)"
#: Seconds a request waits for a rebalance to end, and between looks.
_PATIENCE: Final = 30.0
_LOOK: Final = 0.05
#: Seconds between looks at what time changes: the age of the session key, topics that were reset elsewhere.
_TICK: Final = 1.0
_REFRESH: Final = 30.0


class _Rebalancing(Exception):
    """The group has not settled: who leads and who runs what may be about to change."""


class DistributedHerder(AbstractHerder, InternalHerder):
    """`recorder` must be the listener that `worker` was made with, over `configs` and `statuses`; `news` the one of
    `store`."""

    def __init__(
        self,
        config: WorkerConfig,
        worker: HerderWorker,
        store: ConfigStore,
        status_store: StatusStore,
        configs: ConfigView,
        statuses: StatusView,
        membership: Membership,
        leader: Leader,
        recorder: Recorder,
        news: ConfigNews,
        validator: ConnectorValidator,
        offsets: ConnectorOffsets,
        client: WorkerClient,
        *,
        request_timeout: float = REQUEST_TIMEOUT,
        patience: float = _PATIENCE,
    ) -> None:
        thread = HerderThread("herder-distributed")
        super().__init__(worker, configs, statuses, validator, offsets, thread, request_timeout, config.values)
        self._config, self._store, self._status_store = config, store, status_store
        self._view, self._statuses, self._membership, self._leader = configs, statuses, membership, leader
        self._patience = patience
        self._tasks = TaskConfigs(worker, configs, statuses, thread, self._publish)
        self._work = RunningWork(worker, configs, self._tasks)
        self._reloads = Reloads(worker, configs, thread, self._work.restart_all)
        self._tasks.on_start = self._work.on_start = self._reloads.watch
        self._rounds = Rounds(config, store, configs, statuses, membership, leader, self._work, thread)
        self._requests = WorkerRequests(config, store, membership, client)
        self._known_topics: dict[str, set[str]] = {}
        self._up, self._ended = threading.Event(), threading.Event()
        #: Why the worker could not start.
        self.failure: ConnectError | None = None
        recorder.worker = worker
        recorder.on_running = self._tasks.request
        recorder.on_failed = self._failed.failed
        membership.listener = self._rounds
        news.taker = self

    # Life

    def start(self) -> None:
        """The worker joins its group in the background: it may take a while to find the brokers."""
        self._thread.start()
        self._thread.submit(self._start)

    def _start(self) -> None:
        _log.info("Reading the group's topics at %s", ", ".join(self._config["bootstrap.servers"]))
        try:
            self._worker.start()
            self._status_store.start()
            self._store.start()
        except ConnectError as error:
            _log.critical("The worker cannot start: %s", error)
            self.failure = error
            self._ended.set()
            return
        self._rounds.begin()
        self._membership.start()
        self._ready = True
        self._up.set()
        self._thread.submit(self._tick, _TICK)

    def stop(self) -> None:
        self._ended.set()
        # Before it is ready, the thread may be waiting for a broker, for minutes.
        self._thread.stop(timeout=self._timeout if self._ready else 1.0)
        self._tasks.stop()
        self._work.close()
        self._requests.close()
        # Work first, then the group: whoever gets it must not find it running.
        self._work.stop_all()
        self._membership.stop()
        self._worker.stop()
        self._store.stop()
        self._status_store.stop()

    def revision(self) -> Hashable | None:
        return super().revision() if self._up.is_set() else None

    # Reading: nothing is known before the topics were read once

    def connectors(self) -> list[str]:
        self._await_up()
        return super().connectors()

    def connector_status(self, name: str) -> ConnectorStateInfo:
        self._await_up()
        return super().connector_status(name)

    def task_status(self, task: ConnectorTaskId) -> TaskState:
        self._await_up()
        return super().task_status(task)

    def connector_topics(self, name: str) -> list[str]:
        self._await_up()
        return super().connector_topics(name)

    def _entry(self, name: str, message: str = "Connector {} not found") -> ConnectorEntry:
        self._await_up()
        return super()._entry(name, message)

    def _await_up(self) -> None:
        if not self._up.wait(self._patience):
            raise ConnectError(
                "Request timed out. The worker is currently starting up: it waits for its topics in Kafka"
            )

    def cluster(self) -> Mapping[str, Any]:
        view = self._membership.view()
        group: Mapping[str, Any] = describe_group(view, self._leader, self._rounds.settled)
        if not view.is_leader and view.leader_url:
            group = self._requests.leaders_description(view.leader_url) or group
        return {
            "mode": "distributed",
            "penstock_version": penstock.__version__,
            "kafka_version": penstock.KAFKA_VERSION,
            "kafka_cluster_id": self.kafka_cluster_id(),
            "worker_id": self._worker.worker_id,
            "leader": view.is_leader,
            "connector_count": len(self._work.connectors),
            "task_count": len(self._work.tasks),
            "config_offset": self._store.snapshot().offset,
            "group_id": self._config["group.id"],
            "group": group,
        }

    def _tick(self) -> None:
        try:
            if self._rounds.settled:
                self._requests.rotate_key()
                self._statuses.repair(self._work.connectors, self._work.tasks)
            self._notice_topic_resets()
        except ConnectError as error:
            _log.warning("%s; trying again", error)
        self._thread.submit(self._tick, _TICK)

    def _notice_topic_resets(self) -> None:
        """Tasks tell of a topic once: they must again where any worker was asked to forget it."""
        for name in {task.connector for task in self._work.tasks}:
            before, now = self._known_topics.get(name, set()), set(self._statuses.topics(name))
            if before - now:
                self._worker.forget_topics(name)
            self._known_topics[name] = now

    # Asking the right worker

    def _settled(self, what: str, action: Callable[[], _T]) -> _T:
        """Run `action` in the herder's thread once the group has settled. Raises `ConflictError` if it does not."""
        deadline = time.monotonic() + self._patience

        def attempt() -> _T:
            if not self._rounds.settled:
                raise _Rebalancing
            return action()

        while True:
            try:
                return self._call(what, attempt)
            except _Rebalancing:
                if time.monotonic() >= deadline or self._ended.wait(_LOOK):
                    raise ConflictError(_REBALANCE, retry_after=5) from None

    def _as_leader(self, what: str, action: Callable[[], _T]) -> _T:
        def attempt() -> _T:
            view = self._membership.view()
            if not view.is_leader:
                raise RequestTargetError(f"Only the leader can do this: {what}", view.leader_url)
            return action()

        return self._settled(what, attempt)

    def _elsewhere(self, name: str, task: ConnectorTaskId | None = None) -> RequestTargetError:
        """The leader knows who runs it; others know the leader."""
        view = self._membership.view()
        url = view.owner_url(name, task) if view.is_leader else view.leader_url
        return RequestTargetError(f"{task or name} is not assigned to this worker", url)

    # Creating, changing, deleting

    def put_connector_config(
        self,
        name: str,
        config: Mapping[str, str | None],
        target_state: TargetState | None = None,
        allow_replace: bool = True,
    ) -> tuple[bool, ConnectorInfo]:
        valid = self._validator.check(config)

        def put() -> tuple[bool, ConnectorInfo]:
            created = self._known.get(name) is None
            if not created and not allow_replace:
                raise AlreadyExistsError(f"Connector {name} already exists")
            self._store.put_connector_config(name, valid, target_state)
            return created, self.connector_info(name)

        return self._as_leader(f"writing the configuration of connector {name}", put)

    def patch_connector_config(self, name: str, patch: Mapping[str, str | None]) -> ConnectorInfo:
        before = self._as_leader(f"reading the configuration of connector {name}", lambda: self._entry(name).config)
        return self.put_connector_config(name, patched(before, patch))[1]

    def delete_connector(self, name: str) -> None:
        def delete() -> None:
            self._entry(name)
            self._store.remove_connector_config(name)

        self._as_leader(f"deleting connector {name}", delete)

    def put_task_configs(
        self, name: str, configs: Sequence[Mapping[str, str]], signature: RequestSignature | None
    ) -> None:
        self._requests.check(signature)

        def put() -> None:
            entry = self._entry(name)
            if list(entry.tasks) != list(configs) or entry.applied_config != entry.config:
                self._store.put_task_configs(name, configs)

        self._as_leader(f"writing the task configurations of connector {name}", put)

    def fence_zombies(self, name: str, signature: RequestSignature | None) -> None:
        self._requests.check(signature)
        raise BadRequestError(
            "This worker does not deliver source records exactly once (exactly.once.source.support=disabled), so there "
            f"is nothing to fence for connector {name}"
        )

    def _publish(
        self,
        name: str,
        entry: ConnectorEntry,
        tasks: Sequence[Mapping[str, str]],
        done: Callable[[Exception | None], None],
    ) -> None:
        view = self._membership.view()
        try:
            if view.is_leader:
                self._store.put_task_configs(name, tasks)
                done(None)
            elif view.leader_url:
                self._requests.hand_over(view.leader_url, name, tasks, done)
            else:
                done(ConflictError("no leader is known"))
        except ConnectError as error:
            done(error)

    # Target states

    def _set_target(self, name: str, target: TargetState) -> None:
        if target is TargetState.STOPPED:
            self._as_leader(f"stopping connector {name}", lambda: self._stop_connector(name))
            return
        self._entry(name, "Unknown connector {}")
        self._store.put_target_state(name, target)
        self._store.refresh(_REFRESH)

    def _stop_connector(self, name: str) -> None:
        self._entry(name, "Unknown connector {}")
        self._store.put_task_configs(name, [])
        self._store.put_target_state(name, TargetState.STOPPED)
        self._store.refresh(_REFRESH)

    def put_task_target_state(self, task: ConnectorTaskId, state: TargetState) -> None:
        self._known_task(task)
        self._store.put_task_target_state(task, state)
        self._store.refresh(_REFRESH)

    # Restarting

    def restart_connector(self, name: str) -> None:
        restarted: Future[None] = Future()

        def restart() -> None:
            entry = self._entry(name, "Unknown connector: {}")
            if name not in self._work.connectors:
                raise self._elsewhere(name)
            guard(restarted, lambda: self._work.restart_connector(name, entry, lambda e: finish(restarted, None, e)))

        self._settled(f"restarting connector {name}", restart)
        self._thread.wait(restarted, self._timeout, f"restarting connector {name}")

    def restart_connector_and_tasks(self, request: RestartRequest) -> ConnectorStateInfo:
        def restart() -> ConnectorStateInfo:
            self._entry(request.connector, "Unknown connector: {}")
            now = self.connector_status(request.connector)
            plan = request.plan(now.connector.state, {t.id: t.state for t in now.tasks})
            self._store.put_restart_request(request.connector, request.only_failed, request.include_tasks)
            return restarting(now, plan)

        return self._as_leader(f"restarting connector {request.connector}", restart)

    def restart_task(self, task: ConnectorTaskId) -> None:
        def restart() -> None:
            self._known_task(task)
            if task not in self._work.tasks:
                raise self._elsewhere(task.connector, task)
            self._failed.forget(task.connector)
            self._work.restart_tasks([task])

        self._settled(f"restarting task {task}", restart)

    def _restart_own(self, task: ConnectorTaskId) -> None:
        self._work.restart_tasks([task])

    # Topics, offsets, loggers

    def reset_connector_topics(self, name: str) -> None:
        self._statuses.reset_topics(name)
        self._status_store.flush(_REFRESH)
        self._worker.forget_topics(name)

    def alter_connector_offsets(self, name: str, offsets: Sequence[OffsetEntry]) -> str:
        self._as_leader(f"altering offsets of connector {name}", lambda: self._store.refresh(_REFRESH))
        return self._alter_offsets(name, offsets)

    def reset_connector_offsets(self, name: str) -> str:
        self._as_leader(f"resetting offsets of connector {name}", lambda: self._store.refresh(_REFRESH))
        return self._reset_offsets(name)

    def set_cluster_logger_level(self, name: str, level: str) -> None:
        self._store.put_logger_level(name, level)
        self._store.refresh(_REFRESH)
        self._call(f"setting the level of {name}", lambda: None)

    # News of the config topic, in the herder's thread

    def submit(self, action: Callable[[], object]) -> None:
        self._thread.submit(action)

    def connector_updated(self, name: str) -> None:
        self._failed.forget(name)
        self._rounds.connector_updated(name)

    def connector_removed(self, name: str) -> None:
        self._failed.forget(name)
        self._known_topics.pop(name, None)
        self._rounds.connector_removed(name)

    def tasks_updated(self, tasks: Sequence[ConnectorTaskId]) -> None:
        self._rounds.tasks_updated(tasks)

    def target_changed(self, name: str) -> None:
        if (entry := self._known.get(name)) is not None:
            self._work.apply_target(name, entry)

    def task_target_changed(self, task: ConnectorTaskId) -> None:
        entry = self._known.get(task.connector)
        if entry is not None and task.task < len(entry.tasks):
            self._work.apply_task_target(task, entry)

    def restart_requested(self, request: RestartRequest) -> None:
        """Every worker restarts what it runs of the connector."""
        name = request.connector
        entry, last = self._known.get(name), self._states.connector(name)
        if entry is None or last is None:
            return
        plan = request.plan(last.state, {t.id: t.state for t in self._states.tasks(name)})
        self._failed.forget(name)
        tasks = [task for task in plan.tasks if task in self._work.tasks]
        self._work.stop_tasks(tasks)
        for task in tasks:
            if (status := self._states.task(task)) is not None:
                own = replace(status, state=State.RESTARTING, worker_id=self._worker.worker_id, trace=None)
                self._states.put_task(own)
        if plan.connector and name in self._work.connectors:
            self._worker.stop_connector(name)
            self._states.put_connector(name, replace(last, state=State.RESTARTING, trace=None))
            self._work.start_connector(name, entry)
        self._work.start((), tasks)

    def level_changed(self, namespace: str, level: str) -> None:
        if level in LEVELS:
            self._loggers.set_level(namespace, level)
