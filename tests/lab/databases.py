"""One way to ask SQLite, PostgreSQL and MariaDB what is in their tables, for tests that run on all three."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

from lab.database_server import DatabaseServer

__all__ = ["TestDatabase"]


class TestDatabase:
    """A database of one test's own."""

    __test__ = False

    def __init__(self, kind: str, server: DatabaseServer | None, name: str) -> None:
        """`name` is the database's, or the path of SQLite's file."""
        self.kind, self._server, self._name = kind, server, name

    @property
    def settings(self) -> dict[str, str]:
        """Return a connector's ``connection.*`` settings."""
        if self._server is None:
            return {"connection.url": f"jdbc:sqlite:{self._name}"}
        return self._server.settings(self._name)

    def execute(self, *statements: str) -> None:
        """Run statements, each committed."""
        if self._server is not None:
            self._server.execute(*statements, database=self._name)
            return
        with closing(sqlite3.connect(self._name, timeout=20)) as connection:
            for statement in statements:
                connection.execute(statement)
                connection.commit()

    def query(self, statement: str) -> list[tuple[Any, ...]]:
        """Return a query's rows; none if its table is not there."""
        try:
            if self._server is not None:
                return self._server.query(statement, self._name)
            with closing(sqlite3.connect(self._name, timeout=20)) as connection:
                return connection.execute(statement).fetchall()
        except Exception as error:
            if any(text in str(error) for text in ("no such table", "does not exist", "doesn't exist")):
                return []
            raise

    def remove(self) -> None:
        """Remove SQLite's file; a server drops its databases itself."""
        if self._server is None:
            Path(self._name).unlink(missing_ok=True)
