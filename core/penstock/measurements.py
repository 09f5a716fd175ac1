"""Measurements in Kafka's words, and the statistics that Kafka makes of them. No metrics library in here.

A `Measurement` is one value of one metric at this moment. Those who count make them when somebody asks;
`penstock.http.prometheus` writes them down.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

__all__ = ["Measurement", "Window", "Windows"]

_NO_TAGS: Final[Mapping[str, str]] = {}


class Measurement(NamedTuple):
    """One value of one of Kafka's metrics: ``kafka.connect:type=GROUP,TAG=VALUE,...`` has the attribute `name`."""

    #: The MBean's type, such as ``source-task-metrics``.
    group: str
    name: str
    #: A number, or a text such as a status or a class name.
    value: float | str
    tags: Mapping[str, str] = _NO_TAGS


@dataclass(frozen=True, slots=True)
class Windows:
    """The time that averages, maxima and rates look back (``metrics.num.samples``, ``metrics.sample.window.ms``)."""

    sample_s: float = 30.0
    samples: int = 2
    clock: Callable[[], float] = time.monotonic

    def window(self) -> Window:
        return Window(self)


class _Sample:
    __slots__ = ("count", "largest", "smallest", "start", "total")

    def __init__(self, start: float) -> None:
        self.start = start
        self.count, self.total = 0, 0.0
        self.smallest, self.largest = math.inf, -math.inf


class Window:
    """Statistics of the values of the last while (``org.apache.kafka.common.metrics.stats.SampledStat``).

    Values are kept in samples of `Windows.sample_s` seconds, and the last `Windows.samples` of these count. Without a
    value an average, a maximum and a minimum are NaN, as in Kafka, and a rate is 0. It has no lock: its owner has one.
    """

    __slots__ = ("_samples", "_settings")

    def __init__(self, settings: Windows) -> None:
        self._settings = settings
        self._samples: deque[_Sample] = deque(maxlen=settings.samples + 1)

    def record(self, value: float) -> None:
        now = self._settings.clock()
        samples = self._samples
        if not samples or now - samples[-1].start >= self._settings.sample_s:
            samples.append(_Sample(now))
        sample = samples[-1]
        sample.count += 1
        sample.total += value
        if value < sample.smallest:
            sample.smallest = value
        if value > sample.largest:
            sample.largest = value

    def _live(self) -> list[_Sample]:
        oldest = self._settings.clock() - self._settings.sample_s * self._settings.samples
        return [sample for sample in self._samples if sample.start > oldest]

    @property
    def count(self) -> int:
        return sum(sample.count for sample in self._live())

    @property
    def average(self) -> float:
        live = self._live()
        count = sum(sample.count for sample in live)
        return sum(sample.total for sample in live) / count if count else math.nan

    @property
    def largest(self) -> float:
        return max((sample.largest for sample in self._live()), default=math.nan)

    @property
    def smallest(self) -> float:
        return min((sample.smallest for sample in self._live()), default=math.nan)

    @property
    def rate(self) -> float:
        """The sum of the values per second. A first sample counts as if all before it had passed without a value."""
        live = self._live()
        if not live:
            return 0.0
        least = self._settings.sample_s * max(1, self._settings.samples - 1)
        return sum(sample.total for sample in live) / max(self._settings.clock() - live[0].start, least, 1e-3)
