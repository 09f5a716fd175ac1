"""Schemas: what a value looks like.

A `Schema` is immutable and hashable and means what ``org.apache.kafka.connect.data.ConnectSchema`` means; its
equality is Connect's (documentation, name, version, parameters and default all count). Make one with
`penstock.data.SchemaBuilder` or take one of the constants (`STRING`, `OPTIONAL_INT64`, ...).
"""

from __future__ import annotations

import enum
from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Any, Final, final

from penstock.errors import DataError

__all__ = [
    "BOOLEAN",
    "BYTES",
    "FLOAT32",
    "FLOAT64",
    "INT8",
    "INT16",
    "INT32",
    "INT64",
    "OPTIONAL_BOOLEAN",
    "OPTIONAL_BYTES",
    "OPTIONAL_FLOAT32",
    "OPTIONAL_FLOAT64",
    "OPTIONAL_INT8",
    "OPTIONAL_INT16",
    "OPTIONAL_INT32",
    "OPTIONAL_INT64",
    "OPTIONAL_STRING",
    "STRING",
    "Field",
    "Schema",
    "Type",
]


class Type(enum.Enum):
    """The types of ``Schema.Type``; the value is Connect's lower-case name, the member name its upper-case one."""

    INT8 = "int8"
    INT16 = "int16"
    INT32 = "int32"
    INT64 = "int64"
    FLOAT32 = "float32"
    FLOAT64 = "float64"
    BOOLEAN = "boolean"
    STRING = "string"
    BYTES = "bytes"
    ARRAY = "array"
    MAP = "map"
    STRUCT = "struct"

    @property
    def is_primitive(self) -> bool:
        return self not in _NESTED

    # Members are singletons: hashing by identity spares enum's slower Python-level hash on hot dictionaries.
    __hash__ = object.__hash__


_NESTED = frozenset({Type.ARRAY, Type.MAP, Type.STRUCT})


@final
class Field:
    """One field of a struct: its name, its place and its schema."""

    __slots__ = ("index", "name", "schema")

    def __init__(self, name: str, index: int, schema: Schema) -> None:
        self.name: Final = name
        self.index: Final = index
        self.schema: Final = schema

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Field):
            return NotImplemented
        return self.name == other.name and self.index == other.index and self.schema == other.schema

    def __hash__(self) -> int:
        return hash((self.name, self.index))

    def __repr__(self) -> str:
        return f"Field({self.name!r}, {self.index}, {self.schema!r})"


_EMPTY: Mapping[str, str] = MappingProxyType({})


@final
class Schema:
    """A description of values. Immutable, hashable, safe to share between threads.

    Attributes are None where Connect's are null: `name`, `version`, `doc`, `default`. `parameters` is an empty
    mapping where Connect's is null or empty. `fields` is empty unless `type` is STRUCT; `key_schema` is set for MAP,
    `value_schema` for MAP and ARRAY (either may be None only in schemas that parsing text left open, as in
    ``Values.parseString``).
    """

    __slots__ = (
        "_by_name",
        "_hash",
        "default",
        "doc",
        "fields",
        "key_schema",
        "name",
        "optional",
        "parameters",
        "type",
        "value_schema",
        "version",
    )

    type: Type
    optional: bool
    name: str | None
    version: int | None
    doc: str | None
    parameters: Mapping[str, str]
    default: Any
    fields: tuple[Field, ...]
    key_schema: Schema | None
    value_schema: Schema | None

    def __init__(
        self,
        type: Type,  # noqa: A002 - Connect's word
        optional: bool = False,
        name: str | None = None,
        version: int | None = None,
        doc: str | None = None,
        parameters: Mapping[str, str] | None = None,
        default: Any = None,
        fields: Iterable[Field] = (),
        key_schema: Schema | None = None,
        value_schema: Schema | None = None,
    ) -> None:
        put = object.__setattr__
        put(self, "type", type)
        put(self, "optional", optional)
        put(self, "name", name)
        put(self, "version", version)
        put(self, "doc", doc)
        put(self, "parameters", MappingProxyType(dict(parameters)) if parameters else _EMPTY)
        put(self, "default", default)
        put(self, "key_schema", key_schema)
        put(self, "value_schema", value_schema)
        self._set_fields(tuple(fields))

    def _set_fields(self, fields: tuple[Field, ...]) -> None:
        put = object.__setattr__
        put(self, "fields", fields)
        put(self, "_by_name", {f.name: f for f in fields})
        # Field schemas stay out of the hash: that keeps recursive schemas hashable.
        names = tuple(f.name for f in fields)
        put(self, "_hash", hash((self.type, self.optional, self.name, self.version, self.doc, names)))

    def __setattr__(self, attribute: str, value: object) -> None:
        raise AttributeError(f"Schema is immutable; cannot set {attribute}")

    def __delattr__(self, attribute: str) -> None:
        raise AttributeError(f"Schema is immutable; cannot delete {attribute}")

    def field(self, name: str) -> Field | None:
        """The field of that name, or None. A DataError if this is not a struct, as in Connect."""
        if self.type is not Type.STRUCT:
            raise DataError("Cannot look up fields on non-struct type")
        return self._by_name.get(name)  # type: ignore[no-any-return,attr-defined]  # a slot set in _set_fields

    def replace(self, **changes: Any) -> Schema:
        """A copy with some attributes changed. ``fields`` takes `Field`s or (name, schema) pairs."""
        parts: dict[str, Any] = {s: getattr(self, s) for s in self.__slots__ if not s.startswith("_")}
        parts.update(changes)
        fields = [f if isinstance(f, tuple) else (f.name, f.schema) for f in parts["fields"]]
        parts["fields"] = [Field(n, i, s) for i, (n, s) in enumerate(fields)]
        return Schema(**parts)

    def as_optional(self) -> Schema:
        return self if self.optional else self.replace(optional=True)

    def __copy__(self) -> Schema:
        return self

    def __deepcopy__(self, memo: dict[int, Any]) -> Schema:
        return self  # it never changes, and comparing one with its copy would be dear

    def __hash__(self) -> int:
        return self._hash  # type: ignore[no-any-return,attr-defined]  # a slot set in _set_fields

    def __eq__(self, other: object) -> bool:
        if self is other:
            return True
        if not isinstance(other, Schema):
            return NotImplemented
        return _equal(self, other, set())

    def __repr__(self) -> str:
        """Return the schema as Java prints it: ``Schema{com.example.Person:STRUCT}``; it stands in many of Connect's messages."""
        return f"Schema{{{self.name}:{self.type.name}}}" if self.name is not None else f"Schema{{{self.type.name}}}"


def _equal(a: Schema | None, b: Schema | None, seen: set[tuple[int, int]]) -> bool:
    if a is b:
        return True
    if a is None or b is None or hash(a) != hash(b):
        return False
    pair = (id(a), id(b))
    if pair in seen:  # a recursive schema came back to itself: equal unless another branch says no
        return True
    seen.add(pair)
    return (
        a.type is b.type
        and a.optional == b.optional
        and a.name == b.name
        and a.version == b.version
        and a.doc == b.doc
        and a.parameters == b.parameters
        and _same_default(a.default, b.default)
        and len(a.fields) == len(b.fields)
        and _equal(a.key_schema, b.key_schema, seen)
        and _equal(a.value_schema, b.value_schema, seen)
        and all(x.name == y.name and _equal(x.schema, y.schema, seen) for x, y in zip(a.fields, b.fields, strict=True))
    )


def _same_default(a: Any, b: Any) -> bool:
    # True == 1 == 1.0 and NaN != NaN in Python; Java's Objects.equals says the opposite each time.
    if a is b:
        return True
    if type(a) is not type(b):
        return False
    if isinstance(a, list):
        return len(a) == len(b) and all(map(_same_default, a, b))
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(_same_default(v, b[k]) for k, v in a.items())
    return bool(a == b) or (isinstance(a, float) and a != a and b != b)


INT8: Final = Schema(Type.INT8)
INT16: Final = Schema(Type.INT16)
INT32: Final = Schema(Type.INT32)
INT64: Final = Schema(Type.INT64)
FLOAT32: Final = Schema(Type.FLOAT32)
FLOAT64: Final = Schema(Type.FLOAT64)
BOOLEAN: Final = Schema(Type.BOOLEAN)
STRING: Final = Schema(Type.STRING)
BYTES: Final = Schema(Type.BYTES)

OPTIONAL_INT8: Final = Schema(Type.INT8, optional=True)
OPTIONAL_INT16: Final = Schema(Type.INT16, optional=True)
OPTIONAL_INT32: Final = Schema(Type.INT32, optional=True)
OPTIONAL_INT64: Final = Schema(Type.INT64, optional=True)
OPTIONAL_FLOAT32: Final = Schema(Type.FLOAT32, optional=True)
OPTIONAL_FLOAT64: Final = Schema(Type.FLOAT64, optional=True)
OPTIONAL_BOOLEAN: Final = Schema(Type.BOOLEAN, optional=True)
OPTIONAL_STRING: Final = Schema(Type.STRING, optional=True)
OPTIONAL_BYTES: Final = Schema(Type.BYTES, optional=True)
