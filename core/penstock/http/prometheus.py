"""Measurements in Prometheus' text form, in the names that the JMX exporter gives them.

The rules are those of ``examples/kafka-connect.yml`` of prometheus/jmx_exporter: ``kafka_connect_<type>_<name>`` for a
bean ``kafka.connect:type=<type>-metrics``, ``kafka_<type>_<name>`` for clients and the worker's own beans
(``kafka_connect_worker_…``, ``kafka_producer_…``), tags as labels, a text as the label of a sample with value 1. What
these rules pass over has its name by the same pattern.
"""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from penstock.measurements import Measurement

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry, Metric

__all__ = ["CONTENT_TYPE", "Exposition", "gathered", "prometheus_name"]

CONTENT_TYPE: Final = "text/plain; version=0.0.4; charset=utf-8"
_OTHER: Final = re.compile(r"[^a-zA-Z0-9_]")
#: Types whose names are not put under ``kafka_connect_``.
_OWN_DOMAINS: Final = ("connect-", "producer", "consumer", "schema-registry")
#: The label that the rules give a client.
_LABELS: Final = {"client-id": "clientId", "node-id": "nodeId"}
#: The name that the rules give a task's status, besides that of the pattern.
_TASK_STATUS: Final = "kafka_connect_connector_status"


def prometheus_name(group: str, name: str) -> str:
    """Return the name of a metric of a bean's type: ``source-task-metrics``, ``poll-batch-avg-time-ms``."""
    kind = group.removesuffix("-metrics")
    domain = "kafka_" if kind.startswith(_OWN_DOMAINS) else "kafka_connect_"
    return domain + _OTHER.sub("_", f"{kind}_{name}").lower()


class Exposition:
    """Answers scrapes of one server. The library is imported with the first; safe from any thread."""

    def __init__(self, measure: Callable[[], Iterable[Measurement]]) -> None:
        self._measure = measure
        self._lock = threading.Lock()
        self._registry: CollectorRegistry | None = None

    def text(self) -> bytes:
        """Return everything that is measured now, the process' and Python's own metrics included."""
        from prometheus_client import generate_latest

        return generate_latest(self._known_registry())

    def families(self) -> Iterable[Metric]:
        """Return the same as the library's metrics."""
        return self._known_registry().collect()

    def _known_registry(self) -> CollectorRegistry:
        with self._lock:
            if self._registry is None:
                from prometheus_client import CollectorRegistry, GCCollector, PlatformCollector, ProcessCollector

                self._registry = CollectorRegistry()
                self._registry.register(self)
                ProcessCollector(registry=self._registry)
                PlatformCollector(registry=self._registry)
                GCCollector(registry=self._registry)
            return self._registry

    def describe(self) -> Iterable[Metric]:
        """Return nothing: which metrics there are is known when they are read."""
        return ()

    def collect(self) -> Iterator[Metric]:
        """Give the metrics that are measured now; called by the library."""
        families: dict[str, Metric] = {}
        for measured in self._measure():
            name = prometheus_name(measured.group, measured.name)
            _add(families, name, measured)
            if measured.name == "status" and measured.group == "connector-task-metrics":
                _add(families, _TASK_STATUS, measured)
        yield from families.values()


def gathered(label: str, texts: Mapping[str, str], own: Iterable[Measurement] = ()) -> bytes:
    """Return the answers of several servers as one, each sample with the server's name in `label`, and `own` beside them.

    `texts` are the answers by the servers' names. Raises ValueError for a text that is none of Prometheus' form.
    """
    from prometheus_client import Metric, generate_latest
    from prometheus_client.parser import text_string_to_metric_families

    families: dict[str, Metric] = {}
    for server, text in texts.items():
        for family in text_string_to_metric_families(text):
            known = families.get(family.name)
            if known is None:
                known = families[family.name] = Metric(family.name, family.documentation, family.type)
            for sample in family.samples:
                labels = dict(sample.labels)
                if label in labels:  # as Prometheus does with a label of its own
                    labels[f"exported_{label}"] = labels[label]
                known.add_sample(sample.name, {**labels, label: server}, sample.value)
    for measured in own:
        _add(families, prometheus_name(measured.group, measured.name), measured)
    return generate_latest(_Gathered(list(families.values())))


class _Gathered(NamedTuple):
    """Stands in for a registry of the library: it gives what was gathered."""

    families: list[Metric]

    def collect(self) -> Iterable[Metric]:
        return self.families


def _add(families: dict[str, Metric], name: str, measured: Measurement) -> None:
    family = families.get(name)
    if family is None:
        from prometheus_client import Metric

        counts = name.endswith("_total")
        text = f"{measured.name} of {measured.group}"
        family = families[name] = Metric(name.removesuffix("_total"), text, "counter" if counts else "gauge")
    labels: dict[str, Any] = {_label(tag): value for tag, value in measured.tags.items()}
    if isinstance(measured.value, str):
        family.add_sample(name, {**labels, _label(measured.name): measured.value}, 1.0)
    else:
        family.add_sample(name, labels, float(measured.value))


def _label(tag: str) -> str:
    known = _LABELS.get(tag)
    if known is not None:
        return known
    name = _OTHER.sub("_", tag)
    return (
        f"_{name}" if name[:1].isdigit() or not name else name.replace("__", "_", 1) if name.startswith("__") else name
    )
