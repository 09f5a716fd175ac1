"""PostgreSQL by psycopg 3."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, Final

from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.dialects.dialect import Dialect
from penstock_connectors.jdbc.tables import Column, TableId

__all__ = ["PostgreSqlDialect"]

#: pgjdbc's table types, as conditions on pg_class and pg_namespace.
_USERS: Final = "n.nspname !~ '^pg_' AND n.nspname <> 'information_schema'"
_TYPES: Final = {
    "FOREIGN TABLE": "c.relkind = 'f'",
    "MATERIALIZED VIEW": "c.relkind = 'm'",
    "PARTITIONED TABLE": "c.relkind = 'p'",
    "SYSTEM TABLE": "c.relkind = 'r' AND n.nspname IN ('pg_catalog', 'information_schema')",
    "SYSTEM VIEW": "c.relkind = 'v' AND n.nspname IN ('pg_catalog', 'information_schema')",
    "TABLE": f"c.relkind = 'r' AND {_USERS}",
    "TEMPORARY TABLE": "c.relkind IN ('r', 'p') AND n.nspname ~ '^pg_temp_'",
    "TEMPORARY VIEW": "c.relkind = 'v' AND n.nspname ~ '^pg_temp_'",
    "VIEW": f"c.relkind = 'v' AND {_USERS}",
}

_COLUMNS: Final = """
SELECT a.attname, format_type(a.atttypid, a.atttypmod), a.attnotnull,
  coalesce((SELECT array_position(i.indkey::int2[], a.attnum) FROM pg_catalog.pg_index i
            WHERE i.indrelid = a.attrelid AND i.indisprimary), -1) + 1,
  a.attidentity <> '' OR coalesce(pg_get_expr(d.adbin, d.adrelid) LIKE '%%nextval(%%', false),
  pg_get_expr(d.adbin, d.adrelid)
FROM pg_catalog.pg_attribute a
LEFT JOIN pg_catalog.pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
WHERE a.attrelid = to_regclass(%s) AND a.attnum > 0 AND NOT a.attisdropped
ORDER BY a.attnum"""


class PostgreSqlDialect(Dialect):
    name: ClassVar[str] = "PostgreSqlDatabaseDialect"
    extra: ClassVar[str] = "postgresql"
    max_identifier: ClassVar[int | None] = 63

    def connect_defaults(self) -> dict[str, Any]:
        # Keep-alives find a network that is gone within a minute, in place of the kernel's two hours.
        # The encoding is that of COPY's data, whatever the database's is.
        return {
            "client_encoding": "UTF8", "connect_timeout": "40",
            "keepalives_idle": "30", "keepalives_interval": "10", "keepalives_count": "3",
        }  # fmt: skip

    def session_statements(self) -> list[str]:
        # As pgjdbc does in a JVM that runs in UTC: texts of timestamptz, and now(), are then UTC's.
        return ["SET TIME ZONE 'UTC'"]

    def abandoned_after(self, seconds: int) -> list[str]:
        name = "idle_in_transaction_session_timeout"
        return [f"SELECT set_config('{name}', '{seconds}s', false) WHERE current_setting('{name}') = '0'"]

    def tables(
        self,
        connection: DatabaseConnection,
        catalog: str | None,
        schema: str | None,
        types: Collection[str],
    ) -> list[TableId]:
        found: list[TableId] = []
        for kind in sorted({kind.upper() for kind in types} & _TYPES.keys()):
            found += [
                TableId(None, row[0], row[1])
                for row in connection.query(
                    "SELECT n.nspname, c.relname FROM pg_catalog.pg_class c"
                    " JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
                    f" WHERE {_TYPES[kind].replace('%', '%%')} AND n.nspname LIKE %s AND current_database() LIKE %s"
                    " ORDER BY 1, 2",
                    [schema or "%", catalog or "%"],
                )
            ]
        return found

    def table_type(self, connection: DatabaseConnection, table: TableId) -> str | None:
        kinds = " ".join(f"WHEN {condition.replace('%', '%%')} THEN '{kind}'" for kind, condition in _TYPES.items())
        rows = connection.query(
            f"SELECT CASE {kinds} END FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE c.oid = to_regclass(%s)",
            [self._regclass(table)],
        )
        return rows[0][0] if rows else None

    def current(self, connection: DatabaseConnection) -> tuple[str | None, str | None]:
        catalog, schema = connection.query("SELECT current_database(), current_schema()")[0]
        return catalog, schema

    def columns(self, connection: DatabaseConnection, table: TableId) -> list[Column]:
        rows = connection.query(_COLUMNS, [self._regclass(table)])
        return [Column(row[0], row[1], not row[2], *row[3:]) for row in rows]

    def _regclass(self, table: TableId) -> str:
        return ".".join(self.quoting.quoted(part) for part in (table.schema, table.name) if part)
