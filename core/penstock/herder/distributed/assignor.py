"""Decides who runs what: incremental cooperative rebalancing (KIP-415, ``IncrementalCooperativeAssignor``) and the eager kind.

A pure function of its inputs and of what the leader remembers from the round before, time included. Work moves in two
rounds: in one it is taken from whoever has too much, in the next, which follows at once, it is given to others. Work of a
worker that left waits for its return until a delay is over.

Differences from the JVM's, all for the better of whoever runs connectors: tasks that no configuration knows are revoked
wherever they run, not only where this leader assigned them; tasks are taken and given round-robin over connectors, so that
no worker ends up with all of one (KAFKA-17049); returning workers get lost work up to their share, so that nothing is
given only to be taken away; a worker that comes back under its old address gets its own work at once, without waiting for
the rest of the delay; and a leader that is new keeps the work of a worker that left as its predecessor would have, so that
restarting the leader moves no more than restarting another.
"""

from __future__ import annotations

import heapq
import logging
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Final, TypeVar

from penstock.herder.distributed.work import NO_WORK, Work
from penstock.runtime.status import ConnectorTaskId

__all__ = ["AssignorState", "Round", "RoundInput", "assign", "assign_eagerly"]

_log: Final = logging.getLogger(__name__)
_T = TypeVar("_T", str, ConnectorTaskId)

#: Milliseconds and factor of the pause between rounds that revoke one after another (KAFKA-12495).
_BACKOFF_MS: Final = 1
_BACKOFF_FACTOR: Final = 40


@dataclass(frozen=True, slots=True)
class AssignorState:
    """The leader's memory from round to round. A new leader begins with a new one; so should one that led before
    and did not in between."""

    assignment: Work = NO_WORK
    generation: int = -1
    members: frozenset[str] = frozenset()
    #: The time in milliseconds at which lost work is given away; 0 if nothing is scheduled.
    scheduled: int = 0
    delay: int = 0
    #: Workers that joined with nothing while lost work waits: they went away and came back.
    candidates: frozenset[str] = frozenset()
    revoked_before: bool = False
    revoking_rounds: int = 0


@dataclass(frozen=True, slots=True)
class RoundInput:
    """The input of one rebalance, as its leader sees it.

    `configured` is all there is to run, `members` what each member says that it runs now. `generation` is the round's,
    `last_generation` the last one whose assignment this worker received itself. Times are in milliseconds; `max_delay` is
    ``scheduled.rebalance.max.delay.ms``.
    """

    configured: Work
    members: Mapping[str, Work]
    generation: int
    last_generation: int
    now: int
    max_delay: int
    #: Work that nobody runs and that was last run at the address of a member, by that member.
    returned: Mapping[str, Work] = field(default_factory=dict)
    #: Work that nobody runs and that a worker ran last which is no member; only for a leader that is new and was a member before.
    departed: Work = NO_WORK


@dataclass(frozen=True, slots=True)
class Round:
    """The outcome for each member: the work that is new for it, and the work that it must stop. With `delay` > 0 all join again after so many
    milliseconds; members with something revoked join again at once."""

    assigned: Mapping[str, Work]
    revoked: Mapping[str, Work]
    delay: int


def assign(state: AssignorState, given: RoundInput) -> tuple[AssignorState, Round]:
    """One round. `given.members` must not be empty."""
    active = _union(given.members.values())
    previous = _trusted_previous(state, given) | (given.departed & given.configured)
    # This concerns what runs, too: a member may not have heard that it should stop (KAFKA-10763), or this leader is new.
    deleted = (previous | active) - given.configured
    duplicated = _duplicated(given.members.values())
    lost = previous - active - deleted
    created = given.configured - previous - active
    # Duplicates are stopped by all who run them and given to one in the next round: nobody may start what another
    # still runs (KAFKA-9841).
    revoked = {member: own & (deleted | duplicated) for member, own in given.members.items()}
    loads = _Loads({member: own - revoked[member] for member, own in given.members.items()})

    state, reassigned = _handle_lost(state, given, lost, loads)
    state = _balance(state, given, loads, revoked)
    for member, own in given.members.items():
        # This was given back a moment ago and is already too much: it runs nowhere, so others may have it at once.
        reassigned |= revoked[member] - own
        revoked[member] &= own
    loads.give(created | reassigned)

    following = loads.work()
    taken = _union(revoked.values())
    state = replace(
        state,
        assignment=(_union(following.values()) - taken) | lost,
        generation=given.generation,
        members=frozenset(given.members),
    )
    assigned = {member: following[member] - own for member, own in given.members.items()}
    return state, Round(assigned, revoked, state.delay)


def _trusted_previous(state: AssignorState, given: RoundInput) -> Work:
    """Return what was assigned as far as the leader knows, from the last round that it and the members completed."""
    if state.generation != given.last_generation:
        # The round was computed and never arrived (KAFKA-9848), or another worker led in between.
        _log.debug(
            "Forgetting the assignment of generation %d: %d was completed", state.generation, given.last_generation
        )
        return NO_WORK
    return state.assignment


def _union(works: Iterable[Work]) -> Work:
    result = NO_WORK
    for work in works:
        result |= work
    return result


def _duplicated(works: Iterable[Work]) -> Work:
    connectors, tasks = Counter[str](), Counter[ConnectorTaskId]()
    for work in works:
        connectors.update(work.connectors)
        tasks.update(work.tasks)
    return Work.of((c for c, n in connectors.items() if n > 1), (t for t, n in tasks.items() if n > 1))


# --- lost work


def _handle_lost(state: AssignorState, given: RoundInput, lost: Work, loads: _Loads) -> tuple[AssignorState, Work]:
    """Decide what becomes of lost work: the state with its delay, and what is to be given away as if it were new."""
    lost -= loads.give_back(given.returned, lost)
    if not lost and (not state.revoked_before or state.scheduled <= 0):
        return _without_delay(state), NO_WORK
    if state.scheduled <= 0 and not given.departed and state.members <= given.members.keys():
        # Nobody has left: a member did not receive what it was given. There is nothing to wait for.
        return state, lost
    if given.max_delay == 0:
        return _without_delay(state), lost
    if 0 < state.scheduled <= given.now:
        candidates = sorted(state.candidates & given.members.keys())
        left = loads.give_share(lost, [c for c in candidates if not given.members[c]], given.configured)
        # The full delay has passed: revoking is allowed again, whatever happened before it.
        return replace(_without_delay(state), revoked_before=False), left
    empty = {member for member, own in given.members.items() if not own}
    delay = min(state.scheduled - given.now, given.max_delay) if state.scheduled > 0 else given.max_delay
    return (
        replace(state, candidates=state.candidates | empty, delay=delay, scheduled=given.now + delay),
        NO_WORK,
    )


def _without_delay(state: AssignorState) -> AssignorState:
    return replace(state, candidates=frozenset(), scheduled=0, delay=0)


# --- balance


def _balance(state: AssignorState, given: RoundInput, loads: _Loads, revoked: dict[str, Work]) -> AssignorState:
    """Take work from those with more than their share, into `revoked`. Not while a delay runs: who comes back might get
    it right then."""
    if state.delay > 0:
        return state
    surplus = loads.surplus(given.configured)
    if not surplus:
        return replace(state, revoked_before=False, revoking_rounds=0) if state.revoked_before else state
    if state.revoked_before:
        # Two rounds in a row that take work away: wait longer each time, lest members joining and leaving keep
        # everything stopped.
        state = replace(state, revoking_rounds=state.revoking_rounds + 1)
        delay = _backoff(state.revoking_rounds, given.max_delay)
        if delay > 0:
            return replace(state, delay=delay, scheduled=given.now + delay)
    for member, work in surplus.items():
        revoked[member] |= work
        loads.take(member, work)
    return replace(state, revoked_before=True)


def _backoff(rounds: int, max_delay: int) -> int:
    # The exponent is bounded so that the number is; 40^6 ms is over a month.
    return int(min(_BACKOFF_MS * _BACKOFF_FACTOR ** min(rounds, 6), max_delay))


@dataclass(slots=True)
class _Loads:
    """The work that each member will run; changed in the course of a round."""

    _initial: Mapping[str, Work]
    _connectors: dict[str, set[str]] = field(init=False)
    _tasks: dict[str, set[ConnectorTaskId]] = field(init=False)

    def __post_init__(self) -> None:
        self._connectors = {member: set(work.connectors) for member, work in self._initial.items()}
        self._tasks = {member: set(work.tasks) for member, work in self._initial.items()}

    def work(self) -> dict[str, Work]:
        return {member: Work.of(self._connectors[member], self._tasks[member]) for member in self._initial}

    def take(self, member: str, work: Work) -> None:
        self._connectors[member] -= work.connectors
        self._tasks[member] -= work.tasks

    def give(self, work: Work) -> None:
        """Give each item to the member that has least, among equals to the one with fewest of the same connector."""
        _give(self._connectors, sorted(work.connectors), lambda connector: connector)
        _give(self._tasks, sorted(work.tasks), lambda task: task.connector)

    def give_back(self, owners: Mapping[str, Work], work: Work) -> Work:
        """Give owners what of `work` is theirs; return what that was."""
        given = NO_WORK
        for member, own in owners.items():
            back = own & work
            self._connectors[member] |= back.connectors
            self._tasks[member] |= back.tasks
            given |= back
        return given

    def give_share(self, work: Work, members: Sequence[str], configured: Work) -> Work:
        """Give `work` to `members` up to their fair share of all that is configured; return what is left."""
        connectors = _share(self._connectors, members, sorted(work.connectors), len(configured.connectors))
        tasks = _share(self._tasks, members, sorted(work.tasks), len(configured.tasks))
        return Work.of(connectors, tasks)

    def surplus(self, configured: Work) -> dict[str, Work]:
        """Return what members with more than their share must give, by member."""
        connectors = _surplus(self._connectors, len(configured.connectors), lambda connector: connector)
        tasks = _surplus(self._tasks, len(configured.tasks), lambda task: task.connector)
        return {
            member: Work.of(connectors.get(member, ()), tasks.get(member, ()))
            for member in self._initial
            if member in connectors or member in tasks
        }


def _give(loads: dict[str, set[_T]], items: Iterable[_T], connector_of: Callable[[_T], str]) -> None:
    if not loads:
        return
    sizes = [(len(own), member) for member, own in loads.items()]
    heapq.heapify(sizes)
    for item in items:
        # Among members with least, take the one with fewest of the connector.
        least = sizes[0][0]
        equal = []
        while sizes and sizes[0][0] == least:
            equal.append(heapq.heappop(sizes)[1])
        name = connector_of(item)
        chosen = min(equal, key=lambda member: (sum(connector_of(i) == name for i in loads[member]), member))
        loads[chosen].add(item)
        for member in equal:
            heapq.heappush(sizes, (len(loads[member]), member))


def _share(loads: dict[str, set[_T]], members: Sequence[str], items: Iterable[_T], total: int) -> list[_T]:
    share = -(-total // len(loads))
    left = []
    for item in items:
        room = [member for member in members if len(loads[member]) < share]
        if room:
            loads[min(room, key=lambda member: (len(loads[member]), member))].add(item)
        else:
            left.append(item)
    return left


def _surplus(loads: dict[str, set[_T]], total: int, connector_of: Callable[[_T], str]) -> dict[str, list[_T]]:
    """Return the shares of `total`: each member gets `least`, some one more, first those that have one more already."""
    least, extras = divmod(total, len(loads))
    taken_of: Counter[str] = Counter()
    surplus: dict[str, list[_T]] = {}
    # Members with most keep an extra item first; it makes no difference to how much moves.
    for member in sorted(loads, key=lambda member: (-len(loads[member]), member)):
        excess = len(loads[member]) - least
        if excess <= 0:
            continue
        if extras > 0:
            extras -= 1
            excess -= 1
        if excess > 0:
            surplus[member] = _pick(loads[member], excess, connector_of, taken_of)
    return surplus


def _pick(own: Iterable[_T], count: int, connector_of: Callable[[_T], str], taken_of: Counter[str]) -> list[_T]:
    """Return `count` items of `own`, from the connectors it has most of, and not always the same ones over all members."""
    by_connector: dict[str, list[_T]] = {}
    for item in sorted(own, reverse=True):
        by_connector.setdefault(connector_of(item), []).append(item)
    picked = []
    for _ in range(count):
        name = min(by_connector, key=lambda name: (taken_of[name] - len(by_connector[name]), name))
        picked.append(by_connector[name].pop(0))
        taken_of[name] += 1
        if not by_connector[name]:
            del by_connector[name]
    return picked


def assign_eagerly(configured: Work, members: Iterable[str]) -> dict[str, Work]:
    """Deal out all of `configured` round-robin, connectors first (``EagerAssignor``), for the sub-protocol ``default``.

    It is each member's whole work: whatever else a member runs it must stop, also when the group comes down from a
    cooperative protocol (KAFKA-13816).
    """
    order = sorted(members)
    connectors: dict[str, list[str]] = {member: [] for member in order}
    tasks: dict[str, list[ConnectorTaskId]] = {member: [] for member in order}
    turn = 0
    for connector in sorted(configured.connectors):
        connectors[order[turn % len(order)]].append(connector)
        turn += 1
    for task in sorted(configured.tasks):
        tasks[order[turn % len(order)]].append(task)
        turn += 1
    return {member: Work.of(connectors[member], tasks[member]) for member in order}
