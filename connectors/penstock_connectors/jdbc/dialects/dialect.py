"""`Dialect`: how one kind of database connects, quotes, lists its tables and describes its columns.

The base does everything by SQLAlchemy, so it serves any database that SQLAlchemy knows. Subclasses ask the catalog
themselves, which is faster and says more.
"""

from __future__ import annotations

import logging
from collections.abc import Collection, Sequence
from typing import Any, ClassVar, Final

from penstock.credentials import without_credentials
from penstock.errors import ConnectError
from penstock.java.regex import JavaPattern, compile_regex
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.tables import Column, Quoting, TableId, split_identifier
from penstock_connectors.jdbc.urls import DatabaseUrl

__all__ = ["PARAMETER", "Dialect", "like_pattern", "not_taken"]

log = logging.getLogger(__name__)

#: Stands for a parameter in statements that are made for every driver; `Dialect.statement` fills in the driver's own.
PARAMETER: Final = "\0?\0"

#: Seconds that a connection may take to be made (the JVM connector's login timeout).
_CONNECT_SECONDS: Final = 40
_MISSING: Final = (
    "the database driver is not installed: {error}. Install penstock[{extra}], or the package that {drivername} needs"
)


class Dialect:
    """One database's ways. Holds the settings of a connector, no connection. Safe from any thread."""

    #: The value of ``dialect.name``.
    name: ClassVar[str] = "GenericDatabaseDialect"
    quote: ClassVar[tuple[str, str]] = ('"', '"')
    #: Whether a name of two parts is catalog.table, as in MySQL, and not schema.table.
    uses_catalog: ClassVar[bool] = False
    #: A query that shows whether the server answers.
    ping: ClassVar[str] = "SELECT 1"
    #: The extra of penstock that installs the driver.
    extra: ClassVar[str] = "sql"
    #: How much of a table's name counts; None for no limit.
    max_identifier: ClassVar[int | None] = None

    def __init__(self, target: DatabaseUrl, quote_always: bool = True) -> None:
        self.target = target
        self.quoting = Quoting(*self.quote, always=quote_always)
        self._sqlalchemy: Any = None
        if target.ignored:
            log.warning(
                "These connection parameters tune a Java driver and have no effect: %s", ", ".join(target.ignored)
            )

    # --- connecting

    def connect(self) -> DatabaseConnection:
        """Open a connection that is in a transaction from its first statement on. Raises the driver's errors as they
        are, and `ConnectError` where the driver is missing."""
        dialect = self.sqlalchemy
        arguments, keywords = dialect.create_connect_args(self.target.sqlalchemy_url())
        try:
            raw = self.open(dialect, arguments, {**self.connect_defaults(), **keywords, **self.target.connect_args})
        except (TypeError, ValueError, OverflowError) as error:
            raise not_taken(error) from error
        connection = DatabaseConnection(raw, self)
        try:
            for statement in [*self.session_statements(), *self.target.statements]:
                connection.execute(statement)
            raw.commit()
        except BaseException:
            connection.close()
            raise
        return connection

    def open(self, dialect: Any, arguments: Sequence[Any], keywords: dict[str, Any]) -> Any:
        """Return the driver's connection."""
        return dialect.connect(*arguments, **keywords)

    def connect_defaults(self) -> dict[str, Any]:
        """Return arguments for the driver's ``connect`` that the settings may overrule: time limits above all."""
        return {}

    def session_statements(self) -> list[str]:
        """Return statements to run on each new connection."""
        return []

    def abandoned_after(self, seconds: int) -> list[str]:
        """Return statements after which the server ends this connection's transaction if nothing comes for so long; none if
        it cannot. A limit that the settings or the server have already stays."""
        return []

    @property
    def sqlalchemy(self) -> Any:
        """Return SQLAlchemy's dialect, with the driver imported."""
        if self._sqlalchemy is None:
            try:
                import sqlalchemy  # noqa: F401 - only to tell its absence from the driver's
                from sqlalchemy.exc import NoSuchModuleError
            except ImportError as error:
                raise ConnectError(f"SQLAlchemy is not installed: {error}. Install penstock[{self.extra}]") from error
            url = self.target.sqlalchemy_url()
            try:
                kind = url.get_dialect()
                self._sqlalchemy = kind(dbapi=kind.import_dbapi())
            except (ImportError, NoSuchModuleError) as error:
                raise ConnectError(
                    _MISSING.format(error=error, extra=self.extra, drivername=self.target.drivername)
                ) from error
        return self._sqlalchemy

    # --- statements

    def statement(self, text: str) -> str:
        """Return `text` as the driver takes it when it is given parameters: `PARAMETER` becomes the driver's
        placeholder, and ``%`` is doubled where placeholders begin with it."""
        style = self.sqlalchemy.paramstyle
        if style in {"format", "pyformat"}:
            return text.replace("%", "%%").replace(PARAMETER, "%s")
        if style == "qmark":
            return text.replace(PARAMETER, "?")
        parts = text.split(PARAMETER)
        return parts[0] + "".join(f":{i}{part}" for i, part in enumerate(parts[1:], 1))

    # --- names

    def parse_table(self, text: str) -> TableId:
        """Return the table that a name with or without quotes means: ``t``, ``s.t``, ``"c"."s"."t"``."""
        parts = split_identifier(text, *self.quote)
        if len(parts) > 3:
            raise ConnectError(f"The table name {text} has {len(parts)} parts; expected at most catalog.schema.table")
        if len(parts) == 3:
            return TableId(*parts)
        if len(parts) == 2:
            return TableId(parts[0], None, parts[1]) if self.uses_catalog else TableId(None, *parts)
        return TableId(None, None, parts[0])

    def table_sql(self, table: TableId) -> str:
        """Return the table's name for a statement."""
        return self.quoting.table(table)

    # --- the catalog

    def tables(
        self,
        connection: DatabaseConnection,
        catalog: str | None,
        schema: str | None,
        types: Collection[str],
    ) -> list[TableId]:
        """Return the tables of the given `types` (``TABLE``, ``VIEW``, ...), in the order of type, schema and name.

        `catalog` and `schema` are LIKE patterns, None for all but the database's own.
        """
        wanted = {kind.upper() for kind in types}
        found: list[TableId] = []
        inspector = self._inspector(connection)
        pattern = None if schema is None else like_pattern(schema)
        for name in inspector.get_schema_names():
            if name.lower() in {"information_schema", "sys"} or (pattern and not pattern.fullmatch(name)):
                continue
            if "TABLE" in wanted:
                found += [TableId(None, name, table) for table in sorted(inspector.get_table_names(name))]
            if "VIEW" in wanted:
                found += [TableId(None, name, table) for table in sorted(inspector.get_view_names(name))]
        return found

    def table_type(self, connection: DatabaseConnection, table: TableId) -> str | None:
        """Return the type of `table` as ``table.types`` has it; None if there is no such table."""
        inspector = self._inspector(connection)
        if table.name in inspector.get_view_names(table.schema):
            return "VIEW"
        return "TABLE" if inspector.has_table(table.name, schema=table.schema) else None

    def current(self, connection: DatabaseConnection) -> tuple[str | None, str | None]:
        """Return catalog and schema that names without either are looked up in."""
        return None, self._inspector(connection).default_schema_name

    def columns(self, connection: DatabaseConnection, table: TableId) -> list[Column]:
        """Return the columns of `table` in their order; empty if there is no such table."""
        from sqlalchemy.exc import NoSuchTableError

        inspector = self._inspector(connection)
        try:
            described = inspector.get_columns(table.name, schema=table.schema)
        except NoSuchTableError:
            return []
        key = list(inspector.get_pk_constraint(table.name, schema=table.schema).get("constrained_columns") or ())
        return [
            Column(
                column["name"], str(column["type"]), column.get("nullable"),
                key.index(column["name"]) + 1 if column["name"] in key else 0,
                column.get("autoincrement") is True or "identity" in column, column.get("default"),
            )
            for column in described
        ]  # fmt: skip

    def _inspector(self, connection: DatabaseConnection) -> Any:
        """Return SQLAlchemy's inspector on the driver's connection, which stays ours."""
        from sqlalchemy import create_engine, inspect
        from sqlalchemy.pool import StaticPool

        engine = create_engine(self.target.sqlalchemy_url(), poolclass=StaticPool, creator=lambda: connection.raw)
        return inspect(engine)


def not_taken(error: Exception) -> ConnectError:
    """Return the error for a driver that does not take its arguments: a parameter that it does not know, a NUL in a name."""
    text = without_credentials(str(error))
    return ConnectError(f"The database's driver does not take the settings of the connection: {text}")


def like_pattern(pattern: str) -> JavaPattern:
    r"""Return the regular expression of a LIKE pattern: ``%``, ``_``, and ``\`` before either for itself."""
    out, escaped = "", False
    for char in pattern:
        if escaped:
            out, escaped = out + _literal(char), False
        elif char == "\\":
            escaped = True
        else:
            out += ".*" if char == "%" else "." if char == "_" else _literal(char)
    return compile_regex(f"(?s){out}")


def _literal(char: str) -> str:
    return char if char.isalnum() else f"\\x{{{ord(char):x}}}"
