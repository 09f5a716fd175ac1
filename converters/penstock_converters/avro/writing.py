"""Source that writes Avro's scalars: integers, text, bytes, fixed widths, and Connect's logical types in them.

`penstock_converters.avro.writer` puts records, unions, arrays and maps around it.
"""

from __future__ import annotations

import datetime as dt
import struct
from decimal import Decimal
from typing import Any, Final

from penstock.data import DECIMAL_NAME, Struct, Type
from penstock.data.codegen import Source
from penstock.data.logical import (
    DATE_NAME,
    EPOCH,
    TIME_NAME,
    TIMESTAMP_NAME,
    decimal_scale,
    decimal_to_bytes,
)
from penstock.errors import DataError
from penstock_converters.avro.general import general_writer
from penstock_converters.avro.plan import Plan, ScalarPlan
from penstock_converters.avro.timestamps import DAYS
from penstock_converters.avro.varint import LAST, MORE, SMALL, long_bytes

__all__ = ["UNFIT", "ScalarWriting", "Unusual"]


class Unusual(Exception):
    """Raised by generated code for a value the general writer has to look at."""


UNFIT: Final = (
    Unusual, AttributeError, KeyError, TypeError, ValueError, OverflowError, struct.error, DataError, RecursionError,
)  # fmt: skip


def int32_bytes(number: int) -> bytes:
    if -(2**31) <= number < 2**31:
        return long_bytes(number)
    raise Unusual


_LIMITS: Final = {Type.INT8: (-(2**7), 2**7 - 1), Type.INT16: (-(2**15), 2**15 - 1)}
_INTEGERS: Final = (Type.INT8, Type.INT16, Type.INT32, Type.INT64)


_NAMES: Final[dict[str, Any]] = {
    "S": SMALL,
    "L": long_bytes,
    "I": int32_bytes,
    "J": b"".join,
    "U": Unusual,
    "Struct": Struct,
    "EPOCH": EPOCH,
    "MORE": MORE,
    "DAYS": DAYS,
    "LAST": LAST,
    "UTC": dt.UTC,
    "DT": dt.datetime,
    "DATE": dt.date,
    "TIME": dt.time,
    "Decimal": Decimal,
    "DB": decimal_to_bytes,
    "D0": dt.date(1970, 1, 1).toordinal(),
}


class ScalarWriting(Source):
    """Statements that check a value, and expressions for its bytes."""

    def __init__(self, title: str, ignore_defaults: bool) -> None:
        super().__init__(title, _NAMES)
        self.ignore_defaults = ignore_defaults

    def constant(self, value: Any) -> str:
        """Bytes stand in the source themselves."""
        return repr(value) if isinstance(value, bytes) else super().constant(value)

    def joined(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else f"J(({', '.join(parts)},))" if parts else 'b""'

    def sum(self, parts: list[str]) -> str:
        return " + ".join(parts) if len(parts) <= 3 else self.joined(parts)

    def guard(self, condition: str) -> None:
        self.line(f"if {condition}: raise U")

    def scalar(self, plan: ScalarPlan, v: str) -> list[str]:
        schema, kind = plan.schema, plan.avro.type
        if schema.name == TIMESTAMP_NAME and plan.precision.is_finer:
            return [f"L({self.constant(plan.precision.count)}({v}))"]
        if schema.name in (DATE_NAME, TIME_NAME, TIMESTAMP_NAME):
            return self._temporal(schema.name, v)
        if schema.name == DECIMAL_NAME:
            if kind != "bytes":
                return self.leave(plan, v)
            self.guard(f"type({v}) is not Decimal")
            e = self.name("e")
            self.line(f"{e} = DB({v}, {decimal_scale(schema)})")
            return self._with_length(e)
        if schema.type in _INTEGERS and kind in ("int", "long"):
            return self._integer(schema.type, v)
        if schema.type in (Type.FLOAT32, Type.FLOAT64) and kind in ("float", "double"):
            self.guard(f"type({v}) is not float")
            return [f"{self.constant(struct.Struct('<f' if kind == 'float' else '<d').pack)}({v})"]
        if kind == "boolean":
            p = self.name("p")
            self.line(f'{p} = b"\\x01" if {v} is True else b"\\x00" if {v} is False else None')
            self.guard(f"{p} is None")
            return [p]
        if kind == "string":
            e = self.name("e")
            self.guard(f"type({v}) is not str")
            self.line(f"{e} = {v}.encode()")
            return self._with_length(e)
        if kind == "bytes":
            self.guard(f"type({v}) is not bytes")
            return self._with_length(v)
        if kind == "enum":
            symbols = {s: long_bytes(i) for i, s in enumerate(plan.avro.symbols)}
            return [f"{self.constant(symbols)}[{v}]"]
        if kind == "fixed":
            self.guard(f"type({v}) is not bytes or len({v}) != {plan.avro.size}")
            return [v]
        return self.leave(plan, v)

    def leave(self, plan: Plan, v: str) -> list[str]:
        return [f"{self.constant(general_writer(plan, self.ignore_defaults))}({v})"]

    def _integer(self, kind: Type, v: str) -> list[str]:
        if kind in _LIMITS:
            low, high = _LIMITS[kind]
            self.guard(f"type({v}) is not int or not {low} <= {v} <= {high}")
        else:
            self.guard(f"type({v}) is not int")
        small = f"S[{v}] if -64 <= {v} < 8192"
        four = f"MORE[{v} << 1 & 16383] + LAST[{v} >> 13] if 0 < {v} < 134217728"
        if kind is not Type.INT64:
            return [f"({small} else {four} else I({v}))"]
        # The low 27 bits are taken apart, so that most of this is done with small numbers.
        parts = f"MORE[(c := {v} & 134217727) << 1 & 16383] + MORE[c >> 13]"
        six = f"{parts} + LAST[{v} >> 27] if 0 < {v} < 2199023255552"
        return [f"({small} else {four} else {six} else L({v}))"]

    def _temporal(self, name: str, v: str) -> list[str]:
        n = self.name("n")
        if name == TIMESTAMP_NAME:
            self.guard(f"type({v}) is not DT or {v}.tzinfo is not UTC")
            # Twice the milliseconds, which is their zigzag form, in six bytes; other instants are the general writer's.
            h = self.name("h")
            self.line(f"{n} = {v} - EPOCH")
            self.line(f"{h}, c = DAYS[{n}.days]")
            self.line(f"{h} += {n}.seconds * 2000 + {n}.microseconds // 1000 * 2")
            last = self.name("t")
            self.line(f"{last} = LAST[c + ({h} >> 28)]")
            return [f"MORE[{h} & 16383]", f"MORE[{h} >> 14 & 16383]", last]
        if name == DATE_NAME:
            self.guard(f"type({v}) is not DATE")
            self.line(f"{n} = {v}.toordinal() - D0")
            return [f"L({n})"]
        self.guard(f"type({v}) is not TIME")
        self.line(f"{n} = (({v}.hour * 60 + {v}.minute) * 60 + {v}.second) * 1000 + {v}.microsecond // 1000")
        return [f"L({n})"]

    def _with_length(self, e: str) -> list[str]:
        n = self.name("n")
        self.line(f"{n} = len({e})")
        return [f"(S[{n}] if {n} < 8192 else L({n}))", e]
