"""PostgreSQL: named cursors, types by OID and modifier as pgjdbc reads them, open transactions by the snapshot."""

from __future__ import annotations

import decimal
from collections.abc import Sequence
from typing import Any, Final

from penstock.errors import DataError
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.source.columns import ResultColumn, SqlType
from penstock_connectors.jdbc.source.moments import Moments, micros_text
from penstock_connectors.jdbc.source.query_text import single_marks
from penstock_connectors.jdbc.source.reading.reader import CursorStream, Reader, RowStream
from penstock_connectors.jdbc.tables import TableId

__all__ = ["PostgreSqlReader"]

#: OID of a type → its SQL type.
_TYPES: Final = {
    16: SqlType.BOOLEAN, 17: SqlType.BYTES, 18: SqlType.STRING, 19: SqlType.STRING, 20: SqlType.BIGINT, 21: SqlType.SMALLINT,
    23: SqlType.INTEGER, 25: SqlType.STRING, 26: SqlType.BIGINT, 114: SqlType.STRING, 142: SqlType.STRING, 700: SqlType.REAL,
    701: SqlType.DOUBLE, 705: SqlType.STRING, 790: SqlType.DOUBLE, 1042: SqlType.STRING, 1043: SqlType.STRING, 1082: SqlType.DATE,
    1083: SqlType.TIME, 1114: SqlType.TIMESTAMP, 1184: SqlType.TIMESTAMP, 1266: SqlType.TIME, 1560: SqlType.BIT,
    1700: SqlType.NUMERIC, 2950: SqlType.STRING, 3802: SqlType.STRING,
}  # fmt: skip
_MONEY, _TIMETZ, _TIMESTAMPTZ, _BIT, _NUMERIC, _UUID = 790, 1266, 1184, 1560, 1700, 2950
#: Types whose text is what a record has of them, if anything: the driver need not make objects of it.
_BY_TEXT: Final = (
    "json jsonb uuid interval inet cidr int4range int8range numrange tsrange tstzrange daterange int4multirange int8multirange "
    "nummultirange tsmultirange tstzmultirange datemultirange"
).split()

_DESCRIBE: Final = """
SELECT t.oid, t.typname, t.typtype::text, t.typelem, t.typcategory::text FROM pg_catalog.pg_type t WHERE t.oid = ANY(%s)"""
_NOT_NULL: Final = """
SELECT attrelid, attnum, attnotnull FROM pg_catalog.pg_attribute
WHERE (attrelid, attnum) IN (SELECT * FROM unnest(%s::oid[], %s::int2[]))"""


class PostgreSqlReader(Reader):
    def __init__(self, dialect: Dialect, moments: Moments) -> None:
        super().__init__(dialect, moments)
        self._cursors = 0

    def open(
        self,
        connection: DatabaseConnection,
        statement: str,
        parameters: Sequence[Any],
        rows: int,
        table: TableId | None,
    ) -> RowStream:
        self._prepare(connection)
        self._cursors += 1
        cursor = connection.raw.cursor(name=f"penstock_{self._cursors}")
        try:
            cursor.execute(statement, parameters) if parameters else cursor.execute(statement)
        except BaseException:
            # The server knows no cursor of a statement that failed; closing it would be an error of its own.
            connection.rollback()
            raise
        return _PostgreSqlStream(cursor, rows, connection)

    def timestamp_parameter(self, micros: int, instant: bool = False) -> Any:
        # A text without a type: the server takes it for the column's type. A column without time zone ignores the offset,
        # one with a zone needs it.
        wall = self.moments.wall_clock(micros)
        return _with_offset(micros_text(wall), (wall - micros) // 60_000_000)

    def native(self, query: str) -> str:
        return single_marks(query)

    def check(self, connection: DatabaseConnection, query: str) -> None:
        raw = connection.raw
        result = raw.pgconn.prepare(b"penstock_check", self.native(query).encode())
        if result.status != 1:  # anything but "command ok"
            from psycopg.errors import error_from_result

            connection.rollback()
            raise error_from_result(result, encoding="utf-8")
        connection.execute("DEALLOCATE penstock_check")

    def _prepare(self, connection: DatabaseConnection) -> None:
        """Let the driver hand over texts where it would make objects that a text is made of again."""
        from psycopg.types.string import TextLoader

        adapters = connection.raw.adapters
        if getattr(adapters, "penstock_ready", False):
            return
        for name in _BY_TEXT:
            adapters.register_loader(name, TextLoader)
        adapters.penstock_ready = True


class _PostgreSqlStream(CursorStream):
    def __init__(self, cursor: Any, rows: int, connection: DatabaseConnection) -> None:
        super().__init__(cursor, rows)
        self._connection = connection

    def fetch(self) -> list[tuple[Any, ...]]:
        from psycopg import DataError as DriverDataError

        try:
            return super().fetch()
        except DriverDataError:
            # A value that Python's date or datetime cannot hold: infinity, a year before 1 or after 9999.
            from penstock_connectors.jdbc.source.reading.far_times import load_again

            return load_again(self.cursor)
        except UnicodeDecodeError as error:
            raise DataError(
                f"A text is not UTF-8, as a database with the encoding SQL_ASCII may hold it ({error}); select "
                "convert_from(convert_to(COLUMN, 'SQL_ASCII'), 'LATIN1') or the like in a query"
            ) from error

    def columns(self, rows: Sequence[tuple[Any, ...]]) -> list[ResultColumn]:
        result = self.cursor.pgresult
        places = range(result.nfields)
        modifiers = [result.fmod(i) for i in places]
        oids = [result.ftype(i) for i in places]
        names = [result.fname(i).decode() for i in places]
        required = self._required([(result.ftable(i), result.ftablecol(i)) for i in places])
        known = self._describe({oid for oid in oids if oid not in _TYPES})
        return [
            _column(names[i], oids[i], modifiers[i], not required[i], known.get(oids[i], ("", "", 0, "")))
            for i in places
        ]

    def _required(self, origins: list[tuple[int, int]]) -> list[bool]:
        """Return for each column of the result whether the column of the table that it comes from is NOT NULL."""
        asked = sorted({origin for origin in origins if all(origin)})
        if not asked:
            return [False] * len(origins)
        rows = self._connection.query(_NOT_NULL, [[a for a, _ in asked], [b for _, b in asked]])
        found = {(table, column): not_null for table, column, not_null in rows}
        return [bool(found.get(origin)) for origin in origins]

    def _describe(self, oids: set[int]) -> dict[int, tuple[str, str, int, str]]:
        if not oids:
            return {}
        rows = self._connection.query(_DESCRIBE, [sorted(oids)])
        return {row[0]: (row[1], row[2], row[3], row[4]) for row in rows}


def _column(name: str, oid: int, modifier: int, optional: bool, known: tuple[str, str, int, str]) -> ResultColumn:
    type_name, kind_letter, element, category = known
    kind = _TYPES.get(oid)
    if kind is None:
        if kind_letter == "e":
            return ResultColumn(name, SqlType.STRING, optional, type_name=type_name)
        made = ResultColumn(name, SqlType.OTHER, optional, type_name=type_name or str(oid))
        if category == "A" and element in _TYPES:
            made.type, made.element = SqlType.ARRAY, _column("", element, modifier, True, ("", "", 0, ""))
        return made
    made = ResultColumn(name, kind, optional, type_name=type_name)
    if oid == _NUMERIC and modifier >= 4:
        made.precision, made.scale = (modifier - 4) >> 16 & 0xFFFF, (modifier - 4) & 0xFFFF
        if made.scale > 0x3FF:  # a negative scale, as pgjdbc 42.7 reads its eleven bits
            made.scale &= 0x7FF
    elif oid == _BIT:
        _bits(made, modifier)
    elif oid == _MONEY:
        made.read = _money
    elif oid == _UUID:
        made.read = str
    elif oid in (_TIMESTAMPTZ, _TIMETZ):
        made.instant = True
    return made


def _bits(column: ResultColumn, length: int) -> None:
    """Type a bit(n): a boolean for one bit, up to eight the number that its digits show, its text's bytes for more."""
    if length <= 1:
        column.type, column.read = SqlType.BOOLEAN, _bit
    elif length <= 8:
        column.read = _digits
    else:
        column.type, column.read = SqlType.BYTES, str.encode


def _bit(value: str) -> bool:
    if value not in {"0", "1"}:
        raise DataError(f'Cannot cast to boolean: "{value}"')
    return value == "1"


def _digits(value: str) -> int:
    number = int(value)
    if number > 127:
        raise DataError(f"Bad value for type byte : {value}")
    return number


def _money(value: str) -> float:
    negative = value.startswith(("-", "("))
    digits = "".join(char for char in value if char.isdigit() or char == ".")
    return float(decimal.Decimal(f"-{digits}" if negative else digits))


def _with_offset(text: str, minutes: int) -> str:
    sign = "-" if minutes < 0 else "+"
    return f"{text.replace('T', ' ')}{sign}{abs(minutes) // 60:02}:{abs(minutes) % 60:02}"
