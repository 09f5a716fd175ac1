"""Generates, for one plan, Python source that writes its values fast.

The generated function knows the usual cases only: plain types, values in range, all fields known. Whatever is unusual
makes it raise, and the general writer does the same value again, which either writes it or words the error. So this
file needs to be right about what it accepts, never about why something is refused.
"""

from __future__ import annotations

import datetime as dt
import struct
from collections.abc import Callable, Sequence
from decimal import Decimal
from functools import lru_cache
from typing import Any, Final

from penstock.data import DECIMAL_NAME, Struct, Type
from penstock.data.javahash import keys_in_java_order
from penstock.data.logical import (
    DATE_NAME,
    EPOCH,
    TIME_NAME,
    TIMESTAMP_NAME,
    decimal_scale,
    decimal_to_bytes,
)
from penstock.errors import DataError
from penstock_converters.avro.general import constant_bytes, general_writer
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
from penstock_converters.avro.scalars import text_bytes
from penstock_converters.avro.varint import DAYS, LAST, MORE, SMALL, long_bytes, read_long

__all__ = ["Writer", "make_raw_writer", "make_writer"]

#: From (frame header, value) to framed bytes.
Writer = Callable[[bytes, Any], bytes]
_DEEP: Final = 4  # nesting beyond this becomes a function of its own: Python limits nested blocks


class _Unusual(Exception):
    """Raised by generated code for a value the general writer has to look at."""


_UNFIT: Final = (
    _Unusual, AttributeError, KeyError, TypeError, ValueError, OverflowError, struct.error, DataError, RecursionError,
)  # fmt: skip


def make_writer(plan: Plan, ignore_defaults: bool = False) -> Writer:
    """A function that writes values of the plan behind a frame header. Raises `DataError` naming the field."""
    return _Source(ignore_defaults).build(plan)


def make_raw_writer(plan: Plan) -> Writer:
    """For the schema ``"bytes"`` itself: the bytes behind the header without Avro's length, as Confluent writes them."""
    general = general_writer(plan, False)

    def write(header: bytes, value: Any) -> bytes:
        data = general(value)
        _, start = read_long(data, 0)
        return header + data[start:]

    return write


def int32_bytes(number: int) -> bytes:
    if -(2**31) <= number < 2**31:
        return long_bytes(number)
    raise _Unusual


_LIMITS: Final = {Type.INT8: (-(2**7), 2**7 - 1), Type.INT16: (-(2**15), 2**15 - 1)}
_INTEGERS: Final = (Type.INT8, Type.INT16, Type.INT32, Type.INT64)


def _keys(keys: tuple[str, ...]) -> Sequence[tuple[str, bytes]]:
    """A map's keys in their order in Avro's data, with their bytes there."""
    if not all(isinstance(key, str) for key in keys):
        raise _Unusual
    return [(key, text_bytes(key)) for key in keys_in_java_order(keys)]


#: The same for few keys: records of one topic mostly have maps of the same ones. Few, so that what is kept stays small.
_few_keys: Final = lru_cache(maxsize=256)(_keys)
_FEW: Final = 16


class _Source:
    """Collects the text of the functions and the names they use."""

    def __init__(self, ignore_defaults: bool) -> None:
        self._ignore_defaults = ignore_defaults
        self._functions: list[str] = []
        self._records: dict[int, str] = {}
        self._count = 0
        self._lines: list[str] = []
        self._indent = 0
        self.env: dict[str, Any] = {
            "S": SMALL,
            "L": long_bytes,
            "I": int32_bytes,
            "J": b"".join,
            "U": _Unusual,
            "UNFIT": _UNFIT,
            "Struct": Struct,
            "KEYS": _keys,
            "FEW_KEYS": _few_keys,
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

    def build(self, plan: Plan) -> Writer:
        self.env["general"] = general_writer(plan, self._ignore_defaults)
        name = self._function("header, v", lambda: ["header", *self._emit(plan, "v", 0)], root=True)
        source = "\n".join(self._functions)
        exec(compile(source, f"<avro writer of {plan.avro.full_name!a}>", "exec"), self.env)  # noqa: S102 - no user text in it: names are constants of env or repr()s
        return self.env[name]  # type: ignore[no-any-return]  # the function just made

    def _function(self, arguments: str, body: Callable[[], list[str]], root: bool = False) -> str:
        name = self._name("w")
        outer, self._lines, depth, self._indent = self._lines, [], self._indent, 2 if root else 1
        if root:
            self._lines = ["    try:"]
        parts = body()
        result = parts[0] if len(parts) == 1 else f"J(({', '.join(parts)},))" if parts else 'b""'
        self._line(f"return {result}")
        if root:
            self._lines += ["    except UNFIT:", "        return header + general(v)"]
        self._functions.append(f"def {name}({arguments}):\n" + "\n".join(self._lines) + "\n")
        self._lines, self._indent = outer, depth
        return name

    def _name(self, letter: str) -> str:
        self._count += 1
        return f"{letter}{self._count}"

    def _constant(self, value: Any) -> str:
        if isinstance(value, bytes):
            return repr(value)
        name = self._name("K")
        self.env[name] = value
        return name

    def _line(self, text: str) -> None:
        self._lines.append("    " * self._indent + text)

    def _joined(self, parts: list[str]) -> str:
        return parts[0] if len(parts) == 1 else f"J(({', '.join(parts)},))" if parts else 'b""'

    def _sum(self, parts: list[str]) -> str:
        return " + ".join(parts) if len(parts) <= 3 else self._joined(parts)

    # -- one plan: statements now, and expressions for the final join ---------------------------------------------

    def _emit(self, plan: Plan, v: str, depth: int) -> list[str]:
        if depth > _DEEP and not isinstance(plan, ScalarPlan):
            return [f"{self._function('v', lambda: self._emit(plan, 'v', 0))}({v})"]
        match plan:
            case ScalarPlan():
                return self._scalar(plan, v)
            case OptionalPlan():
                return self._optional(plan, v, depth)
            case RecordPlan():
                return self._record(plan, v, depth)
            case ArrayPlan():
                return self._array(plan, v, depth)
            case MapPlan():
                return self._map(plan, v, depth)
            case UnionPlan():
                return self._union(plan, v, depth)
            case EntriesPlan() | AnyPlan():
                return [f"{self._constant(general_writer(plan, self._ignore_defaults))}({v})"]
        raise AssertionError(plan)

    def _guard(self, condition: str) -> None:
        self._line(f"if {condition}: raise U")

    def _scalar(self, plan: ScalarPlan, v: str) -> list[str]:
        schema, kind = plan.schema, plan.avro.type
        if schema.name == TIMESTAMP_NAME and plan.precision.is_finer:
            return [f"L({self._constant(plan.precision.count)}({v}))"]
        if schema.name in (DATE_NAME, TIME_NAME, TIMESTAMP_NAME):
            return self._temporal(schema.name, v)
        if schema.name == DECIMAL_NAME:
            if kind != "bytes":
                return self._leave(plan, v)
            self._guard(f"type({v}) is not Decimal")
            e = self._name("e")
            self._line(f"{e} = DB({v}, {decimal_scale(schema)})")
            return self._with_length(e)
        if schema.type in _INTEGERS and kind in ("int", "long"):
            return self._integer(schema.type, v)
        if schema.type in (Type.FLOAT32, Type.FLOAT64) and kind in ("float", "double"):
            self._guard(f"type({v}) is not float")
            return [f"{self._constant(struct.Struct('<f' if kind == 'float' else '<d').pack)}({v})"]
        if kind == "boolean":
            p = self._name("p")
            self._line(f'{p} = b"\\x01" if {v} is True else b"\\x00" if {v} is False else None')
            self._guard(f"{p} is None")
            return [p]
        if kind == "string":
            e = self._name("e")
            self._guard(f"type({v}) is not str")
            self._line(f"{e} = {v}.encode()")
            return self._with_length(e)
        if kind == "bytes":
            self._guard(f"type({v}) is not bytes")
            return self._with_length(v)
        if kind == "enum":
            symbols = {s: long_bytes(i) for i, s in enumerate(plan.avro.symbols)}
            return [f"{self._constant(symbols)}[{v}]"]
        if kind == "fixed":
            self._guard(f"type({v}) is not bytes or len({v}) != {plan.avro.size}")
            return [v]
        return self._leave(plan, v)

    def _leave(self, plan: Plan, v: str) -> list[str]:
        return [f"{self._constant(general_writer(plan, self._ignore_defaults))}({v})"]

    def _integer(self, kind: Type, v: str) -> list[str]:
        if kind in _LIMITS:
            low, high = _LIMITS[kind]
            self._guard(f"type({v}) is not int or not {low} <= {v} <= {high}")
        else:
            self._guard(f"type({v}) is not int")
        small = f"S[{v}] if -64 <= {v} < 8192"
        four = f"MORE[{v} << 1 & 16383] + LAST[{v} >> 13] if 0 < {v} < 134217728"
        if kind is not Type.INT64:
            return [f"({small} else {four} else I({v}))"]
        # With the low 27 bits apart, most of this is done with small numbers.
        parts = f"MORE[(c := {v} & 134217727) << 1 & 16383] + MORE[c >> 13]"
        six = f"{parts} + LAST[{v} >> 27] if 0 < {v} < 2199023255552"
        return [f"({small} else {four} else {six} else L({v}))"]

    def _temporal(self, name: str, v: str) -> list[str]:
        n = self._name("n")
        if name == TIMESTAMP_NAME:
            self._guard(f"type({v}) is not DT or {v}.tzinfo is not UTC")
            # Twice the milliseconds, which is their zigzag form, in six bytes; other instants are the general writer's.
            h = self._name("h")
            self._line(f"{n} = {v} - EPOCH")
            self._line(f"{h}, c = DAYS[{n}.days]")
            self._line(f"{h} += {n}.seconds * 2000 + {n}.microseconds // 1000 * 2")
            last = self._name("t")
            self._line(f"{last} = LAST[c + ({h} >> 28)]")
            return [f"MORE[{h} & 16383]", f"MORE[{h} >> 14 & 16383]", last]
        if name == DATE_NAME:
            self._guard(f"type({v}) is not DATE")
            self._line(f"{n} = {v}.toordinal() - D0")
            return [f"L({n})"]
        self._guard(f"type({v}) is not TIME")
        self._line(f"{n} = (({v}.hour * 60 + {v}.minute) * 60 + {v}.second) * 1000 + {v}.microsecond // 1000")
        return [f"L({n})"]

    def _with_length(self, e: str) -> list[str]:
        n = self._name("n")
        self._line(f"{n} = len({e})")
        return [f"(S[{n}] if {n} < 8192 else L({n}))", e]

    def _optional(self, plan: OptionalPlan, v: str, depth: int) -> list[str]:
        if isinstance(plan.inner, AnyPlan) or plan.null is None:
            return self._leave(plan, v)
        p = self._name("p")
        self._line(f"if {v} is None:")
        self._indent += 1
        if plan.schema.optional:
            self._line(f"{p} = {long_bytes(plan.null)!r}")
        else:
            self._line("raise U")
        self._indent -= 1
        self._line("else:")
        self._indent += 1
        parts = self._emit(plan.inner, v, depth + 1)
        self._line(f"{p} = {self._sum([repr(long_bytes(plan.index)), *parts])}")
        self._indent -= 1
        return [p]

    def _record(self, plan: RecordPlan, v: str, depth: int) -> list[str]:
        if not plan.recursive:
            return self._fields(plan, v, depth)
        name = self._records.get(id(plan))
        if name is None:
            # Known before its body is made, which may call it.
            name = self._records[id(plan)] = self._name("r")
            made = self._function("v", lambda: self._fields(plan, "v", 0))
            self._functions.append(f"{name} = {made}\n")
        return [f"{name}({v})"]

    def _fields(self, plan: RecordPlan, v: str, depth: int) -> list[str]:
        places = self._fetch(plan, v)
        parts: list[str] = []
        floats: list[tuple[str, str]] = []
        for member, a in zip(plan.fields, places, strict=True):
            inner = self._float_format(member.plan)
            if inner is None:
                parts += self._packed(floats)
                parts += self._field(member, a, depth)
                continue
            if self._default(member) is not None:
                self._guard(f"{a} is None")
            self._guard(f"type({a}) is not {'bool' if inner == '?' else 'float'}")
            floats.append((inner, a))
        return parts + self._packed(floats)

    def _fetch(self, plan: RecordPlan, v: str) -> list[str]:
        """Statements that take a struct's fields into variables; these, by the plan's fields."""
        places = ["" if member.plan is None else self._name("a") for member in plan.fields]
        named = [(a, member.name) for a, member in zip(places, plan.fields, strict=True) if a]
        names = frozenset(f.name for f in plan.schema.fields)
        schema = self._constant(plan.schema)
        self._line(f"if type({v}) is not dict and (type({v}) is not Struct or {v}.schema is not {schema}): raise U")
        # As many entries as fields, and every field there (or a KeyError): no name too many. Else fields may be absent,
        # and names have to be looked at.
        self._line(f"if len({v}) == {len(names)}:")
        self._lines += ["    " * (self._indent + 1) + f"{a} = {v}[{name!r}]" for a, name in named]
        if not named:
            self._line("    pass")
        self._line("else:")
        self._line(f"    if not {self._constant(names)}.issuperset({v}): raise U")
        self._line(f"    g = {v}.get")
        self._lines += ["    " * (self._indent + 1) + f"{a} = g({name!r})" for a, name in named]
        return places

    def _float_format(self, plan: Plan | None) -> str | None:
        """The struct format of a required field of fixed width; neighbours are packed in one call."""
        if not isinstance(plan, ScalarPlan) or plan.schema.name in (DATE_NAME, TIME_NAME, TIMESTAMP_NAME):
            return None
        if plan.schema.type in (Type.FLOAT32, Type.FLOAT64):
            return {"float": "f", "double": "d"}.get(plan.avro.type)
        return "?" if plan.avro.type == "boolean" else None

    def _packed(self, floats: list[tuple[str, str]]) -> list[str]:
        if not floats:
            return []
        pack = self._constant(struct.Struct("<" + "".join(f for f, _ in floats)).pack)
        call = f"{pack}({', '.join(a for _, a in floats)})"
        floats.clear()
        return [call]

    def _default(self, member: FieldPlan) -> Any:
        return None if self._ignore_defaults or member.plan is None else member.plan.schema.default

    def _field(self, member: FieldPlan, a: str, depth: int) -> list[str]:
        if member.plan is None:
            assert member.avro is not None
            return [self._constant(constant_bytes(member.avro.schema, member.constant))]
        default = self._default(member)
        if default is None:
            return self._emit(member.plan, a, depth + 1)
        p = self._name("p")
        try:
            constant = general_writer(member.plan, self._ignore_defaults)(default)
        except DataError:
            return self._leave(member.plan, a)  # an unusable default is an error only for a record that needs it
        self._line(f"if {a} is None:")
        self._indent += 1
        self._line(f"{p} = {constant!r}")
        self._indent -= 1
        self._line("else:")
        self._indent += 1
        parts = self._emit(member.plan, a, depth + 1)
        self._line(f"{p} = {self._sum(parts)}")
        self._indent -= 1
        return [p]

    def _array(self, plan: ArrayPlan, v: str, depth: int) -> list[str]:
        self._guard(f"type({v}) is not list")
        item = self._name("i")
        return self._block(v, f"for {item} in {v}:", lambda: self._emit(plan.item, item, depth + 2))

    def _map(self, plan: MapPlan, v: str, depth: int) -> list[str]:
        self._guard(f"type({v}) is not dict")
        key, text, item = (self._name(c) for c in "kei")

        def entry() -> list[str]:
            self._line(f"{item} = {v}[{key}]")
            return [text, *self._emit(plan.value, item, depth + 2)]

        return self._block(v, f"for {key}, {text} in (FEW_KEYS if len({v}) <= {_FEW} else KEYS)(tuple({v})):", entry)

    def _block(self, v: str, loop: str, body: Callable[[], list[str]]) -> list[str]:
        """All items in one block: their number, they themselves, and a zero."""
        q, n = self._name("q"), self._name("n")
        self._line(f"{n} = len({v})")
        self._line(f"if {n}:")
        self._indent += 1
        self._line(f"{q} = [S[{n}] if {n} < 8192 else L({n})]")
        self._line(loop)
        self._indent += 1
        parts = body()
        if len(parts) <= 3:
            self._line("; ".join(f"{q}.append({part})" for part in parts) or "pass")
        else:
            self._line(f"{q} += ({', '.join(parts)},)")
        self._indent -= 1
        self._line(f'{q}.append(b"\\x00")')
        self._indent -= 1
        self._line(f'else: {q} = (b"\\x00",)')
        return [f"J({q})"]

    def _union(self, plan: UnionPlan, v: str, depth: int) -> list[str]:
        if plan.avro.type != "union" or any(p.schema.default is not None for _, _, p in plan.branches):
            return self._leave(plan, v)
        p, g = self._name("p"), self._name("g")
        names = self._constant(frozenset(f.name for f in plan.schema.fields))
        self._line(f"if {v} is None: {p} = {self._null(plan)}")
        self._line("else:")
        self._indent += 1
        schema = self._constant(plan.schema)
        self._line(f"if type({v}) is not dict and (type({v}) is not Struct or {v}.schema is not {schema}): raise U")
        self._guard(f"not {names}.issuperset({v})")
        self._line(f"{g} = {v}.get")
        for name, index, inner in plan.branches:
            a = self._name("a")
            self._line(f"{a} = {g}({name!r})")
            self._line(f"if {a} is not None:")
            self._indent += 1
            target = self._function("v", lambda inner=inner: self._emit(inner, "v", 1))  # type: ignore[misc]  # binds the loop's value
            self._line(f"{p} = {long_bytes(index)!r} + {target}({a})")
            self._indent -= 1
            self._line("else:")
            self._indent += 1
        self._line(f"{p} = {self._null(plan)}")
        self._indent -= 1 + len(plan.branches)
        self._guard(f"{p} is None")
        return [p]

    def _null(self, plan: UnionPlan) -> str:
        return repr(long_bytes(plan.null)) if plan.null is not None and plan.schema.optional else "None"
