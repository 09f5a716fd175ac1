"""The plan for making values of one Connect schema into one Protobuf message, worked out once.

A plan is a tree of small nodes. Two things are made from it: the general writer (`penstock_converters.protobuf.general`),
which knows every case and words every error, and the generated writer (`penstock_converters.protobuf.writer`), which
knows the usual cases and is fast.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Final

from google.protobuf.descriptor import FieldDescriptor

from penstock.data import Field, Schema, Type
from penstock.errors import DataError
from penstock_converters.precision import Precision
from penstock_converters.protobuf import names
from penstock_converters.protobuf.names import ProtobufDataOptions, is_union, scrubbed
from penstock_registry.formats.protobuf import enum_values, message_class

__all__ = [
    "AbsentPlan", "ArrayPlan", "EnumPlan", "FieldPlan", "LogicalPlan", "MapPlan", "Plan", "Planner", "ScalarPlan", "StructPlan",
    "UnionPlan", "WrapperPlan",
]  # fmt: skip

_F: Final = FieldDescriptor
#: Connect type → Protobuf types that values of it can be written as. Unsigned types of 64 bits hold them modulo, as in Java,
#: and give them back; those of 32 bits hold what is not negative.
_FITS: Final = {
    Type.INT8: frozenset({"int32", "sint32", "sfixed32", "int64", "sint64", "sfixed64"}),
    Type.INT16: frozenset({"int32", "sint32", "sfixed32", "int64", "sint64", "sfixed64"}),
    Type.INT32: frozenset({"int32", "sint32", "sfixed32", "uint32", "fixed32", "int64", "sint64", "sfixed64"}),
    Type.INT64: frozenset({"int64", "sint64", "sfixed64", "uint64", "fixed64", "uint32", "fixed32"}),
    Type.FLOAT32: frozenset({"float", "double"}),
    Type.FLOAT64: frozenset({"double"}),
    Type.BOOLEAN: frozenset({"bool"}),
    Type.STRING: frozenset({"string"}),
    Type.BYTES: frozenset({"bytes"}),
}


@dataclass(slots=True, eq=False)
class Plan:
    schema: Schema


@dataclass(slots=True, eq=False)
class AbsentPlan(Plan):
    """A value that the message has no place for, so that only null can be written: `message` and `note` say why."""

    message: str
    note: str


@dataclass(slots=True, eq=False)
class ScalarPlan(Plan):
    """A primitive as the Protobuf scalar `kind`."""

    kind: str


@dataclass(slots=True, eq=False)
class WrapperPlan(Plan):
    """A primitive in a wrapper message; `make` is the message's class."""

    inner: ScalarPlan
    make: Any


@dataclass(slots=True, eq=False)
class LogicalPlan(Plan):
    """A logical type as its message; `precision` is how much of a timestamp is kept."""

    make: Any
    precision: Precision


@dataclass(slots=True, eq=False)
class EnumPlan(Plan):
    """Symbols (or, for integers, numbers) by their numbers."""

    name: str
    numbers: dict[str, int]


@dataclass(slots=True, eq=False)
class ArrayPlan(Plan):
    item: Plan


@dataclass(slots=True, eq=False)
class MapPlan(Plan):
    """`make` is the class of an entry; None for a true map field. `blank` is an entry that holds nothing."""

    key: Plan
    value: Plan
    make: Any
    blank: Any


@dataclass(slots=True, eq=False)
class FieldPlan:
    """The Connect field `name` as the message's field `target`; a union has no target of its own."""

    name: str
    target: str
    plan: Plan


@dataclass(slots=True, eq=False)
class StructPlan(Plan):
    make: Any
    full_name: str
    fields: list[FieldPlan] = field(default_factory=list)
    recursive: bool = False
    #: True in the outermost plan if there is an `AbsentPlan` somewhere in it.
    partial: bool = False


@dataclass(slots=True, eq=False)
class UnionPlan(Plan):
    """A struct of which the first field that is not null is written."""

    branches: list[FieldPlan]


class Planner:
    """Plans for one pair of schema and message; make one, call `plan` once.

    With `own` the message was made of the schema: where it has no place for a field, only values are refused.
    """

    def __init__(self, options: ProtobufDataOptions, *, own: bool = False) -> None:
        self._options = options
        self._own = own
        self._partial = False
        self._structs: dict[tuple[int, str], StructPlan] = {}
        self._keep: list[Schema] = []

    def plan(self, schema: Schema, descriptor: Any) -> Plan:
        """Raises `DataError` if values of `schema` can never be written as messages of `descriptor`."""
        scalar = names.WRAPPED.get(descriptor.full_name)
        if schema.type is not Type.STRUCT and scalar is not None:
            return WrapperPlan(schema, ScalarPlan(schema, scalar), message_class(descriptor))
        if schema.name in names.LOGICAL and descriptor.full_name == names.LOGICAL[schema.name]:
            return LogicalPlan(schema, message_class(descriptor), self._options.precision)
        if schema.type is not Type.STRUCT:
            raise DataError(f"Values of {schema!r} cannot be written as the message {descriptor.full_name}")
        plan = self._struct(schema, descriptor, "")
        plan.partial = self._partial
        return plan

    def _struct(self, schema: Schema, descriptor: Any, path: str) -> StructPlan:
        known = (id(schema.fields), descriptor.full_name)
        found = self._structs.get(known)
        if found is not None:
            found.recursive = True
            return found
        plan = self._structs[known] = StructPlan(schema, message_class(descriptor), descriptor.full_name)
        self._keep.append(schema)
        targets = descriptor.fields_by_name
        for member in schema.fields:
            here = f"{path}.{member.name}" if path else member.name
            if member.schema.type is Type.STRUCT and is_union(member.schema):
                plan.fields.append(FieldPlan(member.name, "", self._union(member.schema, descriptor, here)))
                continue
            plan.fields.append(self._member(member, targets, here, descriptor.full_name))
        del self._structs[known]
        return plan

    def _member(self, member: Field, targets: Any, path: str, message: str) -> FieldPlan:
        name = self._scrubbed(member.name)
        target = targets.get(name)
        try:
            if target is not None:
                return FieldPlan(member.name, name, self._field(member.schema, target, path))
            if not self._own:
                raise DataError(f'Message {message} has no field for "{path}" of the data\'s schema')
            problem = f"Cannot find field with name {name}"
        except DataError as error:
            if not self._own:
                raise
            problem = str(error)
        self._partial = True
        note = f"Schemas of one name share the message {message}, made of the first of them: rename one if they differ"
        return FieldPlan(member.name, "", AbsentPlan(member.schema, problem, note))

    def _scrubbed(self, name: str) -> str:
        return scrubbed(name) if self._options.scrub_names else name

    def _union(self, schema: Schema, descriptor: Any, path: str) -> UnionPlan:
        targets, message = descriptor.fields_by_name, descriptor.full_name
        return UnionPlan(schema, [self._member(m, targets, f"{path}.{m.name}", message) for m in schema.fields])

    def _field(self, schema: Schema, target: Any, path: str) -> Plan:
        if target.is_repeated is not (schema.type in (Type.ARRAY, Type.MAP)):
            raise _mismatch(schema, target, path)
        if schema.type is Type.ARRAY:
            assert schema.value_schema is not None
            return ArrayPlan(schema, self._single(schema.value_schema, target, path + "[]"))
        if schema.type is not Type.MAP:
            return self._single(schema, target, path)
        entry = target.message_type
        members = {} if entry is None else entry.fields_by_name
        key, value = members.get(names.KEY), members.get(names.VALUE)
        if key is None or value is None:
            raise _mismatch(schema, target, path)
        assert schema.key_schema is not None
        assert schema.value_schema is not None
        return MapPlan(
            schema,
            self._field(schema.key_schema, key, path + "{key}"),
            self._field(schema.value_schema, value, path + "{}"),
            None if entry.GetOptions().map_entry else message_class(entry),
            message_class(entry)(),
        )

    def _single(self, schema: Schema, target: Any, path: str) -> Plan:
        message = target.message_type
        if schema.name in names.LOGICAL:
            if message is None or message.full_name != names.LOGICAL[schema.name]:
                raise _mismatch(schema, target, path)
            return LogicalPlan(schema, message_class(message), self._options.precision)
        if schema.type is Type.STRUCT:
            if message is None:
                raise _mismatch(schema, target, path)
            return self._struct(schema, message, path)
        if schema.type is Type.MAP:
            raise DataError(
                f'The list "{path.removesuffix("[]")}" is one of maps, which Protobuf has not: put them into structs'
            )
        if schema.type is Type.ARRAY:
            raise _mismatch(schema, target, path)
        if message is not None:
            scalar = names.WRAPPED.get(message.full_name)
            if scalar is None or scalar not in _FITS[schema.type]:
                raise _mismatch(schema, target, path)
            return WrapperPlan(schema, ScalarPlan(schema, scalar), message_class(message))
        if target.enum_type is not None:
            return self._enum(schema, target, path)
        kind = _kind(target)
        if kind not in _FITS[schema.type]:
            raise _mismatch(schema, target, path)
        return ScalarPlan(schema, kind)

    def _enum(self, schema: Schema, target: Any, path: str) -> EnumPlan:
        if schema.type not in (Type.STRING, Type.INT32):
            raise _mismatch(schema, target, path)
        enum = target.enum_type
        return EnumPlan(schema, enum.name, dict(enum_values(enum)))


_KINDS: Final = {getattr(_F, name): name.removeprefix("TYPE_").lower() for name in dir(_F) if name.startswith("TYPE_")}


def _kind(target: Any) -> str:
    return _KINDS[target.type]


def _mismatch(schema: Schema, target: Any, path: str) -> DataError:
    kind = target.message_type.full_name if target.message_type is not None else _kind(target)
    repeated = "repeated " if target.is_repeated else ""
    return DataError(f'Values of {schema!r} in field "{path}" cannot be written as the Protobuf type {repeated}{kind}')
