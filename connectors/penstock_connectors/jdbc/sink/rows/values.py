"""One field's value as a database's driver takes it, for each kind of database.

A `Conversion` turns a value that is not null; None stands for one that is right as it is. The rules are those of
``GenericDatabaseDialect.bindField`` together with the JVM's drivers.
"""

from __future__ import annotations

import base64
import datetime as dt
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import orjson

from penstock.data import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME, Float32, Schema, Type
from penstock.errors import ConnectError
from penstock.java.number_text import decimal_text
from penstock_connectors.jdbc.sink.config import SinkConfig
from penstock_connectors.jdbc.sink.moments import Moments
from penstock_connectors.jdbc.sink.schemaless import ANYTHING
from penstock_connectors.jdbc.tables import Column

__all__ = ["Conversion", "GenericValues", "PostgreSqlValues", "SqliteValues", "Untyped", "Values", "values_for"]

Conversion = Callable[[Any], Any]


class Untyped(str):
    """A text whose type PostgreSQL takes from its place, as it does with pgjdbc's dates."""

    __slots__ = ()


class Values:
    """Chooses conversions; subclasses say what moments, numbers and arrays become."""

    def __init__(self, config: SinkConfig) -> None:
        self._config = config
        self._moments = Moments(config)

    def conversion(self, schema: Schema, name: str, column: Column | None) -> Conversion | None:
        """Return what field `name` needs before it goes into `column`, which is None if the table has none of that name."""
        if schema.name == ANYTHING:
            return self.anything(column)
        logical = self._logical().get(schema.name or "")
        if logical is not None:
            return logical
        if schema.name == DECIMAL_NAME:
            return self.decimal()
        if schema.type in (Type.INT64, Type.STRING) and name in self._config.timestamp_fields:
            return self._moments.counted(self._logical()[TIMESTAMP_NAME])
        if not schema.type.is_primitive:
            return self.nested(schema, column)
        return self.plain(schema, column)

    def _logical(self) -> dict[str, Conversion]:
        moments = self._moments
        return {DATE_NAME: moments.date_value, TIME_NAME: moments.time_value, TIMESTAMP_NAME: moments.timestamp_value}

    def anything(self, column: Column | None) -> Conversion:
        """Return the conversion of a JSON value, whose type `column` says."""
        return lambda value: str(_json_text(value)) if isinstance(value, dict | list) else value

    def decimal(self) -> Conversion | None:
        """Return the conversion of a Decimal."""
        return None

    def plain(self, schema: Schema, column: Column | None) -> Conversion | None:
        """Return the conversion of a primitive type."""
        return None

    def nested(self, schema: Schema, column: Column | None) -> Conversion:
        """Return the conversion of a struct, a map or an array."""

        def refuse(_: Any) -> Any:
            raise ConnectError(f"Unsupported source data type: {schema.type.name}")

        return refuse


class GenericValues(Values):
    """For drivers that take Python's own types; NaN and the like are the driver's to refuse."""


class SqliteValues(Values):
    """SQLite's five types: moments are milliseconds, decimals texts that NUMERIC columns turn into numbers."""

    def _logical(self) -> dict[str, Conversion]:
        moments = self._moments
        return {
            DATE_NAME: moments.date_millis,
            TIME_NAME: moments.time_millis,
            TIMESTAMP_NAME: moments.timestamp_millis,
        }

    def decimal(self) -> Conversion | None:
        return _decimal_text


class PostgreSqlValues(Values):
    """psycopg, with types as pgjdbc gives them: texts are varchar, moments have no type, arrays are texts without type."""

    def _logical(self) -> dict[str, Conversion]:
        moments = self._moments
        return {
            DATE_NAME: lambda value: Untyped(moments.date_text(value)),
            TIME_NAME: lambda value: Untyped(moments.time_text(value)),
            TIMESTAMP_NAME: lambda value: Untyped(moments.timestamp_text(value)),
        }

    def anything(self, column: Column | None) -> Conversion:
        kind = "" if column is None else column.type_name
        if kind in ("json", "jsonb"):
            return _json_text
        array = kind.endswith("[]")

        def convert(value: Any) -> Any:
            if isinstance(value, list) and array:
                return Untyped(_array_text(value, _any_item))
            if isinstance(value, dict | list):
                return _json_text(value)
            return Untyped(value) if isinstance(value, str) else value

        return convert

    def printable(self) -> frozenset[str]:
        """Return the logical types whose values, in Python's own types, print as the server reads them."""
        return self._moments.printable

    def plain(self, schema: Schema, column: Column | None) -> Conversion | None:
        if schema.type is Type.FLOAT32 and (column is None or column.type_name not in ("real", "double precision")):
            return Float32  # the digits of the short form
        return None

    def nested(self, schema: Schema, column: Column | None) -> Conversion:
        if column is not None and column.type_name in ("json", "jsonb"):
            return _json_text
        if schema.type is Type.ARRAY and schema.value_schema is not None and _has_items(schema.value_schema):
            item = self._item(schema.value_schema)
            return lambda value: Untyped(_array_text(value, item))
        return super().nested(schema, column)

    def _item(self, schema: Schema) -> Callable[[Any], str]:
        conversion = self.conversion(schema, "", None)
        if schema.type is Type.ARRAY:
            return lambda value: str(conversion(value)) if conversion else str(value)
        if schema.type is Type.BOOLEAN:
            return lambda value: "t" if value else "f"
        if schema.type is Type.BYTES and schema.name != DECIMAL_NAME:
            return lambda value: f'"\\\\x{bytes(value).hex()}"'
        if schema.type is Type.STRING or schema.name in (DATE_NAME, TIME_NAME, TIMESTAMP_NAME):
            return lambda value: _quoted(str(value if conversion is None else conversion(value)))
        return _number_text


def _has_items(schema: Schema) -> bool:
    if schema.type is Type.ARRAY:
        return schema.value_schema is not None and _has_items(schema.value_schema)
    return schema.type.is_primitive


def _array_text(values: Any, item: Callable[[Any], str]) -> str:
    return "{" + ",".join(["NULL" if value is None else item(value) for value in values]) + "}"


def _any_item(value: Any) -> str:
    if isinstance(value, bool):
        return "t" if value else "f"
    return _array_text(value, _any_item) if isinstance(value, list) else _quoted(str(value))


def _quoted(text: str) -> str:
    return '"' + text.replace("\\", "\\\\").replace('"', '\\"') + '"'


def _number_text(value: Any) -> str:
    return (
        decimal_text(value)
        if isinstance(value, Decimal)
        else repr(float(value))
        if isinstance(value, float)
        else str(value)
    )


def _decimal_text(value: Any) -> str:
    return decimal_text(value) if isinstance(value, Decimal) else str(value)


def _json_text(value: Any) -> Untyped:
    return Untyped(orjson.dumps(value, _json_default, orjson.OPT_NON_STR_KEYS | orjson.OPT_UTC_Z).decode())


def _json_default(value: Any) -> Any:
    if isinstance(value, Decimal):
        return orjson.Fragment(decimal_text(value))
    if isinstance(value, bytes | bytearray | memoryview):
        return base64.b64encode(value).decode("ascii")
    if isinstance(value, float):
        return float(value)
    if isinstance(value, dt.datetime):
        return value.isoformat()
    raise TypeError(f"no JSON form for {type(value).__name__}")


_KINDS: Final = {"PostgreSqlDatabaseDialect": PostgreSqlValues, "SqliteDatabaseDialect": SqliteValues}


def values_for(dialect: str, config: SinkConfig) -> Values:
    """Return the conversions for the dialect of that name."""
    return _KINDS.get(dialect, GenericValues)(config)
