"""Counts of the registry's answers and the time they took, for each endpoint (rest-utils' ``jersey-metrics``)."""

from __future__ import annotations

import math
import threading
from collections import deque
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from penstock.measurements import Measurement, Windows
from penstock_registry.server.http.endpoints import ENDPOINTS

__all__ = ["AnswerMeter"]

GROUP: Final = "schema-registry"
#: Percentiles are those of so many answers at most, the last ones.
_RECENT: Final = 1000
_STATUSES: Final = ("4xx", "5xx")


class _Sample(NamedTuple):
    """The answers of a while that began at `start`: how many, and how long all took together and the slowest, in seconds."""

    start: float
    answers: int
    took: float
    slowest: float


class _Failures:
    """Answers that refused a request, of one kind of status."""

    __slots__ = ("lately", "total")

    def __init__(self, windows: Windows) -> None:
        self.total = 0
        self.lately = windows.window()


class _Endpoint:
    """`penstock.measurements.Window` for a quick answer, which costs a third of a microsecond here.

    One thread writes, the server's loop, so that it needs no lock. Others read each number once, and may be an answer behind.
    """

    __slots__ = ("before", "count", "failures", "past", "recent", "sample_s", "slowest", "start", "took", "until")

    def __init__(self, windows: Windows) -> None:
        self.sample_s = windows.sample_s
        #: The answers of all samples that are over.
        self.before = 0
        self.past: deque[_Sample] = deque(maxlen=windows.samples)
        self.recent: deque[float] = deque(maxlen=_RECENT)
        self.failures = {status: _Failures(windows) for status in _STATUSES}
        self.start = self.until = -math.inf
        self.count, self.took, self.slowest = 0, 0.0, 0.0

    def note(self, now: float, took: float) -> None:
        if now >= self.until:
            self._begin_sample(now)
        self.count += 1
        self.took += took
        if took > self.slowest:
            self.slowest = took
        self.recent.append(took)

    def _begin_sample(self, now: float) -> None:
        self.past.append(self._sample())
        self.before += self.count
        self.count, self.took, self.slowest = 0, 0.0, 0.0
        self.start, self.until = now, now + self.sample_s

    def _sample(self) -> _Sample:
        return _Sample(self.start, self.count, self.took, self.slowest)

    @property
    def total(self) -> int:
        return self.before + self.count

    def samples_since(self, oldest: float) -> list[_Sample]:
        return [sample for sample in (*self.past.copy(), self._sample()) if sample.start > oldest and sample.answers]


class AnswerMeter:
    """`answered` is for one thread, that of the server's loop; everything else is safe from any."""

    def __init__(self, windows: Windows | None = None) -> None:
        windows = windows or Windows()
        self.clock = windows.clock
        self._windows = windows
        #: Guards failures, which are few.
        self._lock = threading.Lock()
        #: The empty name stands for paths that no endpoint has.
        self._endpoints = {name: _Endpoint(windows) for name in (*ENDPOINTS, "")}

    def answered(self, endpoint: str, status: int, began: float) -> None:
        """Note an answer of `endpoint`, one of `ENDPOINTS` or empty, to a request that came at `began`, by `clock`."""
        now = self.clock()
        found = self._endpoints[endpoint]
        found.note(now, now - began)
        if status >= 400:
            failures = found.failures["5xx" if status >= 500 else "4xx"]
            with self._lock:
                failures.total += 1
                failures.lately.record(1)

    def measurements(self) -> list[Measurement]:
        """Return everything that is measured here, as of now."""
        everything = list(self._endpoints.values())
        with self._lock:
            failed = sum(failures.total for one in everything for failures in one.failures.values())
            found = [
                Measurement(GROUP, "api-success-count", sum(one.total for one in everything) - failed),
                Measurement(GROUP, "api-failure-count", failed),
                *self._of("jersey-metrics", everything),
            ]
            for name, endpoint in self._endpoints.items():
                if name:
                    found += self._of(f"jersey-metrics.{name}", [endpoint])
        return found

    def _of(self, prefix: str, endpoints: Sequence[_Endpoint]) -> Iterator[Measurement]:
        """Give what is measured of `endpoints` together."""
        now, windows = self.clock(), self._windows
        lately = [one.samples_since(now - windows.sample_s * windows.samples) for one in endpoints]
        samples = [sample for one in lately for sample in one]
        count = sum(sample.answers for sample in samples)
        recent = sorted(
            took
            for one, found in zip(endpoints, lately, strict=True)
            for took in _last(one.recent.copy(), sum(sample.answers for sample in found))
        )
        # A first sample counts, as in `Window.rate`, as if all before it had passed without an answer.
        least = windows.sample_s * max(1, windows.samples - 1)
        passed = max(now - min((sample.start for sample in samples), default=now), least, 1e-3)
        values = {
            "request-total": sum(one.total for one in endpoints),
            "request-count": count,
            "request-rate": count / passed,
            "request-latency-avg": sum(sample.took for sample in samples) / count * 1000 if count else math.nan,
            "request-latency-max": max((sample.slowest for sample in samples), default=math.nan) * 1000,
            "request-latency-95": _percentile(recent, 0.95) * 1000,
            "request-latency-99": _percentile(recent, 0.99) * 1000,
        }
        for name, value in values.items():
            yield Measurement(GROUP, f"{prefix}.{name}", value)
        for status in _STATUSES:
            failures = [one.failures[status] for one in endpoints]
            tags = {"http_status_code": status}
            yield Measurement(GROUP, f"{prefix}.request-error-total", sum(one.total for one in failures), tags)
            yield Measurement(GROUP, f"{prefix}.request-error-rate", sum(one.lately.rate for one in failures), tags)


def _last(values: deque[float], count: int) -> Sequence[float]:
    return list(values)[max(0, len(values) - count) :]


def _percentile(ordered: Sequence[float], part: float) -> float:
    """Return the smallest value that at least `part` of all do not exceed; NaN of nothing."""
    return ordered[math.ceil(part * len(ordered)) - 1] if ordered else math.nan
