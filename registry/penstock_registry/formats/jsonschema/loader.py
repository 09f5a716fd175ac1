"""Schema text to nodes (see `model`): which keywords make what, as everit's library and Confluent's translator decide."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any, Final

from penstock.api import InvalidSchemaError
from penstock_registry.formats.jsonschema import model as m
from penstock_registry.formats.jsonschema.dialects import Dialect, Scope, dialect_of, scope_of

__all__ = ["load"]

_NUMBER: Final = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum", "multipleOf")
_STRING: Final = ("minLength", "maxLength", "pattern", "format")
_ARRAY: Final = ("items", "additionalItems", "minItems", "maxItems", "uniqueItems")
_ARRAY_LATER: Final = ((6, ("contains",)), (2019, ("prefixItems", "minContains", "maxContains", "unevaluatedItems")))
_OBJECT: Final = (
    "properties", "required", "minProperties", "maxProperties", "dependencies", "patternProperties",
    "additionalProperties",
)  # fmt: skip
_OBJECT_LATER: Final = (
    (6, ("propertyNames",)), (2019, ("dependentRequired", "dependentSchemas", "unevaluatedProperties")),
)  # fmt: skip
_COMBINED: Final = ("oneOf", "allOf", "anyOf")
_CONDITIONAL: Final = ("if", "then", "else")
_MAX_COUNT: Final[int] = 2**63 - 1
_ANNOTATIONS: Final = ("title", "description", "default")


def load(tree: Any, referenced: Mapping[str, Any], ignore_modern: bool = False) -> m.Node:
    """The node of a text. `referenced` has the trees of its references by name. Raises `InvalidSchemaError`."""
    if not isinstance(tree, dict | bool):
        raise InvalidSchemaError(
            f"Invalid JSON schema: expected an object or boolean at the root, found {_json_type(tree)}"
        )
    dialect = dialect_of(tree, ignore_modern)
    loader = _Loader(dialect)
    try:
        root = loader.node(tree, scope_of(tree, dialect, referenced), "#")
        loader.follow_references()
    except RecursionError:
        raise InvalidSchemaError("Invalid JSON schema: nested too deeply") from None
    return root


class _Loader:
    def __init__(self, dialect: Dialect) -> None:
        self._dialect = dialect
        self._pending: deque[tuple[m.Reference, Scope, str, int]] = deque()
        #: All references to one place share one node, apart from the place's own; a reference that has keywords
        #: beside it has a node for itself. By the trees' identities, which `_alive` keeps from being used anew.
        self._targets: dict[tuple[int, int], m.Node] = {}
        self._alive: list[Any] = []

    def follow_references(self) -> None:
        while self._pending:
            reference, scope, where, owner = self._pending.popleft()
            tree, inner = scope.look_up(reference.ref)
            known = self._targets.get((id(tree), owner))
            if known is None:
                self._alive.append(tree)
                known = self.node(tree, inner, f"{where[:200]} -> {reference.ref}")
                self._targets[id(tree), owner] = known
            reference.target = known

    def node(self, tree: Any, scope: Scope, where: str) -> m.Node:
        if tree is True:
            return m.Anything()
        if tree is False:
            return m.Nothing()
        if not isinstance(tree, dict):
            raise _wrong(where, "an object or boolean", tree)
        return _Extraction(self, tree, scope.enter(tree), where, self._dialect).node()

    def refer(self, ref: str, tree: dict[str, Any], scope: Scope, where: str) -> m.Reference:
        """A reference that stands in `tree`."""
        reference = m.Reference(ref=ref)
        self._alive.append(tree)
        self._pending.append((reference, scope, where, id(tree) if len(tree) > 1 else 0))
        return reference


class _Extraction:
    """One schema object on its way to a node. A keyword counts as used once a part was made of it."""

    def __init__(self, loader: _Loader, tree: dict[str, Any], scope: Scope, where: str, dialect: Dialect) -> None:
        self._loader = loader
        self._tree = tree
        self._scope = scope
        self._where = where
        self._dialect = dialect
        self._used: set[str] = set()

    def node(self) -> m.Node:
        parts = self._parts()
        node: m.Node
        if not parts:
            node = m.Anything()
        elif len(parts) == 1:
            node = parts[0]
        else:
            node = m.Combined(criterion="allOf", subschemas=_combined_first(parts, self._dialect), synthetic=True)
        node.id = self._text(self._dialect.id_keyword)
        node.title, node.description = self._text("title"), self._text("description")
        if "default" in self._tree:
            node.default, node.has_default = self._tree["default"], True
        known = {*self._used, *_ANNOTATIONS, self._dialect.id_keyword}
        node.extra = {key: value for key, value in self._tree.items() if key not in known}
        return node

    def _parts(self) -> list[m.Node]:
        if "$ref" in self._tree:
            reference: m.Node = self._loader.refer(self._required_text("$ref"), self._tree, self._scope, self._where)
            if not self._dialect.modern:
                return [reference]
            return [reference, *self._keyword_parts()]
        return self._keyword_parts()

    def _keyword_parts(self) -> list[m.Node]:
        parts: list[m.Node] = []
        if "enum" in self._tree:
            parts.append(m.Enumeration(values=self._list("enum")))
        parts += [self._combined(keyword) for keyword in _COMBINED if keyword in self._tree]
        if "not" in self._tree:
            parts.append(m.Not(schema=self._child("not")))
        if "const" in self._tree and self._dialect.year > 4:
            self._used.add("const")
            parts.append(m.Const(value=self._tree["const"]))
        if "type" in self._tree:
            parts.append(self._typed())
        return [*parts, *self._guessed()]

    def _combined(self, keyword: str) -> m.Combined:
        nodes = [
            self._loader.node(tree, self._scope, f"{self._where}/{keyword}/{i}")
            for i, tree in enumerate(self._list(keyword))
        ]
        return m.Combined(criterion=keyword, subschemas=_combined_first(nodes, self._dialect))

    def _typed(self) -> m.Node:
        self._used.add("type")
        kind = self._tree["type"]
        if isinstance(kind, list):
            # A type that is named twice says nothing new, and each makes a node of all the keywords.
            kinds = {repr(k): k for k in kind}.values()
            return m.Combined(criterion="anyOf", subschemas=[self._of_type(k) for k in kinds])
        return self._of_type(kind)

    def _of_type(self, kind: Any) -> m.Node:
        makers: dict[str, Callable[[], m.Node]] = {
            "string": self._string,
            "integer": lambda: self._number(True),
            "number": lambda: self._number(False),
            "boolean": m.BooleanNode,
            "null": m.NullNode,
            "array": self._array,
            "object": self._object,
        }
        if not isinstance(kind, str) or kind not in makers:
            raise InvalidSchemaError(f"Invalid JSON schema: {self._where}: unknown type: [{kind}]")
        return makers[kind]()

    def _guessed(self) -> list[m.Node]:
        """Parts for keywords that stand without their type."""
        parts: list[m.Node] = []
        if self._has_unused_keyword(_ARRAY, _ARRAY_LATER):
            parts.append(self._array())
        if self._has_unused_keyword(_OBJECT, _OBJECT_LATER):
            parts.append(self._object())
        if self._has_unused_keyword(_NUMBER):
            parts.append(self._number(False))
        if self._has_unused_keyword(_STRING):
            parts.append(self._string())
        if self._dialect.year >= 7 and self._has_unused_keyword(_CONDITIONAL):
            parts.append(
                m.Conditional(
                    condition=self._maybe_child("if"),
                    then=self._maybe_child("then"),
                    otherwise=self._maybe_child("else"),
                )
            )
        return parts

    def _has_unused_keyword(self, keywords: Iterable[str], later: Iterable[tuple[int, tuple[str, ...]]] = ()) -> bool:
        """Return whether a keyword is left that no part was made of; `later` are keywords that came with a draft."""
        since = [keyword for year, group in later if self._dialect.year >= year for keyword in group]
        return any(keyword in self._tree and keyword not in self._used for keyword in (*keywords, *since))

    # --- kinds

    def _string(self) -> m.Node:
        return m.StringNode(
            min_length=self._count("minLength"), max_length=self._count("maxLength"), pattern=self._text("pattern"),
            format=self._text("format"),
        )  # fmt: skip

    def _number(self, integer: bool) -> m.Node:
        node = m.NumberNode(
            integer=integer, minimum=self._amount("minimum"), maximum=self._amount("maximum"),
            multiple_of=self._amount("multipleOf"),
        )  # fmt: skip
        if node.multiple_of is not None and node.multiple_of == 0:
            raise InvalidSchemaError(f"Invalid JSON schema: {self._where}: multipleOf should not be 0")
        if self._dialect.year == 4:
            # Flags there: they change what minimum and maximum mean.
            if self._flag("exclusiveMinimum"):
                node.exclusive_minimum, node.minimum = node.minimum, None
            if self._flag("exclusiveMaximum"):
                node.exclusive_maximum, node.maximum = node.maximum, None
        else:
            node.exclusive_minimum = self._amount("exclusiveMinimum")
            node.exclusive_maximum = self._amount("exclusiveMaximum")
        return node

    def _array(self) -> m.Node:
        node = m.ArrayNode(
            min_items=self._count("minItems"), max_items=self._count("maxItems"), unique=self._flag("uniqueItems"),
            contains=self._maybe_child("contains") if self._dialect.year >= 6 else None,
        )  # fmt: skip
        if self._dialect.modern:
            node.min_contains, node.max_contains = self._count("minContains"), self._count("maxContains")
            node.unevaluated = self._maybe_child("unevaluatedItems")
        first, rest = "items", "additionalItems"
        if self._dialect.year >= 2020 and not isinstance(self._tree.get("items"), list):
            first, rest = "prefixItems", "items"
        if isinstance(self._tree.get(first), list):
            node.tuple_items = tuple(
                self._loader.node(tree, self._scope, f"{self._where}/{first}/{i}")
                for i, tree in enumerate(self._list(first))
            )
        elif first == "items":
            node.items = self._maybe_child("items")
        elif rest in self._tree:
            node.items = self._maybe_child("items")
            return node
        additional = self._maybe_child(rest)
        node.closed = isinstance(additional, m.Nothing)
        # true says no more than nothing does
        node.additional = None if isinstance(additional, m.Nothing) or self._tree.get(rest) is True else additional
        return node

    def _object(self) -> m.Node:
        additional = self._maybe_child("additionalProperties")
        node = m.ObjectNode(
            properties=self._children("properties"),
            required=frozenset(self._texts(self._list("required"), "required")) if "required" in self._tree else frozenset(),
            closed=isinstance(additional, m.Nothing),
            patterns=self._children("patternProperties"),
            property_names=self._maybe_child("propertyNames") if self._dialect.year >= 6 else None,
            min_properties=self._count("minProperties"), max_properties=self._count("maxProperties"),
            schema_dependencies=self._children("dependentSchemas") if self._dialect.modern else {},
            unevaluated=self._maybe_child("unevaluatedProperties") if self._dialect.modern else None,
        )  # fmt: skip
        if not node.closed and self._tree.get("additionalProperties") is not True:
            node.additional = additional
        self._dependencies(node)
        return node

    def _dependencies(self, node: m.ObjectNode) -> None:
        if self._dialect.modern and "dependentRequired" in self._tree:
            for name, needed in self._mapping("dependentRequired").items():
                node.property_dependencies[name] = frozenset(self._texts(needed, "dependentRequired"))
        if "dependencies" not in self._tree:
            return
        for name, needed in self._mapping("dependencies").items():
            if isinstance(needed, list):
                node.property_dependencies[name] = frozenset(self._texts(needed, "dependencies"))
            else:
                where = f"{self._where}/dependencies/{name}"
                node.schema_dependencies[name] = self._loader.node(needed, self._scope, where)

    # --- keywords

    def _child(self, keyword: str) -> m.Node:
        self._used.add(keyword)
        return self._loader.node(self._tree[keyword], self._scope, f"{self._where}/{keyword}")

    def _maybe_child(self, keyword: str) -> m.Node | None:
        return self._child(keyword) if keyword in self._tree else None

    def _children(self, keyword: str) -> dict[str, m.Node]:
        if keyword not in self._tree:
            return {}
        return {
            name: self._loader.node(tree, self._scope, f"{self._where}/{keyword}/{name}")
            for name, tree in self._mapping(keyword).items()
        }

    def _mapping(self, keyword: str) -> dict[str, Any]:
        found = self._value(keyword)
        if not isinstance(found, dict):
            raise _wrong(f"{self._where}/{keyword}", "an object", found)
        return found

    def _list(self, keyword: str) -> list[Any]:
        found = self._value(keyword)
        if not isinstance(found, list):
            raise _wrong(f"{self._where}/{keyword}", "an array", found)
        return found

    def _texts(self, found: Any, keyword: str) -> list[str]:
        if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
            raise _wrong(f"{self._where}/{keyword}", "an array of strings", found)
        return found

    def _text(self, keyword: str) -> str | None:
        return self._required_text(keyword) if keyword in self._tree else None

    def _required_text(self, keyword: str) -> str:
        found = self._value(keyword)
        if not isinstance(found, str):
            raise _wrong(f"{self._where}/{keyword}", "a string", found)
        return found

    def _flag(self, keyword: str) -> bool:
        found = self._value(keyword)
        if found is not None and not isinstance(found, bool):
            raise _wrong(f"{self._where}/{keyword}", "a boolean", found)
        return bool(found)

    def _amount(self, keyword: str) -> m.Number | None:
        found = self._value(keyword)
        if found is not None and (isinstance(found, bool) or not isinstance(found, int | Decimal)):
            raise _wrong(f"{self._where}/{keyword}", "a number", found)
        return found

    def _count(self, keyword: str) -> int | None:
        found = self._amount(keyword)
        if found is not None and not -_MAX_COUNT <= found <= _MAX_COUNT:
            raise InvalidSchemaError(f"Invalid JSON schema: {self._where}/{keyword}: {str(found)[:40]} is no count")
        return None if found is None else int(found)

    def _value(self, keyword: str) -> Any:
        self._used.add(keyword)
        return self._tree.get(keyword)


def _combined_first(nodes: list[m.Node], dialect: Dialect) -> list[m.Node]:
    # everit looks at combined subschemas before others; names of union fields follow from the order
    return nodes if dialect.modern else sorted(nodes, key=lambda node: not isinstance(node, m.Combined))


_JSON_TYPES: Final = (
    (bool, "BOOLEAN"), (str, "STRING"), (list, "ARRAY"), (dict, "OBJECT"), ((int, float, Decimal), "NUMBER"),
)  # fmt: skip


def _json_type(tree: Any) -> str:
    return next((name for kind, name in _JSON_TYPES if isinstance(tree, kind)), "NULL")


def _wrong(where: str, expected: str, met: Any) -> InvalidSchemaError:
    return InvalidSchemaError(f"Invalid JSON schema: {where}: expected {expected}, found {_json_type(met)}")
