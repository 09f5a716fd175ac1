"""A worker's standing in its group: the table of states and events as data."""

from __future__ import annotations

import itertools

import pytest

from penstock.herder.distributed.standing import TRANSITIONS, Event, Standing, StandingKeeper

S, E = Standing, Event

#: What happens, and the standing after each of it.
STORIES: dict[str, list[tuple[Event, Standing]]] = {
    "a round": [(E.JOIN, S.JOINING), (E.REBALANCE, S.JOINING), (E.ASSIGNED, S.TAKING_UP), (E.TAKEN_UP, S.SETTLED)],
    "a round that follows at once": [
        (E.ASSIGNED, S.TAKING_UP),
        (E.REBALANCE, S.JOINING),
        (E.TAKEN_UP, S.JOINING),  # late: the work was dealt out anew meanwhile
        (E.ASSIGNED, S.TAKING_UP),
        (E.TAKEN_UP, S.SETTLED),
    ],
    "work was revoked": [(E.ASSIGNED, S.TAKING_UP), (E.REJOIN, S.JOINING), (E.ASSIGNED, S.TAKING_UP)],
    "lost while it was taken up": [
        (E.ASSIGNED, S.TAKING_UP),
        (E.LOSE, S.LOST),
        (E.TAKEN_UP, S.LOST),
        (E.REJOIN, S.LOST),
        (E.REBALANCE, S.LOST),
        (E.ASSIGNED, S.TAKING_UP),
    ],
    "lost before it could leave to read the topic": [
        (E.ASSIGNED, S.TAKING_UP),
        (E.LOSE, S.LOST),
        (E.FALL_BEHIND, S.LOST),
        (E.ASSIGNED, S.TAKING_UP),
    ],
    "behind with the topic": [
        (E.ASSIGNED, S.TAKING_UP),
        (E.FALL_BEHIND, S.BEHIND),
        (E.FALL_BEHIND, S.BEHIND),
        (E.REJOIN, S.JOINING),
        (E.ASSIGNED, S.TAKING_UP),
        (E.TAKEN_UP, S.SETTLED),
    ],
    "nothing to lose before the first assignment": [(E.LOSE, S.OUTSIDE), (E.JOIN, S.JOINING)],
    "stopped for good": [(E.ASSIGNED, S.TAKING_UP), (E.STOP, S.STOPPED), (E.ASSIGNED, S.STOPPED), (E.JOIN, S.STOPPED)],
}


@pytest.mark.parametrize("story", STORIES.values(), ids=STORIES)
def test_what_happens_leads_through_the_table(story: list[tuple[Event, Standing]]) -> None:
    keeper = StandingKeeper()
    assert [(event, keeper.on(event)) for event, _ in story] == story
    assert keeper.now is story[-1][1]


def test_every_event_has_an_answer_in_every_state() -> None:
    assert set(TRANSITIONS) == set(itertools.product(Standing, Event))


def test_a_worker_has_settled_only_after_it_took_up_what_it_was_given() -> None:
    into = {
        (state, event) for (state, event), after in TRANSITIONS.items() if after is S.SETTLED and state is not S.SETTLED
    }
    assert into == {(S.TAKING_UP, E.TAKEN_UP)}


def test_only_an_assignment_lets_a_worker_start_work_again_after_a_loss() -> None:
    out = {event: after for (state, event), after in TRANSITIONS.items() if state is S.LOST and after is not S.LOST}
    assert out == {E.ASSIGNED: S.TAKING_UP, E.STOP: S.STOPPED}


def test_a_stop_is_the_end() -> None:
    assert {after for (state, event), after in TRANSITIONS.items() if S.STOPPED in (state,) or event is E.STOP} == {
        S.STOPPED
    }


@pytest.mark.parametrize("standing", Standing)
def test_work_may_start_unless_it_was_lost_or_all_is_over(standing: Standing) -> None:
    path = {S.OUTSIDE: [], S.JOINING: [E.JOIN], S.TAKING_UP: [E.ASSIGNED], S.SETTLED: [E.ASSIGNED, E.TAKEN_UP],
            S.BEHIND: [E.JOIN, E.FALL_BEHIND], S.LOST: [E.JOIN, E.LOSE], S.STOPPED: [E.STOP]}[standing]  # fmt: skip
    keeper = StandingKeeper()
    for event in path:
        keeper.on(event)
    assert keeper.now is standing
    assert keeper.may_start() == (standing not in (S.LOST, S.STOPPED))
