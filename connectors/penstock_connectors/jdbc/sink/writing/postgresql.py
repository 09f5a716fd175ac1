"""Rows into PostgreSQL: COPY for inserts, pipelined statements for the rest.

COPY reads each value by its column's type, where an INSERT checks the type of a parameter against it. COPY is therefore
used only where both come to the same: each field's type belongs to its column's, and the table is a plain one.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Sequence
from typing import Any, Final

from penstock.data import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME, Schema, SinkRecord, Type
from penstock.java.text import well_formed
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.sink.config import InsertMode
from penstock_connectors.jdbc.sink.rows.compiled import compile_copy
from penstock_connectors.jdbc.sink.rows.values import PostgreSqlValues
from penstock_connectors.jdbc.sink.schemaless import ANYTHING
from penstock_connectors.jdbc.sink.writing.psycopg_types import use_java_types
from penstock_connectors.jdbc.sink.writing.row_writer import RowWriter

__all__ = ["PostgreSqlRowWriter"]

log = logging.getLogger(__name__)

#: Fewer records are not worth asking the catalog, and a statement of COPY's own.
_COPY_FROM: Final = 4
_INTEGERS: Final = frozenset({"smallint", "integer", "bigint", "numeric"})
_COLUMNS: Final = {
    Type.INT8: _INTEGERS, Type.INT16: _INTEGERS, Type.INT32: _INTEGERS, Type.INT64: _INTEGERS,
    Type.FLOAT32: frozenset({"real", "double precision"}), Type.FLOAT64: frozenset({"double precision"}),
    Type.BOOLEAN: frozenset({"boolean"}), Type.BYTES: frozenset({"bytea"}),
    Type.STRING: frozenset({"text", "character varying", "character", "uuid", "json", "jsonb"}),
}  # fmt: skip
_STAMPS: Final = frozenset({"timestamp without time zone", "timestamp with time zone"})
_LOGICAL: Final = {
    DECIMAL_NAME: frozenset({"numeric"}),
    DATE_NAME: frozenset({"date"}),
    TIME_NAME: frozenset({"time without time zone", "time with time zone"}),
    TIMESTAMP_NAME: _STAMPS,
}
#: A type's length or precision: ``character varying(20)``, ``timestamp(3) without time zone``.
_MODIFIER: Final = re.compile(r"\([\d,]+\)")

#: A table that COPY treats as an INSERT does: an ordinary one, without rules, policies and columns that are always generated.
_PLAIN: Final = """
SELECT c.relkind IN ('r', 'p') AND NOT c.relhasrules AND NOT c.relrowsecurity AND NOT EXISTS (
  SELECT FROM pg_catalog.pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0 AND a.attidentity = 'a')
FROM pg_catalog.pg_class c WHERE c.oid = to_regclass(%s)"""


class PostgreSqlRowWriter(RowWriter):
    """Writes through psycopg 3; through another driver as `RowWriter` does."""

    _copy: Callable[[Sequence[SinkRecord]], str] | None = None
    values: PostgreSqlValues
    #: None until the catalog was asked.
    _copies: bool | None = None

    def write(self, connection: DatabaseConnection, records: Sequence[SinkRecord]) -> None:
        if len(records) >= _COPY_FROM and self._can_copy(connection):
            assert self._copy is not None
            text = self.converted(self._copy, records, self.plans)
            try:
                data = text.encode()
            except UnicodeEncodeError:
                data = well_formed(text).encode()
            with connection.raw.cursor() as cursor, cursor.copy(self._copy_statement()) as copy:
                copy.write(data)
        else:
            super().write(connection, records)

    def cursor(self, connection: DatabaseConnection) -> Any:
        if _is_psycopg(connection):
            use_java_types(connection.raw, self.dialect.target.driver.get("stringtype", "").lower() == "unspecified")
        return connection.raw.cursor()

    def _copy_statement(self) -> str:
        made = self.statements
        return f"COPY {made.table(self.target.definition.table)} ({made.names(self.names)}) FROM STDIN"

    def _can_copy(self, connection: DatabaseConnection) -> bool:
        if self._copies is None:
            self._copies = (
                self.config.insert_mode is InsertMode.INSERT
                and _is_psycopg(connection)
                and all(self._same_type(plan.name, plan.schema) for plan in self.plans)
                and self._is_plain(connection)
            )
            if self._copies:
                self._copy = compile_copy(self.title, self.plans, self.values.printable())
        return self._copies

    def _same_type(self, name: str, schema: Schema) -> bool:
        column = self.target.definition.columns.get(name)
        if column is None or schema.name == ANYTHING:
            return False
        kind = _MODIFIER.sub("", column.type_name)
        if (
            schema.type is Type.ARRAY
            and schema.name is None
            and kind.endswith("[]")
            and schema.value_schema is not None
        ):
            return _fits(schema.value_schema, kind.removesuffix("[]"))
        if name in self.config.timestamp_fields and schema.type in (Type.INT64, Type.STRING) and schema.name is None:
            return kind in _STAMPS
        return _fits(schema, kind)

    def _is_plain(self, connection: DatabaseConnection) -> bool:
        table = self.target.definition.table
        quoted = self.dialect.quoting.quoted
        rows = connection.query(_PLAIN, [".".join(quoted(part) for part in (table.schema, table.name) if part)])
        return bool(rows and rows[0][0])


def _fits(schema: Schema, kind: str) -> bool:
    return kind in (_LOGICAL.get(schema.name or "") or _COLUMNS.get(schema.type, frozenset()))


def _is_psycopg(connection: DatabaseConnection) -> bool:
    return type(connection.raw).__module__.partition(".")[0] == "psycopg"
