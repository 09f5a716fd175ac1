"""Keeps older tasks of a source from writing, where sources deliver exactly once (KIP-618).

`ZombieFencing` is the leader's part: it fences the transactional ids of a connector's earlier tasks, once for each new set
of task configurations, and writes down how many there may be from then on (``tasks-fencing-<connector>``). `TaskGates` is
the part of whoever runs a task.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final

from penstock.errors import BadRequestError, ConflictError, ConnectError, RetriableError
from penstock.herder.configs import ConfigReader
from penstock.herder.distributed.membership import Membership
from penstock.herder.distributed.requests import WorkerRequests
from penstock.herder.distributed.routing import Routing
from penstock.herder.interface import RequestTargetError
from penstock.runtime.status import ConnectorTaskId
from penstock.storage.config_store import ConfigStore

__all__ = ["NOT_NEEDED", "TaskGates", "ZombieFencing"]

_log: Final = logging.getLogger(__name__)
_REFRESH_S: Final = 30.0
NOT_NEEDED: Final = (
    "This worker does not deliver source records exactly once (exactly.once.source.support=disabled), so there is "
    "nothing to fence for connector {}"
)

#: Fences these many transactional ids of a connector, given its configuration; in parallel. Raises `ConnectError`.
Fence = Callable[[str, Mapping[str, str], int], None]


@dataclass(frozen=True, slots=True)
class _Plan:
    """One round of fencing: the tasks to fence, and the tasks that may run after it."""

    old: int
    new: int
    generation: int
    config: Mapping[str, str]


class ZombieFencing:
    """For any thread but the herder's, which is asked to look and to write. One round a connector at a time."""

    # Delivery 3.

    def __init__(self, store: ConfigStore, configs: ConfigReader, routing: Routing, fence: Fence | None) -> None:
        """`fence` is None on a worker that does not deliver exactly once."""
        self._store, self._configs, self._routing, self._fence = store, configs, routing, fence
        self._lock = threading.Lock()
        self._running: dict[str, Future[None]] = {}

    @property
    def needed(self) -> bool:
        """Return whether this worker's sources deliver exactly once."""
        return self._fence is not None

    def fence(self, name: str) -> None:
        """Fence what earlier generations of connector `name` may still run. Nothing is done where that was done before.

        Whoever asks while a round runs shares its outcome. Raises `RequestTargetError` if another worker leads,
        `ConflictError` if there are new task configurations by the end, `BadRequestError` where there is no fencing.
        """
        if self._fence is None:
            raise BadRequestError(NOT_NEEDED.format(name))
        with self._lock:
            running = self._running.get(name)
            mine = running is None
            if running is None:
                running = self._running[name] = Future()
        if not mine:
            return running.result()
        try:
            self._round(name)
        except BaseException as error:
            running.set_exception(error)
            raise
        else:
            running.set_result(None)
        finally:
            with self._lock:
                del self._running[name]

    def _round(self, name: str) -> None:
        plan = self._routing.as_leader(f"fencing the tasks of connector {name}", lambda: self._plan(name))
        if plan is None:
            return
        if plan.old > 0:
            _log.info("Fencing %d earlier tasks of connector %s", plan.old, name)
            assert self._fence is not None
            self._fence(name, plan.config, plan.old)
        self._routing.as_leader(f"noting the fencing of connector {name}", lambda: self._record(name, plan))

    def _plan(self, name: str) -> _Plan | None:
        """Return what is to be done; None if nothing is. Herder thread."""
        self._store.refresh(_REFRESH_S)
        state, entry = self._store.snapshot(), self._configs.get(name)
        if entry is None:
            raise ConnectError(f"Connector {name} is gone; there is nothing to fence")
        if name not in state.pending_fencing:
            return None
        known = state.task_count_records.get(name)
        new = state.task_count(name)
        # A connector's only task fences its predecessor by taking its id.
        old = 0 if known is None or (known == 1 and new == 1) else known
        return _Plan(old, new, state.task_config_generations.get(name, -1), entry.config)

    def _record(self, name: str, plan: _Plan) -> None:
        self._store.refresh(_REFRESH_S)
        if self._store.snapshot().task_config_generations.get(name, -1) > plan.generation:
            raise ConflictError(
                "After fencing out zombie tasks, new task configurations were found for connector; the tasks are fenced "
                f"again for connector {name}"
            )
        self._store.put_task_count_record(name, plan.new)


class TaskGates:
    """Makes the `penstock.runtime.source.exactly_once.Gate` of each task. Safe from any thread."""

    def __init__(
        self, store: ConfigStore, membership: Membership, requests: WorkerRequests, fence: Callable[[str], None]
    ) -> None:
        """`fence` is `ZombieFencing.fence` of this worker, for when it leads."""
        self._store, self._membership, self._requests, self._fence = store, membership, requests, fence

    def of(self, task: ConnectorTaskId, generation: int | None) -> _TaskGate:
        return _TaskGate(self, task, generation)

    def fence(self, name: str) -> None:
        view = self._membership.view()
        try:
            if view.is_leader:
                self._fence(name)
            elif view.leader_url:
                self._requests.fence(view.leader_url, name)
            else:
                raise ConflictError("no leader is known")
        except RequestTargetError as error:  # the lead has just gone to another worker
            raise ConflictError(error.message) from error

    def check(self, task: ConnectorTaskId, generation: int | None) -> None:
        self._store.refresh(_REFRESH_S)
        if self._store.snapshot().task_config_generations.get(task.connector) != generation:
            raise ConnectError(
                f"Cannot start source task {task} with exactly-once source support enabled; the connector has already "
                "generated a new set of task configs"
            )
        if not self._membership.in_session:
            raise self._revoked(task)
        self.check_place(task)

    def check_place(self, task: ConnectorTaskId) -> None:
        """Raise `RetriableError` while the worker is out of its session: it hears soon what is its own still. Raise
        `ConnectError` if the task is not."""
        if not self._membership.in_session:
            raise RetriableError("the worker has lost touch with its group")
        if not self._membership.view().runs(task):
            raise self._revoked(task)

    def _revoked(self, task: ConnectorTaskId) -> ConnectError:
        return ConnectError(
            f"Cannot start source task {task} with exactly-once source support enabled; the task has already been revoked "
            "from this worker"
        )


class _TaskGate:
    def __init__(self, gates: TaskGates, task: ConnectorTaskId, generation: int | None) -> None:
        self._gates, self._task, self._generation = gates, task, generation

    def before(self) -> None:
        # First, or a worker that stood still would fence the task that has come in the place of its own.
        self._gates.check_place(self._task)
        try:
            self._gates.fence(self._task.connector)
        except (ConflictError, RetriableError):
            raise
        except ConnectError as error:
            raise RetriableError(f"cannot have older tasks fenced: {error.message}") from error

    def after(self) -> None:
        self._gates.check(self._task, self._generation)
