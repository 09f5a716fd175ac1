"""The sink's errors, in the words of the JVM's connector and its drivers."""

from __future__ import annotations

import re
import sqlite3
from typing import Any, Final

from penstock.errors import ConnectError
from penstock_connectors.jdbc.sql_errors import ErrorKind, SqlError, classify, driver_text, sql_state

__all__ = ["TableAlterOrCreateError", "UnfitRecordError", "chained", "java_text"]


class TableAlterOrCreateError(ConnectError):
    """A table or a column is missing and may not or cannot be made. The database was not at fault."""

    java_class = "io.confluent.connect.jdbc.sink.TableAlterOrCreateException"


class UnfitRecordError(ConnectError):
    """A record does not fit the settings, or holds a value that no column can hold. `error` says it in the words of the
    JVM's connector."""

    def __init__(self, error: ConnectError) -> None:
        super().__init__(error.message)
        self.error = error


def chained(error: BaseException, trim: bool) -> SqlError:
    """Return the driver's `error` as the one that is reported; with `trim` it holds none of the driver's text, in which rows'
    values may stand."""
    text = _trimmed(error) if trim else java_text(error)
    return SqlError(f"Exception chain:\n{text}\n", classify(error), sql_state(error))


def java_text(error: BaseException) -> str:
    """Return class and message that the JVM's driver has for `error`, as far as it is known."""
    diagnosis = getattr(error, "diag", None)
    if diagnosis is not None:
        return f"org.postgresql.util.PSQLException: {_postgresql_text(error, diagnosis)}"
    if isinstance(error, sqlite3.Error):
        return f"org.sqlite.SQLiteException: {_sqlite_text(error)}"
    if isinstance(error, SqlError):
        return f"java.sql.SQLException: {error.message}"
    return f"java.sql.{_java_class(error)}: {driver_text(error)}"


def _trimmed(error: BaseException) -> str:
    kind = java_text(error).partition(":")[0]
    state = sql_state(error)
    shown = state if state and re.fullmatch(r"[A-Za-z0-9]{5}", state) else "null"
    return f"{kind}: <redacted> [class={kind}; SQLState={shown}; errorCode=0]"


def _postgresql_text(error: BaseException, diagnosis: Any) -> str:
    if not diagnosis.message_primary:
        return driver_text(error)
    parts = [f"{diagnosis.severity}: {diagnosis.message_primary}"]
    for label, text in (
        ("Detail", diagnosis.message_detail),
        ("Hint", diagnosis.message_hint),
        ("Position", diagnosis.statement_position),
        ("Where", diagnosis.context),
    ):
        if text:
            parts.append(f"  {label}: {text}")
    return "\n".join(parts)


#: sqlite-jdbc's words for SQLite's codes.
_SQLITE: Final = {
    "SQLITE_ERROR": "SQL error or missing database", "SQLITE_BUSY": "The database file is locked",
    "SQLITE_LOCKED": "A table in the database is locked", "SQLITE_READONLY": "Attempt to write a readonly database",
    "SQLITE_IOERR": "Some kind of disk I/O error occurred", "SQLITE_CORRUPT": "The database disk image is malformed",
    "SQLITE_FULL": "Insertion failed because database is full", "SQLITE_CANTOPEN": "Unable to open the database file",
    "SQLITE_NOTADB": "File opened that is not a database file", "SQLITE_MISMATCH": "Data type mismatch",
    "SQLITE_CONSTRAINT": "Abort due to constraint violation", "SQLITE_CONSTRAINT_CHECK": "A CHECK constraint failed",
    "SQLITE_CONSTRAINT_FOREIGNKEY": "A foreign key constraint failed", "SQLITE_CONSTRAINT_NOTNULL": "A NOT NULL constraint failed",
    "SQLITE_CONSTRAINT_PRIMARYKEY": "A PRIMARY KEY constraint failed", "SQLITE_CONSTRAINT_TRIGGER": "A RAISE function within a trigger fired, causing the SQL statement to abort",
    "SQLITE_CONSTRAINT_UNIQUE": "A UNIQUE constraint failed", "SQLITE_CONSTRAINT_ROWID": "A rowid is not unique",
}  # fmt: skip


def _sqlite_text(error: sqlite3.Error) -> str:
    name = getattr(error, "sqlite_errorname", None)
    if name is None:
        return driver_text(error)
    words = _SQLITE.get(name) or _SQLITE.get("_".join(name.split("_")[:2]), "Error")
    return f"[{name}] {words} ({driver_text(error)})"


def _java_class(error: BaseException) -> str:
    if classify(error) is ErrorKind.CONNECTION:
        return "SQLNonTransientConnectionException"
    return "SQLIntegrityConstraintViolationException" if type(error).__name__ == "IntegrityError" else "SQLException"
