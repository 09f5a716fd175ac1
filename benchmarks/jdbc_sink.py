#!/usr/bin/env python
"""Times the JDBC sink's task against its driver's own best bulk way, in the same run, with the same rows.

    python benchmarks/jdbc_sink.py                       # PostgreSQL, MariaDB and SQLite
    python benchmarks/jdbc_sink.py --only postgres --records 500000

The task is given ready records, as the worker does, 500 at a time unless ``--batch`` says otherwise; each `put` is a
transaction. The floor writes the same rows, ready made, in transactions of the same size: COPY of psycopg for
PostgreSQL's inserts, `executemany` for everything else.
"""

from __future__ import annotations

import argparse
import sqlite3
import statistics
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

sys.path[:0] = [str(Path(__file__).parents[1] / "tests")]

from lab.database_server import DatabaseServer, MariaDbServer, PostgresServer  # noqa: E402 - its folder is put on the path above
from penstock.data import FLOAT64, INT32, INT64, OPTIONAL_STRING, STRING, TIMESTAMP, SchemaBuilder, SinkRecord  # noqa: E402 - the same
from penstock.data.logical import EPOCH  # noqa: E402 - the same
from penstock.testing.fakes import FakeSinkTaskContext  # noqa: E402 - the same
from penstock_connectors.jdbc.sink.task import JdbcSinkTask  # noqa: E402 - the same

SCHEMA = (
    SchemaBuilder.struct().field("id", INT64).field("customer", INT32).field("name", STRING).field("note", OPTIONAL_STRING)
    .field("amount", FLOAT64).field("at", TIMESTAMP).build()
)  # fmt: skip
COLUMNS = ("id", "customer", "name", "note", "amount", "at")


def records(count: int) -> list[SinkRecord]:
    import datetime as dt

    made = []
    for n in range(count):
        at = EPOCH + dt.timedelta(milliseconds=1_700_000_000_000 + n)
        value = {
            "id": n,
            "customer": n % 1000,
            "name": f"customer {n % 1000}",
            "note": None if n % 3 else "a note",
            "amount": n * 0.25,
            "at": at,
        }
        made.append(SinkRecord("t", 0, None, None, SCHEMA, value, offset=n))
    return made


def timed(batches: Sequence[Any], write: Callable[[Any], None]) -> float:
    started = time.perf_counter()
    for batch in batches:
        write(batch)
    return time.perf_counter() - started


def cut(items: Sequence[Any], size: int) -> list[Sequence[Any]]:
    return [items[start : start + size] for start in range(0, len(items), size)]


class Case:
    """One kind of database and one way of writing."""

    def __init__(
        self, title: str, settings: dict[str, str], connect: Callable[[], Any], upsert: bool, marker: str, create: str
    ) -> None:
        self.title, self._settings, self._connect, self._upsert = (
            f"{title}, {'upsert' if upsert else 'insert'}",
            settings,
            connect,
            upsert,
        )
        self._marker, self._create, self._title = marker, create, title

    def clear(self) -> None:
        connection = self._connect()
        cursor = connection.cursor()
        cursor.execute("DROP TABLE IF EXISTS t")
        cursor.execute(self._create)
        connection.commit()
        connection.close()

    def sink(self, batches: list[Sequence[SinkRecord]]) -> float:
        self.clear()
        task = JdbcSinkTask()
        task.initialize(FakeSinkTaskContext())
        keys = {"insert.mode": "upsert", "pk.mode": "record_value", "pk.fields": "id"} if self._upsert else {}
        task.start({"name": "bench", "topics": "t", **self._settings, **keys})
        try:
            task.put(batches[0][:10])  # tables are looked at, functions compiled
            self.clear()
            return timed(batches, task.put)
        finally:
            task.stop()

    def floor(self, batches: list[Sequence[tuple[Any, ...]]]) -> float:
        self.clear()
        connection = self._connect()
        names = ", ".join(COLUMNS)
        insert = f"INSERT INTO t ({names}) VALUES ({', '.join([self._marker] * len(COLUMNS))})"
        sets = ", ".join(f"{c}=EXCLUDED.{c}" for c in COLUMNS[1:])
        upsert = {"PostgreSQL": f"{insert} ON CONFLICT (id) DO UPDATE SET {sets}", "SQLite": insert.replace("INSERT", "INSERT OR REPLACE", 1),
                  "MariaDB": f"{insert} ON DUPLICATE KEY UPDATE " + ", ".join(f"{c}=VALUES({c})" for c in COLUMNS[1:])}[self._title]  # fmt: skip

        def copy(rows: Sequence[tuple[Any, ...]]) -> None:
            with connection.cursor() as cursor, cursor.copy(f"COPY t ({names}) FROM STDIN") as stream:
                for row in rows:
                    stream.write_row(row)
            connection.commit()

        def many(rows: Sequence[tuple[Any, ...]]) -> None:
            cursor = connection.cursor()
            cursor.executemany(upsert if self._upsert else insert, rows)
            cursor.close()
            connection.commit()

        try:
            return timed(batches, copy if self._title == "PostgreSQL" and not self._upsert else many)
        finally:
            connection.close()


def rows_of(made: Sequence[SinkRecord], title: str) -> list[tuple[Any, ...]]:
    def moment(at: Any) -> Any:
        return int(at.timestamp() * 1000) if title == "SQLite" else at.replace(tzinfo=None)

    return [(*(r.value[c] for c in COLUMNS[:-1]), moment(r.value["at"])) for r in made]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--records", type=int, default=200_000)
    parser.add_argument("--batch", type=int, default=500)
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--only", choices=["postgres", "mariadb", "sqlite"])
    arguments = parser.parse_args()
    made = records(arguments.records)
    print("| database | sink, rows/s | driver's own, rows/s | ratio |\n|---|---|---|---|")
    with tempfile.TemporaryDirectory() as folder:
        for title, server, marker, types in (
            (
                "PostgreSQL",
                PostgresServer,
                "%s",
                "id bigint primary key, customer int, name text, note text, amount double precision, at timestamp",
            ),
            (
                "MariaDB",
                MariaDbServer,
                "%s",
                "id bigint primary key, customer int, name text, note text, amount double, at datetime(3)",
            ),
            (
                "SQLite",
                None,
                "?",
                "id integer primary key, customer integer, name text, note text, amount real, at numeric",
            ),
        ):
            if arguments.only and not title.lower().startswith(arguments.only.replace("postgres", "postgresql")[:6]):
                continue
            measure(title, server, marker, f"CREATE TABLE t ({types})", made, arguments, folder)


def measure(
    title: str,
    server: type[DatabaseServer] | None,
    marker: str,
    create: str,
    made: list[SinkRecord],
    arguments: Any,
    folder: str,
) -> None:
    file = f"{folder}/bench.db"
    running = None if server is None else server()
    try:
        if running is None:
            settings, connect = {"connection.url": f"jdbc:sqlite:{file}"}, lambda: sqlite3.connect(file)
        else:
            running.start()
            running.execute("CREATE DATABASE bench")
            settings, connect = running.settings("bench"), lambda: running.connect("bench", autocommit=False)
        rows = cut(rows_of(made, title), arguments.batch)
        batches = cut(made, arguments.batch)
        for upsert in (False, True):
            case = Case(title, settings, connect, upsert, marker, create)
            pairs = [(case.floor(rows), case.sink(batches)) for _ in range(arguments.runs)]
            floor, sink = (statistics.median(times) for times in zip(*pairs, strict=True))
            ratio = statistics.median(f / s for f, s in pairs)
            print(f"| {case.title} | {len(made) / sink:,.0f} | {len(made) / floor:,.0f} | {ratio:.2f} |", flush=True)
    finally:
        if running is not None:
            running.close()


if __name__ == "__main__":
    main()
