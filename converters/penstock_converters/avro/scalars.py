"""Single values as Avro bytes, with the checks and the words of ``AvroData.fromConnectData``."""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from penstock.data import (
    DECIMAL_NAME,
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
)
from penstock.errors import DataError, SerializationError
from penstock_converters.avro.fixed import widened
from penstock_converters.avro.plan import (
    ScalarPlan,
)
from penstock_converters.avro.varint import long_bytes
from penstock_converters.precision import Precision
from penstock_registry.formats.avro.model import AvroSchema

__all__ = [
    "FieldProblem",
    "bad",
    "check",
    "check_struct",
    "null_problem",
    "raw_writer",
    "scalar_writer",
    "single_bytes",
    "text_bytes",
    "wrong_type",
]

Put = Callable[[bytes], None]
Write = Callable[[Any, Put], None]


class FieldProblem(Exception):
    """A `DataError` on its way out of nested fields, gathering their names."""

    def __init__(self, error: DataError) -> None:
        super().__init__(str(error))
        self.error = error
        self.path: list[str] = []

    def to_error(self) -> DataError:
        if self.path:  # a note, so that the message stays the one users know from Confluent's converter
            self.error.add_note(f"Field: {'.'.join(reversed(self.path))}")
        return self.error


_RANGE: Final = {
    Type.INT8: (-(2**7), 2**7 - 1, Int8),
    Type.INT16: (-(2**15), 2**15 - 1, Int16),
    Type.INT32: (-(2**31), 2**31 - 1, Int32),
    Type.INT64: (-(2**63), 2**63 - 1, None),
}


def scalar_writer(plan: ScalarPlan) -> Write:
    schema, target = plan.schema, plan.avro
    raw = raw_writer(target)
    read = _LOGICAL.get(schema.name or "") or _PRIMITIVES[schema.type]
    if schema.name == TIMESTAMP_NAME:
        read = _timestamp(plan.precision)
    if schema.type in _RANGE and target.type in _EXACT:
        read = _exact(read, _EXACT[target.type], target.type)

    def scalar(value: Any, put: Put) -> None:
        if value is None:
            raise null_problem()
        put(raw(read(schema, value)))

    return scalar


#: The packed forms that a whole number may be promoted to.
_EXACT: Final = {"float": struct.Struct("<f"), "double": struct.Struct("<d")}


def _exact(read: Callable[[Schema, Any], Any], packed: struct.Struct, kind: str) -> Callable[[Schema, Any], float]:
    """Whole numbers as Avro's `kind`, as long as it can hold them."""

    def number(schema: Schema, value: Any) -> float:
        whole = read(schema, value)
        near: float = packed.unpack(packed.pack(whole))[0]
        if near != whole:
            raise bad(DataError(f"Value {whole} would be changed by being written as the Avro type {kind}"))
        return near

    return number


def _int(schema: Schema, value: Any) -> int:
    low, high, box = _RANGE[schema.type]
    kind = type(value)
    if kind is not int and kind is not box:
        raise wrong_type(value, schema)
    if not low <= value <= high:
        raise bad(DataError(f"Value {value} does not fit schema type {schema.type.name}: expected {low} to {high}"))
    return int(value)


def _float64(schema: Schema, value: Any) -> float:
    if type(value) is not float:
        raise wrong_type(value, schema)
    return value


def _float32(schema: Schema, value: Any) -> float:
    if type(value) is not float and type(value) is not Float32:
        raise wrong_type(value, schema)
    return float(value)


def _boolean(schema: Schema, value: Any) -> bool:
    if type(value) is not bool:
        raise wrong_type(value, schema)
    return value


def _string(schema: Schema, value: Any) -> str:
    if not isinstance(value, str):
        raise wrong_type(value, schema)
    return value


def _bytes(schema: Schema, value: Any) -> bytes:
    if not isinstance(value, bytes | bytearray | memoryview):
        raise wrong_type(value, schema)
    return bytes(value)


def _decimal(schema: Schema, value: Any) -> bytes:
    if not isinstance(value, Decimal):
        raise bad(DataError(f"Invalid type for Decimal, expected BigDecimal but was class {java_class_name(value)}"))
    try:
        return decimal_to_bytes(value, decimal_scale(schema))
    except DataError as error:
        raise bad(error) from None


def _date(schema: Schema, value: Any) -> int:
    if isinstance(value, dt.datetime):
        raise bad(DataError("Kafka Connect Date type should not have any time fields set to non-zero values."))
    if isinstance(value, dt.date):
        return date_to_days(value)
    if _beyond(value, DATE_NAME) and value % MILLIS_PER_DAY == 0 and abs(value // MILLIS_PER_DAY) < 2**31:
        return int(value) // MILLIS_PER_DAY
    raise bad(DataError(f"Invalid type for Date, expected Date but was class {java_class_name(value)}"))


def _time(schema: Schema, value: Any) -> int:
    if isinstance(value, dt.time):
        return time_to_millis(value)
    if type(value) is int and value == MILLIS_PER_DAY:
        return value
    if isinstance(value, dt.date):
        raise bad(DataError("Kafka Connect Time type should not have any date fields set to non-zero values."))
    raise bad(DataError(f"Invalid type for Time, expected Date but was class {java_class_name(value)}"))


def _timestamp(precision: Precision) -> Callable[[Schema, Any], int]:
    def count(schema: Schema, value: Any) -> int:
        try:
            return precision.count(value)
        except DataError as error:
            raise bad(error) from None

    return count


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
}


def raw_writer(avro: AvroSchema) -> Callable[[Any], bytes]:
    """Return a function from an Avro datum of the right Python type to its bytes."""
    if avro.type == "enum":
        symbols = {s: long_bytes(i) for i, s in enumerate(avro.symbols)}

        def enum(value: str) -> bytes:
            found = symbols.get(value)
            if found is None:
                raise bad(
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
        return widened(value, avro.size)
    if len(value) != avro.size:
        raise bad(DataError(f"{len(value)} bytes do not fit fixed {avro.full_name}: expected exactly {avro.size}"))
    return value


def text_bytes(value: str) -> bytes:
    try:
        data = value.encode()
    except UnicodeEncodeError:
        raise bad(DataError(f"String {value!r} holds half of a surrogate pair, which UTF-8 cannot carry")) from None
    return long_bytes(len(data)) + data


def single_bytes(value: float) -> bytes:
    try:
        return struct.pack("<f", value)
    except OverflowError:
        raise bad(DataError(f"Value {value} does not fit schema type FLOAT32: it is beyond a 32-bit float")) from None


_RAW: Final[dict[str, Callable[[Any], bytes]]] = {
    "int": long_bytes,
    "long": long_bytes,
    "float": single_bytes,
    "double": lambda v: struct.pack("<d", v),
    "boolean": lambda v: b"\x01" if v else b"\x00",
    "string": text_bytes,
    "bytes": lambda v: long_bytes(len(v)) + v,
    "null": lambda v: b"",
}


# -- checks -------------------------------------------------------------------------------------------------------


def bad(error: DataError) -> FieldProblem:
    return FieldProblem(error)


def null_problem() -> FieldProblem:
    return FieldProblem(DataError("Found null value for non-optional schema"))


def wrong_type(value: Any, schema: Schema) -> FieldProblem:
    return FieldProblem(DataError(f"Invalid type for {schema.type.name}: class {java_class_name(value)}"))


def check(value: Any, kind: Any, schema: Schema) -> None:
    if value is None:
        raise null_problem()
    if not isinstance(value, kind):
        raise wrong_type(value, schema)


def check_struct(value: Any, schema: Schema, names: frozenset[str]) -> None:
    check(value, dict, schema)
    if isinstance(value, Struct):
        if value.schema is not schema and value.schema != schema.replace(optional=value.schema.optional):
            raise bad(DataError("Mismatching struct schema"))
        return
    if not names.issuperset(value):
        unknown = next(name for name in value if name not in names)
        raise bad(DataError(f"{unknown} is not a valid field name of {schema!r}"))
