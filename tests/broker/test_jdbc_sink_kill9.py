"""kill -9 of a worker with a JDBC sink, at random moments, while records come: the table is what the topic says.

The short form kills once, on PostgreSQL; the soak form 20 times under 200,000 records, on SQLite, too.
"""

from __future__ import annotations

import json
import random
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from lab.database_server import PostgresServer
from lab.databases import TestDatabase
from lab.sink_worker import SinkWorker, produce

PARTITIONS = 3


@pytest.fixture(params=["postgres", pytest.param("sqlite", marks=pytest.mark.soak)])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestDatabase]:
    if request.param == "sqlite":
        yield TestDatabase("sqlite", None, str(tmp_path / "test.db"))
        return
    server: PostgresServer = request.getfixturevalue("postgres")
    with server.database() as name:
        yield TestDatabase("postgres", server, name)


class Numbers:
    """Writes numbered records to all partitions. Keys repeat after `keys` numbers; a key's partition is always the same."""

    def __init__(self, bootstrap: str, topic: str, keys: int) -> None:
        self._bootstrap, self._topic, self._keys = bootstrap, topic, keys
        self.count = 0
        #: The last number of each key.
        self.last: dict[int, int] = {}

    def more(self, records: int) -> None:
        numbers = range(self.count, self.count + records)
        for partition in range(PARTITIONS):
            values = []
            for n in numbers:
                key = n % self._keys
                if key % PARTITIONS == partition:
                    self.last[key] = n
                    values.append(json.dumps({"schema": SCHEMA, "payload": {"k": key, "n": n}}))
            produce(self._bootstrap, self._topic, values, partition)
        self.count += records


SCHEMA = {"type": "struct", "fields": [{"field": "k", "type": "int32"}, {"field": "n", "type": "int64"}]}


def config(database: TestDatabase, topic: str, **own: str) -> dict[str, str]:
    return {
        "connector.class": "io.confluent.connect.jdbc.JdbcSinkConnector", "topics": topic, "table.name.format": "t",
        "value.converter": "json", "auto.create": "true", "retry.backoff.ms": "200", "consumer.override.max.poll.records": "500",
        **database.settings, **own,
    }  # fmt: skip


def count(database: TestDatabase) -> int:
    rows = database.query("SELECT count(*) FROM t")
    return int(rows[0][0]) if rows else 0


def largest(database: TestDatabase) -> int:
    rows = database.query("SELECT max(n) FROM t")
    return -1 if not rows or rows[0][0] is None else int(rows[0][0])


def kill_while_it_writes(
    sink: SinkWorker, numbers: Numbers, database: TestDatabase, kills: int, records: int, seed: int
) -> None:
    """Kill the worker `kills` times, each time some moments after it has written something new; write the rest in peace."""
    chance = random.Random(seed)
    for _ in range(kills):
        before = largest(database)
        numbers.more(records // kills)
        with sink.start() as running:
            sink.wait(running, lambda before=before: largest(database) > before, "new rows")  # type: ignore[misc]  # bound at once
            time.sleep(chance.random() * 0.4)
            running.kill()


def test_the_table_of_upserts_is_the_topics_last_state(
    kafka: str, topic: Callable[..., str], tmp_path: Path, database: TestDatabase, soak: bool
) -> None:
    name = topic(partitions=PARTITIONS)
    records = 200_000 if soak else 6_000
    numbers = Numbers(kafka, name, records // 3)
    upserts = {"insert.mode": "upsert", "pk.mode": "record_value", "pk.fields": "k"}
    sink = SinkWorker(tmp_path, kafka, config(database, name, **upserts))
    kill_while_it_writes(sink, numbers, database, 20 if soak else 1, records, seed=3)
    with sink.start() as running:
        sink.wait(running, lambda: sum(sink.committed.values()) >= numbers.count, "last offsets", 240)
        assert running.stop() == 0
    assert dict(database.query("SELECT k, n FROM t")) == numbers.last


def test_with_exactly_once_every_record_is_a_row_once(
    kafka: str, topic: Callable[..., str], tmp_path: Path, database: TestDatabase, soak: bool
) -> None:
    name = topic(partitions=PARTITIONS)
    records = 200_000 if soak else 6_000
    numbers = Numbers(kafka, name, 3 * records)
    sink = SinkWorker(tmp_path, kafka, config(database, name, **{"exactly.once": "true"}))
    kill_while_it_writes(sink, numbers, database, 20 if soak else 1, records, seed=4)
    with sink.start() as running:
        sink.wait(running, lambda: count(database) >= numbers.count, "last rows", 240)
        assert running.stop() == 0
    assert [n for (n,) in database.query("SELECT n FROM t ORDER BY n")] == list(range(numbers.count))
