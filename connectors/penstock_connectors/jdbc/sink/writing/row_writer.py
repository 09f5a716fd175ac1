"""`RowWriter`: writes records of one pair of schemas into one table, by the driver's ``executemany``."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from penstock.data import Schema, SinkRecord, Type
from penstock.errors import ConnectError, DataError
from penstock.java.text import well_formed
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.sink.config import InsertMode, SinkConfig
from penstock_connectors.jdbc.sink.fields import FieldsMetadata
from penstock_connectors.jdbc.sink.rows.compiled import FieldPlan, Rows, compile_rows, field_plans
from penstock_connectors.jdbc.sink.rows.values import values_for
from penstock_connectors.jdbc.sink.statements import Statements, UnsupportedError
from penstock_connectors.jdbc.sink.structure import TableDefinition

__all__ = ["HalfCharacterError", "RowWriter", "Target"]

_T = TypeVar("_T")
#: The errors of conversions; the others than `ConnectError` come from Python's own types.
_UNWRITABLE: Final = (ConnectError, TypeError, ValueError, ArithmeticError)


@dataclass(frozen=True, slots=True)
class Target:
    """The aim of a row writer: a table, and the two schemas of its records."""

    definition: TableDefinition
    fields: FieldsMetadata
    key_schema: Schema | None
    value_schema: Schema | None


class HalfCharacterError(DataError):
    """A text has half of a character pair. The writer has made itself ready for such texts: roll back, and write again."""


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
        self._delete: tuple[str, Rows, list[FieldPlan]] | None = None
        #: Whether texts are looked through for halves of character pairs, which Java's drivers write as question marks.
        self._mends_texts = False
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
        self.execute(connection, self.statement, self.converted(self.rows, records, self.plans))

    def delete(self, connection: DatabaseConnection, records: Sequence[SinkRecord]) -> None:
        """Delete the row of the key of each of `records`. Commits nothing."""
        if self._delete is None:
            fields = self.target.fields
            if not fields.keys:
                raise ConnectError("Require primary keys to support delete")
            statement = self.dialect.statement(self.statements.delete(self.target.definition.table, fields.keys))
            plans = self.plan(fields.keys)
            self._delete = statement, compile_rows(self.title, plans), plans
        statement, rows, plans = self._delete
        self.execute(connection, statement, self.converted(rows, records, plans))

    def converted(
        self, convert: Callable[[Sequence[SinkRecord]], _T], records: Sequence[SinkRecord], plans: Sequence[FieldPlan]
    ) -> _T:
        """Return what `convert`, which is compiled of `plans`, makes of `records`. Raise `ConnectError`, which names table,
        column and record, for a value that cannot be written."""
        try:
            return convert(records)
        except _UNWRITABLE as error:
            raise self._located(error, records, plans) from error

    def _located(self, error: Exception, records: Sequence[SinkRecord], plans: Sequence[FieldPlan]) -> ConnectError:
        kind = ConnectError if isinstance(error, ConnectError) and not isinstance(error, DataError) else DataError
        text = error.message if isinstance(error, ConnectError) else str(error)
        for plan in plans:
            rows = compile_rows(self.title, [plan])
            for record in records:
                try:
                    rows([record])
                except _UNWRITABLE:
                    where = f"{record.topic}-{record.partition} at offset {record.offset}"
                    return kind(f"Table {self.title}, column {plan.name}, record {where}: {text}")
        return kind(f"Table {self.title}: {text}")

    def execute(self, connection: DatabaseConnection, statement: str, rows: Sequence[tuple[Any, ...]]) -> None:
        """Run `statement` for each of `rows`. Raise `HalfCharacterError` if some may be written and the others cannot be."""
        if self._mends_texts:
            rows = [tuple(map(_well_formed, row)) for row in rows]
        cursor = self.cursor(connection)
        try:
            cursor.executemany(statement, rows)
        except UnicodeEncodeError as error:
            if self._mends_texts:
                raise
            self._mends_texts = True
            raise HalfCharacterError(f"Table {self.title}: half of a character pair in a text") from error
        except OverflowError as error:  # SQLite's module, for an integer of more than 64 bits
            raise DataError(f"Table {self.title}: a value is too large for the database: {error}") from error
        finally:
            cursor.close()

    def cursor(self, connection: DatabaseConnection) -> Any:
        """Return a cursor that takes the values which `values` makes."""
        return connection.raw.cursor()


def _well_formed(value: Any) -> Any:
    return type(value)(well_formed(value)) if isinstance(value, str) else value
