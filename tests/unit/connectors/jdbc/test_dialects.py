"""Dialects: names, quoting, statements, and the catalog of real databases."""

from __future__ import annotations

from pathlib import Path

import pytest

from lab.database_server import DatabaseServer
from penstock.errors import ConnectError
from penstock_connectors.jdbc.connection import ConnectionKeeper
from penstock_connectors.jdbc.dialects import DIALECT_NAMES, dialect_for
from penstock_connectors.jdbc.dialects.dialect import PARAMETER, Dialect, like_pattern
from penstock_connectors.jdbc.sql_errors import SqlError
from penstock_connectors.jdbc.tables import TableId
from penstock_connectors.jdbc.urls import database_url

POSTGRES = dialect_for(database_url("jdbc:postgresql://h/d"))
MYSQL = dialect_for(database_url("jdbc:mysql://h/d"))

NAMES = [
    (POSTGRES, "t", TableId(None, None, "t"), '"t"'),
    (POSTGRES, "s.t", TableId(None, "s", "t"), '"s"."t"'),
    (POSTGRES, '"a.b"."c""d"', TableId(None, "a.b", 'c"d'), '"a.b"."c""d"'),
    (POSTGRES, "c.s.t", TableId("c", "s", "t"), '"c"."s"."t"'),
    (MYSQL, "db.t", TableId("db", None, "t"), "`db`.`t`"),
    (MYSQL, "`d.b`.t", TableId("d.b", None, "t"), "`d.b`.`t`"),
]


@pytest.mark.parametrize(("dialect", "text", "table", "sql"), NAMES)
def test_a_tables_name_is_parsed_and_quoted_in_the_databases_way(
    dialect: Dialect, text: str, table: TableId, sql: str
) -> None:
    assert dialect.parse_table(text) == table
    assert dialect.table_sql(table) == sql


@pytest.mark.parametrize("text", ['"a', "a.", '"a".'])
def test_a_name_that_is_cut_off_is_refused(text: str) -> None:
    with pytest.raises(ConnectError, match="Failure parsing fully qualified identifier"):
        POSTGRES.parse_table(text)


def test_without_quotes_identifiers_stay_as_they_are() -> None:
    dialect = dialect_for(database_url("jdbc:postgresql://h/d"), quote_always=False)
    assert dialect.table_sql(TableId(None, "public", "T")) == "public.T"


def test_a_statement_has_the_drivers_own_placeholders() -> None:
    text = f"SELECT '%' WHERE id > {PARAMETER}"
    assert POSTGRES.statement(text) == "SELECT '%%' WHERE id > %s"
    assert dialect_for(database_url("jdbc:sqlite:x")).statement(text) == "SELECT '%' WHERE id > ?"


def test_a_dialects_name_is_found_in_any_letter_case_and_a_wrong_one_refused() -> None:
    target = database_url("jdbc:sqlite:x")
    assert {dialect_for(target, name.lower()).name for name in ("SqliteDatabaseDialect", "MySqlDatabaseDialect")} == {
        "SqliteDatabaseDialect",
        "MySqlDatabaseDialect",
    }
    assert all(dialect_for(target, name) for name in DIALECT_NAMES)
    with pytest.raises(ConnectError, match="Unable to find dialect with name 'Nope'"):
        dialect_for(target, "Nope")


@pytest.mark.parametrize(
    ("pattern", "matches", "misses"), [("app\\_%", "app_1", "appx1"), ("a_c", "abc", "abbc"), ("a.c", "a.c", "abc")]
)
def test_a_like_pattern_matches_as_in_sql(pattern: str, matches: str, misses: str) -> None:
    assert like_pattern(pattern).fullmatch(matches)
    assert not like_pattern(pattern).fullmatch(misses)


TABLE = "create table t(id int primary key, name varchar(20) not null, n int default 3)"


def _described(dialect: Dialect) -> tuple[list[str], list[str], list[tuple[str, bool | None, int, bool]]]:
    connection = dialect.connect()
    try:
        tables = [table.name for table in dialect.tables(connection, None, None, ["TABLE"])]
        views = [table.name for table in dialect.tables(connection, None, None, ["view"])]
        columns = dialect.columns(connection, dialect.parse_table("t"))
        assert dialect.columns(connection, dialect.parse_table("nothing")) == []
        return tables, views, [(c.name, c.nullable, c.primary_key, c.auto_increment) for c in columns]
    finally:
        connection.close()


def test_sqlite_describes_its_tables(tmp_path: Path) -> None:
    dialect = dialect_for(database_url(f"jdbc:sqlite:{tmp_path / 'x.db'}"))
    connection = dialect.connect()
    for statement in (
        TABLE,
        "create table a(id integer primary key autoincrement)",
        "create view v as select * from t",
    ):
        connection.execute(statement)
    connection.commit()
    tables, views, columns = _described(dialect)
    assert (tables, views) == (["a", "t"], ["v"])
    assert columns == [("id", True, 1, False), ("name", False, 0, False), ("n", True, 0, False)]
    assert dialect.columns(connection, TableId(None, None, "a"))[0].auto_increment
    connection.close()


@pytest.mark.parametrize("name", ["postgres", "mariadb"])
def test_servers_describe_their_tables(name: str, request: pytest.FixtureRequest) -> None:
    server: DatabaseServer = request.getfixturevalue(name)
    with server.database() as database:
        server.execute(TABLE, "create table a(id int)", "create view v as select * from t", database=database)
        settings = server.settings(database)
        target = database_url(*settings.values())
        for dialect in (dialect_for(target), dialect_for(target, "GenericDatabaseDialect")):
            tables, views, columns = _described(dialect)
            assert {"a", "t"} <= set(tables)
            assert "v" in views
            assert columns == [("id", False, 1, False), ("name", False, 0, False), ("n", True, 0, False)]


def test_a_lost_connection_is_replaced_and_an_unreachable_server_is_an_error(postgres: DatabaseServer) -> None:
    with postgres.database() as database:
        keeper = ConnectionKeeper(dialect_for(database_url(*postgres.settings(database).values())), 2, 0)
        first = keeper.get()
        assert keeper.get() is first
        postgres.execute(
            f"select pg_terminate_backend(pid) from pg_stat_activity where datname = '{database}'", database="postgres"
        )
        assert keeper.get() is not first
        assert keeper.get().query("select 1") == [(1,)]
        keeper.close()
    nowhere = ConnectionKeeper(dialect_for(database_url("jdbc:postgresql://127.0.0.1:1/x")), 2, 0)
    with pytest.raises(SqlError, match="refused"):
        nowhere.get()
