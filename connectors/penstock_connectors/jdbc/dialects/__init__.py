"""Dialects: the ways of one kind of database each."""

from __future__ import annotations

from penstock_connectors.jdbc.dialects.choice import DIALECT_NAMES, dialect_for
from penstock_connectors.jdbc.dialects.dialect import Dialect

__all__ = ["DIALECT_NAMES", "Dialect", "dialect_for"]
