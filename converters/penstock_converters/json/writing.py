"""Connect values to JSON trees: ``JsonConverter.convertToJson``, with all its checks and words.

This form is exact and general. `compiled` makes a fast one per schema out of it, which leaves everything unusual,
errors included, to this one.
"""

from __future__ import annotations

import datetime as dt
import math
from binascii import b2a_base64
from decimal import Decimal
from typing import Any, Final

import orjson

from penstock.data import (
    DECIMAL_NAME,
    BigInteger,
    FarDate,
    Float32,
    Int8,
    Int16,
    Int32,
    Schema,
    Struct,
    Type,
    java_class_name,
)
from penstock.data.javatext import millis_of
from penstock.data.logical import (
    DATE_NAME,
    MILLIS_PER_DAY,
    TIME_NAME,
    TIMESTAMP_NAME,
    beyond_python,
    decimal_scale,
    decimal_to_bytes,
    scale_of,
)
from penstock.errors import DataError
from penstock.java.number_text import decimal_text
from penstock.java.numbers import to_float32
from penstock_converters.json.text import double_json, float_json
from penstock_converters.precision import Precision

__all__ = ["Writer", "base64_text", "numeric_decimal"]


class _Misfit(Exception):
    """A value that cannot be written, and where it is; becomes a `DataError` at the top."""

    def __init__(self, message: str, *path: str) -> None:
        super().__init__(message)
        self.path = path


_SHORT_NAMES: Final = {DATE_NAME: "Date", TIME_NAME: "Time", TIMESTAMP_NAME: "Timestamp"}
#: Width, and the box a value of it may have where it travelled without a schema.
_INTEGERS: Final[dict[Type, tuple[int, type[int]]]] = {
    Type.INT8: (8, Int8),
    Type.INT16: (16, Int16),
    Type.INT32: (32, Int32),
    Type.INT64: (64, int),
}


class Writer:
    """Makes trees, as the converter is configured."""

    def __init__(
        self,
        numeric_decimals: bool,
        replace_null_with_default: bool,
        precision: Precision = Precision.MILLISECONDS,
    ) -> None:
        self.numeric_decimals = numeric_decimals
        self.replace_null_with_default = replace_null_with_default
        self.precision = precision

    def tree(self, schema: Schema | None, value: Any) -> Any:
        """`value` as what `penstock_converters.json.text.dumps` takes. A `DataError`, with a note naming the field,
        where it does not fit `schema`."""
        try:
            return self._any(schema, value)
        except _Misfit as misfit:
            error = DataError(str(misfit))
            if misfit.path:
                error.add_note(f"Field: {_dotted(misfit.path)}")
            raise error from None
        except RecursionError:
            raise DataError("The value is nested too deeply to be written as JSON") from None

    # Other converters to JSON override the methods that follow.

    def is_union(self, schema: Schema) -> bool:
        """Return True if a struct stands for the one field of it that is set."""
        return False

    def is_object(self, schema: Schema) -> bool:
        """Return True if a map becomes an object, False if it becomes an array of entries."""
        return schema.key_schema is not None and schema.key_schema.type is Type.STRING

    def entry(self, key: Any, value: Any) -> Any:
        """One entry of a map that is no object."""
        return [key, value]

    def _null(self, schema: Schema) -> Any:
        if schema.optional:
            return None
        raise _Misfit("Conversion error: null value for field that is required and has no default value")

    def _any(self, schema: Schema | None, value: Any) -> Any:
        if schema is None:
            return self._schemaless(value)
        if value is None:
            if schema.default is not None and self.replace_null_with_default:
                return self._any(schema, schema.default)
            return self._null(schema)
        if schema.name == TIMESTAMP_NAME and self.precision.is_finer:
            return self._finer(value)
        if schema.name in _SHORT_NAMES:
            return self._date(schema, value)
        if schema.name == DECIMAL_NAME:
            return self._decimal(schema, value)
        if schema.type in _INTEGERS:
            return self._integer(schema, value)
        if schema.type in (Type.ARRAY, Type.MAP, Type.STRUCT):
            return self._nested(schema, value)
        return self._scalar(schema, value)

    def _integer(self, schema: Schema, value: Any) -> int:
        bits, box = _INTEGERS[schema.type]
        kind = type(value)
        if kind is not int and kind is not box:
            raise _wrong_type(schema, value)
        low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1
        if not low <= value <= high:
            raise _Misfit(f"Value {value} does not fit schema type {schema.type.name}: expected {low} to {high}")
        return int(value)

    def _scalar(self, schema: Schema, value: Any) -> Any:
        kind = type(value)
        match schema.type:
            case Type.FLOAT32 if kind in (float, Float32):
                if math.isfinite(value) and math.isinf(to_float32(value)):
                    raise _Misfit(f"Value {value} does not fit schema type FLOAT32: it is beyond a 32-bit float")
                return float_json(value)
            case Type.FLOAT64 if kind is float:
                return double_json(value)
            case Type.BOOLEAN if kind is bool:
                return value
            case Type.STRING if isinstance(value, str):
                return str(value)
            case Type.BYTES if isinstance(value, bytes | bytearray | memoryview):
                return base64_text(value)
            case Type.BYTES:
                raise _Misfit(f"Invalid type for bytes type: class {java_class_name(value)}")
        raise _wrong_type(schema, value)

    def _decimal(self, schema: Schema, value: Any) -> Any:
        if not isinstance(value, Decimal):
            met = java_class_name(value, schema)
            raise _Misfit(f"Invalid type for Decimal, expected BigDecimal but was class {met}")
        try:
            if self.numeric_decimals:
                return numeric_decimal(value)
            return base64_text(decimal_to_bytes(value, decimal_scale(schema)))
        except DataError as error:
            raise _Misfit(error.message) from None

    def _date(self, schema: Schema, value: Any) -> int:
        assert schema.name is not None
        name = _SHORT_NAMES[schema.name]
        if beyond_python(schema.name, value):
            millis: int = value
        elif isinstance(value, dt.date | dt.time):
            try:
                millis = millis_of(value)
            except DataError as error:  # no timezone
                raise _Misfit(error.message) from None
        else:
            met = java_class_name(value, schema)
            raise _Misfit(f"Invalid type for {name}, expected Date but was class {met}")
        if name == "Date" and millis % MILLIS_PER_DAY:
            raise _Misfit("Kafka Connect Date type should not have any time fields set to non-zero values.")
        if name == "Time" and not 0 <= millis <= MILLIS_PER_DAY:
            raise _Misfit("Kafka Connect Time type should not have any date fields set to non-zero values.")
        if not -(2**63) <= millis < 2**63:
            raise _Misfit(f"{name} {millis} ms is beyond 64 bits")
        if name != "Date":
            return millis
        days = millis // MILLIS_PER_DAY
        if not -(2**31) <= days < 2**31:
            raise _Misfit(
                f"Date {millis} ms is {days} days from 1970-01-01: a Date holds {-(2**31)} to {2**31 - 1} days"
            )
        return days

    def _finer(self, value: Any) -> int:
        try:
            return self.precision.count(value)
        except DataError as error:
            raise _Misfit(error.message) from None

    def _nested(self, schema: Schema, value: Any) -> Any:
        if schema.type is Type.ARRAY:
            if not isinstance(value, list | tuple):
                raise _wrong_type(schema, value)
            return [self._value_at(f"[{i}]", schema.value_schema, item) for i, item in enumerate(value)]
        if not isinstance(value, dict) or (schema.type is Type.MAP and isinstance(value, Struct)):
            raise _wrong_type(schema, value)
        return self._struct(schema, value) if schema.type is Type.STRUCT else self._map(schema, value)

    def _struct(self, schema: Schema, value: dict[str, Any]) -> Any:
        if isinstance(value, Struct):
            if value.schema != schema:
                raise _Misfit("Mismatching schema.")
        else:
            for name in value:
                if schema.field(name) is None:
                    raise _Misfit(f"{name} is not a valid field name")
        get = dict.get
        if self.is_union(schema):
            return self._union(schema, value)
        return {f.name: self._value_at(f.name, f.schema, get(value, f.name)) for f in schema.fields}

    def _union(self, schema: Schema, value: dict[str, Any]) -> Any:
        for field in schema.fields:
            member = dict.get(value, field.name)
            if member is None:
                member = field.schema.default
            if member is not None:
                return self._value_at(field.name, field.schema, member)
        return self._null(schema)

    def _map(self, schema: Schema | None, value: dict[Any, Any]) -> Any:
        key_schema, item_schema = (schema.key_schema, schema.value_schema) if schema is not None else (None, None)
        pairs = [
            (self._value_at(f"[key {k!r}]", key_schema, k), self._value_at(f"[{k!r}]", item_schema, v)) for k, v in value.items()
        ]  # fmt: skip
        as_object = all(isinstance(k, str) for k in value) if schema is None else self.is_object(schema)
        if as_object and None in value and "null" in value:
            raise _Misfit('A map has both a null key and the key "null", which are one name in JSON')
        # An object's member has to have a name: a null key becomes the text, as in Kafka.
        return {"null" if k is None else k: v for k, v in pairs} if as_object else [self.entry(k, v) for k, v in pairs]

    def _value_at(self, place: str, schema: Schema | None, value: Any) -> Any:
        try:
            return self._any(schema, value)
        except _Misfit as misfit:
            misfit.path = (place, *misfit.path)
            raise

    def _schemaless(self, value: Any) -> Any:
        kind = type(value)
        if value is None or kind is str or kind is bool:
            return value
        if isinstance(value, int) and not isinstance(value, BigInteger | FarDate) and -(2**63) <= value < 2**63:
            return int(value)
        if isinstance(value, float):
            return float_json(value) if isinstance(value, Float32) else double_json(value)
        if isinstance(value, bytes | bytearray | memoryview):
            return base64_text(value)
        if isinstance(value, Struct):
            raise _Misfit("Mismatching schema.")
        if isinstance(value, dict):
            return self._map(None, value)
        if isinstance(value, list | tuple):
            return [self._value_at(f"[{i}]", None, item) for i, item in enumerate(value)]
        if isinstance(value, str):
            return str(value)
        raise _Misfit(f"Java class class {java_class_name(value)} does not have corresponding schema type.")


def _wrong_type(schema: Schema, value: Any) -> _Misfit:
    return _Misfit(f"Invalid type for {schema.type.name}: class {java_class_name(value)}")


def _dotted(path: tuple[str, ...]) -> str:
    text = ""
    for part in path:
        text += part if part[0] == "[" or not text else f".{part}"
    return text


def numeric_decimal(value: Decimal) -> Any:
    scale_of(value)  # refuses what is not a finite number
    return orjson.Fragment(decimal_text(value))


def base64_text(data: bytes | bytearray | memoryview) -> str:
    return b2a_base64(data, newline=False).decode("ascii")
