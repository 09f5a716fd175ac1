"""A worker's standing in its group, as a table of states and events.

Everything that says whether work may start here, and whether the group has settled, is in this module: no thread, no
clock, no Kafka. The group's thread tells of rebalances, assignments and losses; the herder's thread tells how far it is
with the assignment. Their order is not fixed, so the table has an entry for every pair: a late event, such as the end of
taking up work that was lost meanwhile, leaves the state as it is.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from enum import Enum, auto
from types import MappingProxyType
from typing import Final

__all__ = ["TRANSITIONS", "Event", "Standing", "StandingKeeper"]


class Standing(Enum):
    #: The worker has not joined yet.
    OUTSIDE = auto()
    #: A round of the group is on its way, or has been asked for. What runs here goes on.
    JOINING = auto()
    #: An assignment has come; what it takes is stopped and what it gives is started.
    TAKING_UP = auto()
    #: The group has dealt the work out, and this worker does its part.
    SETTLED = auto()
    #: Out of the group for a while, to read the config topic. What runs here goes on: the group keeps it for this worker.
    BEHIND = auto()
    #: The group may have given this worker's work to others. Everything stops, and nothing starts before an assignment.
    LOST = auto()
    #: The worker has stopped.
    STOPPED = auto()


class Event(Enum):
    #: The worker starts to join. Herder's thread.
    JOIN = auto()
    #: A rebalance begins. Group's thread.
    REBALANCE = auto()
    #: An assignment has come. Group's thread.
    ASSIGNED = auto()
    #: The latest assignment is done: what it gave runs. Herder's thread.
    TAKEN_UP = auto()
    #: Another round is wanted. Herder's thread.
    REJOIN = auto()
    #: The config topic is ahead of this worker, which leaves the group to read it. Herder's thread.
    FALL_BEHIND = auto()
    #: Others may be given this worker's work. Group's thread.
    LOSE = auto()
    #: The worker stops. Any thread.
    STOP = auto()


def _table() -> Mapping[tuple[Standing, Event], Standing]:
    s, e = Standing, Event
    #             JOIN       REBALANCE  ASSIGNED     TAKEN_UP   REJOIN     FALL_BEHIND LOSE    STOP
    rows = {
        s.OUTSIDE:   (s.JOINING,   s.JOINING, s.TAKING_UP, s.OUTSIDE, s.OUTSIDE, s.OUTSIDE, s.OUTSIDE, s.STOPPED),
        s.JOINING:   (s.JOINING,   s.JOINING, s.TAKING_UP, s.JOINING, s.JOINING, s.BEHIND,  s.LOST,    s.STOPPED),
        s.TAKING_UP: (s.TAKING_UP, s.JOINING, s.TAKING_UP, s.SETTLED, s.JOINING, s.BEHIND,  s.LOST,    s.STOPPED),
        s.SETTLED:   (s.SETTLED,   s.JOINING, s.TAKING_UP, s.SETTLED, s.JOINING, s.BEHIND,  s.LOST,    s.STOPPED),
        s.BEHIND:    (s.BEHIND,    s.JOINING, s.TAKING_UP, s.BEHIND,  s.JOINING, s.BEHIND,  s.LOST,    s.STOPPED),
        s.LOST:      (s.LOST,      s.LOST,    s.TAKING_UP, s.LOST,    s.LOST,    s.LOST,    s.LOST,    s.STOPPED),
        s.STOPPED:   (s.STOPPED,) * 8,
    }  # fmt: skip
    events = (e.JOIN, e.REBALANCE, e.ASSIGNED, e.TAKEN_UP, e.REJOIN, e.FALL_BEHIND, e.LOSE, e.STOP)
    return {(state, event): after for state, row in rows.items() for event, after in zip(events, row, strict=True)}


#: The state after an event, for every state and event.
TRANSITIONS: Final = MappingProxyType(_table())
_MAY_NOT_START: Final = frozenset({Standing.LOST, Standing.STOPPED})


class StandingKeeper:
    """The standing of one worker. Safe from any thread. `changed` is told of the standing before and after each change."""

    def __init__(self, changed: Callable[[Standing, Standing], None] = lambda before, after: None) -> None:
        self._lock = threading.Lock()
        self._changed = changed
        self._standing = Standing.OUTSIDE

    def on(self, event: Event) -> Standing:
        """Take `event` in and return the standing after it."""
        with self._lock:
            before, self._standing = self._standing, TRANSITIONS[self._standing, event]
            if before is not self._standing:
                self._changed(before, self._standing)
            return self._standing

    @property
    def now(self) -> Standing:
        with self._lock:
            return self._standing

    def may_start(self) -> bool:
        """Return whether work may be started here."""
        return self.now not in _MAY_NOT_START
