"""Rows of transactions that commit late are not missed with ``late.commits=wait``."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.database_server import MariaDbServer, PostgresServer
from lab.jdbc_source import JdbcSourceRun
from penstock.errors import ConnectError
from penstock_connectors.jdbc.dialects import dialect_for
from penstock_connectors.jdbc.source.late_commits import LagBounds
from penstock_connectors.jdbc.urls import database_url

T = "create table t(id serial primary key, ts timestamptz not null default now(), v text)"
BY_ID = {"mode": "incrementing", "incrementing.column.name": "id", "table.whitelist": "t", "late.commits": "wait"}
BY_TIME = {**BY_ID, "mode": "timestamp", "timestamp.column.name": "ts"}


def ids(run: JdbcSourceRun, rounds: int = 15) -> list[int]:
    return [record.value["id"] for record in run.rest(rounds)]


@pytest.mark.parametrize("mode", [BY_ID, BY_TIME, {**BY_TIME, "mode": "timestamp+incrementing"}])
def test_a_lower_row_that_commits_after_a_higher_one_comes_before_it(
    postgres: PostgresServer, mode: dict[str, str]
) -> None:
    with postgres.database() as name:
        postgres.execute(T, "insert into t(v) values('first')", database=name)
        late = postgres.connect(name, autocommit=False)
        with JdbcSourceRun({**postgres.settings(name), **mode}) as run:
            assert [record.value["id"] for record in run.take(1)] == [1]
            late.execute("insert into t(v) values('late')")
            postgres.execute("insert into t(v) values('early')", database=name)
            assert ids(run) == []
            late.commit()
            assert [record.value["v"] for record in run.take(2)] == ["late", "early"]
        late.close()


def test_a_transaction_that_has_its_id_but_no_number_yet_is_waited_for(postgres: PostgresServer) -> None:
    """A lock on the table is enough: the number of a transaction comes with its first row, its ids may come before."""
    with postgres.database() as name:
        postgres.execute(T, database=name)
        late = postgres.connect(name, autocommit=False)
        late.execute("lock table t in row exclusive mode")
        with JdbcSourceRun({**postgres.settings(name), **BY_ID}) as run:
            postgres.execute("insert into t(id, v) values(2, 'early')", database=name)
            assert ids(run) == []
            late.execute("insert into t(id, v) values(1, 'late')")
            late.commit()
            assert [record.value["id"] for record in run.take(2)] == [1, 2]
        late.close()


def test_a_role_that_sees_too_little_is_told_which_right_it_needs(
    postgres: PostgresServer, caplog: pytest.LogCaptureFixture
) -> None:
    with postgres.database() as name:
        postgres.execute(T, "create role small login password 'x'", "grant select on t to small", database=name)
        try:
            settings = {**postgres.settings(name), "connection.user": "small", "connection.password": "x"}
            with JdbcSourceRun({**settings, **BY_TIME, "late.commits.lag.ms": "0"}) as run:
                postgres.execute("insert into t(v) values('x')", database=name)
                run.take(1)
        finally:
            postgres.execute("drop owned by small", "drop role small", database=name)
    assert "GRANT pg_read_all_stats" in caplog.text


def test_a_view_is_refused_since_its_writers_are_not_known(postgres: PostgresServer) -> None:
    with postgres.database() as name:
        postgres.execute(T, "create view v as select * from t", database=name)
        config = {
            **postgres.settings(name),
            **BY_ID,
            "table.whitelist": "v",
            "table.types": "VIEW",
            "validate.non.null": "false",
        }
        with pytest.raises(ConnectError, match="is a view"), JdbcSourceRun(config):
            pass


def test_elsewhere_rows_are_held_back_for_a_while_and_a_warning_names_the_risk(
    mariadb: MariaDbServer, caplog: pytest.LogCaptureFixture
) -> None:
    now = [100.0]
    with mariadb.database() as name:
        mariadb.execute("create table t(id int primary key)", "insert into t values(5)", database=name)
        dialect = dialect_for(database_url(*mariadb.settings(name).values()))
        connection = dialect.connect()
        bounds = LagBounds(dialect, dialect.parse_table("t"), "id", 10, lambda: now[0])
        assert bounds.limits(connection, -1, None) is None
        now[0] = 110
        mariadb.execute("insert into t values(9)", database=name)
        assert bounds.limits(connection, -1, None) == (5, None)
        assert bounds.limits(connection, 5, None) is None
        now[0] = 120
        assert bounds.limits(connection, 5, None) == (9, None)
        assert bounds.limits(connection, 5, 30_000_000) == (None, 20_000_000)
        connection.close()
    assert "a transaction that takes longer can still commit rows that are never read" in caplog.text


def test_sqlite_has_one_writer_at_a_time_and_needs_no_lag(tmp_path: Path) -> None:
    dialect = dialect_for(database_url(f"jdbc:sqlite:{tmp_path / 'a.db'}"))
    connection = dialect.connect()
    assert LagBounds(dialect, dialect.parse_table("t"), "id", 10).limits(connection, 3, None) == (None, None)
    connection.close()
