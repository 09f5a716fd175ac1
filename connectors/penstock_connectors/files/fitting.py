"""Parsed JSON made to fit a schema: one function per schema, bound once, that checks and converts values.

What a JSON text cannot hold is read from these forms: bytes from Base64; Decimal from a string or a number, padded to
the scale but never rounded; Date, Time and Timestamp from ISO 8601 or, as `JsonConverter` writes them, from numbers of
days or milliseconds. A timestamp without offset counts as UTC; digits beyond milliseconds are cut off.

Structs are converted in place: the parsed value must be the caller's own.
"""

from __future__ import annotations

import base64
import binascii
import datetime as dt
import decimal
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final, TypeVar

from penstock.data import DATE_NAME, DECIMAL_NAME, TIME_NAME, TIMESTAMP_NAME, Schema, Type
from penstock.data.logical import (
    date_from_days,
    decimal_scale,
    scale_of,
    time_from_millis,
    timestamp_from_millis,
)
from penstock.errors import ConfigError, DataError

__all__ = ["Fit", "Misfit", "fit_for"]

T = TypeVar("T")

#: Takes a parsed value, returns the Connect value, or raises `Misfit`.
Fit = Callable[[Any], Any]


class Misfit(Exception):
    """A value that does not fit; grows its path on the way out. Turned into a `DataError` by who knows the line."""

    def __init__(self, problem: str, path: tuple[str | int, ...] = ()) -> None:
        super().__init__(problem)
        self.problem = problem
        self.path = path

    def within(self, step: str | int) -> Misfit:
        return Misfit(self.problem, (step, *self.path))

    @property
    def where(self) -> str:
        """``customer.lines[2].price``, or empty for the record itself."""
        text = "".join(f"[{s}]" if isinstance(s, int) else f".{s}" for s in self.path)
        return text.removeprefix(".")


def fit_for(schema: Schema, ignore_unknown: bool = False) -> Fit:
    """The function for values of `schema`. Fields that no schema names are refused, or left out if `ignore_unknown`.

    Raises `ConfigError` for schemas that JSON lines cannot hold.
    """
    inner = _not_null(schema, ignore_unknown)
    if schema.optional:
        return lambda value: None if value is None else inner(value)
    return inner


def _not_null(schema: Schema, ignore: bool) -> Fit:
    logical = _LOGICAL.get(schema.name or "")
    if logical is not None:
        return logical(schema)
    match schema.type:
        case Type.STRUCT:
            return _struct(schema, ignore)
        case Type.ARRAY:
            assert schema.value_schema is not None
            return _array(fit_for(schema.value_schema, ignore))
        case Type.MAP:
            return _map(schema, ignore)
    return _PRIMITIVE[schema.type]


def shown(value: Any) -> str:
    """A value in an error: what it is, shortened."""
    if value is None:
        return "null"
    kind = _KINDS.get(type(value), type(value).__name__)
    text = repr(value) if not isinstance(value, dict | list) else ""
    return f"the {kind} {text[:60]}".rstrip()


_KINDS: Final = {str: "string", int: "number", float: "number", bool: "boolean", dict: "object", list: "array"}


def _misfit(expected: str, value: Any) -> Misfit:
    return Misfit(f"expected {expected}, met {shown(value)}")


def _integer(bits: int) -> Fit:
    high = 2 ** (bits - 1) - 1
    low = -high - 1

    def fit(value: Any) -> int:
        if type(value) is not int:
            raise _misfit(f"a whole number (int{bits})", value)
        if not low <= value <= high:
            raise Misfit(f"{value} does not fit int{bits}: expected {low} to {high}")
        return value

    return fit


def _float64(value: Any) -> float:
    if type(value) is float:
        return value
    if type(value) is int:
        return float(value)
    raise _misfit("a number (float64)", value)


def _float32(value: Any) -> float:
    if type(value) is not float and type(value) is not int:
        raise _misfit("a number (float32)", value)
    try:
        return float(struct.unpack("<f", struct.pack("<f", value))[0])
    except OverflowError:
        raise Misfit(f"{value} does not fit float32") from None


def _exactly(kind: type, expected: str) -> Fit:
    def fit(value: Any) -> Any:
        if type(value) is not kind:
            raise _misfit(expected, value)
        return value

    return fit


def _bytes(value: Any) -> bytes:
    if type(value) is not str:
        raise _misfit("bytes as a Base64 string", value)
    try:
        return base64.b64decode(value, validate=True)
    except binascii.Error as error:
        raise Misfit(f"expected bytes as a Base64 string: {error}") from None


_PRIMITIVE: Final[dict[Type, Fit]] = {
    Type.INT8: _integer(8),
    Type.INT16: _integer(16),
    Type.INT32: _integer(32),
    Type.INT64: _integer(64),
    Type.FLOAT32: _float32,
    Type.FLOAT64: _float64,
    Type.BOOLEAN: _exactly(bool, "true or false"),
    Type.STRING: _exactly(str, "a string"),
    Type.BYTES: _bytes,
}


def _decimal(schema: Schema) -> Fit:
    try:
        scale = decimal_scale(schema)
    except DataError as error:
        raise ConfigError(error.message) from error
    unit = Decimal(1).scaleb(-scale)
    # Wide enough for any line: padding must never round.
    context = decimal.Context(prec=decimal.MAX_PREC, Emax=decimal.MAX_EMAX, Emin=decimal.MIN_EMIN)

    def fit(value: Any) -> Decimal:
        kind = type(value)
        if kind is not str and kind is not int and kind is not float:
            raise _misfit("a decimal as a string or a number", value)
        try:
            # repr gives the shortest digits of a float, which are those of the text unless it had more than 15.
            number = Decimal(repr(value) if kind is float else value)
            given = scale_of(number)
        except (decimal.InvalidOperation, DataError):
            raise _misfit("a decimal number", value) from None
        if given == scale:
            return number
        # A huge exponent would pad to as many digits; nothing sensible has one.
        if abs(given) > 10_000:
            raise Misfit(f"{value} has an exponent beyond 10000")
        padded = number.quantize(unit, context=context)
        if padded != number:
            raise Misfit(f"{value} has more decimals than the scale {scale} of its Decimal schema; it is not rounded")
        return padded

    return fit


def _date(_: Schema) -> Fit:
    def fit(value: Any) -> dt.date:
        if type(value) is str:
            try:
                return dt.date.fromisoformat(value)
            except ValueError:
                raise _misfit("a date such as 2024-02-29", value) from None
        return _counted(value, date_from_days, "a date such as 2024-02-29 or a number of days")

    return fit


def _time(_: Schema) -> Fit:
    def fit(value: Any) -> dt.time:
        if type(value) is str:
            try:
                time = dt.time.fromisoformat(value)
            except ValueError:
                raise _misfit("a time such as 13:45:00.250", value) from None
            if time.tzinfo is not None:
                raise _misfit("a time without time zone", value)
            return time.replace(microsecond=time.microsecond // 1000 * 1000)
        return _counted(value, time_from_millis, "a time such as 13:45:00.250 or a number of milliseconds")

    return fit


def _timestamp(_: Schema) -> Fit:
    utc, parse = dt.UTC, dt.datetime.fromisoformat

    def fit(value: Any) -> dt.datetime:
        if type(value) is str:
            try:
                moment = parse(value)
                zone = moment.tzinfo
                if zone is None:
                    moment = moment.replace(tzinfo=utc)
                elif zone is not utc:
                    moment = moment.astimezone(utc)
            except (ValueError, OverflowError):
                raise _misfit("a timestamp such as 2024-02-29T13:45:00Z", value) from None
            below = moment.microsecond % 1000
            return moment.replace(microsecond=moment.microsecond - below) if below else moment
        return _counted(
            value, timestamp_from_millis, "a timestamp such as 2024-02-29T13:45:00Z or a number of milliseconds"
        )

    return fit


def _counted(value: Any, convert: Callable[[int], T], expected: str) -> T:
    if type(value) is not int:
        raise _misfit(expected, value)
    try:
        return convert(value)
    except DataError as error:
        raise Misfit(error.message) from None


_LOGICAL: Final[dict[str, Callable[[Schema], Fit]]] = {
    DECIMAL_NAME: _decimal,
    DATE_NAME: _date,
    TIME_NAME: _time,
    TIMESTAMP_NAME: _timestamp,
}


def _array(item: Fit) -> Fit:
    def fit(value: Any) -> list[Any]:
        if type(value) is not list:
            raise _misfit("an array", value)
        index = 0
        try:
            for index, element in enumerate(value):
                value[index] = item(element)
        except Misfit as error:
            raise error.within(index) from None
        return value

    return fit


def _map(schema: Schema, ignore: bool) -> Fit:
    assert schema.key_schema is not None
    assert schema.value_schema is not None
    if schema.key_schema.type is not Type.STRING:
        raise ConfigError(f"A map in JSON lines has string keys; the schema asks for {schema.key_schema!r} keys")
    item = fit_for(schema.value_schema, ignore)

    def fit(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise _misfit("an object (map)", value)
        key = ""
        try:
            for key, element in value.items():  # setting a key that is there does not disturb the iteration
                value[key] = item(element)
        except Misfit as error:
            raise error.within(key) from None
        return value

    return fit


#: Values of these types need only be of the Python type; INT64 also has its range.
_AS_IS: Final[dict[Type, type]] = {Type.STRING: str, Type.BOOLEAN: bool, Type.FLOAT64: float, Type.INT64: int}
_MISSING: Final[Any] = object()


def _struct(schema: Schema, ignore: bool) -> Fit:
    members = []
    for field in schema.fields:
        as_is: Any = None if (field.schema.name or "") in _LOGICAL else _AS_IS.get(field.schema.type)
        nullable = field.schema.optional or field.schema.default is not None
        members.append((field.name, as_is, nullable, _not_null(field.schema, ignore)))
    names = frozenset(field.name for field in schema.fields)
    low, high = -(2**63), 2**63 - 1

    def fit(value: Any) -> dict[str, Any]:
        if type(value) is not dict:
            raise _misfit("an object", value)
        known = 0
        name = ""
        get = value.get
        try:
            for name, as_is, nullable, convert in members:
                item: Any = get(name, _MISSING)
                if type(item) is as_is:
                    known += 1
                    if as_is is int and not low <= item <= high:
                        convert(item)
                elif item is _MISSING:
                    if not nullable:
                        raise Misfit("missing, but required")
                elif item is None:
                    known += 1
                    if not nullable:
                        raise Misfit("null, but required")
                else:
                    known += 1
                    value[name] = convert(item)
        except Misfit as error:
            raise error.within(name) from None
        if known != len(value):
            _unknown(value, names, ignore)
        return value

    return fit


def _unknown(value: dict[str, Any], names: frozenset[str], ignore: bool) -> None:
    unknown = [name for name in value if name not in names]
    if not ignore:
        raise Misfit("not in the schema", (unknown[0],))
    for name in unknown:
        del value[name]
