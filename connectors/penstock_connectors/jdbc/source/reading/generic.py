"""Any database that SQLAlchemy and a DB-API driver reach: types come from the first row and from the driver's description."""

from __future__ import annotations

import datetime as dt
import decimal
import uuid
from collections.abc import Sequence
from typing import Any, Final

from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.source.columns import ResultColumn, SqlType
from penstock_connectors.jdbc.source.reading.reader import CursorStream, Reader, RowStream
from penstock_connectors.jdbc.tables import TableId

__all__ = ["GenericReader"]

_KINDS: Final[dict[type, SqlType]] = {
    bool: SqlType.BOOLEAN, int: SqlType.BIGINT, float: SqlType.DOUBLE, decimal.Decimal: SqlType.NUMERIC, str: SqlType.STRING,
    bytes: SqlType.BYTES, bytearray: SqlType.BYTES, memoryview: SqlType.BYTES, dt.datetime: SqlType.TIMESTAMP, dt.date: SqlType.DATE,
    dt.time: SqlType.TIME, uuid.UUID: SqlType.STRING,
}  # fmt: skip
_READ: Final[dict[type, Any]] = {bytearray: bytes, memoryview: bytes, uuid.UUID: str}


class GenericReader(Reader):
    @property
    def now_query(self) -> str:  # type: ignore[override]  # Oracle has no SELECT without FROM
        return (
            "SELECT CURRENT_TIMESTAMP FROM DUAL"
            if "oracle" in self.dialect.target.drivername
            else "SELECT CURRENT_TIMESTAMP"
        )

    def open(
        self,
        connection: DatabaseConnection,
        statement: str,
        parameters: Sequence[Any],
        rows: int,
        table: TableId | None,
    ) -> RowStream:
        cursor = connection.cursor()
        cursor.arraysize = rows
        cursor.execute(statement, parameters) if parameters else cursor.execute(statement)
        return _GenericStream(cursor, rows)


class _GenericStream(CursorStream):
    def columns(self, rows: Sequence[tuple[Any, ...]]) -> list[ResultColumn]:
        found = []
        for place, description in enumerate(self.cursor.description):
            name, _, _, _, precision, scale, nullable = (*description, *[None] * 7)[:7]
            value = next((row[place] for row in rows if row[place] is not None), None)
            kind = SqlType.STRING if value is None else _KINDS.get(type(value), SqlType.OTHER)
            found.append(
                ResultColumn(
                    name, kind, nullable is not False and nullable != 0, precision or None, scale or 0,
                    type_name=type(value).__name__, instant=getattr(value, "tzinfo", None) is not None, read=_READ.get(type(value)),
                )
            )  # fmt: skip
        return found
