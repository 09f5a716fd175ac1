"""A .proto file as a tree of its declarations: what is written, in the order it is written; comments are dropped."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any, Final, Literal

__all__ = [
    "MAX_TAG",
    "SCALARS",
    "Enum",
    "EnumValue",
    "Extend",
    "Extensions",
    "FieldDecl",
    "Group",
    "Message",
    "OneOf",
    "Option",
    "OptionKind",
    "ProtoFile",
    "RangeValue",
    "Reserved",
    "Rpc",
    "Service",
    "TypeDecl",
    "default_json_name",
    "fits_default",
    "map_types",
]

MAX_TAG: Final = 536_870_911
SCALARS: Final = frozenset(
    {
        "double", "float", "int32", "int64", "uint32", "uint64", "sint32", "sint64", "fixed32", "fixed64", "sfixed32",
        "sfixed64", "bool", "string", "bytes",
    }
)  # fmt: skip

OptionKind = Literal["string", "boolean", "number", "enum", "map", "list", "option"]
RangeValue = int | str | tuple[int, int]
Ranges = tuple[RangeValue, ...]


@dataclass(frozen=True, slots=True)
class Option:
    """``name = value``. A value is text (``string``, ``boolean``, ``number``, ``enum``), a mapping of names to such
    `Option` values (``map``), a list of them (``list``), or another `Option` (``(a).b = c``)."""

    name: str
    kind: OptionKind
    value: Any
    parenthesized: bool = False


@dataclass(frozen=True, slots=True)
class FieldDecl:
    name: str
    type: str
    tag: int
    label: str | None = None
    default: str | None = None
    json_name: str | None = None
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class OneOf:
    name: str
    fields: tuple[FieldDecl, ...] = ()
    groups: tuple[Group, ...] = ()
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Reserved:
    """Numbers, inclusive ranges and names."""

    values: Ranges


@dataclass(frozen=True, slots=True)
class Extensions:
    values: Ranges
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class EnumValue:
    name: str
    number: int
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Enum:
    name: str
    values: tuple[EnumValue, ...] = ()
    options: tuple[Option, ...] = ()
    reserved: tuple[Reserved, ...] = ()


@dataclass(frozen=True, slots=True)
class Extend:
    name: str
    fields: tuple[FieldDecl, ...] = ()
    groups: tuple[Group, ...] = ()


@dataclass(frozen=True, slots=True)
class Message:
    name: str
    fields: tuple[FieldDecl, ...] = ()
    oneofs: tuple[OneOf, ...] = ()
    nested: tuple[TypeDecl, ...] = ()
    options: tuple[Option, ...] = ()
    reserved: tuple[Reserved, ...] = ()
    extensions: tuple[Extensions, ...] = ()
    groups: tuple[Group, ...] = ()
    extends: tuple[Extend, ...] = ()

    @property
    def messages(self) -> Iterator[Message]:
        return (t for t in self.nested if isinstance(t, Message))

    @property
    def is_map_entry(self) -> bool:
        """Is this what stands for a map field in a descriptor?"""
        return len(self.fields) == 2 and any(o.name == "map_entry" and o.value == "true" for o in self.options)

    @property
    def enums(self) -> Iterator[Enum]:
        return (t for t in self.nested if isinstance(t, Enum))


TypeDecl = Message | Enum


@dataclass(frozen=True, slots=True)
class Group:
    """A proto2 group; converters neither read nor write groups, texts keep them."""

    name: str
    tag: int
    label: str | None
    body: Message
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Rpc:
    name: str
    request: str
    response: str
    request_stream: bool = False
    response_stream: bool = False
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class Service:
    name: str
    rpcs: tuple[Rpc, ...] = ()
    options: tuple[Option, ...] = ()


@dataclass(frozen=True, slots=True)
class ProtoFile:
    """`syntax` is None where the text says none, which means proto2."""

    syntax: str | None = None
    package: str | None = None
    imports: tuple[str, ...] = ()
    public_imports: tuple[str, ...] = ()
    options: tuple[Option, ...] = ()
    types: tuple[TypeDecl, ...] = ()
    extends: tuple[Extend, ...] = ()
    services: tuple[Service, ...] = ()
    weak_imports: tuple[str, ...] = field(default=())

    @property
    def messages(self) -> Iterator[Message]:
        return (t for t in self.types if isinstance(t, Message))

    @property
    def enums(self) -> Iterator[Enum]:
        return (t for t in self.types if isinstance(t, Enum))

    @property
    def is_proto3(self) -> bool:
        return self.syntax == "proto3"

    @property
    def all_imports(self) -> tuple[str, ...]:
        return self.imports + self.public_imports + self.weak_imports

    def full_name(self, name: str) -> str:
        return f"{self.package}.{name}" if self.package else name


def map_types(type_name: str) -> tuple[str, str] | None:
    """Key and value type of ``map<K, V>``; None for any other type."""
    if not type_name.startswith("map<"):
        return None
    key, _, value = type_name[4:-1].partition(",")
    return key.strip(), value.strip()


def fits_default(type_name: str, default: Option) -> bool:
    """Return whether a field of this type can have this default, as far as the text alone tells."""
    if type_name == "string":
        return default.kind == "string"
    if type_name == "bytes":  # Confluent's registry stores the default of bytes without its quotes
        return default.kind in ("string", "enum", "number", "boolean")
    if type_name == "bool":
        return default.kind == "boolean"
    if type_name in SCALARS:
        return default.kind == "number" or default.value in ("inf", "nan")
    return default.kind == "enum" and not type_name.startswith("map<")


def default_json_name(name: str) -> str:
    """The JSON name of a field that says none: camel case."""
    first, *rest = name.split("_")
    return first + "".join(part[:1].upper() + part[1:] for part in rest)
