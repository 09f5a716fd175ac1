"""Avro as a schema language of the registry."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from penstock.api import InvalidSchemaError, ParsedSchema, SchemaFormat, SchemaReference
from penstock_registry.formats.avro.canonical import to_text
from penstock_registry.formats.avro.compatibility import incompatibilities
from penstock_registry.formats.avro.model import AvroField, AvroSchema
from penstock_registry.formats.avro.parser import parse_with_names
from penstock_registry.formats.depth import bounded

__all__ = ["AvroFormat", "AvroParsedSchema"]


class AvroParsedSchema:
    """An Avro schema as the registry sees it; `schema` is the tree."""

    schema_type = "AVRO"

    def __init__(
        self, schema: AvroSchema, references: Sequence[SchemaReference] = (), resolved: Mapping[str, str] | None = None,
        known: frozenset[str] = frozenset(),
    ) -> None:  # fmt: skip
        self.schema = schema
        self.references: tuple[SchemaReference, ...] = tuple(references)
        self._resolved = dict(resolved or {})
        self._known_names = known
        self.canonical = to_text(schema, known)

    @property
    def name(self) -> str | None:
        """The full name of a record, an enum or a fixed; None for the rest, as for a union."""
        return self.schema.full_name if self.schema.name is not None else None

    @property
    def record_name(self) -> str | None:
        """The full name of a record: what the record-name strategies take."""
        return self.schema.full_name if self.schema.type == "record" else None

    @bounded
    def normalized(self) -> AvroParsedSchema:
        """Attributes Avro does not know in alphabetical order, references in order of their names."""
        references = sorted(set(self.references))
        return AvroParsedSchema(_normalized(self.schema, {}), references, self._resolved, self._known_names)

    @bounded
    def formatted(self, form: str) -> str:
        """``resolved`` writes referenced types out; any other form is the canonical text."""
        return to_text(self.schema) if form == "resolved" else self.canonical

    @bounded
    def incompatibilities(self, previous: ParsedSchema) -> list[str]:
        if not isinstance(previous, AvroParsedSchema):
            return ["Incompatible because of different schema type"]
        return incompatibilities(self.schema, previous.schema)

    def top_level_fields(self) -> frozenset[str]:
        return frozenset(field.name for field in self.schema.fields or ())

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, AvroParsedSchema):
            return NotImplemented
        return self.canonical == other.canonical and self.references == other.references

    def __hash__(self) -> int:
        return hash((self.canonical, self.references))

    def __repr__(self) -> str:
        return f"AvroParsedSchema({self.canonical})"


class AvroFormat(SchemaFormat):
    schema_type = "AVRO"

    @bounded
    def parse(
        self,
        text: str,
        references: Sequence[SchemaReference] = (),
        resolved: Mapping[str, str] | None = None,
    ) -> AvroParsedSchema:
        return self._parse(text, references, resolved, True)

    @bounded
    def parse_registered(
        self,
        text: str,
        references: Sequence[SchemaReference] = (),
        resolved: Mapping[str, str] | None = None,
    ) -> AvroParsedSchema:
        """Parse as `parse` does, for a text that a registry holds: an odd default in it is no reason to refuse its data."""
        try:
            return self._parse(text, references, resolved, False)
        except InvalidSchemaError:
            if not resolved:
                raise
            # A text registered as the name of a referenced type is kept written out, and stands alone.
            return self._parse(text, references, {}, False)

    def _parse(
        self, text: str, references: Sequence[SchemaReference], resolved: Mapping[str, str] | None, check: bool
    ) -> AvroParsedSchema:
        names: dict[str, AvroSchema] = {}
        for name, referenced in (resolved or {}).items():
            try:
                _, names = parse_with_names(referenced, names, check_defaults=False)
            except InvalidSchemaError as error:
                raise InvalidSchemaError(f"Reference {name}: {error.message}") from error
        known = frozenset(names)
        schema, _ = parse_with_names(text, names, check_defaults=check)
        if schema.name is not None and schema.full_name in known:
            known = frozenset()  # the text is only the name of a referenced type: written out
        return AvroParsedSchema(schema, references, resolved, known)


def _normalized(schema: AvroSchema, done: dict[int, AvroSchema]) -> AvroSchema:
    made = done.get(id(schema))
    if made is not None:
        return made
    made = AvroSchema(
        schema.type,
        name=schema.name,
        namespace=schema.namespace,
        doc=schema.doc,
        aliases=tuple(sorted(schema.aliases)),
        props=_sorted_props(schema),
        symbols=schema.symbols,
        default=schema.default,
        size=schema.size,
        is_error=schema.is_error,
    )
    done[id(schema)] = made
    made.items = _normalized(schema.items, done) if schema.items else None
    made.values = _normalized(schema.values, done) if schema.values else None
    made.types = tuple(_normalized(t, done) for t in schema.types)
    made.fields = tuple(
        AvroField(
            f.name,
            _normalized(f.schema, done),
            f.doc,
            f.default,
            f.order,
            tuple(sorted(f.aliases)),
            {k: _sorted(f.props[k]) for k in sorted(f.props)},
        )
        for f in schema.fields
    )
    return made


#: Types that a logical type stands on (Avro's ``LogicalTypes``).
_LOGICAL: Final = {
    "date": "int", "time-millis": "int", "time-micros": "long", "timestamp-millis": "long", "timestamp-micros": "long",
    "timestamp-nanos": "long", "local-timestamp-millis": "long", "local-timestamp-micros": "long",
    "local-timestamp-nanos": "long", "uuid": "string",
}  # fmt: skip


def _sorted_props(schema: AvroSchema) -> dict[str, Any]:
    """In the order of ``AvroSchemaUtils``: the logical type and what belongs to it, where it is one, then by name."""
    props = schema.props
    first: list[str] = []
    word = props.get("logicalType")
    if isinstance(word, str) and (_LOGICAL.get(word) == schema.type or (word == "decimal" and _is_decimal(schema))):
        # A scale of 0 is not the logical type's business there.
        first = [
            "logicalType",
            *(["precision", *(["scale"] if props.get("scale") else [])] if word == "decimal" else []),
        ]
    return {k: _sorted(props[k]) for k in dict.fromkeys([*first, *sorted(props)])}


def _is_decimal(schema: AvroSchema) -> bool:
    precision, scale = schema.props.get("precision"), schema.props.get("scale", 0)
    return (
        schema.type in ("bytes", "fixed")
        and isinstance(precision, int)
        and isinstance(scale, int)
        and 0 <= scale <= precision
        and precision > 0
    )


def _sorted(node: object) -> object:
    if isinstance(node, dict):
        return {k: _sorted(node[k]) for k in sorted(node)}
    return [_sorted(n) for n in node] if isinstance(node, list) else node
