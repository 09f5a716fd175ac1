"""The JSON Schema language."""

from penstock_registry.formats.jsonschema.format import JsonParsedSchema, JsonSchemaFormat

__all__ = ["JsonParsedSchema", "JsonSchemaFormat"]
