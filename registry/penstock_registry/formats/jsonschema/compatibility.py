"""Can data of one JSON Schema be read with another? Confluent's rules: a walk over both, noting what changed.

Only changes that break something are kept. The rules and the names of the changes are those of
``io.confluent.kafka.schemaregistry.json.diff``.
"""

from __future__ import annotations

import functools
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from typing import Any, Final

import jsonschema_rs

from penstock_registry.formats.jsonschema import model as m
from penstock_registry.formats.jsonschema.differences import is_compatible, message
from penstock_registry.formats.jsonschema.matching import maximum_matching
from penstock_registry.formats.jsonschema.text import sorted_keys

__all__ = ["incompatibilities"]

#: More than that tell nobody more; it also bounds the time that hostile schemas can take.
_MAX_MESSAGES: Final = 1000
#: After so many comparisons a pair that was found fine counts as fine wherever it is met again, even where that was found
#: inside another open one: schemas that refer to one another have more ways through them than can be walked.
_EXACT_STEPS: Final = 10_000


def incompatibilities(old: m.Node, new: m.Node, lenient: bool = False) -> list[str]:
    """Return why data of `old` cannot be read with `new`, one message a reason; empty if it can. `lenient` lets properties
    be added to an object that takes any (``compatibilityPolicy``)."""
    comparison = _Comparison(lenient)
    comparison.compare(old, new)
    return [message(kind, path) for kind, path in comparison.problems]


class _Comparison:
    def __init__(self, lenient: bool = False) -> None:
        self._lenient = lenient
        self.problems: list[tuple[str, str]] = []
        self._path: list[str] = []
        self._open: set[tuple[int, int]] = set()
        self._guarded = 0
        self._steps = 0
        self._enough = _MAX_MESSAGES
        #: Pairs known to fit, or not to, wherever they stand.
        self._fine: set[tuple[int, int]] = set()
        self._broken: set[tuple[int, int]] = set()

    # --- noting

    def note(self, kind: str, *inner: str) -> None:
        if not is_compatible(kind, self._lenient):
            self.problems.append((kind, "#/" + "/".join((*self._path, *inner))))

    @contextmanager
    def at(self, *path: str) -> Iterator[None]:
        self._path += path
        try:
            yield
        finally:
            del self._path[-len(path) :]

    def aside(self, old: m.Node | None, new: m.Node | None, enough: int) -> list[tuple[str, str]]:
        """The problems between two nodes, not noted here; no more are looked for once there are `enough`."""
        outer, self.problems = self.problems, []
        limit, self._enough = self._enough, enough
        try:
            self.compare(old, new)
            return self.problems
        finally:
            self.problems, self._enough = outer, limit

    def fits(self, old: m.Node, new: m.Node) -> bool:
        pair = (id(m.resolve(old)), id(m.resolve(new)))
        if pair in self._broken:
            return False
        if not self.aside(old, new, 1):
            return True
        self._broken.add(pair)
        return False

    # --- any two schemas

    def compare(self, old: m.Node | None, new: m.Node | None) -> None:
        if old is None or new is None:
            if old is not new:
                self.note("SCHEMA_ADDED" if old is None else "SCHEMA_REMOVED")
            return
        old, new = m.resolve(old), m.resolve(new)
        pair = (id(old), id(new))
        if pair in self._fine or len(self.problems) >= self._enough:
            return
        noted, guarded = len(self.problems), self._guarded
        self._steps += 1
        self._compare(old, new)
        exact = self._guarded == guarded
        if len(self.problems) == noted and (exact or self._steps > _EXACT_STEPS):
            self._fine.add(pair)

    def _compare(self, old: m.Node, new: m.Node) -> None:
        if self._fits_a_branch(old, new):
            return
        if type(old) is not type(new):
            if not isinstance(old, m.Nothing) and not isinstance(new, m.Anything) and not _both_bytes(old, new):
                self.note("TYPE_CHANGED")
            return
        pair = (id(old), id(new))
        if pair in self._open:  # inside itself: whatever is wrong is found where it began
            self._guarded += 1
            return
        self._open.add(pair)
        try:
            rule = _RULES.get(type(old))
            if rule is not None:
                rule(self, old, new)
        finally:
            self._open.discard(pair)

    def _fits_a_branch(self, old: m.Node, new: m.Node) -> bool:
        """Return whether a schema became a union with a branch it fits, or was a union of one, or of demands, that fits."""
        if isinstance(new, m.Combined) and not isinstance(old, m.Combined):
            branches = new.subschemas
            if len(branches) != 1 and new.criterion == "allOf":
                return False
            return any(self.fits(old, branch) for branch in branches)
        if isinstance(old, m.Combined) and not isinstance(new, m.Combined):
            # Data met all demands of an allOf, so that one which fits is enough.
            demanded = len(old.subschemas) == 1 or old.criterion == "allOf"
            return demanded and any(self.fits(branch, new) for branch in old.subschemas)
        return False

    # --- one kind each

    def strings(self, old: m.StringNode, new: m.StringNode) -> None:
        self._bound("maxLength", "MAX_LENGTH", old.max_length, new.max_length)
        self._bound("minLength", "MIN_LENGTH", old.min_length, new.min_length)
        if old.pattern != new.pattern:
            change = "ADDED" if old.pattern is None else "REMOVED" if new.pattern is None else "CHANGED"
            self.note(f"PATTERN_{change}", "pattern")

    def numbers(self, old: m.NumberNode, new: m.NumberNode) -> None:
        self._bound("maximum", "MAXIMUM", old.maximum, new.maximum)
        self._bound("minimum", "MINIMUM", old.minimum, new.minimum)
        self._bound("exclusiveMaximum", "EXCLUSIVE_MAXIMUM", old.exclusive_maximum, new.exclusive_maximum)
        self._bound("exclusiveMinimum", "EXCLUSIVE_MINIMUM", old.exclusive_minimum, new.exclusive_minimum)
        before, after = old.multiple_of, new.multiple_of
        if before != after:
            if before is None or after is None:
                self.note("MULTIPLE_OF_ADDED" if before is None else "MULTIPLE_OF_REMOVED", "multipleOf")
            elif _is_multiple(after, before):
                self.note("MULTIPLE_OF_EXPANDED", "multipleOf")
            else:
                self.note("MULTIPLE_OF_REDUCED" if _is_multiple(before, after) else "MULTIPLE_OF_CHANGED", "multipleOf")
        if old.integer != new.integer:
            self.note("TYPE_EXTENDED" if old.integer else "TYPE_NARROWED")

    def _bound(self, keyword: str, name: str, old: m.Number | None, new: m.Number | None) -> None:
        if old == new:
            return
        if old is None or new is None:
            self.note(f"{name}_ADDED" if old is None else f"{name}_REMOVED", keyword)
        else:
            self.note(f"{name}_INCREASED" if old < new else f"{name}_DECREASED", keyword)

    def enumerations(self, old: m.Enumeration, new: m.Enumeration) -> None:
        before, after = set(map(_sign, old.values)), set(map(_sign, new.values))
        if before != after:
            change = "EXTENDED" if before <= after else "NARROWED" if after <= before else "CHANGED"
            self.note(f"ENUM_ARRAY_{change}", "enum")

    def constants(self, old: m.Const, new: m.Const) -> None:
        if _sign(old.value) != _sign(new.value):
            self.note("ENUM_ARRAY_CHANGED", "const")

    def negations(self, old: m.Not, new: m.Not) -> None:
        with self.at("not"):
            self.note("NOT_TYPE_NARROWED" if self.fits(new.schema, old.schema) else "NOT_TYPE_EXTENDED")

    def combinations(self, old: m.Combined, new: m.Combined) -> None:
        if old.criterion != new.criterion:
            was_one, is_one = len(old.subschemas) == 1, len(new.subschemas) == 1
            extended = was_one and (is_one or new.criterion == "oneOf")
            if not extended and new.criterion != "anyOf" and not (is_one and old.criterion == "allOf"):
                self.note("COMBINED_TYPE_CHANGED")
                return
        before, after = _distinct(old.subschemas), _distinct(new.subschemas)
        if len(before) != len(after):
            extends = len(before) < len(after)
            kind = "PRODUCT_TYPE" if (new if extends else old).criterion == "allOf" else "SUM_TYPE"
            self.note(f"{kind}_{'EXTENDED' if extends else 'NARROWED'}")
        fitting: list[list[int]] = []
        for index, one in enumerate(before):
            with self.at(old.criterion, str(index)):
                fitting.append([i for i, other in enumerate(after) if self.fits(one, other)])
        if maximum_matching(fitting) < min(len(before), len(after)):
            self.note("COMBINED_TYPE_SUBSCHEMAS_CHANGED")

    # --- arrays

    def arrays(self, old: m.ArrayNode, new: m.ArrayNode) -> None:
        with self.at("items"):
            self.compare(old.items, new.items)
        self._tuples(old, new)
        with self.at("additionalItems"):
            self._additional("ITEMS", old, new)
        self._unevaluated("ITEMS", "unevaluatedItems", old.unevaluated, new.unevaluated)
        self._bound("maxItems", "MAX_ITEMS", old.max_items, new.max_items)
        self._bound("minItems", "MIN_ITEMS", old.min_items, new.min_items)
        if old.unique != new.unique:
            self.note("UNIQUE_ITEMS_REMOVED" if old.unique else "UNIQUE_ITEMS_ADDED", "uniqueItems")
        self._bound("maxContains", "MAX_CONTAINS", old.max_contains, new.max_contains)
        self._bound("minContains", "MIN_CONTAINS", old.min_contains, new.min_contains)

    def _tuples(self, old: m.ArrayNode, new: m.ArrayNode) -> None:
        before, after = old.tuple_items or (), new.tuple_items or ()
        for index in range(max(len(before), len(after))):
            with self.at("items", str(index)):
                if index >= len(after):
                    self._removed("ITEM", before[index], _is_open(new), _rest_of(new))
                elif index < len(before):
                    self.compare(before[index], after[index])
                elif _is_open(old):
                    empty = isinstance(after[index], m.Anything)
                    kind = "ITEM_WITH_EMPTY_SCHEMA_ADDED" if empty else "ITEM_ADDED"
                    self.note(f"{kind}_TO_OPEN_CONTENT_MODEL")
                elif (rest := _rest_of(old)) is not None:
                    self._covered("ITEM_ADDED", rest, after[index])

    def _removed(self, what: str, before: m.Node, is_open: bool, rest: m.Node | None) -> None:
        """A property or item that is no more: anything may stand in its place, or what `rest` says, or nothing."""
        if is_open:
            return
        if rest is not None:
            self._covered(f"{what}_REMOVED", before, rest)
        elif not isinstance(before, m.Nothing):
            self.note(f"{what}_REMOVED_FROM_CLOSED_CONTENT_MODEL")

    def _covered(self, what: str, old: m.Node, new: m.Node) -> None:
        found = self.aside(old, new, self._enough)
        self.problems += found
        self.note(f"{what}_{'NOT' if found else 'IS'}_COVERED_BY_PARTIALLY_OPEN_CONTENT_MODEL")

    def _additional(self, what: str, old: m.ArrayNode | m.ObjectNode, new: m.ArrayNode | m.ObjectNode) -> None:
        if old.closed != new.closed:
            self.note(f"ADDITIONAL_{what}_ADDED" if old.closed else f"ADDITIONAL_{what}_REMOVED")
        elif old.additional is None and new.additional is not None:
            self.note(f"ADDITIONAL_{what}_NARROWED")
        elif new.additional is not None:
            self.compare(old.additional, new.additional)

    def _unevaluated(self, what: str, keyword: str, old: m.Node | None, new: m.Node | None) -> None:
        with self.at(keyword):
            closed, closes = isinstance(old, m.Nothing), isinstance(new, m.Nothing)
            if closed != closes:
                self.note(f"UNEVALUATED_{what}_{'ADDED' if closed else 'REMOVED'}")
            elif new is None or (old is not None and isinstance(new, m.Anything)):
                return
            elif old is None or isinstance(old, m.Anything):
                self.note(f"UNEVALUATED_{what}_NARROWED")
            elif not closes:
                self.compare(old, new)

    # --- objects

    def objects(self, old: m.ObjectNode, new: m.ObjectNode) -> None:
        for name in old.properties:
            if name in new.properties and name in new.required and name not in old.required:
                with self.at("required", name):
                    with_default = new.properties[name].has_default
                    self.note("REQUIRED_ATTRIBUTE_WITH_DEFAULT_ADDED" if with_default else "REQUIRED_ATTRIBUTE_ADDED")
        for name in {**old.properties, **new.properties}:
            with self.at("properties", name):
                self._property(name, old, new)
        self._dependencies(old, new)
        with self.at("additionalProperties"):
            self._additional("PROPERTIES", old, new)
        self._unevaluated("PROPERTIES", "unevaluatedProperties", old.unevaluated, new.unevaluated)
        self._bound("maxProperties", "MAX_PROPERTIES", old.max_properties, new.max_properties)
        self._bound("minProperties", "MIN_PROPERTIES", old.min_properties, new.min_properties)

    def _property(self, name: str, old: m.ObjectNode, new: m.ObjectNode) -> None:
        before, after = old.properties.get(name), new.properties.get(name)
        if before is not None and after is not None:
            self.compare(before, after)
        elif before is not None:
            self._removed("PROPERTY", before, _is_open(new), _covering(new, name))
        elif after is not None:
            self._added(name, old, new, after)

    def _added(self, name: str, old: m.ObjectNode, new: m.ObjectNode, after: m.Node) -> None:
        required = name in new.required
        if _is_open(old):
            # what stood there so far may have been anything
            if not isinstance(after, m.Anything):
                self.note(f"{_necessity(required, after)}_ADDED_TO_OPEN_CONTENT_MODEL")
            return
        rest = _covering(old, name)
        if rest is not None:
            self._covered("PROPERTY_ADDED", rest, after)
        self.note(f"{_necessity(required, after)}_ADDED_TO_UNOPEN_CONTENT_MODEL")

    def _dependencies(self, old: m.ObjectNode, new: m.ObjectNode) -> None:
        for name, needed in new.property_dependencies.items():
            before = old.property_dependencies.get(name)
            if before == needed:
                continue
            with self.at("dependencies", name):
                if before is None:
                    self.note("DEPENDENCY_ARRAY_ADDED")
                elif before <= needed:
                    self.note("DEPENDENCY_ARRAY_EXTENDED")
                else:
                    self.note("DEPENDENCY_ARRAY_NARROWED" if needed <= before else "DEPENDENCY_ARRAY_CHANGED")
        for name, node in new.schema_dependencies.items():
            with self.at("dependencies", name):
                if name in old.schema_dependencies:
                    self.compare(old.schema_dependencies[name], node)
                else:
                    self.note("DEPENDENCY_SCHEMA_ADDED")


_RULES: Final[dict[type[m.Node], Callable[[_Comparison, Any, Any], None]]] = {
    m.StringNode: _Comparison.strings,
    m.NumberNode: _Comparison.numbers,
    m.Enumeration: _Comparison.enumerations,
    m.Const: _Comparison.constants,
    m.Not: _Comparison.negations,
    m.Combined: _Comparison.combinations,
    m.ArrayNode: _Comparison.arrays,
    m.ObjectNode: _Comparison.objects,
}


def _necessity(required: bool, node: m.Node) -> str:
    if not required:
        return "OPTIONAL_PROPERTY"
    return "REQUIRED_PROPERTY_WITH_DEFAULT" if node.has_default else "REQUIRED_PROPERTY"


def _is_open(node: m.ArrayNode | m.ObjectNode) -> bool:
    """Return whether anything may stand where the schema names nothing."""
    unlimited = node.unevaluated is None or isinstance(node.unevaluated, m.Anything)
    return not (node.closed or node.additional or (isinstance(node, m.ObjectNode) and node.patterns)) and unlimited


def _rest_of(node: m.ArrayNode | m.ObjectNode) -> m.Node | None:
    """Return what stands where the schema names nothing; None for nothing at all (or, in an open schema, anything)."""
    if node.additional is not None or node.closed:
        return node.additional
    return None if isinstance(node.unevaluated, m.Nothing | m.Anything) else node.unevaluated


def _covering(node: m.ObjectNode, name: str) -> m.Node | None:
    for pattern, schema in node.patterns.items():
        if _matches(pattern, name):
            return schema
    return _rest_of(node)


def _sign(value: Any) -> str:
    """Return a text that two JSON values share where they are equal: the order of an object's members says nothing."""
    return repr(sorted_keys(value))


def _matches(pattern: str, name: str) -> bool:
    search = _search(pattern)
    return search is not None and search.is_valid(name)


@functools.lru_cache(maxsize=256)
def _search(pattern: str) -> Any:
    """Finds `pattern` in a text; None for a construct of another dialect, which is taken to cover nothing.

    Not Python's `re`: whoever registers a schema chooses the pattern and the names, and `re` may need longer for them
    than anybody waits. This engine takes linear time, or gives up after so many steps where it has to try.
    """
    try:
        options = jsonschema_rs.FancyRegexOptions(backtrack_limit=10_000, size_limit=1 << 20, dfa_size_limit=1 << 20)
        return jsonschema_rs.Draft7Validator({"pattern": pattern}, pattern_options=options)
    except (jsonschema_rs.ValidationError, ValueError):
        return None


def _both_bytes(old: m.Node, new: m.Node) -> bool:
    """Return whether Connect wrote bytes both times: its decimals have been strings and numbers."""
    return old.extra.get("connect.type") == "bytes" == new.extra.get("connect.type")


def _is_multiple(number: m.Number, of: m.Number) -> bool:
    # Exactly: the remainder of two decimals far apart is more than a decimal context computes.
    return Fraction(number) % Fraction(of) == 0


def _distinct(nodes: list[m.Node]) -> list[m.Node]:
    return list({repr(node): node for node in nodes}.values())
