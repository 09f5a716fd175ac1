"""JSON trees to Connect values: ``JsonConverter.convertToConnect``.

Trees come from orjson. It reads numbers as floats where Jackson has BigDecimal and BigInteger; a reader that needs
more than the float raises `NeedsExact`, and the document is read again with exact numbers. Every reader takes both.

Kafka is lenient where types do not match: a text read as a number is 0, a number read as a string null, a number out
of range wraps. So are these readers.
"""

from __future__ import annotations

import binascii
import math
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from penstock.data import DECIMAL_NAME, Schema, Type, validate_value
from penstock.data.conversion import decimal_to_long, wrap
from penstock.data.javatext import to_float32
from penstock.data.logical import (
    DATE_NAME,
    MILLIS_PER_DAY,
    TIME_NAME,
    TIMESTAMP_NAME,
    date_from_days,
    decimal_from_bytes,
    decimal_scale,
    time_from_millis,
    timestamp_from_millis,
)
from penstock.errors import DataError
from penstock_converters.blame import add_field
from penstock_converters.json.text import MISSING, node_type
from penstock_converters.precision import Instants, Precision

__all__ = ["NeedsExact", "Reader", "Readers", "read_schemaless", "usual_test"]

Reader = Callable[[Any], Any]


class NeedsExact(Exception):
    """A float does not say enough: read the document with exact numbers."""


class Readers:
    """Makes readers of schemas, as the converter is configured."""

    def __init__(self, replace_null_with_default: bool, instants: Instants | None = None) -> None:
        self._replace = replace_null_with_default
        self._instants = instants

    def reader(self, schema: Schema) -> Reader:
        """A function from trees to values of `schema`. It raises `DataError`, or `NeedsExact`."""
        read = self._present(schema)
        default = self.stands_for_null(schema)
        optional, problem = schema.optional, f"Invalid null value for required {schema.type.name} field"

        def nullable(tree: Any) -> Any:
            if tree is not None:
                return read(tree)
            if default is not None:
                return default
            if optional:
                return None
            raise DataError(problem)

        return nullable

    def stands_for_null(self, schema: Schema) -> Any:
        """The default that is read where a document has null, or nothing; None if there is none."""
        return schema.default if self._replace else None

    def default(self, schema: Schema, tree: Any) -> Any:
        """Reads a default value out of a schema's JSON."""
        return self.reader(schema)(tree)

    def _present(self, schema: Schema) -> Reader:
        if schema.name == DECIMAL_NAME:
            return _decimal_reader(schema)
        if self._instants is not None and self._instants.of(schema).is_finer:
            return _finer_reader(self._instants.of(schema))
        if schema.name in _DATES:
            return _DATES[schema.name]
        match schema.type:
            case Type.INT8 | Type.INT16 | Type.INT32 | Type.INT64:
                return _integer_reader(int(schema.type.name[3:]))
            case Type.ARRAY:
                return self._array_reader(schema)
            case Type.MAP:
                return self._map_reader(schema)
            case Type.STRUCT:
                return self._struct_reader(schema)
        return _SCALARS[schema.type]

    def _array_reader(self, schema: Schema) -> Reader:
        assert schema.value_schema is not None
        item = self.reader(schema.value_schema)

        def read(tree: Any) -> list[Any]:
            if type(tree) is list:
                return [item(i) for i in tree]
            # Iterating over any other node of Jackson's gives its children, if it has some.
            return [item(i) for i in tree.values()] if type(tree) is dict else []

        return read

    def _map_reader(self, schema: Schema) -> Reader:
        assert schema.key_schema is not None
        assert schema.value_schema is not None
        key, item = self.reader(schema.key_schema), self.reader(schema.value_schema)

        def read_object(tree: Any) -> dict[Any, Any]:
            if type(tree) is not dict:
                raise DataError(
                    f"Maps with string fields should be encoded as JSON objects, but found {node_type(tree)}"
                )
            return {k: item(i) for k, i in tree.items()}

        def read_pairs(tree: Any) -> dict[Any, Any]:
            if type(tree) is not list:
                raise DataError(
                    f"Maps with non-string fields should be encoded as JSON array of tuples, but found {node_type(tree)}"
                )
            return dict(map(pair, tree))

        def pair(tree: Any) -> tuple[Any, Any]:
            if type(tree) is not list:
                raise DataError(f"Found invalid map entry instead of array tuple: {node_type(tree)}")
            if len(tree) != 2:
                raise DataError(f"Found invalid map entry, expected length 2 but found :{len(tree)}")
            k = key(tree[0])
            if isinstance(k, list | dict):
                raise DataError(
                    f"Found a map whose key is an {node_type(k)}: keys of arrays, maps and structs cannot be read"
                )
            return k, item(tree[1])

        return read_object if schema.key_schema.type is Type.STRING else read_pairs

    def _struct_reader(self, schema: Schema) -> Reader:
        """Generated: a test and an assignment a field, its reader called for what is not of the usual type."""
        names: dict[str, Any] = {"_slow": _not_an_object}
        lines = ["def read(tree):", "    if type(tree) is not dict:", "        _slow(tree)", "    get = tree.get"]
        for i, field in enumerate(schema.fields):
            names[f"r{i}"] = self.field_reader(field.name, field.schema)
            test = usual_test(field.schema, f"f{i}")
            lines.append(f"    f{i} = get({field.name!r})")
            lines.append(f"    if {test}: f{i} = r{i}(f{i})" if test else f"    f{i} = r{i}(f{i})")
        members = ", ".join(f"{f.name!r}: f{i}" for i, f in enumerate(schema.fields))
        lines.append(f"    return {{{members}}}")
        code = compile("\n".join(lines), f"<JSON reader for {repr(schema)!a}>", "exec")
        exec(code, names)  # noqa: S102 - the source holds field names only as quoted literals (repr)
        read: Reader = names["read"]
        return read

    def field_reader(self, name: str, schema: Schema) -> Reader:
        """A reader for a struct's field; what it raises names the field."""
        read = self.reader(schema)

        def field(tree: Any) -> Any:
            try:
                value = read(tree)
            except DataError as error:
                add_field(error, name)
                raise
            # Struct.put checks what was read: a number in a string's place gave null.
            if value is None or type(value) is list or type(value) is dict:
                validate_value(schema, value, name)
            return value

        return field


def usual_test(schema: Schema, var: str) -> str:
    """An expression: whether the reader is needed for what is in `var`. Empty if it always is. What is of the usual
    type is its own value."""
    if schema.name in _DATES or schema.name == DECIMAL_NAME:
        unusual = ""
    elif schema.type in (Type.INT8, Type.INT16, Type.INT32, Type.INT64):
        half = 1 << (int(schema.type.name[3:]) - 1)
        unusual = f"(type({var}) is not int or not {-half} <= {var} <= {half - 1})"
    else:
        unusual = {
            # a zero's sign is lost on the way, for BigDecimal has none
            Type.FLOAT64: f"(type({var}) is not float or {var} == 0.0)",
            Type.STRING: f"type({var}) is not str",
            Type.BOOLEAN: f"type({var}) is not bool",
        }.get(schema.type, "")
    null_is_null = schema.optional and schema.default is None
    return " and ".join(filter(None, [f"{var} is not None" if null_is_null else "", unusual]))


def _not_an_object(tree: Any) -> None:
    raise DataError(f"Structs should be encoded as JSON objects, but found {node_type(tree)}")


def _integer_reader(bits: int) -> Reader:
    low, high = -(1 << (bits - 1)), (1 << (bits - 1)) - 1

    def read(tree: Any) -> int:
        if type(tree) is int:
            return tree if low <= tree <= high else wrap(tree, bits)
        if type(tree) is float:
            raise NeedsExact
        return wrap(decimal_to_long(tree), bits) if isinstance(tree, Decimal) else 0

    return read


def _double(tree: Any) -> float:
    if type(tree) is float:
        return tree + 0.0
    if type(tree) is int:
        try:
            return float(tree)
        except OverflowError:
            return math.inf if tree > 0 else -math.inf
    return float(tree) if isinstance(tree, Decimal) else 0.0


def _float(tree: Any) -> float:
    if type(tree) is float:
        if tree == 0.0 or struct.unpack(">q", struct.pack(">d", tree))[0] & 0x1FFFFFFF != 0x10000000:
            return to_float32(tree) + 0.0
        raise NeedsExact  # on a tie between two floats: the digits decide
    return to_float32(tree) if type(tree) is int or isinstance(tree, Decimal) else 0.0


def _bytes(tree: Any) -> bytes | None:
    if not isinstance(tree, str):
        return None
    try:
        return base64_bytes(tree)
    except ValueError as error:
        raise DataError("Invalid bytes field") from DataError(str(error))


def base64_bytes(text: str) -> bytes:
    """Base64 as Jackson reads it: padded, with blanks only between groups of four. A ValueError otherwise."""
    try:
        return binascii.a2b_base64(text, strict_mode=True)
    except (binascii.Error, ValueError):
        return b"".join(map(_group, _groups(text)))


def _groups(text: str) -> list[str]:
    groups, position = [], 0
    while position < len(text):
        if text[position] <= " ":
            position += 1
            continue
        groups.append(text[position : position + 4])
        position += 4
    return groups


def _group(group: str) -> bytes:
    try:
        return binascii.a2b_base64(group, strict_mode=True)
    except (binascii.Error, ValueError) as error:
        raise ValueError(f"{group!r} is not Base64: {error}") from None


_SCALARS: Final[dict[Type, Reader]] = {
    Type.FLOAT32: _float,
    Type.FLOAT64: _double,
    Type.BOOLEAN: lambda tree: tree is True,
    Type.STRING: lambda tree: tree if isinstance(tree, str) else None,
    Type.BYTES: _bytes,
}


def _decimal_reader(schema: Schema) -> Reader:
    def read(tree: Any) -> Decimal:
        if isinstance(tree, str):
            try:
                return decimal_from_bytes(base64_bytes(tree), decimal_scale(schema))
            except (ValueError, DataError) as error:
                raise DataError("Invalid bytes for Decimal field") from DataError(str(error))
        if isinstance(tree, Decimal):
            return tree
        if type(tree) is int:
            return Decimal(tree)
        if type(tree) is float:
            raise NeedsExact
        raise DataError(
            f"Invalid type for Decimal, underlying representation should be numeric or bytes but was {node_type(tree)}"
        )

    return read


def _int32(tree: Any, kind: str) -> int:
    if type(tree) is int and -(2**31) <= tree < 2**31:
        return tree
    raise DataError(f"Invalid type for {kind}, underlying representation should be integer but was {node_type(tree)}")


def _date(tree: Any) -> Any:
    days = _int32(tree, "Date")
    try:
        return date_from_days(days)
    except DataError:
        return days * MILLIS_PER_DAY  # beyond Python's years


def _time(tree: Any) -> Any:
    millis = _int32(tree, "Time")
    return millis if millis == MILLIS_PER_DAY else time_from_millis(millis)


def _long(tree: Any) -> int:
    if type(tree) is float:
        raise NeedsExact  # may be an integer beyond 64 bits
    if type(tree) is not int:
        raise DataError(
            f"Invalid type for Timestamp, underlying representation should be integral but was {node_type(tree)}"
        )
    return wrap(tree, 64)


def _finer_reader(precision: Precision) -> Reader:
    instant = precision.instant
    return lambda tree: instant(_long(tree))


def _timestamp(tree: Any) -> Any:
    millis = tree if type(tree) is int and -(2**63) <= tree < 2**63 else _long(tree)
    try:
        return timestamp_from_millis(millis)
    except DataError:
        return millis  # beyond Python's years


_DATES: Final[dict[str | None, Reader]] = {DATE_NAME: _date, TIME_NAME: _time, TIMESTAMP_NAME: _timestamp}


def read_schemaless(tree: Any) -> Any:
    """A tree as a value without a schema: integers of 64 bits, doubles, lists, maps.

    Gives `tree` itself where nothing in it has to change, which is nearly always.
    """
    if tree is MISSING:
        return None
    try:
        return tree if _is_plain(tree) else _plain(tree)
    except RecursionError:
        raise DataError("The document is nested too deeply") from None


_AS_THEY_ARE: Final = frozenset({str, bool, type(None)})


def _is_plain(tree: Any) -> bool:
    kind = type(tree)
    if kind in _AS_THEY_ARE:
        return True
    if kind is int:
        return bool(-(2**63) <= tree < 2**63)
    if kind is float:
        if abs(tree) >= 2**63:
            raise NeedsExact  # may be an integer, which would wrap
        return bool(tree != 0.0)
    if kind is dict:
        tree = tree.values()
    elif kind is not list:
        return False
    return all(type(item) in _AS_THEY_ARE or _is_plain(item) for item in tree)


def _plain(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {k: _plain(v) for k, v in tree.items()}
    if isinstance(tree, list):
        return [_plain(v) for v in tree]
    if type(tree) is int:
        return wrap(tree, 64)
    if isinstance(tree, float):
        if abs(tree) >= 2**63:
            raise NeedsExact  # see _is_plain
        return tree + 0.0
    return _double(tree) if isinstance(tree, Decimal) else tree
