"""The answer to a COMMIT is lost: with ``exactly.once`` the database is asked what it holds, and no row comes twice."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from lab.database_server import DatabaseServer
from lab.lost_answers import LostAnswers
from penstock.api import TopicPartition
from penstock.data import INT64, SchemaBuilder, SinkRecord
from penstock.testing.harness import SinkHarness
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.sink.connector import JdbcSinkConnector
from penstock_connectors.jdbc.sql_errors import ErrorKind, SqlError

ROW = SchemaBuilder.struct().field("id", INT64).build()
EXACTLY = {"topics": "t", "auto.create": "true", "exactly.once": "true", "retry.backoff.ms": "0"}


def rows(first: int, count: int) -> list[SinkRecord]:
    return [SinkRecord("t", 0, None, None, ROW, {"id": n}, offset=n) for n in range(first, first + count)]


def ask(path: Path, query: str) -> list[Any]:
    with closing(sqlite3.connect(path)) as connection:
        return connection.execute(query).fetchall()


def settle(harness: SinkHarness) -> None:
    for _ in range(5):
        harness.clock.advance(10)
        harness.round()


@pytest.mark.parametrize("name", ["postgres", "mariadb"])
def test_a_commit_whose_answer_is_lost_is_not_done_again(name: str, request: pytest.FixtureRequest) -> None:
    server: DatabaseServer = request.getfixturevalue(name)
    with server.database() as database, LostAnswers(server.port) as way:
        settings = server.settings(database)
        settings["connection.url"] = settings["connection.url"].replace(f":{server.port}/", f":{way.port}/")
        with SinkHarness(JdbcSinkConnector, {**EXACTLY, **settings}) as harness:
            harness.put(*rows(0, 10))
            way.lose(b"COMMIT")
            harness.put(*rows(10, 10))
            settle(harness)
            harness.put(*rows(20, 10))
            settle(harness)
            assert way.lost == 1
            assert harness.failure is None
            assert harness.commit() == {TopicPartition("t", 0): 30}
        assert [row[0] for row in server.query("SELECT id FROM t ORDER BY id", database)] == list(range(30))


@pytest.mark.parametrize("committed", [True, False])
def test_the_database_says_whether_a_commit_was_done(
    committed: bool, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    commit = DatabaseConnection.commit
    lost: list[bool] = []

    def without_answer(connection: DatabaseConnection) -> None:
        if lost:
            lost.clear()
            commit(connection) if committed else connection.rollback()
            raise SqlError("the connection is gone", ErrorKind.CONNECTION)
        commit(connection)

    monkeypatch.setattr(DatabaseConnection, "commit", without_answer)
    with SinkHarness(JdbcSinkConnector, {**EXACTLY, "connection.url": f"jdbc:sqlite:{path}"}) as harness:
        harness.put(*rows(0, 3))
        lost.append(True)
        harness.put(*rows(3, 3))
        settle(harness)
        harness.put(*rows(6, 3))
        assert harness.failure is None
        assert harness.commit() == {TopicPartition("t", 0): 9}
    assert ask(path, "SELECT id FROM t ORDER BY id") == [(n,) for n in range(9)]


def test_a_task_that_lost_its_partition_meanwhile_does_not_take_it_back(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "x.db"
    commit = DatabaseConnection.commit
    lost: list[bool] = []

    def without_answer(connection: DatabaseConnection) -> None:
        commit(connection)
        if lost:
            lost.clear()
            connection.execute("UPDATE penstock_sink_offsets SET owner = 'another'")
            commit(connection)
            raise SqlError("the connection is gone", ErrorKind.CONNECTION)

    monkeypatch.setattr(DatabaseConnection, "commit", without_answer)
    with SinkHarness(JdbcSinkConnector, {**EXACTLY, "connection.url": f"jdbc:sqlite:{path}"}) as harness:
        harness.put(*rows(0, 3))
        lost.append(True)
        harness.put(*rows(3, 3))
        for _ in range(70):
            harness.clock.advance(10)
            if harness.is_running:
                harness.round()
        assert "belongs to another task now" in str(harness.failure)
    assert ask(path, "SELECT owner FROM penstock_sink_offsets") == [("another",)]
    assert ask(path, "SELECT id FROM t ORDER BY id") == [(n,) for n in range(6)]


def test_a_task_that_is_fenced_in_the_middle_of_a_split_batch_goes_on_behind_what_it_wrote(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    reports = {"unfit.records": "report", "errors.tolerance": "all", "errors.log.enable": "true"}
    config = {**EXACTLY, **reports, "connection.url": f"jdbc:sqlite:{path}"}
    tombstone = SinkRecord("t", 0, None, None, None, None, offset=2)
    with SinkHarness(JdbcSinkConnector, config) as harness:
        harness.put(*rows(0, 1))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute(
                "CREATE TRIGGER f AFTER INSERT ON t WHEN new.id = 3 BEGIN UPDATE penstock_sink_offsets SET owner = 'another'; END"
            )
        harness.put(*rows(1, 1), tombstone, *rows(3, 2))
        settle(harness)
        assert harness.failure is None
        assert len(harness.failures) == 1
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DROP TRIGGER f")
        settle(harness)
        assert harness.failure is None
        assert harness.commit() == {TopicPartition("t", 0): 5}
    assert ask(path, "SELECT id FROM t ORDER BY id") == [(0,), (1,), (3,), (4,)]


@pytest.mark.parametrize("with_rebalance", [False, True])
def test_rows_that_the_server_lost_are_written_again_once_the_connection_is_a_new_one(
    with_rebalance: bool, tmp_path: Path
) -> None:
    """A replica that took over, or a server that does not wait for its disk, may lack the last commits."""
    path = tmp_path / "x.db"
    config = {
        **EXACTLY,
        "connection.url": f"jdbc:sqlite:{path}",
        "consumer.override.partition.assignment.strategy": "cooperative-sticky",
    }
    with SinkHarness(JdbcSinkConnector, config, partitions=2) as harness:
        harness.put(*rows(0, 3))
        harness.put(*rows(3, 3))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("DELETE FROM t WHERE id >= 3")
            connection.execute("UPDATE penstock_sink_offsets SET next_offset = 3 WHERE topic_partition = 0")
            connection.commit()
        harness.task._keeper.close()
        if with_rebalance:
            harness.rebalance(TopicPartition("t", 0))
            harness.rebalance(TopicPartition("t", 0), TopicPartition("t", 1))
        harness.put(*rows(6, 1))
        settle(harness)
        assert harness.failure is None
        assert harness.commit()[TopicPartition("t", 0)] == 7
    assert ask(path, "SELECT id FROM t ORDER BY id") == [(n,) for n in range(7)]


def test_a_table_of_offsets_that_was_emptied_fails_the_task(tmp_path: Path) -> None:
    path = tmp_path / "x.db"
    with SinkHarness(JdbcSinkConnector, {**EXACTLY, "connection.url": f"jdbc:sqlite:{path}"}) as harness:
        harness.put(*rows(0, 3))
        with closing(sqlite3.connect(path)) as connection:
            connection.execute("UPDATE penstock_sink_offsets SET next_offset = -1")
            connection.commit()
        harness.task._keeper.close()
        harness.put(*rows(3, 1))
        assert "has forgotten what was written of t-0" in str(harness.failure)


LIMITS = {"postgres": "SHOW idle_in_transaction_session_timeout", "mariadb": "SELECT @@SESSION.wait_timeout"}


@pytest.mark.parametrize("name", LIMITS)
def test_the_server_ends_a_transaction_whose_worker_is_gone(name: str, request: pytest.FixtureRequest) -> None:
    """Its locks would keep the next owner from claiming the partitions."""
    server: DatabaseServer = request.getfixturevalue(name)
    found = []
    with server.database() as database:
        own = {"connection.options": "-c idle_in_transaction_session_timeout=5000"} if name == "postgres" else {}
        for settings in ({}, {"exactly.once": "false"}, own):
            with SinkHarness(JdbcSinkConnector, {**EXACTLY, **server.settings(database), **settings}) as harness:
                found.append(harness.task._keeper.get().query(LIMITS[name])[0][0])
    assert found[0] == ("1min" if name == "postgres" else 60)
    assert found[1] != found[0]
    assert name != "postgres" or found[2] == "5s"
