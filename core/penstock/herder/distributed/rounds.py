"""`Rounds`: turns an assignment of the group into running work, and news of the config topic into the next round."""

from __future__ import annotations

import logging
from collections.abc import Iterable, Sequence
from typing import Final

from penstock.config.worker import WorkerConfig
from penstock.errors import ConnectError
from penstock.herder.distributed.cleaning import StatusCleaner
from penstock.herder.distributed.membership import Membership
from penstock.herder.distributed.protocol import DEFAULT, Assignment
from penstock.herder.distributed.running import RunningWork
from penstock.herder.distributed.standing import Event, Standing, StandingKeeper
from penstock.herder.distributed.views import ConfigView
from penstock.herder.distributed.work import Work
from penstock.herder.thread import HerderThread
from penstock.runtime.status import ConnectorTaskId
from penstock.storage.config_store import ConfigStore

__all__ = ["Rounds"]

_log: Final = logging.getLogger(__name__)
#: The number of tries of a worker that cannot read the config topic, before it stops what it runs (``BACKOFF_RETRIES``).
_RETRIES: Final = 5


class Rounds:
    """A `MembershipListener`, called from the group's thread; everything else is for the herder's thread."""

    def __init__(
        self,
        config: WorkerConfig,
        store: ConfigStore,
        configs: ConfigView,
        statuses: StatusCleaner,
        membership: Membership,
        work: RunningWork,
        standing: StandingKeeper,
        thread: HerderThread,
    ) -> None:
        self._store, self._configs, self._statuses, self._standing = store, configs, statuses, standing
        self._membership, self._work, self._thread = membership, work, thread
        self._sync_timeout: float = config["worker.sync.timeout.ms"] / 1000
        self._unsync_backoff: float = config["worker.unsync.backoff.ms"] / 1000
        self._rebalance_timeout: float = config["rebalance.timeout.ms"] / 1000
        self._max_delay: float = config["scheduled.rebalance.max.delay.ms"] / 1000
        self._retries = _RETRIES
        self._known_connectors: set[str] = set()

    def begin(self) -> None:
        """Get ready to join: what is configured now is no news."""
        self._known_connectors = set(self._configs.names())
        self._standing.on(Event.JOIN)

    @property
    def settled(self) -> bool:
        """Return whether the group has dealt the work out and this worker does its part. From any thread."""
        return self._standing.now is Standing.SETTLED and self._membership.stable

    def rejoin(self, reason: str) -> None:
        self._standing.on(Event.REJOIN)
        self._membership.rejoin(reason)

    # From the group

    def rebalance_begins(self) -> None:
        self._standing.on(Event.REBALANCE)

    def revoked(self, connectors: Iterable[str], tasks: Iterable[ConnectorTaskId]) -> None:
        taken = Work.of(connectors, tasks)
        _log.info("Stopping what others get: %s", taken)
        self._thread.call(
            lambda: self._work.revoke(taken.connectors, taken.tasks),
            self._rebalance_timeout,
            "stopping what others get",
        )

    def assigned(self, assignment: Assignment, revoked: bool) -> None:
        self._standing.on(Event.ASSIGNED)
        self._thread.submit(lambda: self._assigned(assignment, revoked))

    def lost(self, reason: str) -> None:
        _log.warning("Stopping everything that runs here: %s", reason)
        self._standing.on(Event.LOSE)
        self._work.cut_off()
        self._thread.submit(self._work.stop_all)

    # An assignment

    def _assigned(self, assignment: Assignment, revoked: bool) -> None:
        if self._membership.view().assignment is not assignment or not self._standing.may_start():
            return  # a newer one waits behind it, or the group was lost
        offset = self._store.snapshot().offset
        if assignment.failed:
            self._mismatch(assignment)
        elif offset < assignment.offset and not self._caught_up(assignment):
            self._fall_behind(assignment)
        elif self._store.snapshot().offset != assignment.offset:
            # It may be past the offset: the leader did not know of what was written since.
            self.rejoin("the config topic has moved on since the work was dealt out")
        else:
            self._take_up(assignment, revoked)

    def _mismatch(self, assignment: Assignment) -> None:
        if self._membership.view().is_leader and not self._caught_up(assignment):
            self._fall_behind(assignment)
        else:
            self.rejoin("the leader was behind with the config topic")

    def _take_up(self, assignment: Assignment, revoked: bool) -> None:
        connectors, tasks = set(assignment.connectors), set(assignment.tasks)
        self._work.revoke(self._work.connectors - connectors, self._work.tasks.keys() - tasks)
        self._work.start(assignment.connectors, assignment.tasks)
        if self._membership.view().is_leader:
            self._statuses.clean()
        if revoked:
            self.rejoin("what was revoked is stopped and can go to others")
            return
        self._standing.on(Event.TAKEN_UP)
        if assignment.delay > 0:
            self._thread.submit(lambda: self._delay_over(assignment), assignment.delay / 1000)

    def _delay_over(self, assignment: Assignment) -> None:
        if self._membership.view().assignment is assignment:
            self.rejoin("the delay is over for which work of a lost worker was kept")

    def _caught_up(self, assignment: Assignment) -> bool:
        """Read the config topic to its end; False if that takes too long."""
        try:
            self._store.refresh(self._sync_timeout)
        except ConnectError as error:
            _log.warning("The end of the config topic was not reached in time: %s", error)
            return False
        self._retries = _RETRIES
        return self._store.snapshot().offset >= assignment.offset

    def _fall_behind(self, assignment: Assignment) -> None:
        """Leave the group, so that it need not wait for this worker, and come back having read the topic."""
        if self._standing.on(Event.FALL_BEHIND) is not Standing.BEHIND:
            return  # lost or stopped meanwhile: the group's thread brings the worker back
        if self._membership.view().protocol == DEFAULT:
            pause = self._unsync_backoff
        elif self._retries > 0:
            # The running work goes on: in all of these pauses the group keeps it for this worker.
            pause = self._max_delay / 10 / self._retries
            self._retries -= 1
        else:
            _log.warning("Stopping everything: the config topic cannot be read, and others will get what runs here")
            self._work.stop_all()
            self._membership.forget()
            self._retries, pause = _RETRIES, self._sync_timeout
        self._membership.leave("this worker is behind with the config topic")
        self._thread.submit(lambda: self._come_back(assignment), max(pause, 0.1))

    def _come_back(self, assignment: Assignment) -> None:
        if self._standing.now is not Standing.BEHIND:
            return  # something else has brought the worker back
        if self._store.snapshot().offset >= assignment.offset or self._caught_up(assignment):
            self.rejoin("this worker has caught up with the config topic")
        else:
            self._fall_behind(assignment)

    # From the config topic

    def connector_updated(self, name: str) -> None:
        if name in self._known_connectors:
            self._work.reconfigure_connector(name)
            return
        self._known_connectors.add(name)
        self.rejoin(f"connector {name} is new")

    def connector_removed(self, name: str) -> None:
        self._known_connectors.discard(name)
        self._work.revoke([name], self._work.tasks_of(name))
        if self._membership.view().is_leader:
            self._statuses.forget(name)
        self.rejoin(f"connector {name} was deleted")

    def tasks_updated(self, tasks: Sequence[ConnectorTaskId]) -> None:
        changed = {task.connector for task in tasks}
        self._work.stop_tasks([t for t in self._work.tasks if t.connector in changed or self._gone(t)])
        self.rejoin("task configurations have changed")

    def _gone(self, task: ConnectorTaskId) -> bool:
        entry = self._configs.get(task.connector)
        return entry is None or task.task >= len(entry.tasks)
