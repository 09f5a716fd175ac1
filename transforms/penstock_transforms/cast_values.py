"""Casts of one value for ``Cast``: every pair of types it knows, with Java's results."""

from __future__ import annotations

import base64
import struct
from collections.abc import Callable
from typing import Any, Final

from penstock.data import (
    DATE_NAME,
    DECIMAL_NAME,
    TIME_NAME,
    TIMESTAMP_NAME,
    BigInteger,
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
from penstock.data.logical import MILLIS_PER_DAY, date_to_days, time_to_millis, timestamp_to_millis
from penstock.errors import ConfigError, DataError
from penstock.java.number_text import decimal_text, double_text, float_text
from penstock.java.numbers import decimal_to_int, double_to_int, parse_double, parse_float32, parse_int, to_float32
from penstock_transforms.date_format import DateFormat

__all__ = ["CastsByType", "Convert", "caster", "caster_without_schema", "check_target", "parse_boolean"]

Convert = Callable[[Any], Any]

_BITS: Final = {Type.INT8: 8, Type.INT16: 16, Type.INT32: 32, Type.INT64: 64}
_FLOAT: Final = struct.Struct("=f")
_pack_float, _unpack_float = _FLOAT.pack, _FLOAT.unpack
_MIN_LONG: Final = -(2**63)
_MAX_LONG: Final = 2**63 - 1
_TARGETS: Final = (*_BITS, Type.FLOAT32, Type.FLOAT64, Type.BOOLEAN, Type.STRING)
_SOURCES: Final = (*_TARGETS, Type.BYTES)
_TIME_TEXT: Final = DateFormat("HH:mm:ss.SSS'Z'")
_DATE_TEXT: Final = DateFormat("yyyy-MM-dd")
_TIMESTAMP_TEXT: Final = DateFormat("yyyy-MM-dd'T'HH:mm:ss.SSS'Z'")


def check_target(target: Type) -> Type:
    if target not in _TARGETS:
        raise ConfigError(f"Cast transformation does not support casting to {target.name}; {_supported(_TARGETS)}")
    return target


def _check_source(source: Type) -> None:
    if source not in _SOURCES:
        raise DataError(f"Cast transformation does not support casting from {source.name}; {_supported(_SOURCES)}")


def _supported(types: tuple[Type, ...]) -> str:
    return f"supported types are [{', '.join(t.name for t in types)}]"


def caster(schema: Schema, target: Type) -> Convert | None:
    """A function from a value of `schema` (not None) to one of `target`; None where the value stays as it is.

    Raises a `DataError` for a type that cannot be cast.
    """
    _check_source(schema.type)
    # Only on its own base type is a logical name one: a Timestamp cast to text keeps the name, but holds text.
    if schema.name == DECIMAL_NAME and schema.type is Type.BYTES:
        return _from_decimal(target)
    base, encode = _ENCODERS.get(schema.name or "", (None, _same))
    if schema.type is base:
        return _temporal_to_text if target is Type.STRING else _after(encode, _plain(Type.INT64, target))
    if schema.type in _BITS and target in _BITS and _BITS[schema.type] <= _BITS[target]:
        return None
    if schema.type is target:
        return None
    return _plain(schema.type, target)


class CastsByType(dict[type, Convert]):
    """Value's type to the function that makes a boxed `target` of such a value, found when one is first met."""

    def __init__(self, target: Type) -> None:
        super().__init__()
        self._target = target

    def __missing__(self, kind: type) -> Convert:
        source = _TYPE_OF.get(kind)
        if source is None:
            return _type_of  # which raises: the message names the value's class
        _check_source(source)
        box = _BOXES.get(self._target)
        found = _narrow_boxed if (kind, box) == (float, Float32) else _composed(_plain(source, self._target), box)
        if kind is int:
            found = _within_long(found)
        self[kind] = found
        return found


def caster_without_schema(target: Type) -> Convert:
    """A function from any value (not None) to `target`, boxed as Java would; the value's own type decides."""
    casts = CastsByType(target)
    return lambda value: casts[type(value)](value)


def _within_long(convert: Convert) -> Convert:
    def cast(value: int) -> Any:
        if not _MIN_LONG <= value <= _MAX_LONG:
            _type_of(BigInteger(value))  # raises: a number of that size is a BigInteger
        return convert(value)

    return cast


_BOXES: Final[dict[Type, Convert]] = {
    Type.INT8: Int8, Type.INT16: Int16, Type.INT32: Int32, Type.FLOAT32: Float32,
}  # fmt: skip
_TYPE_OF: Final[dict[type, Type]] = {
    Int8: Type.INT8, Int16: Type.INT16, Int32: Type.INT32, int: Type.INT64, Float32: Type.FLOAT32,
    float: Type.FLOAT64, bool: Type.BOOLEAN, str: Type.STRING, bytes: Type.BYTES, bytearray: Type.BYTES,
    memoryview: Type.BYTES, list: Type.ARRAY, tuple: Type.ARRAY, dict: Type.MAP, Struct: Type.STRUCT,
}  # fmt: skip


def _type_of(value: Any) -> Type:
    kind = _TYPE_OF.get(type(value))
    if kind is None:
        raise DataError(
            f"Cast transformation was passed a value of type class {java_class_name(value)} which is not supported by Connect's data API"
        )
    _check_source(kind)
    return kind


def _composed(convert: Convert, box: Convert | None) -> Convert:
    if box is None:
        return convert
    return box if convert is _same else _after(convert, box)


def _after(first: Convert, then: Convert) -> Convert:
    return lambda value: then(first(value))


def _plain(source: Type, target: Type) -> Convert:
    """From a primitive value, whatever its schema's name."""
    if source is Type.BYTES:
        return _base64 if target is Type.STRING else _refuse
    if source is target:
        return _same
    if source is Type.STRING:
        return _parsing(target)
    if target is Type.BOOLEAN:
        return _truth_of_float if source in (Type.FLOAT32, Type.FLOAT64) else bool
    if target is Type.STRING:
        return _TEXTS.get(source, str)
    if target is Type.FLOAT64:
        return float
    if target is Type.FLOAT32:
        return _narrow if source is Type.FLOAT64 else to_float32
    bits = _BITS[target]
    if source in (Type.FLOAT32, Type.FLOAT64):
        return lambda value: double_to_int(value, bits)
    if _BITS.get(source, 1) <= bits:
        return int
    half, mask = 1 << (bits - 1), (1 << bits) - 1
    return lambda value: ((value + half) & mask) - half


def _same(value: Any) -> Any:
    return value


def _narrow(value: float) -> float:
    """``(float) value`` of a double; only what is too large for a float needs the general way."""
    try:
        return _unpack_float(_pack_float(value))[0]  # type: ignore[no-any-return]  # struct does not say what it unpacks
    except OverflowError:
        return to_float32(value)


def _narrow_boxed(value: float) -> Float32:
    try:
        return Float32(_unpack_float(_pack_float(value))[0])
    except OverflowError:
        return Float32(to_float32(value))


def _base64(value: Any) -> str:
    return base64.b64encode(value).decode("ascii")


def _refuse(value: Any) -> Any:
    raise DataError(f"Unexpected type in Cast transformation: class {java_class_name(value)}")


def _truth_of_float(value: float) -> bool:
    # By way of long, as Number.longValue() != 0: fractions below one are false.
    return double_to_int(value, 64) != 0


def _boolean_to_text(value: bool) -> str:
    return "true" if value else "false"


_TEXTS: Final[dict[Type, Convert]] = {
    Type.BOOLEAN: _boolean_to_text, Type.FLOAT32: float_text, Type.FLOAT64: double_text,
}  # fmt: skip


def parse_boolean(text: Any) -> bool:
    """Return ``Boolean.parseBoolean``: true for "true" in any case, else false."""
    return isinstance(text, str) and text.lower() == "true"


def _parsing(target: Type) -> Convert:
    if target is Type.BOOLEAN:
        return parse_boolean
    parse: Convert
    if target is Type.FLOAT32:
        parse = parse_float32
    elif target is Type.FLOAT64:
        parse = parse_double
    else:
        bits = _BITS[target]

        def parse(text: str) -> int:
            return parse_int(text, bits)

    def convert(text: str) -> Any:
        try:
            return parse(text)
        except ValueError as error:
            raise DataError(f"Value ({text}) was out of range for requested data type") from error

    return convert


def _from_decimal(target: Type) -> Convert:
    if target is Type.STRING:
        return decimal_text
    if target is Type.BOOLEAN:
        return lambda value: decimal_to_int(value, 64) != 0
    if target is Type.FLOAT32:
        return to_float32
    if target is Type.FLOAT64:
        return float
    bits = _BITS[target]
    return lambda value: decimal_to_int(value, bits)


# A moment that Python's types cannot hold travels as a number of milliseconds.


def _encode_date(value: Any) -> int:
    return value // MILLIS_PER_DAY if isinstance(value, int) else date_to_days(value)


def _encode_time(value: Any) -> int:
    return value if isinstance(value, int) else time_to_millis(value)


def _encode_timestamp(value: Any) -> int:
    return value if isinstance(value, int) else timestamp_to_millis(value)


_ENCODERS: Final[dict[str, tuple[Type, Convert]]] = {
    DATE_NAME: (Type.INT32, _encode_date),
    TIME_NAME: (Type.INT32, _encode_time),
    TIMESTAMP_NAME: (Type.INT64, _encode_timestamp),
}


def _temporal_to_text(value: Any) -> str:
    """``Values.dateFormatFor``: a moment before 1970-01-02 is shown as a time, midnight as a date."""
    millis = int(value) if isinstance(value, int) else millis_of(value)
    if millis < MILLIS_PER_DAY:
        return _TIME_TEXT.format(millis)
    if millis % MILLIS_PER_DAY == 0:
        return _DATE_TEXT.format(millis)
    return _TIMESTAMP_TEXT.format(millis)
