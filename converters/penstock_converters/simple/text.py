"""``org.apache.kafka.connect.storage.StringConverter``."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from penstock.api import Deserializer, Serializer, of_one_schema
from penstock.config import ConfigDef, ConfigType, Importance, Width
from penstock.data import OPTIONAL_STRING, Schema, Type
from penstock.data.javatext import java_text
from penstock.data.struct_text import struct_printer
from penstock_converters.base import ConverterAndHeaderConverter, converter_config_def
from penstock_converters.simple.charset import charset

__all__ = ["StringConverter"]

ENCODING_CONFIG = "converter.encoding"


class StringConverter(ConverterAndHeaderConverter):
    """Any value as its text (Java's ``toString``), text as a string."""

    @classmethod
    def config_def(cls) -> ConfigDef:
        return converter_config_def().define(
            ENCODING_CONFIG,
            ConfigType.STRING,
            "UTF-8",
            importance=Importance.HIGH,
            width=Width.MEDIUM,
            display_name="Encoding",
            doc="The character set strings are written and read in, by its Java or Python name.",
        )

    def _configure(self, settings: Mapping[str, Any], is_key: bool) -> None:
        self._encode, self._decode = charset(settings[ENCODING_CONFIG])

    def serializer(self, topic: str, schema: Schema | None) -> Serializer:
        encode = self._encode

        def serialize(value: Any) -> bytes | None:
            if value is None:
                return None
            return encode(value if type(value) is str else java_text(value, schema))

        if schema is None or schema.type is not Type.STRUCT:
            return serialize
        text = struct_printer(schema, lambda member: lambda value: java_text(value, member))
        return lambda value: encode(text(value)) if type(value) is dict else serialize(value)

    def deserializer(self, topic: str) -> Deserializer:
        return of_one_schema(OPTIONAL_STRING, self._decode)
