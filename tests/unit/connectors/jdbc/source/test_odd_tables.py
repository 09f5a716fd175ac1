"""Odd names, odd queries and odd values of a database reach Kafka, or end in an error that names them."""

from __future__ import annotations

import contextlib
import gc
import logging
import sqlite3
import sys
import threading
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lab.database_server import MariaDbServer, PostgresServer
from lab.jdbc_source import JdbcSourceRun, read
from penstock.errors import ConnectError

Database = Callable[..., dict[str, str]]


@pytest.fixture
def database(tmp_path: Path) -> Database:
    def made(*statements: str) -> dict[str, str]:
        path = tmp_path / "x.db"
        with closing(sqlite3.connect(path)) as connection:
            for statement in statements:
                connection.execute(statement)
            connection.commit()
        return {"connection.url": f"jdbc:sqlite:{path}", "mode": "incrementing", "incrementing.column.name": "id"}

    return made


ROWS = ("CREATE TABLE t (id INTEGER PRIMARY KEY, v VARCHAR(9) NOT NULL)", "INSERT INTO t VALUES (1, 'a?b'), (2, 'c')")


@pytest.mark.parametrize("name", ["a,b", ' a , "b" ', "x.y", "ÄÖ😀", "50%", "it's", "a\\b", "[t]", "select"])
def test_a_table_of_any_name_is_read_and_has_its_offset(name: str, database: Database) -> None:
    quoted = '"' + name.replace('"', '""') + '"'
    settings = database(f"CREATE TABLE {quoted} (id INTEGER PRIMARY KEY)", f"INSERT INTO {quoted} VALUES (1)")
    (record,) = read({**settings, "table.blacklist": "none"}, 1)
    assert (record.topic, record.source_partition) == (f"p-{name}", {"protocol": "1", "table": name})


QUERIES = [
    "SELECT * FROM t;",
    "SELECT * FROM t -- all of it",
    "SELECT * FROM t; -- all of it\n;",
    "SELECT * FROM (SELECT id, v FROM t WHERE v <> '?;--')",
]


@pytest.mark.parametrize("query", QUERIES)
@pytest.mark.parametrize("suffix", ["", "LIMIT 5"])
def test_a_query_may_end_in_semicolons_and_comments(query: str, suffix: str, database: Database) -> None:
    settings = {**database(*ROWS), "query": query, "query.suffix": suffix}
    assert [record.value for record in read(settings, 2)] == [{"id": 1, "v": "a?b"}, {"id": 2, "v": "c"}]
    assert [record.value["id"] for record in read({**settings, "mode": "bulk"}, 2)] == [1, 2]


def test_a_question_mark_in_a_query_leaves_the_columns_types_alone(database: Database) -> None:
    settings = {**database(*ROWS), "query": "SELECT * FROM (SELECT id, v FROM t WHERE v <> '?')"}
    fields = read(settings, 2)[0].value_schema.fields
    assert [(field.name, field.schema.optional) for field in fields] == [("id", True), ("v", False)]


def test_bytes_that_are_no_utf8_are_read_as_the_replacement_character_and_nothing_is_lost_or_doubled(
    database: Database, caplog: pytest.LogCaptureFixture
) -> None:
    settings = database(
        "CREATE TABLE t (id INTEGER PRIMARY KEY, v TEXT)",
        "INSERT INTO t VALUES (1,'a'),(2,'b'),(3,'c'),(4,CAST(X'61FF62' AS TEXT)),(5,'e'),(6,CAST(X'80' AS TEXT)),(7,'g')",
    )
    for mode in ("incrementing", "bulk"):
        with JdbcSourceRun(
            {**settings, "mode": mode, "table.whitelist": "t", "batch.max.rows": "3", "poll.interval.ms": "60000"}
        ) as run:
            values = [(record.value["id"], record.value["v"]) for record in run.take(7)]
            assert values == [(1, "a"), (2, "b"), (3, "c"), (4, "a\ufffdb"), (5, "e"), (6, "\ufffd"), (7, "g")]
            assert run.rest(3) == []
    warning = "Bytes in table \"t\" that are not UTF-8 are read as U+FFFD: Could not decode to UTF-8 column 'v'"
    assert warning in caplog.messages


def test_a_time_in_the_primary_key_counts_as_never_null(database: Database) -> None:
    settings = database("CREATE TABLE t (ts TIMESTAMP PRIMARY KEY)", "INSERT INTO t VALUES (1000)")
    assert len(read({**settings, "mode": "timestamp", "timestamp.column.name": "ts", "table.whitelist": "t"}, 1)) == 1


BAD = [
    ("DATE", "'soon'", "Error parsing time stamp 'soon'"),
    ("TIMESTAMP", "9223372036854775807", "lies outside the years 1 to 9999"),
    ("DECIMAL(5,2)", "9e999", "Bad value for type BigDecimal : Infinity"),
    ("TINYINT", "70000", "does not fit into the int16"),
]


@pytest.mark.parametrize(("type_name", "value", "text"), BAD)
def test_a_value_that_cannot_be_read_is_told_with_its_table_and_column(
    type_name: str, value: str, text: str, database: Database
) -> None:
    settings = database(
        f"CREATE TABLE t (id INTEGER PRIMARY KEY, ok TEXT, v {type_name})", f"INSERT INTO t VALUES (1, 'x', {value})"
    )
    with pytest.raises(ConnectError) as raised:
        read({**settings, "table.whitelist": "t"}, 1)
    shown = causes(raised.value)
    assert 'Error while processing table querier of table "t"' in shown
    assert "Table t, column v: " in shown
    assert text in shown


def causes(error: BaseException | None) -> str:
    texts: list[Any] = []
    while error is not None:
        texts.append(error)
        error = error.__cause__
    return "\n".join(map(str, texts))


def test_lines_of_the_log_name_connector_and_task(
    database: Database, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker's threads have these names, which the log shows; the connector's own threads carry them on."""
    caplog.set_level(logging.INFO)
    monkeypatch.setattr(threading.current_thread(), "name", "[shop|task-0]")
    read({**database(*ROWS), "table.whitelist": "t"}, 2)
    threads = {
        record.threadName for record in caplog.records if record.message.startswith(("Begin using", "Found 1 tables"))
    }
    assert threads == {"[shop|task-0] jdbc-source", "[shop|task-0] jdbc-table-monitor"}


def test_javas_doubled_question_mark_is_postgresqls_operator(postgres: PostgresServer) -> None:
    with postgres.database() as name:
        postgres.execute(
            "create table t(id int primary key, j jsonb)",
            """insert into t values(1, '{"a": 1}'), (2, '{}')""",
            database=name,
        )
        settings = {**postgres.settings(name), "incrementing.column.name": "id"}
        query = "SELECT id, '??' AS q FROM t WHERE j ?? 'a';"
        (record,) = read({**settings, "mode": "bulk", "query": query}, 1)
        assert record.value == {"id": 1, "q": "??"}
        wrapped = f"SELECT * FROM ({query.rstrip(';')}) s -- only these"
        assert read({**settings, "mode": "incrementing", "query": wrapped}, 1)[0].value["id"] == 1


def test_the_isolation_level_outlives_the_connection(postgres: PostgresServer) -> None:
    with postgres.database() as name:
        postgres.execute("create table t(id int primary key)", "insert into t values(1)", database=name)
        query = "SELECT id, current_setting('transaction_isolation') AS level FROM t"
        settings = {
            **postgres.settings(name),
            "mode": "bulk",
            "query": query,
            "transaction.isolation.mode": "SERIALIZABLE",
        }
        with JdbcSourceRun(settings) as run:
            assert run.take(1)[0].value["level"] == "serializable"
            postgres.execute(
                f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'", database="postgres"
            )
            run.rest(2)
            assert {record.value["level"] for record in run.rest(20)} == {"serializable"}


def test_a_connection_that_mysql_ends_in_the_middle_of_a_result_loses_nothing_and_leaves_no_noise(
    mariadb: MariaDbServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    noise: list[Any] = []
    monkeypatch.setattr(sys, "unraisablehook", noise.append)
    with mariadb.database() as name:
        mariadb.execute(
            "create table t(id int primary key, v text)",
            "insert into t select seq, repeat('x', 1000) from seq_1_to_20000",
            database=name,
        )
        own = {"batch.max.rows": "100", "max.buffer.size": "200", "connection.backoff.ms": "100"}
        by_id = {"mode": "incrementing", "incrementing.column.name": "id", "table.whitelist": "t"}
        with JdbcSourceRun({**mariadb.settings(name), **by_id, **own}) as run:
            ids = [record.value["id"] for record in run.take(500)]
            for (number,) in mariadb.query(f"select id from information_schema.processlist where db = '{name}'"):
                with contextlib.suppress(Exception):  # its own, for one
                    mariadb.execute(f"kill {number}")
            ids += [record.value["id"] for record in run.take(19_500)]
        assert ids == list(range(1, 20_001))
    gc.collect()
    assert noise == []
