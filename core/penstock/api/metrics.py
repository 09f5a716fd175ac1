"""Metrics of plugins' own (KIP-877): what a plugin measures beside what the worker measures of it.

Every connector, task, converter, header converter, transform and predicate has `metrics`, from its first line on::

    class OrdersTask(SourceTask):
        def start(self, props):
            self._calls = self.metrics.counter("api-calls-total", "Requests to the shop's API")
            self.metrics.gauge("open-orders", lambda: len(self._orders))

``GET /metrics`` shows them as ``kafka_connect_plugins_<name>`` with the labels ``connector`` and ``task``, a converter's
with ``converter``, a transform's with ``transform``, a predicate's with ``predicate``, and the plugin's own tags.
"""

from __future__ import annotations

import enum
import logging
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final, NamedTuple, overload

from penstock.measurements import Measurement, Window, Windows

__all__ = ["Counter", "Measured", "MetricName", "PluginMetrics", "Sensor", "Stat"]

_log: Final = logging.getLogger(__name__)
#: The type of the beans that plugins' metrics are in.
_GROUP: Final = "plugins"


class MetricName(NamedTuple):
    """Names a metric of one plugin. `tags` are in the order in which they were given."""

    name: str
    description: str = ""
    tags: tuple[tuple[str, str], ...] = ()


class Stat(enum.Enum):
    """The statistics that a `Sensor` can keep (``org.apache.kafka.common.metrics.stats``)."""

    TOTAL = "the sum of all values"
    COUNT = "how many values there were"
    AVG = "the average of the latest values"
    MAX = "the largest of the latest values"
    MIN = "the smallest of the latest values"
    RATE = "the sum of the latest values per second"


class Counter:
    """Counts upwards. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._count = 0.0

    def add(self, count: float = 1) -> None:
        """Add `count`, which is not negative."""
        if count < 0:
            raise ValueError(f"a counter cannot go down, by {count}")
        with self._lock:
            self._count += count

    def read(self) -> float:
        with self._lock:
            return self._count


class Sensor:
    """Takes values and keeps statistics of them (``org.apache.kafka.common.metrics.Sensor``). Safe from any thread."""

    def __init__(self, metrics: PluginMetrics) -> None:
        self._metrics = metrics
        self._lock = threading.Lock()
        self._window = Windows().window()
        self._total = self._count = 0.0
        self._names: list[MetricName] = []

    def record(self, value: float = 1.0) -> None:
        with self._lock:
            self._total += value
            self._count += 1
            self._window.record(value)

    def add(self, name: MetricName, stat: Stat) -> None:
        """Show a statistic of the values under `name`. Raises `ValueError` if there is a metric of that name."""
        self._metrics.add_metric(name, lambda: self._read(stat))
        self._names.append(name)

    def _read(self, stat: Stat) -> float:
        reads: dict[Stat, Callable[[Window], float]] = {
            Stat.TOTAL: lambda _: self._total,
            Stat.COUNT: lambda _: self._count,
            Stat.AVG: lambda window: window.average,
            Stat.MAX: lambda window: window.largest,
            Stat.MIN: lambda window: window.smallest,
            Stat.RATE: lambda window: window.rate,
        }
        with self._lock:
            return reads[stat](self._window)

    def close(self) -> None:
        """Take the sensor's metrics away."""
        for name in self._names:
            self._metrics.remove_metric(name)
        self._names = []


class PluginMetrics:
    """The metrics of one plugin (``org.apache.kafka.common.metrics.PluginMetrics``). Safe from any thread.

    They go with the plugin. A metric costs nothing until somebody reads it, so `gauge` should be given a call that is
    cheap; what it raises is logged once, and the metric is left out of that answer.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._metrics: dict[MetricName, Callable[[], float | str]] = {}
        self._sensors: dict[str, Sensor] = {}
        self._complained: set[MetricName] = set()

    def metric_name(self, name: str, description: str = "", tags: Mapping[str, str] | None = None) -> MetricName:
        """Return the name of a metric. Names are in Kafka's style: ``api-calls-total``."""
        return MetricName(name, description, tuple((tags or {}).items()))

    def add_metric(self, name: MetricName, provider: Callable[[], float | str]) -> None:
        """Show what `provider` returns whenever the metrics are read, from any thread. Raises `ValueError` for a name
        that is taken."""
        with self._lock:
            if name in self._metrics:
                raise ValueError(f"A metric named {name.name} with tags {dict(name.tags)} exists already")
            self._metrics[name] = provider

    def remove_metric(self, name: MetricName) -> None:
        """Take a metric away. Raises `ValueError` if there is none of that name."""
        with self._lock:
            if self._metrics.pop(name, None) is None:
                raise ValueError(f"There is no metric named {name.name} with tags {dict(name.tags)}")

    def add_sensor(self, name: str) -> Sensor:
        """Return a new sensor. Raises `ValueError` for a name that is taken."""
        with self._lock:
            if name in self._sensors:
                raise ValueError(f"A sensor named {name} exists already")
            sensor = self._sensors[name] = Sensor(self)
        return sensor

    def remove_sensor(self, name: str) -> None:
        """Take a sensor and its metrics away. Raises `ValueError` if there is none of that name."""
        with self._lock:
            sensor = self._sensors.pop(name, None)
        if sensor is None:
            raise ValueError(f"There is no sensor named {name}")
        sensor.close()

    def counter(self, name: str, description: str = "", tags: Mapping[str, str] | None = None) -> Counter:
        """Return a new counter that is shown under `name`."""
        counter = Counter()
        self.add_metric(self.metric_name(name, description, tags), counter.read)
        return counter

    def gauge(
        self,
        name: str,
        provider: Callable[[], float | str],
        description: str = "",
        tags: Mapping[str, str] | None = None,
    ) -> None:
        """Show what `provider` returns under `name`; see `add_metric`."""
        self.add_metric(self.metric_name(name, description, tags), provider)

    def measurements(self, tags: Mapping[str, str]) -> Iterator[Measurement]:
        """Give the metrics' values; `tags` are the worker's and win over the plugin's own."""
        with self._lock:
            metrics = list(self._metrics.items())
        for name, provider in metrics:
            try:
                value = provider()
            except Exception as error:
                self._complain(name, error)
                continue
            yield Measurement(_GROUP, name.name, value, {**dict(name.tags), **tags})

    def _complain(self, name: MetricName, error: Exception) -> None:
        with self._lock:
            known = name in self._complained
            self._complained.add(name)
        if not known:
            _log.warning("The plugin's metric %s cannot be read: %s", name.name, error)


class _Metrics:
    """Makes a plugin's `PluginMetrics` when they are first asked for; a plugin's own attribute of the name wins."""

    @overload
    def __get__(self, plugin: None, owner: type) -> _Metrics: ...
    @overload
    def __get__(self, plugin: object, owner: type) -> PluginMetrics: ...
    def __get__(self, plugin: object | None, owner: type) -> _Metrics | PluginMetrics:
        if plugin is None:
            return self
        made: PluginMetrics = plugin.__dict__.setdefault("metrics", PluginMetrics())
        return made


class Measured:
    """A plugin that may have metrics of its own."""

    #: The plugin's metrics (KIP-877): there from the first use, in ``__init__`` and `configure` too.
    metrics = _Metrics()
