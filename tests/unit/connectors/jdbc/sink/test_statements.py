"""The sink's statements, for every dialect."""

from __future__ import annotations

import datetime as dt
from decimal import Decimal

import pytest

from penstock.data import (
    BOOLEAN,
    BYTES,
    FLOAT64,
    INT32,
    INT64,
    OPTIONAL_STRING,
    STRING,
    Schema,
    SchemaBuilder,
    Type,
    decimal_schema,
)  # fmt: skip
from penstock.data.logical import DATE, TIMESTAMP
from penstock.errors import ConnectError
from penstock_connectors.jdbc.dialects import dialect_for
from penstock_connectors.jdbc.dialects.dialect import PARAMETER
from penstock_connectors.jdbc.sink.config import SinkConfig
from penstock_connectors.jdbc.sink.fields import SinkField
from penstock_connectors.jdbc.sink.statements import Statements, UnsupportedError, statements_for
from penstock_connectors.jdbc.tables import Column, TableId
from penstock_connectors.jdbc.urls import DatabaseUrl

TABLE = TableId(None, "s", "t")
KEYS, OTHERS = ["k"], ["a", "b"]
FIELDS = [SinkField(INT64, "k", True), SinkField(STRING, "a", False), SinkField(OPTIONAL_STRING, "b", False)]


def statements(name: str, **settings: str) -> Statements:
    given = {"connection.url": "jdbc:sqlite:", **{key.replace("_", "."): value for key, value in settings.items()}}
    return statements_for(dialect_for(DatabaseUrl("x", "x"), name), SinkConfig.parse(given))


def shown(statement: str) -> str:
    return statement.replace(PARAMETER, "?")


UPSERTS = {
    "PostgreSqlDatabaseDialect": 'INSERT INTO "s"."t" ("k","a","b") VALUES (?,?,?) ON CONFLICT ("k") DO UPDATE SET "a"=EXCLUDED."a","b"=EXCLUDED."b"',
    "SqliteDatabaseDialect": 'INSERT OR REPLACE INTO "s"."t"("k","a","b") VALUES(?,?,?)',
    "MySqlDatabaseDialect": "insert into `s`.`t`(`k`,`a`,`b`) values(?,?,?) on duplicate key update `a`=values(`a`),`b`=values(`b`)",
    "SqlServerDatabaseDialect": "merge into [s].[t] with (HOLDLOCK) AS target using (select ? AS [k], ? AS [a], ? AS [b]) AS incoming on(target.[k]=incoming.[k])"
    " when matched then update set [a]=incoming.[a],[b]=incoming.[b] when not matched then insert([a],[b],[k]) values(incoming.[a],incoming.[b],incoming.[k]);",
    "OracleDatabaseDialect": 'merge into "s"."t" using (select ? "k", ? "a", ? "b" FROM dual) incoming on("s"."t"."k"=incoming."k")'
    ' when matched then update set "s"."t"."a"=incoming."a","s"."t"."b"=incoming."b" when not matched then insert("a","b","k") values(incoming."a",incoming."b",incoming."k")',
    "Db2DatabaseDialect": 'merge into "s"."t" using (values(?,?,?)) as DAT("k","a","b") on("s"."t"."k"=DAT."k")'
    ' when matched then update set "s"."t"."a"=DAT."a","s"."t"."b"=DAT."b" when not matched then insert("a","b","k") values(DAT."a",DAT."b",DAT."k")',
    "SapHanaDatabaseDialect": 'UPSERT "s"."t"("k","a","b") VALUES(?,?,?) WITH PRIMARY KEY',
}


@pytest.mark.parametrize("name", UPSERTS)
def test_an_upsert_is_the_dialects_own(name: str) -> None:
    assert shown(statements(name).upsert(TABLE, KEYS, OTHERS, {})) == UPSERTS[name]


def test_a_dialect_without_upserts_says_so() -> None:
    with pytest.raises(UnsupportedError):
        statements("VerticaDatabaseDialect").upsert(TABLE, KEYS, OTHERS, {})


def test_an_upsert_of_keys_alone_changes_nothing_that_is_there() -> None:
    assert shown(statements("PostgreSqlDatabaseDialect").upsert(TABLE, KEYS, [], {})).endswith(
        'ON CONFLICT ("k") DO NOTHING'
    )
    assert "when matched" not in statements("SqlServerDatabaseDialect").upsert(TABLE, KEYS, [], {})
    assert shown(statements("MySqlDatabaseDialect").upsert(TABLE, KEYS, [], {})).endswith("update `k`=values(`k`)")


def test_updates_and_deletes_go_by_the_keys_and_without_keys_by_nothing() -> None:
    made = statements("GenericDatabaseDialect")
    assert shown(made.update(TABLE, KEYS, OTHERS, {})) == 'UPDATE "s"."t" SET "a" = ?, "b" = ? WHERE "k" = ?'
    assert shown(made.update(TABLE, [], OTHERS, {})) == 'UPDATE "s"."t" SET "a" = ?, "b" = ?'
    assert shown(made.delete(TABLE, ["k", "l"])) == 'DELETE FROM "s"."t" WHERE "k" = ? AND "l" = ?'


def test_postgresql_casts_by_the_columns_type_but_not_in_conditions() -> None:
    columns = {name: Column(name, kind, True) for name, kind in (("k", "uuid"), ("a", "jsonb"), ("b", "text"))}
    made = statements("PostgreSqlDatabaseDialect")
    assert (
        shown(made.insert(TABLE, KEYS, OTHERS, columns))
        == 'INSERT INTO "s"."t" ("k","a","b") VALUES (?::uuid,?::jsonb,?)'
    )
    assert (
        shown(made.update(TABLE, KEYS, OTHERS, columns)) == 'UPDATE "s"."t" SET "a" = ?::jsonb, "b" = ? WHERE "k" = ?'
    )


CREATIONS = {
    "PostgreSqlDatabaseDialect": '"k" BIGINT NOT NULL|"a" TEXT NOT NULL|"b" TEXT NULL|PRIMARY KEY("k")',
    "SqliteDatabaseDialect": '"k" INTEGER NOT NULL|"a" TEXT NOT NULL|"b" TEXT NULL|PRIMARY KEY("k")',
    "MySqlDatabaseDialect": "`k` BIGINT NOT NULL|`a` TEXT NOT NULL|`b` TEXT NULL|PRIMARY KEY(`k`)",
    "SqlServerDatabaseDialect": "[k] bigint NOT NULL|[a] varchar(max) NOT NULL|[b] varchar(max) NULL|PRIMARY KEY([k])",
    "OracleDatabaseDialect": '"k" NUMBER(19,0) NOT NULL|"a" VARCHAR2(4000) NOT NULL|"b" VARCHAR2(4000) NULL|PRIMARY KEY("k")',
}


@pytest.mark.parametrize("name", CREATIONS)
def test_a_table_has_the_dialects_types(name: str) -> None:
    made = statements(name).create_table(TABLE, FIELDS)
    assert (
        "|".join(
            line.strip().removesuffix(",") for line in made.partition("(")[2].removesuffix(")").strip().split("\n")
        )
        == CREATIONS[name]
    )


ADDED = [SinkField(OPTIONAL_STRING, "a", False), SinkField(OPTIONAL_STRING, "b", False)]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("PostgreSqlDatabaseDialect", ['ALTER TABLE "s"."t" \nADD "a" TEXT NULL,\nADD "b" TEXT NULL']),
        ("SqliteDatabaseDialect", ['ALTER TABLE "s"."t" ADD "a" TEXT NULL', 'ALTER TABLE "s"."t" ADD "b" TEXT NULL']),
        ("OracleDatabaseDialect", ['ALTER TABLE "s"."t" ADD(\n"a" VARCHAR2(4000) NULL,\n"b" VARCHAR2(4000) NULL)']),
        ("SqlServerDatabaseDialect", ["ALTER TABLE [s].[t] ADD\n[a] varchar(max) NULL,\n[b] varchar(max) NULL"]),
    ],
)
def test_columns_are_added_in_the_dialects_way(name: str, expected: list[str]) -> None:
    assert statements(name).alter_table(TABLE, ADDED) == expected


def with_default(schema: Schema, default: object) -> SinkField:
    return SinkField(schema.replace(default=default), "c", False)


@pytest.mark.parametrize(
    ("name", "schema", "default", "expected"),
    [
        ("PostgreSqlDatabaseDialect", STRING, "it's", "TEXT DEFAULT 'it''s'"),
        ("MySqlDatabaseDialect", STRING, "a\\'", "TEXT DEFAULT 'a\\\\'''"),
        ("PostgreSqlDatabaseDialect", BYTES, b"\x01\xff", "BYTEA DEFAULT '\\x01ff'"),
        ("SqliteDatabaseDialect", BYTES, b"\x01\xff", "BLOB DEFAULT x'01ff'"),
        ("PostgreSqlDatabaseDialect", BOOLEAN, True, "BOOLEAN DEFAULT TRUE"),
        ("SqliteDatabaseDialect", BOOLEAN, False, "INTEGER DEFAULT 0"),
        ("PostgreSqlDatabaseDialect", FLOAT64, 1e10, "DOUBLE PRECISION DEFAULT 1.0E10"),
        ("PostgreSqlDatabaseDialect", FLOAT64, float("nan"), "DOUBLE PRECISION DEFAULT 'NaN'"),
        ("PostgreSqlDatabaseDialect", decimal_schema(2), Decimal("-1.50"), "DECIMAL DEFAULT -1.50"),
        ("MySqlDatabaseDialect", decimal_schema(2), Decimal("1.50"), "DECIMAL(65,2) DEFAULT 1.50"),
        ("PostgreSqlDatabaseDialect", DATE, dt.date(2024, 2, 29), "DATE DEFAULT '2024-02-29'"),
        ("PostgreSqlDatabaseDialect", TIMESTAMP, dt.datetime(2024, 2, 29, 1, 2, 3, 4000, dt.UTC), "TIMESTAMP DEFAULT '2024-02-29 01:02:03.004'"),
        ("PostgreSqlDatabaseDialect", SchemaBuilder.array(STRING).build(), ["a'b"], "TEXT[] DEFAULT ARRAY['a''b']"),
        ("PostgreSqlDatabaseDialect", SchemaBuilder.array(INT32).build(), [], "INT[] DEFAULT '{}'"),
    ],
)  # fmt: skip
def test_a_default_is_escaped(name: str, schema: Schema, default: object, expected: str) -> None:
    assert statements(name).column(with_default(schema, default)).partition(" ")[2] == expected


def test_a_key_of_text_has_a_length_where_a_key_needs_one() -> None:
    field = SinkField(STRING, "k", True)
    assert statements("MySqlDatabaseDialect").column_type(field) == "VARCHAR(255)"
    assert statements("SqlServerDatabaseDialect").column_type(field) == "varchar(900)"


def test_fields_of_the_timestamp_list_have_a_timestamps_type() -> None:
    field = SinkField(INT64, "at", False)
    assert statements("PostgreSqlDatabaseDialect", timestamp_fields_list="at").column_type(field) == "TIMESTAMP"
    made = statements("OracleDatabaseDialect", timestamp_fields_list="at", timestamp_precision_mode="nanoseconds")
    assert made.column_type(field) == "TIMESTAMP(9)"


@pytest.mark.parametrize("name", ["PostgreSqlDatabaseDialect", "SqliteDatabaseDialect", "GenericDatabaseDialect"])
def test_a_struct_has_no_column_type(name: str) -> None:
    with pytest.raises(
        ConnectError, match=r"com.acme.Inner \(STRUCT\) type doesn't have a mapping to the SQL database column type"
    ):
        statements(name).column_type(SinkField(Schema(Type.STRUCT, name="com.acme.Inner"), "a", False))
