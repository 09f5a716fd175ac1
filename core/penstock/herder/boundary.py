"""The worker as a herder needs it (`penstock.runtime.worker.Worker` has it all)."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Protocol

from penstock.api import TopicPartition
from penstock.measurements import Measurement
from penstock.plugins import Plugins
from penstock.runtime.status import ConnectorTaskId, TargetState

__all__ = ["ConnectorOffsets", "HerderWorker", "WholeWorker"]


class HerderWorker(Protocol):
    """Runs connectors and tasks. Configurations are passed raw; the worker resolves config providers itself.

    State changes are told to the `StatusListener` the worker was made with.
    """

    @property
    def worker_id(self) -> str: ...

    @property
    def plugins(self) -> Plugins: ...

    def kafka_cluster_id(self) -> str | None: ...

    def start(self) -> None: ...

    def stop(self) -> None: ...

    def start_connector(
        self,
        name: str,
        config: Mapping[str, str],
        target: TargetState,
        request_reconfiguration: Callable[[str], None],
        done: Callable[[BaseException | None], None],
    ) -> None:
        """Start without waiting; `done` is called from the connector's thread once `target` is reached or it failed."""

    def stop_connector(self, name: str) -> None:
        """Stop the connector and wait for it, for a bounded time. Nothing happens if it does not run."""

    def connector_running(self, name: str) -> bool: ...

    def connector_names(self) -> set[str]: ...

    def connector_task_configs(self, name: str) -> list[dict[str, str]]:
        """Ask the connector for its tasks' configurations. May take its time; raises what the connector raises."""

    def start_task(
        self,
        id: ConnectorTaskId,  # noqa: A002 - the worker's own name for it
        connector_config: Mapping[str, str],
        task_config: Mapping[str, str],
        target: TargetState,
        generation: int | None = None,
    ) -> bool:
        """Start one task; `generation` is that of the task configurations, None if they have none. False if it cannot
        be made: the listener was told why."""

    def stop_tasks(self, ids: Iterable[ConnectorTaskId]) -> None:
        """Ask all to stop, then wait for all, for a bounded time."""

    def config_lifetime(self, config: Mapping[str, str]) -> float | None:
        """Return for how many seconds the values that config providers put into `config` may be used; None: for good."""

    def measurements(self) -> Iterable[Measurement]:
        """Return what is measured of the worker, its connectors and its tasks."""

    def task_ids(self) -> set[ConnectorTaskId]: ...

    def set_target_state(
        self, connector: str, state: TargetState, done: Callable[[BaseException | None], None] | None = None
    ) -> None:
        """Bring the connector and its tasks to `state`, without waiting; `done` hears when the connector is there."""

    def task_troubles(self, connector: str) -> Mapping[int, str]:
        """Return what the connector's tasks here keep trying in vain, by the task's number."""

    def forget_topics(self, connector: str) -> None:
        """Let the connector's tasks announce the topics they use again."""


class ConnectorOffsets(Protocol):
    """The place of connectors' offsets: a store for sources, the consumer group in Kafka for sinks.

    `config` is the connector's raw configuration: it may name its own offsets topic, group or cluster.
    """

    def source_offsets(
        self, name: str, config: Mapping[str, str]
    ) -> Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]]: ...

    def write_source_offsets(
        self,
        name: str,
        config: Mapping[str, str],
        offsets: Sequence[tuple[Mapping[str, Any], Mapping[str, Any] | None]],
    ) -> None:
        """Write all or none; None as an offset forgets the partition."""

    def sink_offsets(self, name: str, config: Mapping[str, str]) -> Mapping[TopicPartition, int]: ...

    def write_sink_offsets(
        self, name: str, config: Mapping[str, str], offsets: Mapping[TopicPartition, int | None]
    ) -> None:
        """Write the offsets; None takes the partition's away."""

    def reset_sink_offsets(self, name: str, config: Mapping[str, str]) -> None:
        """Delete the whole group. Nothing happens if there is none."""


class WholeWorker(HerderWorker, Protocol):
    """A worker that runs connectors and keeps their offsets."""

    @property
    def offsets(self) -> ConnectorOffsets: ...
