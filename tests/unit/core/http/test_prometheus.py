"""Measurements in Prometheus' text form."""

from __future__ import annotations

import pytest

from lab.measured import parse
from penstock.api import PluginMetrics, Stat, Transform
from penstock.http.prometheus import Exposition, prometheus_name
from penstock.kafka.statistics import ClientStatistics
from penstock.measurements import Measurement


@pytest.mark.parametrize(
    ("group", "name", "expected"),
    [
        ("source-task-metrics", "source-record-poll-total", "kafka_connect_source_task_source_record_poll_total"),
        ("connect-worker-metrics", "task-count", "kafka_connect_worker_task_count"),
        ("connect-worker-rebalance-metrics", "epoch", "kafka_connect_worker_rebalance_epoch"),
        ("connect-coordinator-metrics", "assigned-tasks", "kafka_connect_coordinator_assigned_tasks"),
        ("consumer-fetch-manager-metrics", "records-lag-max", "kafka_consumer_fetch_manager_records_lag_max"),
        ("producer-metrics", "request-total", "kafka_producer_request_total"),
        ("plugins", "Orders.per day", "kafka_connect_plugins_orders_per_day"),
    ],
)
def test_names_are_those_of_the_jmx_exporters_rules(group: str, name: str, expected: str) -> None:
    assert prometheus_name(group, name) == expected


def test_a_text_is_the_label_of_a_sample_and_a_tasks_status_has_both_of_its_names() -> None:
    tags = {"connector": 'a "quoted"\nname', "task": "0"}
    found = parse(Exposition(lambda: [Measurement("connector-task-metrics", "status", "failed", tags)]).text().decode())
    for name in ("kafka_connect_connector_task_status", "kafka_connect_connector_status"):
        assert found.values(name, status="failed", **tags) == [1.0]


def test_counts_are_counters_and_everything_else_is_a_gauge() -> None:
    measured = [
        Measurement("sink-task-metrics", "sink-record-read-total", 3, {"task": "0"}),
        Measurement("sink-task-metrics", "partition-count", 2, {"task": "0"}),
    ]
    text = Exposition(lambda: measured).text().decode()
    assert "# TYPE kafka_connect_sink_task_sink_record_read_total counter" in text
    assert "# TYPE kafka_connect_sink_task_partition_count gauge" in text


def test_a_plugins_metrics_carry_its_tags_and_the_workers_win() -> None:
    metrics = PluginMetrics()
    metrics.counter("calls-total", tags={"region": "north", "task": "mine"}).add(2)
    sizes = metrics.add_sensor("sizes")
    for stat in (Stat.MAX, Stat.TOTAL, Stat.COUNT):
        sizes.add(metrics.metric_name(f"size-{stat.name.lower()}"), stat)
    sizes.record(3)
    sizes.record(5)
    metrics.gauge("broken", lambda: 1 / 0)
    metrics.gauge("state", lambda: "open")
    found = parse(Exposition(lambda: metrics.measurements({"task": "0"})).text().decode())
    assert found.value("kafka_connect_plugins_calls_total", region="north", task="0") == 2
    assert found.value("kafka_connect_plugins_size_max") == 5
    assert found.value("kafka_connect_plugins_size_total") == 8
    assert found.value("kafka_connect_plugins_size_count") == 2
    assert found.value("kafka_connect_plugins_state", state="open") == 1
    assert "kafka_connect_plugins_broken" not in found.names()


def test_a_plugins_metric_that_is_there_or_is_not_is_refused_by_name() -> None:
    metrics = PluginMetrics()
    name = metrics.metric_name("a")
    metrics.add_metric(name, lambda: 1)
    with pytest.raises(ValueError, match="A metric named a"):
        metrics.add_metric(name, lambda: 2)
    metrics.remove_metric(name)
    with pytest.raises(ValueError, match="no metric named a"):
        metrics.remove_metric(name)
    metrics.add_sensor("s").add(name, Stat.AVG)
    with pytest.raises(ValueError, match="A sensor named s"):
        metrics.add_sensor("s")
    metrics.remove_sensor("s")
    metrics.add_metric(name, lambda: 3)


def test_a_plugin_has_metrics_of_its_own_unless_it_uses_the_name_otherwise() -> None:
    class Own(Transform):
        def __init__(self) -> None:
            self.metrics = ["mine"]  # type: ignore[assignment]  # what a plugin made before there were metrics may do

    one, other = Transform(), Transform()
    assert one.metrics is one.metrics
    assert one.metrics is not other.metrics
    assert Own().metrics == ["mine"]  # type: ignore[comparison-overlap]  # see above


REPORT = """{"type": "consumer", "client_id": "c", "tx": 5, "rx": 4, "tx_bytes": 50, "rx_bytes": 40, "rxmsgs": 7, "rxmsg_bytes": 70,
 "brokers": {"b:1/1": {"nodeid": 1, "state": "UP", "connects": 2, "rtt": {"cnt": 4, "avg": 2000, "max": 9000}},
             "b:1/bootstrap": {"nodeid": -1, "state": "UP", "connects": 1}},
 "topics": {"t": {"partitions": {"0": {"consumer_lag": 3}, "1": {"consumer_lag": 8}, "-1": {"consumer_lag": -1}}}},
 "cgrp": {"assignment_size": 2, "rebalance_cnt": 1, "rebalance_age": 1500}}"""


def test_a_clients_report_is_told_in_the_java_clients_names() -> None:
    client, heard = ClientStatistics(), list[str]()
    settings, callbacks = client.watched({"client.id": "c"}, {"stats_cb": heard.append})
    assert settings == {"client.id": "c", "statistics.interval.ms": "10000"}
    assert client.watched({"statistics.interval.ms": "5"}, {})[0]["statistics.interval.ms"] == "5"
    assert list(client.measurements()) == []
    callbacks["stats_cb"](REPORT)
    assert heard == [REPORT]
    found = parse(Exposition(client.measurements).text().decode())
    assert found.value("kafka_consumer_request_total", clientId="c") == 5
    assert found.value("kafka_consumer_request_latency_avg", clientId="c") == 2
    assert found.value("kafka_consumer_node_request_latency_max", nodeId="node-1") == 9
    assert found.value("kafka_consumer_connection_count", clientId="c") == 2
    assert found.value("kafka_consumer_fetch_manager_records_consumed_total", clientId="c") == 7
    assert found.value("kafka_consumer_fetch_manager_records_lag_max", clientId="c") == 8
    assert found.value("kafka_consumer_fetch_manager_records_lag", topic="t", partition="0") == 3
    assert found.value("kafka_consumer_coordinator_last_rebalance_seconds_ago", clientId="c") == 1.5
