"""MySQL and MariaDB by PyMySQL."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, ClassVar, Final

from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.dialects.dialect import Dialect
from penstock_connectors.jdbc.tables import Column, TableId

__all__ = ["MySqlDialect"]

#: Types as the Java drivers call them → as information_schema does.
_TYPES: Final = {
    "TABLE": ("BASE TABLE", "SYSTEM VERSIONED"),
    "VIEW": ("VIEW",),
    "SYSTEM VIEW": ("SYSTEM VIEW",),
    "SEQUENCE": ("SEQUENCE",),
}


class MySqlDialect(Dialect):
    """A database is a catalog, there are no schemas."""

    name: ClassVar[str] = "MySqlDatabaseDialect"
    quote: ClassVar[tuple[str, str]] = ("`", "`")
    uses_catalog: ClassVar[bool] = True
    extra: ClassVar[str] = "mysql"
    max_identifier: ClassVar[int | None] = 64

    def connect_defaults(self) -> dict[str, Any]:
        return {"connect_timeout": 40}

    def session_statements(self) -> list[str]:
        # TIMESTAMP columns then come, and are compared, as UTC; DATETIME columns have no zone of their own.
        return ["SET SESSION time_zone = '+00:00'"]

    def abandoned_after(self, seconds: int) -> list[str]:
        # Counts between transactions, too; a connection that was idle is looked at before it is used.
        return [f"SET SESSION wait_timeout = LEAST(@@SESSION.wait_timeout, {seconds})"]

    def tables(
        self,
        connection: DatabaseConnection,
        catalog: str | None,
        schema: str | None,
        types: Collection[str],
    ) -> list[TableId]:
        kinds = [name for kind in sorted({k.upper() for k in types} & _TYPES.keys()) for name in _TYPES[kind]]
        if not kinds:
            return []
        rows = connection.query(
            "SELECT TABLE_SCHEMA, TABLE_NAME FROM information_schema.TABLES"
            f" WHERE TABLE_TYPE IN ({', '.join(['%s'] * len(kinds))})"
            " AND TABLE_SCHEMA LIKE %s AND (%s IS NOT NULL OR TABLE_SCHEMA = COALESCE(DATABASE(), TABLE_SCHEMA))"
            " AND (TABLE_SCHEMA NOT IN ('mysql', 'performance_schema', 'sys', 'information_schema') OR %s IS NOT NULL)"
            " ORDER BY TABLE_TYPE, TABLE_SCHEMA, TABLE_NAME",
            [*kinds, catalog or "%", catalog, catalog],
        )
        return [TableId(row[0], None, row[1]) for row in rows]

    def table_type(self, connection: DatabaseConnection, table: TableId) -> str | None:
        rows = connection.query(
            "SELECT TABLE_TYPE FROM information_schema.TABLES WHERE TABLE_SCHEMA = COALESCE(%s, DATABASE()) AND TABLE_NAME = %s",
            [table.catalog or table.schema, table.name],
        )
        return next((kind for kind, names in _TYPES.items() if rows and rows[0][0] in names), None)

    def current(self, connection: DatabaseConnection) -> tuple[str | None, str | None]:
        return connection.query("SELECT DATABASE()")[0][0], None

    def columns(self, connection: DatabaseConnection, table: TableId) -> list[Column]:
        rows = connection.query(
            "SELECT c.COLUMN_NAME, c.COLUMN_TYPE, c.IS_NULLABLE = 'YES', COALESCE(k.ORDINAL_POSITION, 0),"
            " c.EXTRA LIKE '%%auto_increment%%', c.COLUMN_DEFAULT"
            " FROM information_schema.COLUMNS c LEFT JOIN information_schema.KEY_COLUMN_USAGE k"
            " ON k.TABLE_SCHEMA = c.TABLE_SCHEMA AND k.TABLE_NAME = c.TABLE_NAME AND k.COLUMN_NAME = c.COLUMN_NAME"
            " AND k.CONSTRAINT_NAME = 'PRIMARY'"
            " WHERE c.TABLE_SCHEMA = COALESCE(%s, DATABASE()) AND c.TABLE_NAME = %s ORDER BY c.ORDINAL_POSITION",
            [table.catalog or table.schema, table.name],
        )
        return [Column(row[0], row[1], bool(row[2]), int(row[3]), bool(row[4]), row[5]) for row in rows]
