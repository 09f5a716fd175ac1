"""`DistributedHerder`: one worker of a group (``DistributedHerder``).

The group's leader alone writes configurations; every worker reads them, and runs what the group gave it. Requests that
only the leader, or whoever runs a connector, can answer raise `RequestTargetError` with that worker's address: REST sends
them on. While the group is rebalancing such a request waits, for a bounded time.

`penstock.herder.distributed.compose` puts the herder and its parts together.
"""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any, Final

import penstock
from penstock.errors import AlreadyExistsError, ConnectError
from penstock.herder.base import AbstractHerder, HerderParts, finish, guard, patched, restarting
from penstock.herder.configs import ConnectorEntry
from penstock.herder.distributed.fencing import ZombieFencing
from penstock.herder.distributed.requests import WorkerRequests
from penstock.herder.distributed.routing import Routing
from penstock.herder.distributed.running import RunningWork
from penstock.herder.distributed.startup import InternalTopics, Startup
from penstock.herder.distributed.views import StatusView
from penstock.herder.interface import (
    ConnectorInfo,
    ConnectorStateInfo,
    InternalHerder,
    OffsetEntry,
    RequestSignature,
    TaskState,
)
from penstock.herder.restart import RestartRequest
from penstock.runtime.status import ConnectorTaskId, TargetState

__all__ = ["DistributedHerder"]

_REFRESH_S: Final = 30.0


class DistributedHerder(AbstractHerder, InternalHerder):
    """Answers requests, as one worker of a group."""

    def __init__(
        self,
        parts: HerderParts,
        topics: InternalTopics,
        statuses: StatusView,
        startup: Startup,
        routing: Routing,
        work: RunningWork,
        requests: WorkerRequests,
        fencing: ZombieFencing,
        describe: Callable[[], Mapping[str, Any]],
        patience: float,
    ) -> None:
        """`statuses` are those of `parts`; `describe` tells of the group; a request waits `patience` seconds for the
        worker to have read its topics."""
        super().__init__(parts)
        self._store, self._status_store, self._statuses = topics.configs, topics.statuses, statuses
        self._startup, self._routing, self._work = startup, routing, work
        self._requests, self._fencing, self._describe, self._patience = requests, fencing, describe, patience

    # Life

    def start(self) -> None:
        """Start in the background: it may take a while to find the brokers."""
        self._thread.start()
        self._thread.submit(self._start)

    def _start(self) -> None:
        if self._startup.begin():
            self._ready.set()

    def stop(self) -> None:
        self._routing.close()
        # Before it is ready, the thread may be waiting for a broker, for minutes.
        self._thread.stop(timeout=self._timeout if self._ready.is_set() else 1.0)
        self._startup.end()

    @property
    def failure(self) -> ConnectError | None:
        """Return why the worker could not start; None if it has, or still may."""
        return self._startup.failure

    def revision(self) -> Hashable | None:
        return super().revision() if self._ready.is_set() else None

    # Reading: nothing is known before the topics were read once

    def connectors(self) -> list[str]:
        self._await_ready()
        return super().connectors()

    def connector_status(self, name: str) -> ConnectorStateInfo:
        self._await_ready()
        return super().connector_status(name)

    def task_status(self, task: ConnectorTaskId) -> TaskState:
        self._await_ready()
        return super().task_status(task)

    def connector_topics(self, name: str) -> list[str]:
        self._await_ready()
        return super().connector_topics(name)

    def _entry(self, name: str, message: str = "Connector {} not found") -> ConnectorEntry:
        self._await_ready()
        return super()._entry(name, message)

    def _await_ready(self) -> None:
        if not self._ready.wait(self._patience):
            raise ConnectError(
                "Request timed out. The worker is currently starting up: it waits for its topics in Kafka"
            )

    def cluster(self) -> Mapping[str, Any]:
        return {
            "mode": "distributed",
            "penstock_version": penstock.__version__,
            "kafka_version": penstock.KAFKA_VERSION,
            "kafka_cluster_id": self.kafka_cluster_id(),
            "worker_id": self._worker.worker_id,
            "connector_count": len(self._work.connectors),
            "task_count": len(self._work.tasks),
            "config_offset": self._store.snapshot().offset,
            **self._describe(),
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

        def put() -> tuple[bool, ConnectorInfo]:
            created = self._known.get(name) is None
            if not created and not allow_replace:
                raise AlreadyExistsError(f"Connector {name} already exists")
            self._store.put_connector_config(name, valid, target_state)
            return created, self.connector_info(name)

        return self._routing.as_leader(f"writing the configuration of connector {name}", put)

    def patch_connector_config(self, name: str, patch: Mapping[str, str | None]) -> ConnectorInfo:
        before = self._routing.as_leader(
            f"reading the configuration of connector {name}", lambda: self._entry(name).config
        )
        return self.put_connector_config(name, patched(before, patch))[1]

    def delete_connector(self, name: str) -> None:
        def delete() -> None:
            self._entry(name)
            self._store.remove_connector_config(name)

        self._routing.as_leader(f"deleting connector {name}", delete)

    def check_signature(self, signature: RequestSignature | None) -> None:
        self._requests.check(signature)

    def put_task_configs(
        self, name: str, configs: Sequence[Mapping[str, str]], signature: RequestSignature | None
    ) -> None:
        self._requests.check(signature)

        def put() -> None:
            entry = self._entry(name)
            if list(entry.tasks) != list(configs) or entry.applied_config != entry.config:
                self._store.put_task_configs(name, configs)

        self._routing.as_leader(f"writing the task configurations of connector {name}", put)

    def fence_zombies(self, name: str, signature: RequestSignature | None) -> None:
        self._requests.check(signature)
        self._fencing.fence(name)

    # Target states

    def _set_target(self, name: str, target: TargetState) -> None:
        if target is TargetState.STOPPED:
            self._routing.as_leader(f"stopping connector {name}", lambda: self._stop_connector(name))
            return
        self._entry(name, "Unknown connector {}")
        self._store.put_target_state(name, target)
        self._store.refresh(_REFRESH_S)

    def _stop_connector(self, name: str) -> None:
        self._entry(name, "Unknown connector {}")
        self._store.put_task_configs(name, [])
        self._store.put_target_state(name, TargetState.STOPPED)
        self._store.refresh(_REFRESH_S)

    def put_task_target_state(self, task: ConnectorTaskId, state: TargetState) -> None:
        self._known_task(task)
        self._store.put_task_target_state(task, state)
        self._store.refresh(_REFRESH_S)

    # Restarting

    def restart_connector(self, name: str) -> None:
        restarted: Future[None] = Future()

        def restart() -> None:
            entry = self._entry(name, "Unknown connector: {}")
            if name not in self._work.connectors:
                raise self._routing.elsewhere(name)
            guard(restarted, lambda: self._work.restart_connector(name, entry, lambda e: finish(restarted, None, e)))

        self._routing.when_settled(f"restarting connector {name}", restart)
        self._thread.wait(restarted, self._timeout, f"restarting connector {name}")

    def restart_connector_and_tasks(self, request: RestartRequest) -> ConnectorStateInfo:
        def restart() -> ConnectorStateInfo:
            self._entry(request.connector, "Unknown connector: {}")
            now = self.connector_status(request.connector)
            plan = request.plan(now.connector.state, {t.id: t.state for t in now.tasks})
            self._store.put_restart_request(request.connector, request.only_failed, request.include_tasks)
            return restarting(now, plan)

        return self._routing.as_leader(f"restarting connector {request.connector}", restart)

    def restart_task(self, task: ConnectorTaskId) -> None:
        def restart() -> None:
            self._known_task(task)
            if task not in self._work.tasks:
                raise self._routing.elsewhere(task.connector, task)
            self._failed.forget(task.connector)
            self._work.restart_tasks([task])

        self._routing.when_settled(f"restarting task {task}", restart)

    # Topics, offsets, loggers

    def reset_connector_topics(self, name: str) -> None:
        self._statuses.reset_topics(name)
        self._status_store.flush(_REFRESH_S)
        self._worker.forget_topics(name)

    def alter_connector_offsets(self, name: str, offsets: Sequence[OffsetEntry]) -> str:
        self._routing.as_leader(f"altering offsets of connector {name}", lambda: self._store.refresh(_REFRESH_S))
        self._fence_source(name)
        return self._offsets.alter(name, self._entry(name), offsets)

    def reset_connector_offsets(self, name: str) -> str:
        self._routing.as_leader(f"resetting offsets of connector {name}", lambda: self._store.refresh(_REFRESH_S))
        self._fence_source(name)
        return self._offsets.reset(name, self._entry(name))

    def _fence_source(self, name: str) -> None:
        """Fence what may still run of a source, so that no older task commits offsets behind those that are written."""
        if self._fencing.needed and self.connector_info(name).type == "source":
            self._fencing.fence(name)

    def set_cluster_logger_level(self, name: str, level: str) -> None:
        self._store.put_logger_level(name, level)
        self._store.refresh(_REFRESH_S)
        self._call(f"setting the level of {name}", lambda: None)
