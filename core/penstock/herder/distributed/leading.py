"""`Leader`: deals the work out, round after round, and says what it is waiting for."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass

from penstock.herder.distributed import protocol as wire
from penstock.herder.distributed.assignor import AssignorState, Round, RoundInput, assign, assign_eagerly
from penstock.herder.distributed.membership import Deal, GroupView
from penstock.herder.distributed.protocol import Assignment, WorkerState
from penstock.herder.distributed.work import NO_WORK, Work
from penstock.storage.cluster_state import ClusterConfigState

__all__ = ["Leader", "Pending", "configured_work"]


@dataclass(frozen=True, slots=True)
class Pending:
    """Work that waits, and for how many more milliseconds."""

    work: Work
    milliseconds: int


def configured_work(snapshot: ClusterConfigState) -> Work:
    return Work.of(snapshot.connectors, (task for name in snapshot.connectors for task in snapshot.tasks(name)))


class Leader:
    """`max_delay_ms` is ``scheduled.rebalance.max.delay.ms``. Safe from any thread."""

    def __init__(self, max_delay_ms: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._max_delay, self._clock = max_delay_ms, clock
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
        """What the members are told in `generation`; `before` is the group as this worker last knew it."""
        configured = configured_work(snapshot)
        if protocol == wire.DEFAULT:
            whole = assign_eagerly(configured, states)
            dealt, holdings = Round(whole, dict.fromkeys(states, NO_WORK), 0), whole
        else:
            running = {member: _running(state) for member, state in states.items()}
            dealt = self._round(configured, running, generation, before)
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

    def _round(self, configured: Work, running: Mapping[str, Work], generation: int, before: GroupView) -> Round:
        with self._lock:
            if not before.is_leader:
                self._state = AssignorState()
            given = RoundInput(
                configured, running, generation, before.generation, int(self._clock() * 1000), self._max_delay
            )
            self._state, dealt = assign(self._state, given)
            return dealt

    def pending(self) -> Pending | None:
        """Lost work that is kept for a worker that may come back; None when nothing waits."""
        with self._lock:
            left = self._state.scheduled - int(self._clock() * 1000)
            return Pending(self._waiting, max(0, left)) if self._state.scheduled > 0 else None


def _running(state: WorkerState) -> Work:
    return NO_WORK if state.assignment is None else Work.of(state.assignment.connectors, state.assignment.tasks)
