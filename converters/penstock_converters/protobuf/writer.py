"""Generates, for one plan, Python source that makes the Protobuf runtime's messages out of Connect's values fast.

It writes what is usual: plain values of the schema's own types. Whatever else it meets (boxes, other classes, wrong
types, fields that are missing or unknown) it leaves to the general writer, which converts it or says what is wrong.
"""

from __future__ import annotations

import datetime as dt
import keyword
from collections.abc import Callable
from typing import Any, Final

from penstock.data import Schema, Struct, Type
from penstock.data.codegen import Source
from penstock.data.logical import EPOCH, TIMESTAMP_NAME
from penstock.errors import DataError
from penstock_converters.protobuf.general import general_writer
from penstock_converters.protobuf.moments import to_fields
from penstock_converters.protobuf.plan import (
    ArrayPlan,
    EnumPlan,
    FieldPlan,
    LogicalPlan,
    MapPlan,
    Plan,
    ScalarPlan,
    StructPlan,
    UnionPlan,
    WrapperPlan,
)

__all__ = ["Writer", "make_writer"]

#: Turns a payload's header and a value into the payload.
Writer = Callable[[bytes, Any], bytes]


class _Unusual(Exception):
    """Met something the generated code does not know."""


_UNUSUAL: Final = _Unusual()
_UNFIT: Final = (_Unusual, TypeError, ValueError, KeyError, AttributeError, RecursionError, DataError)
_PYTHON: Final = {
    Type.INT8: "int",
    Type.INT16: "int",
    Type.INT32: "int",
    Type.INT64: "int",
    Type.FLOAT32: "float",
    Type.FLOAT64: "float",
    Type.BOOLEAN: "bool",
    Type.STRING: "str",
    Type.BYTES: "bytes",
}
_RANGES: Final = {Type.INT8: (-(2**7), 2**7 - 1), Type.INT16: (-(2**15), 2**15 - 1), Type.INT32: (-(2**31), 2**31 - 1),
                  Type.INT64: (-(2**63), 2**63 - 1)}  # fmt: skip
#: Types whose range the runtime checks, and it is the Connect type's.
_SAME_RANGE: Final = {
    Type.INT32: frozenset({"int32", "sint32", "sfixed32"}),
    Type.INT64: frozenset({"int64", "sint64", "sfixed64"}),
}
_MAX_FLOAT: Final = 3.4028234663852886e38


def make_writer(plan: Plan, ignore_defaults: bool) -> Writer:
    """Raises, when called, `DataError` with a note that names the field."""
    general = general_writer(plan, ignore_defaults)
    if not isinstance(plan, StructPlan) or plan.partial:
        return lambda header, value: header + general(value)
    return _Source(plan, ignore_defaults).writer(general)


_NAMES: Final = {
    "U": _UNUSUAL,
    "UNFIT": _UNFIT,
    "Struct": Struct,
    "DT": dt.datetime,
    "UTC": dt.UTC,
    "EPOCH": EPOCH,
    "MS": dt.timedelta(milliseconds=1),
    "INF": (float("inf"), float("-inf")),
}


class _Source(Source):
    def __init__(self, plan: StructPlan, ignore_defaults: bool) -> None:
        super().__init__(f"protobuf writer of {plan.full_name}", _NAMES)
        self._plan = plan
        self._ignore_defaults = ignore_defaults
        self._structs: dict[int, str] = {}

    def writer(self, general: Callable[[Any], bytes]) -> Writer:
        self.env["general"] = general
        name = self.name("w")
        # The general writer handles what is unusual, and words what is wrong.
        lines, message = self._body(self._plan)
        with self.function(name, "header, v"):
            with self.block("try:"):
                self.lines(lines)
                self.line(f"return header + {message}.SerializeToString()")
            self.line("except UNFIT:")
            self.line("    return header + general(v)")
        made: Writer = self.build(name)
        return made

    def _struct(self, plan: StructPlan) -> str:
        """A function from a struct's value to its message."""
        known = self._structs.get(id(plan))
        if known is not None:
            return known
        name = self._structs[id(plan)] = self.name("w")
        lines, message = self._body(plan)
        with self.function(name, "v"):
            self.lines(lines)
            self.line(f"return {message}")
        return name

    def _body(self, plan: StructPlan) -> tuple[list[str], str]:
        """Statements over a struct's value `v`, and the expression that makes its message then."""
        places = [(self.name("a"), member) for member in plan.fields]
        lines = self._fetch(plan.schema, [(a, member.name) for a, member in places])
        arguments: list[tuple[str, str]] = []
        for a, member in places:
            lines += self._field(member, a, arguments)
        make = self.constant(plan.make)
        plain = ", ".join(f"{target}={a}" for target, a in arguments if not keyword.iskeyword(target))
        odd = ", ".join(f"{target!r}: {a}" for target, a in arguments if keyword.iskeyword(target))
        given = ", ".join(part for part in (plain, f"**{{{odd}}}" if odd else "") if part)
        return lines, f"{make}({given})"

    def _fetch(self, schema: Schema, named: list[tuple[str, str]]) -> list[str]:
        own, known = self.constant(schema), self.constant(frozenset(name for _, name in named))
        # Usual records have as many entries as fields, and every field (or there is a KeyError): no name is too many.
        # If not, fields may be absent, and names have to be looked at.
        return [
            f"if type(v) is not dict and (type(v) is not Struct or v.schema is not {own}): raise U",
            f"if len(v) == {len(named)}:",
            *([f"    {a} = v[{name!r}]" for a, name in named] or ["    pass"]),
            "else:",
            f"    if not {known}.issuperset(v): raise U",
            "    g = v.get",
            *(f"    {a} = g({name!r})" for a, name in named),
        ]

    def _field(self, member: FieldPlan, a: str, arguments: list[tuple[str, str]]) -> list[str]:
        plan = member.plan
        if isinstance(plan, UnionPlan):
            return self._union(plan, a, arguments)
        schema = plan.schema
        default = None if self._ignore_defaults and schema.optional else schema.default
        arguments.append((member.target, a))
        convert = self._convert(plan, a)
        if default is not None:
            return [f"if {a} is None: {a} = {self.constant(default)}", *convert]
        if not schema.optional:
            return convert
        if len(convert) == 1 and convert[0].startswith("if "):
            return [f"if {a} is not None and {convert[0].removeprefix('if ')}"]
        return [f"if {a} is not None:", *(f"    {line}" for line in convert)] if convert else []

    def _union(self, plan: UnionPlan, a: str, arguments: list[tuple[str, str]]) -> list[str]:
        targets = [(branch, self.name("a")) for branch in plan.branches]
        lines = [f"{' = '.join(t for _, t in targets)} = None"] if targets else []
        known = self.constant(frozenset(b.name for b in plan.branches))
        own = self.constant(plan.schema)
        lines += [
            f"if {a} is None:",
            "    pass" if plan.schema.optional else "    raise U",
            "else:",
        ]
        body = [
            f"if type({a}) is not dict and (type({a}) is not Struct or {a}.schema is not {own}): raise U",
            f"if not {known}.issuperset({a}): raise U",
            f"h = {a}.get",
        ]
        for depth, (branch, target) in enumerate(targets):
            pad = "    " * depth
            body += [f"{pad}{target} = h({branch.name!r})", f"{pad}if {target} is not None:"]
            body += [f"{pad}    {line}" for line in self._convert(branch.plan, target)] or [f"{pad}    pass"]
            body.append(f"{pad}else:")
            arguments.append((branch.target, target))
        body.append("    " * len(targets) + "raise U")
        return lines + [f"    {line}" for line in body]

    # -- values: statements that turn the variable `a`, which is not None, into what the constructor takes ---------------

    def _convert(self, plan: Plan, a: str) -> list[str]:
        match plan:
            case ScalarPlan():
                return self._scalar(plan, a)
            case WrapperPlan():
                return [*self._scalar(plan.inner, a), f"{a} = {self.constant(plan.make)}(value={a})"]
            case EnumPlan():
                if plan.schema.type is not Type.STRING:
                    return [f"if type({a}) is not int: raise U"]
                return [f"{a} = {self.constant(plan.numbers)}[{a}]"]
            case LogicalPlan():
                return self._logical(plan, a)
            case StructPlan():
                return [f"{a} = {self._struct(plan)}({a})"]
            case ArrayPlan():
                return self._array(plan, a)
            case MapPlan():
                return self._map(plan, a)
        raise AssertionError(plan)

    def _scalar(self, plan: ScalarPlan, a: str) -> list[str]:
        kind = plan.schema.type
        lines = [f"if type({a}) is not {_PYTHON[kind]}: raise U"]
        if kind in _RANGES and plan.kind not in _SAME_RANGE.get(kind, ()):
            low, high = _RANGES[kind]
            if plan.kind in ("uint32", "fixed32"):
                low, high = 0, min(high, 2**32 - 1)  # it would come back as another number
            lines.append(f"if not {low} <= {a} <= {high}: raise U")
            mask = {"uint32": 2**32 - 1, "fixed32": 2**32 - 1, "uint64": 2**64 - 1, "fixed64": 2**64 - 1}.get(plan.kind)
            if mask is not None:
                lines.append(f"{a} &= {mask}")
        elif kind is Type.FLOAT32:
            lines.append(f"if not {-_MAX_FLOAT} <= {a} <= {_MAX_FLOAT} and {a} == {a} and {a} not in INF: raise U")
        return lines

    def _logical(self, plan: LogicalPlan, a: str) -> list[str]:
        make = self.constant(plan.make)
        if plan.schema.name == TIMESTAMP_NAME and not plan.precision.is_finer:
            n = self.name("n")
            return [
                f"if type({a}) is not DT or {a}.tzinfo is not UTC: raise U",
                f"{n} = ({a} - EPOCH) // MS",
                f"{a} = {make}(seconds={n} // 1000, nanos={n} % 1000 * 1000000)",
            ]
        assert plan.schema.name is not None
        fields, own = self.constant(to_fields(plan.schema.name, plan.precision)), self.constant(plan.schema)
        return [f"{a} = {make}(**{fields}({a}, {own}))"]

    def _array(self, plan: ArrayPlan, a: str) -> list[str]:
        lines = [f"if type({a}) is not list: raise U"]
        item, made = self.name("i"), self.name("q")
        convert = self._convert(plan.item, item)
        if isinstance(plan.item, ScalarPlan) and len(convert) == 1:
            # A check only: the list itself is handed over.
            return [*lines, f"for {item} in {a}:", f"    {convert[0]}"]
        lines += [f"{made} = []", f"for {item} in {a}:", *(f"    {line}" for line in convert)]
        return [*lines, f"    {made}.append({item})", f"{a} = {made}"]

    def _map(self, plan: MapPlan, a: str) -> list[str]:
        key, value, made = self.name("k"), self.name("i"), self.name("q")
        body = [*self._convert(plan.key, key), *self._convert(plan.value, value)]
        lines = [f"if type({a}) is not dict: raise U"]
        if plan.make is None:
            body.append(f"{made}[{key}] = {value}")
        else:
            body.append(f"{made}.append({self.constant(plan.make)}(key={key}, value={value}))")
        lines.append(f"{made} = {'{}' if plan.make is None else '[]'}")
        return [*lines, f"for {key}, {value} in {a}.items():", *(f"    {line}" for line in body), f"{a} = {made}"]
