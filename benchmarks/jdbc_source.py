"""Rows a second of the JDBC source beside a bare ``fetchmany`` loop on the same driver, database and machine.

    python benchmarks/jdbc_source.py [--rows 300000] [--runs 3] [--only sqlite|postgresql|mysql]

The source's task is polled as the worker would, without converter and Kafka. Both sides fetch 1,000 rows at a time from a
cursor that keeps the rest on the server. They take turns; the figures are medians.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

from lab.database_server import MariaDbServer, PostgresServer
from lab.jdbc_source import JdbcSourceRun
from penstock.cli.common import tune_memory

BATCH = 1000
COLUMNS = (
    "id {key}, name varchar(40) not null, amount {double}, active {bool} not null, at timestamp not null, note text"
)
MODES = {
    "bulk": {"mode": "bulk"},
    "incrementing": {"mode": "incrementing", "incrementing.column.name": "id"},
    "timestamp+incrementing": {"mode": "timestamp+incrementing", "incrementing.column.name": "id", "timestamp.column.name": "at"},
}  # fmt: skip


@contextmanager
def sqlite(rows: int) -> Iterator[tuple[dict[str, str], Callable[[], Any]]]:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "bench.db")
        connection = sqlite3.connect(path)
        connection.execute(
            f"create table t({COLUMNS.format(key='integer primary key', double='double', bool='boolean')})"
        )
        connection.executemany(
            "insert into t values(?, ?, ?, ?, ?, ?)",
            (
                (i, f"customer {i}", i / 7, i % 2, 1_700_000_000_000 + i, None if i % 3 else "a note")
                for i in range(rows)
            ),
        )
        connection.commit()
        connection.close()

        def bare() -> Any:
            return sqlite3.connect(path).execute("select * from t where id > -1 order by id")

        yield {"connection.url": f"jdbc:sqlite:{path}"}, bare


_SERIES = {
    "postgresql": "insert into t select i, 'customer '||i, i/7.0, i%2=0, timestamp '2024-01-01' + i * interval '1 ms', case when i%3=0 then 'a note' end from generate_series(0, {last}) i",
    "mysql": "insert into t select seq, concat('customer ', seq), seq/7, seq%2=0, '2024-01-01' + interval seq second, if(seq%3=0, 'a note', null) from seq_0_to_{last}",
}


@contextmanager
def postgresql(rows: int) -> Iterator[tuple[dict[str, str], Callable[[], Any]]]:
    with ExitStack() as stack:
        server = PostgresServer()
        stack.callback(server.close)
        server.start()
        name = stack.enter_context(server.database())
        columns = COLUMNS.format(key="int primary key", double="double precision", bool="boolean")
        server.execute(
            f"create table t({columns})", _SERIES["postgresql"].format(last=rows - 1), "vacuum analyze t", database=name
        )

        def bare() -> Any:
            cursor = server.connect(name, autocommit=False).cursor(name="bench")
            cursor.execute("select * from t where id > -1 order by id")
            return cursor

        yield server.settings(name), bare


@contextmanager
def mysql(rows: int) -> Iterator[tuple[dict[str, str], Callable[[], Any]]]:
    from pymysql.cursors import SSCursor

    with ExitStack() as stack:
        server = MariaDbServer()
        stack.callback(server.close)
        server.start()
        name = stack.enter_context(server.database())
        columns = COLUMNS.format(key="int primary key", double="double", bool="boolean")
        server.execute(f"create table t({columns})", _SERIES["mysql"].format(last=rows - 1), database=name)

        def bare() -> Any:
            cursor = server.connect(name).cursor(SSCursor)
            cursor.execute("select * from t where id > -1 order by id")
            return cursor

        yield server.settings(name), bare


def bare_rate(cursor: Any, rows: int) -> float:
    """Return the rows a second of a bare loop."""
    start, count = time.perf_counter(), 0
    while batch := cursor.fetchmany(BATCH):
        count += len(batch)
    assert count == rows
    seconds = time.perf_counter() - start
    cursor.close()
    return rows / seconds


def source_rate(config: dict[str, str], rows: int) -> float:
    """Return the rows a second of the source, from its start to its last record."""
    settings = {**config, "table.whitelist": "t", "batch.max.rows": str(BATCH), "poll.interval.ms": "3600000"}
    with JdbcSourceRun(settings) as run:
        start, count = time.perf_counter(), 0
        while count < rows:
            count += len(run.task.poll() or ())
        return rows / (time.perf_counter() - start)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--rows", type=int, default=300_000)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=("sqlite", "postgresql", "mysql"))
    given = parser.parse_args()
    tune_memory()  # as the worker does, for both sides
    print("| database | mode | rows/s | bare fetchmany | ratio |\n|---|---|---:|---:|---:|")
    for database in (sqlite, postgresql, mysql):
        if given.only not in (None, database.__name__):
            continue
        with database(given.rows) as (config, bare):
            for mode, settings in MODES.items():
                pairs = [
                    (source_rate({**config, **settings}, given.rows), bare_rate(bare(), given.rows))
                    for _ in range(given.runs)
                ]
                ours, theirs = (statistics.median(side) for side in zip(*pairs, strict=True))
                ratio = statistics.median(a / b for a, b in pairs)
                print(f"| {database.__name__} | {mode} | {ours:,.0f} | {theirs:,.0f} | {ratio:.2f} |", flush=True)


if __name__ == "__main__":
    main()
