"""Errors of databases, sorted by what can be done about them."""

from __future__ import annotations

import sqlite3
from typing import Any

import psycopg.errors
import pymysql.err
import pytest

from penstock_connectors.jdbc.sql_errors import ErrorKind, classify, driver_text, is_driver_error, sql_error, sql_state

POSTGRES = [
    (psycopg.errors.UniqueViolation, ErrorKind.RECORD, "23505"),
    (psycopg.errors.NotNullViolation, ErrorKind.RECORD, "23502"),
    (psycopg.errors.StringDataRightTruncation, ErrorKind.RECORD, "22001"),
    (psycopg.errors.DeadlockDetected, ErrorKind.RETRIABLE, "40P01"),
    (psycopg.errors.LockNotAvailable, ErrorKind.RETRIABLE, "55P03"),
    (psycopg.errors.DiskFull, ErrorKind.RETRIABLE, "53100"),
    (psycopg.errors.AdminShutdown, ErrorKind.CONNECTION, "57P01"),
    (psycopg.errors.UndefinedTable, ErrorKind.FATAL, "42P01"),
    (psycopg.errors.InsufficientPrivilege, ErrorKind.FATAL, "42501"),
    (psycopg.errors.InvalidPassword, ErrorKind.FATAL, "28P01"),
    (psycopg.OperationalError, ErrorKind.CONNECTION, None),
]


@pytest.mark.parametrize(("error", "kind", "state"), POSTGRES)
def test_postgresql_is_sorted_by_sqlstate(error: type[Exception], kind: ErrorKind, state: str | None) -> None:
    made = error("it says")
    assert (classify(made), sql_state(made)) == (kind, state)


MYSQL = [
    (pymysql.err.IntegrityError(1062, "Duplicate entry"), ErrorKind.RECORD, "23000"),
    (pymysql.err.DataError(1406, "Data too long"), ErrorKind.RECORD, "22001"),
    (pymysql.err.OperationalError(1213, "Deadlock"), ErrorKind.RETRIABLE, "40001"),
    (pymysql.err.OperationalError(2013, "Lost connection"), ErrorKind.CONNECTION, "08S01"),
    (pymysql.err.InterfaceError(0, ""), ErrorKind.CONNECTION, "HY000"),
    (pymysql.err.ProgrammingError(1146, "no such table"), ErrorKind.FATAL, "42S02"),
]


@pytest.mark.parametrize(("error", "kind", "state"), MYSQL)
def test_mysql_is_sorted_by_its_own_codes(error: Exception, kind: ErrorKind, state: str) -> None:
    assert (classify(error), sql_state(error)) == (kind, state)


def _sqlite_error(*statements: str) -> sqlite3.Error:
    connection = sqlite3.connect(":memory:")
    try:
        for statement in statements:
            connection.execute(statement)
    except sqlite3.Error as error:
        return error
    finally:
        connection.close()
    raise AssertionError("no error")


SQLITE: list[tuple[tuple[str, ...], ErrorKind]] = [
    (("create table t(id integer primary key)", "insert into t values(1)", "insert into t values(1)"), ErrorKind.RECORD),
    (("create table t(id integer primary key)", "insert into t values('x')"), ErrorKind.RECORD),
    (("select * from nothing",), ErrorKind.FATAL),
]  # fmt: skip


@pytest.mark.parametrize(("statements", "kind"), SQLITE)
def test_sqlite_is_sorted_by_its_result_codes(statements: tuple[str, ...], kind: ErrorKind) -> None:
    assert classify(_sqlite_error(*statements)) is kind


def test_a_locked_sqlite_database_may_be_tried_again(tmp_path: Any) -> None:
    holder, other = (
        sqlite3.connect(tmp_path / "x.db", isolation_level=None),
        sqlite3.connect(tmp_path / "x.db", timeout=0),
    )
    holder.execute("create table t(id)")
    holder.execute("begin immediate")
    with pytest.raises(sqlite3.OperationalError) as raised:
        other.execute("insert into t values(1)")
    assert classify(raised.value) is ErrorKind.RETRIABLE
    holder.close()
    other.close()


def test_a_sql_error_says_what_was_done_and_what_the_driver_said() -> None:
    error = sql_error(pymysql.err.IntegrityError(1062, "Duplicate entry"), "inserting into t")
    assert error.message == "inserting into t: (1062) Duplicate entry"
    assert (error.kind, error.state) == (ErrorKind.RECORD, "23000")


def test_a_drivers_text_shows_no_credentials() -> None:
    assert "hunter2" not in driver_text(psycopg.OperationalError("cannot reach postgresql://me:hunter2@h/d"))


def test_errors_of_the_program_are_not_the_databases() -> None:
    assert not is_driver_error(ValueError("x"))
    assert is_driver_error(sqlite3.OperationalError("x"))
    assert is_driver_error(psycopg.OperationalError("x"))
