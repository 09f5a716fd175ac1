"""Maps a compiled message to a Connect schema, as Confluent's ``ProtobufData.toConnectSchema`` does."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

from penstock.data import DECIMAL_NAME, Field, Schema, Type
from penstock.data.logical import DATE_NAME, SCALE_FIELD, TIME_NAME, TIMESTAMP_NAME
from penstock.errors import DataError
from penstock_converters.protobuf import names
from penstock_converters.protobuf.names import ProtobufDataOptions
from penstock_converters.sumtypes import GENERAL_UNION
from penstock_registry.formats.protobuf import CompiledFile, enum_values

__all__ = ["ToConnect", "has_optional_keyword", "is_map", "union_field_name"]

_F: Final = FieldDescriptor
_PLAIN: Final = {
    _F.TYPE_INT32: Type.INT32,
    _F.TYPE_SINT32: Type.INT32,
    _F.TYPE_SFIXED32: Type.INT32,
    _F.TYPE_UINT32: Type.INT64,
    _F.TYPE_FIXED32: Type.INT64,
    _F.TYPE_INT64: Type.INT64,
    _F.TYPE_UINT64: Type.INT64,
    _F.TYPE_SINT64: Type.INT64,
    _F.TYPE_FIXED64: Type.INT64,
    _F.TYPE_SFIXED64: Type.INT64,
    _F.TYPE_FLOAT: Type.FLOAT32,
    _F.TYPE_DOUBLE: Type.FLOAT64,
    _F.TYPE_BOOL: Type.BOOLEAN,
    _F.TYPE_STRING: Type.STRING,
    _F.TYPE_BYTES: Type.BYTES,
}
#: Types that Connect would not choose itself: kept as a parameter.
_UNUSUAL: Final = {
    _F.TYPE_SINT32: "sint32",
    _F.TYPE_SFIXED32: "sfixed32",
    _F.TYPE_UINT32: "uint32",
    _F.TYPE_FIXED32: "fixed32",
    _F.TYPE_UINT64: "uint64",
    _F.TYPE_SINT64: "sint64",
    _F.TYPE_FIXED64: "fixed64",
    _F.TYPE_SFIXED64: "sfixed64",
}
_NARROW: Final = {"int8": Type.INT8, "int16": Type.INT16}
_LOGICAL: Final = {
    names.DECIMAL: (Type.BYTES, DECIMAL_NAME),
    names.DATE: (Type.INT32, DATE_NAME),
    names.TIME: (Type.INT32, TIME_NAME),
    names.TIMESTAMP: (Type.INT64, TIMESTAMP_NAME),
}
_WRAPPED: Final = {
    "double": Type.FLOAT64,
    "float": Type.FLOAT32,
    "int64": Type.INT64,
    "uint64": Type.INT64,
    "int32": Type.INT32,
    "uint32": Type.INT64,
    "bool": Type.BOOLEAN,
    "string": Type.STRING,
    "bytes": Type.BYTES,
}


def is_map(descriptor: Any) -> bool:
    """Return True if this message is an entry of a map: declared as ``map<K, V>``, or an ``...Entry`` of key and value."""
    fields = descriptor.fields
    return (
        descriptor.name.endswith(names.ENTRY)
        and len(fields) == 2
        and fields[0].name == names.KEY
        and fields[1].name == names.VALUE
        and not fields[0].is_repeated
        and not fields[1].is_repeated
    )


def has_optional_keyword(descriptor: Any, file: CompiledFile, options: ProtobufDataOptions) -> bool:
    """Return True if the field is declared ``optional``. In proto2 that can be switched off (``optional.for.proto2``)."""
    keyword = file.optional_keyword(descriptor)
    return keyword == "proto3" or (keyword == "proto2" and options.optional_for_proto2)


def union_field_name(oneof: Any, options: ProtobufDataOptions) -> str:
    return f"{oneof.name}_{oneof.index}" if options.index_for_unions else str(oneof.name)


@dataclass(slots=True)
class _Struct:
    """A message that was met: what later uses of it share with the first."""

    parameters: Mapping[str, str] = field(default_factory=dict)
    twins: list[Schema] = field(default_factory=list)
    done: Schema | None = None


class ToConnect:
    """One conversion: make one, call `convert` once."""

    def __init__(self, options: ProtobufDataOptions, file: CompiledFile) -> None:
        self._options = options
        self._file = file
        self._structs: dict[str, _Struct] = {}

    def convert(self, descriptor: Any, version: int | None = None) -> Schema:
        """The Connect schema of a message; `version` is the registry's."""
        scalar = names.WRAPPED.get(descriptor.full_name)
        if scalar is not None and self._options.wrapper_for_raw_primitives:
            return Schema(_WRAPPED[scalar], version=version)
        return self._message(descriptor, {}, optional=False, version=version)

    # -- messages -------------------------------------------------------------------------------------------------

    def _struct(self, descriptor: Any, own: Mapping[str, str]) -> Schema:
        """A message as a field's or an item's type. Later uses of one begin with the parameters of the first."""
        known = self._structs.get(descriptor.full_name)
        if known is None:
            return self._message(descriptor, own, optional=True)
        parameters = {**known.parameters, **own}
        if known.done is not None:
            return _copy(known.done, parameters)
        twin = Schema(Type.STRUCT, True, self._name(descriptor), parameters=parameters)
        known.twins.append(twin)
        return twin

    def _name(self, descriptor: Any) -> str:
        return self._file.full_name(descriptor) if self._options.enhanced else descriptor.name

    def _message(
        self, descriptor: Any, own: Mapping[str, str], *, optional: bool, version: int | None = None
    ) -> Schema:
        struct = self._structs[descriptor.full_name] = _Struct()
        members = self._members(descriptor)
        # Confluent makes a struct that holds itself optional, wherever it stands.
        optional = optional or bool(struct.twins)
        fields = [Field(name, index, schema) for index, (name, schema) in enumerate(members)]
        made = Schema(Type.STRUCT, optional, self._name(descriptor), version, parameters=own, fields=fields)
        struct.parameters = dict(own)
        for twin in struct.twins:
            # Unfinished until here, and seen by nobody.
            object.__setattr__(twin, "version", version)
            object.__setattr__(twin, "parameters", MappingProxyType({**own, **twin.parameters}))
            twin._set_fields(tuple(fields))
        struct.done = made
        return made

    def _members(self, descriptor: Any) -> list[tuple[str, Schema]]:
        members: list[tuple[str, Schema]] = []
        unions = self._file.oneofs(descriptor)
        for oneof in unions:
            if self._options.flatten_unions:
                members += [(f.name, self._field(f, nullable=True)) for f in oneof.fields]
            else:
                members.append((union_field_name(oneof, self._options), self._union(oneof)))
        in_unions = {f.name for oneof in unions for f in oneof.fields}
        members += [(f.name, self._field(f)) for f in descriptor.fields if f.name not in in_unions]
        taken: set[str] = set()
        for name, _ in members:
            if name in taken:
                raise DataError(
                    f"Cannot create field because of field name duplication {name} in {descriptor.full_name}"
                )
            taken.add(name)
        return members

    def _union(self, oneof: Any) -> Schema:
        # At most one of the fields has a value, so each has to be optional.
        fields = [Field(f.name, i, self._field(f, nullable=True)) for i, f in enumerate(oneof.fields)]
        if self._options.general_sum_types:
            return Schema(
                Type.STRUCT, True, oneof.name, parameters={GENERAL_UNION: oneof.name}, fields=fields
            )  # fmt: skip
        prefix = f"{self._file.full_name(oneof.containing_type)}." if self._options.enhanced else ""
        return Schema(Type.STRUCT, True, f"{names.UNION}.{prefix}{oneof.name}", fields=fields)

    # -- fields ---------------------------------------------------------------------------------------------------

    def _field(self, descriptor: Any, nullable: bool = False) -> Schema:
        tag = {names.TAG: str(descriptor.number)}
        message = descriptor.message_type
        if message is not None and is_map(message) and descriptor.is_repeated:
            key, value = message.fields
            name = names.map_field(self._name(message))
            return Schema(
                Type.MAP, True, name, parameters=tag, key_schema=self._field(key), value_schema=self._field(value)
            )
        if descriptor.is_repeated:
            return Schema(Type.ARRAY, True, parameters=tag, value_schema=self._single(descriptor, {}, optional=True))
        return self._single(descriptor, tag, optional=nullable or self._is_optional(descriptor))

    def _is_optional(self, descriptor: Any) -> bool:
        options = self._options
        if options.optional_for_nullables:
            if descriptor.containing_type.GetOptions().map_entry:
                return bool(descriptor.has_presence)  # in proto2 a map's key and value are declared optional
            return self._file.optional_keyword(descriptor) is not None
        return not options.wrapper_for_nullables

    def _single(self, descriptor: Any, tag: Mapping[str, str], *, optional: bool) -> Schema:
        if descriptor.message_type is not None:
            return self._nested(descriptor, tag)
        if descriptor.enum_type is not None:
            return self._enum(descriptor.enum_type, tag)
        kind = _PLAIN.get(descriptor.type)
        if kind is None:
            raise DataError(f"Unknown Connect schema type: {descriptor.full_name} has a type no converter reads")
        parameters = dict(tag)
        unusual = _UNUSUAL.get(descriptor.type)
        if unusual is not None:
            parameters[names.TYPE] = unusual
        if kind is Type.INT32:
            narrow = _NARROW.get(self._file.meta(descriptor).get(names.CONNECT_TYPE, ""))
            if narrow is not None:
                return Schema(narrow, optional, parameters=tag)
        return Schema(kind, optional, parameters=parameters)

    def _enum(self, enum: Any, tag: Mapping[str, str]) -> Schema:
        parameter = self._options.enum_parameter
        parameters = {parameter: enum.name}
        parameters.update((f"{parameter}.{name}", str(number)) for name, number in enum_values(enum))
        parameters.update(tag)
        return Schema(
            Type.INT32 if self._options.int_for_enums else Type.STRING, True, self._name(enum), parameters=parameters
        )

    def _nested(self, descriptor: Any, tag: Mapping[str, str]) -> Schema:
        message = descriptor.message_type
        logical = _LOGICAL.get(message.full_name)
        if logical is not None:
            parameters = dict(tag)
            if logical[1] == DECIMAL_NAME:
                parameters = {**_decimal_parameters(self._file.meta(descriptor)), **tag}
            return Schema(logical[0], True, logical[1], 1, parameters=parameters)
        scalar = names.WRAPPED.get(message.full_name)
        if scalar is not None and (self._options.wrapper_for_nullables or self._options.wrapper_for_raw_primitives):
            return Schema(_WRAPPED[scalar], True, parameters=tag)
        return self._struct(message, tag)


def _copy(schema: Schema, parameters: Mapping[str, str]) -> Schema:
    fields: Iterable[Field] = [Field(f.name, f.index, f.schema) for f in schema.fields]
    return Schema(
        schema.type, True, schema.name, schema.version, schema.doc, parameters, fields=fields
    )  # fmt: skip


def _decimal_parameters(meta: Mapping[str, str]) -> dict[str, str]:
    scale = _integer(meta.get(names.META_SCALE))
    precision = _integer(meta.get(names.META_PRECISION))
    parameters = {SCALE_FIELD: str(scale or 0)}
    if precision is not None:
        parameters[names.DECIMAL_PRECISION] = str(precision)
    return parameters


def _integer(text: str | None) -> int | None:
    try:
        return None if text is None else int(text)
    except ValueError:
        return None
