"""Writes any value by its plan, with every check, default and error message; the generated writer leaves to it what is
unusual. The words of the errors are ``AvroData.fromConnectData``'s, with the field's path added where there is one."""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from penstock.data import (
    DECIMAL_NAME,
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
from penstock.data.logical import (
    DATE_NAME,
    MILLIS_PER_DAY,
    TIME_NAME,
    TIMESTAMP_NAME,
    date_to_days,
    decimal_scale,
    decimal_to_bytes,
    time_to_millis,
    timestamp_to_millis,
)
from penstock.errors import DataError, SerializationError
from penstock_converters.avro.javahash import in_java_order
from penstock_converters.avro.plan import (
    AnyPlan,
    ArrayPlan,
    EntriesPlan,
    FieldPlan,
    MapPlan,
    OptionalPlan,
    Plan,
    RecordPlan,
    ScalarPlan,
    UnionPlan,
)
from penstock_converters.avro.varint import long_bytes
from penstock_registry.formats.avro.model import AvroSchema

__all__ = ["FieldProblem", "constant_bytes", "general_writer"]

Put = Callable[[bytes], None]
Write = Callable[[Any, Put], None]


class FieldProblem(Exception):
    """A `DataError` on its way out of nested fields, gathering their names."""

    def __init__(self, error: DataError) -> None:
        super().__init__(str(error))
        self.error = error
        self.path: list[str] = []

    def to_error(self) -> DataError:
        if not self.path:
            return self.error
        return type(self.error)(f'{self.error.message} for field: "{".".join(reversed(self.path))}"')


def general_writer(plan: Plan, ignore_defaults: bool) -> Callable[[Any], bytes]:
    """A function from a value to its Avro bytes. Raises `DataError` naming the field."""
    write = _Builder(ignore_defaults).build(plan)

    def encode(value: Any) -> bytes:
        parts: list[bytes] = []
        try:
            write(value, parts.append)
        except FieldProblem as problem:
            raise problem.to_error() from problem.error
        except RecursionError:
            raise DataError("The value is nested too deep to be written as Avro (does it contain itself?)") from None
        return b"".join(parts)

    return encode


class _Builder:
    def __init__(self, ignore_defaults: bool) -> None:
        self._ignore_defaults = ignore_defaults
        self._records: dict[int, list[Write]] = {}

    def build(self, plan: Plan) -> Write:
        match plan:
            case OptionalPlan():
                return self._optional(plan)
            case ArrayPlan():
                return self._array(plan)
            case MapPlan():
                return self._map(plan)
            case EntriesPlan():
                return self._entries(plan)
            case RecordPlan():
                return self._record(plan)
            case UnionPlan():
                return self._union(plan)
            case AnyPlan():
                return write_anything
        assert isinstance(plan, ScalarPlan)
        return _scalar(plan)

    def _optional(self, plan: OptionalPlan) -> Write:
        write, index = self.build(plan.inner), long_bytes(plan.index)
        null = None if plan.null is None else long_bytes(plan.null)
        required = not plan.schema.optional

        def optional(value: Any, put: Put) -> None:
            if value is not None:
                put(index)
                write(value, put)
            elif required and not isinstance(plan.inner, AnyPlan):
                raise _null()
            elif null is not None:
                put(null)
            else:
                put(index)
                write(value, put)

        return optional

    def _array(self, plan: ArrayPlan) -> Write:
        write = self.build(plan.item)

        def array(value: Any, put: Put) -> None:
            _check(value, list | tuple, plan.schema)
            if value:
                put(long_bytes(len(value)))
                for item in value:
                    write(item, put)
            put(b"\x00")

        return array

    def _map(self, plan: MapPlan) -> Write:
        write = self.build(plan.value)

        def mapping(value: Any, put: Put) -> None:
            if isinstance(value, Struct):
                raise _wrong(value, plan.schema)
            _check(value, dict, plan.schema)
            for key in value:
                if key is None:
                    raise _bad(
                        SerializationError("Error serializing Avro message: a map key is null, Avro's are strings")
                    )
                if not isinstance(key, str):
                    raise _wrong(key, plan.schema)
            if value:
                put(long_bytes(len(value)))
                for key, item in in_java_order(value):
                    put(_text(key))
                    write(item, put)
            put(b"\x00")

        return mapping

    def _entries(self, plan: EntriesPlan) -> Write:
        key, held, key_first = self.build(plan.key), self.build(plan.value), plan.key_first

        def entries(value: Any, put: Put) -> None:
            if isinstance(value, Struct):
                raise _wrong(value, plan.schema)
            _check(value, dict, plan.schema)
            if value:
                put(long_bytes(len(value)))
                for k, v in value.items():
                    if key_first:
                        key(k, put)
                        held(v, put)
                    else:
                        held(v, put)
                        key(k, put)
            put(b"\x00")

        return entries

    def _record(self, plan: RecordPlan) -> Write:
        known = self._records.get(id(plan))
        if known is not None:
            cell = known
            return lambda value, put: cell[0](value, put)  # noqa: PLW0108 - the cell is filled later
        cell = self._records[id(plan)] = []
        fields = [self._field(f) for f in plan.fields]
        names = frozenset(f.name for f in plan.schema.fields)
        schema = plan.schema

        def record(value: Any, put: Put) -> None:
            _check_struct(value, schema, names)
            get = dict.get
            for name, default, write in fields:
                item = get(value, name)
                try:
                    write(default if item is None else item, put)
                except FieldProblem as problem:
                    problem.path.append(name)
                    raise

        cell.append(record)
        return record

    def _field(self, member: FieldPlan) -> tuple[str, Any, Write]:
        if member.plan is None:
            assert member.avro is not None
            constant = constant_bytes(member.avro.schema, member.constant)
            return member.name, None, lambda value, put: put(constant)
        default = None if self._ignore_defaults else member.plan.schema.default
        return member.name, default, self.build(member.plan)

    def _union(self, plan: UnionPlan) -> Write:
        branches = [(n, long_bytes(i), self.build(p), None if self._ignore_defaults else p.schema.default)
                    for n, i, p in plan.branches]  # fmt: skip
        null = None if plan.null is None else long_bytes(plan.null)
        names = frozenset(f.name for f in plan.schema.fields)
        is_union = plan.avro.type == "union"

        def union(value: Any, put: Put) -> None:
            if value is not None:
                _check_struct(value, plan.schema, names)
                for name, index, write, default in branches:
                    item = dict.get(value, name)
                    item = default if item is None else item
                    if item is not None:
                        if is_union:
                            put(index)
                        try:
                            write(item, put)
                        except FieldProblem as problem:
                            problem.path.append(name)
                            raise
                        return
            if null is None or not plan.schema.optional:
                raise _null()
            put(null)

        return union


# -- scalars ------------------------------------------------------------------------------------------------------

_RANGE: Final = {
    Type.INT8: (-(2**7), 2**7 - 1, Int8),
    Type.INT16: (-(2**15), 2**15 - 1, Int16),
    Type.INT32: (-(2**31), 2**31 - 1, Int32),
    Type.INT64: (-(2**63), 2**63 - 1, None),
}


def _scalar(plan: ScalarPlan) -> Write:
    schema, target = plan.schema, plan.avro
    raw = _raw_writer(target)
    read = _LOGICAL.get(schema.name or "") or _PRIMITIVES[schema.type]

    def scalar(value: Any, put: Put) -> None:
        if value is None:
            raise _null()
        put(raw(read(schema, value)))

    return scalar


def _int(schema: Schema, value: Any) -> int:
    low, high, box = _RANGE[schema.type]
    kind = type(value)
    if kind is not int and kind is not box:
        raise _wrong(value, schema)
    if not low <= value <= high:
        raise _bad(DataError(f"Value {value} does not fit schema type {schema.type.name}: expected {low} to {high}"))
    return int(value)


def _float64(schema: Schema, value: Any) -> float:
    if type(value) is not float:
        raise _wrong(value, schema)
    return value


def _float32(schema: Schema, value: Any) -> float:
    if type(value) is not float and type(value) is not Float32:
        raise _wrong(value, schema)
    return float(value)


def _boolean(schema: Schema, value: Any) -> bool:
    if type(value) is not bool:
        raise _wrong(value, schema)
    return value


def _string(schema: Schema, value: Any) -> str:
    if not isinstance(value, str):
        raise _wrong(value, schema)
    return value


def _bytes(schema: Schema, value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise _wrong(value, schema)
    return bytes(value)


def _decimal(schema: Schema, value: Any) -> bytes:
    if not isinstance(value, Decimal):
        raise _bad(DataError(f"Invalid type for Decimal, expected BigDecimal but was class {java_class_name(value)}"))
    try:
        return decimal_to_bytes(value, decimal_scale(schema))
    except DataError as error:
        raise _bad(error) from None


def _date(schema: Schema, value: Any) -> int:
    if isinstance(value, dt.datetime):
        raise _bad(DataError("Kafka Connect Date type should not have any time fields set to non-zero values."))
    if isinstance(value, dt.date):
        return date_to_days(value)
    if _beyond(value, DATE_NAME) and value % MILLIS_PER_DAY == 0 and abs(value // MILLIS_PER_DAY) < 2**31:
        return int(value) // MILLIS_PER_DAY
    raise _bad(DataError(f"Invalid type for Date, expected Date but was class {java_class_name(value)}"))


def _time(schema: Schema, value: Any) -> int:
    if isinstance(value, dt.time):
        return time_to_millis(value)
    if type(value) is int and value == MILLIS_PER_DAY:
        return value
    if isinstance(value, dt.date):
        raise _bad(DataError("Kafka Connect Time type should not have any date fields set to non-zero values."))
    raise _bad(DataError(f"Invalid type for Time, expected Date but was class {java_class_name(value)}"))


def _timestamp(schema: Schema, value: Any) -> int:
    if isinstance(value, dt.datetime):
        try:
            return timestamp_to_millis(value)
        except DataError as error:
            raise _bad(error) from None
    if _beyond(value, TIMESTAMP_NAME):
        return int(value)
    raise _bad(DataError(f"Invalid type for Timestamp, expected Date but was class {java_class_name(value)}"))


_FIRST_MILLIS: Final = -62_135_596_800_000  # 0001-01-01
_LAST_MILLIS: Final = 253_402_300_799_999  # 9999-12-31T23:59:59.999


def _beyond(value: Any, name: str) -> bool:
    """True for milliseconds that Python's dates cannot hold: those alone travel as numbers."""
    return type(value) is int and not _FIRST_MILLIS <= value <= _LAST_MILLIS and -(2**63) <= value < 2**63


_PRIMITIVES: Final[dict[Type, Callable[[Schema, Any], Any]]] = {
    Type.INT8: _int,
    Type.INT16: _int,
    Type.INT32: _int,
    Type.INT64: _int,
    Type.FLOAT32: _float32,
    Type.FLOAT64: _float64,
    Type.BOOLEAN: _boolean,
    Type.STRING: _string,
    Type.BYTES: _bytes,
}
_LOGICAL: Final[dict[str, Callable[[Schema, Any], Any]]] = {
    DECIMAL_NAME: _decimal,
    DATE_NAME: _date,
    TIME_NAME: _time,
    TIMESTAMP_NAME: _timestamp,
}


def _raw_writer(avro: AvroSchema) -> Callable[[Any], bytes]:
    """From an Avro datum of the right Python type to bytes."""
    if avro.type == "enum":
        symbols = {s: long_bytes(i) for i, s in enumerate(avro.symbols)}

        def enum(value: str) -> bytes:
            found = symbols.get(value)
            if found is None:
                raise _bad(
                    _Failed(f"{value!r} is no symbol of enum {avro.full_name}: expected one of {', '.join(symbols)}")
                )
            return found

        return enum
    if avro.type == "fixed":
        return lambda value: _sized(value, avro)
    return _RAW[avro.type]


class _Failed(SerializationError):
    """A value Avro itself refuses: the converter words it as Confluent's serializer does."""


def _sized(value: bytes, avro: AvroSchema) -> bytes:
    if avro.props.get("logicalType") == "decimal" and len(value) < avro.size:
        return (b"\xff" if value[0] > 127 else b"\x00") * (avro.size - len(value)) + value
    if len(value) != avro.size:
        raise _bad(DataError(f"{len(value)} bytes do not fit fixed {avro.full_name}: expected exactly {avro.size}"))
    return value


def _text(value: str) -> bytes:
    try:
        data = value.encode()
    except UnicodeEncodeError:
        raise _bad(DataError(f"String {value!r} holds half of a surrogate pair, which UTF-8 cannot carry")) from None
    return long_bytes(len(data)) + data


def _single(value: float) -> bytes:
    try:
        return struct.pack("<f", value)
    except OverflowError:
        raise _bad(DataError(f"Value {value} does not fit schema type FLOAT32: it is beyond a 32-bit float")) from None


_RAW: Final[dict[str, Callable[[Any], bytes]]] = {
    "int": long_bytes,
    "long": long_bytes,
    "float": _single,
    "double": lambda v: struct.pack("<d", v),
    "boolean": lambda v: b"\x01" if v else b"\x00",
    "string": _text,
    "bytes": lambda v: long_bytes(len(v)) + v,
    "null": lambda v: b"",
}


# -- checks -------------------------------------------------------------------------------------------------------


def _bad(error: DataError) -> FieldProblem:
    return FieldProblem(error)


def _null() -> FieldProblem:
    return FieldProblem(DataError("Found null value for non-optional schema"))


def _wrong(value: Any, schema: Schema) -> FieldProblem:
    return FieldProblem(DataError(f"Invalid type for {schema.type.name}: class {java_class_name(value)}"))


def _check(value: Any, kind: Any, schema: Schema) -> None:
    if value is None:
        raise _null()
    if not isinstance(value, kind):
        raise _wrong(value, schema)


def _check_struct(value: Any, schema: Schema, names: frozenset[str]) -> None:
    _check(value, dict, schema)
    if isinstance(value, Struct):
        if value.schema is not schema and value.schema != schema.replace(optional=value.schema.optional):
            raise _bad(DataError("Mismatching struct schema"))
        return
    if not names.issuperset(value):
        unknown = next(name for name in value if name not in names)
        raise _bad(DataError(f"{unknown} is not a valid field name of {schema!r}"))


# -- values without schema ----------------------------------------------------------------------------------------

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
        return "float", _single(value)
    if isinstance(value, str):
        return "string", _text(value)
    return None, b""


def _unknown(value: Any) -> FieldProblem:
    return _bad(DataError(f"Unknown Java type for schemaless data: class {java_class_name(value)}"))


# -- constants ----------------------------------------------------------------------------------------------------


def constant_bytes(avro: AvroSchema, default: Any) -> bytes:
    """An Avro default (JSON) as bytes, for fields that the data's schema does not have."""
    kind = avro.type
    if kind == "union":
        return b"\x00" + constant_bytes(avro.types[0], default)
    if kind in ("bytes", "fixed"):
        return _raw_writer(avro)(default.encode("latin-1"))
    if kind == "array":
        assert avro.items is not None
        items = b"".join(constant_bytes(avro.items, item) for item in default)
        return (long_bytes(len(default)) + items if default else b"") + b"\x00"
    if kind == "map":
        assert avro.values is not None
        entries = b"".join(_text(k) + constant_bytes(avro.values, v) for k, v in in_java_order(default))
        return (long_bytes(len(default)) + entries if default else b"") + b"\x00"
    if kind in ("record", "error"):
        return b"".join(constant_bytes(f.schema, default.get(f.name, f.default)) for f in avro.fields)
    return _raw_writer(avro)(default)
