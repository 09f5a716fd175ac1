"""``org.apache.kafka.connect.storage.SimpleHeaderConverter``: header values as text that says its own type."""

from __future__ import annotations

from typing import Any, ClassVar

from penstock import KAFKA_VERSION
from penstock.api import HeaderConverter
from penstock.data import Schema, SchemaAndValue
from penstock.data.conversion import convert_to_string
from penstock.data.parsing import parse_string
from penstock.java.text import to_utf8
from penstock_converters.simple.charset import decode_utf8

__all__ = ["SimpleHeaderConverter"]

_NULL = SchemaAndValue(None, None)


class SimpleHeaderConverter(HeaderConverter):
    """Writes a value's text; reads text back as the narrowest type it looks like."""

    version: ClassVar[str] = KAFKA_VERSION

    def from_connect_header(self, topic: str, key: str, schema: Schema | None, value: Any) -> bytes | None:
        text = convert_to_string(schema, value)
        return None if text is None else to_utf8(text)

    def to_connect_header(self, topic: str, key: str, data: bytes | None) -> SchemaAndValue:
        return _NULL if data is None else parse_string(decode_utf8(data))
