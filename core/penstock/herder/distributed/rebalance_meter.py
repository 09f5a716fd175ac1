"""Measurements of a worker's group (``WorkerRebalanceMetricsGroup``, ``WorkerCoordinatorMetrics``)."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from typing import Final

from penstock.herder.distributed.membership import GroupView
from penstock.herder.distributed.standing import Standing
from penstock.measurements import Measurement, Windows

__all__ = ["RebalanceMeter"]

_UNDER_WAY: Final = frozenset({Standing.JOINING, Standing.TAKING_UP})


class RebalanceMeter:
    """Hears how the worker stands in its group. Safe from any thread.

    A rebalance lasts from the news of it until all that the worker was given runs.
    """

    def __init__(self, windows: Windows, client_id: str) -> None:
        self._clock, self._client_id = windows.clock, client_id
        self._lock = threading.Lock()
        self._took = windows.window()
        self._completed = self._failed = 0
        self._began: float | None = None
        self._ended: float | None = None

    def changed(self, before: Standing, after: Standing) -> None:
        """Note that the worker's standing has changed."""
        with self._lock:
            now = self._clock()
            if after in _UNDER_WAY:
                if self._began is None:
                    self._began = now
            elif self._began is not None:
                if after is Standing.SETTLED:
                    self._completed += 1
                    self._took.record((now - self._began) * 1000)
                    self._ended = now
                else:
                    self._failed += 1
                self._began = None

    def measurements(self, view: GroupView) -> Iterator[Measurement]:
        """Give what is known now. `view` is the group's latest generation."""
        with self._lock:
            now = self._clock()
            since = float("nan") if self._ended is None else now - self._ended
            average, longest = self._took.average, self._took.largest
            completed, failed, rebalancing = self._completed, self._failed, self._began is not None
        values: dict[str, float | str] = {
            "connect-protocol": view.protocol,
            "leader-name": view.leader_url or "",
            "epoch": view.generation,
            "completed-rebalances-total": completed,
            "rebalancing": int(rebalancing),
            "rebalance-avg-time-ms": average,
            "rebalance-max-time-ms": longest,
            "time-since-last-rebalance-ms": since * 1000,
        }
        for name, value in values.items():
            yield Measurement("connect-worker-rebalance-metrics", name, value)
        client = {"client-id": self._client_id}
        own = {
            "assigned-connectors": len(view.assignment.connectors),
            "assigned-tasks": len(view.assignment.tasks),
            "rebalance-total": completed,
            "failed-rebalance-total": failed,
            "rebalance-latency-avg": average,
            "rebalance-latency-max": longest,
            "last-rebalance-seconds-ago": since,
        }
        for name, number in own.items():
            yield Measurement("connect-coordinator-metrics", name, number, client)
