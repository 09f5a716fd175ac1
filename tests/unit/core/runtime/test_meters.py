"""A task's meter: totals, the latest averages, maxima and rates, and the time spent in each state."""

from __future__ import annotations

import math

import pytest

from penstock.measurements import Windows
from penstock.runtime.meters import Spread, TaskMeter, Total
from penstock.runtime.status import ConnectorTaskId, State
from penstock.runtime.task_measurements import task_measurements
from penstock.testing.harness import Clock


def meter(clock: Clock) -> TaskMeter:
    return TaskMeter(windows=Windows(30.0, 2, clock), wall_clock=lambda: 1_700_000_000.0)


def test_what_is_older_than_the_samples_counts_no_more() -> None:
    clock = Clock()
    window = Windows(30.0, 2, clock).window()
    window.record(10)
    clock.advance(30)
    window.record(2)
    assert (window.average, window.largest, window.smallest) == (6, 10, 2)
    clock.advance(31)
    assert (window.average, window.largest, window.smallest) == (2, 2, 2)
    clock.advance(60)
    assert math.isnan(window.average)
    assert math.isnan(window.largest)
    assert window.rate == 0


def test_a_rate_is_over_the_time_that_the_samples_have_lasted() -> None:
    clock = Clock()
    window = Windows(30.0, 2, clock).window()
    window.record(60)
    assert window.rate == 2  # a first sample counts for all of its time
    clock.advance(40)
    window.record(60)
    assert window.rate == 3


def test_a_batch_is_told_once_and_moves_everything_that_it_should() -> None:
    told = meter(Clock())
    told.polled(500, 0.25)
    told.wrote(498, 12)
    assert told.total(Total.POLLED) == 500
    assert told.total(Total.WRITTEN) == 498
    assert told.active == 12
    assert told.look(Spread.POLL_MS, lambda window: window.average) == 250
    assert told.look(Spread.BATCH, lambda window: window.largest) == 500
    assert told.rate(Total.POLLED) == pytest.approx(500 / 30)


def test_records_that_a_sink_has_read_are_active_until_they_are_committed() -> None:
    told = meter(Clock())
    told.holds(0, 3)
    told.read(100, 60)
    told.read(50, 90)
    assert (told.active, told.partitions) == (150, 3)
    told.holds(20, 3)
    assert told.active == 20
    assert told.look(Spread.LAG, lambda window: window.largest) == 90


def test_the_time_in_each_state_is_a_part_of_the_tasks_life() -> None:
    clock = Clock()
    told = meter(clock)
    told.enter(State.RUNNING)
    clock.advance(6)
    told.enter(State.PAUSED)
    clock.advance(2)
    assert (told.ratio(State.RUNNING), told.ratio(State.PAUSED)) == (0.75, 0.25)


def test_the_part_of_commits_that_fail_and_the_time_of_the_last_error_are_kept() -> None:
    told = meter(Clock())
    for worked in (True, True, True, False):
        told.committed(worked, 0.01)
    told.add(Total.ERRORS)
    found = {m.name: m.value for m in task_measurements(ConnectorTaskId("c", 0), told, None)}
    assert found["offset-commit-success-percentage"] == 0.75
    assert found["offset-commit-failure-percentage"] == 0.25
    assert found["offset-commit-max-time-ms"] == 10
    assert found["last-error-timestamp"] == 1_700_000_000_000
    assert found["total-record-errors"] == 1


def test_no_commit_is_neither_a_success_nor_a_failure() -> None:
    found = {m.name: m.value for m in task_measurements(ConnectorTaskId("c", 0), meter(Clock()), None)}
    assert found["offset-commit-success-percentage"] == found["offset-commit-failure-percentage"] == 0
