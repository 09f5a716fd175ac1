"""A source and a transform with metrics of their own (KIP-877), and a reader of ``GET /metrics``."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from prometheus_client.parser import text_string_to_metric_families

from penstock.api import ExactlyOnceSupport, SourceConnector, SourceTask, Stat, Task, Transform
from penstock.config import ConfigDef
from penstock.data import SourceRecord, schema

__all__ = ["CountingTransform", "MeasuredSource", "MeasuredSourceTask", "Scrape", "scrape"]


class MeasuredSource(SourceConnector):
    """Each poll gives two records, ten times a second."""

    @classmethod
    def config_def(cls) -> ConfigDef:
        return ConfigDef()

    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport:
        return ExactlyOnceSupport.SUPPORTED

    def start(self, props: Mapping[str, str]) -> None:
        self._props = dict(props)
        self.context.plugin_metrics.gauge("tasks-wanted", lambda: 1.0)

    @property
    def task_class(self) -> type[Task]:
        return MeasuredSourceTask

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [self._props]

    def stop(self) -> None: ...


class MeasuredSourceTask(SourceTask):
    def start(self, props: Mapping[str, str]) -> None:
        self._topic, self._number = props["topic"], 0
        self._polls = self.context.plugin_metrics.counter("polls-total", "Calls of poll()", {"region": "north"})
        self._sizes = self.metrics.add_sensor("sizes")
        self._sizes.add(self.metrics.metric_name("size-max"), Stat.MAX)

    def poll(self) -> Sequence[SourceRecord]:
        time.sleep(0.1)
        self._polls.add()
        self._sizes.record(2)
        self._number += 2
        return [
            SourceRecord(
                topic=self._topic,
                value_schema=schema.STRING,
                value=f"{n}",
                source_partition={"source": "measured"},
                source_offset={"n": n},
            )
            for n in (self._number - 1, self._number)
        ]

    def stop(self) -> None: ...


class CountingTransform(Transform):
    """Passes records on and counts them."""

    version = "1.2"

    def configure(self, configs: Mapping[str, Any]) -> None:
        self._seen = self.metrics.counter("records-seen-total")

    def apply(self, record: Any) -> Any:
        self._seen.add()
        return record


class Scrape(NamedTuple):
    """One answer of ``GET /metrics``: each sample's value by its name and labels."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def names(self) -> set[str]:
        return {name for name, _ in self.samples}

    def values(self, name: str, **labels: str) -> list[float]:
        """Return the values of a metric's samples that have these labels, at least."""
        wanted = set(labels.items())
        return [value for (known, found), value in self.samples.items() if known == name and wanted <= found]

    def value(self, name: str, **labels: str) -> float:
        """Return the value of the one sample that has these labels."""
        (value,) = self.values(name, **labels)
        return value


def scrape(url: str, query: str = "") -> Scrape:
    """Ask a worker or registry for its metrics."""
    with urllib.request.urlopen(f"{url}/metrics{query}", timeout=30) as answer:
        return parse(answer.read().decode())


def parse(text: str) -> Scrape:
    """Read Prometheus' text form."""
    return Scrape(
        {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    )
