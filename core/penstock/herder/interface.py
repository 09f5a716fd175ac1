"""The requests that REST and the command line make of a herder, and its answers.

Every method may be called from any thread and blocks until it is done, at most for the request timeout. The answers
are plain frozen data. Errors are those of `penstock.errors`; REST turns them into statuses.
"""

from __future__ import annotations

import enum
from abc import ABC, abstractmethod
from collections.abc import Hashable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from penstock.errors import ConflictError, ConnectError
from penstock.herder.restart import RestartRequest
from penstock.measurements import Measurement
from penstock.runtime.status import ConnectorTaskId, State, TargetState

__all__ = [
    "ConnectorInfo",
    "ConnectorState",
    "ConnectorStateInfo",
    "Health",
    "HealthStatus",
    "Herder",
    "InternalHerder",
    "InternalRequestError",
    "LoggerLevel",
    "OffsetEntry",
    "PluginDescription",
    "RequestSignature",
    "RequestTargetError",
    "TaskInfo",
    "TaskState",
]


@dataclass(frozen=True, slots=True)
class ConnectorInfo:
    """A connector's configuration as it was given (placeholders unresolved) and its tasks."""

    name: str
    config: Mapping[str, str]
    tasks: Sequence[ConnectorTaskId]
    #: ``source``, ``sink`` or ``unknown`` (its plugin is not installed here).
    type: str


@dataclass(frozen=True, slots=True)
class TaskInfo:
    id: ConnectorTaskId
    config: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class ConnectorState:
    state: State
    worker_id: str
    trace: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class TaskState:
    id: ConnectorTaskId
    state: State
    worker_id: str
    trace: str | None = None
    version: str | None = None


@dataclass(frozen=True, slots=True)
class ConnectorStateInfo:
    name: str
    connector: ConnectorState
    tasks: Sequence[TaskState]
    type: str


@dataclass(frozen=True, slots=True)
class PluginDescription:
    class_name: str
    #: ``source``, ``sink``, ``converter``, ``transformation``, …: the words of ``PluginType``.
    type: str
    version: str | None


@dataclass(frozen=True, slots=True)
class LoggerLevel:
    """A level by its Java name, and when it was last changed over REST (milliseconds), if it was."""

    level: str
    last_modified: int | None


#: A source or sink partition and its offset; None as an offset means: none, or forget it.
OffsetEntry = tuple[Mapping[str, Any] | None, Mapping[str, Any] | None]


class HealthStatus(enum.Enum):
    STARTING = "starting"
    HEALTHY = "healthy"
    UNHEALTHY = "unhealthy"


@dataclass(frozen=True, slots=True)
class Health:
    """KIP-1017."""

    status: HealthStatus
    message: str
    #: A sentence about records of internal topics that make no sense; it may name any connector.
    problems: str | None = None


class RequestTargetError(ConflictError):
    """The request is another worker's to answer: the leader's, or that of whoever runs the connector.

    `forward_url` is where its REST listens, None while nobody knows.
    """

    def __init__(self, message: str, forward_url: str | None) -> None:
        super().__init__(message, retry_after=1)
        self.forward_url = forward_url


class InternalRequestError(ConnectError):
    """A request between workers that is refused, with the HTTP status to refuse it with."""

    java_class = "org.apache.kafka.connect.runtime.rest.errors.ConnectRestException"

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(frozen=True, slots=True)
class RequestSignature:
    """The signature of a request between workers (KIP-507). `algorithm` is Java's name, `body` the signed bytes."""

    signature: bytes
    algorithm: str
    body: bytes


class WorkerRequests(ABC):
    """Requests about the worker itself."""

    @abstractmethod
    def start(self) -> None:
        """Start, without waiting until everything is up; `health` tells. Called once."""

    @abstractmethod
    def stop(self) -> None:
        """Stop everything that runs here. Called once."""

    @abstractmethod
    def kafka_cluster_id(self) -> str | None: ...

    @abstractmethod
    def cluster(self) -> Mapping[str, Any]:
        """Describe this worker and the group it is in; penstock's own, for ``GET /cluster``."""

    @abstractmethod
    def health(self, timeout: float) -> Health:
        """Tell whether the herder still answers, asked for at most `timeout` seconds."""

    @abstractmethod
    def measurements(self) -> Iterable[Measurement]:
        """Return everything that is measured of this worker now, in the names of Kafka Connect's metrics."""

    @abstractmethod
    def revision(self) -> Hashable | None:
        """Return a value that changes whenever connectors, tasks, their configurations or their statuses may have changed.

        None while nothing is known of them. Quick: REST asks before every answer it has ready.
        """


class ConnectorRequests(ABC):
    """Requests about whole connectors."""

    @abstractmethod
    def connectors(self) -> list[str]: ...

    @abstractmethod
    def connector_info(self, name: str) -> ConnectorInfo: ...

    @abstractmethod
    def connector_config(self, name: str) -> Mapping[str, str]: ...

    @abstractmethod
    def put_connector_config(
        self,
        name: str,
        config: Mapping[str, str | None],
        target_state: TargetState | None = None,
        allow_replace: bool = True,
    ) -> tuple[bool, ConnectorInfo]:
        """Create (True) or replace (False) a connector, once its configuration is found valid.

        `target_state` is the one to begin with (KIP-980); None: STARTED for a new connector, unchanged for an old one.
        Raises `BadRequestError` listing everything that is wrong, or `AlreadyExistsError`.
        """

    @abstractmethod
    def patch_connector_config(self, name: str, patch: Mapping[str, str | None]) -> ConnectorInfo:
        """Lay `patch` over the configuration; None takes a key away (KIP-477)."""

    @abstractmethod
    def delete_connector(self, name: str) -> None: ...

    @abstractmethod
    def connector_status(self, name: str) -> ConnectorStateInfo: ...

    @abstractmethod
    def pause_connector(self, name: str) -> None: ...

    @abstractmethod
    def resume_connector(self, name: str) -> None: ...

    @abstractmethod
    def stop_connector(self, name: str) -> None:
        """Set the target state STOPPED (KIP-875): no tasks, the configuration is kept."""

    @abstractmethod
    def restart_connector(self, name: str) -> None:
        """Restart the connector instance alone, not its tasks."""

    @abstractmethod
    def restart_connector_and_tasks(self, request: RestartRequest) -> ConnectorStateInfo:
        """Restart what `request` asks for (KIP-745).

        The answer shows what is being restarted as RESTARTING, with the trace that it had.
        """


class TaskRequests(ABC):
    """Requests about tasks."""

    @abstractmethod
    def task_configs(self, name: str) -> list[TaskInfo]: ...

    @abstractmethod
    def task_status(self, task: ConnectorTaskId) -> TaskState: ...

    @abstractmethod
    def restart_task(self, task: ConnectorTaskId) -> None: ...

    @abstractmethod
    def task_restarts(self, name: str) -> Mapping[int, int]:
        """Return how often each task that runs here was restarted by itself (``errors.restart.max``), by its number."""

    @abstractmethod
    def task_troubles(self, name: str) -> Mapping[int, str]:
        """Return what the tasks that run here keep trying in vain (a `poll` that always fails), by the task's number."""

    @abstractmethod
    def put_task_target_state(self, task: ConnectorTaskId, state: TargetState) -> None:
        """Set one task's own target state.

        The stricter of the connector's and the task's wins. Resuming the connector leaves it; it goes with the task.
        """


class TopicAndOffsetRequests(ABC):
    """Requests about the topics that connectors use, and about their offsets."""

    @abstractmethod
    def connector_topics(self, name: str) -> list[str]:
        """Return the topics that the connector has used since it was made or since the last reset (KIP-558)."""

    @abstractmethod
    def reset_connector_topics(self, name: str) -> None: ...

    @abstractmethod
    def connector_offsets(self, name: str) -> list[OffsetEntry]: ...

    @abstractmethod
    def alter_connector_offsets(self, name: str, offsets: Sequence[OffsetEntry]) -> str:
        """Change offsets of a STOPPED connector; return the message for the user (KIP-875)."""

    @abstractmethod
    def reset_connector_offsets(self, name: str) -> str: ...


class PluginAndLoggerRequests(ABC):
    """Requests about plugins and loggers."""

    @abstractmethod
    def validate_connector_config(self, config: Mapping[str, str | None]) -> Mapping[str, Any]:
        """Return the answer of the validate endpoint (``ConfigInfos``), ready for JSON.

        Values that came out of a config provider are shown as their placeholders.
        """

    @abstractmethod
    def connector_plugins(self, connectors_only: bool) -> list[PluginDescription]: ...

    @abstractmethod
    def plugin_config(self, name: str, version: str | None = None) -> list[Mapping[str, Any]]:
        """Return the settings that a plugin takes, ready for JSON (KIP-769)."""

    @abstractmethod
    def loggers(self) -> Mapping[str, LoggerLevel]: ...

    @abstractmethod
    def logger(self, name: str) -> LoggerLevel | None: ...

    @abstractmethod
    def set_worker_logger_level(self, name: str, level: str) -> list[str]:
        """Set the level here; return the names of the loggers it changed for (KIP-495). `level` is a known Java name."""

    @abstractmethod
    def set_cluster_logger_level(self, name: str, level: str) -> None:
        """Set the level on every worker (KIP-976)."""


class Herder(WorkerRequests, ConnectorRequests, TaskRequests, TopicAndOffsetRequests, PluginAndLoggerRequests, ABC):
    """Keeps connectors as their configurations say. One a worker."""


class InternalHerder(ABC):
    """Requests that workers of a group make of their leader. All raise `InternalRequestError` for a wrong signature."""

    @abstractmethod
    def check_signature(self, signature: RequestSignature | None) -> None:
        """Return if a request with this signature may be looked at. Never waits."""

    @abstractmethod
    def put_task_configs(
        self, name: str, configs: Sequence[Mapping[str, str]], signature: RequestSignature | None
    ) -> None:
        """Replace the connector's task configurations, as the worker that runs it found them."""

    @abstractmethod
    def fence_zombies(self, name: str, signature: RequestSignature | None) -> None:
        """Fence older tasks of a source connector that delivers exactly once (KIP-618)."""
