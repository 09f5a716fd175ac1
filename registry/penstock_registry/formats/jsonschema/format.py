"""JSON Schema as a schema language of the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.api import InvalidSchemaError, ParsedSchema, SchemaFormat, SchemaReference
from penstock_registry.formats.depth import bounded
from penstock_registry.formats.jsonschema import text as json_text
from penstock_registry.formats.jsonschema.compatibility import incompatibilities
from penstock_registry.formats.jsonschema.loader import load
from penstock_registry.formats.jsonschema.model import Node

__all__ = ["JsonParsedSchema", "JsonSchemaFormat"]


class JsonParsedSchema:
    """A JSON Schema as the registry sees it: `tree` is the text's JSON, `referenced` that of its references by name,
    `node` what it says."""

    schema_type = "JSON"

    def __init__(
        self,
        tree: Any,
        node: Node,
        references: Sequence[SchemaReference] = (),
        referenced: Mapping[str, Any] | None = None,
    ) -> None:
        self.tree = tree
        self.node = node
        self.references: tuple[SchemaReference, ...] = tuple(references)
        self.referenced = dict(referenced or {})
        self.canonical = json_text.write(tree)

    @property
    def name(self) -> str | None:
        """The title."""
        return self.tree.get("title") if isinstance(self.tree, dict) else None

    @bounded
    def normalized(self) -> JsonParsedSchema:
        """Members in order of their names, references too."""
        tree = json_text.sorted_keys(self.tree)
        return JsonParsedSchema(tree, load(tree, self.referenced), sorted(set(self.references)), self.referenced)

    def formatted(self, form: str) -> str:
        """The canonical text: JSON Schema has no other form."""
        return self.canonical

    @bounded
    def incompatibilities(self, previous: ParsedSchema) -> list[str]:
        if not isinstance(previous, JsonParsedSchema):
            return ["Incompatible because of different schema type"]
        return incompatibilities(previous.node, self.node)

    @bounded
    def incompatibilities_lenient(self, previous: ParsedSchema) -> list[str]:
        if not isinstance(previous, JsonParsedSchema):
            return self.incompatibilities(previous)
        return incompatibilities(previous.node, self.node, lenient=True)

    def top_level_fields(self) -> frozenset[str]:
        properties = self.tree.get("properties") if isinstance(self.tree, dict) else None
        return frozenset(properties) if isinstance(properties, dict) else frozenset()

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, JsonParsedSchema):
            return NotImplemented
        return self.canonical == other.canonical and self.references == other.references

    def __hash__(self) -> int:
        return hash((self.canonical, self.references))

    def __repr__(self) -> str:
        return f"JsonParsedSchema({self.canonical})"


class JsonSchemaFormat(SchemaFormat):
    """Drafts 4, 6, 7, 2019-09 and 2020-12; draft 7 where ``$schema`` does not say. Nothing is ever fetched."""

    schema_type = "JSON"

    @bounded
    def parse(
        self,
        text: str,
        references: Sequence[SchemaReference] = (),
        resolved: Mapping[str, str] | None = None,
        *,
        ignore_modern: bool = False,
    ) -> JsonParsedSchema:
        tree = json_text.read(text)
        referenced: dict[str, Any] = {}
        for name, other in (resolved or {}).items():
            try:
                referenced[name] = json_text.read(other)
            except InvalidSchemaError as error:
                raise InvalidSchemaError(f"Reference {name}: {error.message}") from error
        return JsonParsedSchema(tree, load(tree, referenced, ignore_modern), references, referenced)
