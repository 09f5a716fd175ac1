"""Errors of databases and drivers, sorted by what can be done about them.

`classify` looks at the SQLSTATE where the driver gives one, at the driver's own codes where it does not. `SqlError` carries
the outcome together with the driver's text.
"""

from __future__ import annotations

import enum
import sqlite3
from typing import Any, Final

from penstock.credentials import without_credentials
from penstock.errors import ConnectError

__all__ = ["ErrorKind", "SqlError", "classify", "driver_text", "is_driver_error", "sql_error", "sql_state"]


class ErrorKind(enum.Enum):
    """The remedy that an error of the database calls for."""

    #: The connection is gone or could not be made: a new one may do.
    CONNECTION = "connection"
    #: The same statement may succeed later: a deadlock, a lock, a full disk, a server that is busy.
    RETRIABLE = "retriable"
    #: The values are at fault: a constraint, a type, a length. Other records may go through.
    RECORD = "record"
    #: The statement, the table or the rights are at fault; trying again does not help.
    FATAL = "fatal"


class SqlError(ConnectError):
    """An error of the database or its driver."""

    java_class = "java.sql.SQLException"

    def __init__(self, message: str, kind: ErrorKind = ErrorKind.FATAL, state: str | None = None) -> None:
        super().__init__(message)
        self.kind = kind
        #: The SQLSTATE; None if the driver gives none.
        self.state = state


#: SQLSTATE class or whole state → kind; the longest that fits counts.
_STATES: Final = {
    "08": ErrorKind.CONNECTION, "57P01": ErrorKind.CONNECTION, "57P02": ErrorKind.CONNECTION, "57P03": ErrorKind.CONNECTION,
    "57P05": ErrorKind.CONNECTION, "25P03": ErrorKind.CONNECTION,
    "40": ErrorKind.RETRIABLE, "53": ErrorKind.RETRIABLE, "55006": ErrorKind.RETRIABLE, "55P03": ErrorKind.RETRIABLE,
    "57014": ErrorKind.RETRIABLE, "58": ErrorKind.RETRIABLE, "72000": ErrorKind.RETRIABLE, "25006": ErrorKind.RETRIABLE,
    "21": ErrorKind.RECORD, "22": ErrorKind.RECORD, "23": ErrorKind.RECORD, "44": ErrorKind.RECORD, "428C9": ErrorKind.RECORD,
    "54000": ErrorKind.RECORD, "P0001": ErrorKind.RECORD,
}  # fmt: skip

#: MySQL's own codes; PyMySQL does not hand over the SQLSTATE.
_MYSQL: Final = {
    **dict.fromkeys((1040, 1053, 1152, 1153, 1158, 1159, 1160, 1161, 1184, 1203, 1226, 1927, 2002, 2003, 2005, 2006, 2012, 2013, 2026, 2027, 2055, 4031), ErrorKind.CONNECTION),
    **dict.fromkeys((1020, 1021, 1037, 1038, 1041, 1114, 1205, 1206, 1213, 1290, 1317, 1412, 1613, 1614, 1637, 1836, 3024, 3572), ErrorKind.RETRIABLE),
    **dict.fromkeys((1022, 1048, 1062, 1138, 1169, 1171, 1216, 1217, 1242, 1263, 1264, 1265, 1292, 1300, 1364, 1365, 1366, 1406, 1411, 1425, 1441, 1451, 1452, 1525, 1557, 1586, 1644, 1690, 1761, 1762, 3140, 3819, 4025), ErrorKind.RECORD),
}  # fmt: skip
#: The SQLSTATEs of MySQL's codes that people look for; others get the general one.
_MYSQL_STATES: Final = {
    1022: "23000", 1048: "23000", 1062: "23000", 1169: "23000", 1216: "23000", 1217: "23000", 1451: "23000", 1452: "23000", 1557: "23000",
    1761: "23000", 1762: "23000", 4025: "23000", 3819: "HY000", 1064: "42000", 1146: "42S02", 1054: "42S22", 1044: "42000", 1045: "28000", 1049: "42000",
    1142: "42000", 1050: "42S01", 1060: "42S21", 1205: "HY000", 1213: "40001", 1264: "22003", 1292: "22007", 1406: "22001", 1365: "22012", 1690: "22003",
    1040: "08004", 1053: "08S01", 2002: "08S01", 2003: "08S01", 2006: "08S01", 2013: "08S01",
}  # fmt: skip

_SQLITE: Final = {
    sqlite3.SQLITE_BUSY: ErrorKind.RETRIABLE, sqlite3.SQLITE_LOCKED: ErrorKind.RETRIABLE,
    sqlite3.SQLITE_FULL: ErrorKind.RETRIABLE, sqlite3.SQLITE_IOERR: ErrorKind.RETRIABLE,
    sqlite3.SQLITE_NOMEM: ErrorKind.RETRIABLE, sqlite3.SQLITE_PROTOCOL: ErrorKind.RETRIABLE,
    sqlite3.SQLITE_SCHEMA: ErrorKind.RETRIABLE, sqlite3.SQLITE_INTERRUPT: ErrorKind.RETRIABLE,
    sqlite3.SQLITE_CANTOPEN: ErrorKind.CONNECTION,
    sqlite3.SQLITE_CONSTRAINT: ErrorKind.RECORD, sqlite3.SQLITE_MISMATCH: ErrorKind.RECORD,
    sqlite3.SQLITE_TOOBIG: ErrorKind.RECORD, sqlite3.SQLITE_RANGE: ErrorKind.RECORD,
}  # fmt: skip


def sql_state(error: BaseException) -> str | None:
    """Return the SQLSTATE of a driver's error, None if the driver gives none."""
    state = getattr(error, "sqlstate", None)
    if isinstance(state, str):
        return state
    code = _code(error)
    if _module(error) == "pymysql":
        return _MYSQL_STATES.get(code, "HY000") if isinstance(code, int) else None
    # pyodbc puts the state first.
    if isinstance(code, str) and len(code) == 5 and code.isalnum():
        return code
    return None


def classify(error: BaseException) -> ErrorKind:
    """Return what the driver's `error` calls for. `SqlError` keeps the kind that it has."""
    if isinstance(error, SqlError):
        return error.kind
    if isinstance(error, sqlite3.Error):
        code = getattr(error, "sqlite_errorcode", None)
        if code is None:
            return ErrorKind.RECORD if isinstance(error, sqlite3.DataError) else ErrorKind.FATAL
        return _SQLITE.get(code & 0xFF, ErrorKind.FATAL)
    if _module(error) == "pymysql":
        return _mysql_kind(error)
    state = sql_state(error)
    if state is not None:
        return _STATES.get(state) or _STATES.get(state[:2], ErrorKind.FATAL)
    return _kind_of_class(error)


def _mysql_kind(error: BaseException) -> ErrorKind:
    code = _code(error)
    if isinstance(code, int) and code in _MYSQL:
        return _MYSQL[code]
    names = _class_names(error)
    if "InterfaceError" in names or code == 0:  # PyMySQL's word for a closed connection
        return ErrorKind.CONNECTION
    return ErrorKind.RECORD if names & {"DataError", "IntegrityError"} else ErrorKind.FATAL


def _kind_of_class(error: BaseException) -> ErrorKind:
    """Return the kind by the DB-API's own classes (PEP 249), which every driver has."""
    names = _class_names(error)
    if isinstance(error, OSError):
        return ErrorKind.CONNECTION
    if names & {"DataError", "IntegrityError"}:
        return ErrorKind.RECORD
    # Without a state an operational error is one of the client's: the server is not there any more.
    if names & {"OperationalError", "InterfaceError"}:
        return ErrorKind.CONNECTION
    return ErrorKind.FATAL


def is_driver_error(error: BaseException) -> bool:
    """Return whether `error` comes from a database or its driver, and not from penstock."""
    return isinstance(error, SqlError | OSError) or bool(
        _class_names(error) & {"DatabaseError", "InterfaceError"} and not isinstance(error, ConnectError)
    )


def driver_text(error: BaseException) -> str:
    """Return what the driver says, in one text, without credentials."""
    if isinstance(error, ConnectError):
        return error.message
    code = _code(error)
    if _module(error) == "pymysql" and len(error.args) > 1:
        return without_credentials(f"({code}) {error.args[1]}")
    return without_credentials(str(error).strip() or type(error).__name__)


def sql_error(error: BaseException, doing: str = "") -> SqlError:
    """Return `error` as a `SqlError`, which says what was being done if `doing` is given. Chain it: ``raise ... from error``."""
    if isinstance(error, SqlError) and not doing:
        return error
    text = driver_text(error)
    return SqlError(f"{doing}: {text}" if doing else text, classify(error), sql_state(error))


def _code(error: BaseException) -> Any:
    return error.args[0] if error.args else None


def _module(error: BaseException) -> str:
    return type(error).__module__.partition(".")[0]


def _class_names(error: BaseException) -> set[str]:
    return {kind.__name__ for kind in type(error).__mro__}
