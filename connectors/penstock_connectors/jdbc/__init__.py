"""The JDBC source and sink: tables of a database to topics, and topics to tables.

Class names, settings, topics, tables and offsets are those of Confluent's ``kafka-connect-jdbc`` 10.9.7. A database is
reached through SQLAlchemy's dialects and Python's own drivers. Nothing of either is imported before a connector is used.
"""

from __future__ import annotations

from typing import Final

__all__ = ["JDBC_VERSION"]

#: The release of ``kafka-connect-jdbc`` whose behaviour the connectors follow.
JDBC_VERSION: Final = "10.9.7"
