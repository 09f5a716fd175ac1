"""Tells which branch of a ``oneOf`` or ``anyOf`` a document belongs to. The work is done once per schema.

Connect's schema of a union says only what types its branches have. What tells a Point from a Line is in the JSON Schema:
constants, enums, required members, the types inside. So the nodes of the branches are kept beside the Connect schemas,
and each becomes a plain function from a document to yes or no.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from decimal import Decimal
from typing import Any, Final

from penstock.data import Schema
from penstock_converters.json.scalars import NeedsExact
from penstock_converters.jsonschema import names
from penstock_registry.formats.jsonschema import model as m

__all__ = ["Branches", "Test"]

#: Tells whether a tree fits. Raises `NeedsExact` where a float does not say enough.
Test = Callable[[Any], bool]


class Branches:
    """The nodes that the fields of one document's unions were made of. To be filled and used by one thread at a time."""

    def __init__(self) -> None:
        #: Keyed by the identities of the fields' schemas, which the forms of a union (optional, with a default) share.
        self._known_unions: dict[tuple[int, ...], tuple[Sequence[Schema], Sequence[m.Node]]] = {}
        self._tests = _Tests()

    def keep(self, schemas: Sequence[Schema], nodes: Sequence[m.Node]) -> None:
        """Remember of which nodes the schemas of a union's fields were made."""
        self._known_unions[tuple(map(id, schemas))] = schemas, nodes

    def tests(self, union: Schema) -> list[Test]:
        """Return a test for each field of `union`. Everything fits the fields of a union that was never kept."""
        known = self._known_unions.get(tuple(id(field.schema) for field in union.fields))
        if known is None:
            return [_anything] * len(union.fields)
        return [self._tests.test(node) for node in known[1]]


class _Tests:
    """Makes tests of nodes. ``pattern``, ``format`` and the rarer keywords of objects and arrays are not looked at: a
    document that fits two branches but for those belongs to the first."""

    def __init__(self) -> None:
        self._made: dict[int, list[Test]] = {}
        self._kept: list[m.Node] = []

    def test(self, node: m.Node) -> Test:
        node = m.resolve(node)
        made = self._made.get(id(node))
        if made is None:
            made = self._made[id(node)] = []
            self._kept.append(node)
            made.append(self._test(node))
        elif not made:  # it holds itself, and is being made
            unfinished = made
            return lambda tree: unfinished[0](tree)  # noqa: PLW0108 - it is there only once the node is done
        return made[0]

    def _test(self, node: m.Node) -> Test:
        match node:
            case m.BooleanNode():
                return lambda tree: type(tree) is bool
            case m.NullNode():
                return lambda tree: tree is None
            case m.NumberNode():
                return _number(node)
            case m.StringNode():
                return _text(node)
            case m.Enumeration():
                return _one_of(node.values)
            case m.Const():
                return _one_of([node.value])
            case m.ArrayNode():
                return self._array(node)
            case m.ObjectNode():
                return self._object(node)
            case m.Combined():
                tests = [self.test(part) for part in node.subschemas]
                combine = all if node.criterion == "allOf" else any
                return lambda tree: combine(test(tree) for test in tests)
            case m.Not():
                other = self.test(node.schema)
                return lambda tree: not other(tree)
            case m.Nothing():
                return lambda tree: False
        return _anything  # no restriction, or one that depends on other parts (if/then/else)

    def _array(self, node: m.ArrayNode) -> Test:
        item = _anything if node.items is None else self.test(node.items)
        first = [self.test(part) for part in node.tuple_items or ()]
        low, high = node.min_items or 0, node.max_items

        def test(tree: Any) -> bool:
            if type(tree) is not list or len(tree) < low or (high is not None and len(tree) > high):
                return False
            return all(t(i) for t, i in zip(first, tree, strict=False)) and all(map(item, tree))

        return test

    def _object(self, node: m.ObjectNode) -> Test:
        members = [(name, self.test(part)) for name, part in node.properties.items()]
        required, known = node.required, frozenset(node.properties)
        closed = node.closed and not node.patterns
        other = self.test(node.additional) if node.additional is not None and not node.patterns else _anything

        def test(tree: Any) -> bool:
            if type(tree) is not dict or not required <= tree.keys():
                return False
            if not all(name not in tree or fits(tree[name]) for name, fits in members):
                return False
            if closed:
                return tree.keys() <= known
            return other is _anything or all(other(part) for name, part in tree.items() if name not in known)

        return test


def _anything(tree: Any) -> bool:
    return True


def is_integer(tree: Any) -> bool:
    """Return True for a whole number. ``1.0`` is none, as in Jackson."""
    if type(tree) is float and abs(tree) >= 2**63:
        raise NeedsExact  # may be an integer beyond 64 bits
    return type(tree) is int


def is_number(tree: Any) -> bool:
    return type(tree) in _NUMBERS


_NUMBERS: Final = (int, float, Decimal)


def _number(node: m.NumberNode) -> Test:
    low, high, above, below = node.minimum, node.maximum, node.exclusive_minimum, node.exclusive_maximum
    kind = is_integer if node.integer else is_number
    # Decimals are marked as numbers, whether they are written as numbers or in Base64.
    binary = node.extra.get(names.CONNECT_TYPE) == "bytes"
    if low is None and high is None and above is None and below is None:
        return (lambda tree: isinstance(tree, str) or kind(tree)) if binary else kind

    def test(tree: Any) -> bool:
        if not kind(tree):
            return binary and isinstance(tree, str)
        return (
            (low is None or tree >= low)
            and (high is None or tree <= high)
            and (above is None or tree > above)
            and (below is None or tree < below)
        )

    return test


def _text(node: m.StringNode) -> Test:
    low, high = node.min_length or 0, node.max_length
    if not low and high is None:
        return lambda tree: isinstance(tree, str)
    return lambda tree: isinstance(tree, str) and low <= len(tree) and (high is None or len(tree) <= high)


def _one_of(values: list[Any]) -> Test:
    texts = frozenset(value for value in values if isinstance(value, str))
    others = [value for value in values if not isinstance(value, str)]

    def test(tree: Any) -> bool:
        return tree in texts if isinstance(tree, str) else any(_equal(tree, value) for value in others)

    return test


def _equal(tree: Any, value: Any) -> bool:
    """Return True if both are the same JSON: numbers by their value, and true is no number."""
    if type(tree) is float and isinstance(value, Decimal):
        raise NeedsExact
    if isinstance(tree, dict) and isinstance(value, dict):
        return tree.keys() == value.keys() and all(_equal(part, value[key]) for key, part in tree.items())
    if isinstance(tree, list) and isinstance(value, list):
        return len(tree) == len(value) and all(map(_equal, tree, value))
    return (type(tree) is bool) is (type(value) is bool) and bool(tree == value)
