"""`Statements`: the SQL of the sink in its general form.

Statements carry `PARAMETER` in each value's place; `Dialect.statement` makes them the driver's. The texts are those of
``io.confluent.connect.jdbc.dialect.GenericDatabaseDialect``, with literals escaped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from decimal import Decimal
from typing import Any, Final

from penstock.data import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME, Schema, Type
from penstock.errors import ConnectError
from penstock.java.number_text import decimal_text, double_text, float_text
from penstock_connectors.jdbc.dialects.dialect import PARAMETER, Dialect
from penstock_connectors.jdbc.sink.config import SinkConfig
from penstock_connectors.jdbc.sink.errors import TableAlterOrCreateError
from penstock_connectors.jdbc.sink.fields import SinkField
from penstock_connectors.jdbc.sink.moments import Moments
from penstock_connectors.jdbc.sink.schemaless import ANYTHING
from penstock_connectors.jdbc.sink.statements.column_types import COLUMN_TYPES
from penstock_connectors.jdbc.tables import Column, TableId

__all__ = ["Statements", "UnsupportedError"]


class UnsupportedError(ConnectError):
    """The dialect has no such statement."""


class Statements:
    """Makes one dialect's statements. Holds settings alone; safe from any thread."""

    def __init__(self, dialect: Dialect, config: SinkConfig) -> None:
        self._dialect, self._config = dialect, config
        self._moments = Moments(config)
        self._types = COLUMN_TYPES.get(dialect.name)

    # --- tables

    def create_table(self, table: TableId, fields: Sequence[SinkField]) -> str:
        """Return the statement that makes `table` with `fields` in their order. Raise `ConnectError` for a type that
        has no column type."""
        key = self.names(f.name for f in fields if f.primary_key)
        columns = ",".join("\n" + self.column(f) for f in fields)
        return f"CREATE TABLE {self.table(table)} ({columns}" + (f",\nPRIMARY KEY({key})" if key else "") + ")"

    def alter_table(self, table: TableId, fields: Sequence[SinkField]) -> list[str]:
        """Return the statements that add `fields` to `table`."""
        line = "\n" if len(fields) > 1 else ""
        return [f"ALTER TABLE {self.table(table)} " + ",".join(f"{line}ADD {self.column(f)}" for f in fields)]

    def column(self, field: SinkField) -> str:
        """Return the definition of `field`'s column."""
        head = f"{self.name(field.name)} {self.column_type(field)}"
        if field.default is not None:
            return f"{head} DEFAULT {self.literal(field.schema, field.default)}"
        return head + (" NULL" if field.optional else " NOT NULL")

    def column_type(self, field: SinkField) -> str:
        """Return the type of `field`'s column. Raise `ConnectError` if the dialect has none."""
        types, schema = self._types, field.schema
        if schema.name == ANYTHING:
            raise TableAlterOrCreateError(
                f"There is no column '{field.name}', and records without a schema do not say its type: make the table and the column first"
            )
        if types is None:
            raise no_type(schema)
        if schema.name is not None and schema.name in types.logical:
            return types.logical[schema.name].format(scale=schema.parameters.get("scale"))
        if schema.type in (Type.INT64, Type.STRING) and field.name in self._config.timestamp_fields:
            return types.timestamp_field_nanos if self._config.nanoseconds else types.timestamp_field
        variant = types.key if field.primary_key else types.optional if field.optional else {}
        found = variant.get(schema.type) or types.plain.get(schema.type)
        if found is None:
            raise no_type(schema)
        return found

    def literal(self, schema: Schema, value: Any) -> str:
        """Return a default's `value` as it stands in a statement."""
        moment = _MOMENTS.get(schema.name or "")
        if schema.name == DECIMAL_NAME:
            return decimal_text(value) if isinstance(value, Decimal) else str(value)
        if moment is not None:
            return self.text_literal(moment(self._moments, value))
        match schema.type:
            case Type.STRING:
                return self.text_literal(value)
            case Type.BOOLEAN:
                return "1" if value else "0"
            case Type.BYTES:
                return f"x'{bytes(value).hex()}'"
            case Type.FLOAT32 | Type.FLOAT64:
                return self.float_literal(float_text(value) if schema.type is Type.FLOAT32 else double_text(value))
            case Type.INT8 | Type.INT16 | Type.INT32 | Type.INT64:
                return str(value)
        raise ConnectError(f"Unsupported type for column value: {schema.type.name}")

    def text_literal(self, text: str) -> str:
        """Return `text` as a literal. The JVM's connector leaves quotes in it alone, and fails with them."""
        return "'" + text.replace("'", "''") + "'"

    def float_literal(self, text: str) -> str:
        """Return a number's `text`, which may be NaN or Infinity, as a literal."""
        return text

    # --- rows

    def insert(self, table: TableId, keys: Sequence[str], others: Sequence[str], columns: Mapping[str, Column]) -> str:
        """Return the INSERT. Its parameters are the keys, then the others; `columns` is the table as it is."""
        names = [*keys, *others]
        return f"INSERT INTO {self.table(table)}({self.names(names)}) VALUES({self.values(names, columns)})"

    def update(self, table: TableId, keys: Sequence[str], others: Sequence[str], columns: Mapping[str, Column]) -> str:
        """Return the UPDATE. Its parameters are the others, then the keys. Without keys it changes every row."""
        sets = ", ".join(f"{self.name(name)} = {self.value(name, columns)}" for name in others)
        return f"UPDATE {self.table(table)} SET {sets}{self._where(keys)}"

    def upsert(self, table: TableId, keys: Sequence[str], others: Sequence[str], columns: Mapping[str, Column]) -> str:
        """Return the statement that inserts a row or changes the one of the same keys. Its parameters are the keys, then
        the others. Raise `UnsupportedError` if the dialect has none."""
        raise UnsupportedError(f"no upsert with {self._dialect.name}")

    def delete(self, table: TableId, keys: Sequence[str]) -> str:
        """Return the DELETE of the row with the keys, which are its parameters."""
        return f"DELETE FROM {self.table(table)}{self._where(keys)}"

    def _where(self, keys: Sequence[str]) -> str:
        return " WHERE " + " AND ".join(f"{self.name(key)} = {PARAMETER}" for key in keys) if keys else ""

    # --- parts

    def table(self, table: TableId) -> str:
        """Return the table's name for a statement."""
        return self._dialect.table_sql(table)

    def name(self, name: str) -> str:
        """Return a column's name for a statement."""
        return self._dialect.quoting.identifier(name)

    def names(self, names: Iterable[str]) -> str:
        """Return columns' names for a statement, with commas between."""
        return self._dialect.quoting.identifiers(names)

    def value(self, name: str, columns: Mapping[str, Column]) -> str:
        """Return the place of the value for column `name`."""
        return PARAMETER

    def values(self, names: Sequence[str], columns: Mapping[str, Column]) -> str:
        """Return the places of the values for several columns, with commas between."""
        return ",".join(self.value(name, columns) for name in names)


def no_type(schema: Schema) -> ConnectError:
    """Return the error for a schema that no column type fits."""
    name = "null" if schema.name is None else schema.name
    return ConnectError(f"{name} ({schema.type.name}) type doesn't have a mapping to the SQL database column type")


_MOMENTS: Final[Mapping[str, Callable[[Moments, Any], str]]] = {
    DATE_NAME: Moments.date_literal,
    TIME_NAME: Moments.time_literal,
    TIMESTAMP_NAME: Moments.timestamp_literal,
}
