"""The row writer of a dialect."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Final

from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.sink.config import SinkConfig
from penstock_connectors.jdbc.sink.statements import Statements
from penstock_connectors.jdbc.sink.writing.row_writer import RowWriter, Target

__all__ = ["row_writer"]

_PACKAGE: Final = "penstock_connectors.jdbc.sink.writing."
#: Imported when they are needed, since each imports its driver.
_KINDS: Final[Mapping[str, str]] = {"PostgreSqlDatabaseDialect": "postgresql:PostgreSqlRowWriter"}


def row_writer(dialect: Dialect, statements: Statements, config: SinkConfig, target: Target) -> RowWriter:
    """Return the writer of `target`. Raise `ConnectError` if ``insert.mode`` and the target do not go together."""
    place = _KINDS.get(dialect.name)
    kind: type[RowWriter] = RowWriter
    if place is not None:
        module, _, name = place.partition(":")
        kind = getattr(importlib.import_module(_PACKAGE + module), name)
    return kind(dialect, statements, config, target)
