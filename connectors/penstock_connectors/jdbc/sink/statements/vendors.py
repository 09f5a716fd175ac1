"""The parts of the sink's statements that each kind of database has of its own."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from penstock.data import Schema, Type
from penstock.errors import ConnectError
from penstock_connectors.jdbc.dialects.dialect import PARAMETER
from penstock_connectors.jdbc.sink.fields import SinkField
from penstock_connectors.jdbc.sink.statements.statements import Statements
from penstock_connectors.jdbc.tables import Column, TableId

__all__ = [
    "Db2Statements",
    "MySqlStatements",
    "OracleStatements",
    "PostgreSqlStatements",
    "SapHanaStatements",
    "SqlServerStatements",
    "SqliteStatements",
    "SybaseStatements",
    "VerticaStatements",
]

#: The PostgreSQL types that a text must be cast to.
_CASTS: Final = ("uuid", "json", "jsonb")


class PostgreSqlStatements(Statements):
    def column_type(self, field: SinkField) -> str:
        if field.schema.type is Type.ARRAY and field.schema.value_schema is not None and field.schema.name is None:
            return self.column_type(SinkField(field.schema.value_schema, field.name, field.primary_key)) + "[]"
        return super().column_type(field)

    def literal(self, schema: Schema, value: Any) -> str:
        if schema.name is None:
            match schema.type:
                case Type.BOOLEAN:
                    return "TRUE" if value else "FALSE"
                case Type.BYTES:
                    return f"'\\x{bytes(value).hex()}'"
                case Type.ARRAY if value:
                    return f"ARRAY[{','.join(self._item(schema, item) for item in value)}]"
                case Type.ARRAY:
                    return "'{}'"
        return super().literal(schema, value)

    def _item(self, schema: Schema, item: Any) -> str:
        if item is None:
            return "NULL"
        if schema.value_schema is None or not isinstance(item, str | int | float):
            raise ConnectError(f"Unsupported type for array item: {type(item).__name__}")
        return self.literal(schema.value_schema, item)

    def float_literal(self, text: str) -> str:
        return f"'{text}'" if text[-1].isalpha() else text

    def insert(self, table: TableId, keys: Sequence[str], others: Sequence[str], columns: Mapping[str, Column]) -> str:
        names = [*keys, *others]
        return f"INSERT INTO {self.table(table)} ({self.names(names)}) VALUES ({self.values(names, columns)})"

    def upsert(self, table: TableId, keys: Sequence[str], others: Sequence[str], columns: Mapping[str, Column]) -> str:
        return self.insert(table, keys, others, columns) + self.on_conflict(keys, others)

    def on_conflict(self, keys: Sequence[str], others: Sequence[str]) -> str:
        """Return what turns an INSERT into an upsert."""
        sets = ",".join(f"{self.name(name)}=EXCLUDED.{self.name(name)}" for name in others)
        return f" ON CONFLICT ({self.names(keys)}) DO " + (f"UPDATE SET {sets}" if sets else "NOTHING")

    def value(self, name: str, columns: Mapping[str, Column]) -> str:
        column = columns.get(name)
        return f"{PARAMETER}::{column.type_name}" if column and column.type_name in _CASTS else PARAMETER


class SqliteStatements(Statements):
    def column_type(self, field: SinkField) -> str:
        found = super().column_type(field)
        # As in the JVM's connector, whose dialect for SQLite treats smaller integers like the counts that are converted.
        return "NUMERIC" if found == "INTEGER" and field.name in self._config.timestamp_fields else found

    def alter_table(self, table: TableId, fields: Sequence[SinkField]) -> list[str]:
        return [
            statement for field in fields for statement in super(SqliteStatements, self).alter_table(table, [field])
        ]

    def upsert(self, table: TableId, keys: Sequence[str], others: Sequence[str], columns: Mapping[str, Column]) -> str:
        names = [*keys, *others]
        return f"INSERT OR REPLACE INTO {self.table(table)}({self.names(names)}) VALUES({self.values(names, columns)})"


class MySqlStatements(Statements):
    def text_literal(self, text: str) -> str:
        return super().text_literal(text.replace("\\", "\\\\"))

    def upsert(self, table: TableId, keys: Sequence[str], others: Sequence[str], columns: Mapping[str, Column]) -> str:
        names = [*keys, *others]
        sets = ",".join(f"{self.name(name)}=values({self.name(name)})" for name in others or keys)
        return (
            f"insert into {self.table(table)}({self.names(names)}) values({self.values(names, columns)})"
            f" on duplicate key update {sets}"
        )


class VerticaStatements(Statements):
    def alter_table(self, table: TableId, fields: Sequence[SinkField]) -> list[str]:
        return [
            statement for field in fields for statement in super(VerticaStatements, self).alter_table(table, [field])
        ]


class SapHanaStatements(Statements):
    def create_table(self, table: TableId, fields: Sequence[SinkField]) -> str:
        return super().create_table(table, fields).replace("CREATE TABLE", "CREATE COLUMN TABLE", 1)

    def alter_table(self, table: TableId, fields: Sequence[SinkField]) -> list[str]:
        return [_alter(self, table, fields, " ADD(", ")")]

    def upsert(self, table: TableId, keys: Sequence[str], others: Sequence[str], columns: Mapping[str, Column]) -> str:
        names = [*keys, *others]
        return f"UPSERT {self.table(table)}({self.names(names)}) VALUES({self.values(names, columns)}) WITH PRIMARY KEY"


class _Merging(Statements):
    """MERGE, in the form that its subclasses fill in."""

    def merge(self, into: str, using: str, target: str, source: str, keys: Sequence[str], others: Sequence[str]) -> str:
        """Return a MERGE; `target` and `source` are what stands before the dot of a column of the table and of the row,
        and the row's condition is put in brackets by `using`'s end."""
        sets = ",".join(f"{self._assigned(target, name)}={source}.{self.name(name)}" for name in others)
        values = ",".join(f"{source}.{self.name(name)}" for name in [*others, *keys])
        condition = " and ".join(f"{target}.{self.name(key)}={source}.{self.name(key)}" for key in keys)
        return (
            f"merge into {into} using {using} on({condition})"
            + (f" when matched then update set {sets}" if sets else "")
            + f" when not matched then insert({self.names([*others, *keys])}) values({values})"
        )

    def _assigned(self, target: str, name: str) -> str:
        return f"{target}.{self.name(name)}"


class SqlServerStatements(_Merging):
    def alter_table(self, table: TableId, fields: Sequence[SinkField]) -> list[str]:
        return [_alter(self, table, fields, " ADD", "")]

    def upsert(self, table: TableId, keys: Sequence[str], others: Sequence[str], columns: Mapping[str, Column]) -> str:
        into = self.table(table) + (" with (HOLDLOCK)" if self._config.hold_lock else "") + " AS target"
        row = ", ".join(f"{PARAMETER} AS {self.name(name)}" for name in [*keys, *others])
        return self.merge(into, f"(select {row}) AS incoming", "target", "incoming", keys, others) + ";"

    def _assigned(self, target: str, name: str) -> str:
        return self.name(name)


class SybaseStatements(SqlServerStatements):
    def upsert(self, table: TableId, keys: Sequence[str], others: Sequence[str], columns: Mapping[str, Column]) -> str:
        row = ", ".join(f"{PARAMETER} AS {self.name(name)}" for name in [*keys, *others])
        return self.merge(
            f"{self.table(table)} AS target", f"(select {row}) AS incoming", "target", "incoming", keys, others
        )


class OracleStatements(_Merging):
    def alter_table(self, table: TableId, fields: Sequence[SinkField]) -> list[str]:
        return [_alter(self, table, fields, " ADD(", ")")]

    def upsert(self, table: TableId, keys: Sequence[str], others: Sequence[str], columns: Mapping[str, Column]) -> str:
        name = self.table(table)
        row = ", ".join(f"{PARAMETER} {self.name(column)}" for column in [*keys, *others])
        return self.merge(name, f"(select {row} FROM dual) incoming", name, "incoming", keys, others)


class Db2Statements(_Merging):
    """DB2 and Derby."""

    def upsert(self, table: TableId, keys: Sequence[str], others: Sequence[str], columns: Mapping[str, Column]) -> str:
        name, all_names = self.table(table), [*keys, *others]
        row = f"(values({self.values(all_names, columns)})) as DAT({self.names(all_names)})"
        return self.merge(name, row, name, "DAT", keys, others)


def _alter(statements: Statements, table: TableId, fields: Sequence[SinkField], start: str, end: str) -> str:
    columns = ",".join("\n" + statements.column(field) for field in fields)
    return f"ALTER TABLE {statements.table(table)}{start}{columns}{end}"
