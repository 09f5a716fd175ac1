"""Values without schema: Avro's record ``Anything``, which may hold any one kind of value in one of nine fields."""

from __future__ import annotations

import struct
from collections.abc import Callable
from typing import Any, Final

from penstock.data import (
    BigInteger,
    Float32,
    Int8,
    Int16,
    Int32,
    Struct,
    java_class_name,
)
from penstock.data.keys import as_key
from penstock.errors import DataError
from penstock_converters.avro.scalars import FieldProblem, bad, single_bytes, text_bytes
from penstock_converters.avro.varint import (
    TOO_SHORT,
    long_bytes,
    read_int,
    read_length,
    read_long,
)

__all__ = ["read_anything", "write_anything"]

Put = Callable[[bytes], None]


_NOTHING: Final = b"\x00" * 9
#: Position of each kind among Anything's fields.
_SLOT: Final = {
    "boolean": 0,
    "bytes": 1,
    "double": 2,
    "float": 3,
    "int": 4,
    "long": 5,
    "string": 6,
    "array": 7,
    "map": 8,
}


def write_anything(value: Any, put: Put) -> None:
    """A value without schema, as the one set field of the record ``Anything``."""
    if value is None:
        put(_NOTHING)
        return
    kind = type(value)
    if isinstance(value, Struct) or kind is BigInteger:
        raise _unknown(value)
    slot, data = _anything_scalar(value)
    if slot is not None:
        put(_NOTHING[: _SLOT[slot]] + b"\x02" + data + _NOTHING[_SLOT[slot] + 1 :])
        return
    slot = "map" if isinstance(value, dict) else "array" if isinstance(value, list | tuple) else None
    if slot is None:
        raise _unknown(value)
    put(_NOTHING[: _SLOT[slot]] + b"\x02")
    if value:
        put(long_bytes(len(value)))
        if slot == "array":
            for item in value:
                write_anything(item, put)
        else:
            for key, item in value.items():
                write_anything(key, put)
                write_anything(item, put)
    put(b"\x00" + _NOTHING[_SLOT[slot] + 1 :])


def _anything_scalar(value: Any) -> tuple[str | None, bytes]:
    kind = type(value)
    if kind is bool:
        return "boolean", b"\x01" if value else b"\x00"
    if kind in (Int8, Int16, Int32):
        return "int", long_bytes(value)
    if kind is int and -(2**63) <= value < 2**63:
        return "long", long_bytes(value)
    if kind is float:
        return "double", struct.pack("<d", value)
    if kind is Float32:
        return "float", single_bytes(value)
    if isinstance(value, str):
        return "string", text_bytes(value)
    return None, b""


def _unknown(value: Any) -> FieldProblem:
    return bad(DataError(f"Unknown Java type for schemaless data: class {java_class_name(value)}"))


def read_anything(data: bytes, position: int) -> tuple[Any, int]:
    """Return the one set field of a record ``Anything``, as the value it stands for."""
    result = None
    for read in _ANYTHING_FIELDS:
        branch = data[position]
        position += 1
        if branch == 0:
            continue
        if branch != 2:
            raise IndexError("a union index is out of range")
        value, position = read(data, position)
        if result is None:
            result = value
    return result, position


def _read_text(data: bytes, position: int) -> tuple[str, int]:
    raw, position = _read_raw(data, position)
    return raw.decode(), position


def _read_raw(data: bytes, position: int) -> tuple[bytes, int]:
    length, start = read_length(data, position)
    if start + length > len(data):
        raise IndexError(TOO_SHORT)
    return data[start : start + length], start + length


def _boxed_int(data: bytes, position: int) -> tuple[Int32, int]:
    number, position = read_int(data, position)
    return Int32(number), position


def _read_items(data: bytes, position: int, width: int) -> tuple[list[Any], int]:
    """Items of an array, or keys and values in turn of a map (`width` 2)."""
    items: list[Any] = []
    while True:
        count, position = read_long(data, position)
        if count == 0:
            return items, position
        if count < 0:
            count = -count
            _, position = read_long(data, position)
        if count > len(data) - position:
            raise IndexError(TOO_SHORT)
        for _ in range(count * width):
            value, position = read_anything(data, position)
            items.append(value)


def _read_map(data: bytes, position: int) -> tuple[dict[Any, Any], int]:
    items, position = _read_items(data, position, 2)
    return dict(zip(map(as_key, items[::2]), items[1::2], strict=True)), position


_DOUBLE: Final = struct.Struct("<d")
_FLOAT: Final = struct.Struct("<f")
#: In the order of Anything's fields.
_ANYTHING_FIELDS: Final[tuple[Callable[[bytes, int], tuple[Any, int]], ...]] = (
    lambda b, p: (b[p] == 1, p + 1),
    _read_raw,
    lambda b, p: (_DOUBLE.unpack_from(b, p)[0], p + 8),
    lambda b, p: (Float32(_FLOAT.unpack_from(b, p)[0]), p + 4),
    _boxed_int,
    read_long,
    _read_text,
    lambda b, p: _read_items(b, p, 1),
    _read_map,
)
