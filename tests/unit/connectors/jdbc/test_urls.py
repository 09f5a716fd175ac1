"""Connection URLs of JDBC and SQLAlchemy, with the parameters of the Java drivers."""

from __future__ import annotations

from typing import Any

import pytest

from penstock_connectors.jdbc.urls import UrlError, database_url

PLACES = [
    ("jdbc:postgresql://db.example:5433/orders", "postgresql+psycopg", "db.example", 5433, "orders"),
    ("jdbc:postgresql://db.example/orders?ssl=false", "postgresql+psycopg", "db.example", 5432, "orders"),
    ("jdbc:postgresql://[::1]:5433/orders", "postgresql+psycopg", "::1", 5433, "orders"),
    ("jdbc:postgresql:orders", "postgresql+psycopg", "localhost", 5432, "orders"),
    ("jdbc:postgresql:/", "postgresql+psycopg", "localhost", 5432, None),
    ("jdbc:postgresql://h/my%20db", "postgresql+psycopg", "h", 5432, "my db"),
    ("jdbc:sqlite:/data/a b.db", "sqlite+pysqlite", None, None, "/data/a b.db"),
    ("jdbc:sqlite:", "sqlite+pysqlite", None, None, ":memory:"),
    ("jdbc:sqlite:file:x.db?mode=ro", "sqlite+pysqlite", None, None, "file:x.db?mode=ro"),
    ("jdbc:mysql://h/shop", "mysql+pymysql", "h", 3306, "shop"),
    ("jdbc:mariadb://h:3307/shop", "mariadb+pymysql", "h", 3307, "shop"),
    ("jdbc:sqlserver://h:1433;databaseName=shop;encrypt=false", "mssql+pyodbc", "h", 1433, "shop"),
    ("jdbc:sqlserver://h\\one;database={a;b}", "mssql+pyodbc", "h\\one", None, "a;b"),
    ("jdbc:oracle:thin:@h:1521:XE", "oracle+oracledb", "h", 1521, "XE"),
    ("jdbc:oracle:thin:@//h/svc", "oracle+oracledb", "h", 1521, None),
    ("postgresql+psycopg://h:5432/orders", "postgresql+psycopg", "h", 5432, "orders"),
    ("postgresql://h/orders", "postgresql+psycopg", "h", None, "orders"),
    ("sqlite:////data/a.db", "sqlite", None, None, "/data/a.db"),
]


@pytest.mark.parametrize(("url", "driver", "host", "port", "database"), PLACES)
def test_a_url_names_driver_and_place(url: str, driver: str, host: str | None, port: int | None, database: str) -> None:
    target = database_url(url)
    assert (target.drivername, target.host, target.port, target.database) == (driver, host, port, database)


ARGUMENTS = [
    ("jdbc:postgresql://h/d", {"ApplicationName": "x"}, {"application_name": "x"}),
    ("jdbc:postgresql://h/d?connectTimeout=5&currentSchema=a", {}, {"connect_timeout": "5", "options": "-c search_path=a"}),
    ("jdbc:postgresql://h/d?targetServerType=secondary&tcpKeepAlive=true", {}, {"target_session_attrs": "standby", "keepalives": "1"}),
    ("jdbc:postgresql://a,b:5433/d", {}, {"host": "a,b", "port": "5432,5433"}),
    ("jdbc:postgresql://h/d", {"ssl": "true"}, {"sslmode": "verify-full"}),
    ("jdbc:mysql://h/d?connectTimeout=1500&socketTimeout=0", {}, {"charset": "utf8mb4", "connect_timeout": 2}),
    ("jdbc:mysql://h/d?useSSL=false", {}, {"charset": "utf8mb4", "ssl_disabled": True}),
    ("jdbc:sqlite:x.db?busy_timeout=250", {}, {"check_same_thread": False, "timeout": 0.25}),
]  # fmt: skip


@pytest.mark.parametrize(("url", "properties", "expected"), ARGUMENTS)
def test_parameters_of_the_java_driver_reach_pythons(
    url: str, properties: dict[str, str], expected: dict[str, Any]
) -> None:
    assert database_url(url, properties=properties).connect_args == expected


def test_settings_beside_the_url_win_over_the_urls_own_user_and_password() -> None:
    target = database_url("jdbc:postgresql://h/d?user=a&password=b", "c", "d")
    assert (target.username, target.password) == ("c", "d")
    assert "d" not in repr(target).replace("database='d'", "").replace("postgresql", "").split("password")


def test_parameters_that_tune_the_java_driver_are_named_as_of_no_effect() -> None:
    assert database_url("jdbc:postgresql://h/d?reWriteBatchedInserts=true").ignored == ["reWriteBatchedInserts"]


def test_pragmas_are_statements_of_each_new_connection() -> None:
    assert database_url("jdbc:sqlite:x.db?foreign_keys=true").statements == ["PRAGMA foreign_keys = true"]


REFUSED = [
    ("jdbc:nosuchdb://x", {}, "No suitable driver found for jdbc:nosuchdb://x"),
    ("postgresql://x", {}, "Not a valid JDBC URL: postgresql://x"),
    ("", {}, "Not a valid JDBC URL: "),
    ("jdbc:postgresql://h/d?nope=1", {}, "Connection parameter 'nope' of PostgreSQL is not supported"),
    ("jdbc:postgresql://h/d", {"nope": "1"}, "Connection parameter 'nope' of PostgreSQL is not supported"),
    ("jdbc:mysql://h/d?nope=1", {}, "Connection parameter 'nope' of MySQL is not supported"),
    ("jdbc:sqlite:x?nope=1", {}, "Connection parameter 'nope' of SQLite is not supported"),
    ("jdbc:sqlserver://h;nope=1", {}, "Connection parameter 'nope' of SQL Server is not supported"),
    ("jdbc:oracle:thin:@h/s", {"nope": "1"}, "Connection parameter 'nope' of Oracle is not supported"),
    ("jdbc:oracle:oci:@x", {}, "jdbc:oracle:oci: is not supported"),
    ("jdbc:postgresql://h:99999/d", {}, "The port '99999'"),
    ("jdbc:sqlite:x?journal_mode=wal;drop", {}, "Connection parameter 'journal_mode' is 'wal;drop'"),
]


@pytest.mark.parametrize(("url", "properties", "message"), REFUSED)
def test_what_cannot_be_used_is_refused_by_name(url: str, properties: dict[str, str], message: str) -> None:
    with pytest.raises(UrlError) as raised:
        database_url(url, properties=properties)
    assert raised.value.message.startswith(message)


SECRETS = [
    "jdbc:nosuchdb://me:hunter2@x",
    "jdbc:postgresql://me:hunter2@h:5432/d",
    "jdbc:postgresql:me:hunter2@h/d",
    "jdbc:postgresql://h/d?password=hunter2&nope=1",
    "jdbc:postgresql://h:99999/d?password=hunter2",
    "postgresql://me:hunter2@h:x/d",
    "postgresql://me:hunter2@h",
    "jdbc:mysql://me:hunter2@h:99999/d",
    "jdbc:mysql:me:hunter2@h",
    "jdbc:mysql://(host=h)(password=hunter2)/d",
    "jdbc:mariadb://me:hunter2@a,b/d",
    "jdbc:sqlserver://h:99999;user=me;password=hunter2",
    "jdbc:sqlserver://me:hunter2@h",
    "jdbc:oracle:oci:me/hunter2@h",
    "jdbc:sqlite:x?hexkey=hunter2;",
]


@pytest.mark.parametrize("url", SECRETS)
def test_a_refused_url_does_not_show_its_password(url: str) -> None:
    with pytest.raises(UrlError) as raised:
        database_url(url)
    assert "hunter2" not in raised.value.message
