"""Counts of the registry's answers and the time they took, for each endpoint (rest-utils' ``jersey-metrics``)."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from itertools import islice
from typing import Final

from penstock.measurements import Measurement, Windows
from penstock_registry.server.http.endpoints import ENDPOINTS

__all__ = ["AnswerMeter"]

GROUP: Final = "schema-registry"
#: Percentiles are those of so many answers at most, the last ones.
_RECENT: Final = 1000
_STATUSES: Final = ("4xx", "5xx")


class _Failures:
    """Answers that refused a request, of one kind of status."""

    __slots__ = ("lately", "total")

    def __init__(self, windows: Windows) -> None:
        self.total = 0
        self.lately = windows.window()


class _Endpoint:
    __slots__ = ("failures", "latency", "recent", "total")

    def __init__(self, windows: Windows) -> None:
        self.total = 0
        #: Milliseconds.
        self.latency = windows.window()
        self.recent: deque[float] = deque(maxlen=_RECENT)
        self.failures = {status: _Failures(windows) for status in _STATUSES}


class AnswerMeter:
    """Safe from any thread. An answer costs about a microsecond: what can be summed up later is summed up in `measurements`."""

    def __init__(self, windows: Windows | None = None) -> None:
        windows = windows or Windows()
        self._lock = threading.Lock()
        #: The empty name stands for paths that no endpoint has.
        self._endpoints = {name: _Endpoint(windows) for name in (*ENDPOINTS, "")}

    def answered(self, endpoint: str, status: int, seconds: float) -> None:
        """Note an answer of `endpoint`, one of `ENDPOINTS` or empty, which took `seconds`."""
        took = seconds * 1000
        with self._lock:
            found = self._endpoints[endpoint]
            found.total += 1
            found.latency.record(took)
            found.recent.append(took)
            if status >= 400:
                failures = found.failures["5xx" if status >= 500 else "4xx"]
                failures.total += 1
                failures.lately.record(1)

    def measurements(self) -> list[Measurement]:
        """Return everything that is measured here, as of now."""
        with self._lock:
            everything = list(self._endpoints.values())
            failed = sum(failures.total for one in everything for failures in one.failures.values())
            found = [
                Measurement(GROUP, "api-success-count", sum(one.total for one in everything) - failed),
                Measurement(GROUP, "api-failure-count", failed),
            ]
            found += _measurements("jersey-metrics", everything)
            for name, endpoint in self._endpoints.items():
                if name:
                    found += _measurements(f"jersey-metrics.{name}", [endpoint])
        return found


def _measurements(prefix: str, endpoints: Sequence[_Endpoint]) -> Iterator[Measurement]:
    """Give what is measured of `endpoints` together."""
    counts = [endpoint.latency.count for endpoint in endpoints]
    lately = sum(counts)
    summed = sum(one.latency.average * count for one, count in zip(endpoints, counts, strict=True) if count)
    recent = sorted(took for one, n in zip(endpoints, counts, strict=True) for took in _last(one.recent, n))
    values = {
        "request-total": sum(one.total for one in endpoints),
        "request-count": lately,
        "request-rate": sum(one.latency.rate for one in endpoints),
        "request-latency-avg": summed / lately if lately else math.nan,
        "request-latency-max": max(
            (one.latency.largest for one, n in zip(endpoints, counts, strict=True) if n), default=math.nan
        ),
        "request-latency-95": _percentile(recent, 0.95),
        "request-latency-99": _percentile(recent, 0.99),
    }
    for name, value in values.items():
        yield Measurement(GROUP, f"{prefix}.{name}", value)
    for status in _STATUSES:
        failures = [one.failures[status] for one in endpoints]
        tags = {"http_status_code": status}
        yield Measurement(GROUP, f"{prefix}.request-error-total", sum(one.total for one in failures), tags)
        yield Measurement(GROUP, f"{prefix}.request-error-rate", sum(one.lately.rate for one in failures), tags)


def _last(values: deque[float], count: int) -> Iterable[float]:
    return islice(values, max(0, len(values) - count), None)


def _percentile(ordered: Sequence[float], part: float) -> float:
    """Return the smallest value that at least `part` of all do not exceed; NaN of nothing."""
    return ordered[math.ceil(part * len(ordered)) - 1] if ordered else math.nan
