"""The JDBC sink on SQLite, PostgreSQL and MariaDB: what stands in the tables, what is tried again, what is reported."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from lab.databases import TestDatabase
from penstock.api import TopicPartition
from penstock.data import (
    BOOLEAN,
    BYTES,
    DATE,
    FLOAT32,
    FLOAT64,
    INT32,
    INT64,
    OPTIONAL_STRING,
    STRING,
    TIME,
    TIMESTAMP,
    Schema,
    SchemaBuilder,
    SinkRecord,
    decimal_schema,
)  # fmt: skip
from penstock.errors import ConnectError
from penstock.testing.harness import SinkHarness
from penstock_connectors.jdbc.sink.connector import JdbcSinkConnector

ROW = SchemaBuilder.struct().field("id", INT32).field("name", OPTIONAL_STRING).build()
KEY = SchemaBuilder.struct().field("id", INT32).build()
WIDER = (
    SchemaBuilder.struct().field("id", INT32).field("name", OPTIONAL_STRING).field("age", INT32.as_optional()).build()
)
DLQ = {"errors.tolerance": "all", "errors.deadletterqueue.topic.name": "dlq"}


@pytest.fixture(params=["sqlite", "postgres", "mariadb"])
def database(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[TestDatabase]:
    if request.param == "sqlite":
        yield TestDatabase("sqlite", None, str(tmp_path / "test.db"))
        return
    server = request.getfixturevalue(request.param)
    with server.database() as name:
        yield TestDatabase(request.param, server, name)


def sink(database: TestDatabase, **settings: str) -> SinkHarness:
    own = {key.replace("_", "."): value for key, value in settings.items()}
    defaults = {"topics": "t", "retry.backoff.ms": "0", "max.retries": "0", "auto.create": "true"}
    return SinkHarness(JdbcSinkConnector, {**defaults, **database.settings, **own})


def row(number: int, name: str | None = None, key: Any = None, schema: Schema = ROW, **more: Any) -> SinkRecord:
    key_schema = None if key is None else INT32 if isinstance(key, int) else KEY
    return SinkRecord("t", 0, key_schema, key, schema, {"id": number, "name": name, **more})


def tombstone(number: int) -> SinkRecord:
    return SinkRecord("t", 0, KEY, {"id": number}, None, None)


def test_an_upsert_replaces_the_row_of_its_key_and_a_tombstone_deletes_it(database: TestDatabase) -> None:
    with sink(database, insert_mode="upsert", pk_mode="record_key", delete_enabled="true") as running:
        running.put(*[row(n, f"v{n}", key={"id": n}) for n in range(10)])
        running.put(
            row(1, "new", {"id": 1}),
            tombstone(2),
            row(3, "first", {"id": 3}),
            tombstone(3),
            row(3, "again", {"id": 3}),
            tombstone(99),
        )
    expected = [(n, "new" if n == 1 else "again" if n == 3 else f"v{n}") for n in range(10) if n != 2]
    assert database.query("SELECT id, name FROM t ORDER BY id") == expected


def test_the_last_of_many_upserts_of_one_key_counts(database: TestDatabase) -> None:
    with sink(database, insert_mode="upsert", pk_mode="record_value", pk_fields="id") as running:
        running.put(*[row(n % 3, f"v{n}") for n in range(30)])
    assert database.query("SELECT id, name FROM t ORDER BY id") == [(0, "v27"), (1, "v28"), (2, "v29")]


def test_every_type_comes_back_as_it_went(database: TestDatabase) -> None:
    schema = (
        SchemaBuilder.struct().field("i", INT64).field("f", FLOAT32).field("d", FLOAT64).field("b", BOOLEAN).field("s", STRING)
        .field("x", BYTES).field("n", decimal_schema(2)).field("day", DATE).field("at", TIME).field("ts", TIMESTAMP).build()
    )  # fmt: skip
    value = {
        "i": 2**63 - 1, "f": 0.5, "d": -1e100, "b": True, "s": "a\tb\\c\nd'\"ü\x7f€", "x": b"\x00\xff\\", "n": Decimal("-1234.50"),
        "day": dt.date(2024, 2, 29), "at": dt.time(13, 14, 15, 123000), "ts": dt.datetime(2024, 2, 29, 23, 59, 59, 999000, dt.UTC),
    }  # fmt: skip
    with sink(database) as running:
        running.put(*[SinkRecord("t", 0, None, None, schema, value) for _ in range(5)])
    (found,) = set(database.query("SELECT i, f, d, b, s, x, n, day, at, ts FROM t"))
    of_sqlite = (19782 * 86_400_000, 47_655_123, 1_709_251_199_999)
    moments = {
        "sqlite": of_sqlite,
        "postgres": (value["day"], value["at"], dt.datetime(2024, 2, 29, 23, 59, 59, 999000)),
        "mariadb": (value["day"], dt.timedelta(seconds=47655, microseconds=123000), dt.datetime(2024, 2, 29, 23, 59, 59, 999000)),
    }[database.kind]  # fmt: skip
    assert found[:7] == (value["i"], 0.5, -1e100, True, value["s"], b"\x00\xff\\", Decimal("-1234.5"))
    assert found[7:] == moments


@pytest.mark.parametrize("records", [2, 50])
def test_few_and_many_records_make_the_same_rows(database: TestDatabase, records: int) -> None:
    with sink(database) as running:
        running.put(*[row(n, None if n % 2 else f"{n}") for n in range(records)])
    assert database.query("SELECT id, name FROM t ORDER BY id") == [
        (n, None if n % 2 else f"{n}") for n in range(records)
    ]


def test_a_column_is_added_in_the_middle_of_a_batch(database: TestDatabase) -> None:
    with sink(database, auto_evolve="true") as running:
        running.put(row(1, "a"), row(2, "b", schema=WIDER, age=5), row(3, "c"))
    assert database.query("SELECT id, name, age FROM t ORDER BY id") == [(1, "a", None), (2, "b", 5), (3, "c", None)]


def test_a_batch_that_fails_leaves_nothing_and_fails_the_task(database: TestDatabase) -> None:
    with sink(database, pk_mode="record_value", pk_fields="id") as running:
        running.put(*[row(n) for n in (1, 2, 3, 2)])
        assert "java.sql.SQLException: Exception chain:" in str(running.failure)
    assert database.query("SELECT id FROM t") == []


def test_the_bad_records_of_a_batch_are_reported_and_the_others_written(database: TestDatabase) -> None:
    with sink(
        database, pk_mode="record_value", pk_fields="id", **{k.replace(".", "_"): v for k, v in DLQ.items()}
    ) as running:
        running.put(*[row(n) for n in (*range(20), 7, *range(20, 30), 11)])
        assert [(record.value["id"], record.offset) for record, _ in running.reported] == [(7, 20), (11, 31)]
        assert {type(error).java_class for _, error in running.reported} == {"java.sql.SQLException"}  # type: ignore[attr-defined]  # a SqlError
    assert database.query("SELECT id FROM t ORDER BY id") == [(n,) for n in range(30)]


def test_a_batch_is_tried_again_as_often_as_the_settings_say(database: TestDatabase) -> None:
    with sink(database, pk_mode="record_value", pk_fields="id", max_retries="2", retry_backoff_ms="1000") as running:
        running.put(row(1), row(1))
        assert running.failure is None
        for _ in range(2):
            running.clock.advance(2)
            running.round()
        assert isinstance(running.failure, ConnectError)


def test_with_transient_retries_a_constraint_fails_at_once(database: TestDatabase) -> None:
    with sink(database, pk_mode="record_value", pk_fields="id", max_retries="5", retry_on="transient") as running:
        running.put(row(1), row(1))
        assert isinstance(running.failure, ConnectError)


# ---- exactly once


def offsets(database: TestDatabase) -> dict[tuple[str, str, int], int]:
    rows = database.query("SELECT connector, topic, topic_partition, next_offset FROM penstock_sink_offsets")
    return {(connector, topic, partition): offset for connector, topic, partition, offset in rows}


def test_offsets_are_committed_with_the_rows_and_win_over_the_groups(database: TestDatabase) -> None:
    with sink(database, exactly_once="true") as running:
        running.put(*[row(n) for n in range(5)])
        assert offsets(database) == {("harness", "t", 0): 5}
        running.put(row(5))
        running.kill()  # before the group's offsets are committed
        assert running.committed == {}
        running.restart()
        running.put(row(6))
    assert database.query("SELECT id FROM t ORDER BY id") == [(n,) for n in range(7)]


def test_a_batch_that_fails_leaves_neither_rows_nor_offsets(database: TestDatabase) -> None:
    with sink(database, exactly_once="true", pk_mode="record_value", pk_fields="id") as running:
        running.put(row(1))
        running.put(row(2), row(1))
        assert running.failure is not None
        assert offsets(database) == {("harness", "t", 0): 1}
    assert database.query("SELECT id FROM t") == [(1,)]


def test_a_table_that_is_changed_commits_no_row_without_its_offset(database: TestDatabase) -> None:
    """A statement that changes a table commits what was written before it, in MySQL whether one wants or not."""
    required = SchemaBuilder.struct().field("id", INT32).field("must", INT32).build()
    with sink(database, exactly_once="true", auto_evolve="true") as running:
        running.put(row(1), row(2, schema=WIDER), SinkRecord("t", 0, None, None, required, {"id": 3, "must": 1}))
        assert "Cannot ALTER TABLE" in str(running.failure)
    assert database.query("SELECT id FROM t") == []
    assert offsets(database) == {("harness", "t", 0): -1}


def test_a_former_owner_writes_nothing_more(database: TestDatabase) -> None:
    with sink(database, exactly_once="true") as former, sink(database, exactly_once="true") as later:
        former.put(row(0))
        later.put(row(0), row(1))  # claims the partition, and goes on after what is written
        former.put(row(2, "twice"))
        assert former.failure is None  # it waits for its worker to learn of it
    assert database.query("SELECT id, name FROM t ORDER BY id") == [(0, None), (1, None)]


def test_a_reported_record_is_skipped_with_its_offset(database: TestDatabase) -> None:
    tolerant = {k.replace(".", "_"): v for k, v in DLQ.items()}
    with sink(database, exactly_once="true", pk_mode="record_value", pk_fields="id", **tolerant) as running:
        running.put(*[row(n) for n in (1, 2, 1)])
        assert [record.offset for record, _ in running.reported] == [2]
        assert offsets(database) == {("harness", "t", 0): 3}
    assert database.query("SELECT id FROM t ORDER BY id") == [(1,), (2,)]


def test_offsets_that_are_changed_over_rest_are_changed_in_the_database(database: TestDatabase) -> None:
    settings = {"name": "harness", "topics": "t", "exactly.once": "true", "auto.create": "true", **database.settings}
    connector = JdbcSinkConnector()
    with sink(database, exactly_once="true") as running:
        running.put(*[row(n) for n in range(4)])
    assert connector.alter_offsets(settings, {TopicPartition("t", 0): 2}) is True
    assert offsets(database) == {("harness", "t", 0): 2}
    assert connector.alter_offsets(settings, {TopicPartition("t", 0): None}) is True
    assert offsets(database) == {}


def test_a_reset_of_a_group_forgets_all_offsets(database: TestDatabase) -> None:
    settings = {"name": "harness", "topics": "t", "exactly.once": "true", **database.settings}
    with sink(database, exactly_once="true") as running:
        running.put(row(1))
    assert JdbcSinkConnector().alter_offsets(settings, {}) is True
    assert offsets(database) == {}


# ---- records without a schema


def plain(value: Any, key: Any = None) -> SinkRecord:
    return SinkRecord("t", 0, None, key, None, value)


def test_objects_without_a_schema_go_into_the_columns_of_their_names(database: TestDatabase) -> None:
    database.execute(
        "CREATE TABLE t (id int, name varchar(20) DEFAULT 'none', price decimal(10,2), day date, more varchar(100))"
    )
    with sink(database, schemaless_enable="true") as running:
        running.put(
            plain({"id": 1, "name": "a", "price": 1.5, "day": "2024-02-29", "more": {"x": [1, None, "ü"]}}),
            plain({"id": 2, "name": None}),
            plain({"id": 3, "price": 2}),
        )
    rows = database.query("SELECT id, name, price, more FROM t ORDER BY id")
    assert [(i, n, None if p is None else float(p), None if m is None else json.loads(m)) for i, n, p, m in rows] == [
        (1, "a", 1.5, {"x": [1, None, "ü"]}), (2, None, None, None), (3, "none", 2.0, None),
    ]  # fmt: skip


def test_objects_without_a_schema_are_upserted_and_deleted_by_their_keys(database: TestDatabase) -> None:
    database.execute("CREATE TABLE t (id int primary key, name varchar(20))")
    settings = {
        "schemaless_enable": "true",
        "insert_mode": "upsert",
        "pk_mode": "record_key",
        "pk_fields": "id",
        "delete_enabled": "true",
    }
    with sink(database, **settings) as running:
        running.put(*[plain({"name": f"v{n}"}, n) for n in (1, 2, 1)], plain(None, 2), plain({"name": "c"}, 3))
    assert database.query("SELECT id, name FROM t ORDER BY id") == [(1, "v1"), (3, "c")]


def test_a_table_is_not_made_of_objects_without_a_schema(database: TestDatabase) -> None:
    with sink(database, schemaless_enable="true") as running:
        running.put(plain({"id": 1}))
        assert "records without a schema do not say its type" in str(running.failure)
    assert database.query("SELECT * FROM t") == []


# ---- the plan


def test_validation_shows_the_statements_that_would_run_and_runs_none(database: TestDatabase) -> None:
    schema = {
        "type": "struct",
        "fields": [{"field": "id", "type": "int32"}, {"field": "age", "type": "int32", "optional": True}],
    }
    settings = {
        "name": "s", "topics": "t", "auto.create": "true", "auto.evolve": "true", "pk.mode": "record_value", "pk.fields": "id",
        **database.settings, "plan.value.schema": json.dumps(schema),
    }  # fmt: skip

    def plan(**changes: str) -> tuple[list[str], list[str]]:
        found = JdbcSinkConnector().validate({**settings, **changes}).value("plan.value.schema")
        assert found is not None
        return found.recommended_values, found.errors

    (creation,), _ = plan()
    assert creation.startswith("CREATE TABLE")
    assert database.query("SELECT * FROM t") == []
    database.execute("CREATE TABLE t (id int primary key)")
    (change,), _ = plan()
    assert change.startswith("ALTER TABLE")
    database.execute("ALTER TABLE t ADD age int")
    assert plan() == ([], [])
    required = json.dumps(
        {"type": "struct", "fields": [{"field": "id", "type": "int32"}, {"field": "must", "type": "int32"}]}
    )
    statements, (error,) = plan(**{"plan.value.schema": required})
    assert statements == []
    assert "Cannot ALTER TABLE" in error
