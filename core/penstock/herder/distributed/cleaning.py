"""`StatusCleaner`: the leader puts statuses right that nobody else does."""

from __future__ import annotations

from dataclasses import replace

from penstock.herder.distributed.leading import Leader
from penstock.herder.distributed.views import ConfigView, StatusView
from penstock.runtime.status import State

__all__ = ["StatusCleaner"]


class StatusCleaner:
    """Writes statuses on behalf of workers that cannot. For the leader's herder thread."""

    def __init__(self, configs: ConfigView, statuses: StatusView, leader: Leader) -> None:
        self._configs, self._statuses, self._leader = configs, statuses, leader

    def forget(self, name: str) -> None:
        """Remove all that was said of a connector that was deleted."""
        self._statuses.forget_connector(name)

    def clean(self) -> None:
        """Remove the statuses of connectors and tasks that are no more, and show what waits for a lost worker."""
        names = set(self._configs.names())
        for name in self._statuses.connectors():
            if name not in names:
                self._statuses.forget_connector(name)
                continue
            entry = self._configs.get(name)
            count = 0 if entry is None else len(entry.tasks)
            for status in self._statuses.tasks(name):
                if status.id.task >= count:
                    self._statuses.forget_task(status.id)
        self._show_waiting()

    def _show_waiting(self) -> None:
        """Show as UNASSIGNED what a lost worker ran and the group keeps for it; its own last word was RUNNING."""
        pending = self._leader.pending()
        if pending is None:
            return
        for task in pending.work.tasks:
            known = self._statuses.task(task)
            if known is not None and known.state not in (State.UNASSIGNED, State.STOPPED):
                self._statuses.put_task(replace(known, state=State.UNASSIGNED, trace=None))
        for name in pending.work.connectors:
            last = self._statuses.connector(name)
            if last is not None and last.state not in (State.UNASSIGNED, State.STOPPED):
                self._statuses.put_connector(name, replace(last, state=State.UNASSIGNED, trace=None))
