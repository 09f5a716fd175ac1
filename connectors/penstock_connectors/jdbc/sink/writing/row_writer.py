"""`RowWriter`: writes records of one pair of schemas into one table, by the driver's ``executemany``."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from penstock.data import Schema, SinkRecord, Type
from penstock.errors import ConnectError
from penstock.java.text import well_formed
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.sink.config import InsertMode, SinkConfig
from penstock_connectors.jdbc.sink.fields import FieldsMetadata
from penstock_connectors.jdbc.sink.rows.compiled import FieldPlan, Rows, compile_rows, field_plans
from penstock_connectors.jdbc.sink.rows.values import values_for
from penstock_connectors.jdbc.sink.statements import Statements, UnsupportedError
from penstock_connectors.jdbc.sink.structure import TableDefinition

__all__ = ["RowWriter", "Target"]


@dataclass(frozen=True, slots=True)
class Target:
    """The aim of a row writer: a table, and the two schemas of its records."""

    definition: TableDefinition
    fields: FieldsMetadata
    key_schema: Schema | None
    value_schema: Schema | None


class RowWriter:
    """Holds statements and compiled functions, no connection. For one thread.

    Its methods raise the driver's errors as they are, and `ConnectError` for a value that no column can hold.
    """

    def __init__(self, dialect: Dialect, statements: Statements, config: SinkConfig, target: Target) -> None:
        """Raise `ConnectError` if ``insert.mode`` and the fields do not go together."""
        self.dialect, self.config, self.target = dialect, config, target
        self.statements = statements
        self.values = values_for(dialect.name, config)
        self.statement = dialect.statement(self._statement())
        self._delete: tuple[str, Rows] | None = None
        fields = target.fields
        update = config.insert_mode is InsertMode.UPDATE
        self.names = (*fields.others, *fields.keys) if update else (*fields.keys, *fields.others)
        self.plans = self.plan(self.names)
        self.rows = compile_rows(self.title, self.plans)

    @property
    def title(self) -> str:
        """Return the table's name, for tracebacks of generated code."""
        return str(self.target.definition.table)

    def _statement(self) -> str:
        fields, definition = self.target.fields, self.target.definition
        table, columns, made = definition.table, definition.columns, self.statements
        match self.config.insert_mode:
            case InsertMode.UPDATE:
                return made.update(table, fields.keys, fields.others, columns)
            case InsertMode.INSERT:
                return made.insert(table, fields.keys, fields.others, columns)
        if not fields.keys:
            raise ConnectError(
                f"Write to table '{self.title}' in UPSERT mode requires key field names to be known, check the primary key configuration"
            )
        try:
            return made.upsert(table, fields.keys, fields.others, columns)
        except UnsupportedError:
            raise ConnectError(
                f"Write to table '{self.title}' in UPSERT mode is not supported with the {self.dialect.name} dialect."
            ) from None

    def plan(self, names: Sequence[str]) -> list[FieldPlan]:
        """Return the plans of the columns `names`."""
        target = self.target
        text = target.value_schema is not None and target.value_schema.type is Type.STRING
        return field_plans(
            names, target.fields, self.config, target.key_schema, target.definition.columns, self.values, text
        )

    def write(self, connection: DatabaseConnection, records: Sequence[SinkRecord]) -> None:
        """Insert, upsert or update a row for each of `records`, in their order. Commits nothing."""
        self.execute(connection, self.statement, self.rows(records))

    def delete(self, connection: DatabaseConnection, records: Sequence[SinkRecord]) -> None:
        """Delete the row of the key of each of `records`. Commits nothing."""
        if self._delete is None:
            fields = self.target.fields
            if not fields.keys:
                raise ConnectError("Require primary keys to support delete")
            statement = self.dialect.statement(self.statements.delete(self.target.definition.table, fields.keys))
            self._delete = statement, compile_rows(self.title, self.plan(fields.keys))
        statement, rows = self._delete
        self.execute(connection, statement, rows(records))

    def execute(self, connection: DatabaseConnection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run `statement` for each of `rows`."""
        cursor = self.cursor(connection)
        try:
            try:
                cursor.executemany(statement, rows)
            except UnicodeEncodeError:  # half of a character pair, which Java's drivers write as a question mark
                cursor.executemany(statement, [tuple(map(_well_formed, row)) for row in rows])
        finally:
            cursor.close()

    def cursor(self, connection: DatabaseConnection) -> Any:
        """Return a cursor that takes the values which `values` makes."""
        return connection.raw.cursor()


def _well_formed(value: Any) -> Any:
    return type(value)(well_formed(value)) if isinstance(value, str) else value
