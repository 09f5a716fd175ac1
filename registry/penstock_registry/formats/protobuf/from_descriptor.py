"""From a compiled file descriptor to a `ProtoFile`; the order of options is that of Confluent's ``ProtobufSchema``."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Iterable
from typing import Any, Final

from google.protobuf.descriptor_pb2 import (
    DescriptorProto,
    EnumDescriptorProto,
    FieldDescriptorProto,
    FileDescriptorProto,
    ServiceDescriptorProto,
)
from google.protobuf.message import DecodeError
from google.protobuf.message import Message as ProtoMessage
from google.protobuf.unknown_fields import UnknownFieldSet

from penstock_registry.formats.protobuf.escapes import unescaped
from penstock_registry.formats.protobuf.meta import META_TAG, meta_from_bytes, meta_option
from penstock_registry.formats.protobuf.model import (
    MAX_TAG,
    Enum,
    EnumValue,
    Extend,
    Extensions,
    FieldDecl,
    Message,
    OneOf,
    Option,
    ProtoFile,
    Reserved,
    Rpc,
    Service,
    TypeDecl,
    default_json_name,
)

__all__ = ["decoded_descriptor", "from_descriptor"]

_FILE_OPTIONS: Final = (
    "java_package", "java_outer_classname", "java_multiple_files", "java_generate_equals_and_hash",
    "java_string_check_utf8", "optimize_for", "go_package", "cc_generic_services", "java_generic_services",
    "py_generic_services", "deprecated", "cc_enable_arenas", "objc_class_prefix", "csharp_namespace", "swift_prefix",
    "php_class_prefix", "php_namespace", "php_metadata_namespace", "ruby_package",
)  # fmt: skip
_MESSAGE_OPTIONS: Final = ("map_entry", "message_set_wire_format", "no_standard_descriptor_accessor", "deprecated")
_FIELD_OPTIONS: Final = ("ctype", "packed", "jstype", "lazy", "deprecated", "weak")
_ENUM_OPTIONS: Final = ("allow_alias", "deprecated")
_PLAIN_OPTIONS: Final = ("deprecated",)
_RPC_OPTIONS: Final = ("deprecated", "idempotency_level")

_T: Final = FieldDescriptorProto
_NAMED_TYPES: Final = (_T.TYPE_MESSAGE, _T.TYPE_ENUM, _T.TYPE_GROUP)


def decoded_descriptor(text: str) -> ProtoFile | None:
    """The file whose serialized descriptor `text` holds in base64; None if it does not."""
    try:
        data = base64.b64decode(text.strip(), validate=True)
        file = FileDescriptorProto.FromString(data)
    except (binascii.Error, ValueError, DecodeError):
        return None
    if not data or not file.name or _has_odd_text(file):
        return None
    try:
        return from_descriptor(file)
    except IndexError:  # a oneof or an import is named by a number that leads nowhere
        return None


def _has_odd_text(message: Any) -> bool:
    """Return whether some text is not UTF-8: the runtime hands out bytes for it."""
    for field, value in message.ListFields():
        items = (value,) if isinstance(value, str | bytes | ProtoMessage) or not isinstance(value, Iterable) else value
        for item in items:
            if field.type == _T.TYPE_STRING and isinstance(item, bytes):
                return True
            if isinstance(item, ProtoMessage) and _has_odd_text(item):
                return True
    return False


def from_descriptor(file: FileDescriptorProto) -> ProtoFile:
    public = {file.dependency[i] for i in file.public_dependency}
    types: list[TypeDecl] = [_message(m, file) for m in file.message_type]
    types += [_enum(e) for e in file.enum_type]
    return ProtoFile(
        file.syntax or None,
        file.package or None,
        tuple(d for d in file.dependency if d not in public),
        tuple(d for d in file.dependency if d in public),
        _options(file.options, _FILE_OPTIONS, "confluent.file_meta"),
        tuple(types),
        _extends(file.extension, file),
        tuple(_service(s) for s in file.service),
    )


def _message(message: DescriptorProto, file: FileDescriptorProto) -> Message:
    oneofs: list[list[FieldDecl]] = [[] for _ in message.oneof_decl]
    fields: list[FieldDecl] = []
    for field in message.field:
        in_oneof = field.HasField("oneof_index") and not field.proto3_optional
        (oneofs[field.oneof_index] if in_oneof else fields).append(_field(field, file, in_oneof))
    # Entries of maps stay messages, as they do in Confluent's registry: clients count them in a payload's indexes.
    nested: list[TypeDecl] = [_message(n, file) for n in message.nested_type]
    nested += [_enum(e) for e in message.enum_type]
    ranges = [Reserved((_range(r.start, r.end),)) for r in message.reserved_range]
    return Message(
        message.name,
        tuple(fields),
        tuple(OneOf(d.name, tuple(f)) for d, f in zip(message.oneof_decl, oneofs, strict=True) if f),
        tuple(nested),
        _options(message.options, _MESSAGE_OPTIONS, "confluent.message_meta"),
        (*ranges, *(Reserved((name,)) for name in message.reserved_name)),
        tuple(Extensions((_range(r.start, r.end),)) for r in message.extension_range),
        extends=_extends(message.extension, file),
    )


def _range(start: int, end: int) -> int | tuple[int, int]:
    # The end of a descriptor's range is exclusive.
    return start if end == start + 1 else (start, min(end - 1, MAX_TAG))


def _field(field: FieldDescriptorProto, file: FileDescriptorProto, in_oneof: bool) -> FieldDecl:
    label: str | None = None
    if field.label == _T.LABEL_REPEATED:
        label = "repeated"
    elif field.label == _T.LABEL_REQUIRED:
        label = "required"
    elif field.proto3_optional or (file.syntax != "proto3" and not in_oneof):
        label = "optional"
    default_name = default_json_name(field.name)
    return FieldDecl(
        field.name,
        _type_name(field),
        field.number,
        label,
        _default(field),
        field.json_name if field.HasField("json_name") and field.json_name != default_name else None,
        _options(field.options, _FIELD_OPTIONS, "confluent.field_meta"),
    )


def _default(field: FieldDescriptorProto) -> str | None:
    if not field.HasField("default_value"):
        return None
    # A descriptor holds bytes as C escapes, and any other default as it is.
    return unescaped(field.default_value) if field.type == _T.TYPE_BYTES else str(field.default_value)


def _type_name(field: FieldDescriptorProto) -> str:
    if field.type in _NAMED_TYPES:
        return str(field.type_name)
    return str(_T.Type.Name(field.type)).removeprefix("TYPE_").lower()


def _enum(enum: EnumDescriptorProto) -> Enum:
    ranges = [Reserved((r.start if r.start == r.end else (r.start, r.end),)) for r in enum.reserved_range]
    return Enum(
        enum.name,
        tuple(EnumValue(v.name, v.number, _options(v.options, _PLAIN_OPTIONS, "confluent.enum_value_meta"))
              for v in enum.value),
        _options(enum.options, _ENUM_OPTIONS, "confluent.enum_meta"),
        (*ranges, *(Reserved((name,)) for name in enum.reserved_name)),
    )  # fmt: skip


def _extends(fields: Iterable[FieldDescriptorProto], file: FileDescriptorProto) -> tuple[Extend, ...]:
    by_type: dict[str, list[FieldDecl]] = {}
    for field in fields:
        by_type.setdefault(field.extendee, []).append(_field(field, file, False))
    return tuple(Extend(name, tuple(members)) for name, members in by_type.items())


def _service(service: ServiceDescriptorProto) -> Service:
    rpcs = tuple(
        Rpc(m.name, m.input_type, m.output_type, m.client_streaming, m.server_streaming,
            _options(m.options, _RPC_OPTIONS, ""))
        for m in service.method
    )  # fmt: skip
    return Service(service.name, rpcs, _options(service.options, _PLAIN_OPTIONS, ""))


def _options(options: Any, names: Iterable[str], meta: str) -> tuple[Option, ...]:
    found: list[Option] = []
    fields = options.DESCRIPTOR.fields_by_name
    for name in names:
        if name not in fields or not options.HasField(name):
            continue
        value = getattr(options, name)
        enum = fields[name].enum_type
        if enum is not None:
            found.append(Option(name, "enum", enum.values_by_number[value].name))
        elif isinstance(value, bool):
            found.append(Option(name, "boolean", "true" if value else "false"))
        else:
            found.append(Option(name, "string", value))
    for data in _meta_bytes(options) if meta else ():
        option = meta_option(meta, *meta_from_bytes(data))
        found += [option] if option is not None else []
    return tuple(found)


def _meta_bytes(options: Any) -> list[bytes]:
    """Confluent's extension: unknown to the runtime, unless somebody in this process has registered it."""
    known = [v.SerializeToString() for f, v in options.ListFields() if f.is_extension and f.number == META_TAG]
    unknown = [u.data for u in UnknownFieldSet(options) if u.field_number == META_TAG and isinstance(u.data, bytes)]
    return known + unknown
