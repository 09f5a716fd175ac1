"""Writes any value by its plan, with every check, default and error message; the generated writer leaves to it what is
unusual. The words of the errors are ``AvroData.fromConnectData``'s, with the field's path added where there is one."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from penstock.data import (
    Struct,
)
from penstock.errors import DataError, SerializationError
from penstock.java.hash_order import in_java_order
from penstock_converters.avro.anything import write_anything
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
from penstock_converters.avro.scalars import (
    FieldProblem,
    bad,
    check,
    check_struct,
    null_problem,
    raw_writer,
    scalar_writer,
    text_bytes,
    wrong_type,
)
from penstock_converters.avro.varint import long_bytes
from penstock_registry.formats.avro.model import AvroSchema

__all__ = ["constant_bytes", "general_writer"]

Put = Callable[[bytes], None]
Write = Callable[[Any, Put], None]


def general_writer(plan: Plan, ignore_defaults: bool) -> Callable[[Any], bytes]:
    """A function from a value to its Avro bytes. Raises `DataError` naming the field."""
    write = _Builder(ignore_defaults).build(plan)

    def encode(value: Any) -> bytes:
        parts: list[bytes] = []
        try:
            write(value, parts.append)
        except FieldProblem as problem:
            error = problem.to_error()
            raise error from error.__cause__  # it is no cause of itself: who follows causes would never come to an end
        except RecursionError:
            raise DataError("The value is nested too deep to be written as Avro (does it contain itself?)") from None
        return b"".join(parts)

    return encode


class _Builder:
    def __init__(self, ignore_defaults: bool) -> None:
        self._ignore_defaults = ignore_defaults
        self._records: dict[int, list[Write]] = {}

    def build(self, plan: Plan) -> Write:
        match plan:
            case OptionalPlan():
                return self._optional(plan)
            case ArrayPlan():
                return self._array(plan)
            case MapPlan():
                return self._map(plan)
            case EntriesPlan():
                return self._entries(plan)
            case RecordPlan():
                return self._record(plan)
            case UnionPlan():
                return self._union(plan)
            case AnyPlan():
                return write_anything
        assert isinstance(plan, ScalarPlan)
        return scalar_writer(plan)

    def _optional(self, plan: OptionalPlan) -> Write:
        write, index = self.build(plan.inner), long_bytes(plan.index)
        null = None if plan.null is None else long_bytes(plan.null)
        required = not plan.schema.optional

        def optional(value: Any, put: Put) -> None:
            if value is not None:
                put(index)
                write(value, put)
            elif required and not isinstance(plan.inner, AnyPlan):
                raise null_problem()
            elif null is not None:
                put(null)
            else:
                put(index)
                write(value, put)

        return optional

    def _array(self, plan: ArrayPlan) -> Write:
        write = self.build(plan.item)

        def array(value: Any, put: Put) -> None:
            check(value, list | tuple, plan.schema)
            if value:
                put(long_bytes(len(value)))
                for item in value:
                    write(item, put)
            put(b"\x00")

        return array

    def _map(self, plan: MapPlan) -> Write:
        write = self.build(plan.value)

        def mapping(value: Any, put: Put) -> None:
            if isinstance(value, Struct):
                raise wrong_type(value, plan.schema)
            check(value, dict, plan.schema)
            for key in value:
                if key is None:
                    raise bad(
                        SerializationError("Error serializing Avro message: a map key is null, Avro's are strings")
                    )
                if not isinstance(key, str):
                    raise wrong_type(key, plan.schema)
            if value:
                put(long_bytes(len(value)))
                for key, item in in_java_order(value):
                    put(text_bytes(key))
                    write(item, put)
            put(b"\x00")

        return mapping

    def _entries(self, plan: EntriesPlan) -> Write:
        key, held, key_first = self.build(plan.key), self.build(plan.value), plan.key_first

        def entries(value: Any, put: Put) -> None:
            if isinstance(value, Struct):
                raise wrong_type(value, plan.schema)
            check(value, dict, plan.schema)
            if value:
                put(long_bytes(len(value)))
                for k, v in value.items():
                    if key_first:
                        key(k, put)
                        held(v, put)
                    else:
                        held(v, put)
                        key(k, put)
            put(b"\x00")

        return entries

    def _record(self, plan: RecordPlan) -> Write:
        known = self._records.get(id(plan))
        if known is not None:
            cell = known
            return lambda value, put: cell[0](value, put)  # noqa: PLW0108 - the cell is filled later
        cell = self._records[id(plan)] = []
        fields = [self._field(f) for f in plan.fields]
        names = frozenset(f.name for f in plan.schema.fields)
        schema = plan.schema

        def record(value: Any, put: Put) -> None:
            check_struct(value, schema, names)
            get = dict.get
            for name, default, write in fields:
                item = get(value, name)
                try:
                    write(default if item is None else item, put)
                except FieldProblem as problem:
                    problem.path.append(name)
                    raise

        cell.append(record)
        return record

    def _field(self, member: FieldPlan) -> tuple[str, Any, Write]:
        if member.plan is None:
            assert member.avro is not None
            constant = constant_bytes(member.avro.schema, member.constant)
            return member.name, None, lambda value, put: put(constant)
        default = None if self._ignore_defaults else member.plan.schema.default
        return member.name, default, self.build(member.plan)

    def _union(self, plan: UnionPlan) -> Write:
        branches = [(n, long_bytes(i), self.build(p), None if self._ignore_defaults else p.schema.default)
                    for n, i, p in plan.branches]  # fmt: skip
        null = None if plan.null is None else long_bytes(plan.null)
        names = frozenset(f.name for f in plan.schema.fields)
        is_union = plan.avro.type == "union"

        def union(value: Any, put: Put) -> None:
            if value is not None:
                check_struct(value, plan.schema, names)
                for name, index, write, default in branches:
                    item = dict.get(value, name)
                    item = default if item is None else item
                    if item is not None:
                        if is_union:
                            put(index)
                        try:
                            write(item, put)
                        except FieldProblem as problem:
                            problem.path.append(name)
                            raise
                        return
            if null is None or not plan.schema.optional:
                raise null_problem()
            put(null)

        return union


# -- constants ----------------------------------------------------------------------------------------------------


def constant_bytes(avro: AvroSchema, default: Any) -> bytes:
    """An Avro default (JSON) as bytes, for fields that the data's schema does not have."""
    kind = avro.type
    if kind == "union":
        return b"\x00" + constant_bytes(avro.types[0], default)
    if kind in ("bytes", "fixed"):
        return raw_writer(avro)(default.encode("latin-1"))
    if kind == "array":
        assert avro.items is not None
        items = b"".join(constant_bytes(avro.items, item) for item in default)
        return (long_bytes(len(default)) + items if default else b"") + b"\x00"
    if kind == "map":
        assert avro.values is not None
        entries = b"".join(text_bytes(k) + constant_bytes(avro.values, v) for k, v in in_java_order(default))
        return (long_bytes(len(default)) + entries if default else b"") + b"\x00"
    if kind in ("record", "error"):
        return b"".join(constant_bytes(f.schema, default.get(f.name, f.default)) for f in avro.fields)
    return raw_writer(avro)(default)
