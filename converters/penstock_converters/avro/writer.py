"""Generates, for one plan, Python source that writes its values fast.

The generated function knows the usual cases only: plain types, values in range, all fields known. Whatever is unusual
makes it raise, and the general writer does the same value again, which either writes it or words the error. So this
file needs to be right about what it accepts, never about why something is refused.
"""

from __future__ import annotations

import struct
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Any, Final

from penstock.data import Type
from penstock.data.logical import DATE_NAME, TIME_NAME, TIMESTAMP_NAME
from penstock.errors import DataError
from penstock.java.hash_order import keys_in_java_order
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
from penstock_converters.avro.varint import long_bytes, read_long
from penstock_converters.avro.writing import UNFIT, ScalarWriting, Unusual

__all__ = ["Writer", "make_raw_writer", "make_writer"]

#: Turns a frame header and a value into framed bytes.
Writer = Callable[[bytes, Any], bytes]
_DEEP: Final = 4  # nesting beyond this becomes a function of its own: Python limits nested blocks


def make_writer(plan: Plan, ignore_defaults: bool = False) -> Writer:
    """Return a function that writes values of the plan behind a frame header. Raises `DataError` naming the field."""
    return _Source(plan, ignore_defaults).writer()


def make_raw_writer(plan: Plan) -> Writer:
    """Return a writer for the schema ``"bytes"`` itself: the bytes behind the header without Avro's length, as Confluent writes them."""
    general = general_writer(plan, False)

    def write(header: bytes, value: Any) -> bytes:
        data = general(value)
        _, start = read_long(data, 0)
        return header + data[start:]

    return write


def _keys(keys: tuple[str, ...]) -> Sequence[tuple[str, bytes]]:
    """A map's keys in their order in Avro's data, with their bytes there."""
    if not all(isinstance(key, str) for key in keys):
        raise Unusual
    return [(key, text_bytes(key)) for key in keys_in_java_order(keys)]


#: `_keys` for few keys: records of one topic mostly have maps of the same ones. Few, so that what is kept stays small.
_few_keys: Final = lru_cache(maxsize=256)(_keys)
_FEW_KEYS: Final = 16


class _Source(ScalarWriting):
    """Records, unions, arrays and maps around the scalars."""

    def __init__(self, plan: Plan, ignore_defaults: bool) -> None:
        super().__init__(f"avro writer of {plan.avro.full_name}", ignore_defaults)
        self.env |= {
            "KEYS": _keys,
            "FEW_KEYS": _few_keys,
            "UNFIT": UNFIT,
            "general": general_writer(plan, ignore_defaults),
        }
        self._plan = plan
        self._records: dict[int, str] = {}

    def writer(self) -> Writer:
        name = self.name("w")
        with self.function(name, "header, v"):
            with self.block("try:"):
                self.line(f"return {self.joined(['header', *self._emit(self._plan, 'v', 0)])}")
            self.line("except UNFIT:")
            self.line("    return header + general(v)")
        made: Writer = self.build(name)
        return made

    def _function(self, body: Callable[[], list[str]], name: str | None = None) -> str:
        """A function from a value ``v`` to its bytes."""
        name = name or self.name("w")
        with self.function(name, "v"):
            self.line(f"return {self.joined(body())}")
        return name

    # -- one plan: statements now, and expressions for the final join ---------------------------------------------

    def _emit(self, plan: Plan, v: str, depth: int) -> list[str]:
        if depth > _DEEP and not isinstance(plan, ScalarPlan):
            return [f"{self._function(lambda: self._emit(plan, 'v', 0))}({v})"]
        match plan:
            case ScalarPlan():
                return self.scalar(plan, v)
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
                return [f"{self.constant(general_writer(plan, self.ignore_defaults))}({v})"]
        raise AssertionError(plan)

    def _optional(self, plan: OptionalPlan, v: str, depth: int) -> list[str]:
        if isinstance(plan.inner, AnyPlan) or plan.null is None:
            return self.leave(plan, v)
        p = self.name("p")
        self.line(f"if {v} is None:")
        self.indent += 1
        if plan.schema.optional:
            self.line(f"{p} = {long_bytes(plan.null)!r}")
        else:
            self.line("raise U")
        self.indent -= 1
        self.line("else:")
        self.indent += 1
        parts = self._emit(plan.inner, v, depth + 1)
        self.line(f"{p} = {self.sum([repr(long_bytes(plan.index)), *parts])}")
        self.indent -= 1
        return [p]

    def _record(self, plan: RecordPlan, v: str, depth: int) -> list[str]:
        if not plan.recursive:
            return self._fields(plan, v, depth)
        name = self._records.get(id(plan))
        if name is None:
            # Known before its body is made, which may call it.
            name = self._records[id(plan)] = self.name("r")
            self._function(lambda: self._fields(plan, "v", 0), name)
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
                self.guard(f"{a} is None")
            self.guard(f"type({a}) is not {'bool' if inner == '?' else 'float'}")
            floats.append((inner, a))
        return parts + self._packed(floats)

    def _fetch(self, plan: RecordPlan, v: str) -> list[str]:
        """Statements that take a struct's fields into variables; these, by the plan's fields."""
        places = ["" if member.plan is None else self.name("a") for member in plan.fields]
        named = [(a, member.name) for a, member in zip(places, plan.fields, strict=True) if a]
        names = frozenset(f.name for f in plan.schema.fields)
        schema = self.constant(plan.schema)
        self.line(f"if type({v}) is not dict and (type({v}) is not Struct or {v}.schema is not {schema}): raise U")
        # Usual records have as many entries as fields, and every field (or there is a KeyError): no name is too many.
        # If not, fields may be absent, and names have to be looked at.
        self.line(f"if len({v}) == {len(names)}:")
        self.lines([f"    {a} = {v}[{name!r}]" for a, name in named] or ["    pass"])
        self.line("else:")
        self.line(f"    if not {self.constant(names)}.issuperset({v}): raise U")
        self.line(f"    g = {v}.get")
        self.lines(f"    {a} = g({name!r})" for a, name in named)
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
        pack = self.constant(struct.Struct("<" + "".join(f for f, _ in floats)).pack)
        call = f"{pack}({', '.join(a for _, a in floats)})"
        floats.clear()
        return [call]

    def _default(self, member: FieldPlan) -> Any:
        return None if self.ignore_defaults or member.plan is None else member.plan.schema.default

    def _field(self, member: FieldPlan, a: str, depth: int) -> list[str]:
        if member.plan is None:
            assert member.avro is not None
            return [self.constant(constant_bytes(member.avro.schema, member.constant))]
        default = self._default(member)
        if default is None:
            return self._emit(member.plan, a, depth + 1)
        p = self.name("p")
        try:
            constant = general_writer(member.plan, self.ignore_defaults)(default)
        except DataError:
            return self.leave(member.plan, a)  # an unusable default is an error only for a record that needs it
        self.line(f"if {a} is None:")
        self.indent += 1
        self.line(f"{p} = {constant!r}")
        self.indent -= 1
        self.line("else:")
        self.indent += 1
        parts = self._emit(member.plan, a, depth + 1)
        self.line(f"{p} = {self.sum(parts)}")
        self.indent -= 1
        return [p]

    def _array(self, plan: ArrayPlan, v: str, depth: int) -> list[str]:
        self.guard(f"type({v}) is not list")
        item = self.name("i")
        return self._block(v, f"for {item} in {v}:", lambda: self._emit(plan.item, item, depth + 2))

    def _map(self, plan: MapPlan, v: str, depth: int) -> list[str]:
        self.guard(f"type({v}) is not dict")
        key, text, item = (self.name(c) for c in "kei")

        def entry() -> list[str]:
            self.line(f"{item} = {v}[{key}]")
            return [text, *self._emit(plan.value, item, depth + 2)]

        return self._block(
            v, f"for {key}, {text} in (FEW_KEYS if len({v}) <= {_FEW_KEYS} else KEYS)(tuple({v})):", entry
        )

    def _block(self, v: str, loop: str, body: Callable[[], list[str]]) -> list[str]:
        """All items in one block: their number, they themselves, and a zero."""
        q, n = self.name("q"), self.name("n")
        self.line(f"{n} = len({v})")
        self.line(f"if {n}:")
        self.indent += 1
        self.line(f"{q} = [S[{n}] if {n} < 8192 else L({n})]")
        self.line(loop)
        self.indent += 1
        parts = body()
        if len(parts) <= 3:
            self.line("; ".join(f"{q}.append({part})" for part in parts) or "pass")
        else:
            self.line(f"{q} += ({', '.join(parts)},)")
        self.indent -= 1
        self.line(f'{q}.append(b"\\x00")')
        self.indent -= 1
        self.line(f'else: {q} = (b"\\x00",)')
        return [f"J({q})"]

    def _union(self, plan: UnionPlan, v: str, depth: int) -> list[str]:
        if plan.avro.type != "union" or any(p.schema.default is not None for _, _, p in plan.branches):
            return self.leave(plan, v)
        p, g = self.name("p"), self.name("g")
        names = self.constant(frozenset(f.name for f in plan.schema.fields))
        self.line(f"if {v} is None: {p} = {self._null(plan)}")
        self.line("else:")
        self.indent += 1
        schema = self.constant(plan.schema)
        self.line(f"if type({v}) is not dict and (type({v}) is not Struct or {v}.schema is not {schema}): raise U")
        self.guard(f"not {names}.issuperset({v})")
        self.line(f"{g} = {v}.get")
        for name, index, inner in plan.branches:
            a = self.name("a")
            self.line(f"{a} = {g}({name!r})")
            self.line(f"if {a} is not None:")
            self.indent += 1
            target = self._function(lambda inner=inner: self._emit(inner, "v", 1))  # type: ignore[misc]  # binds the loop's value
            self.line(f"{p} = {long_bytes(index)!r} + {target}({a})")
            self.indent -= 1
            self.line("else:")
            self.indent += 1
        self.line(f"{p} = {self._null(plan)}")
        self.indent -= 1 + len(plan.branches)
        self.guard(f"{p} is None")
        return [p]

    def _null(self, plan: UnionPlan) -> str:
        return repr(long_bytes(plan.null)) if plan.null is not None and plan.schema.optional else "None"
