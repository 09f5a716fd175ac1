"""SQLite by Python's own module."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Final

from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.dialects.dialect import Dialect, not_taken
from penstock_connectors.jdbc.tables import Column, TableId

__all__ = ["SqliteDialect"]

_AUTOINCREMENT: Final = re.compile(r"\bAUTOINCREMENT\b", re.I)


class SqliteDialect(Dialect):
    """Schemas are attached databases; tables are named without one."""

    name: ClassVar[str] = "SqliteDatabaseDialect"

    def open(self, dialect: Any, arguments: Sequence[Any], keywords: dict[str, Any]) -> Any:
        # Straight to the module: SQLAlchemy refuses a user in the URL, and adds functions that nobody needs here.
        del dialect, arguments
        del keywords
        options = {"timeout": 3.0, "check_same_thread": False, **self.target.connect_args}
        database = self.target.database or ":memory:"
        return sqlite3.connect(database, uri=database.startswith("file:"), **options)

    @property
    def sqlalchemy(self) -> Any:
        return _Driver

    def tables(
        self,
        connection: DatabaseConnection,
        catalog: str | None,
        schema: str | None,
        types: Collection[str],
    ) -> list[TableId]:
        wanted = {kind.upper() for kind in types}
        rows: list[tuple[str, str]] = []
        for kind in sorted(wanted & {"TABLE", "VIEW"}):
            rows += connection.query(
                "SELECT upper(type), name FROM sqlite_schema WHERE type = ? AND name NOT LIKE 'sqlite\\_%' ESCAPE '\\' ORDER BY name",
                [kind.lower()],
            )
        if "SYSTEM TABLE" in wanted:
            rows.append(("SYSTEM TABLE", "sqlite_schema"))
        return [TableId(None, None, name) for _, name in rows]

    def columns(self, connection: DatabaseConnection, table: TableId) -> list[Column]:
        pragma = f"PRAGMA {self.quoting.quoted(table.schema) + '.' if table.schema else ''}table_info({self.quoting.quoted(table.name)})"
        rows = connection.query(pragma)
        made = connection.query("SELECT sql FROM sqlite_schema WHERE name = ? COLLATE NOCASE", [table.name])
        auto = bool(made and made[0][0] and _AUTOINCREMENT.search(made[0][0]))
        return [
            Column(name, type_name, not not_null, key, bool(auto and key), default)
            for _, name, type_name, not_null, default, key in rows
        ]

    def table_type(self, connection: DatabaseConnection, table: TableId) -> str | None:
        rows = connection.query(
            "SELECT upper(type) FROM sqlite_schema WHERE name = ? COLLATE NOCASE AND type IN ('table', 'view')",
            [table.name],
        )
        return rows[0][0] if rows else None

    def current(self, connection: DatabaseConnection) -> tuple[str | None, str | None]:
        return None, None

    def connect(self) -> DatabaseConnection:
        try:
            raw = self.open(None, (), {})
        except (TypeError, ValueError, OverflowError) as error:
            raise not_taken(error) from error
        connection = DatabaseConnection(raw, self)
        try:
            for statement in self.target.statements:
                connection.query(statement)
            connection.raw.commit()
        except BaseException:
            connection.close()
            raise
        return connection


class _Driver:
    """The part of SQLAlchemy's dialect that `Dialect.statement` asks for; SQLite works without SQLAlchemy."""

    paramstyle = "qmark"
