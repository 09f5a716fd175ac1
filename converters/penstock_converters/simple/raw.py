"""``org.apache.kafka.connect.converters.ByteArrayConverter`` and ``BooleanConverter``."""

from __future__ import annotations

from typing import Any

from penstock.api import Deserializer, Serializer, of_one_schema
from penstock.data import OPTIONAL_BOOLEAN, OPTIONAL_BYTES, Schema, SchemaAndValue, Type, java_class_name
from penstock.errors import DataError, SerializationError
from penstock_converters.base import ConverterAndHeaderConverter

__all__ = ["BooleanConverter", "ByteArrayConverter"]


class ByteArrayConverter(ConverterAndHeaderConverter):
    """Bytes as they are."""

    def serializer(self, topic: str, schema: Schema | None) -> Serializer:
        if schema is not None and schema.type is not Type.BYTES:
            raise DataError(f"Invalid schema type for ByteArrayConverter: {schema.type.name}")

        def serialize(value: Any) -> bytes | None:
            if value is None or type(value) is bytes:
                return value
            if isinstance(value, bytes | bytearray | memoryview):
                return bytes(value)
            raise DataError(
                f"ByteArrayConverter is not compatible with objects of type class {java_class_name(value, schema)}"
            )

        return serialize

    def deserializer(self, topic: str) -> Deserializer:
        return of_one_schema(OPTIONAL_BYTES, None)


_TRUE, _FALSE = SchemaAndValue(OPTIONAL_BOOLEAN, True), SchemaAndValue(OPTIONAL_BOOLEAN, False)
_NULL = SchemaAndValue(OPTIONAL_BOOLEAN, None)


class BooleanConverter(ConverterAndHeaderConverter):
    """One byte: 1 for true, 0 for false."""

    def serializer(self, topic: str, schema: Schema | None) -> Serializer:
        if schema is not None and schema.type is not Type.BOOLEAN:
            raise DataError(f"Invalid schema type for BooleanConverter: {schema.type.name}")

        def serialize(value: Any) -> bytes | None:
            if value is True:
                return b"\x01"
            if value is False:
                return b"\x00"
            if value is None:
                return None
            raise DataError(
                f"BooleanConverter is not compatible with objects of type class {java_class_name(value, schema)}"
            )

        return serialize

    def deserializer(self, topic: str) -> Deserializer:
        def deserialize(data: bytes | None) -> SchemaAndValue:
            if data == b"\x01":
                return _TRUE
            if data == b"\x00":
                return _FALSE
            if data is None:
                return _NULL
            if len(data) == 1:
                cause = SerializationError(f"Unexpected byte received by BooleanDeserializer: {data[0]}")
            else:
                cause = SerializationError(
                    f"Size of data received by BooleanDeserializer is not 1: topic {topic}, {len(data)} bytes"
                )
            raise DataError("Failed to deserialize boolean: ") from cause

        return deserialize
