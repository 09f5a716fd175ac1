"""`AbstractHerder`: the requests that every herder answers alike."""

from __future__ import annotations

import threading
from abc import abstractmethod
from collections.abc import Callable, Hashable, Iterable, Iterator, Mapping
from concurrent.futures import Future
from dataclasses import dataclass, replace
from typing import Any, Final, TypeVar

from penstock.errors import NotFoundError, PluginError
from penstock.herder.boundary import HerderWorker
from penstock.herder.configs import ConfigReader, ConnectorEntry
from penstock.herder.failures import FailedTasks
from penstock.herder.interface import (
    ConnectorInfo,
    ConnectorStateInfo,
    Health,
    HealthStatus,
    Herder,
    OffsetEntry,
    TaskInfo,
    TaskState,
)
from penstock.herder.loggers import Loggers
from penstock.herder.offsets import OffsetChanges
from penstock.herder.plugin_requests import PluginRequests
from penstock.herder.restart import RestartPlan
from penstock.herder.statuses import StatusKeeper
from penstock.herder.thread import HerderThread
from penstock.herder.validation import ConnectorValidator
from penstock.measurements import Measurement
from penstock.plugins import PluginKind
from penstock.runtime.status import ConnectorTaskId, State, TargetState
from penstock.storage.skipped import summarize

__all__ = ["REQUEST_TIMEOUT", "AbstractHerder", "HerderParts", "finish", "guard", "patched", "restarting"]

_T = TypeVar("_T")
_TASKS: Final = "connect-worker-metrics"
#: The states whose tasks Kafka counts, by connector.
_COUNTED: Final = (State.RUNNING, State.PAUSED, State.FAILED, State.UNASSIGNED, State.DESTROYED, State.RESTARTING)

#: Seconds that a request may take, as in ``RestRequestTimeout`` of Connect.
REQUEST_TIMEOUT: Final = 90.0


@dataclass(frozen=True, slots=True)
class HerderParts:
    """The parts of a herder of either kind; `penstock.herder.standalone` and `….distributed.compose` put them together."""

    worker: HerderWorker
    configs: ConfigReader
    statuses: StatusKeeper
    validator: ConnectorValidator
    offsets: OffsetChanges
    thread: HerderThread
    failed: FailedTasks
    loggers: Loggers
    #: Seconds that a request may take.
    request_timeout: float = REQUEST_TIMEOUT
    #: Returns what is measured of the group that the worker is in.
    measure_group: Callable[[], Iterable[Measurement]] = tuple


class AbstractHerder(PluginRequests, Herder):
    """The requests that every herder answers alike, over whatever keeps configurations and statuses.

    Changes run in the herder's thread, one after the other.
    """

    def __init__(self, parts: HerderParts) -> None:
        super().__init__(parts.worker.plugins, parts.validator, parts.loggers)
        self._worker, self._thread, self._timeout = parts.worker, parts.thread, parts.request_timeout
        self._known, self._states = parts.configs, parts.statuses
        self._offsets, self._failed = parts.offsets, parts.failed
        self._ready = threading.Event()
        self._measure_group = parts.measure_group

    # This worker

    def kafka_cluster_id(self) -> str | None:
        return self._worker.kafka_cluster_id()

    def health(self, timeout: float) -> Health:
        if not self._ready.is_set():
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
        return Health(HealthStatus.HEALTHY, message, problems)

    def measurements(self) -> Iterator[Measurement]:
        yield from self._worker.measurements()
        yield from self._measure_group()
        for name in self._known.names():
            states = [t.state for t in self._states.tasks(name) if t.worker_id == self._worker.worker_id]
            if not states and not self._worker.connector_running(name):
                continue
            yield Measurement(_TASKS, "connector-total-task-count", len(states), {"connector": name})
            for state in _COUNTED:
                metric = f"connector-{state.value.lower()}-task-count"
                yield Measurement(_TASKS, metric, states.count(state), {"connector": name})

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
        return self._offsets.offsets_of(name, self._entry(name).config)

    def _call(self, what: str, action: Callable[[], _T]) -> _T:
        return self._thread.call(action, self._timeout, what)


def patched(config: Mapping[str, str], patch: Mapping[str, str | None]) -> dict[str, str]:
    """Return `patch` laid over `config`; None takes a key away (KIP-477)."""
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
    """Complete `outcome`, unless somebody has."""
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
