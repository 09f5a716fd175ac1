"""The Avro schema language."""

from penstock_registry.formats.avro.format import AvroFormat, AvroParsedSchema
from penstock_registry.formats.avro.model import AvroField, AvroSchema
from penstock_registry.formats.avro.parser import parse

__all__ = ["AvroField", "AvroFormat", "AvroParsedSchema", "AvroSchema", "parse"]
