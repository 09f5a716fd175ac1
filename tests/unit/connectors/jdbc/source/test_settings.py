"""The source's settings are those that the JVM's connector lists."""

from __future__ import annotations

import datetime as dt
import json
from pathlib import Path

import pytest

from penstock.api import ExactlyOnceSupport
from penstock.config.info import key_info
from penstock.errors import ConnectError
from penstock_connectors.jdbc.dialects import dialect_for
from penstock_connectors.jdbc.source.config_def import CONFIG_DEF, OWN_KEYS
from penstock_connectors.jdbc.source.connector import JdbcSourceConnector
from penstock_connectors.jdbc.source.moments import Moments
from penstock_connectors.jdbc.source.reading import reader_for
from penstock_connectors.jdbc.urls import database_url

RECORDED = json.loads((Path(__file__).parents[4] / "vectors" / "jdbc" / "config_source.json").read_text())
OF_THE_CONNECTOR = RECORDED[: next(i for i, key in enumerate(RECORDED) if key["name"] == "name")]


def test_the_settings_are_the_recorded_ones_in_their_order() -> None:
    shown = [key_info(key) for key in CONFIG_DEF.keys if not key.internal]
    assert [{**info, "documentation": bool(info["documentation"])} for info in shown] == OF_THE_CONNECTOR


def test_settings_of_its_own_are_documented() -> None:
    own = [key for key in CONFIG_DEF.keys if key.internal]
    assert {key.name for key in own} == OWN_KEYS
    page = (Path(__file__).parents[5] / "docs" / "jdbc.md").read_text()
    assert all(key.doc and f"`{key.name}`" in page for key in own)


def errors(**changes: str) -> dict[str, list[str]]:
    config = {
        "name": "s",
        "connection.url": "jdbc:sqlite::memory:",
        "mode": "bulk",
        "table.whitelist": "t",
        "topic.prefix": "p",
    }
    config |= {key.replace("__", "."): value for key, value in changes.items()}
    return {v.name: v.errors for v in JdbcSourceConnector().validate(config).values if v.errors}


MODES = "'timestamp' or 'timestamp+incrementing'"


@pytest.mark.parametrize(
    ("changes", "key", "text"),
    [
        ({"topic__prefix": "a b"}, "topic.prefix", "Invalid value a b for configuration topic.prefix: Topic prefix must not contain any character other than ASCII alphanumerics, '.', '_' and '-'."),
        ({"incrementing__column__mapping": "a"}, "incrementing.column.mapping", "Invalid value a for configuration incrementing.column.mapping: Invalid format. Expected 'regex:columnName'"),
        ({"timestamp__columns__mapping": "a:b"}, "timestamp.columns.mapping", "Invalid value b for configuration timestamp.columns.mapping: Columns list must be enclosed in square brackets"),
        ({"timestamp__columns__mapping": "a:[]"}, "timestamp.columns.mapping", "Invalid value [] for configuration timestamp.columns.mapping: Columns list cannot be empty"),
        ({"timestamp__columns__mapping": "a:[b|]"}, "timestamp.columns.mapping", "Invalid value [b|] for configuration timestamp.columns.mapping: Every column name should be non-empty string"),
        ({"table__whitelist": "", "table__include__list": ".*", "mode": "timestamp"}, "mode", f"Timestamp column configuration must be provided when using mode {MODES}. Provide 'timestamp.columns.mapping'."),
        ({"table__whitelist": "", "table__include__list": ".*", "timestamp__columns__mapping": "a:[b]"}, "mode", f"Timestamp column configurations should not be provided if mode is not {MODES}. Remove 'timestamp.columns.mapping'."),
        ({"transaction__isolation__mode": "SQL_SERVER_SNAPSHOT"}, "transaction.isolation.mode", "Isolation mode of `SQL_SERVER_SNAPSHOT` can only be configured with a Sql Server Dialect"),
        ({"table__whitelist": "", "query": "SELECT * FROM nothing"}, "query", "The configured query is not valid and has database/connection errors. Please provide the correct query by validating the query syntax and the existing table/column names with the database being connected (errorCode: 1)"),
        ({"key__columns": "a"}, "key.columns", "key.columns counts with key.mode=columns only"),
        ({"key__mode": "columns"}, "key.columns", "key.mode=columns needs the columns' names in key.columns"),
        ({"late__commits": "wait"}, "late.commits", "late.commits=wait means nothing in mode bulk, which misses no rows"),
        ({"jdbc__credentials__provider__class": "com.acme.Mine"}, "jdbc.credentials.provider.class", "Invalid value com.acme.Mine for configuration jdbc.credentials.provider.class: Only io.confluent.connect.jdbc.util.DefaultJdbcCredentialsProvider is supported; a config provider can look up connection.password"),
        ({"connection__nope": "1"}, "connection.url", "Could not connect to database. Connection parameter 'nope' of SQLite is not supported"),
    ],
)  # fmt: skip
def test_validation_answers_at_the_setting(changes: dict[str, str], key: str, text: str) -> None:
    found = errors(**changes)
    assert list(found) == [key]
    assert found[key][0].startswith(text)


def test_a_source_by_id_delivers_exactly_once_and_one_by_time_alone_does_not_say_so() -> None:
    connector = JdbcSourceConnector()
    support = {
        mode: connector.exactly_once_support({"mode": mode})
        for mode in ("bulk", "timestamp", "incrementing", "timestamp+incrementing")
    }
    assert {mode for mode, answer in support.items() if answer is ExactlyOnceSupport.SUPPORTED} == {
        "incrementing",
        "timestamp+incrementing",
    }


def test_offsets_that_no_task_could_begin_with_are_refused() -> None:
    connector = JdbcSourceConnector()
    table = (("protocol", "1"), ("table", "public.t"))
    assert connector.alter_offsets({}, {table: {"incrementing": 3}, (("query", "query"),): None})
    for partition, offset in [
        (table, {"incrementing": "3"}),
        (table, {"nope": 3}),
        ((("file", "x"),), {"incrementing": 3}),
    ]:
        with pytest.raises(ConnectError):
            connector.alter_offsets({}, {partition: offset})


def test_a_fault_of_the_connectors_own_is_not_taken_for_a_valid_configuration(monkeypatch: pytest.MonkeyPatch) -> None:
    """Errors of the database are answers; anything else has to be seen."""

    def broken(*_: object) -> None:
        raise KeyError("a fault")

    for place in ("validation.dialect_of", "validation.reader_for"):
        monkeypatch.setattr(f"penstock_connectors.jdbc.source.{place}", broken)
        with pytest.raises(KeyError):
            errors(table__whitelist="", query="SELECT 1 AS a")
        monkeypatch.undo()


def test_the_jvms_connectors_early_end_stays_an_answer_without_errors() -> None:
    assert errors(transaction__isolation__mode="HOLY", table__include__list="a") == {}


@pytest.mark.parametrize(
    "query", ["SELECT 1 AS a;", "SELECT 1 AS a -- one", " select 1 as a; /* x */", "SELECT ';' AS a"]
)
def test_a_query_that_ends_in_semicolons_and_comments_is_valid(query: str) -> None:
    assert errors(table__whitelist="", query=query) == {}


def test_settings_that_the_driver_does_not_take_are_told_at_the_url() -> None:
    (text,) = errors(connection__url="jdbc:sqlite:a\0b")["connection.url"]
    assert text.startswith("Could not connect to database. The database's driver does not take the settings")


READERS = [
    ("jdbc:postgresql://h/d", "PostgreSqlReader"),
    ("postgresql://h/d", "PostgreSqlReader"),
    ("postgresql+psycopg2://h/d", "GenericReader"),
    ("jdbc:mysql://h/d", "MySqlReader"),
    ("mysql+mysqldb://h/d", "GenericReader"),
    ("jdbc:mariadb://h/d", "MySqlReader"),
    ("jdbc:sqlite:x", "SqliteReader"),
    ("sqlite:///x", "SqliteReader"),
    ("jdbc:sqlserver://h", "GenericReader"),
]


@pytest.mark.parametrize(("url", "reader"), READERS)
def test_a_driver_that_no_reader_is_written_for_is_read_in_the_general_way(url: str, reader: str) -> None:
    assert type(reader_for(dialect_for(database_url(url)), Moments(dt.UTC))).__name__ == reader
