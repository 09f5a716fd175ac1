"""Types of PostgreSQL and MySQL as the source reads them, beyond what is recorded of the JVM's connector."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest

from lab.database_server import MariaDbServer, PostgresServer
from lab.jdbc_source import JdbcSourceRun, read
from penstock.data import Schema
from penstock.errors import ConnectError, DataError

UTC = dt.UTC


def shown(schema: Schema) -> str:
    """Return a schema in short: ``int32?``, ``Decimal(2)``, ``array<string?>``."""
    name = (schema.name or "").rpartition(".")[2] or schema.type.value
    if "scale" in schema.parameters:
        name += f"({schema.parameters['scale']})"
    if schema.value_schema is not None:
        name += f"<{shown(schema.value_schema)}>"
    return name + ("?" if schema.optional else "")


#: Declaration, SQL literal → schema and value of MySQL's columns.
MYSQL: list[tuple[str, str, str, Any]] = [
    ("tinyint", "-1", "int8?", -1),
    ("tinyint unsigned", "255", "int16?", 255),
    ("bool", "true", "int8?", 1),
    ("smallint", "-2", "int16?", -2),
    ("smallint unsigned", "65535", "int32?", 65535),
    ("mediumint", "-3", "int32?", -3),
    ("mediumint unsigned", "16777215", "int64?", 16777215),
    ("int not null", "-4", "int32", -4),
    ("int unsigned", "4294967295", "int64?", 4294967295),
    ("bigint", "-5", "int64?", -5),
    ("bigint unsigned", "5", "int64?", 5),
    ("float", "1.5", "float32?", 1.5),
    ("double", "2.5", "float64?", 2.5),
    ("decimal(10,2)", "3.25", "Decimal(2)?", Decimal("3.25")),
    ("decimal(5,0) not null", "7", "Decimal(0)", Decimal(7)),
    ("bit(1)", "b'1'", "int8?", 1),
    ("bit(9)", "b'100000001'", "bytes?", b"\x01\x01"),
    ("char(3)", "'ab'", "string?", "ab"),
    ("varchar(10) not null", "'ü'", "string", "ü"),
    ("longtext", "'text'", "string?", "text"),
    ("enum('x','y')", "'x'", "string?", "x"),
    ("set('p','q')", "'p,q'", "string?", "p,q"),
    ("json", """'{"a": 1}'""", "string?", '{"a": 1}'),
    ("binary(2)", "x'0102'", "bytes?", b"\x01\x02"),
    ("varbinary(5)", "x'03'", "bytes?", b"\x03"),
    ("blob", "x'0405'", "bytes?", b"\x04\x05"),
    ("date", "'2024-02-29'", "Date?", dt.date(2024, 2, 29)),
    ("time(6)", "'13:14:15.123456'", "Time?", dt.time(13, 14, 15, 123000)),
    (
        "datetime(6)",
        "'2024-02-29 01:02:03.123456'",
        "Timestamp?",
        dt.datetime(2024, 2, 29, 1, 2, 3, 123000, tzinfo=UTC),
    ),
    (
        "timestamp(6) null",
        "'2024-02-29 01:02:03.123456'",
        "Timestamp?",
        dt.datetime(2024, 2, 29, 1, 2, 3, 123000, tzinfo=UTC),
    ),
    ("year", "2024", "Date?", dt.date(2024, 1, 1)),
]

POSTGRES: list[tuple[str, str, str, Any]] = [
    ("mood not null", "'ok'", "string", "ok"),
    ("posint", "5", "int32?", 5),
    ("money", "'-$1,234.50'", "float64?", -1234.5),
    ("bit(5)", "B'00101'", "int8?", 101),
    ("bit(9)", "B'100000001'", "bytes?", b"100000001"),
    ("xml", "'<a/>'", "string?", "<a/>"),
    ("bytea", "'\\x00ff'", "bytes?", b"\x00\xff"),
    ("real", "1.1", "float32?", 1.1),
    ("numeric(9,2)", "1.5", "Decimal(2)?", Decimal("1.50")),
    ("date", "'0044-03-15 BC'", "Date?", -63_517_996_800_000),
    ("time", "'24:00'", "Time?", dt.time(0)),
    ("timestamp", "'infinity'", "Timestamp?", 9_223_372_036_825_200_000),
    ("timestamptz", "'20000-01-01 00:00+00'", "Timestamp?", 568_971_820_800_000),
    ("timestamp", "'1500-01-01'", "Timestamp?", dt.datetime(1500, 1, 10, tzinfo=UTC)),
]
#: With ``unmapped.types=map``.
MAPPED: list[tuple[str, str, str, Any]] = [
    ("int[]", "'{1,NULL,3}'", "array<int32?>?", [1, None, 3]),
    ("text[] not null", "'{a,b}'", "array<string?>", ["a", "b"]),
    ("numeric(9,2)[]", "'{1.5}'", "array<Decimal(2)?>?", [Decimal("1.50")]),
    ("timestamp[]", "'{2024-01-01 10:00}'", "array<Timestamp?>?", [dt.datetime(2024, 1, 1, 10, tzinfo=UTC)]),
    ("uuid[]", "'{0b0e1d5c-3f6c-4b5e-8f47-0123456789ab}'", "array<string?>?", ["0b0e1d5c-3f6c-4b5e-8f47-0123456789ab"]),
    ("interval", "'1 day 2 hours'", "string?", "1 day 02:00:00"),
    ("inet", "'10.0.0.1'", "string?", "10.0.0.1"),
    ("int4range", "'[1,3)'", "string?", "[1,3)"),
    ("point", "'(1,2)'", "string?", "(1,2)"),
    ("varbit", "B'101'", "string?", "101"),
]


def table(columns: list[tuple[str, str, str, Any]]) -> tuple[str, str]:
    declared = ", ".join(f"c{place} {column[0]}" for place, column in enumerate(columns))
    return f"create table t({declared})", f"insert into t values({', '.join(column[1] for column in columns)})"


def found(record: Any) -> list[tuple[str, Any]]:
    return [(shown(field.schema), record.value[field.name]) for field in record.value_schema.fields]


@pytest.fixture
def mysql(mariadb: MariaDbServer) -> Iterator[tuple[MariaDbServer, str]]:
    with mariadb.database() as name:
        yield mariadb, name


@pytest.fixture
def postgresql(postgres: PostgresServer) -> Iterator[tuple[PostgresServer, str]]:
    with postgres.database() as name:
        postgres.execute(
            "create type mood as enum('sad', 'ok')", "create domain posint as int check (value > 0)", database=name
        )
        yield postgres, name


BULK = {"mode": "bulk", "table.whitelist": "t"}


def test_mysqls_types(mysql: tuple[MariaDbServer, str]) -> None:
    server, name = mysql
    server.execute(*table(MYSQL), database=name)
    (record,) = read({**server.settings(name), **BULK}, 1)
    assert found(record) == [column[2:] for column in MYSQL]


@pytest.mark.parametrize(("columns", "more"), [(POSTGRES, {}), (MAPPED, {"unmapped.types": "map"})])
def test_postgresqls_types(
    postgresql: tuple[PostgresServer, str], columns: list[tuple[str, str, str, Any]], more: dict[str, str]
) -> None:
    server, name = postgresql
    server.execute(*table(columns), database=name)
    (record,) = read({**server.settings(name), **BULK, **more}, 1)
    assert found(record) == [column[2:] for column in columns]


def test_types_that_connect_has_none_for_can_fail_the_task(postgresql: tuple[PostgresServer, str]) -> None:
    server, name = postgresql
    server.execute("create table t(a int[], b int)", "insert into t values('{1}', 1)", database=name)
    with pytest.raises(ConnectError) as raised:
        read({**server.settings(name), **BULK, "unmapped.types": "fail"}, 1)
    assert "The type _int4 of column a has no Connect type" in str(raised.value.__cause__.__cause__)


NUMBERS = [("decimal(2,0)", "12", "int8?", 12), ("decimal(9,0)", "12", "int32?", 12), ("decimal(9,2)", "1.5", "float64?", 1.5),
           ("decimal(30,5)", "1.5", "Decimal(5)?", Decimal("1.50000"))]  # fmt: skip


def test_numeric_mapping_counts_for_mysqls_decimal(mysql: tuple[MariaDbServer, str]) -> None:
    server, name = mysql
    server.execute(*table(NUMBERS), database=name)
    (record,) = read({**server.settings(name), **BULK, "numeric.mapping": "best_fit"}, 1)
    assert found(record) == [column[2:] for column in NUMBERS]


@pytest.mark.parametrize("zone", ["UTC", "Asia/Tokyo", "America/New_York"])
@pytest.mark.parametrize("column", ["datetime(6)", "timestamp(6)"])
def test_mysqls_times_are_compared_in_the_zone_that_they_are_read_in(
    mysql: tuple[MariaDbServer, str], zone: str, column: str
) -> None:
    server, name = mysql
    server.execute(
        f"create table t(id int primary key, ts {column} not null)",
        "set time_zone = '+00:00'",
        "insert into t values(1, '2024-01-01 00:00:00.5'), (2, '2024-01-01 01:00:00'), (3, '2024-01-01 02:00:00.000001')",
        database=name,
    )
    config = {
        **server.settings(name),
        "table.whitelist": "t",
        "mode": "timestamp",
        "timestamp.column.name": "ts",
        "db.timezone": zone,
    }
    records = read(config, 3)
    for place, record in enumerate(records):
        with JdbcSourceRun(config, [(record.source_partition, record.source_offset)]) as run:
            rest = [r.value["id"] for r in records[place + 1 :]]
            assert [r.value["id"] for r in run.take(len(rest))] == rest
            assert run.rest(2) == []
    moved = column.startswith("datetime") and zone != "UTC"
    assert (records[1].value["ts"] == dt.datetime(2024, 1, 1, 1, tzinfo=UTC)) is not moved


@pytest.mark.parametrize("mode", ["incrementing", "timestamp", "timestamp+incrementing"])
def test_mysql_is_read_in_every_mode_and_gone_on_with(mysql: tuple[MariaDbServer, str], mode: str) -> None:
    server, name = mysql
    server.execute("create table t(id int primary key auto_increment, ts datetime not null default '2024-01-01', v text)",
                   "insert into t(v) values('a'), ('b%'), ('c')", database=name)  # fmt: skip
    config = {**server.settings(name), "table.whitelist": "t", "mode": mode, "timestamp.column.name": "ts"}
    if mode != "timestamp":  # without the column's name: the auto-incremented one
        config["query.suffix"] = "LIMIT 2"
    records = read(config, 3)
    assert [record.value["v"] for record in records] == ["a", "b%", "c"]
    assert records[-1].source_partition == {"protocol": "1", "table": f"{name}.t"}


def test_a_zero_date_is_an_error_or_null_as_the_url_says(mysql: tuple[MariaDbServer, str]) -> None:
    server, name = mysql
    server.execute("set sql_mode = ''", "create table t(d date)", database=name)
    connection = server.connect(name)
    with connection.cursor() as cursor:
        cursor.execute("set sql_mode = ''")
        cursor.execute("insert into t values('0000-00-00')")
    connection.close()
    config = {**server.settings(name), **BULK}
    with pytest.raises(ConnectError) as raised:
        read(config, 1)
    assert isinstance(raised.value.__cause__.__cause__, DataError)
    (record,) = read({**config, "connection.url": config["connection.url"] + "?zeroDateTimeBehavior=convertToNull"}, 1)
    assert record.value == {"d": None}


def test_a_query_with_percent_signs_and_parameters_of_a_mode_runs(postgresql: tuple[PostgresServer, str]) -> None:
    server, name = postgresql
    server.execute(
        "create table t(id int primary key, v text)", "insert into t values(1, 'a%b'), (2, 'c')", database=name
    )
    query = "SELECT * FROM (SELECT id, v FROM t WHERE v LIKE '%\\%%') q"
    config = {**server.settings(name), "mode": "incrementing", "incrementing.column.name": "id", "query": query}
    (record,) = read(config, 1)
    assert (record.value, record.source_partition) == ({"id": 1, "v": "a%b"}, {"query": "query"})


def test_an_isolation_level_is_that_of_the_reading_transactions(postgresql: tuple[PostgresServer, str]) -> None:
    server, name = postgresql
    config = {
        **server.settings(name),
        "mode": "bulk",
        "query": "SELECT current_setting('transaction_isolation') AS level",
    }
    (record,) = read({**config, "transaction.isolation.mode": "REPEATABLE_READ"}, 1)
    assert record.value == {"level": "repeatable read"}
