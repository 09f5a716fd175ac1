"""The choice of a dialect by URL or by ``dialect.name``."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Final

from penstock.errors import ConnectError
from penstock_connectors.jdbc.dialects.dialect import Dialect
from penstock_connectors.jdbc.urls import DatabaseUrl

__all__ = ["DIALECT_NAMES", "dialect_for"]

_PACKAGE: Final = "penstock_connectors.jdbc.dialects."
#: The names that Kafka's users may write; those of databases that have nothing of their own here run on the general one.
_TARGETS: Final[Mapping[str, str]] = {
    "Db2DatabaseDialect": "dialect:Dialect",
    "DerbyDatabaseDialect": "dialect:Dialect",
    "GenericDatabaseDialect": "dialect:Dialect",
    "MySqlDatabaseDialect": "mysql:MySqlDialect",
    "OracleDatabaseDialect": "generic:OracleDialect",
    "PostgreSqlDatabaseDialect": "postgresql:PostgreSqlDialect",
    "SapHanaDatabaseDialect": "dialect:Dialect",
    "SqlServerDatabaseDialect": "generic:SqlServerDialect",
    "SqliteDatabaseDialect": "sqlite:SqliteDialect",
    "SybaseDatabaseDialect": "dialect:Dialect",
    "VerticaDatabaseDialect": "dialect:Dialect",
}
DIALECT_NAMES: Final = tuple(_TARGETS)

_BY_SUBPROTOCOL: Final = {
    "postgresql": "PostgreSqlDatabaseDialect", "sqlite": "SqliteDatabaseDialect", "mysql": "MySqlDatabaseDialect",
    "mariadb": "MySqlDatabaseDialect", "sqlserver": "SqlServerDatabaseDialect", "mssql": "SqlServerDatabaseDialect",
    "oracle": "OracleDatabaseDialect",
}  # fmt: skip


def dialect_for(target: DatabaseUrl, name: str | None = None, quote_always: bool = True) -> Dialect:
    """Return the dialect called `name`, or without a name the one for the URL."""
    if name:
        found = next((known for known in _TARGETS if known.lower() == name.lower()), None)
        if found is None:
            raise ConnectError(
                f"Unable to find dialect with name '{name}' in the available dialects: [{', '.join(_TARGETS)}]"
            )
    else:
        found = _BY_SUBPROTOCOL.get(target.subprotocol, "GenericDatabaseDialect")
    module, _, kind = _TARGETS[found].partition(":")
    made: type[Dialect] = getattr(importlib.import_module(_PACKAGE + module), kind)
    if (
        made.name != found
    ):  # the general dialect under the name that was asked for, which says how statements are written
        made = type(kind, (made,), {"name": found})
    return made(target, quote_always)
