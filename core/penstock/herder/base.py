"""What every herder does alike: reading, validation, plugins, loggers, offsets (``AbstractHerder``)."""

from __future__ import annotations

import logging
from abc import abstractmethod
from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import replace
from typing import Any, Final, TypeVar

from penstock.api import SinkConnector, SourceConnector
from penstock.config.disclosure import LookedUpValues
from penstock.errors import BadRequestError, ConfigError, ConnectError, NotFoundError, PluginError
from penstock.herder import offsets as offset_rules
from penstock.herder.boundary import ConnectorOffsets, HerderWorker
from penstock.herder.configs import ConfigReader, ConnectorEntry
from penstock.herder.failures import FailedTasks, RestartPolicy
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
from penstock.herder.restart import RestartPlan
from penstock.herder.statuses import StatusKeeper
from penstock.herder.thread import HerderThread
from penstock.herder.validation import ConnectorValidator
from penstock.plugins import PluginKind
from penstock.runtime.status import ConnectorTaskId, State, TargetState
from penstock.storage.skipped import summarize

__all__ = ["REQUEST_TIMEOUT", "AbstractHerder", "finish", "guard", "patched", "restarting"]

_log: Final = logging.getLogger(__name__)
_T = TypeVar("_T")

#: How long a request may take, as in ``RestRequestTimeout`` of Connect.
REQUEST_TIMEOUT: Final = 90.0


class AbstractHerder(Herder):
    """Over whatever keeps configurations and statuses. Changes run in the herder's thread, one after the other."""

    def __init__(
        self,
        worker: HerderWorker,
        configs: ConfigReader,
        statuses: StatusKeeper,
        validator: ConnectorValidator,
        offsets: ConnectorOffsets,
        thread: HerderThread,
        request_timeout: float = REQUEST_TIMEOUT,
        defaults: Mapping[str, Any] | None = None,
    ) -> None:
        """`defaults`: the worker's own settings, where a connector's fall back to them (``errors.restart.*``)."""
        self._worker = worker
        self._plugins = worker.plugins
        self._known, self._states = configs, statuses
        self._validator = validator
        self._offsets = offsets
        self._thread = thread
        self._timeout = request_timeout
        self._loggers = Loggers()
        self._ready = False
        self._defaults = defaults
        self._failed = FailedTasks(thread, self._restart_policy, self._restart_failed)

    # This worker

    def kafka_cluster_id(self) -> str | None:
        return self._worker.kafka_cluster_id()

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
        message = "Worker has completed startup and is ready to handle requests."
        problems = summarize([*self._known.problems(), *self._states.problems()])
        return Health(HealthStatus.HEALTHY, message if problems is None else f"{message} {problems}")

    def revision(self) -> Hashable | None:
        return self._known.revision, self._states.revision

    # Reading

    def connectors(self) -> list[str]:
        return self._known.names()

    def connector_info(self, name: str) -> ConnectorInfo:
        return self._info(name, self._entry(name))

    def connector_config(self, name: str) -> Mapping[str, str]:
        return self._entry(name).config

    def task_configs(self, name: str) -> list[TaskInfo]:
        entry = self._entry(name)
        return [TaskInfo(id_, config) for id_, config in zip(entry.task_ids(name), entry.tasks, strict=True)]

    def connector_status(self, name: str) -> ConnectorStateInfo:
        status, entry = self._states.connector(name), self._known.get(name)
        if status is None or entry is None:
            raise NotFoundError(f"No status found for connector {name}")
        return ConnectorStateInfo(name, status, self._states.tasks(name), self._type(entry.config))

    def task_status(self, task: ConnectorTaskId) -> TaskState:
        status = self._states.task(task)
        if status is None:
            raise NotFoundError(f"No status found for task {task}")
        return status

    def _entry(self, name: str, message: str = "Connector {} not found") -> ConnectorEntry:
        entry = self._known.get(name)
        if entry is None:
            raise NotFoundError(message.format(name))
        return entry

    def _known_task(self, task: ConnectorTaskId) -> ConnectorEntry:
        entry = self._entry(task.connector, "Unknown connector: {}")
        if not 0 <= task.task < len(entry.tasks):
            raise NotFoundError(f"Unknown task: {task}")
        return entry

    def _info(self, name: str, entry: ConnectorEntry) -> ConnectorInfo:
        return ConnectorInfo(name, entry.config, entry.task_ids(name), self._type(entry.config))

    def _type(self, config: Mapping[str, str]) -> str:
        """Return ``source``, ``sink``, or ``unknown`` for a class that is not named or not installed here."""
        try:
            name = config.get("connector.class", "")
            described = self._plugins.find(PluginKind.CONNECTOR, name).plugin.connector_type
            return described or str(
                getattr(self._plugins.load(PluginKind.CONNECTOR, name), "connector_type", "unknown")
            )
        except PluginError:
            return "unknown"

    # Failed tasks

    def task_restarts(self, name: str) -> Mapping[int, int]:
        return self._failed.restarts(name)

    def task_troubles(self, name: str) -> Mapping[int, str]:
        return self._worker.task_troubles(name)

    def _restart_policy(self, name: str) -> RestartPolicy | None:
        entry = self._known.get(name)
        try:
            return None if entry is None else RestartPolicy.of(entry.config, self._defaults)
        except ConfigError as error:  # a configuration out of the topic need not have been validated
            _log.warning("[%s] its failed tasks are not restarted: %s", name, error)
            return None

    def _restart_failed(self, task: ConnectorTaskId) -> None:
        status = self._states.task(task)
        if status is not None and status.state is State.FAILED:
            self._restart_own(task)

    @abstractmethod
    def _restart_own(self, task: ConnectorTaskId) -> None:
        """Restart the task if it runs here. In the herder's thread."""

    # Changing

    def patch_connector_config(self, name: str, patch: Mapping[str, str | None]) -> ConnectorInfo:
        return self.put_connector_config(name, patched(self._entry(name).config, patch))[1]

    def pause_connector(self, name: str) -> None:
        self._set_target(name, TargetState.PAUSED)

    def resume_connector(self, name: str) -> None:
        self._set_target(name, TargetState.STARTED)

    def stop_connector(self, name: str) -> None:
        self._set_target(name, TargetState.STOPPED)

    @abstractmethod
    def _set_target(self, name: str, target: TargetState) -> None: ...

    # Topics and offsets

    def connector_topics(self, name: str) -> list[str]:
        return self._states.topics(name)

    def connector_offsets(self, name: str) -> list[OffsetEntry]:
        config = self._entry(name).config
        sink = isinstance(self._instance(config), SinkConnector)
        return offset_rules.offsets_of(self._offsets, sink, name, config)

    def _alter_offsets(self, name: str, offsets: Sequence[OffsetEntry]) -> str:
        config = self._stopped(name).config
        resolved = self._validator.resolve(config)
        with LookedUpValues(config, resolved).guard():
            return offset_rules.alter_offsets(self._offsets, self._instance(config), name, config, resolved, offsets)

    def _reset_offsets(self, name: str) -> str:
        config = self._stopped(name).config
        resolved = self._validator.resolve(config)
        with LookedUpValues(config, resolved).guard():
            return offset_rules.reset_offsets(self._offsets, self._instance(config), name, config, resolved)

    def _stopped(self, name: str) -> ConnectorEntry:
        entry = self._entry(name)
        if entry.target is not TargetState.STOPPED or entry.tasks:
            raise BadRequestError(
                "Connectors must be in the STOPPED state before their offsets can be modified. This can be done for the "
                f"specified connector by issuing a 'PUT' request to the '/connectors/{name}/stop' endpoint"
            )
        return entry

    def _instance(self, config: Mapping[str, str]) -> SourceConnector | SinkConnector:
        name = config.get("connector.class")
        if not name:
            raise ConnectError(f"Connector {config.get('name', '')} has no connector.class; give it one, or delete it")
        connector: SourceConnector | SinkConnector = self._plugins.new(PluginKind.CONNECTOR, name)
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

    def _call(self, what: str, action: Callable[[], _T]) -> _T:
        return self._thread.call(action, self._timeout, what)


def patched(config: Mapping[str, str], patch: Mapping[str, str | None]) -> dict[str, str]:
    """`patch` laid over `config`; None takes a key away (KIP-477)."""
    return {k: v for k, v in {**config, **patch}.items() if v is not None}


def restarting(now: ConnectorStateInfo, plan: RestartPlan) -> ConnectorStateInfo:
    """Return the statuses `now` with those that `plan` restarts as RESTARTING.

    A trace stays: it tells why somebody restarts, until the new state is there (``AbstractHerder.buildRestartPlan``).
    """
    return replace(
        now,
        connector=replace(now.connector, state=State.RESTARTING) if plan.connector else now.connector,
        tasks=[replace(t, state=State.RESTARTING) if t.id in plan.tasks else t for t in now.tasks],
    )


def finish(outcome: Future[Any], result: Any, error: BaseException | None) -> None:
    """Complete `outcome`, unless somebody did."""
    if outcome.done():
        return
    if error is None:
        outcome.set_result(result)
    else:
        outcome.set_exception(error)


def guard(outcome: Future[Any], action: Callable[[], None]) -> None:
    """Run the first part of a request; whoever finishes it completes `outcome`, unless this part fails."""
    try:
        action()
    except BaseException as error:
        finish(outcome, None, error)
