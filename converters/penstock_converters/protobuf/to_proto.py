"""Maps a Connect schema to a .proto file, as Confluent's ``ProtobufData.fromConnectSchema`` does."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Final

from penstock.data import DECIMAL_NAME, Schema, Type
from penstock.data.logical import SCALE_FIELD
from penstock.errors import DataError
from penstock_converters.protobuf import names
from penstock_converters.protobuf.names import ProtobufDataOptions, is_union, scrubbed, union_name
from penstock_registry.formats.protobuf.meta import FIELD_META, meta_option
from penstock_registry.formats.protobuf.model import (
    Enum,
    EnumValue,
    FieldDecl,
    Message,
    OneOf,
    Option,
    ProtoFile,
    TypeDecl,
)

__all__ = ["ToProto", "scalar_of", "wrapper_of"]

_SCALARS: Final = {
    Type.INT8: "int32",
    Type.INT16: "int32",
    Type.INT32: "int32",
    Type.INT64: "int64",
    Type.FLOAT32: "float",
    Type.FLOAT64: "double",
    Type.BOOLEAN: "bool",
    Type.STRING: "string",
    Type.BYTES: "bytes",
}
#: The types that the parameter ``io.confluent.connect.protobuf.Type`` may ask for.
_ASKED: Final = {
    Type.INT32: frozenset({"int32", "sint32", "sfixed32", "uint32", "fixed32"}),
    Type.INT64: frozenset(
        {"int64", "sint64", "sfixed64", "uint64", "fixed64", "uint32", "fixed32"}
    ),
}  # fmt: skip


#: Wrappers of what an INT64 may be asked to be; there are none of numbers of fixed length.
_UNSIGNED: Final = {
    scalar: names.WRAPPERS[scalar.replace("fixed", "uint")] for scalar in ("uint32", "fixed32", "uint64", "fixed64")
}


def scalar_of(schema: Schema) -> str:
    """The Protobuf type of a Connect primitive: the usual one, or the one its parameter asks for."""
    asked = schema.parameters.get(names.TYPE)
    if asked is None or schema.type not in _ASKED:
        return _SCALARS[schema.type]
    if asked not in _ASKED[schema.type]:
        raise DataError(
            f"The parameter {names.TYPE} of {schema!r} is {asked}: expected one of {', '.join(sorted(_ASKED[schema.type]))}"
        )
    return asked


def wrapper_of(schema: Schema) -> str:
    """The wrapper message of a primitive that stands alone."""
    return names.WRAPPERS[_SCALARS[schema.type]]


_MAX_MESSAGES: Final = 2_000


@dataclass(slots=True)
class _Parts:
    """The parts of one message while it is gathered: of `schema`, unless it is a map's entry, inside the message `outer`."""

    name: str
    schema: Schema | None = None
    outer: _Parts | None = None
    fields: list[FieldDecl] = field(default_factory=list)
    oneofs: list[OneOf] = field(default_factory=list)
    messages: dict[str, Message | None] = field(default_factory=dict)
    structs: set[str] = field(default_factory=set)
    enums: dict[str, Enum] = field(default_factory=dict)

    def around(self) -> Iterator[_Parts]:
        """The messages that this one stands in, itself first."""
        parts: _Parts | None = self
        while parts is not None:
            yield parts
            parts = parts.outer

    def build(self) -> Message:
        nested: list[TypeDecl] = [m for m in self.messages.values() if m is not None]
        return Message(self.name, tuple(self.fields), tuple(self.oneofs), (*nested, *self.enums.values()))


class ToProto:
    """One conversion: make one, call `convert` once."""

    def __init__(self, options: ProtobufDataOptions) -> None:
        self._options = options
        self._defaults = 0
        self._messages = 0
        self._imports: dict[str, None] = {}

    def convert(self, schema: Schema) -> ProtoFile:
        """The file whose first message is `schema`, a struct. Raises `DataError`."""
        if schema.type is not Type.STRUCT:
            raise DataError(
                f"Unsupported root schema of type {schema.type.name}: Protobuf data is a message;"
                " put the value into a field of a struct (HoistField does)"
            )
        package = (schema.name or "").rpartition(".")[0] or None
        message = self._message(_Parts(self._name(schema.name), schema))
        return ProtoFile("proto3", package, tuple(self._imports), types=(message,))

    def _name(self, name: str | None) -> str:
        """A message's name: the last part of a schema's, or a made-up one."""
        if name is None:
            self._defaults += 1
            return f"{names.DEFAULT_NAME}{self._defaults}"
        return self._scrubbed(name.rpartition(".")[2])

    def _scrubbed(self, name: str) -> str:
        return scrubbed(name) if self._options.scrub_names else name

    def _message(self, parts: _Parts) -> Message:
        assert parts.schema is not None
        self._messages += 1
        if self._messages > _MAX_MESSAGES:
            raise DataError(
                f"The schema becomes more than {_MAX_MESSAGES} messages: Protobuf nests a struct's message wherever it"
                " is used, and these are used in many combinations"
            )
        index = 1
        for member in parts.schema.fields:
            tag = _tag(member.schema)
            if tag is None:
                tag, index = index, index + 1
            made = self._field(parts, member.schema, self._scrubbed(member.name), tag, in_oneof=False)
            if made is not None:
                parts.fields.append(made)
        return parts.build()

    def _field(
        self, parts: _Parts, schema: Schema, name: str, tag: int, in_oneof: bool, in_entry: bool = False
    ) -> FieldDecl | None:
        """A field; None for a union, which becomes a oneof of `parts`."""
        if schema.type is Type.STRUCT and is_union(schema):
            self._oneof(parts, schema)
            return None
        label: str | None = None
        inner = schema
        if schema.type is Type.ARRAY:
            label = "repeated"
            assert schema.value_schema is not None
            inner = schema.value_schema
        elif schema.type is Type.MAP:
            label = "repeated"
        elif self._options.optional_for_nullables and schema.optional and not in_oneof and not in_entry:
            label = "optional"
        params: dict[str, str] = {}
        type_name = self._type(inner, params, name)
        self._define(parts, inner, type_name)
        options: list[Option] = []
        if in_oneof or label == "optional":
            options.append(Option("deprecated", "boolean", "false"))
        # Confluent's texts have this one parameter with its key first, and the others with their values first.
        meta = meta_option(FIELD_META, "", params, value_first=names.CONNECT_TYPE not in params)
        if meta is not None:
            options.append(meta)
        return FieldDecl(name, type_name, tag, label, options=tuple(options))

    def _oneof(self, parts: _Parts, schema: Schema) -> None:
        name = self._scrubbed(union_name(schema))
        fields: list[FieldDecl] = []
        for member in schema.fields:
            tag = _tag(member.schema)
            if tag is None or tag < 1:
                raise DataError(
                    f"{parts.name}.{member.name}: Field numbers must be positive integers. A field of a union has no"
                    f" number of its own making: set the parameter {names.TAG} on the schemas of the fields"
                )
            made = self._field(parts, member.schema, self._scrubbed(member.name), tag, in_oneof=True)
            if made is None or made.label == "repeated":
                raise DataError(
                    f"{parts.name}.{member.name}: a field of a union can be no array, map or union of its own"
                )
            fields.append(made)
        parts.oneofs.append(OneOf(name, tuple(fields)))

    def _type(self, schema: Schema, params: dict[str, str], name: str) -> str:
        logical = names.LOGICAL.get(schema.name or "")
        if logical is not None:
            if schema.name == DECIMAL_NAME:
                # in the order of a Java hash map
                for key, parameter in (
                    (names.META_PRECISION, names.DECIMAL_PRECISION),
                    (names.META_SCALE, SCALE_FIELD),
                ):
                    if parameter in schema.parameters:
                        params[key] = schema.parameters[parameter]
            return logical
        match schema.type:
            case Type.ARRAY:
                raise DataError(f"Array cannot be nested: field {name}; put the inner array into a struct")
            case Type.MAP:
                return names.map_entry(self._name(schema.name))
            case Type.STRUCT:
                made = self._name(schema.name)
                return f"{made}Message" if made == name else made  # a field and its type cannot share a name
            case Type.STRING if self._options.enum_parameter in schema.parameters:
                return self._scrubbed(schema.parameters[self._options.enum_parameter].rpartition(".")[2])
            case Type.INT32 if self._is_int_enum(schema):
                return self._scrubbed(schema.parameters[self._options.enum_parameter].rpartition(".")[2])
            case Type.INT8 | Type.INT16:
                params[names.CONNECT_TYPE] = schema.type.value
        scalar = scalar_of(schema)
        if schema.optional and self._options.wrapper_for_nullables:
            return _UNSIGNED.get(scalar, wrapper_of(schema)) if schema.type is Type.INT64 else wrapper_of(schema)
        return scalar

    def _is_int_enum(self, schema: Schema) -> bool:
        # Without a name (release 7.0 made such) the field is a number and only the definition tells of the enum.
        return self._options.enum_parameter in schema.parameters and schema.name is not None

    def _define(self, parts: _Parts, schema: Schema, type_name: str) -> None:
        """See to it that `type_name` can be resolved in the message of `parts`."""
        if schema.name in names.LOGICAL:
            self._imports[names.FILES[type_name]] = None
        elif schema.type is Type.STRUCT:
            self._struct(parts, schema, type_name)
        elif schema.type is Type.MAP:
            if type_name in parts.messages:
                raise _twice(parts.name, type_name)
            parts.messages[type_name] = None  # keeps its place before those that are nested while it is made
            parts.messages[type_name] = self._entry(type_name, schema, parts)
        elif self._options.enum_parameter in schema.parameters and schema.type in (Type.STRING, Type.INT32):
            self._enum(parts, schema)
        elif type_name in names.WRAPPED:
            self._imports[names.WRAPPERS_FILE] = None

    def _struct(self, parts: _Parts, schema: Schema, type_name: str) -> None:
        """One message a name: another struct of that name in the same message is written as the first (the plan refuses
        values that do not fit), and one of the enclosing message's name as that message, if it fits."""
        if type_name in parts.structs:
            return
        if type_name in parts.messages:
            raise _twice(parts.name, type_name)
        if type_name == parts.name and parts.schema is not None and self._fits(schema, parts.schema, frozenset()):
            return
        if any(
            p.name == type_name and p.schema is not None and _is_same_schema(p.schema, schema) for p in parts.around()
        ):
            return  # a struct that holds itself, if not at once: the name is found further out
        parts.structs.add(type_name)
        parts.messages[type_name] = None
        parts.messages[type_name] = self._message(_Parts(type_name, schema, parts))

    def _fits(self, inner: Schema, outer: Schema, seen: frozenset[tuple[int, int]]) -> bool:
        """Can the message of the struct `outer` hold every value of the struct `inner`?"""
        pair = (id(inner.fields), id(outer.fields))
        if _is_same_schema(inner, outer) or pair in seen:
            return True
        others = {f.name: f.schema for f in outer.fields}
        return all(f.name in others and self._like(f.schema, others[f.name], seen | {pair}) for f in inner.fields)

    def _like(self, a: Schema, b: Schema, seen: frozenset[tuple[int, int]]) -> bool:
        if a.type is not b.type or names.LOGICAL.get(a.name or "") != names.LOGICAL.get(b.name or ""):
            return False
        if a.type is Type.STRUCT:
            return is_union(a) == is_union(b) and self._fits(a, b, seen)
        if a.type in (Type.ARRAY, Type.MAP):
            parts = ((a.key_schema, b.key_schema), (a.value_schema, b.value_schema))
            return all(x is None or y is None or self._like(x, y, seen) for x, y in parts)
        if self._options.wrapper_for_nullables and a.optional is not b.optional:
            return False
        return all(a.parameters.get(p) == b.parameters.get(p) for p in (names.TYPE, self._options.enum_parameter))

    def _entry(self, name: str, schema: Schema, outer: _Parts) -> Message:
        parts = _Parts(name, outer=outer)
        for number, (member, inner) in enumerate(
            ((names.KEY, schema.key_schema), (names.VALUE, schema.value_schema)), 1
        ):
            assert inner is not None
            made = self._field(parts, inner, member, number, in_oneof=False, in_entry=True)
            if made is None:
                raise DataError(f"The {member} of map {name} is a union: put it into a struct")
            # Confluent's converter forgets here what a field has beside its type.
            parts.fields.append(replace(made, label="repeated" if made.label == "repeated" else None, options=()))
        return parts.build()

    def _enum(self, parts: _Parts, schema: Schema) -> None:
        parameter = self._options.enum_parameter
        name = self._scrubbed(schema.parameters[parameter].rpartition(".")[2])
        if schema.type is Type.INT32 and schema.name is None:
            self._defaults += 1  # as release 7.0 counts: the name is asked for twice
            name = self._name(None)
        if name in parts.enums:
            return
        parts.enums[name] = _enum_of(name, schema, f"{parameter}.")


def _enum_of(name: str, schema: Schema, prefix: str) -> Enum:
    values = [
        EnumValue(key.removeprefix(prefix), _number(key, text))
        for key, text in schema.parameters.items()
        if key.startswith(prefix)
    ]
    if not values:
        raise DataError(f"The enum {name} has no symbols: expected parameters {prefix}SYMBOL = number")
    if values[0].number != 0:
        # proto3 wants the zero first
        values.sort(key=lambda value: value.number)
    alias = len({v.number for v in values}) < len(values)
    return Enum(name, tuple(values), (Option("allow_alias", "boolean", "true"),) if alias else ())


def _number(key: str, text: str) -> int:
    try:
        return int(text)
    except ValueError:
        raise DataError(f"The parameter {key} is {text!r}: expected a number") from None


def _tag(schema: Schema) -> int | None:
    text = schema.parameters.get(names.TAG)
    return None if text is None else _number(names.TAG, text)


def _is_same_schema(a: Schema, b: Schema) -> bool:
    return a is b or a.fields is b.fields


def _twice(message: str, name: str) -> DataError:
    return DataError(
        f"Two different schemas inside {message} are called {name}; Protobuf needs a name for each: rename one"
    )
