"""Connect values to JSON (``JsonSchemaData.fromConnectData``): the JSON converter's writer, with what differs."""

from __future__ import annotations

from typing import Any

from penstock.data import Schema
from penstock.errors import DataError
from penstock_converters.json.writing import Writer
from penstock_converters.jsonschema import names
from penstock_converters.precision import Precision

__all__ = ["SchemaWriter"]


class SchemaWriter(Writer):
    """Unions are written as the field that is set, entries of maps as objects, a null as null."""

    def __init__(self, numeric_decimals: bool, precision: Precision = Precision.MILLISECONDS) -> None:
        super().__init__(numeric_decimals, replace_null_with_default=True, precision=precision)

    def is_union(self, schema: Schema) -> bool:
        return names.is_union(schema)

    def is_object(self, schema: Schema) -> bool:
        return names.is_object(schema)

    def entry(self, key: Any, value: Any) -> Any:
        return {names.KEY: key, names.VALUE: value}

    def _map(self, schema: Schema | None, value: dict[Any, Any]) -> Any:
        if None in value and schema is not None and self.is_object(schema):
            raise DataError("A key of a map is null, and the schema of its keys does not allow that")
        return super()._map(schema, value)

    def _null(self, schema: Schema) -> Any:
        return None  # for a required field too, as on the JVM
