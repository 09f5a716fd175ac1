"""Text to values and schemas, by the rules of ``Values.parseString`` and ``Values.inferSchema``.

Null, booleans, numbers, ISO 8601 dates, times and timestamps, arrays and maps are recognised; everything else is a
string. A value inside a collection whose elements have no common schema keeps the box of its own type.
"""

from __future__ import annotations

import datetime as dt
import re
from decimal import Decimal
from typing import Any, Final

from penstock.data.casting import cast
from penstock.data.logical import (
    DATE,
    MILLIS_PER_DAY,
    TIME,
    TIMESTAMP,
    date_from_days,
    decimal_schema,
    scale_of,
    time_from_millis,
    timestamp_from_millis,
)
from penstock.data.record import SchemaAndValue
from penstock.data.schema import BOOLEAN, BYTES, FLOAT32, FLOAT64, INT8, INT16, INT32, INT64, STRING, Schema, Type
from penstock.data.values import BigInteger, Float32, Int8, Int16, Int32, StructValue
from penstock.errors import DataError, SchemaBuilderError
from penstock.java.calendar import day_from_civil
from penstock.java.numbers import decimal_to_long, java_decimal, to_float32

__all__ = ["infer_schema", "parse_string"]

_NULL: Final = SchemaAndValue(None, None)
_LITERALS: Final = {
    "null": _NULL,
    "true": SchemaAndValue(BOOLEAN, True),
    "false": SchemaAndValue(BOOLEAN, False),
}
_TEMPORAL: Final = (DATE, TIME, TIMESTAMP)
#: Deeper nesting is text. The JVM recurses until its stack ends, somewhere in the thousands.
_MAX_DEPTH: Final = 100


def parse_string(text: str | None) -> SchemaAndValue:
    """The value that `text` shows, and its schema. Never fails: what is nothing else is a string."""
    if text is None:
        return _NULL
    if not text:
        return SchemaAndValue(STRING, text)
    parsed = _Parser(text).parse(embedded=False)
    assert parsed is not None
    return SchemaAndValue(parsed.schema, _unboxed(parsed.schema, parsed.value))


def _unboxed(schema: Schema | None, value: Any) -> Any:
    """Beside the schema of its own type a number needs no box."""
    if schema is None or value is None:
        return value
    if schema.type in _BOXES and type(value) is _BOXES[schema.type]:
        return float(value) if schema.type is Type.FLOAT32 else int(value)
    if schema.type is Type.ARRAY:
        return [_unboxed(schema.value_schema, item) for item in value]
    if schema.type is Type.MAP:
        return {_unboxed(schema.key_schema, k): _unboxed(schema.value_schema, v) for k, v in value.items()}
    return value


_BOXES: Final[dict[Type, type[int] | type[float]]] = {
    Type.INT8: Int8,
    Type.INT16: Int16,
    Type.INT32: Int32,
    Type.FLOAT32: Float32,
}
_TOKEN: Final = re.compile(r'[:,{}\[\]"]|(?:\\.|[^\\:,{}\[\]"])+\\?|\\', re.DOTALL)
_BLANK: Final = "".join(map(chr, range(33)))  # what Java's trim() takes away


class _Parser:
    """Tokens are delimiters and what stands between them; a backslash keeps the next character from being one."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._position = 0
        self._next: str | None = None
        self._depth = 0

    def _has_next(self) -> bool:
        return self._next is not None or self._position < len(self._text)

    def _read(self) -> str:
        found = _TOKEN.match(self._text, self._position)
        assert found is not None
        self._position = found.end()
        return found.group()

    def _token(self) -> str:
        token, self._next = (self._read() if self._next is None else self._next), None
        return token

    def _mark(self) -> int:
        return self._position - len(self._next or "")

    def _rewind(self, position: int) -> None:
        self._position, self._next = position, None

    def _consume(self, expected: str, blanks: bool = True) -> bool:
        """Take the next token if it is `expected`; blank tokens before it are skipped, also where it is not."""
        if self._next is None:
            if not self._has_next():
                return False
            self._next = self._read()
        while blanks and not self._next.strip(_BLANK) and self._position < len(self._text):
            self._next = self._read()
        if (self._next.strip(_BLANK) if blanks else self._next) != expected:
            return False
        self._next = None
        return True

    def parse(self, embedded: bool) -> SchemaAndValue | None:
        if not self._has_next():
            return None
        if embedded and self._consume('"'):
            return self._quoted()
        if embedded:
            for literal, meaning in _LITERALS.items():
                if self._consume(literal):
                    return meaning
        elif (whole := _LITERALS.get(self._text.strip(_BLANK))) is not None:
            return whole  # outside of collections a word with anything after it is text
        start = self._mark()
        self._depth += 1
        try:
            if self._depth <= _MAX_DEPTH:
                if self._consume("["):
                    return self._array()
                if self._consume("{"):
                    return self._map()
        except DataError:  # neither an array nor a map: a string
            self._rewind(start)
        finally:
            self._depth -= 1
        token = self._token()
        if not token.strip(_BLANK):
            return SchemaAndValue(STRING, token)
        return self._simple(token.strip(_BLANK), embedded)

    def _quoted(self) -> SchemaAndValue:
        parts: list[str] = []
        while self._has_next() and not self._consume('"', blanks=False):
            parts.append(self._token())
        content = "".join(parts)
        # Quoted text is text, unless it is a date, a time or a timestamp.
        parsed = parse_string(content) if content.strip(_BLANK)[:1].isdecimal() else None
        return parsed if parsed is not None and parsed.schema in _TEMPORAL else SchemaAndValue(STRING, content)

    def _array(self) -> SchemaAndValue:
        items: list[Any] = []
        common = _Common()
        while self._has_next():
            if self._consume("]"):
                schema = Schema(Type.ARRAY, value_schema=common.schema)
                if common.schema is not None:
                    items = [_boxed(common.schema, item) for item in items]
                return SchemaAndValue(schema, items)
            if self._consume(","):
                raise DataError(f"Unable to parse an empty array element: {self._text}")
            element = self.parse(embedded=True)
            common.add(element)
            items.append(element.value if element is not None else None)
            before = self._mark()
            if self._consume("]"):
                self._rewind(before)
            elif not self._consume(","):
                raise DataError("Array elements missing ',' delimiter")
        raise DataError(f"Array is missing terminating ']': {self._text}")

    def _map(self) -> SchemaAndValue:
        entries: dict[Any, Any] = {}
        keys, values = _Common(), _Common()
        while self._has_next():
            if self._consume("}"):
                return _aligned_map(entries, keys.schema, values.schema)
            if self._consume(","):
                raise DataError(f"Unable to parse a map entry with no key or value: {self._text}")
            key = self.parse(embedded=True)
            if key is None or key.value is None:
                raise DataError(f"Map entry may not have a null key: {self._text}")
            if isinstance(key.value, list | dict):
                raise DataError(f"Map entry may not have an array or a map as its key: {self._text}")
            if not self._consume(":"):
                raise DataError(f"Map entry is missing ':' at {self._position} in {self._text}")
            value = self.parse(embedded=True)
            entries[key.value] = value.value if value is not None else None
            self._consume(",")
            keys.add(key)
            values.add(value)
        raise DataError(f"Map is missing terminating '}}': {self._text}")

    def _simple(self, token: str, embedded: bool) -> SchemaAndValue:
        first = token[0]
        if first.isdecimal():
            # A time holds two colons, which cut it into five tokens.
            position = self._mark()
            rest = self._tokens(4)
            temporal = _temporal(token + rest) if rest is not None else None
            if temporal is None:
                self._rewind(position)
                temporal = _temporal(token)
            if temporal is not None:
                return temporal
        if first.isdecimal() or first in "+-":
            try:
                return _number(java_decimal(token))
            except ValueError:
                pass  # not a number, then
        if embedded:
            raise DataError("Failed to parse embedded value")
        return SchemaAndValue(STRING, self._text)

    def _tokens(self, count: int) -> str | None:
        start = self._mark()
        for _ in range(count):
            if not self._has_next():
                return None
            self._token()
        return self._text[start : self._position]


def _aligned_map(entries: dict[Any, Any], key: Schema | None, value: Schema | None) -> SchemaAndValue:
    if key is None:
        return SchemaAndValue(Schema(Type.MAP), entries)
    if value is None:
        aligned = {_boxed(key, k): v for k, v in entries.items()}
    else:
        aligned = {_boxed(key, k): _boxed(value, v) for k, v in entries.items()}
    return SchemaAndValue(Schema(Type.MAP, key_schema=key, value_schema=value), aligned)


def _boxed(schema: Schema, value: Any) -> Any:
    """`value` made one of `schema`, in the box of its type: what it stands in may turn out to have no schema."""
    converted = cast(schema, None, value)
    box = _BOXES.get(schema.type)
    return converted if box is None or schema.name is not None or converted is None else box(converted)


_WIDENING: Final = (Type.INT8, Type.INT16, Type.INT32, Type.INT64, Type.FLOAT32, Type.FLOAT64)


class _Common:
    """A schema for all of several values; None as long as there was none, or once they do not fit together."""

    def __init__(self) -> None:
        self.schema: Schema | None = None
        self._compatible = True

    def add(self, value: SchemaAndValue | None) -> None:
        if value is None or value.schema is None or not self._compatible:
            return
        self.schema = value.schema if self.schema is None else _merged(self.schema, value.schema)
        self._compatible = self.schema is not None


def _merged(a: Schema, b: Schema) -> Schema | None:
    if a.type is b.type:
        return b
    if a.type in _WIDENING and b.type in _WIDENING:
        return max(a, b, key=lambda s: _WIDENING.index(s.type))
    return None


def _number(number: Decimal) -> SchemaAndValue:
    """The narrowest integer, or float, double, decimal."""
    if number.adjusted() < 19 and number == number.to_integral_value() and -(2**63) <= number < 2**63:
        whole = decimal_to_long(number) if number else 0
        for bits, schema, box in ((8, INT8, Int8), (16, INT16, Int16), (32, INT32, Int32)):
            if -(1 << (bits - 1)) <= whole < 1 << (bits - 1):
                return SchemaAndValue(schema, box(whole))
        return SchemaAndValue(INT64, whole)
    if scale_of(number) != 0:
        single = to_float32(number)
        if abs(single) != float("inf"):
            return SchemaAndValue(FLOAT32, Float32(single))
        wide = float(number)
        if abs(wide) != float("inf"):
            return SchemaAndValue(FLOAT64, wide)
    return SchemaAndValue(decimal_schema(scale_of(number)), number)


_INTEGER: Final = r"[ \t]*(-?\d+)"
_DATE: Final = re.compile(rf"{_INTEGER}-{_INTEGER}-{_INTEGER}")
_TIME: Final = re.compile(rf"{_INTEGER}:{_INTEGER}:{_INTEGER}\.{_INTEGER}Z")
_TIMESTAMP: Final = re.compile(_DATE.pattern + "T" + _TIME.pattern)


def _temporal(token: str) -> SchemaAndValue | None:
    """By length alone, then leniently, as ``SimpleDateFormat``: a thirteenth month is the next year's January."""
    token = token.replace("\\:", ":")
    if len(token) == 10 and (found := _DATE.match(token)):
        days = day_from_civil(*map(int, found.groups()))
        try:
            return SchemaAndValue(DATE, date_from_days(days))
        except DataError:
            return SchemaAndValue(DATE, days * MILLIS_PER_DAY)
    if len(token) == 13 and (found := _TIME.match(token)):
        millis = _millis(*map(int, found.groups()))
        whole = 0 <= millis < MILLIS_PER_DAY
        return SchemaAndValue(TIME, time_from_millis(millis) if whole else _moment(millis))
    if len(token) == 24 and (found := _TIMESTAMP.match(token)):
        year, month, day, *time = map(int, found.groups())
        return SchemaAndValue(TIMESTAMP, _moment(day_from_civil(year, month, day) * MILLIS_PER_DAY + _millis(*time)))
    return None


def _moment(millis: int) -> dt.datetime | int:
    try:
        return timestamp_from_millis(millis)
    except DataError:
        return millis


def _millis(hour: int, minute: int, second: int, millis: int) -> int:
    return ((hour * 60 + minute) * 60 + second) * 1000 + millis


def infer_schema(value: Any) -> Schema | None:
    """The schema of a value that has none; None where there is no saying (dates, decimals, empty or mixed
    collections)."""
    match value:
        case StructValue():
            return value.schema
        case list() | tuple():
            item = _common_type(value) if value else None
            return None if item is None else Schema(Type.ARRAY, value_schema=item)
        case dict():
            if not value:
                return None
            key, item = _common_types(value)
            return None if key is None or item is None else Schema(Type.MAP, key_schema=key, value_schema=item)
    for kinds, schema in _INFERRED:
        if isinstance(value, kinds):
            return schema if not isinstance(value, int) or -(2**63) <= value < 2**63 else None
    return None


_INFERRED: Final[tuple[tuple[type | tuple[type, ...], Schema | None], ...]] = (
    (str, STRING),
    (bool, BOOLEAN),
    (Int8, INT8),
    (Int16, INT16),
    (Int32, INT32),
    (BigInteger, None),
    (int, INT64),
    (Float32, FLOAT32),
    (float, FLOAT64),
    ((bytes, bytearray, memoryview), BYTES),
)


class _Detector:
    """``Values.SchemaDetector``: sees types only, so the schema of a nested collection is left open."""

    def __init__(self) -> None:
        self._type: Type | None = None
        self._optional = False

    def can_detect(self, value: Any) -> bool:
        if value is None:
            self._optional = True
            return True
        schema = infer_schema(value)
        if schema is None or self._type not in (None, schema.type):
            return False
        self._type = schema.type
        return True

    def schema(self) -> Schema:
        if self._type is None:
            raise SchemaBuilderError("type cannot be null")
        return Schema(self._type, optional=self._optional)


def _common_type(values: Any) -> Schema | None:
    detector = _Detector()
    return detector.schema() if all(map(detector.can_detect, values)) else None


def _common_types(entries: dict[Any, Any]) -> tuple[Schema | None, Schema | None]:
    keys, values = _Detector(), _Detector()
    for key, value in entries.items():
        if not keys.can_detect(key) or not values.can_detect(value):
            return None, None
    return keys.schema(), values.schema()
