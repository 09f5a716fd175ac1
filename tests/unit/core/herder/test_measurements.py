"""What a herder measures of its worker's tasks and of its group."""

from __future__ import annotations

import math

from penstock.herder.distributed.membership import GroupView
from penstock.herder.distributed.protocol import Assignment
from penstock.herder.distributed.rebalance_meter import RebalanceMeter
from penstock.herder.distributed.standing import Event, StandingKeeper
from penstock.measurements import Windows
from penstock.runtime.status import ConnectorTaskId
from penstock.testing.harness import Clock

ASSIGNMENT = Assignment(0, "me", "http://me:8083/", 7, ("c",), (ConnectorTaskId("c", 0), ConnectorTaskId("c", 1)))
VIEW = GroupView(4, "me", "sessioned", ASSIGNMENT)


def read(meter: RebalanceMeter, view: GroupView = VIEW) -> dict[str, float | str]:
    return {measured.name: measured.value for measured in meter.measurements(view)}


def test_a_rebalance_is_under_way_until_all_that_was_given_runs() -> None:
    clock = Clock()
    meter = RebalanceMeter(Windows(30.0, 2, clock), "client")
    standing = StandingKeeper(meter.changed)
    assert read(meter)["rebalancing"] == 0
    standing.on(Event.JOIN)
    clock.advance(2)
    standing.on(Event.ASSIGNED)
    found = read(meter)
    assert (found["rebalancing"], found["completed-rebalances-total"]) == (1, 0)
    assert math.isnan(float(found["time-since-last-rebalance-ms"]))
    clock.advance(1)
    standing.on(Event.TAKEN_UP)
    clock.advance(5)
    found = read(meter)
    assert (found["rebalancing"], found["completed-rebalances-total"]) == (0, 1)
    assert found["rebalance-max-time-ms"] == found["rebalance-avg-time-ms"] == 3000
    assert found["time-since-last-rebalance-ms"] == 5000
    assert (found["connect-protocol"], found["leader-name"], found["epoch"]) == ("sessioned", "http://me:8083/", 4)
    assert (found["assigned-connectors"], found["assigned-tasks"]) == (1, 2)


def test_a_rebalance_that_loses_the_group_has_failed() -> None:
    meter = RebalanceMeter(Windows(), "client")
    standing = StandingKeeper(meter.changed)
    standing.on(Event.REBALANCE)
    standing.on(Event.LOSE)
    found = read(meter)
    assert (found["failed-rebalance-total"], found["rebalance-total"], found["rebalancing"]) == (1, 0, 0)
