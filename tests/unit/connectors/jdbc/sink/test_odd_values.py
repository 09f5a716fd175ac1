"""Odd values and tables that change under the sink: every record is written once, or the error names table and column."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest

from lab.database_server import PostgresServer
from penstock.data import INT32, INT64, OPTIONAL_STRING, STRING, SchemaBuilder, SinkRecord
from penstock.testing.harness import SinkHarness
from penstock_connectors.jdbc.sink.connector import JdbcSinkConnector

ROW = SchemaBuilder.struct().field("id", INT64).field("v", OPTIONAL_STRING).build()
MORE = SchemaBuilder.struct().field("id", INT64).field("v", OPTIONAL_STRING).field("w", STRING).build()


def row(number: int, text: str | None) -> SinkRecord:
    return SinkRecord("t", 0, None, None, ROW, {"id": number, "v": text}, offset=-1)


def sink(settings: dict[str, str], **more: str) -> SinkHarness:
    config = {"topics": "t", "auto.create": "true", "max.retries": "0", **settings}
    return SinkHarness(JdbcSinkConnector, {**config, **{k.replace("__", "."): v for k, v in more.items()}})


@contextmanager
def new_database(kind: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[tuple[dict[str, str], Any]]:
    if kind == "sqlite":
        path = tmp_path / "x.db"

        def ask(statement: str) -> list[Any]:
            with closing(sqlite3.connect(path)) as connection:
                found = connection.execute(statement).fetchall()
                connection.commit()
                return found

        yield {"connection.url": f"jdbc:sqlite:{path}"}, ask
        return
    server = request.getfixturevalue(kind)
    with server.database() as name:
        yield server.settings(name), lambda statement: server.query(statement, name)


@pytest.mark.parametrize("kind", ["sqlite", "postgres", "mariadb"])
@pytest.mark.parametrize("mode", ["insert", "upsert"])
def test_half_of_a_character_pair_becomes_a_question_mark_and_no_row_is_doubled(
    kind: str, mode: str, request: pytest.FixtureRequest, tmp_path: Path
) -> None:
    texts = ["a", "b\ud800", "c", None, "\udfff", "ä😀"]
    keys = {"insert.mode": mode, **({"pk.mode": "kafka"} if mode == "upsert" else {})}
    with new_database(kind, request, tmp_path) as (settings, ask), sink({**settings, **keys}) as harness:
        harness.put(*[row(n, text) for n, text in enumerate(texts)])
        harness.put(row(6, "\ud800\ud800"))
        assert harness.failure is None
        expected = ["a", "b?", "c", None, "?", "ä😀", "??"]
        quote = "`t`" if kind == "mariadb" else '"t"'
        assert list(map(list, ask(f"SELECT id, v FROM {quote} ORDER BY id"))) == [
            [n, t] for n, t in enumerate(expected)
        ]


def test_texts_reach_a_database_of_another_encoding_as_they_are(postgres: PostgresServer) -> None:
    name = "latin1_of_sink"
    postgres.execute(f"CREATE DATABASE {name} ENCODING 'LATIN1' TEMPLATE template0 LC_COLLATE 'C' LC_CTYPE 'C'")
    try:
        tolerant = {"errors.tolerance": "all", "errors.log.enable": "true"}
        with sink(postgres.settings(name), **tolerant) as harness:
            harness.put(*[row(n, "zäh") for n in range(6)])  # by COPY
            harness.put(row(6, "zäh"), row(7, "日本"))  # by INSERT; the second has no place in LATIN1
            assert [report.record.value["id"] for report in harness.failures] == [7]
        assert postgres.query("SELECT DISTINCT v, length(v), count(*) FROM t GROUP BY v", name) == [("zäh", 3, 7)]
    finally:
        postgres.drop(name)


def test_a_column_that_was_added_by_hand_is_found_without_a_restart(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with sink({"connection.url": f"jdbc:sqlite:{path}"}) as harness:
        harness.put(row(1, "a"))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("ALTER TABLE t ADD w TEXT")
        harness.put(SinkRecord("t", 0, None, None, MORE, {"id": 2, "v": "b", "w": "c"}, offset=-1))
        assert harness.failure is None
    with closing(sqlite3.connect(path)) as connection:
        assert connection.execute("SELECT * FROM t ORDER BY id").fetchall() == [(1, "a", None), (2, "b", "c")]


BIG = 2**70
ERRORS = [
    ({"id": BIG}, 'Table "t": a value is too large for the database'),
    ({"id": 1, "v": {"a": BIG}}, 'Table "t", column v, record t-0 at offset 0: '),
    ({"id": 1, "w": 1}, "Table \"t\": There is no column 'w'"),
]


@pytest.mark.parametrize(("value", "text"), ERRORS)
def test_an_object_that_no_column_takes_is_told_with_its_table(value: Any, text: str, tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with closing(sqlite3.connect(path)) as connection:
        connection.execute("CREATE TABLE t (id INTEGER, v TEXT)")
    with sink({"connection.url": f"jdbc:sqlite:{path}", "schemaless.enable": "true", "auto.evolve": "true"}) as harness:
        harness.put(SinkRecord("t", 0, None, None, None, value, offset=-1))
        assert text in str(harness.failure)


def test_integers_named_as_times_have_numeric_columns_in_sqlite(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    schema = SchemaBuilder.struct().field("a", INT32).field("b", INT64).field("c", INT32).build()
    with sink({"connection.url": f"jdbc:sqlite:{path}", "timestamp.fields.list": "a,b"}) as harness:
        harness.put(SinkRecord("t", 0, None, None, schema, {"a": 1, "b": 2_000_000, "c": 3}, offset=-1))
    with closing(sqlite3.connect(path)) as connection:
        assert [column[2] for column in connection.execute("PRAGMA table_info(t)")] == ["NUMERIC", "NUMERIC", "INTEGER"]
        assert connection.execute("SELECT * FROM t").fetchall() == [(1, 2000, 3)]


NO_SPACE = """CREATE FUNCTION f() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN IF new.v = 'full' THEN RAISE EXCEPTION 'no space' USING errcode = '{state}'; END IF; RETURN new; END $$"""


@pytest.mark.parametrize("retry_on", ["any", "transient"])
@pytest.mark.parametrize("state", ["53100", "40P01", "55P03", "57014"])
def test_an_error_of_the_databases_own_is_never_reported_as_a_records(
    state: str, retry_on: str, postgres: PostgresServer
) -> None:
    """Disk full, deadlock, lock not available, time-out."""
    with postgres.database() as name:
        postgres.execute(
            "CREATE TABLE t (id BIGINT, v TEXT)",
            NO_SPACE.format(state=state),
            "CREATE TRIGGER g BEFORE INSERT ON t FOR EACH ROW EXECUTE FUNCTION f()",
            database=name,
        )
        tolerant = {"errors.tolerance": "all", "errors.log.enable": "true", "retry.on": retry_on}
        with sink(postgres.settings(name), **tolerant) as harness:
            harness.put(row(1, "a"), row(2, "full"), row(3, "b"))
            assert "no space" in str(harness.failure)
            assert harness.failures == []
        assert postgres.query("SELECT * FROM t", name) == []
