"""Rows into a table: one way for each kind of database, the fastest that its driver has."""

from penstock_connectors.jdbc.sink.writing.choice import row_writer
from penstock_connectors.jdbc.sink.writing.row_writer import RowWriter

__all__ = ["RowWriter", "row_writer"]
