"""MySQL and MariaDB: unbuffered cursors, types as Connector/J reads them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from typing import Any, Final

from penstock.errors import DataError
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.source.columns import ResultColumn, SqlType
from penstock_connectors.jdbc.source.moments import micros_text
from penstock_connectors.jdbc.source.reading.reader import CursorStream, Reader, RowStream
from penstock_connectors.jdbc.tables import TableId

__all__ = ["MySqlReader"]

_NOT_NULL, _UNSIGNED = 1, 32
_BINARY_CHARSET: Final = 63
#: Field types of the protocol → SQL types.
_TYPES: Final = {
    0: SqlType.NUMERIC, 1: SqlType.TINYINT, 2: SqlType.SMALLINT, 3: SqlType.INTEGER, 4: SqlType.REAL, 5: SqlType.DOUBLE,
    7: SqlType.TIMESTAMP, 8: SqlType.BIGINT, 9: SqlType.INTEGER, 10: SqlType.DATE, 11: SqlType.TIME, 12: SqlType.TIMESTAMP,
    13: SqlType.DATE, 14: SqlType.DATE, 15: SqlType.STRING, 16: SqlType.BIT, 245: SqlType.STRING, 246: SqlType.NUMERIC,
    247: SqlType.STRING, 248: SqlType.STRING, 249: SqlType.STRING, 250: SqlType.STRING, 251: SqlType.STRING, 252: SqlType.STRING,
    253: SqlType.STRING, 254: SqlType.STRING, 255: SqlType.BYTES,
}  # fmt: skip
_DATES: Final = frozenset((7, 10, 12))
_TEXTS: Final = frozenset((15, 249, 250, 251, 252, 253, 254))
_TIMESTAMP, _YEAR, _BIT, _BIGINT = 7, 13, 16, 8


class MySqlReader(Reader):
    now_query = "SELECT CURRENT_TIMESTAMP(6)"

    def open(
        self,
        connection: DatabaseConnection,
        statement: str,
        parameters: Sequence[Any],
        rows: int,
        table: TableId | None,
    ) -> RowStream:
        from pymysql.cursors import SSCursor

        zero = connection.dialect.target.driver.get("zerodatetimebehavior", "exception").lower()
        cursor = connection.raw.cursor(SSCursor)
        try:
            cursor.execute(statement, list(parameters)) if parameters else cursor.execute(statement)
        except BaseException:
            _abandon(cursor)
            raise
        return _MySqlStream(cursor, rows, "null" in zero)

    def now(self, connection: DatabaseConnection) -> int:
        # The session's time zone is UTC.
        return self.moments.zoned_instant(connection.query(self.now_query)[0][0].replace(tzinfo=dt.UTC))

    def are_instants(self, connection: DatabaseConnection, source: str, columns: Sequence[str]) -> bool:
        if self.moments.is_utc:
            return False  # both kinds read alike
        cursor = connection.cursor()
        try:
            cursor.execute(f"SELECT * FROM {source} LIMIT 0")
            codes = {field.name.lower(): field.type_code for field in cursor._result.fields}
        finally:
            cursor.close()
        return all(codes.get(name.lower()) == _TIMESTAMP for name in columns)

    def timestamp_parameter(self, micros: int, instant: bool = False) -> Any:
        # The session sees TIMESTAMP columns in UTC; a DATETIME has no zone.
        return micros_text(micros if instant else self.moments.wall_clock(micros)).replace("T", " ")

    def isolation_statement(self, level: str) -> str:
        return f"SET SESSION TRANSACTION ISOLATION LEVEL {level}"


class _MySqlStream(CursorStream):
    def __init__(self, cursor: Any, rows: int, zero_is_null: bool) -> None:
        super().__init__(cursor, rows)
        self._zero_is_null = zero_is_null

    def fetch(self) -> list[tuple[Any, ...]]:
        rows = super().fetch()
        if self._zero_is_null and any(place in _DATES for place in self._codes()):
            rows = [
                tuple(None if isinstance(v, str) and v.startswith("0000-00-00") else v for v in row) for row in rows
            ]
        return rows

    def close(self) -> None:
        try:
            self.cursor.close()
        except Exception:  # the connection is gone
            _abandon(self.cursor)

    def _codes(self) -> list[int]:
        return [field.type_code for field in self.cursor._result.fields]

    def columns(self, rows: Sequence[tuple[Any, ...]]) -> list[ResultColumn]:
        return [self._column(field) for field in self.cursor._result.fields]

    def _column(self, field: Any) -> ResultColumn:
        code = field.type_code
        kind = _TYPES.get(code, SqlType.OTHER)
        binary = field.charsetnr == _BINARY_CHARSET
        if code in _TEXTS and binary:
            kind = SqlType.BYTES
        made = ResultColumn(
            field.name, kind, not field.flags & _NOT_NULL, signed=not field.flags & _UNSIGNED, type_name=f"type {code}"
        )
        if kind is SqlType.NUMERIC:
            made.scale = field.scale
            made.precision = field.length - (1 if made.signed else 0) - (1 if field.scale else 0)
        elif code == _BIT:
            made.read = _bit
            if field.length > 1:
                made.type, made.read = SqlType.BYTES, bytes
        elif code == _YEAR:
            made.read = lambda year: dt.date(int(year) or 1, 1, 1)
        elif code == _BIGINT and not made.signed:
            made.read = _unsigned
        elif kind in {SqlType.DATE, SqlType.TIMESTAMP, SqlType.TIME}:
            made.read = _checked(field.name, kind)
            made.instant = code == _TIMESTAMP
        return made


def _abandon(cursor: Any) -> None:
    """Keep PyMySQL from reading the rest of a result whose connection is gone, which it would do as the cursor is freed."""
    result, cursor.connection = cursor._result, None
    if result is not None:
        result.unbuffered_active = False


def _bit(value: bytes) -> int:
    return int.from_bytes(value, "big")


def _unsigned(value: int) -> int:
    if value >= 2**63:
        raise DataError(f"The value {value} of a BIGINT UNSIGNED column does not fit into int64")
    return value


def _checked(name: str, kind: SqlType) -> Callable[[Any], Any]:
    wanted: type = {SqlType.DATE: dt.date, SqlType.TIMESTAMP: dt.datetime, SqlType.TIME: dt.timedelta}[kind]

    def read(value: Any) -> Any:
        if not isinstance(value, wanted):  # PyMySQL hands over the text of what is no date
            raise DataError(
                f"The value {value} of column {name} is no {kind.value}; set zeroDateTimeBehavior=convertToNull in connection.url to read such values as null"
            )
        if not isinstance(value, dt.timedelta):
            return value
        micros = value // dt.timedelta(microseconds=1)
        if not 0 <= micros < 86_400_000_000:
            raise DataError(f"The value {value} of column {name} is no time of day, which Connect's Time needs")
        return micros

    return read
