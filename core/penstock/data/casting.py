"""Values cast from one type to another, by the rules of ``org.apache.kafka.connect.data.Values``, as far as no text is parsed.

Numbers are narrowed as Java narrows them: integers wrap, floats are cut towards zero and stop at the ends. What comes
back is the plain value of the type named; ``convert_to_time`` and its like give milliseconds where Python's types
cannot hold the result.
"""

from __future__ import annotations

import base64
import datetime as dt
import math
from decimal import Decimal
from typing import Any, Final

from penstock.data.javatext import java_text, millis_of
from penstock.data.logical import (
    DATE_NAME,
    DECIMAL_NAME,
    MILLIS_PER_DAY,
    TIME_NAME,
    TIMESTAMP_NAME,
    date_from_days,
    decimal_from_bytes,
    decimal_scale,
    time_from_millis,
    timestamp_from_millis,
)
from penstock.data.schema import Schema, Type
from penstock.data.struct import Struct
from penstock.data.values import Float32, java_class_name
from penstock.errors import DataError
from penstock.java.number_text import double_text, float_text
from penstock.java.numbers import decimal_to_long, java_decimal, to_float32, wrap

__all__ = [
    "NULL_REFUSED",
    "cast",
    "convert_to_decimal",
    "convert_to_double",
    "convert_to_float",
    "convert_to_integer",
    "convert_to_string",
    "convert_to_struct",
    "to_boolean",
    "to_date",
    "to_list",
    "to_map",
    "to_time",
    "to_timestamp",
]

NULL_REFUSED: Final = "Unable to convert a null value to a schema that requires a value"


def _cannot(value: Any, schema: Schema | None, target: object) -> DataError:
    """`schema` is the value's own, which tells an Integer from a Long."""
    return DataError(
        f"Unable to convert {java_text(value, schema)} (class {java_class_name(value, schema)}) to {target}"
    )


def _as_long(value: Any, schema: Schema | None) -> int:
    """Any number, number's text or point in time as a Java ``long``."""
    cause: ValueError | None = None
    if isinstance(value, int) and not isinstance(value, bool):
        if _is_logical(schema):  # milliseconds that Python's types could not hold
            return _logical_number(schema, value)
        return wrap(value, 64)
    if isinstance(value, float):
        if math.isnan(value):
            return 0
        return int(value) if abs(value) < 2**63 else 2**63 - 1 if value > 0 else -(2**63)
    if isinstance(value, Decimal):
        return decimal_to_long(value)
    if isinstance(value, str):
        try:
            return decimal_to_long(java_decimal(value))
        except ValueError as error:
            cause = error
    if schema is None:
        raise _cannot(value, schema, "a number") from cause
    if isinstance(value, dt.date | dt.time) and _is_logical(schema):
        return _logical_number(schema, millis_of(value))
    raise _cannot(value, schema, schema) from cause


def _is_logical(schema: Schema | None) -> bool:
    return schema is not None and schema.name in (DATE_NAME, TIME_NAME, TIMESTAMP_NAME)


def _logical_number(schema: Schema | None, millis: int) -> int:
    assert schema is not None
    if schema.name == DATE_NAME:
        if millis % MILLIS_PER_DAY:
            raise DataError("Kafka Connect Date type should not have any time fields set to non-zero values.")
        return millis // MILLIS_PER_DAY
    if schema.name == TIME_NAME and not 0 <= millis <= MILLIS_PER_DAY:
        raise DataError("Kafka Connect Time type should not have any date fields set to non-zero values.")
    return millis


def _as_double(value: Any, schema: Schema | None) -> float:
    if isinstance(value, float):
        return value
    if isinstance(value, int) and not isinstance(value, bool) and not _is_logical(schema):
        try:
            return float(int(value))
        except OverflowError:
            return math.inf if value > 0 else -math.inf
    if isinstance(value, Decimal):
        return float(value)
    if isinstance(value, str):
        try:
            return float(java_decimal(value))
        except ValueError:
            pass  # the words of the error are _as_long's
    return float(_as_long(value, schema))


def to_boolean(schema: Schema | None, value: Any) -> bool:
    """Return true for true and for a number that is not zero."""
    return value if isinstance(value, bool) else _as_long(value, schema) != 0


def convert_to_integer(schema: Schema | None, value: Any, bits: int) -> int | None:
    """``convertToByte``, ``Short``, ``Integer`` and ``Long``: `bits` is 8, 16, 32 or 64."""
    return None if value is None else wrap(_as_long(value, schema), bits)


def convert_to_float(schema: Schema | None, value: Any) -> float | None:
    """``convertToFloat``: a double rounded to 32 bits."""
    return None if value is None else to_float32(_as_double(value, schema))


def convert_to_double(schema: Schema | None, value: Any) -> float | None:
    if isinstance(value, Float32):
        return float(value)
    return None if value is None else _as_double(value, schema)


def convert_to_string(schema: Schema | None, value: Any) -> str | None:
    """The text that `parse_string` reads back: JSON for the most part, dates in ISO 8601, bytes in Base64."""
    return None if value is None else _text(value, schema, embedded=False)


def _text(value: Any, schema: Schema | None, embedded: bool) -> str:
    match value:
        case str():
            if not embedded:
                return value
            escaped = value.replace("\\", "\\\\").replace('"', '\\"')
            return f'"{escaped}"'
        case int() if _is_logical(schema) and not isinstance(value, bool):
            return _millis_text(value)
        case None | bool() | int() | Decimal():
            return java_text(value)
        case float():
            single = isinstance(value, Float32) or (schema is not None and schema.type is Type.FLOAT32)
            return float_text(value) if single else double_text(value)
        case bytes() | bytearray() | memoryview():
            encoded = base64.b64encode(value).decode("ascii")
            return f'"{encoded}"' if embedded else encoded
        case list() | tuple():
            item = schema.value_schema if schema is not None and schema.type is Type.ARRAY else None
            return f"[{','.join(_text(v, item, True) for v in value)}]"
        case dict():
            return _mapping_text(value, schema)
        case dt.date() | dt.time():
            return _millis_text(millis_of(value))
    raise DataError(f"Failed to serialize unexpected value type {java_class_name(value)}: {value}")


def _mapping_text(value: dict[Any, Any], schema: Schema | None) -> str:
    own = value.schema if isinstance(value, Struct) else schema
    if own is not None and own.type is Type.STRUCT:
        fields = ((f, dict.get(value, f.name)) for f in own.fields)
        # Struct.get fills in defaults.
        filled = ((f, f.schema.default if v is None else v) for f, v in fields)
        return f"{{{','.join(f'{_text(f.name, None, True)}:{_text(v, f.schema, True)}' for f, v in filled)}}}"
    key, item = (own.key_schema, own.value_schema) if own is not None and own.type is Type.MAP else (None, None)
    return f"{{{','.join(f'{_text(k, key, True)}:{_text(v, item, True)}' for k, v in value.items())}}}"


def _millis_text(millis: int) -> str:
    """``Values.dateFormatFor``: it looks at the number alone, so everything before 1970-01-02 is a time of day."""
    seconds, ms = divmod(millis % MILLIS_PER_DAY, 1000)
    time = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}.{ms:03}Z"
    if millis < MILLIS_PER_DAY:
        return time
    date = date_from_days(millis // MILLIS_PER_DAY).isoformat()
    return date if millis % MILLIS_PER_DAY == 0 else f"{date}T{time}"


def to_list(schema: Schema | None, value: Any) -> list[Any]:
    """Return the items of a list; nothing else can become one."""
    if isinstance(value, list | tuple):
        return list(value)
    raise _cannot(value, schema, "Schema{ARRAY}")


def to_map(schema: Schema | None, value: Any) -> dict[Any, Any]:
    """Return a map as it is; nothing else can become one, a struct neither."""
    is_struct = isinstance(value, Struct) or (schema is not None and schema.type is Type.STRUCT)
    if isinstance(value, dict) and not is_struct:
        return value
    raise _cannot(value, schema, "Schema{MAP}")


def convert_to_struct(schema: Schema | None, value: Any) -> dict[str, Any]:
    """A struct as it is; nothing else can become one."""
    if value is None:
        raise DataError(NULL_REFUSED)
    if isinstance(value, Struct) or (isinstance(value, dict) and schema is not None and schema.type is Type.STRUCT):
        return value
    raise _cannot(value, schema, "Schema{STRUCT}")


def to_time(schema: Schema | None, value: Any) -> dt.time | int:
    """A time of day: of a time, of a timestamp, or of a number of milliseconds."""
    millis = _date_millis(value, schema)
    if millis is not None:
        if schema is None or schema.name == TIME_NAME:
            return value if not isinstance(value, dt.datetime) else _time(millis % MILLIS_PER_DAY)
        if schema.name == TIMESTAMP_NAME:
            return _time(millis % MILLIS_PER_DAY)
    return _time(wrap(_as_long(value, schema), 32))


def _time(millis: int) -> dt.time | int:
    return millis if millis == MILLIS_PER_DAY else time_from_millis(millis)


def to_date(schema: Schema | None, value: Any) -> dt.date | int:
    """A date: of a date, of a timestamp, or of a number of days."""
    millis = _date_millis(value, schema)
    if millis is not None and (schema is None or schema.name in (DATE_NAME, TIMESTAMP_NAME)):
        # Java divides towards zero here, not down.
        days = millis // MILLIS_PER_DAY if millis >= 0 else -(-millis // MILLIS_PER_DAY)
        return _date(days)
    return _date(wrap(_as_long(value, schema), 32))


def _date(days: int) -> dt.date | int:
    try:
        return date_from_days(days)
    except DataError:
        return days * MILLIS_PER_DAY


def to_timestamp(schema: Schema | None, value: Any) -> dt.datetime | int:
    """A point in time: of a date, a time, a timestamp, or of a number of milliseconds since the epoch."""
    millis = _date_millis(value, schema)
    if millis is None or (schema is not None and not _is_logical(schema)):
        millis = _as_long(value, schema)
    try:
        return timestamp_from_millis(millis)
    except DataError:
        return millis


def _date_millis(value: Any, schema: Schema | None) -> int | None:
    """Return the value that a ``java.util.Date`` has here; None if `value` is no date."""
    if isinstance(value, dt.date | dt.time):
        return millis_of(value)
    if isinstance(value, int) and not isinstance(value, bool) and _is_logical(schema):
        return int(value)
    return None


def convert_to_decimal(schema: Schema | None, value: Any, scale: int) -> Decimal:
    """A decimal; `scale` is only used for bytes, everything else keeps the scale it has."""
    if value is None:
        raise DataError(NULL_REFUSED)
    if isinstance(value, Decimal):
        return value
    if isinstance(value, bytes | bytearray | memoryview):
        return decimal_from_bytes(bytes(value), scale)
    if isinstance(value, int | float) and not isinstance(value, bool) and not _is_logical(schema):
        wide = isinstance(value, int) and java_class_name(value, schema) == "java.math.BigInteger"
        if wide:
            return Decimal(int(value))
        number = _as_double(value, schema)
        if not math.isfinite(number):
            raise DataError(f"Unable to convert {double_text(number)} to a decimal: it is not a finite number")
        return Decimal(double_text(number))
    if isinstance(value, str):
        try:
            return java_decimal(value)
        except ValueError as error:
            raise DataError(f"Unable to convert the text to a decimal: {error}") from None
    raise _cannot(value, schema, f"Schema{{{DECIMAL_NAME}:BYTES}}")


_BITS: Final = {Type.INT8: 8, Type.INT16: 16, Type.INT32: 32, Type.INT64: 64}


def cast(target: Schema, schema: Schema | None, value: Any) -> Any:
    """Return `value`, of `schema` or of none, as a value of `target`. Text stands for what Java's casts make of it: it is not parsed."""
    if value is None:
        if target.optional:
            return None
        raise DataError(NULL_REFUSED)
    match target.type:
        case Type.BYTES if target.name == DECIMAL_NAME:
            return convert_to_decimal(schema, value, decimal_scale(target))
        case Type.BYTES if isinstance(value, bytes | bytearray | memoryview | Decimal):
            return value
        case Type.STRING:
            return convert_to_string(schema, value)
        case Type.BOOLEAN:
            return to_boolean(schema, value)
        case Type.INT32 if target.name == DATE_NAME:
            return to_date(schema, value)
        case Type.INT32 if target.name == TIME_NAME:
            return to_time(schema, value)
        case Type.INT64 if target.name == TIMESTAMP_NAME:
            return to_timestamp(schema, value)
        case Type.INT8 | Type.INT16 | Type.INT32 | Type.INT64:
            return convert_to_integer(schema, value, _BITS[target.type])
        case Type.FLOAT32:
            return convert_to_float(schema, value)
        case Type.FLOAT64:
            return convert_to_double(schema, value)
        case Type.ARRAY:
            return to_list(schema, value)
        case Type.MAP:
            return to_map(schema, value)
        case Type.STRUCT:
            return convert_to_struct(schema, value)
    raise _cannot(value, schema, target)
