"""A fast writer per schema, generated: the checks inline, orjson for the text.

The generated code handles values of exactly the expected types; at anything else it raises `Unusual`, and the exact
writer takes the whole value: it accepts what is merely rare and words the error for what is wrong.
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

import orjson

from penstock.data import DECIMAL_NAME, Schema, Struct, Type
from penstock.data.codegen import Source
from penstock.data.logical import DATE_NAME, EPOCH, TIME_NAME, TIMESTAMP_NAME, decimal_scale, decimal_to_bytes
from penstock.errors import DataError
from penstock.java.number_text import widened_float32
from penstock_converters.json.text import as_jackson, double_json, dumps, float_json
from penstock_converters.json.writing import Writer, base64_text, numeric_decimal

__all__ = ["compile_writer", "schemaless_writer"]


class Unusual(Exception):
    """The generated code does not cover this value."""


def compile_writer(writer: Writer, schema: Schema, before: bytes, after: bytes) -> Callable[[Any], bytes]:
    """A function from values of `schema` to ``before + JSON + after``."""
    source = _Source(f"JSON writer for {schema!r}", writer)
    top = source.value_function(schema)
    source.add(
        f"""
def serialize(value):
    try:
        tree = {top}(value)
    except _Fallback:
        return _before + _slow_dumps(_tree(_schema, value)) + _after
    try:
        data = _dumps(tree)
    except _Refused:
        return _before + _slow_dumps(tree) + _after
    if not data.isascii() or _escape in data:
        data = _as_jackson(data)
    return _before + data + _after
"""
    )
    source.env.update(
        _dumps=orjson.dumps,
        _slow_dumps=dumps,
        _as_jackson=as_jackson,
        _escape=b"\\u00",
        _tree=writer.tree,
        _schema=schema,
        _before=before,
        _after=after,
        _Fallback=(Unusual, RecursionError, DataError),
        _Refused=orjson.JSONEncodeError,  # lone surrogates, and more than 254 levels
    )
    result: Callable[[Any], bytes] = source.build("serialize")
    return result


def schemaless_writer(writer: Writer, before: bytes, after: bytes) -> Callable[[Any], bytes | None]:
    """Return a serializer of values without a schema; None stays None."""

    def serialize(value: Any) -> bytes | None:
        if value is None:
            return None
        try:
            tree = _schemaless(value)
        except (Unusual, RecursionError):
            tree = writer.tree(None, value)
        return before + dumps(tree) + after

    return serialize


def _schemaless(value: Any) -> Any:
    kind = type(value)
    if kind is str or value is None or kind is bool:
        return value
    if kind is int:
        if -(2**63) <= value < 2**63:
            return value
    elif kind is float:
        return value if 1e-3 <= value < 1e7 or value == 0.0 or -1e7 < value <= -1e-3 else double_json(value)
    elif kind is dict:
        tree = {}
        for key, item in value.items():
            if type(key) is not str:
                raise Unusual
            # Most items are of these types: no call for each.
            of = type(item)
            if of is str or of is bool or item is None or (of is int and -(2**63) <= item < 2**63):
                tree[key] = item
            else:
                tree[key] = _schemaless(item)
        return tree
    elif kind is list:
        return [item if type(item) is str else _schemaless(item) for item in value]
    raise Unusual


class _Source(Source):
    """The generated module: functions for the schemas met, and the names they use."""

    def __init__(self, title: str, writer: Writer) -> None:
        names: dict[str, Any] = {
            "Unusual": Unusual,
            "Struct": Struct,
            "_base64": base64_text,
            "_float32": _float32,
            "_double": double_json,
            "_decimal": _decimal,
            "_numeric": numeric_decimal,
            "_date": _date,
            "_time": _time,
            "_timestamp": _timestamp,
        }
        super().__init__(title, names)
        self._writer = writer
        #: Function names by the identity of a schema; a negative identity stands for what is inside a struct.
        self._known_writers: dict[int, str] = {}

    def value_function(self, schema: Schema) -> str:
        """The name of a function that turns a value of `schema` into a tree. Recursive schemas call themselves."""
        if id(schema) in self._known_writers:
            return self._known_writers[id(schema)]
        name = f"w{len(self._known_writers)}"
        self._known_writers[id(schema)] = name
        self.keep(schema)
        body = self._value(schema, "v", "    ")
        self.add(f"\ndef {name}(v):\n{body}    return v\n")
        return name

    def _value(self, schema: Schema, var: str, pad: str) -> str:
        """Statements that turn `var` into a tree or raise `Unusual`."""
        test, change = self._usual(schema, var)
        lines = [f"if {test}:", *(f"    {line}" for line in change or ["pass"])]
        if schema.default is not None and self._writer.replace_null_with_default:
            default = self.constant(self._writer.tree(schema, schema.default))
            lines += [f"elif {var} is None:", f"    {var} = {default}"]
        elif schema.optional:
            lines += [f"elif {var} is None:", "    pass"]
        lines += ["else:", "    raise Unusual"]
        return "".join(f"{pad}{line}\n" for line in lines)

    def _usual(self, schema: Schema, var: str) -> tuple[str, list[str]]:
        """The test for a usual value, and the statements that change it."""
        if schema.name == DECIMAL_NAME:
            return self._decimal_test(schema, var)
        if schema.name == TIMESTAMP_NAME and self._writer.precision.is_finer:
            count = self.constant(self._writer.precision.count)
            return f"isinstance({var}, {self.constant(dt.datetime)})", [f"{var} = {count}({var})"]
        if schema.name in _LOGICAL:
            kind, function = _LOGICAL[schema.name]
            return f"type({var}) is {self.constant(kind)}", [f"{var} = {function}({var})"]
        match schema.type:
            case Type.INT8 | Type.INT16 | Type.INT32 | Type.INT64:
                half = 1 << (int(schema.type.name[3:]) - 1)
                return f"type({var}) is int and {-half} <= {var} <= {half - 1}", []
            case Type.FLOAT64:
                plain = f"1e-3 <= {var} < 1e7 or {var} == 0.0 or -1e7 < {var} <= -1e-3"
                return f"type({var}) is float", [f"if not ({plain}):", f"    {var} = _double({var})"]
            case Type.FLOAT32:
                return f"type({var}) is float", [f"{var} = _float32({var})"]
            case Type.BOOLEAN:
                return f"type({var}) is bool", []
            case Type.STRING:
                return f"type({var}) is str", []
            case Type.BYTES:
                return f"type({var}) is bytes", [f"{var} = _base64({var})"]
        return self._nested(schema, var)

    def _decimal_test(self, schema: Schema, var: str) -> tuple[str, list[str]]:
        test = f"type({var}) is {self.constant(Decimal)}"
        if self._writer.numeric_decimals:
            return test, [f"{var} = _numeric({var})"]
        return test, [f"{var} = _decimal({var}, {decimal_scale(schema)})"]

    def _nested(self, schema: Schema, var: str) -> tuple[str, list[str]]:
        rare: tuple[str, list[str]] = ("False", [])  # left to the exact writer
        if schema.type is Type.STRUCT:
            test = f"type({var}) is dict or (type({var}) is Struct and {var}.schema == {self.constant(schema)})"
            function = self._union(schema) if self._writer.is_union(schema) else self._struct(schema)
            return test, [f"{var} = {function}({var})"]
        if schema.value_schema is None:
            return rare  # made from text, its elements' type left open
        if schema.type is Type.ARRAY:
            item = self.value_function(schema.value_schema)
            return f"type({var}) is list", [f"{var} = [{item}(i) for i in {var}]"]
        if schema.key_schema is None or schema.key_schema.name or not self._writer.is_object(schema):
            return rare
        item = self.value_function(schema.value_schema)
        return f"type({var}) is dict", [
            f"for k in {var}:",
            "    if type(k) is not str:",
            "        raise Unusual",
            f"{var} = {{k: {item}(i) for k, i in {var}.items()}}",
        ]

    def _union(self, schema: Schema) -> str:
        """A function from a union's value to the tree of the field that is set."""
        key = -id(schema)
        if key in self._known_writers:
            return self._known_writers[key]
        name = f"u{len(self._known_writers)}"
        self._known_writers[key] = name
        names = self.constant(frozenset(f.name for f in schema.fields))
        lines = f"\ndef {name}(v):\n    if not v.keys() <= {names}:\n        raise Unusual\n"
        for field in schema.fields:
            if field.schema.default is not None:
                break  # the default stands for null: left to the exact writer
            lines += f"    f = v.get({field.name!r})\n    if f is not None:\n"
            lines += self._value(field.schema, "f", "        ") + "        return f\n"
        self.add(lines + "    raise Unusual\n")
        return name

    def _struct(self, schema: Schema) -> str:
        """A function from a struct's value to its fields' trees."""
        key = -id(schema)
        if key in self._known_writers:
            return self._known_writers[key]
        name = f"s{len(self._known_writers)}"
        self._known_writers[key] = name
        fields = [(f"f{i}", f.name, f.schema) for i, f in enumerate(schema.fields)]
        names = self.constant(frozenset(f.name for f in schema.fields))
        # Usual records have as many entries as fields, and every field: no name is too many. If not, fields may be absent,
        # and names have to be looked at.
        by_index = "".join(f"            {var} = v[{field!r}]\n" for var, field, _ in fields) or "            pass\n"
        by_get = "".join(f"        {var} = get({field!r})\n" for var, field, _ in fields)
        self.add(
            f"\ndef {name}(v):\n"
            f"    if len(v) == {len(fields)}:\n"
            f"        try:\n{by_index}"
            f"        except KeyError:\n            raise Unusual\n"
            f"    else:\n"
            f"        if not v.keys() <= {names}:\n            raise Unusual\n"
            f"        get = v.get\n{by_get}"
            + "".join(self._value(member, var, "    ") for var, _, member in fields)
            + f"    return {{{', '.join(f'{field!r}: {var}' for var, field, _ in fields)}}}\n"
        )
        return name


_FLOAT: Final = struct.Struct(">f")


def _float32(value: float) -> Any:
    try:
        value = _FLOAT.unpack(_FLOAT.pack(value))[0]
    except OverflowError:
        raise Unusual from None
    # The double of the same digits prints as those digits.
    return widened_float32(value) if 1e-3 <= abs(value) < 1e7 or value == 0.0 else float_json(value)


def _decimal(value: Decimal, scale: int) -> str:
    return base64_text(decimal_to_bytes(value, scale))


_EPOCH_ORDINAL: Final = EPOCH.toordinal()
_MILLISECOND: Final = dt.timedelta(milliseconds=1)


def _date(value: dt.date) -> int:
    return value.toordinal() - _EPOCH_ORDINAL


def _time(value: dt.time) -> int:
    return ((value.hour * 60 + value.minute) * 60 + value.second) * 1000 + value.microsecond // 1000


def _timestamp(value: dt.datetime) -> int:
    if value.tzinfo is None:
        raise Unusual
    return (value - EPOCH) // _MILLISECOND


_LOGICAL: Final[dict[str | None, tuple[type, str]]] = {
    DATE_NAME: (dt.date, "_date"),
    TIME_NAME: (dt.time, "_time"),
    TIMESTAMP_NAME: (dt.datetime, "_timestamp"),
}
