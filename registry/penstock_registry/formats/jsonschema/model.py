"""A JSON Schema as a tree of nodes.

The split into kinds is that of everit's Java library, which Confluent's registry and converter think in: keywords of
several kinds beside each other make an ``allOf`` of one node a kind (`Combined.synthetic`), a list of types an
``anyOf``. Which node a text becomes decides what Connect schema it maps to and which changes are compatible.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

__all__ = [
    "Anything",
    "ArrayNode",
    "BooleanNode",
    "Combined",
    "Conditional",
    "Const",
    "Enumeration",
    "Node",
    "Not",
    "Nothing",
    "NullNode",
    "NumberNode",
    "ObjectNode",
    "Reference",
    "StringNode",
    "resolve",
]

Number = int | Decimal


@dataclass(eq=False, kw_only=True)
class Node:
    """A schema or subschema. Compared by identity; `extra` holds the keywords that JSON Schema does not know."""

    id: str | None = None
    title: str | None = None
    description: str | None = None
    default: Any = None
    has_default: bool = False
    extra: Mapping[str, Any] = field(default_factory=dict)


@dataclass(eq=False, kw_only=True)
class Anything(Node):
    """``{}`` or ``true``."""


@dataclass(eq=False, kw_only=True)
class Nothing(Node):
    """``false``."""


@dataclass(eq=False, kw_only=True)
class BooleanNode(Node):
    pass


@dataclass(eq=False, kw_only=True)
class NullNode(Node):
    pass


@dataclass(eq=False, kw_only=True)
class NumberNode(Node):
    integer: bool = False
    minimum: Number | None = None
    maximum: Number | None = None
    exclusive_minimum: Number | None = None
    exclusive_maximum: Number | None = None
    multiple_of: Number | None = None


@dataclass(eq=False, kw_only=True)
class StringNode(Node):
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None
    format: str | None = None


@dataclass(eq=False, kw_only=True)
class ArrayNode(Node):
    """`items` is for all elements, `tuple_items` for the first ones, `additional` for those after them."""

    items: Node | None = None
    tuple_items: tuple[Node, ...] | None = None
    additional: Node | None = None
    closed: bool = False
    contains: Node | None = None
    min_contains: int | None = None
    max_contains: int | None = None
    unevaluated: Node | None = None
    min_items: int | None = None
    max_items: int | None = None
    unique: bool = False


@dataclass(eq=False, kw_only=True)
class ObjectNode(Node):
    """`closed` is ``additionalProperties: false``; `properties` are in the order of the text."""

    properties: dict[str, Node] = field(default_factory=dict)
    required: frozenset[str] = frozenset()
    additional: Node | None = None
    closed: bool = False
    unevaluated: Node | None = None
    patterns: dict[str, Node] = field(default_factory=dict)
    property_dependencies: dict[str, frozenset[str]] = field(default_factory=dict)
    schema_dependencies: dict[str, Node] = field(default_factory=dict)
    property_names: Node | None = None
    min_properties: int | None = None
    max_properties: int | None = None


@dataclass(eq=False, kw_only=True)
class Enumeration(Node):
    values: list[Any] = field(default_factory=list)


@dataclass(eq=False, kw_only=True)
class Const(Node):
    value: Any = None


@dataclass(eq=False, kw_only=True)
class Not(Node):
    schema: Node


@dataclass(eq=False, kw_only=True)
class Conditional(Node):
    condition: Node | None = None
    then: Node | None = None
    otherwise: Node | None = None


@dataclass(eq=False, kw_only=True)
class Combined(Node):
    """`criterion` is ``allOf``, ``anyOf`` or ``oneOf``; `synthetic` if the text has no such keyword."""

    criterion: str
    subschemas: list[Node] = field(default_factory=list)
    synthetic: bool = False


@dataclass(eq=False, kw_only=True)
class Reference(Node):
    """A ``$ref``. `target` is set once the whole text is loaded; it may lead back to where the reference stands."""

    ref: str
    target: Node | None = field(default=None, repr=False)


def resolve(node: Node) -> Node:
    """Return the node that `node` refers to in the end; itself if it is no reference."""
    seen: set[int] = set()
    while isinstance(node, Reference) and node.target is not None and id(node) not in seen:
        seen.add(id(node))
        node = node.target
    return node
