"""A group of workers finds offsets of the JVM's JDBC source in its topic, and its connectors go on behind them."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient
from confluent_kafka.cimpl import NewTopic

from lab.committed import read
from lab.worker_group import WorkerGroup

#: Connector, mode, the key's partition and the offset as JsonConverter writes them, the ids that are left.
STOOD = [
    ("by-id", "incrementing", b'{"protocol":"1","table":"t"}', b'{"incrementing":3}', [4, 5]),
    ("by-old-id", "incrementing", b'{"table":"t"}', b'{"incrementing":3}', [4, 5]),
    ("by-time", "timestamp", b'{"table":"t","protocol":"1"}', b'{"timestamp_nanos":0,"timestamp":2000}', [3, 4, 5]),
    ("by-old-time", "timestamp", b'{"table":"t"}', b'{"timestamp":2000}', [3, 4, 5]),
    ("by-both", "timestamp+incrementing", b'{"protocol":"1","table":"t"}', b'{"timestamp_nanos":0,"incrementing":3,"timestamp":3000}', [4, 5]),
    ("by-query", "incrementing", b'{"query":"query"}', b'{"incrementing":4}', [5]),
]  # fmt: skip


def test_connectors_of_every_mode_go_on_behind_the_jvms_offsets(
    kafka: str, topic: Callable[..., str], tmp_path: Path
) -> None:
    database = tmp_path / "x.db"
    with closing(sqlite3.connect(database)) as connection:
        connection.executescript(
            "CREATE TABLE t (id INTEGER PRIMARY KEY, ts TIMESTAMP NOT NULL);"
            "INSERT INTO t VALUES (1, 1000), (2, 2000), (3, 3000), (4, 3000), (5, 5000)"
        )
    cluster = WorkerGroup(kafka, tmp_path, topic("group", create=False))
    offsets = NewTopic(cluster.topic("offset"), 3, 1, config={"cleanup.policy": "compact"})
    admin = AdminClient({"bootstrap.servers": kafka})
    admin.create_topics([offsets])[offsets.topic].result()
    producer = Producer({"bootstrap.servers": kafka})
    for name, _, partition, offset, _ in STOOD:
        producer.produce(cluster.topic("offset"), key=b'["' + name.encode() + b'",' + partition + b"]", value=offset)
    assert producer.flush(30) == 0
    topics = {name: topic(name) for name, *_ in STOOD}
    try:
        cluster.start(0).wait_ready()
        for name, mode, partition, _, _ in STOOD:
            source = {"table.whitelist": "t"} if b"table" in partition else {"query": "SELECT id, ts FROM t"}
            config = {
                "connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector", "connection.url": f"jdbc:sqlite:{database}",
                "mode": mode, "incrementing.column.name": "id", "timestamp.column.name": "ts", "topic.prefix": "x",
                "poll.interval.ms": "60000", "value.converter": "json", "value.converter.schemas.enable": "false",
                "transforms": "topic", "transforms.topic.type": "org.apache.kafka.connect.transforms.RegexRouter",
                "transforms.topic.regex": ".*", "transforms.topic.replacement": topics[name], **source,
            }  # fmt: skip
            cluster.create(0, name, config)
        for name, _, _, _, expected in STOOD:

            def found(name: str = name) -> list[int]:
                return [value["id"] for value in read(kafka, topics[name])]

            wanted = len(expected)
            cluster.until(f"{name} has read the rest", lambda f=found, n=wanted: len(f()) >= n)  # type: ignore[misc]  # bound at once
            assert found() == expected, name
    finally:
        for worker in cluster.workers.values():
            worker.kill()
