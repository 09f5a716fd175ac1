"""librdkafka's report on itself, in the names of the Java client's metrics.

A client reports every ``statistics.interval.ms``, as JSON. The report is kept as it came and read when somebody asks, so
that a client nobody looks at costs next to nothing. What the Java clients measure and librdkafka does not is left out.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final

import orjson

from penstock.measurements import Measurement

__all__ = ["INTERVAL", "ClientStatistics"]

INTERVAL: Final = "statistics.interval.ms"
#: The interval where the user has not said anything else, in milliseconds.
_DEFAULT_MS: Final = "10000"

#: Fields of the whole client: the Java name, and the report's.
_CLIENT: Final = {
    "request-total": "tx",
    "response-total": "rx",
    "outgoing-byte-total": "tx_bytes",
    "incoming-byte-total": "rx_bytes",
}
#: Fields that are summed over the brokers.
_SUMS: Final = {
    "requests-in-flight": "waitresp_cnt",
    "connection-creation-total": "connects",
    "connection-close-total": "disconnects",
    "request-timeout-total": "req_timeouts",
}
_PRODUCER: Final = {
    "record-send-total": "txmsgs",
    "record-send-byte-total": "txmsg_bytes",
    "record-queue-count": "msg_cnt",
    "record-queue-bytes": "msg_size",
}
_FETCHER: Final = {
    "records-consumed-total": "rxmsgs",
    "bytes-consumed-total": "rxmsg_bytes",
    "records-queue-count": "replyq",
}


class ClientStatistics:
    """The latest report of one producer or consumer. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._report = ""

    def take(self, report: str) -> None:
        """Keep a client's report: its ``stats_cb``."""
        with self._lock:
            self._report = report

    def watched(
        self, settings: Mapping[str, Any], callbacks: Mapping[str, Callable[..., Any]]
    ) -> tuple[dict[str, Any], dict[str, Callable[..., Any]]]:
        """Return settings and callbacks with which a client reports here, and to whom it reported before."""
        told: Callable[[str], None] | None = callbacks.get("stats_cb")

        def take(report: str) -> None:
            self.take(report)
            if told is not None:
                told(report)

        return {INTERVAL: _DEFAULT_MS, **settings}, {**callbacks, "stats_cb": take}

    def measurements(self) -> Iterator[Measurement]:
        """Give the report's values; nothing before the first report."""
        with self._lock:
            report = self._report
        if report:
            yield from _read(orjson.loads(report))


def _read(report: Mapping[str, Any]) -> Iterator[Measurement]:
    kind, client = report.get("type", ""), {"client-id": report.get("client_id", "")}
    brokers = [b for b in report.get("brokers", {}).values() if b.get("nodeid", -1) >= 0]
    group = f"{kind}-metrics"
    for name, field in _CLIENT.items():
        yield Measurement(group, name, report.get(field, 0), client)
    for name, field in _SUMS.items():
        yield Measurement(group, name, sum(b.get(field, 0) for b in brokers), client)
    up = sum(b.get("state") == "UP" for b in report.get("brokers", {}).values())
    yield Measurement(group, "connection-count", up, client)
    yield from _round_trips(group, brokers, client)
    for broker in brokers:
        node = {**client, "node-id": f"node-{broker['nodeid']}"}
        yield from _round_trips(f"{kind}-node-metrics", [broker], node)
        yield Measurement(f"{kind}-node-metrics", "outgoing-byte-total", broker.get("txbytes", 0), node)
        yield Measurement(f"{kind}-node-metrics", "incoming-byte-total", broker.get("rxbytes", 0), node)
    if kind == "producer":
        yield from _produced(report, brokers, client)
    elif kind == "consumer":
        yield from _consumed(report, client)


def _round_trips(group: str, brokers: list[Any], tags: Mapping[str, str]) -> Iterator[Measurement]:
    """Give the round trips to these brokers, in milliseconds; the report has microseconds."""
    trips = [b["rtt"] for b in brokers if b.get("rtt", {}).get("cnt", 0)]
    count = sum(t["cnt"] for t in trips)
    average = sum(t["avg"] * t["cnt"] for t in trips) / count if count else 0.0
    yield Measurement(group, "request-latency-avg", average / 1000, tags)
    yield Measurement(group, "request-latency-max", max((t["max"] for t in trips), default=0) / 1000, tags)


def _produced(report: Mapping[str, Any], brokers: list[Any], client: Mapping[str, str]) -> Iterator[Measurement]:
    for name, field in _PRODUCER.items():
        yield Measurement("producer-metrics", name, report.get(field, 0), client)
    retries = sum(b.get("txretries", 0) for b in brokers)
    yield Measurement("producer-metrics", "record-retry-total", retries, client)
    throttles = [b["throttle"]["avg"] for b in brokers if b.get("throttle", {}).get("cnt", 0)]
    yield Measurement("producer-metrics", "produce-throttle-time-avg", max(throttles, default=0), client)
    for topic, found in report.get("topics", {}).items():
        tags = {**client, "topic": topic}
        partitions = found.get("partitions", {}).values()
        sent, size = (sum(p.get(field, 0) for p in partitions) for field in ("txmsgs", "txbytes"))
        yield Measurement("producer-topic-metrics", "record-send-total", sent, tags)
        yield Measurement("producer-topic-metrics", "byte-total", size, tags)


def _consumed(report: Mapping[str, Any], client: Mapping[str, str]) -> Iterator[Measurement]:
    for name, field in _FETCHER.items():
        yield Measurement("consumer-fetch-manager-metrics", name, report.get(field, 0), client)
    largest = 0
    for topic, found in report.get("topics", {}).items():
        for number, partition in found.get("partitions", {}).items():
            lag = partition.get("consumer_lag", -1)
            if lag < 0:  # not this consumer's, or nothing is known of it yet
                continue
            largest = max(largest, lag)
            tags = {**client, "topic": topic, "partition": number}
            yield Measurement("consumer-fetch-manager-metrics", "records-lag", lag, tags)
    yield Measurement("consumer-fetch-manager-metrics", "records-lag-max", largest, client)
    group = report.get("cgrp", {})
    yield Measurement("consumer-coordinator-metrics", "assigned-partitions", group.get("assignment_size", 0), client)
    yield Measurement("consumer-coordinator-metrics", "rebalance-total", group.get("rebalance_cnt", 0), client)
    ago = group.get("rebalance_age", 0) / 1000
    yield Measurement("consumer-coordinator-metrics", "last-rebalance-seconds-ago", ago, client)
