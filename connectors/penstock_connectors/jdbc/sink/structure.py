"""Tables as they are and as records need them: what is missing is made, if it may be (``DbStructure``)."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final, TypeVar

from penstock.errors import ConnectError
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.sink.config import SinkConfig
from penstock_connectors.jdbc.sink.errors import TableAlterOrCreateError
from penstock_connectors.jdbc.sink.fields import FieldsMetadata, SinkField
from penstock_connectors.jdbc.sink.statements import Statements
from penstock_connectors.jdbc.sql_errors import is_driver_error
from penstock_connectors.jdbc.tables import Column, TableId

__all__ = ["DatabaseStructure", "TableDefinition"]

log = logging.getLogger(__name__)

_T = TypeVar("_T")
_CAPITALIZED: Final = {"TABLE": "Table", "PARTITIONED TABLE": "Partitioned Table", "VIEW": "View"}


@dataclass(frozen=True, slots=True)
class TableDefinition:
    """A table as the database has it."""

    table: TableId
    #: ``TABLE``, ``PARTITIONED TABLE`` or ``VIEW``.
    kind: str
    columns: Mapping[str, Column]


class DatabaseStructure:
    """Knows the tables that records went to, and changes them. For one thread."""

    def __init__(self, dialect: Dialect, statements: Statements, config: SinkConfig) -> None:
        self._dialect, self._statements, self._config = dialect, statements, config
        self._known: dict[TableId, TableDefinition] = {}

    def create_or_amend(
        self, connection: DatabaseConnection, table: TableId, fields: FieldsMetadata
    ) -> TableDefinition:
        """Return the definition of `table`, which then has all `fields`.

        A statement that makes or changes a table is committed at once, with what was written before it. Raise
        `TableAlterOrCreateError` if something is missing and the settings forbid or the database's rules prevent to add it;
        errors of the database come as the driver has them.
        """
        known = self._known.get(table)
        if known is None or _missing(fields, known.columns):
            known = self._look(connection, table)  # a column may have been added by hand since
        definition = known or self._create(connection, table, fields)
        return self._amend(connection, definition, fields, self._config.parsed["max.retries"])

    def plan(self, connection: DatabaseConnection, table: TableId, fields: FieldsMetadata) -> list[str]:
        """Return the statements that `create_or_amend` would run now. Raise what it would raise."""
        definition = self.definition(connection, table)
        if definition is None:
            return [self._creation(table, fields)]
        missing = _missing(fields, definition.columns)
        return self._amendment(definition, missing) if missing else []

    def definition(self, connection: DatabaseConnection, table: TableId) -> TableDefinition | None:
        """Return `table` as it was when it was last looked at, None if it was not there."""
        return self._known.get(table) or self._look(connection, table)

    def _look(self, connection: DatabaseConnection, table: TableId) -> TableDefinition | None:
        kind = self._kind(connection, table)
        columns = self._dialect.columns(connection, table) if kind else []
        if not columns or kind is None:
            return None
        found = TableDefinition(table, kind, {column.name: column for column in columns})
        self._known[table] = found
        return found

    def _kind(self, connection: DatabaseConnection, table: TableId) -> str | None:
        kind = self._dialect.table_type(connection, table)
        if kind is None and self._dialect.name == "SqliteDatabaseDialect" and table.schema:
            kind = "TABLE"  # of an attached database, whose catalog is not asked: its columns tell
        return kind if kind in self._config.table_types else None

    # --- changes

    def _create(self, connection: DatabaseConnection, table: TableId, fields: FieldsMetadata) -> TableDefinition:
        statement = self._creation(table, fields)
        log.info("Creating table with sql: %s", statement)
        try:
            self._apply(connection, [statement])
        except Exception as error:
            if not is_driver_error(error):
                raise
            log.warning("Create failed, will attempt amend if table already exists: %s", error)
            found = self._look(connection, table)
            if found is None:
                raise
            return found
        made = self._look(connection, table)
        if made is None:
            raise TableAlterOrCreateError(f"Table {table} was made and is not there: check the rights of the user")
        return made

    def _creation(self, table: TableId, fields: FieldsMetadata) -> str:
        if not self._config.auto_create:
            raise TableAlterOrCreateError(f"Table {table} is missing and auto-creation is disabled")
        return _of_table(table, lambda: self._statements.create_table(table, fields.all))

    def _amend(
        self, connection: DatabaseConnection, definition: TableDefinition, fields: FieldsMetadata, retries: int
    ) -> TableDefinition:
        missing = _missing(fields, definition.columns)
        if not missing:
            return definition
        statements = self._amendment(definition, missing)
        log.info("Amending %s to add missing fields: %s", definition.table, statements)
        try:
            self._apply(connection, statements)
        except Exception as error:
            if not is_driver_error(error):
                raise
            if retries <= 0:
                raise TableAlterOrCreateError(
                    f"Failed to amend {definition.kind} '{definition.table}' to add missing fields: {_shown(missing)}"
                ) from error
            log.warning("Amend failed, re-attempting: %s", error)
            # Another task may have added the columns.
            return self._amend(connection, self._look(connection, definition.table) or definition, fields, retries - 1)
        return self._look(connection, definition.table) or definition

    def _amendment(self, definition: TableDefinition, missing: Sequence[SinkField]) -> list[str]:
        kind, name = definition.kind, definition.table
        if kind != "TABLE":
            raise TableAlterOrCreateError(
                f"{_CAPITALIZED[kind]} {name} is missing fields ({_shown(missing)}) and ALTER {kind} is unsupported"
            )
        for field in missing:
            if not field.optional and field.default is None:
                raise TableAlterOrCreateError(
                    f"Cannot ALTER {kind} {name} to add missing field {field}, as the field is not optional and does not have a default value"
                )
        if not self._config.auto_evolve:
            raise TableAlterOrCreateError(
                f"{_CAPITALIZED[kind]} {name} is missing fields ({_shown(missing)}) and auto-evolution is disabled"
            )
        return _of_table(definition.table, lambda: self._statements.alter_table(definition.table, missing))

    def _apply(self, connection: DatabaseConnection, statements: Sequence[str]) -> None:
        # A statement that fails ends PostgreSQL's transaction, unless it is undone on its own.
        savepoint = self._dialect.name == "PostgreSqlDatabaseDialect"
        if savepoint:
            connection.execute("SAVEPOINT penstock_ddl")
        try:
            for statement in statements:
                connection.execute(statement)
        except BaseException:
            if savepoint:
                connection.execute("ROLLBACK TO SAVEPOINT penstock_ddl")
            raise
        connection.commit()


def _of_table(table: TableId, make: Callable[[], _T]) -> _T:
    """Return what `make` does; its errors, which tell of a column, then tell of `table`, too."""
    try:
        return make()
    except TableAlterOrCreateError as error:
        raise TableAlterOrCreateError(f"Table {table}: {error.message}") from None
    except ConnectError as error:
        raise ConnectError(f"Table {table}: {error.message}") from None


def _missing(fields: FieldsMetadata, columns: Mapping[str, Column]) -> list[SinkField]:
    missing = [field for field in fields.all if field.name not in columns]
    if not missing:
        return []
    lower = {name.lower() for name in columns}
    if len(lower) != len(columns):
        log.warning("Table has column names that differ only by case. Original columns=%s", list(columns))
    return [field for field in missing if field.name.lower() not in lower]


def _shown(fields: Sequence[SinkField]) -> str:
    return f"[{', '.join(map(str, fields))}]"
