"""The statements of the sink, for each kind of database: what makes and changes tables, and what writes rows."""

from penstock_connectors.jdbc.sink.statements.choice import statements_for
from penstock_connectors.jdbc.sink.statements.statements import Statements, UnsupportedError

__all__ = ["Statements", "UnsupportedError", "statements_for"]
