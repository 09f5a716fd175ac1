"""``org.apache.kafka.connect.converters.{Short,Integer,Long,Float,Double}Converter``: big-endian numbers."""

from __future__ import annotations

import math
import struct
from typing import Any, ClassVar

from penstock.api import Deserializer, Serializer, of_one_schema
from penstock.data import (
    OPTIONAL_FLOAT32,
    OPTIONAL_FLOAT64,
    OPTIONAL_INT16,
    OPTIONAL_INT32,
    OPTIONAL_INT64,
    Float32,
    Int16,
    Int32,
    Schema,
    Type,
    java_class_name,
)
from penstock.errors import DataError, SerializationError
from penstock_converters.base import ConverterAndHeaderConverter

__all__ = ["DoubleConverter", "FloatConverter", "IntegerConverter", "LongConverter", "ShortConverter"]


_NUMBERS = frozenset({Type.INT8, Type.INT16, Type.INT32, Type.INT64, Type.FLOAT32, Type.FLOAT64})


class NumberConverter(ConverterAndHeaderConverter):
    """A number of a fixed width; of no other, even where the value would fit. Without a schema a plain int or float
    has any width."""

    _word: ClassVar[str]
    _format: ClassVar[struct.Struct]
    _schema: ClassVar[Schema]
    #: Types a value may have; a plain int or float stands for any width.
    _types: ClassVar[frozenset[type]]

    def serializer(self, topic: str, schema: Schema | None) -> Serializer:
        pack, word = self._format.pack, self._word
        other_width = schema is not None and schema.type in _NUMBERS and schema.type is not self._schema.type
        types = frozenset() if other_width else self._types

        def serialize(value: Any) -> bytes | None:
            if value is None:
                return None
            if type(value) not in types:
                raise DataError(f"Failed to serialize to {word} (was class {java_class_name(value, schema)}): ")
            try:
                return pack(value)
            except struct.error:
                raise DataError(f"Failed to serialize to {word}: {value} is out of range") from None
            except OverflowError:  # a double beyond every float: Java's narrowing makes it infinite
                return pack(math.copysign(math.inf, value))

        return serialize

    def deserializer(self, topic: str) -> Deserializer:
        unpack, size, word, schema = self._format.unpack, self._format.size, self._word, self._schema

        def read(data: bytes) -> Any:
            if len(data) != size:
                cause = SerializationError(f"Size of data is not {size} ({word}): topic {topic}, {len(data)} bytes")
                raise DataError(f"Failed to deserialize {word}: ") from cause
            return unpack(data)[0]

        return of_one_schema(schema, read)


class ShortConverter(NumberConverter):
    _word = "short"
    _format = struct.Struct(">h")
    _schema = OPTIONAL_INT16
    _types = frozenset({int, Int16})


class IntegerConverter(NumberConverter):
    _word = "integer"
    _format = struct.Struct(">i")
    _schema = OPTIONAL_INT32
    _types = frozenset({int, Int32})


class LongConverter(NumberConverter):
    _word = "long"
    _format = struct.Struct(">q")
    _schema = OPTIONAL_INT64
    _types = frozenset({int})


class FloatConverter(NumberConverter):
    _word = "float"
    _format = struct.Struct(">f")
    _schema = OPTIONAL_FLOAT32
    _types = frozenset({float, Float32})


class DoubleConverter(NumberConverter):
    _word = "double"
    _format = struct.Struct(">d")
    _schema = OPTIONAL_FLOAT64
    _types = frozenset({float})
