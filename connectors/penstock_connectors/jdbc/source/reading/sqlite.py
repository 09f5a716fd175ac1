"""SQLite: types by the declared type and the first row's value, as sqlite-jdbc finds them."""

from __future__ import annotations

import datetime as dt
import decimal
import itertools
import logging
import re
import sqlite3
import time
from collections.abc import Callable, Sequence
from typing import Any, Final

from penstock.errors import DataError
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.source.columns import ResultColumn, SqlType
from penstock_connectors.jdbc.source.moments import micros_of_naive
from penstock_connectors.jdbc.source.reading.reader import CursorStream, Reader, RowStream
from penstock_connectors.jdbc.tables import TableId

__all__ = ["SqliteReader"]

log = logging.getLogger(__name__)

_PRECISION: Final = re.compile(r"\(\s*(\d{1,5})\s*(?:,\s*(\d{1,5})\s*)?\)")
_DAY: Final = 86_400_000
#: The Julian day of 1970-01-01 00:00.
_JULIAN_EPOCH: Final = decimal.Decimal("2440587.5")
_INTEGERS: Final = {
    "BOOLEAN": SqlType.BOOLEAN, "TINYINT": SqlType.TINYINT, "SMALLINT": SqlType.SMALLINT, "INT2": SqlType.SMALLINT,
    "BIGINT": SqlType.BIGINT, "INT8": SqlType.BIGINT, "UNSIGNED BIG INT": SqlType.BIGINT, "DATE": SqlType.DATE,
    "DATETIME": SqlType.DATE, "TIMESTAMP": SqlType.TIMESTAMP,
}  # fmt: skip
_FLOATS: Final = {
    "DECIMAL": SqlType.NUMERIC, "DOUBLE": SqlType.DOUBLE, "DOUBLE PRECISION": SqlType.DOUBLE, "NUMERIC": SqlType.NUMERIC,
    "REAL": SqlType.REAL,
}  # fmt: skip
_TEXTS: Final = {"DATE": SqlType.DATE, "DATETIME": SqlType.DATE, "TIMESTAMP": SqlType.TIMESTAMP}
_TEXT_NAMES: Final = frozenset(
    ("CHARACTER", "NCHAR", "NATIVE CHARACTER", "CHAR", "CLOB", "VARCHAR", "VARYING CHARACTER", "NVARCHAR", "TEXT")
)
#: Declared types that sqlite-jdbc takes for signed ones; the others' integers become the next larger type.
_SIGNED: Final = frozenset(("NUMERIC", "INTEGER", "REAL"))
_SIZES: Final = {(SqlType.TINYINT, True): 8, (SqlType.TINYINT, False): 16, (SqlType.SMALLINT, True): 16,
                 (SqlType.SMALLINT, False): 32, (SqlType.INTEGER, True): 32, (SqlType.INTEGER, False): 64, (SqlType.BIGINT, True): 64, (SqlType.BIGINT, False): 64}  # fmt: skip


class SqliteReader(Reader):
    def open(
        self,
        connection: DatabaseConnection,
        statement: str,
        parameters: Sequence[Any],
        rows: int,
        table: TableId | None,
    ) -> RowStream:
        # One transaction from the first row to the last, so that the query can be run again in the middle.
        if not connection.raw.in_transaction:
            connection.raw.execute("BEGIN")
        cursor = connection.raw.execute(statement, list(parameters))
        return _SqliteStream(cursor, rows, connection, statement, parameters, table)

    def now(self, connection: DatabaseConnection) -> int:
        # The database is this process: its time is ours.
        return time.time_ns() // 1_000_000 * 1000

    def timestamp_parameter(self, micros: int, instant: bool = False) -> Any:
        # sqlite-jdbc binds a timestamp as milliseconds, so a column must hold these to be compared.
        return micros // 1000

    def isolation_statement(self, level: str) -> str:
        return f"PRAGMA read_uncommitted = {'true' if level == 'READ UNCOMMITTED' else 'false'}"

    def check(self, connection: DatabaseConnection, query: str) -> None:
        connection.query(f"EXPLAIN {query}")


class _SqliteStream(CursorStream):
    def __init__(
        self,
        cursor: Any,
        rows: int,
        connection: DatabaseConnection,
        statement: str,
        parameters: Sequence[Any],
        table: TableId | None,
    ) -> None:
        super().__init__(cursor, rows)
        self._connection, self._statement, self._parameters, self._table = connection, statement, parameters, table
        self._count = 0

    def fetch(self) -> list[tuple[Any, ...]]:
        try:
            rows = super().fetch()
        except sqlite3.OperationalError as error:
            if not str(error).startswith("Could not decode to UTF-8"):
                raise
            self._begin_again(error)
            rows = super().fetch()
        self._count += len(rows)
        return rows

    def _begin_again(self, error: sqlite3.Error) -> None:
        """Go back to where the query stood, and read texts as sqlite-jdbc does. The module's own way is faster, and ends a
        query at the first text that is not UTF-8."""
        name = "the query" if self._table is None else f"table {self._table}"
        # The error ends with the text itself, which the log need not hold.
        log.warning(
            "Bytes in %s that are not UTF-8 are read as U+FFFD: %s", name, str(error).partition(" with text")[0]
        )
        raw = self._connection.raw
        raw.text_factory = _lenient
        self.cursor.close()
        self.cursor = raw.execute(self._statement, list(self._parameters))
        for _ in itertools.islice(self.cursor, self._count):
            pass

    def columns(self, rows: Sequence[tuple[Any, ...]]) -> list[ResultColumn]:
        declared = self._declared()
        first = rows[0]
        return [
            _column(description[0], *declared.get(description[0], ("", True)), first[place])
            for place, description in enumerate(self.cursor.description)
        ]

    def _declared(self) -> dict[str, tuple[str, bool]]:
        """Return declared type and nullability of each column of the result."""
        if self._table is not None:
            columns = self._connection.dialect.columns(self._connection, self._table)
            return {column.name: (column.type_name, column.nullable is not False) for column in columns}
        return _declared_of_query(self._connection, self._statement, self._parameters)


def _declared_of_query(
    connection: DatabaseConnection, statement: str, parameters: Sequence[Any]
) -> dict[str, tuple[str, bool]]:
    """Return the same for a query: a temporary view of it tells the declared types. A column is required if the only
    column of that name and type that the query reads is."""
    raw = connection.raw
    read: set[tuple[str, str]] = set()

    def note(action: int, table: str | None, column: str | None, database: str | None, source: str | None) -> int:
        if action == 20 and table and column:  # SQLITE_READ
            read.add((table, column))
        return 0

    # A view takes no parameters; any value will do in the places of the last question marks.
    parts = statement.rsplit("?", len(parameters))
    text = parts[0] + "".join(f"0{part}" for part in parts[1:])
    try:
        raw.execute(f"CREATE TEMP VIEW penstock_types AS {text}")
        try:
            types = {row[1]: row[2] for row in raw.execute("PRAGMA temp.table_info(penstock_types)")}
        finally:
            raw.execute("DROP VIEW temp.penstock_types")
        raw.set_authorizer(note)
        try:
            raw.execute(f"SELECT * FROM ({text}) LIMIT 0")
        finally:
            raw.set_authorizer(None)
    except sqlite3.Error:
        return {}  # a query that cannot be a view: its columns have the types of their values
    required = set()
    for name, type_name in types.items():
        owners = [found for table, column in read if column == name for found in _columns_of(connection, table, name)]
        if owners == [(type_name, False)]:
            required.add(name)
    return {name: (type_name, name not in required) for name, type_name in types.items()}


def _columns_of(connection: DatabaseConnection, table: str, name: str) -> list[tuple[str, bool]]:
    columns = connection.dialect.columns(connection, TableId(None, None, table))
    return [(column.type_name, column.nullable is not False) for column in columns if column.name == name]


def _column(name: str, declared: str, optional: bool, value: Any) -> ResultColumn:
    type_name = declared.partition("(")[0].strip().upper() or _value_type(value)
    kind = _kind(type_name, value)
    found = _PRECISION.search(declared)
    made = ResultColumn(name, kind, optional, signed=type_name in _SIGNED, type_name=declared or type_name)
    if found:
        made.precision, made.scale = int(found[1]), int(found[2] or 0)
    if kind is SqlType.NUMERIC and made.precision is None:
        # A number of any size and fraction: sqlite-jdbc fails here, a double holds what SQLite does.
        made.type, kind = SqlType.DOUBLE, SqlType.DOUBLE
    size = _SIZES.get((kind, made.signed))
    if size is not None:
        made.read = _integer(name, made.type_name, size)
        made.native, made.bits = int, size
    else:
        made.read = _READ.get(kind)
        made.native = _NATIVE.get(kind)
    return made


def _value_type(value: Any) -> str:
    if value is None:
        return "NUMERIC"
    return {int: "INTEGER", float: "FLOAT", bytes: "BLOB"}.get(type(value), "TEXT")


def _kind(name: str, value: Any) -> SqlType:
    """Return the type of a column as ``JDBC3ResultSet.getColumnType`` finds it, by name and the value's storage class."""
    empty = value is None
    if empty or type(value) is int:
        if name in _INTEGERS:
            return _INTEGERS[name]
        if not empty or name in {"INT", "INTEGER", "MEDIUMINT"}:
            return SqlType.INTEGER if empty or -(2**31) <= value < 2**31 else SqlType.BIGINT
    if empty or type(value) is float:
        if name in _FLOATS:
            return _FLOATS[name]
        if not empty or name == "FLOAT":
            return SqlType.DOUBLE
    if empty or type(value) is str:
        if name in _TEXTS:
            return _TEXTS[name]
        if not empty or name in _TEXT_NAMES:
            return SqlType.STRING
    if not empty or name in {"BINARY", "BLOB"}:
        return SqlType.BYTES
    return SqlType.NUMERIC


# SQLite lets any column hold any value, so each reader takes them all.


def _integer(name: str, type_name: str, bits: int) -> Callable[[Any], int]:
    low, high = -(2 ** (bits - 1)), 2 ** (bits - 1)

    def read(value: Any) -> int:
        if type(value) is not int:
            value = _number(value)
        if not low <= value < high:
            raise DataError(
                f"The value {value} of column {name} does not fit into the int{bits} of its type {type_name}; declare it BIGINT, or select CAST(... AS ...) AS {name} in a query"
            )
        return int(value)

    return read


def _number(value: Any) -> int:
    """Return the integer that SQLite takes `value` for: the number that a text begins with, a fraction cut off."""
    if isinstance(value, float):
        return int(value)
    text = value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)
    found = re.match(r"\s{0,100}([+-]?\d{1,30})", text)
    return int(found[1]) if found else 0


def _boolean(value: Any) -> bool:
    return _number(value) != 0


def _double(value: Any) -> float:
    if isinstance(value, int | float):
        return float(value)
    found = re.match(r"\s{0,100}[+-]?(\d{1,40}(\.\d{0,40})?|\.\d{1,40})([eE][+-]?\d{1,4})?", str(value))
    return float(found[0]) if found else 0.0


def _decimal(value: Any) -> decimal.Decimal:
    try:
        return decimal.Decimal(str(value))
    except decimal.InvalidOperation:
        raise DataError(f"The value {value!r} of a NUMERIC column is not a number") from None


def _lenient(data: bytes) -> str:
    return data.decode("utf-8", "replace")


def _text(value: Any) -> str:
    return value.decode("utf-8", "replace") if isinstance(value, bytes) else str(value)


def _bytes(value: Any) -> bytes:
    return value if isinstance(value, bytes) else str(value).encode()


def _timestamp(value: Any) -> Any:
    """Return a point in time: of a text on the wall clock (a `datetime`), of milliseconds or a Julian day an aware one."""
    if isinstance(value, str):
        return _parsed(value)
    millis = value if isinstance(value, int) else _millis_of_julian(value)
    try:
        return dt.datetime(1970, 1, 1, tzinfo=dt.UTC) + dt.timedelta(milliseconds=millis)
    except OverflowError:
        raise DataError(f"The timestamp {value} lies outside the years 1 to 9999") from None


def _millis_of_julian(value: Any) -> int:
    return int((decimal.Decimal(repr(value)) - _JULIAN_EPOCH) * _DAY)


def _date(value: Any) -> dt.date:
    if isinstance(value, str):
        moment = _parsed(value)
        millis = micros_of_naive(moment) // 1000
    else:
        millis = value if isinstance(value, int) else _millis_of_julian(value)
    day, rest = divmod(millis, _DAY)
    if rest:
        raise DataError("Kafka Connect Date type should not have any time fields set to non-zero values.")
    return dt.date.fromordinal(day + 719_163)


def _parsed(text: str) -> dt.datetime:
    try:
        moment = dt.datetime.fromisoformat(text.strip())
    except ValueError:
        raise DataError(f"Error parsing time stamp '{text}'; expected yyyy-MM-dd HH:mm:ss.SSS") from None
    return moment.replace(tzinfo=None) - (moment.utcoffset() or dt.timedelta())


_NATIVE: Final = {
    SqlType.BOOLEAN: int,
    SqlType.REAL: float,
    SqlType.DOUBLE: float,
    SqlType.STRING: str,
    SqlType.BYTES: bytes,
    SqlType.TIMESTAMP: int,
}
_READ: Final[dict[SqlType, Callable[[Any], Any]]] = {
    SqlType.BOOLEAN: _boolean, SqlType.REAL: _double, SqlType.DOUBLE: _double, SqlType.NUMERIC: _decimal,
    SqlType.STRING: _text, SqlType.BYTES: _bytes, SqlType.TIMESTAMP: _timestamp, SqlType.DATE: _date,
}  # fmt: skip
