"""Finds the field of a message that could not be read, or has no Connect value. It runs only once a message has failed."""

from __future__ import annotations

from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

from penstock.errors import DataError
from penstock_converters.protobuf import names
from penstock_converters.protobuf.moments import from_message
from penstock_converters.protobuf.names import ProtobufDataOptions
from penstock_registry.formats.protobuf import CompiledFile

__all__ = ["broken", "misfit"]

_HALVES: Final = {"int8": 1 << 7, "int16": 1 << 15}
_LOGICAL: Final = {message: name for name, message in names.LOGICAL.items()}


def misfit(message: Any, options: ProtobufDataOptions, file: CompiledFile) -> str | None:
    """The path of the first field that is set to a Decimal, Date, Time or Timestamp which is none, or to a number that is
    too large for the INT8 or INT16 it stands for; None for no such."""
    for field, value in message.ListFields():
        if field.message_type is None:
            half = _HALVES.get(file.meta(field).get(names.CONNECT_TYPE, ""))
            if half and not all(-half <= number < half for number in (value if field.is_repeated else [value])):
                return str(field.name)
            continue
        if not field.is_repeated:
            found = _inside(field.message_type, value, options, file)
        elif field.message_type.GetOptions().map_entry:
            kind = field.message_type.fields_by_name["value"].message_type
            items = value.values() if kind is not None else ()
            found = next((f for item in items if (f := _inside(kind, item, options, file)) is not None), None)
        else:
            found = next(
                (f for item in value if (f := _inside(field.message_type, item, options, file)) is not None), None
            )
        if found is not None:
            return f"{field.name}.{found}" if found else str(field.name)
    return None


def _inside(kind: Any, value: Any, options: ProtobufDataOptions, file: CompiledFile) -> str | None:
    """The path inside `value`, empty if it is the value itself; None if nothing is wrong with it."""
    logical = _LOGICAL.get(kind.full_name)
    if logical is None:
        return misfit(value, options, file)
    try:
        from_message(logical, options.precision)(value)
    except DataError:
        return ""
    return None


_MAX_DEPTH: Final = 100  # the runtime's own limit


def broken(data: bytes, descriptor: Any, depth: int = 0) -> str | None:
    """The path of the field at which `data` stops being bytes of the message `descriptor`; None if none is found."""
    position, end = 0, len(data)
    while position < end:
        try:
            tag, position = _varint(data, position)
        except (IndexError, ValueError):
            return None
        field = descriptor.fields_by_number.get(tag >> 3)
        name = str(field.name) if field is not None else f"number {tag >> 3}"
        try:
            start, position = _value(data, position, tag & 7)
        except (IndexError, ValueError):
            return name
        if position > end:
            return name
        if field is None or tag & 7 != _DELIMITED:
            continue
        if field.message_type is not None and depth < _MAX_DEPTH:
            inner = broken(data[start:position], field.message_type, depth + 1)
            if inner is not None:
                return f"{name}.{inner}"
        elif field.type == FieldDescriptor.TYPE_STRING:
            try:
                data[start:position].decode()
            except UnicodeDecodeError:
                return name
    return None


_DELIMITED: Final = 2
_FIXED: Final = {1: 8, 5: 4}


def _value(data: bytes, position: int, kind: int) -> tuple[int, int]:
    """Return where a value begins and ends; the end may lie beyond the data."""
    if kind == 0:
        return position, _varint(data, position)[1]
    if kind == _DELIMITED:
        length, position = _varint(data, position)
        return position, position + length
    if kind in _FIXED:
        return position, position + _FIXED[kind]
    if kind in (3, 4):  # a group's begin and end: its fields follow like any
        return position, position
    raise ValueError(kind)


def _varint(data: bytes, position: int) -> tuple[int, int]:
    result = shift = 0
    while True:
        byte = data[position]
        position += 1
        result |= (byte & 0x7F) << shift
        if byte < 0x80:
            return result, position
        shift += 7
        if shift > 63:
            raise ValueError("a varint is longer than ten bytes")
