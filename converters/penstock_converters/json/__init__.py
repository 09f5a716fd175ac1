"""JSON, with the schema beside the payload or without any: ``org.apache.kafka.connect.json``."""

from penstock_converters.json.converter import JsonConverter

__all__ = ["JsonConverter"]
