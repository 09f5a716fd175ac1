"""Generates, for one message and the Connect schema that stands for it, Python source that reads it fast.

The bytes are parsed by the Protobuf runtime; the generated code turns its message into Connect's values.
"""

from __future__ import annotations

import keyword
from collections.abc import Callable
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor
from google.protobuf.message import DecodeError

from penstock.data import Schema, Type
from penstock.data.codegen import Source
from penstock.data.keys import as_key, needs_freezing
from penstock.data.logical import LOGICAL_NAMES
from penstock.errors import DataError, SerializationError
from penstock_converters.protobuf import names
from penstock_converters.protobuf.blame import broken, misfit
from penstock_converters.protobuf.moments import from_message
from penstock_converters.protobuf.names import ProtobufDataOptions
from penstock_converters.protobuf.to_connect import has_optional_keyword, is_map, union_field_name
from penstock_registry.formats.protobuf import UNKNOWN_ENUM_VALUE, CompiledFile, enum_values, message_class

__all__ = ["Reader", "make_reader"]

#: Turns the bytes of a message into a value.
Reader = Callable[[bytes], Any]
_UNSIGNED_64: Final = (FieldDescriptor.TYPE_UINT64, FieldDescriptor.TYPE_FIXED64)


class _Symbols(dict[int, str]):
    """Enum numbers to names; a number without a name gets one that tells it."""

    def __init__(self, enum: Any) -> None:
        super().__init__()
        self._name = enum.name
        for name, number in enum_values(enum):
            self.setdefault(number, name)  # of aliases the first

    def __missing__(self, number: int) -> str:
        return f"{UNKNOWN_ENUM_VALUE}{self._name}_{number}"


def _signed_64(number: int) -> int:
    return number if number < 1 << 63 else number - (1 << 64)


def _narrow(name: str, bits: int) -> Callable[[int], int]:
    half = 1 << bits - 1

    def narrow(number: int) -> int:
        if -half <= number < half:
            return number
        raise DataError(f"Value {number} does not fit {name}: expected {-half} to {half - 1}")

    return narrow


def make_reader(descriptor: Any, schema: Schema, file: CompiledFile, options: ProtobufDataOptions) -> Reader:
    """A function that reads bytes of the message `descriptor` as values of `schema`, which `ToConnect` made of it.

    Raises `SerializationError` for bytes that are no such message, `DataError` for a message that has no Connect value.
    """
    convert = _Source(f"protobuf reader of {descriptor.full_name}", file, options).converter(descriptor, schema)
    parse = message_class(descriptor).FromString
    complete = file.has_required_fields

    def read(data: bytes) -> Any:
        try:
            message = parse(data)
        except DecodeError as error:
            field = broken(bytes(data), descriptor)
            where = f" (field {field})" if field else ""
            raise SerializationError(f"the data is no {descriptor.full_name} message: {error}{where}") from None
        if complete and not message.IsInitialized():
            missing = ", ".join(message.FindInitializationErrors())
            raise SerializationError(f"{descriptor.full_name} message is missing required fields: {missing}")
        try:
            return convert(message)
        except DataError as error:
            field = misfit(message, options, file)
            if field:
                error.add_note(f"Field: {field}")
            raise
        except RecursionError:
            raise DataError(
                f"{descriptor.full_name} is nested too deep to be read as a struct"
                " (generate.struct.for.nulls does not go with a message that holds itself)"
            ) from None

    return read


_NAMES: Final = {
    "U64": _signed_64,
    "I8": _narrow("INT8", 8),
    "I16": _narrow("INT16", 16),
    "KEY": as_key,
    "getattr": getattr,
}


class _Source(Source):
    def __init__(self, title: str, file: CompiledFile, options: ProtobufDataOptions) -> None:
        super().__init__(title, _NAMES)
        self._file = file
        self._options = options
        self._known_functions: dict[tuple[int, str], str] = {}

    def converter(self, descriptor: Any, schema: Schema) -> Callable[[Any], Any]:
        if schema.type is Type.STRUCT:
            name = self._message(descriptor, schema)
        else:
            name = self.name("f")
            with self.function(name, "m"):
                self.line(f"return {self._value(descriptor.fields_by_name[names.VALUE], schema, 'm.value')}")
        made: Callable[[Any], Any] = self.build(name)
        return made

    def _message(self, descriptor: Any, schema: Schema) -> str:
        known = (id(schema), descriptor.full_name)
        if known in self._known_functions:
            return self._known_functions[known]
        self.keep(schema)  # an id is one schema's only as long as it lives
        name = self._known_functions[known] = self.name("f")
        has = self.constant(message_class(descriptor).HasField)
        pairs = self._unions(descriptor, schema)
        done = {f.name for oneof in self._file.oneofs(descriptor) for f in oneof.fields}
        for field in descriptor.fields:
            if field.name not in done:
                member = schema.field(field.name)
                assert member is not None
                pairs.append((field.name, self._field(field, member.schema, has)))
        with self.function(name, "m"):
            self.line(f"return {{{', '.join(f'{key!r}: {value}' for key, value in pairs)}}}")
        return name

    def _unions(self, descriptor: Any, schema: Schema) -> list[tuple[str, str]]:
        pairs: list[tuple[str, str]] = []
        for oneof in self._file.oneofs(descriptor):
            if self._options.flatten_unions:
                which = self.constant(message_class(descriptor).HasField)
                for field in oneof.fields:
                    member = schema.field(field.name)
                    assert member is not None
                    value = self._value(field, member.schema, _get(field.name))
                    pairs.append((field.name, f"({value} if {which}(m, {field.name!r}) else None)"))
                continue
            name = union_field_name(oneof, self._options)
            member = schema.field(name)
            assert member is not None
            pairs.append((name, f"{self._union(oneof, member.schema)}(m)"))
        return pairs

    def _union(self, oneof: Any, schema: Schema) -> str:
        name = self.name("u")
        which = self.constant(message_class(oneof.containing_type).WhichOneof)
        with self.function(name, "m"):
            self.line(f"w = {which}(m, {oneof.name!r})")
            self.line("if w is None: return None")
            for field in oneof.fields:
                member = schema.field(field.name)
                assert member is not None
                value = self._value(field, member.schema, _get(field.name))
                pairs = ", ".join(f"{f.name!r}: {value if f.name == field.name else None}" for f in oneof.fields)
                self.line(f"if w == {field.name!r}: return {{{pairs}}}")
        return name

    def _field(self, field: Any, schema: Schema, has: str) -> str:
        get = _get(field.name)
        message = field.message_type
        if field.is_repeated:
            return self._repeated(field, schema, get)
        value = self._value(field, schema, get)
        always = message is None and not has_optional_keyword(field, self._file, self._options)
        if always or self._options.struct_for_nulls:
            return value
        return f"({value} if {has}(m, {field.name!r}) else None)"

    def _repeated(self, field: Any, schema: Schema, get: str) -> str:
        message = field.message_type
        if message is None or not is_map(message):
            assert schema.value_schema is not None
            value = self._value(field, schema.value_schema, "x")
            return f"{get}[:]" if value == "x" else f"[{value} for x in {get}]"
        key_field, value_field = message.fields
        assert schema.key_schema is not None
        assert schema.value_schema is not None
        if message.GetOptions().map_entry:
            key = self._value(key_field, schema.key_schema, "k")
            value = self._value(value_field, schema.value_schema, "x")
            return f"{{{key}: {value} for k, x in {get}.items()}}"
        key = self._value(key_field, schema.key_schema, "x.key")
        key = f"KEY({key})" if needs_freezing(schema.key_schema) else key
        value = self._value(value_field, schema.value_schema, "x.value")
        return f"{{{key}: {value} for x in {get}}}"

    def _value(self, field: Any, schema: Schema, x: str) -> str:
        """The Connect value of one runtime value: an expression over the expression `x`."""
        message = field.message_type
        if message is not None:
            if schema.name in LOGICAL_NAMES and message.full_name == names.LOGICAL[schema.name]:
                return f"{self.constant(from_message(schema.name, self._options.precision))}({x})"
            scalar = names.WRAPPED.get(message.full_name)
            if scalar is not None and schema.type is not Type.STRUCT:
                return f"U64({x}.value)" if scalar == "uint64" else f"{x}.value"
            return f"{self._message(message, schema)}({x})"
        if field.enum_type is not None:
            return x if schema.type is Type.INT32 else f"{self.constant(_Symbols(field.enum_type))}[{x}]"
        if field.type in _UNSIGNED_64:
            return f"U64({x})"
        if schema.type is Type.INT8:
            return f"I8({x})"
        return f"I16({x})" if schema.type is Type.INT16 else x


def _get(name: str) -> str:
    return f"getattr(m, {name!r})" if keyword.iskeyword(name) else f"m.{name}"
