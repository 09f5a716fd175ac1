"""Defaults in Avro schemas to Connect values (``AvroData.defaultValueFromAvro``)."""

from __future__ import annotations

import math
import struct
from collections.abc import Callable
from typing import Any, Final

from penstock.data import DECIMAL_NAME, Float32, Schema, Type
from penstock.data.logical import (
    DATE_NAME,
    MILLIS_PER_DAY,
    TIME_NAME,
    TIMESTAMP_NAME,
    date_from_days,
    decimal_from_bytes,
    decimal_scale,
    time_from_millis,
)
from penstock.errors import DataError
from penstock_converters.avro.instants import precision_of
from penstock_converters.avro.names import AvroDataOptions
from penstock_converters.avro.unions import single, union_field_name
from penstock_converters.precision import Precision
from penstock_registry.formats.avro.canonical import java_json
from penstock_registry.formats.avro.model import AvroSchema

__all__ = ["Defaults", "is_no_default", "is_number", "object_text"]


class Defaults:
    """JSON of a default to a Connect value (``defaultValueFromAvro``).

    An Avro field's own default has to be of the field's type. With `lenient`, for what stands in ``connect.default``, a
    number or a boolean is taken for the text it prints as, and the texts true and false or 1 and 0 for booleans. The JVM
    goes on where that ends: a text is the number 0, what is too wide wraps. Such defaults, which nobody wrote, are errors.
    """

    def __init__(self, options: AvroDataOptions, lenient: bool) -> None:
        self._options = options
        self._lenient = lenient

    def value(self, schema: Schema, avro: AvroSchema, value: Any) -> Any:
        """Raises `DataError`, `TypeError` and the like for what is no such value."""
        if value is None:
            return None
        match avro.type:
            case "union":
                return self._union(schema, avro, value)
            case "bytes" | "fixed":
                raw = value.encode("latin-1")
                return decimal_from_bytes(raw, decimal_scale(schema)) if schema.name == DECIMAL_NAME else raw
            case "int" | "long":
                return self._moment(schema, avro, self._whole(schema, avro.type, value))
            case "float":
                return float(_as_float32(self._number(value)))
            case "double":
                return float(self._number(value))
            case "array":
                return self._array(schema, avro, value)
            case "map":
                assert avro.values is not None
                assert schema.value_schema is not None
                return {k: self.value(schema.value_schema, avro.values, v) for k, v in value.items()}
            case "record" | "error":
                return self._record(schema, avro, value)
            case "boolean":
                return self._boolean(value)
        return self._text(value)

    def _number(self, value: Any) -> int | float:
        if is_number(value):
            if isinstance(value, int) and not -(2**63) <= value < 2**63:
                raise ValueError("more than 64 bits")
            return value  # type: ignore[no-any-return]  # an int or a float
        if isinstance(value, str) and value in _ODD_NUMBERS:
            return _ODD_NUMBERS[value]
        raise TypeError("not a number")

    def _whole(self, schema: Schema, kind: str, value: Any) -> int:
        number = self._number(value)
        if not isinstance(number, int):
            raise TypeError("not a whole number")
        bits = {Type.INT8: 8, Type.INT16: 16}.get(schema.type, 32 if kind == "int" else 64)
        if not -(1 << bits - 1) <= number < 1 << bits - 1:
            raise ValueError(f"more than {bits} bits")
        return number

    def _boolean(self, value: Any) -> bool:
        if isinstance(value, bool):
            return value
        if self._lenient and not isinstance(value, float | list | dict) and value in _BOOLEANS:
            return _BOOLEANS[value]
        raise TypeError("not a boolean")

    def _text(self, value: Any) -> str:
        if isinstance(value, str):
            return value
        if self._lenient and not isinstance(value, list | dict):
            return java_json(value)
        raise TypeError("not a text")

    def _moment(self, schema: Schema, avro: AvroSchema, number: int) -> Any:
        if schema.name == DATE_NAME:
            return _or_millis(date_from_days, number, MILLIS_PER_DAY)
        if schema.name == TIME_NAME:
            return number if number == MILLIS_PER_DAY else time_from_millis(number)
        if schema.name == TIMESTAMP_NAME:
            precision = precision_of(avro, self._options.precision) or Precision.MILLISECONDS
            return precision.instant(number) if precision.is_finer else _or_millis(precision.instant, number, 1)
        return number

    def _union(self, schema: Schema, avro: AvroSchema, value: Any) -> Any:
        inner = single(avro, self._options)
        first = avro.types[0]
        if first.type == "null":
            return None
        if inner is not None:
            return self.value(schema, inner, value)
        if first.type in ("record", "error", "enum"):
            raise DataError("Did not find matching union field for data")  # nor does Confluent's converter
        name = union_field_name(first, 0, self._options)
        field = schema.field(name)
        assert field is not None
        return {name: self.value(field.schema, first, value)}

    def _array(self, schema: Schema, avro: AvroSchema, value: Any) -> Any:
        assert avro.items is not None
        assert schema.value_schema is not None
        if not isinstance(value, list):
            raise DataError("Invalid JSON for array default value")
        if schema.type is Type.MAP and value:
            raise DataError("a map whose keys are no plain strings has no default in Avro")  # as with Confluent's
        if schema.type is Type.MAP:
            return {}
        return [self.value(schema.value_schema, avro.items, item) for item in value]

    def _record(self, schema: Schema, avro: AvroSchema, value: Any) -> Any:
        if not isinstance(value, dict):
            raise DataError("Invalid JSON for record default value")
        result = {}
        for member in avro.fields:
            field = schema.field(member.name)
            assert field is not None
            given = value.get(member.name, member.default if member.has_default else None)
            result[member.name] = self.value(field.schema, member.schema, given)
        return result


_BOOLEANS: Final[dict[Any, bool]] = {"true": True, "false": False, 1: True, 0: False}
#: The texts that a float's default may be in JSON, besides a number.
_ODD_NUMBERS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def is_no_default(avro: AvroSchema, default: Any) -> bool:
    """Return True if a field's default is of a kind that Avro's Java library ignores for this type."""
    if avro.type == "union":
        return bool(avro.types) and is_no_default(avro.types[0], default)
    match default:
        case bool() | None:
            return False
        case int():
            return avro.type not in ("int", "long", "float", "double")
        case float():
            return avro.type not in ("float", "double")
        case str():
            odd = default in _ODD_NUMBERS and avro.type in ("float", "double")
            return not odd and avro.type not in ("string", "enum", "bytes", "fixed")
        case list():
            return avro.type != "array"
    return False


def _or_millis(make: Callable[[int], Any], number: int, millis: int) -> Any:
    try:
        return make(number)
    except DataError:
        return number * millis  # beyond Python's years, as the reader has it


def object_text(value: Any) -> str:
    """``Object.toString`` of what Avro makes of a property's JSON."""
    if isinstance(value, dict):
        return f"{{{', '.join(f'{k}={object_text(v)}' for k, v in value.items())}}}"
    if isinstance(value, list):
        return f"[{', '.join(map(object_text, value))}]"
    return value if isinstance(value, str) else java_json(value)


def is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _as_float32(value: Any) -> Float32:

    return Float32(struct.unpack("<f", struct.pack("<f", float(value)))[0])
