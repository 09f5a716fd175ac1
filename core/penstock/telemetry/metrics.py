"""Metrics to a collector: what ``GET /metrics`` answers, under the same names, sent on an interval."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Final

from opentelemetry.sdk.metrics.export import (
    AggregationTemporality,
    Gauge,
    Metric,
    MetricExporter,
    MetricsData,
    NumberDataPoint,
    ResourceMetrics,
    ScopeMetrics,
    Sum,
)
from opentelemetry.sdk.resources import Resource
from opentelemetry.sdk.util.instrumentation import InstrumentationScope

from penstock.http.prometheus import Exposition

if TYPE_CHECKING:
    from prometheus_client import Metric as Family

__all__ = ["MetricsExport"]

_log: Final = logging.getLogger(__name__)
_TOTAL: Final = "_total"


class MetricsExport:
    """Sends everything that `exposition` has, every `interval_s` and once more at the end, in a thread of its own.

    Which metrics there are changes as connectors come and go, so that the SDK's instruments, which are made beforehand, do
    not fit: the data are put together here, and only sent by its exporter.
    """

    def __init__(
        self, exposition: Exposition, exporter: MetricExporter, resource: Resource, interval_s: float, timeout_s: float
    ) -> None:
        self._exposition, self._exporter, self._resource = exposition, exporter, resource
        self._interval_s, self._timeout_s = interval_s, timeout_s
        self._began = time.time_ns()
        self._stopping = threading.Event()
        self._thread = threading.Thread(target=self._run, name="otel-metrics", daemon=True)

    def start(self) -> None:
        self._thread.start()

    def finish(self) -> None:
        """Begin to send what there is a last time; returns at once."""
        self._stopping.set()

    def stop(self, patience_s: float) -> None:
        """Wait for the last sending, no longer than `patience_s`."""
        self.finish()
        if self._thread.is_alive():
            self._thread.join(patience_s)
        self._exporter.shutdown()

    def _run(self) -> None:
        while not self._stopping.wait(self._interval_s):
            self._export()
        self._export()

    def _export(self) -> None:
        try:
            self._exporter.export(self._data(), self._timeout_s * 1000)
        except Exception as error:  # one sending less; the next one tells the totals again
            _log.warning("Metrics could not be sent to the collector: %s: %s", type(error).__name__, error)

    def _data(self) -> MetricsData:
        metrics = list(_metrics(self._exposition.families(), self._began, time.time_ns()))
        scope = ScopeMetrics(InstrumentationScope("penstock"), metrics, "")
        return MetricsData([ResourceMetrics(self._resource, [scope], "")])


def _metrics(families: Iterable[Family], began: int, now: int) -> Iterator[Metric]:
    """Give OpenTelemetry's form of Prometheus' metrics: a counter is a cumulative sum, and everything else a gauge. A value
    that is not known (NaN) is left out."""
    for family in families:
        counts = family.type == "counter"
        wanted = family.name + _TOTAL if counts else family.name
        points = [
            NumberDataPoint(dict(sample.labels), began if counts else 0, now, sample.value)
            for sample in family.samples
            if sample.name == wanted and not math.isnan(sample.value)
        ]
        if points:
            data = Sum(points, AggregationTemporality.CUMULATIVE, True) if counts else Gauge(points)
            yield Metric(family.name, family.documentation, "", data)
