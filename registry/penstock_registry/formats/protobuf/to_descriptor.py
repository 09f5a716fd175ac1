"""From a `ProtoFile` to a file descriptor. Groups, extensions and services of others' making are left out, as in
Confluent's ``DynamicSchema``: fields of groups are unknown fields to the converters."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.descriptor import EnumDescriptor
from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
)

from penstock.api import InvalidSchemaError
from penstock_registry.formats.protobuf.escapes import escaped_bytes
from penstock_registry.formats.protobuf.linked import Linked
from penstock_registry.formats.protobuf.meta import META_TAG, meta_to_bytes
from penstock_registry.formats.protobuf.model import (
    MAX_TAG,
    SCALARS,
    Enum,
    FieldDecl,
    Message,
    Option,
    ProtoFile,
    Ranges,
    default_json_name,
    map_types,
)

__all__ = ["UNKNOWN_ENUM_VALUE", "entry_name", "enum_values", "safe_package", "to_descriptor"]

_T: Final = FieldDescriptorProto
_LABELS: Final = {"repeated": _T.LABEL_REPEATED, "required": _T.LABEL_REQUIRED}
_META_NAMES: Final = frozenset(f"confluent.{kind}_meta" for kind in ("file", "message", "field", "enum", "enum_value"))
_INT32: Final = range(-(2**31), 2**31)


def safe_package(package: str | None) -> str:
    """`package` with what the runtime takes for no identifier replaced, one character for one."""
    return re.sub(r"[^A-Za-z0-9_.]", "_", package or "")


def entry_name(field_name: str) -> str:
    """The name protoc gives the message behind a map field."""
    name = default_json_name(field_name)
    return name[:1].upper() + name[1:] + "Entry"


#: The name that Confluent's converter gives a number without a symbol, with the enum's name and the number behind it.
UNKNOWN_ENUM_VALUE: Final = "UNKNOWN_ENUM_VALUE_"


def enum_values(enum: EnumDescriptor | Any) -> list[tuple[str, int]]:
    """An enum's symbols as the text has them, and their numbers, in the order of the text."""
    suffix, added = _suffix(enum.name), f"{UNKNOWN_ENUM_VALUE}{enum.name}_0"
    return [(value.name.removesuffix(suffix), value.number) for value in enum.values if value.name != added]


def _suffix(enum_name: str) -> str:
    return f"___in_{enum_name}"


def to_descriptor(linked: Linked, file: ProtoFile, name: str) -> FileDescriptorProto:
    """Raises `InvalidSchemaError` for a type that is not found or a number that no descriptor can hold."""
    try:
        return _Builder(linked, file).build(name)
    except (ValueError, TypeError) as error:  # a number or a text that no descriptor holds
        raise InvalidSchemaError(f"Invalid Protobuf schema: {error}") from None


class _Builder:
    def __init__(self, linked: Linked, file: ProtoFile) -> None:
        self._linked = linked
        self._file = file
        self._needed: dict[str, None] = {}

    def build(self, name: str) -> FileDescriptorProto:
        file = self._file
        result = FileDescriptorProto(name=name, package=safe_package(file.package))
        if file.is_proto3:
            result.syntax = "proto3"
        names = [n for n in dict.fromkeys(file.all_imports) if self._linked.imported(n) is not None]
        result.dependency.extend(names)
        result.public_dependency.extend(i for i, n in enumerate(names) if n in file.public_imports)
        taken = {declared.name for declared in file.types}
        for declared in file.types:
            if isinstance(declared, Enum):
                self._enum(declared, result.enum_type.add(), taken)
            else:
                self._message(declared, result.message_type.add(), file.full_name(declared.name))
        # References that are used without being imported under their names.
        result.dependency.extend(n for n in self._needed if n not in names)
        _set_options(result.options, file.options)
        return result

    def _message(self, message: Message, result: DescriptorProto, scope: str) -> None:
        result.name = message.name
        taken = {part.name for part in (*message.nested, *message.oneofs, *message.fields)}
        taken.update(f.name for oneof in message.oneofs for f in oneof.fields)
        for declared in message.nested:
            if isinstance(declared, Enum):
                self._enum(declared, result.enum_type.add(), taken)
            else:
                self._message(declared, result.nested_type.add(), f"{scope}.{declared.name}")
        # Real oneofs come first: Confluent counts them so, and a synthetic one may not stand before a real one.
        for oneof in message.oneofs:
            index = len(result.oneof_decl)
            result.oneof_decl.add(name=oneof.name)
            for field in oneof.fields:
                self._field(field, result, scope).oneof_index = index
        for field in message.fields:
            made = self._field(field, result, scope)
            if field.label == "optional" and self._file.is_proto3:
                made.oneof_index = len(result.oneof_decl)
                made.proto3_optional = True
                result.oneof_decl.add(name=_free(f"_{field.name}", message))
        for reserved in message.reserved:
            _ranges(reserved.values, result.reserved_range, result.reserved_name)
        for extensions in message.extensions:
            _ranges(extensions.values, result.extension_range, [])
        _set_options(result.options, message.options)

    def _field(self, field: FieldDecl, result: DescriptorProto, scope: str) -> FieldDescriptorProto:
        made = result.field.add(name=field.name, label=_LABELS.get(field.label or "", _T.LABEL_OPTIONAL))
        if not 0 < field.tag <= MAX_TAG:
            raise InvalidSchemaError(f"Field {scope}.{field.name} has the number {field.tag}: expected 1 to {MAX_TAG}")
        made.number = field.tag
        entry = map_types(field.type)
        if entry is None:
            self._set_type(made, field.type, scope)
        else:
            made.label = _T.LABEL_REPEATED
            made.type = _T.TYPE_MESSAGE
            name = entry_name(field.name)
            made.type_name = f".{self._safe(scope)}.{name}"
            self._map_entry(result.nested_type.add(name=name), entry, scope)
        if field.default is not None:
            made.default_value = escaped_bytes(field.default) if field.type == "bytes" else field.default
        if field.json_name is not None:
            made.json_name = field.json_name
        _set_options(made.options, field.options)
        return made

    def _map_entry(self, entry: DescriptorProto, types: tuple[str, str], scope: str) -> None:
        entry.options.map_entry = True
        for number, (name, type_name) in enumerate(zip(("key", "value"), types, strict=True), 1):
            member = entry.field.add(name=name, number=number, label=_T.LABEL_OPTIONAL)
            self._set_type(member, type_name, scope)

    def _set_type(self, made: FieldDescriptorProto, type_name: str, scope: str) -> None:
        if type_name in SCALARS:
            made.type = _T.Type.Value(f"TYPE_{type_name.upper()}")
            return
        found = self._linked.require(self._file, scope, type_name)
        origin = self._linked.origin(found.full_name)
        if origin is not None and self._linked.imported(origin) is not self._file:
            self._needed[origin] = None
        made.type = _T.TYPE_ENUM if isinstance(found.declared, Enum) else _T.TYPE_MESSAGE
        made.type_name = f".{self._safe(found.full_name)}"

    @staticmethod
    def _safe(full_name: str) -> str:
        return safe_package(full_name)

    @staticmethod
    def _enum(enum: Enum, result: EnumDescriptorProto, taken: set[str]) -> None:
        """A symbol stands in the scope its enum stands in, where another may have its name. Java's runtime does not mind,
        ours does: the later one gets a longer name, and `enum_values` tells the true one."""
        result.name = enum.name
        free = {value.name for value in enum.values} - taken
        for value in enum.values:
            if value.number not in _INT32:
                raise InvalidSchemaError(f"Enum value {enum.name}.{value.name} = {value.number} is no 32-bit number")
            name = value.name if value.name in free else value.name + _suffix(enum.name)
            made = result.value.add(name=name, number=value.number)
            _set_options(made.options, value.options)
        taken.update(free)
        for reserved in enum.reserved:
            for item in reserved.values:
                if isinstance(item, str):
                    result.reserved_name.append(item)
                else:
                    first, last = item if isinstance(item, tuple) else (item, item)
                    result.reserved_range.add(start=first, end=min(last, 2**31 - 1))
        _set_options(result.options, enum.options)


def _free(name: str, message: Message) -> str:
    taken = {f.name for f in message.fields} | {o.name for o in message.oneofs}
    while name in taken:
        name = "X" + name
    return name


def _ranges(values: Ranges, ranges: Any, names: Any) -> None:
    for value in values:
        if isinstance(value, str):
            names.append(value)
            continue
        first, last = value if isinstance(value, tuple) else (value, value)
        ranges.add(start=first, end=last + 1)


def _set_options(target: Any, options: Iterable[Option]) -> None:
    """The options the descriptor has fields for, and Confluent's; others (custom ones) are only in the text."""
    for option in options:
        if option.parenthesized and option.name in _META_NAMES:
            data = meta_to_bytes(option)
            target.MergeFromString(_varint(META_TAG << 3 | 2) + _varint(len(data)) + data)
            continue
        known = target.DESCRIPTOR.fields_by_name.get(option.name)
        if known is None or option.parenthesized or known.is_repeated or known.message_type is not None:
            continue
        value: Any = option.value
        if known.enum_type is not None:
            if option.kind == "enum" and value in known.enum_type.values_by_name:
                setattr(target, option.name, known.enum_type.values_by_name[value].number)
        elif option.kind == "boolean" and known.type == _T.TYPE_BOOL:
            setattr(target, option.name, value == "true")
        elif option.kind == "string" and known.type == _T.TYPE_STRING:
            setattr(target, option.name, value)


def _varint(number: int) -> bytes:
    out = bytearray()
    while number > 0x7F:
        out.append(number & 0x7F | 0x80)
        number >>= 7
    out.append(number)
    return bytes(out)
