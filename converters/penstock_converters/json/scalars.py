"""Readers of JSON's numbers, texts and booleans: a value is read as what it is, or the error says what was expected.

Every reader takes numbers as floats and as exact numbers; see `penstock_converters.json.reading`.
"""

from __future__ import annotations

import binascii
import math
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from penstock.data import BOOLEAN, BYTES, STRING, Schema, Type
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
from penstock.java.numbers import to_float32
from penstock_converters.blame import Misfit
from penstock_converters.json.text import node_type
from penstock_converters.precision import Precision

__all__ = [
    "DATES",
    "SCALARS",
    "NeedsExact",
    "Reader",
    "decimal_reader",
    "double",
    "finer_reader",
    "integer_reader",
    "shown",
    "wrong_type",
]

#: A function from a tree to a value.
Reader = Callable[[Any], Any]


class NeedsExact(Exception):
    """A float does not say enough: read the document with exact numbers."""


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


def integer_reader(schema: Schema) -> Reader:
    half = 1 << (int(schema.type.name[3:]) - 1)
    low, high = -half, half - 1

    def read(tree: Any) -> int:
        number = tree
        if type(tree) is float:
            raise NeedsExact
        if isinstance(tree, Decimal):
            number = _whole(tree)
            if number is None:
                raise Misfit(f"Invalid value for {schema.type.name}, expected a whole number but was {shown(tree)}")
        elif type(tree) is not int:
            raise wrong_type(schema, tree)
        if low <= number <= high:
            return int(number)
        raise Misfit(f"Value {shown(tree)} does not fit {schema.type.name}: expected {low} to {high}")

    return read


def _whole(number: Decimal) -> int | Decimal | None:
    """An integer for a number without a fraction. A number beyond 64 bits stays a Decimal, however large it is."""
    if number.adjusted() > _MAX_LONG_DIGITS:
        return number
    whole = int(number)
    return whole if whole == number else None


_MAX_LONG_DIGITS: Final = 19
_MAX_SHOWN: Final = 40


def shown(number: Any) -> str:
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
        raise Misfit(f"Value {shown(tree)} does not fit {kind.name}: it is beyond the largest number of that type")
    return number


def double(tree: Any) -> float:
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


SCALARS: Final[dict[Type, Reader]] = {
    Type.FLOAT32: _float,
    Type.FLOAT64: double,
    Type.BOOLEAN: _boolean,
    Type.STRING: _string,
    Type.BYTES: _bytes,
}


def decimal_reader(schema: Schema) -> Reader:
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
        raise Misfit(f"Value {shown(tree)} does not fit Timestamp: expected {-(2**63)} to {2**63 - 1}")
    return tree


def finer_reader(precision: Precision) -> Reader:
    instant = precision.instant
    return lambda tree: instant(_long(tree))


def _timestamp(tree: Any) -> Any:
    millis = tree if type(tree) is int and -(2**63) <= tree < 2**63 else _long(tree)
    try:
        return timestamp_from_millis(millis)
    except DataError:
        return millis  # beyond Python's years


DATES: Final[dict[str | None, Reader]] = {DATE_NAME: _date, TIME_NAME: _time, TIMESTAMP_NAME: _timestamp}
