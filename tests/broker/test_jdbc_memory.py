"""A large table through a JDBC source into a topic, and through a JDBC sink into another table: the worker's memory.

The short form has 60,000 rows, the soak form 10 million.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from lab.database_server import PostgresServer
from lab.source_worker import SourceWorker
from lab.worker_process import WorkerProcess

#: Megabytes that a worker may have more than when its two connectors had nothing to do.
ALLOWED_MB = 60
INSERT = (
    "INSERT INTO read SELECT i, 'customer ' || i, i / 7.0, timestamp '2024-01-01' + i * interval '1 ms' "
    "FROM generate_series({first}, {last}) i"
)


def resident_mb(pid: int) -> float:
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmRSS:"):
            return int(line.split()[1]) / 1024
    raise AssertionError("no VmRSS")


def create_both(running: WorkerProcess, connection: dict[str, str], topic: str) -> None:
    read = {
        "connector.class": "io.confluent.connect.jdbc.JdbcSourceConnector", **connection, "query": "SELECT * FROM read",
        "mode": "incrementing", "incrementing.column.name": "id", "topic.prefix": topic, "batch.max.rows": "1000",
        "poll.interval.ms": "1000",
    }  # fmt: skip
    write = {
        "connector.class": "io.confluent.connect.jdbc.JdbcSinkConnector", **connection, "topics": topic,
        "table.name.format": "written", "auto.create": "true", "insert.mode": "insert", "batch.size": "3000",
        "consumer.override.max.poll.records": "3000",
    }  # fmt: skip
    for name, config in (("read", read), ("write", write)):
        code, answer = running.call("PUT", f"/connectors/{name}/config", config)
        assert code == 201, answer


def wait_written(
    running: WorkerProcess, server: PostgresServer, database: str, rows: int, patience_s: float
) -> list[float]:
    """Wait until so many rows are written; return the worker's memory every second of that while."""
    memory: list[float] = []
    deadline = time.monotonic() + patience_s
    while True:
        there = server.query("SELECT to_regclass('written')", database)[0][0]
        written = 0 if there is None else int(server.query("SELECT count(*) FROM written", database)[0][0])
        memory.append(resident_mb(running.pid))
        if written >= rows:
            return memory
        states = [running.call("GET", f"/connectors/{name}/status")[1] for name in ("read", "write")]
        assert time.monotonic() < deadline, (written, states)
        time.sleep(1)


def test_a_large_table_is_read_and_written_within_bounded_memory(
    kafka: str,
    topic: Callable[..., str],
    tmp_path: Path,
    postgres: PostgresServer,
    soak: bool,
    record_property: Callable[[str, object], None],
) -> None:
    rows = 10_000_000 if soak else 60_000
    name = topic()
    worker = SourceWorker(tmp_path, kafka, "value.converter=json\nvalue.converter.schemas.enable=true\n")
    with postgres.database() as database, worker.start() as running:
        postgres.execute(
            "CREATE TABLE read (id bigint PRIMARY KEY, name text NOT NULL, price double precision, at timestamp NOT NULL)",
            INSERT.format(first=1, last=1),
            database=database,
        )
        bare = resident_mb(running.pid)
        create_both(running, postgres.settings(database), name)
        wait_written(running, postgres, database, 1, 60)
        idle = resident_mb(running.pid)
        postgres.execute(INSERT.format(first=2, last=rows), database=database)
        memory = wait_written(running, postgres, database, rows, 3000 if soak else 120)
        record_property("memory_mb", {"without connectors": bare, "idle": idle, "most": max(memory), "all": memory})
        written = postgres.query("SELECT count(*), count(DISTINCT id), min(id), max(id) FROM written", database)
        assert written == [(rows, rows, 1, rows)]
    assert max(memory) - idle <= ALLOWED_MB, f"{bare} without connectors, {idle} idle, then {memory}"
