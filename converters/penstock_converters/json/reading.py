"""JSON trees to Connect values: ``JsonConverter.convertToConnect``.

Trees come from orjson. It reads numbers as floats where Jackson has BigDecimal and BigInteger; a reader that needs
more than the float raises `NeedsExact`, and the document is read again with exact numbers. Every reader takes both.

A value is read as what it is, or it is an error that names the field. Kafka reads a text as the number 0, a number as
no string, and lets a number out of range wrap: data is then lost without a word, which these readers refuse to do.
"""

from __future__ import annotations

import binascii
import math
import struct
from collections.abc import Callable
from decimal import Decimal
from operator import length_hint
from typing import Any, Final

from penstock.data import BOOLEAN, BYTES, DECIMAL_NAME, STRING, Schema, Type
from penstock.data.keys import as_key
from penstock.data.logical import (
    DATE_NAME,
    MILLIS_PER_DAY,
    TIME_NAME,
    TIMESTAMP_NAME,
    date_from_days,
    decimal_from_bytes,
    decimal_scale,
    scale_of,
    time_from_millis,
    timestamp_from_millis,
)
from penstock.errors import DataError
from penstock.java.numbers import to_float32
from penstock_converters.blame import Misfit, add_field
from penstock_converters.codegen import Source
from penstock_converters.json.text import MISSING, node_type
from penstock_converters.precision import Instants, Precision

__all__ = ["NeedsExact", "Reader", "Readers", "read_entries", "read_schemaless", "usual_test", "wrong_type"]

Reader = Callable[[Any], Any]


class NeedsExact(Exception):
    """A float does not say enough: read the document with exact numbers."""


#: Zeros that a default's number may get to have its schema's scale.
_MAX_PADDING: Final = 1000


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
        """Reads a default value out of a schema's JSON. A Decimal gets its schema's scale, if no digit is lost by that:
        a registry may have written ``1.50`` as ``1.5``."""
        value = self.reader(schema)(tree)
        if schema.name == DECIMAL_NAME and isinstance(value, Decimal):
            missing = decimal_scale(schema) - scale_of(value)
            if 0 < missing <= _MAX_PADDING:
                sign, digits, exponent = value.as_tuple()
                return Decimal((sign, digits + (0,) * missing, int(exponent) - missing))
        return value

    def _present(self, schema: Schema) -> Reader:
        if schema.name == DECIMAL_NAME:
            return _decimal_reader(schema)
        if self._instants is not None and self._instants.of(schema).is_finer:
            return _finer_reader(self._instants.of(schema))
        if schema.name in _DATES:
            return _DATES[schema.name]
        match schema.type:
            case Type.INT8 | Type.INT16 | Type.INT32 | Type.INT64:
                return _integer_reader(schema)
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
            if type(tree) is not list:
                raise wrong_type(schema, tree)
            items = iter(tree)
            try:
                return [item(i) for i in items]
            except DataError as error:
                add_field(error, f"[{len(tree) - length_hint(items) - 1}]")
                raise

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
            entries = iter(tree.items())
            try:
                return {k: item(i) for k, i in entries}
            except DataError as error:
                add_field(error, f"[{list(tree)[len(tree) - length_hint(entries) - 1]!r}]")
                raise

        def read_pairs(tree: Any) -> dict[Any, Any]:
            if type(tree) is not list:
                raise DataError(
                    f"Maps with non-string fields should be encoded as JSON array of tuples, but found {node_type(tree)}"
                )
            return read_entries(tree, pair)

        def pair(tree: Any) -> tuple[Any, Any]:
            if type(tree) is not list:
                raise DataError(f"Found invalid map entry instead of array tuple: {node_type(tree)}")
            if len(tree) != 2:
                raise DataError(f"Found invalid map entry, expected length 2 but found :{len(tree)}")
            return as_key(key(tree[0])), item(tree[1])

        return read_object if schema.key_schema.type is Type.STRING else read_pairs

    def _struct_reader(self, schema: Schema) -> Reader:
        """Generated: a test and an assignment a field, its reader called for what is not of the usual type."""
        source = Source(f"JSON reader for {schema!r}", {"slow": _not_an_object})
        with source.function("read", "tree"):
            source.line("if type(tree) is not dict: slow(tree)")
            source.line("get = tree.get")
            for i, field in enumerate(schema.fields):
                reader = source.constant(self.field_reader(field.name, field.schema))
                test = usual_test(field.schema, f"f{i}")
                source.line(f"f{i} = get({field.name!r})")
                source.line(f"if {test}: f{i} = {reader}(f{i})" if test else f"f{i} = {reader}(f{i})")
            members = ", ".join(f"{f.name!r}: f{i}" for i, f in enumerate(schema.fields))
            source.line(f"return {{{members}}}")
        read: Reader = source.build("read")
        return read

    def field_reader(self, name: str, schema: Schema) -> Reader:
        """A reader for a struct's field; what it raises names the field."""
        read = self.reader(schema)

        def field(tree: Any) -> Any:
            try:
                return read(tree)
            except DataError as error:
                add_field(error, name)
                raise

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


def wrong_type(schema: Schema, tree: Any) -> Misfit:
    """The error for JSON of another type than `schema` has."""
    expected, met = _EXPECTED[schema.type], node_type(tree)
    return Misfit(f"Invalid type for {schema.type.name}, expected {expected} but was {met}")


_EXPECTED: Final[dict[Type, str]] = {
    **dict.fromkeys((Type.INT8, Type.INT16, Type.INT32, Type.INT64), "a whole number"),
    Type.FLOAT32: "a number",
    Type.FLOAT64: "a number",
    Type.BOOLEAN: "true or false",
    Type.STRING: "text",
    Type.BYTES: "text in Base64",
    Type.ARRAY: "an array",
}


def read_entries(trees: list[Any], pair: Callable[[Any], tuple[Any, Any]]) -> dict[Any, Any]:
    """A map of the entries that `pair` reads; an error's note names the entry's position."""
    items = iter(trees)
    try:
        return dict(map(pair, items))
    except DataError as error:
        add_field(error, f"[{len(trees) - length_hint(items) - 1}]")
        raise


def _integer_reader(schema: Schema) -> Reader:
    half = 1 << (int(schema.type.name[3:]) - 1)
    low, high = -half, half - 1

    def read(tree: Any) -> int:
        number = tree
        if type(tree) is float:
            raise NeedsExact
        if isinstance(tree, Decimal):
            number = _whole(tree)
            if number is None:
                raise Misfit(f"Invalid value for {schema.type.name}, expected a whole number but was {_shown(tree)}")
        elif type(tree) is not int:
            raise wrong_type(schema, tree)
        if low <= number <= high:
            return int(number)
        raise Misfit(f"Value {_shown(tree)} does not fit {schema.type.name}: expected {low} to {high}")

    return read


def _whole(number: Decimal) -> int | Decimal | None:
    """An integer for a number without a fraction. A number beyond 64 bits stays a Decimal, however large it is."""
    if number.adjusted() > _MAX_LONG_DIGITS:
        return number
    whole = int(number)
    return whole if whole == number else None


_MAX_LONG_DIGITS: Final = 19
_MAX_SHOWN: Final = 40


def _shown(number: Any) -> str:
    text = str(number)
    return text if len(text) <= _MAX_SHOWN else f"{text[:_MAX_SHOWN]}..."


#: The texts that `penstock_converters.json.writing` writes for doubles that JSON has no numbers for.
_ODD_NUMBERS: Final = {"NaN": math.nan, "Infinity": math.inf, "-Infinity": -math.inf}


def _odd_number(tree: Any, kind: Type) -> float:
    if isinstance(tree, str) and tree in _ODD_NUMBERS:
        return _ODD_NUMBERS[tree]
    raise wrong_type(Schema(kind), tree)


def _finite(number: float, tree: Any, kind: Type) -> float:
    if math.isinf(number):
        raise Misfit(f"Value {_shown(tree)} does not fit {kind.name}: it is beyond the largest number of that type")
    return number


def _double(tree: Any) -> float:
    if type(tree) is float:
        return tree + 0.0
    if type(tree) is int:
        try:
            return float(tree)
        except OverflowError:
            return _finite(math.inf, tree, Type.FLOAT64)
    return _finite(float(tree), tree, Type.FLOAT64) if isinstance(tree, Decimal) else _odd_number(tree, Type.FLOAT64)


def _float(tree: Any) -> float:
    if type(tree) is float:
        if tree == 0.0 or struct.unpack(">q", struct.pack(">d", tree))[0] & 0x1FFFFFFF != 0x10000000:
            return _finite(to_float32(tree), tree, Type.FLOAT32) + 0.0
        raise NeedsExact  # on a tie between two floats: the digits decide
    if type(tree) is int or isinstance(tree, Decimal):
        return _finite(to_float32(tree), tree, Type.FLOAT32) + 0.0
    return _odd_number(tree, Type.FLOAT32)


def _boolean(tree: Any) -> bool:
    if type(tree) is not bool:
        raise wrong_type(BOOLEAN, tree)
    return tree


def _string(tree: Any) -> str:
    if not isinstance(tree, str):
        raise wrong_type(STRING, tree)
    return tree


def _bytes(tree: Any) -> bytes:
    if not isinstance(tree, str):
        raise wrong_type(BYTES, tree)
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
    Type.BOOLEAN: _boolean,
    Type.STRING: _string,
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
    if not -(2**63) <= tree < 2**63:
        raise Misfit(f"Value {_shown(tree)} does not fit Timestamp: expected {-(2**63)} to {2**63 - 1}")
    return tree


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
            raise NeedsExact  # may be an integer, which does not fit
        return bool(tree != 0.0)
    if kind is dict:
        tree = tree.values()
    elif kind is not list:
        return False
    return all(type(item) in _AS_THEY_ARE or _is_plain(item) for item in tree)


def _plain(tree: Any) -> Any:
    if isinstance(tree, dict):
        return {k: _part(k, v) for k, v in tree.items()}
    if isinstance(tree, list):
        return [_part(f"[{i}]", v) for i, v in enumerate(tree)]
    if type(tree) is int:
        if not -(2**63) <= tree < 2**63:
            raise Misfit(f"Value {_shown(tree)} does not fit INT64: expected {-(2**63)} to {2**63 - 1}")
        return tree
    if isinstance(tree, float):
        if abs(tree) >= 2**63:
            raise NeedsExact  # see _is_plain
        return tree + 0.0
    return _double(tree) if isinstance(tree, Decimal) else tree


def _part(name: str, tree: Any) -> Any:
    try:
        return _plain(tree)
    except DataError as error:
        add_field(error, name)
        raise
