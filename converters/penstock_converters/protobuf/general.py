"""Turns any value into a message by its plan, with every check, default and error message; the generated writer leaves
to it what is unusual. The words of the errors are ``ProtobufData.fromConnectData``'s; the field's path is in a note."""

from __future__ import annotations

import struct
from collections.abc import Callable, Mapping
from typing import Any, Final

from penstock.data import Float32, Int8, Int16, Int32, Schema, Struct, Type, java_class_name
from penstock.errors import DataError
from penstock_converters.protobuf.moments import to_fields
from penstock_converters.protobuf.plan import (
    AbsentPlan,
    ArrayPlan,
    EnumPlan,
    FieldPlan,
    LogicalPlan,
    MapPlan,
    Plan,
    ScalarPlan,
    StructPlan,
    UnionPlan,
    WrapperPlan,
)
from penstock_registry.formats.protobuf import UNKNOWN_ENUM_VALUE

__all__ = ["general_writer"]

#: Turns a value that is not None into what a message's constructor takes.
Convert = Callable[[Any], Any]

_MASKS: Final = {"uint32": 0xFFFFFFFF, "fixed32": 0xFFFFFFFF, "uint64": (1 << 64) - 1, "fixed64": (1 << 64) - 1}
_BITS: Final = {Type.INT8: 8, Type.INT16: 16, Type.INT32: 32, Type.INT64: 64}


class _Problem(Exception):
    """A `DataError` on its way out of nested fields, gathering their names."""

    def __init__(self, error: DataError) -> None:
        super().__init__(str(error))
        self.error = error
        self.path: list[str] = []

    def to_error(self) -> DataError:
        if self.path:
            self.error.add_note(f"Field: {'.'.join(reversed(self.path))}")
        return self.error


def general_writer(plan: Plan, ignore_defaults: bool) -> Callable[[Any], bytes]:
    """A function from a value to its message's bytes. Raises `DataError`, with a note that names the field."""
    convert = _Builder(ignore_defaults).build(plan)

    def write(value: Any) -> bytes:
        try:
            data: bytes = convert(value).SerializeToString()
        except _Problem as problem:
            raise problem.to_error() from problem.error.__cause__
        except RecursionError:
            raise DataError(
                "The value is nested too deep to be written as Protobuf (does it contain itself?)"
            ) from None
        except (UnicodeEncodeError, ValueError) as error:  # the runtime's own checks, such as text that is no UTF-8
            raise DataError(f"The value cannot be written as Protobuf: {error}") from error
        return data

    return write


class _Builder:
    def __init__(self, ignore_defaults: bool) -> None:
        self._ignore_defaults = ignore_defaults
        self._structs: dict[int, list[Convert]] = {}

    def build(self, plan: Plan) -> Convert:
        match plan:
            case ScalarPlan():
                return _scalar(plan)
            case WrapperPlan():
                inner, make = _scalar(plan.inner), plan.make
                return lambda value: make(value=inner(value))
            case LogicalPlan():
                return _logical(plan)
            case EnumPlan():
                return _enum(plan)
            case ArrayPlan():
                return self._array(plan)
            case MapPlan():
                return self._map(plan)
            case AbsentPlan():
                return _absent(plan)
            case StructPlan():
                return self._struct(plan)
        raise AssertionError(plan)

    def _array(self, plan: ArrayPlan) -> Convert:
        convert = self.build(plan.item)

        def array(value: Any) -> list[Any]:
            if not isinstance(value, list | tuple):
                raise _wrong(plan.schema, value)
            if None in value:
                raise _bad("Invalid value: null in an array; Protobuf's repeated fields hold no nulls")
            return [convert(item) for item in value]

        return array

    def _map(self, plan: MapPlan) -> Convert:
        make, blank = plan.make, plan.blank
        key, value = self._part(plan.key, "key"), self._part(plan.value, "value")

        def mapping(given: Any) -> Any:
            if not isinstance(given, Mapping):
                raise _wrong(plan.schema, given)
            if make is None:
                # The runtime wants both parts here; one that is not there is read as blank.
                pairs = ((key(k), value(v)) for k, v in given.items())
                return {blank.key if k is None else k: blank.value if v is None else v for k, v in pairs}
            return [make(key=key(k), value=value(v)) for k, v in given.items()]

        return mapping

    def _part(self, plan: Plan, part: str) -> Convert:
        """A map's key or value: null, where it is optional, leaves the entry without that part."""
        convert = self.build(plan)

        def null_or(value: Any) -> Any:
            if value is None and not plan.schema.optional:
                raise _bad(f"Invalid value: null used for the required {part} of a map")
            return None if value is None else convert(value)

        return null_or

    def _struct(self, plan: StructPlan) -> Convert:
        known = self._structs.get(id(plan))
        if known is not None:
            return lambda value: known[0](value)  # noqa: PLW0108 - it is there only once the struct is done
        holder = self._structs[id(plan)] = []
        members = [(f, self._member(f)) for f in plan.fields]
        holder.append(_message(plan, members))
        return holder[0]

    def _member(self, member: FieldPlan) -> Callable[[Any, dict[str, Any]], None]:
        if isinstance(member.plan, UnionPlan):
            return self._union(member.plan)
        schema, name = member.plan.schema, member.target
        default = None if self._ignore_defaults and schema.optional else schema.default
        convert = self.build(member.plan)

        def put(value: Any, into: dict[str, Any]) -> None:
            if value is None:
                value = default
            if value is not None:
                converted = convert(value)
                if name:
                    into[name] = converted
            elif not schema.optional:
                raise _required(member.name, schema)

        return put

    def _union(self, plan: UnionPlan) -> Callable[[Any, dict[str, Any]], None]:
        branches = [(b, self.build(b.plan)) for b in plan.branches]
        known = {b.name for b in plan.branches}

        def put(value: Any, into: dict[str, Any]) -> None:
            if value is None:
                if not plan.schema.optional:
                    raise _bad("Invalid value: null used for required union")
                return
            _check_struct(value, plan.schema, known)
            for branch, convert in branches:
                given = value.get(branch.name)
                if given is not None:
                    try:
                        into[branch.target] = convert(given)
                    except _Problem as problem:
                        problem.path.append(branch.name)
                        raise
                    return
            raise _bad("Cannot find non-null field")

        return put


def _message(plan: StructPlan, members: list[tuple[FieldPlan, Callable[[Any, dict[str, Any]], None]]]) -> Convert:
    known = {f.name for f in plan.schema.fields}

    def message(value: Any) -> Any:
        _check_struct(value, plan.schema, known)
        into: dict[str, Any] = {}
        for member, put in members:
            try:
                put(value.get(member.name), into)
            except _Problem as problem:
                problem.path.append(member.name)
                raise
        return plan.make(**into)

    return message


def _absent(plan: AbsentPlan) -> Convert:
    def refuse(value: Any) -> Any:
        if value or plan.schema.type is not Type.ARRAY:
            error = DataError(plan.message)
            error.add_note(plan.note)
            raise _Problem(error)

    return refuse


def _check_struct(value: Any, schema: Schema, known: set[str]) -> None:
    if not isinstance(value, dict):
        raise _wrong(schema, value)
    if isinstance(value, Struct) and value.schema is not schema and value.schema != schema:
        raise _bad("Mismatching struct schema")
    if not known.issuperset(value):
        extra = ", ".join(sorted(map(str, value.keys() - known)))
        raise _bad(f"The value has fields that are not in its schema {schema!r}: {extra}")


# -- scalars --------------------------------------------------------------------------------------------------------


def _scalar(plan: ScalarPlan) -> Convert:
    schema = plan.schema
    match schema.type:
        case Type.INT8 | Type.INT16 | Type.INT32 | Type.INT64:
            return _integer(plan)
        case Type.FLOAT32 | Type.FLOAT64:
            return _float(plan)
        case Type.BOOLEAN:
            return lambda value: value if type(value) is bool else _raise_wrong(schema, value)
        case Type.STRING:
            return lambda value: _text(schema, value)
        case Type.BYTES:
            return lambda value: (
                bytes(value) if isinstance(value, bytes | bytearray | memoryview) else _raise_wrong(schema, value)
            )
    raise AssertionError(plan)


def _text(schema: Schema, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(schema, value)
    try:
        value.encode()
    except UnicodeEncodeError as error:
        raise _bad(f"The text cannot be written as UTF-8: {error}") from error
    return str(value)


def _integer(plan: ScalarPlan) -> Convert:
    schema, mask = plan.schema, _MASKS.get(plan.kind)
    bits = _BITS[schema.type]
    low, high = -(1 << bits - 1), (1 << bits - 1) - 1
    if plan.kind in ("uint32", "fixed32"):
        low, high = 0, min(high, 0xFFFFFFFF)  # it would come back as another number

    def integer(value: Any) -> int:
        if type(value) is not int and not isinstance(value, Int8 | Int16 | Int32):
            raise _wrong(schema, value)
        if not low <= value <= high:
            raise _bad(
                f"Value {value} does not fit schema type {schema.type.name} ({plan.kind}): expected {low} to {high}"
            )
        return value & mask if mask is not None else int(value)

    return integer


def _float(plan: ScalarPlan) -> Convert:
    schema, single = plan.schema, plan.schema.type is Type.FLOAT32

    def floating(value: Any) -> float:
        if type(value) is not float and not isinstance(value, Float32):
            raise _wrong(schema, value)
        if single:
            try:
                struct.pack("<f", value)
            except OverflowError:
                raise _bad(f"Value {value} does not fit schema type FLOAT32") from None
        return float(value)

    return floating


def _logical(plan: LogicalPlan) -> Convert:
    schema, make = plan.schema, plan.make
    assert schema.name is not None
    fields = to_fields(schema.name, plan.precision)

    def logical(value: Any) -> Any:
        try:
            return make(**fields(value, schema))
        except DataError as error:
            raise _Problem(error) from error

    return logical


def _enum(plan: EnumPlan) -> Convert:
    numbers, schema = plan.numbers, plan.schema
    unknown = f"{UNKNOWN_ENUM_VALUE}{plan.name}_"

    def symbol(value: Any) -> int:
        if not isinstance(value, str):
            raise _wrong(schema, value)
        number = numbers.get(value)
        if number is None and value.startswith(unknown) and value[len(unknown) :].lstrip("-").isdecimal():
            number = int(value[len(unknown) :])
        if number is None or not -(2**31) <= number < 2**31:
            raise _bad(f'"{value}" is no symbol of enum {plan.name}: expected one of {", ".join(numbers)}')
        return number

    return symbol if schema.type is Type.STRING else _integer(ScalarPlan(schema, "int32"))


# -- errors ---------------------------------------------------------------------------------------------------------


def _bad(message: str) -> _Problem:
    return _Problem(DataError(message))


def _wrong(schema: Schema, value: Any) -> _Problem:
    return _bad(f"Invalid type for {schema.type.name}: class {java_class_name(value)}")


def _raise_wrong(schema: Schema, value: Any) -> Any:
    raise _wrong(schema, value)


def _required(name: str, schema: Schema) -> _Problem:
    return _bad(f'Invalid value: null used for required field: "{name}", schema type: {schema.type.name}')
