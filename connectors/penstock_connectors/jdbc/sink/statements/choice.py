"""The `Statements` of a dialect."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.sink.config import SinkConfig
from penstock_connectors.jdbc.sink.statements import vendors
from penstock_connectors.jdbc.sink.statements.statements import Statements

__all__ = ["statements_for"]

_KINDS: Final[Mapping[str, type[Statements]]] = {
    "Db2DatabaseDialect": vendors.Db2Statements,
    "DerbyDatabaseDialect": vendors.Db2Statements,
    "MySqlDatabaseDialect": vendors.MySqlStatements,
    "OracleDatabaseDialect": vendors.OracleStatements,
    "PostgreSqlDatabaseDialect": vendors.PostgreSqlStatements,
    "SapHanaDatabaseDialect": vendors.SapHanaStatements,
    "SqlServerDatabaseDialect": vendors.SqlServerStatements,
    "SqliteDatabaseDialect": vendors.SqliteStatements,
    "SybaseDatabaseDialect": vendors.SybaseStatements,
    "VerticaDatabaseDialect": vendors.VerticaStatements,
}


def statements_for(dialect: Dialect, config: SinkConfig) -> Statements:
    """Return the statements for `dialect`; a dialect without its own gets the general ones, which have no upsert."""
    return _KINDS.get(dialect.name, Statements)(dialect, config)
