"""The JDBC sink passes the suite that plugin authors run, on SQLite."""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
from collections.abc import Callable, Mapping
from contextlib import closing
from pathlib import Path
from typing import Any

from penstock.data import INT64, STRING, SchemaBuilder, SinkRecord
from penstock.testing.suites import sink_suite
from penstock_connectors.jdbc.sink.connector import JdbcSinkConnector

FOLDER = tempfile.TemporaryDirectory()
_numbers = itertools.count()
ROW = SchemaBuilder.struct().name("Row").field("id", INT64).field("name", STRING).build()
RECORDS = [
    SinkRecord("orders", n % 2, None, None, ROW, {"id": n, "name": f"n{n}"}, offset=n // 2, timestamp=n)
    for n in range(6)
]
#: A text goes into a column of its own, which the table does not have.
POISON = [SinkRecord("orders", 0, None, None, STRING, "no row", offset=0)]


def new_database(**settings: str) -> Callable[[], dict[str, str]]:
    def made() -> dict[str, str]:
        path = Path(FOLDER.name, f"{next(_numbers)}.db")
        return {"connection.url": f"jdbc:sqlite:{path}", "auto.create": "true", **settings}

    return made


def with_table() -> dict[str, str]:
    settings = new_database(**{"auto.create": "false"})()
    with closing(sqlite3.connect(_path(settings))) as database:
        database.execute('CREATE TABLE "orders" (id INTEGER, name TEXT)')
    return settings


def _path(settings: Mapping[str, str]) -> str:
    return settings["connection.url"].removeprefix("jdbc:sqlite:")


def rows(settings: Mapping[str, str]) -> list[Any]:
    with closing(sqlite3.connect(_path(settings))) as database:
        return database.execute('SELECT id, name FROM "orders" ORDER BY id').fetchall()


EXPECTED = [(n, f"n{n}") for n in range(6)]
#: The JVM's connector has no text for it either.
BARE = ("trim.sensitive.log",)
WRONG = {"connection.url": None, "batch.size": "-1", "insert.mode": "overwrite", "pk.mode": "some"}

TestInserts = sink_suite(
    JdbcSinkConnector, with_table, records=RECORDS, written=rows, expected=EXPECTED, poison=POISON, undocumented=BARE,
    wrong_settings=WRONG,
)  # fmt: skip
TestUpserts = sink_suite(
    JdbcSinkConnector, new_database(**{"insert.mode": "upsert", "pk.mode": "record_value", "pk.fields": "id"}),
    records=RECORDS, written=rows, expected=EXPECTED, undocumented=BARE,
)  # fmt: skip
TestExactlyOnce = sink_suite(
    JdbcSinkConnector, new_database(**{"exactly.once": "true"}), records=RECORDS, written=rows, expected=EXPECTED, undocumented=BARE,
)  # fmt: skip
