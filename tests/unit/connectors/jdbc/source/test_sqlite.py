"""The source on SQLite: modes, offsets, keys, columns, types that the JVM's driver cannot read."""

from __future__ import annotations

import datetime as dt
import sqlite3
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lab.jdbc_source import JdbcSourceRun, read
from penstock.data import SourceRecord
from penstock.errors import ConfigError, ConnectError, DataError

Sql = Callable[..., dict[str, str]]


@pytest.fixture
def database(tmp_path: Path) -> Sql:
    """Return a function that runs statements on a new database, and gives a connector's settings for it."""
    path = tmp_path / "a.db"

    def run(*statements: str) -> dict[str, str]:
        connection = sqlite3.connect(path, isolation_level=None)
        for statement in statements:
            connection.execute(statement)
        connection.close()
        return {"connection.url": f"jdbc:sqlite:{path}", "table.whitelist": "t"}

    return run


BY_ID = {"mode": "incrementing", "incrementing.column.name": "id"}
BY_TIME = {"mode": "timestamp", "timestamp.column.name": "ts"}
BY_BOTH = {**BY_TIME, **BY_ID, "mode": "timestamp+incrementing"}
T = "create table t(id integer primary key, ts timestamp not null, v text)"


def values(records: list[SourceRecord] | Any) -> list[Any]:
    return [record.value for record in records]


def test_batches_smaller_than_the_table_lose_nothing_and_keep_the_order(database: Sql) -> None:
    config = database(T, *(f"insert into t values({i}, {i // 3}, 'x')" for i in range(1, 30)))
    for mode in (BY_ID, BY_TIME, BY_BOTH):
        records = read({**config, **mode, "batch.max.rows": "4", "max.buffer.size": "5"}, 27 if mode is BY_TIME else 29)
        ids = [record.value["id"] for record in records]
        assert ids == sorted(ids)


def test_by_time_alone_a_time_is_committed_once_its_last_row_is_read(database: Sql) -> None:
    config = database(T, *(f"insert into t values({i}, {t}, 'x')" for i, t in enumerate([5, 5, 7, 7, 7, 9], 1)))
    records = read({**config, **BY_TIME, "batch.max.rows": "2"}, 6)
    assert [record.source_offset.get("timestamp") for record in records] == [None, 5, 5, 5, 7, 9]


def test_a_restart_from_any_offset_misses_nothing(database: Sql) -> None:
    config = database(T, *(f"insert into t values({i}, {t}, 'x')" for i, t in enumerate([5, 5, 7, 7, 7, 9], 1)))
    for mode in (BY_TIME, BY_BOTH, BY_ID):
        records = read({**config, **mode}, 6)
        for place, record in enumerate(records):
            rest = [r.value["id"] for r in records[place + 1 :]]
            with JdbcSourceRun({**config, **mode}, [(record.source_partition, record.source_offset)]) as run:
                again = (
                    [r.value["id"] for r in run.take(len(rest))]
                    if mode is not BY_TIME
                    else [r.value["id"] for r in run.rest(4)]
                )
            assert again[len(again) - len(rest) :] == rest


def test_a_key_is_made_of_the_primary_key_or_of_columns(database: Sql) -> None:
    config = database(
        "create table t(a int not null, b text not null, c int, primary key(b, a))", "insert into t values(1, 'x', 2)"
    )
    (record,) = read({**config, "mode": "bulk", "key.mode": "primary_key"}, 1)
    assert (record.key, [f.name for f in record.key_schema.fields]) == ({"b": "x", "a": 1}, ["b", "a"])
    (record,) = read({**config, "mode": "bulk", "key.mode": "columns", "key.columns": "c"}, 1)
    assert record.key == {"c": 2}
    with pytest.raises(ConnectError) as raised:
        read({**config, "mode": "bulk", "key.mode": "columns", "key.columns": "nope"}, 1)
    assert str(raised.value.__cause__.__cause__) == "The key's column nope is not in the result: a, b, c"


def test_columns_that_are_left_out_still_serve_the_mode(database: Sql) -> None:
    config = database(T, "insert into t values(1, 5, 'x')")
    (record,) = read({**config, **BY_BOTH, "columns.include": "v"}, 1)
    assert record.value == {"v": "x"}
    assert record.source_offset == {"timestamp_nanos": 5_000_000, "timestamp": 5, "incrementing": 1}
    (record,) = read({**config, **BY_ID, "columns.exclude": "v,ts"}, 1)
    assert record.value == {"id": 1}


def test_types_that_the_jvms_driver_cannot_read_are_read(database: Sql) -> None:
    config = database(
        "create table t(a decimal(10,2), b numeric, c blob, d double)",
        "insert into t values(2.5, 2.5, x'00ff', 1)",
        "insert into t values(3, 'no number', null, null)",
    )
    first, second = read({**config, "mode": "bulk"}, 2)
    assert first.value == {"a": Decimal("2.50"), "b": 2.5, "c": b"\x00\xff", "d": 1.0}
    assert second.value == {"a": Decimal("3.00"), "b": 0.0, "c": None, "d": None}
    assert first.value_schema.field("a").schema.parameters == {"scale": "2", "connect.decimal.precision": "10"}


def test_a_number_that_does_not_fit_its_type_is_an_error_and_not_another_number(database: Sql) -> None:
    config = database("create table t(id integer primary key)", "insert into t values(1), (3000000000)")
    with pytest.raises(ConnectError) as raised:
        read({**config, **BY_ID}, 2)
    assert isinstance(raised.value.__cause__.__cause__, DataError)
    assert "column id does not fit" in str(raised.value.__cause__.__cause__)


def test_timestamps_come_as_text_milliseconds_and_julian_days(database: Sql) -> None:
    config = database(
        "create table t(ts timestamp)",
        "insert into t values('2024-01-01 10:11:12.5'), (1704103872500), (2460310.92445023), ('2024-01-01')",
    )
    found = [record.value["ts"] for record in read({**config, "mode": "bulk"}, 4)]
    assert found[:2] == [dt.datetime(2024, 1, 1, 10, 11, 12, 500000, tzinfo=dt.UTC)] * 2
    assert found[2].replace(microsecond=0) == dt.datetime(2024, 1, 1, 10, 11, 12, tzinfo=dt.UTC)
    assert found[3] == dt.datetime(2024, 1, 1, tzinfo=dt.UTC)


def test_a_query_has_the_types_and_the_required_columns_of_its_tables(database: Sql) -> None:
    config = database(
        "create table t(id integer primary key, name text not null, n int not null)",
        "create table u(id integer primary key, name text)",
        "insert into t values(1, 'x', 2)",
        "insert into u values(1, null)",
    )
    del config["table.whitelist"]
    query = "SELECT t.name, t.n, u.name AS other, t.n + 1 AS more FROM t JOIN u ON t.id = u.id WHERE t.n > 1"
    (record,) = read({**config, "mode": "bulk", "query": query}, 1)
    assert record.value == {"name": "x", "n": 2, "other": None, "more": 3}
    assert [(f.name, f.schema.type.value, f.schema.optional) for f in record.value_schema.fields] == [
        ("name", "string", True), ("n", "int64", False), ("other", "string", True), ("more", "int32", True),
    ]  # fmt: skip
    assert (record.topic, record.value_schema.name) == ("p-", None)


def test_a_query_that_is_masked_shows_in_no_error(database: Sql, caplog: pytest.LogCaptureFixture) -> None:
    config = database("create table t(id int)")
    del config["table.whitelist"]
    caplog.set_level("DEBUG")
    with pytest.raises(ConnectError) as raised:
        read({**config, "mode": "bulk", "query.masked": "SELECT * FROM hush", "query.retry.attempts": "2"}, 1)
    told = f"{raised.value} {raised.value.__cause__} {raised.value.__cause__.__cause__} {caplog.text}"
    assert "hush" not in told


def test_a_table_without_a_column_to_go_by_fails_the_task_and_says_what_to_set(database: Sql) -> None:
    config = database("create table t(id int not null)", "insert into t values(1)")
    with pytest.raises(ConnectError) as raised:
        read({**config, "mode": "incrementing"}, 1)
    assert "incrementing.column.name" in str(raised.value.__cause__.__cause__)


def test_tables_that_come_and_go_ask_for_new_task_configurations(database: Sql) -> None:
    config = database("create table a(id integer primary key)", "insert into a values(1)")
    config = {**config, **BY_ID, "table.whitelist": "a,b", "table.poll.interval.ms": "10"}
    with JdbcSourceRun(config) as run:
        run.take(1)
        asked = run.context.reconfigurations
        database("create table b(id integer primary key)")
        run.rest(20)
        assert run.context.reconfigurations == asked + 1
        assert [c["tables"] for c in run.connector.task_configs(2)] == ['"a"', '"b"']
        database("drop table a")
        run.rest(20)
        assert [c["tables"] for c in run.connector.task_configs(2)] == ['"b"']


def test_a_dropped_table_is_tried_again_until_the_attempts_are_used_up(database: Sql) -> None:
    config = database(T, "insert into t values(1, 5, 'x')")
    with JdbcSourceRun({**config, **BY_ID, "query.retry.attempts": "3"}) as run:
        run.take(1)
        database("drop table t")
        with pytest.raises(ConnectError, match="Error while polling for records") as raised:
            run.take(1)
    assert str(raised.value.__cause__) == "Failed to query table after retries"
    assert str(raised.value.__cause__.__cause__) == "no such table: t"


def test_a_task_without_tables_waits_or_fails(database: Sql) -> None:
    config = database(T)
    with (
        pytest.raises(ConfigError, match="was not assigned a table"),
        JdbcSourceRun({**config, "mode": "bulk", "table.whitelist": "no"}),
    ):
        pass


def test_an_unknown_isolation_level_fails_the_task_in_javas_words(database: Sql) -> None:
    config = database(T)
    with (
        pytest.raises(ConnectError, match="No enum constant"),
        JdbcSourceRun({**config, "mode": "bulk", "transaction.isolation.mode": "HOLY"}),
    ):
        pass
