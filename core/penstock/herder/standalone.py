"""`StandaloneHerder`: one worker, configurations and statuses in memory (``StandaloneHerder``, ``AbstractHerder``).

All changes run in the herder's thread, one after the other. What may take its time in a connector (starting it, asking
it for task configurations) happens in other threads and comes back as a request of its own; `ConnectorEntry.revision`
tells an answer that is still wanted from one that was overtaken.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Final, TypeVar

import penstock
from penstock.api import SinkConnector, SourceConnector
from penstock.errors import AlreadyExistsError, BadRequestError, NotFoundError, PluginError
from penstock.herder import offsets as offset_rules
from penstock.herder.boundary import ConnectorOffsets, HerderWorker
from penstock.herder.configs import ConnectorEntry
from penstock.herder.interface import (
    ConnectorInfo,
    ConnectorStateInfo,
    Health,
    HealthStatus,
    Herder,
    LoggerLevel,
    OffsetEntry,
    PluginDescription,
    TaskInfo,
    TaskState,
)
from penstock.herder.loggers import Loggers
from penstock.herder.plugin_listing import describe_plugins, plugin_settings
from penstock.herder.recorder import StatusRecorder
from penstock.herder.restart import RestartRequest
from penstock.herder.task_configs import TaskConfigs
from penstock.herder.thread import HerderThread
from penstock.herder.validation import ConnectorValidator, checked
from penstock.plugins import PluginKind
from penstock.runtime.status import ConnectorTaskId, State, TargetState

__all__ = ["StandaloneHerder", "StatusRecorder"]

_T = TypeVar("_T")

#: How long a request may take, as in ``RestRequestTimeout`` of Connect.
REQUEST_TIMEOUT: Final = 90.0
_STARTED, _PAUSED, _STOPPED = TargetState.STARTED, TargetState.PAUSED, TargetState.STOPPED


class StandaloneHerder(Herder):
    """`recorder` must be the listener that `worker` was made with."""

    def __init__(
        self,
        worker: HerderWorker,
        recorder: StatusRecorder,
        validator: ConnectorValidator,
        offsets: ConnectorOffsets,
        *,
        request_timeout: float = REQUEST_TIMEOUT,
    ) -> None:
        self._worker = worker
        self._plugins = worker.plugins
        self._validator = validator
        self._offsets = offsets
        self._timeout = request_timeout
        self._configs, self._statuses = recorder.configs, recorder.statuses
        self._thread = HerderThread("herder-standalone")
        self._tasks = TaskConfigs(worker, self._configs, self._statuses, self._thread)
        self._loggers = Loggers()
        self._ready = False
        recorder.worker = worker
        recorder.on_running = self._tasks.request

    # Life and this worker

    def start(self) -> None:
        self._worker.start()
        self._thread.start()
        self._thread.submit(self._mark_ready)

    def _mark_ready(self) -> None:
        self._ready = True

    def stop(self) -> None:
        self._thread.stop(timeout=self._timeout)
        self._tasks.stop()
        running = [task for name in self._configs.names() for task in self._entry(name).task_ids(name)]
        self._worker.stop_tasks(running)
        for name in self._configs.names():
            self._worker.stop_connector(name)
        self._worker.stop()

    def kafka_cluster_id(self) -> str | None:
        return self._worker.kafka_cluster_id()

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

    def health(self, timeout: float) -> Health:
        if not self._ready:
            return Health(HealthStatus.STARTING, "Worker is still starting up.")
        answered: Future[None] = Future()
        self._thread.submit(lambda: answered.set_result(None))
        try:
            answered.result(timeout)
        except TimeoutError:
            message = f"Worker was unable to handle this request in {timeout:g} seconds; its herder is busy or stopped."
            return Health(HealthStatus.UNHEALTHY, message)
        return Health(HealthStatus.HEALTHY, "Worker has completed startup and is ready to handle requests.")

    # Reading

    def connectors(self) -> list[str]:
        return self._configs.names()

    def connector_info(self, name: str) -> ConnectorInfo:
        return self._info(name, self._entry(name))

    def connector_config(self, name: str) -> Mapping[str, str]:
        return self._entry(name).config

    def task_configs(self, name: str) -> list[TaskInfo]:
        entry = self._entry(name)
        return [TaskInfo(id_, config) for id_, config in zip(entry.task_ids(name), entry.tasks, strict=True)]

    def connector_status(self, name: str) -> ConnectorStateInfo:
        status, entry = self._statuses.connector(name), self._configs.get(name)
        if status is None or entry is None:
            raise NotFoundError(f"No status found for connector {name}")
        return ConnectorStateInfo(name, status, self._statuses.tasks(name), self._type(entry.config))

    def task_status(self, task: ConnectorTaskId) -> TaskState:
        status = self._statuses.task(task)
        if status is None:
            raise NotFoundError(f"No status found for task {task}")
        return status

    def _entry(self, name: str, message: str = "Connector {} not found") -> ConnectorEntry:
        entry = self._configs.get(name)
        if entry is None:
            raise NotFoundError(message.format(name))
        return entry

    def _info(self, name: str, entry: ConnectorEntry) -> ConnectorInfo:
        return ConnectorInfo(name, entry.config, entry.task_ids(name), self._type(entry.config))

    def _type(self, config: Mapping[str, str]) -> str:
        try:
            return self._plugins.find(PluginKind.CONNECTOR, config["connector.class"]).plugin.connector_type or str(
                self._plugins.load(PluginKind.CONNECTOR, config["connector.class"]).connector_type  # type: ignore[attr-defined]  # both connector classes have it
            )
        except PluginError:
            return "unknown"

    # Creating, changing, deleting

    def put_connector_config(
        self,
        name: str,
        config: Mapping[str, str | None],
        target_state: TargetState | None = None,
        allow_replace: bool = True,
    ) -> tuple[bool, ConnectorInfo]:
        valid = checked(self._validator.validate(config), config)
        started: Future[tuple[bool, ConnectorInfo]] = Future()
        self._thread.submit(
            lambda: _guard(started, lambda: self._put_config(name, valid, target_state, allow_replace, started))
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
        # Taken now: a new connector has no tasks yet in the answer, as on a distributed worker.
        answer = (created, self._info(name, entry))
        self._start_connector(name, entry, lambda error: _finish(started, answer, error))

    def patch_connector_config(self, name: str, patch: Mapping[str, str | None]) -> ConnectorInfo:
        merged = {**self._entry(name).config, **{k: v for k, v in patch.items() if v is not None}}
        for key, value in patch.items():
            if value is None:
                merged.pop(key, None)
        return self.put_connector_config(name, merged)[1]

    def delete_connector(self, name: str) -> None:
        self._call(f"deleting connector {name}", lambda: self._delete(name))

    def _delete(self, name: str) -> None:
        entry = self._entry(name)
        self._worker.stop_tasks(entry.task_ids(name))
        self._worker.stop_connector(name)
        self._configs.remove(name)
        self._statuses.forget_connector(name)

    def _start_connector(
        self, name: str, entry: ConnectorEntry, done: Callable[[BaseException | None], None] = lambda error: None
    ) -> None:
        def settled(error: BaseException | None) -> None:
            done(error)
            if error is None:
                self._tasks.request(name)

        self._worker.start_connector(name, entry.config, entry.target, self._tasks.request, settled)

    # Target states

    def pause_connector(self, name: str) -> None:
        self._set_target(name, _PAUSED)

    def resume_connector(self, name: str) -> None:
        self._set_target(name, _STARTED)

    def stop_connector(self, name: str) -> None:
        self._set_target(name, _STOPPED)

    def _set_target(self, name: str, target: TargetState) -> None:
        self._call(f"setting connector {name} to {target.value}", lambda: self._change_target(name, target))

    def _change_target(self, name: str, target: TargetState) -> None:
        entry = self._entry(name, "Unknown connector {}")
        if target is _STOPPED:
            self._worker.stop_tasks(entry.task_ids(name))
            self._statuses.forget_tasks(name)
            entry = self._configs.remove_tasks(name)
        entry = self._configs.put_target(name, target)
        self._worker.set_target_state(name, target)
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

    def _known_task(self, task: ConnectorTaskId) -> ConnectorEntry:
        entry = self._entry(task.connector, "Unknown connector: {}")
        if not 0 <= task.task < len(entry.tasks):
            raise NotFoundError(f"Unknown task: {task}")
        return entry

    # Restarting

    def restart_connector(self, name: str) -> None:
        restarted: Future[None] = Future()
        self._thread.submit(lambda: _guard(restarted, lambda: self._restart_connector(name, restarted)))
        self._thread.wait(restarted, self._timeout, f"restarting connector {name}")

    def _restart_connector(self, name: str, restarted: Future[None]) -> None:
        entry = self._entry(name, "Unknown connector: {}")
        self._worker.stop_connector(name)
        self._start_connector(name, entry, lambda error: _finish(restarted, None, error))

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
        answer = ConnectorStateInfo(
            name,
            replace(now.connector, state=State.RESTARTING, trace=None) if plan.connector else now.connector,
            [replace(t, state=State.RESTARTING, trace=None) if t.id in plan.tasks else t for t in now.tasks],
            now.type,
        )
        for task in plan.tasks:
            self._tasks.start(task, entry)
        return answer

    def restart_task(self, task: ConnectorTaskId) -> None:
        self._call(f"restarting task {task}", lambda: self._restart_task(task))

    def _restart_task(self, task: ConnectorTaskId) -> None:
        entry = self._known_task(task)
        self._worker.stop_tasks([task])
        self._tasks.start(task, entry)

    # Topics and offsets

    def connector_topics(self, name: str) -> list[str]:
        return self._statuses.topics(name)

    def reset_connector_topics(self, name: str) -> None:
        self._statuses.reset_topics(name)
        self._worker.forget_topics(name)

    def connector_offsets(self, name: str) -> list[OffsetEntry]:
        config = self._entry(name).config
        sink = isinstance(self._instance(config), SinkConnector)
        return offset_rules.offsets_of(self._offsets, sink, name, config)

    def alter_connector_offsets(self, name: str, offsets: Sequence[OffsetEntry]) -> str:
        def alter() -> str:
            config = self._stopped(name).config
            resolved = self._validator.resolve(config)
            return offset_rules.alter_offsets(self._offsets, self._instance(config), name, config, resolved, offsets)

        return self._call(f"altering offsets of connector {name}", alter)

    def reset_connector_offsets(self, name: str) -> str:
        def reset() -> str:
            config = self._stopped(name).config
            resolved = self._validator.resolve(config)
            return offset_rules.reset_offsets(self._offsets, self._instance(config), name, config, resolved)

        return self._call(f"resetting offsets of connector {name}", reset)

    def _stopped(self, name: str) -> ConnectorEntry:
        entry = self._entry(name)
        if entry.target is not _STOPPED or entry.tasks:
            raise BadRequestError(
                "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the "
                f"specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
            )
        return entry

    def _instance(self, config: Mapping[str, str]) -> SourceConnector | SinkConnector:
        connector: SourceConnector | SinkConnector = self._plugins.new(PluginKind.CONNECTOR, config["connector.class"])
        return connector

    # Plugins and loggers

    def validate_connector_config(self, config: Mapping[str, str | None]) -> Mapping[str, Any]:
        return self._validator.validate(config)

    def connector_plugins(self, connectors_only: bool) -> list[PluginDescription]:
        return describe_plugins(self._plugins, connectors_only)

    def plugin_config(self, name: str, version: str | None = None) -> list[Mapping[str, Any]]:
        return plugin_settings(self._plugins, name, version)

    def loggers(self) -> Mapping[str, LoggerLevel]:
        return self._loggers.all()

    def logger(self, name: str) -> LoggerLevel | None:
        return self._loggers.get(name)

    def set_worker_logger_level(self, name: str, level: str) -> list[str]:
        return self._loggers.set_level(name, level)

    def set_cluster_logger_level(self, name: str, level: str) -> None:
        self._loggers.set_level(name, level)

    def _call(self, what: str, action: Callable[[], _T]) -> _T:
        return self._thread.call(action, self._timeout, what)


def _finish(outcome: Future[Any], result: Any, error: BaseException | None) -> None:
    if outcome.done():
        return
    if error is None:
        outcome.set_result(result)
    else:
        outcome.set_exception(error)


def _guard(outcome: Future[Any], action: Callable[[], None]) -> None:
    """Run the first part of a request; whoever finishes it completes `outcome`, unless this part fails."""
    try:
        action()
    except BaseException as error:
        _finish(outcome, None, error)
