"""Converters for a single primitive value: text, bytes, booleans, numbers, and header values as text."""

from penstock_converters.simple.header import SimpleHeaderConverter
from penstock_converters.simple.numbers import (
    DoubleConverter,
    FloatConverter,
    IntegerConverter,
    LongConverter,
    ShortConverter,
)
from penstock_converters.simple.raw import BooleanConverter, ByteArrayConverter
from penstock_converters.simple.text import StringConverter

__all__ = [
    "BooleanConverter",
    "ByteArrayConverter",
    "DoubleConverter",
    "FloatConverter",
    "IntegerConverter",
    "LongConverter",
    "ShortConverter",
    "SimpleHeaderConverter",
    "StringConverter",
]
