"""SQL Server and Oracle, by what SQLAlchemy knows of them."""

from __future__ import annotations

from typing import Any, ClassVar

from penstock_connectors.jdbc.dialects.dialect import Dialect

__all__ = ["OracleDialect", "SqlServerDialect"]


class SqlServerDialect(Dialect):
    name: ClassVar[str] = "SqlServerDatabaseDialect"
    quote: ClassVar[tuple[str, str]] = ("[", "]")

    def connect_defaults(self) -> dict[str, Any]:
        return {"timeout": 40}


class OracleDialect(Dialect):
    name: ClassVar[str] = "OracleDatabaseDialect"
    ping: ClassVar[str] = "SELECT 1 FROM DUAL"
