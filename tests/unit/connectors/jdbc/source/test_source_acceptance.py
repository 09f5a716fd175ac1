"""The JDBC source passes the suite that plugin authors run, on SQLite."""

from __future__ import annotations

import itertools
import sqlite3
import tempfile
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

from penstock.testing.suites import source_suite
from penstock_connectors.jdbc.source.connector import JdbcSourceConnector

FOLDER = tempfile.TemporaryDirectory()
_numbers = itertools.count()


def new_database(**settings: str) -> Callable[[], dict[str, str]]:
    def made() -> dict[str, str]:
        path = Path(FOLDER.name, f"{next(_numbers)}.db")
        with closing(sqlite3.connect(path)) as database:
            database.executescript(
                "CREATE TABLE orders (id INTEGER PRIMARY KEY, name TEXT, at TIMESTAMP NOT NULL);"
                "INSERT INTO orders VALUES (1, 'a', 3000), (2, 'b', 1000), (3, 'c', 1000), (4, 'd', 3000);"
            )
        return {
            "connection.url": f"jdbc:sqlite:{path}", "topic.prefix": "db-", "table.whitelist": "orders",
            "poll.interval.ms": "10", **settings,
        }  # fmt: skip

    return made


TestIncrementing = source_suite(
    JdbcSourceConnector, new_database(**{"mode": "incrementing", "incrementing.column.name": "id"}), records=4,
    wrong_settings={"connection.url": None, "mode": "some", "batch.max.rows": "x"},
    undocumented=["table.monitoring.startup.polling.limit.ms"],  # the JVM's connector has no text for it either
)  # fmt: skip
#: Two rows of each time: an id tells them apart.
TestByTimeAndId = source_suite(
    JdbcSourceConnector,
    new_database(
        **{"mode": "timestamp+incrementing", "incrementing.column.name": "id", "timestamp.column.name": "at", "batch.max.rows": "3"}
    ),
    records=4, undocumented=["table.monitoring.startup.polling.limit.ms"],
)  # fmt: skip
