"""`Leader`: deals the work out, round after round, and says what it is waiting for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from urllib.parse import urlsplit

from penstock.herder.distributed import protocol as wire
from penstock.herder.distributed.assignor import AssignorState, Round, RoundInput, assign, assign_eagerly
from penstock.herder.distributed.membership import Deal, GroupView
from penstock.herder.distributed.protocol import Assignment, WorkerState
from penstock.herder.distributed.work import NO_WORK, Work
from penstock.runtime.status import ConnectorTaskId
from penstock.storage.cluster_state import ClusterConfigState

__all__ = ["Leader", "Pending", "configured_work"]


@dataclass(frozen=True, slots=True)
class Pending:
    """The work that waits, and how many more milliseconds it does."""

    work: Work
    milliseconds: int


def configured_work(snapshot: ClusterConfigState) -> Work:
    return Work.of(snapshot.connectors, (task for name in snapshot.connectors for task in snapshot.tasks(name)))


class Leader:
    """`max_delay_ms` is ``scheduled.rebalance.max.delay.ms``; `last_worker` says who was last heard to run a connector or
    task, as ``host:port``. Safe from any thread."""

    def __init__(
        self,
        max_delay_ms: int,
        clock: Callable[[], float] = time.monotonic,
        last_worker: Callable[[str | ConnectorTaskId], str | None] = lambda item: None,
    ) -> None:
        self._max_delay, self._clock, self._last_worker = max_delay_ms, clock, last_worker
        self._lock = threading.Lock()
        self._state = AssignorState()
        self._waiting = NO_WORK

    def deal_out(
        self,
        protocol: str,
        states: Mapping[str, WorkerState],
        snapshot: ClusterConfigState,
        generation: int,
        before: GroupView,
    ) -> Deal:
        """Decide what the members are told in `generation`; `before` is the group as this worker last knew it."""
        configured = configured_work(snapshot)
        if protocol == wire.DEFAULT:
            whole = assign_eagerly(configured, states)
            dealt, holdings = Round(whole, dict.fromkeys(states, NO_WORK), 0), whole
        else:
            running = {member: _running(state) for member, state in states.items()}
            members = {urlsplit(state.url).netloc: member for member, state in states.items()}
            dealt = self._round(configured, running, generation, before, members)
            holdings = {m: (own - dealt.revoked[m]) | dealt.assigned[m] for m, own in running.items()}
        leader = before.member_id
        messages = {
            member: Assignment(
                wire.ASSIGNMENT_NO_ERROR,
                leader,
                states[leader].url,
                snapshot.offset,
                tuple(sorted(dealt.assigned[member].connectors)),
                tuple(sorted(dealt.assigned[member].tasks)),
                tuple(sorted(dealt.revoked[member].connectors)),
                tuple(sorted(dealt.revoked[member].tasks)),
                dealt.delay,
            )
            for member in states
        }
        held = NO_WORK
        for work in holdings.values():
            held |= work
        with self._lock:
            self._waiting = configured - held
        return Deal(messages, holdings)

    def _round(
        self,
        configured: Work,
        running: Mapping[str, Work],
        generation: int,
        before: GroupView,
        members: Mapping[str, str],
    ) -> Round:
        returned, departed = self._homes(configured, running.values(), members)
        # A group that starts, or all of whose workers were replaced, has nobody to wait for.
        was_follower = not before.is_leader and before.generation >= 0
        with self._lock:
            if not before.is_leader:
                self._state = AssignorState()
            now = int(self._clock() * 1000)
            given = RoundInput(
                configured, running, generation, before.generation, now, self._max_delay,
                returned, departed if was_follower else NO_WORK,
            )  # fmt: skip
            self._state, dealt = assign(self._state, given)
            return dealt

    def _homes(
        self, configured: Work, running: Iterable[Work], members: Mapping[str, str]
    ) -> tuple[Mapping[str, Work], Work]:
        """Return, out of what nobody runs, what each member ran last, and what workers ran last that are not there."""
        idle = configured
        for work in running:
            idle -= work
        returned: dict[str, Work] = {}
        departed = NO_WORK
        items: list[str | ConnectorTaskId] = [*idle.connectors, *idle.tasks]
        for item in items:
            worker = self._last_worker(item)
            if worker is None:
                continue
            one = Work.of([item], []) if isinstance(item, str) else Work.of([], [item])
            if worker in members:
                returned[members[worker]] = returned.get(members[worker], NO_WORK) | one
            else:
                departed |= one
        return returned, departed

    def pending(self) -> Pending | None:
        """Return the lost work that is kept for a worker that may come back; None when nothing waits."""
        with self._lock:
            left = self._state.scheduled - int(self._clock() * 1000)
            return Pending(self._waiting, max(0, left)) if self._state.scheduled > 0 else None


def _running(state: WorkerState) -> Work:
    return NO_WORK if state.assignment is None else Work.of(state.assignment.connectors, state.assignment.tasks)
