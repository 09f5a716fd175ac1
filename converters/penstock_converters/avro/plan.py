"""The plan for writing values of one Connect schema in one Avro schema, worked out once.

A plan is a tree of small nodes. Two things are made from it: the general writer (`penstock_converters.avro.general`),
which knows every case and words every error, and the generated writer (`penstock_converters.avro.writer`), which knows
the usual cases and is fast.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Final

from penstock.data import DECIMAL_NAME, Schema, Type
from penstock.data.logical import DATE_NAME, LOGICAL_NAMES, TIME_NAME, TIMESTAMP_NAME
from penstock.errors import DataError
from penstock_converters.avro import names
from penstock_converters.avro.instants import precision_of
from penstock_converters.avro.names import AvroDataOptions
from penstock_converters.avro.to_avro import ToAvro, has_string_keys, is_union_schema
from penstock_converters.avro.to_connect import is_anything
from penstock_converters.avro.unions import is_map_entry
from penstock_converters.precision import Precision
from penstock_converters.scrub import scrub
from penstock_converters.sumtypes import GENERAL_ENUM
from penstock_registry.formats.avro.canonical import to_text
from penstock_registry.formats.avro.model import AvroField, AvroSchema

__all__ = [
    "AnyPlan", "ArrayPlan", "EntriesPlan", "FieldPlan", "MapPlan", "OptionalPlan", "Plan", "Planner", "RecordPlan",
    "ScalarPlan", "UnionPlan",
]  # fmt: skip


@dataclass(slots=True, eq=False)
class Plan:
    schema: Schema
    avro: AvroSchema


@dataclass(slots=True, eq=False)
class ScalarPlan(Plan):
    """A number, text, bytes, enum or fixed; logical types included. `precision` is a Timestamp's: what the target
    counts, whatever the converter would choose for a schema of its own."""

    precision: Precision = Precision.MILLISECONDS


@dataclass(slots=True, eq=False)
class AnyPlan(Plan):
    """A value without schema."""


@dataclass(slots=True, eq=False)
class OptionalPlan(Plan):
    """`inner` in branch `index` of a union; null in branch `null`, where there is one."""

    inner: Plan
    index: int
    null: int | None


@dataclass(slots=True, eq=False)
class ArrayPlan(Plan):
    item: Plan


@dataclass(slots=True, eq=False)
class MapPlan(Plan):
    value: Plan


@dataclass(slots=True, eq=False)
class EntriesPlan(Plan):
    """A map as an array of records of key and value; `key_first` is the order of the two fields."""

    key: Plan
    value: Plan
    key_first: bool


@dataclass(slots=True, eq=False)
class FieldPlan:
    """One Avro field: the Connect field `name` by `plan`, or, with no plan, always `constant`."""

    name: str
    plan: Plan | None
    constant: Any = None
    avro: AvroField | None = None


@dataclass(slots=True, eq=False)
class RecordPlan(Plan):
    fields: list[FieldPlan] = field(default_factory=list)
    recursive: bool = False


@dataclass(slots=True, eq=False)
class UnionPlan(Plan):
    """A struct with one field a branch: (field name, branch index, plan)."""

    branches: list[tuple[str, int, Plan]]
    null: int | None


_FITS: Final[dict[Type, tuple[str, ...]]] = {
    # exact first, then Avro's promotions
    Type.INT8: ("int", "long", "float", "double"),
    Type.INT16: ("int", "long", "float", "double"),
    Type.INT32: ("int", "long", "float", "double"),
    Type.INT64: ("long", "float", "double"),
    Type.FLOAT32: ("float", "double"),
    Type.FLOAT64: ("double",),
    Type.BOOLEAN: ("boolean",),
    Type.STRING: ("string", "enum"),
    Type.BYTES: ("bytes", "fixed"),
    Type.ARRAY: ("array",),
    Type.MAP: ("map", "array"),
    Type.STRUCT: ("record", "error"),
}
_LOGICAL_FITS: Final = {
    DATE_NAME: ("int",),
    TIME_NAME: ("int",),
    TIMESTAMP_NAME: ("long",),
    DECIMAL_NAME: ("bytes", "fixed"),
}


class Planner:
    """Plans for one pair of schemas; make one, call `plan` once."""

    def __init__(self, options: AvroDataOptions) -> None:
        self._options = options
        self._records: dict[tuple[int, int], RecordPlan] = {}
        self._keep: list[object] = []

    def plan(self, schema: Schema | None, avro: AvroSchema) -> Plan:
        """Raises `DataError` if values of `schema` can never be written in `avro`."""
        return self._plan(schema, avro, "")

    def _plan(self, schema: Schema | None, avro: AvroSchema, path: str) -> Plan:
        if schema is None:
            return self._any(avro, path)
        if is_union_schema(schema):
            return self._union(schema, avro, path)
        if avro.type == "union":
            return self._branch(schema, avro, path)
        kinds = _LOGICAL_FITS.get(schema.name or "") or _FITS[schema.type]
        if avro.type not in kinds:
            raise _mismatch(schema, avro, path)
        if schema.type is Type.ARRAY:
            assert avro.items is not None
            return ArrayPlan(schema, avro, self._plan(schema.value_schema, avro.items, path + "[]"))
        if schema.type is Type.MAP:
            return self._map(schema, avro, path)
        if schema.type is Type.STRUCT:
            return self._record(schema, avro, path)
        return ScalarPlan(schema, avro, precision_of(avro, self._options.precision) or Precision.MILLISECONDS)

    def _any(self, avro: AvroSchema, path: str) -> Plan:
        schema = Schema(Type.STRUCT, optional=True)
        if avro.type == "union":
            for index, member in enumerate(avro.types):
                if is_anything(member):
                    return OptionalPlan(schema, avro, AnyPlan(schema, member), index, None)
        if not is_anything(avro):
            raise DataError(f"A value without schema{_place_text(path)} cannot be written as Avro {avro.full_name}")
        return AnyPlan(schema, avro)

    def _branch(self, schema: Schema, avro: AvroSchema, path: str) -> Plan:
        null = next((i for i, t in enumerate(avro.types) if t.type == "null"), None)
        problem: DataError | None = None
        wanted = _LOGICAL_FITS.get(schema.name or "") or _FITS[schema.type]
        ranked = sorted(
            (i for i, t in enumerate(avro.types) if t.type in wanted),
            key=lambda i: (not _same_name(schema, avro.types[i], self._options), wanted.index(avro.types[i].type), i),
        )
        for index in ranked:
            try:
                return OptionalPlan(schema, avro, self._plan(schema, avro.types[index], path), index, null)
            except DataError as error:
                problem = problem or error
        raise problem or _mismatch(schema, avro, path)

    def _map(self, schema: Schema, avro: AvroSchema, path: str) -> Plan:
        if avro.type == "map":
            if not has_string_keys(schema, self._options):
                raise _mismatch(schema, avro, path)
            assert avro.values is not None
            return MapPlan(schema, avro, self._plan(schema.value_schema, avro.values, path + "{}"))
        assert avro.items is not None
        key, value = avro.items.field(names.KEY), avro.items.field(names.VALUE)
        if not is_map_entry(avro.items) or key is None or value is None:
            raise _mismatch(schema, avro, path)
        return EntriesPlan(
            schema,
            avro,
            self._plan(schema.key_schema, key.schema, path + "{key}"),
            self._plan(schema.value_schema, value.schema, path + "{}"),
            avro.items.fields[0] is key,
        )

    def _record(self, schema: Schema, avro: AvroSchema, path: str) -> Plan:
        # a recursive schema's optional twin shares the fields, and so the plan
        known = (id(schema.fields), id(avro))
        found = self._records.get(known)
        if found is not None:
            found.recursive = True
            return found
        plan = RecordPlan(schema, avro)
        self._records[known] = plan
        self._keep.append((schema, avro))
        name_of: Callable[[str], str] = scrub if self._options.scrub_names else lambda name: name
        members = {name_of(f.name): f for f in schema.fields}
        for member in avro.fields:
            own = members.get(member.name)
            if own is not None:
                inner = self._plan(own.schema, member.schema, f"{path}.{own.name}" if path else own.name)
                plan.fields.append(FieldPlan(own.name, inner, avro=member))
            elif member.has_default:
                plan.fields.append(FieldPlan(member.name, None, member.default, member))
            else:
                raise DataError(
                    f"Field {member.name} of the registered Avro record {avro.full_name} has no default,"
                    f" and the data's schema {schema!r} has no such field"
                )
        del self._records[known]
        return plan

    def _union(self, schema: Schema, avro: AvroSchema, path: str) -> Plan:
        types = avro.types if avro.type == "union" else (avro,)
        null = next((i for i, t in enumerate(types) if t.type == "null"), None)
        branches: list[tuple[str, int, Plan]] = []
        for member in schema.fields:
            required = member.schema.replace(optional=False) if not is_union_schema(member.schema) else member.schema
            wanted = ToAvro(self._options).convert(required).full_name
            index = next((i for i, t in enumerate(types) if t.full_name == wanted), None)
            if index is None:
                inner = self._branch(member.schema, AvroSchema("union", types=types), path)
                assert isinstance(inner, OptionalPlan)
                index, plan = inner.index, inner.inner
            else:
                plan = self._plan(member.schema, types[index], f"{path}.{member.name}" if path else member.name)
            branches.append((member.name, index, plan))
        return UnionPlan(schema, avro, branches, null)


def _same_name(schema: Schema, avro: AvroSchema, options: AvroDataOptions) -> bool:
    mark = schema.parameters.get(names.AVRO_ENUM) or schema.parameters.get(GENERAL_ENUM) or schema.name
    return avro.name is None or mark == avro.full_name or mark == avro.props.get(names.CONNECT_NAME)


def _place_text(path: str) -> str:
    return f' in field "{path}"' if path else ""


def _mismatch(schema: Schema, avro: AvroSchema, path: str) -> DataError:
    shown = to_text(avro)
    shown = shown if len(shown) < 200 else shown[:200] + "..."
    return DataError(f"Values of {schema!r}{_place_text(path)} cannot be written as the Avro type {shown}")


assert set(_LOGICAL_FITS) == LOGICAL_NAMES
