"""The plan of a connector: the statements that would make or change a table for records of given schemas."""

from __future__ import annotations

import json

from penstock.data import Schema
from penstock.errors import ConfigError
from penstock_connectors.files.declared import declared_schema
from penstock_connectors.jdbc.connection import DatabaseConnection
from penstock_connectors.jdbc.dialects import Dialect
from penstock_connectors.jdbc.sink.config import SinkConfig
from penstock_connectors.jdbc.sink.fields import FieldsMetadata
from penstock_connectors.jdbc.sink.naming import TableNames
from penstock_connectors.jdbc.sink.statements import statements_for
from penstock_connectors.jdbc.sink.structure import DatabaseStructure

__all__ = ["planned_statements"]


def planned_statements(
    config: SinkConfig, dialect: Dialect, connection: DatabaseConnection, topics: list[str]
) -> list[str]:
    """Return the statements for the table of each of `topics`, as the tables are now; changes nothing.

    Raise `ConfigError` for a schema that cannot be read, `ConnectError` where the connector would fail, and the driver's errors.
    """
    statements = statements_for(dialect, config)
    structure = DatabaseStructure(dialect, statements, config)
    names = TableNames(dialect, config)
    key, value = (_schema(config, side) for side in ("key", "value"))
    planned: list[str] = []
    for topic in topics:
        table = names.table(topic, connection)
        planned += structure.plan(connection, table, FieldsMetadata.extract(table.name, config, key, value))
    return list(dict.fromkeys(planned))


def _schema(config: SinkConfig, side: str) -> Schema | None:
    setting = f"plan.{side}.schema"
    text = config.parsed[setting]
    if not text:
        return None
    try:
        simple = json.loads(text).get("type") not in ("struct", "array", "map")
    except (ValueError, AttributeError):
        raise ConfigError(setting, text, "Expected a schema as JsonConverter writes it") from None
    if not simple:
        return declared_schema(text, f"The setting '{setting}'")
    wrapped = json.dumps({"type": "struct", "fields": [{**json.loads(text), "field": "f"}]})
    return declared_schema(wrapped, f"The setting '{setting}'").fields[0].schema
