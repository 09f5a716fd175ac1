"""A schema as the registry keeps it: text, references, metadata, rules; and what makes two of them the same."""

from __future__ import annotations

import uuid
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from penstock.api.registry import SchemaReference
from penstock_registry.guid import RULE_LISTS, content_digest
from penstock_registry.server.subjects import Subject
from penstock_registry.store import SchemaKey

__all__ = [
    "RESERVED_PROPERTY",
    "VERSION_PROPERTY",
    "Identity",
    "SchemaContent",
    "StoredSchema",
    "change_rules",
    "merge_metadata",
    "merge_rule_sets",
    "referenced_keys",
    "sorted_metadata",
]

#: The metadata property that pins a schema to the version it was registered as.
VERSION_PROPERTY = "confluent:version"
#: The one with the names of fields that no schema of the subject may have, commas between.
RESERVED_PROPERTY = "confluent:reserved"


class Identity(NamedTuple):
    """Two schemas of one context share an id if this is the same.

    The digest is Confluent's and knows nothing of the type; with it, two languages never share an id.
    """

    schema_type: str
    digest: bytes


@dataclass(frozen=True, slots=True)
class SchemaContent:
    """A schema without the place where it is registered. Immutable; the mappings are not to be changed."""

    schema_type: str
    text: str
    references: tuple[SchemaReference, ...] = ()
    metadata: Mapping[str, Any] | None = None
    rule_set: Mapping[str, Any] | None = None
    identity: Identity = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        digest = content_digest(self.text, self.references, self.metadata, self.rule_set)
        object.__setattr__(self, "identity", Identity(self.schema_type, digest))

    @property
    def guid(self) -> str:
        return str(uuid.UUID(bytes=self.identity.digest))

    def members(self) -> dict[str, Any]:
        """Return it as part of a JSON answer or a stored value, in Confluent's order."""
        result: dict[str, Any] = {"schemaType": self.schema_type}
        if self.references:
            result["references"] = references_json(self.references)
        if self.metadata is not None:
            result["metadata"] = dict(self.metadata)
        if self.rule_set is not None:
            result["ruleSet"] = dict(self.rule_set)
        result["schema"] = self.text
        return result


@dataclass(frozen=True, slots=True)
class StoredSchema:
    """One version of one subject, as the log has it."""

    subject: str
    version: int
    id: int
    content: SchemaContent
    deleted: bool
    timestamp_ms: int

    def to_value(self) -> dict[str, Any]:
        return {
            "subject": self.subject,
            "version": self.version,
            "id": self.id,
            **self.content.members(),
            "deleted": self.deleted,
        }


def referenced_keys(subject: str, content: SchemaContent) -> list[SchemaKey]:
    """Return what a schema of `subject` with this content references, in order; a plain name is of the same context."""
    parent = Subject.parse(subject)
    return [SchemaKey(parent.qualify(reference.subject), reference.version) for reference in content.references]


def references_json(references: Iterable[SchemaReference]) -> list[dict[str, Any]]:
    return [{"name": r.name, "subject": r.subject, "version": r.version} for r in references]


def sorted_metadata(metadata: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """Metadata in the one order it is stored, hashed and shown in; members without a value are left out."""
    if metadata is None:
        return None
    result: dict[str, Any] = {}
    if (tags := metadata.get("tags")) is not None:
        result["tags"] = {key: sorted(set(tags[key])) for key in sorted(tags)}
    if (properties := metadata.get("properties")) is not None:
        result["properties"] = {key: properties[key] for key in sorted(properties)}
    if (sensitive := metadata.get("sensitive")) is not None:
        result["sensitive"] = sorted(set(sensitive))
    return result


def merge_metadata(base: Mapping[str, Any] | None, over: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """`over` on top of `base`: tags and sensitive names are joined, a property of `over` wins."""
    if base is None or over is None:
        return sorted_metadata(over if base is None else base)
    result: dict[str, Any] = {}
    if base.get("tags") is not None or over.get("tags") is not None:
        tags: dict[str, list[str]] = {key: list(names) for key, names in (base.get("tags") or {}).items()}
        for key, names in (over.get("tags") or {}).items():
            tags[key] = tags.get(key, []) + list(names)
        result["tags"] = tags
    if base.get("properties") is not None or over.get("properties") is not None:
        result["properties"] = {**(base.get("properties") or {}), **(over.get("properties") or {})}
    if base.get("sensitive") is not None or over.get("sensitive") is not None:
        result["sensitive"] = [*(base.get("sensitive") or ()), *(over.get("sensitive") or ())]
    return sorted_metadata(result)


def merge_rule_sets(base: Mapping[str, Any] | None, over: Mapping[str, Any] | None) -> dict[str, Any] | None:
    """`over` on top of `base`, list by list: a rule of `over` replaces the one of its name in `base`."""
    if base is None or over is None:
        chosen = over if base is None else base
        return None if chosen is None else dict(chosen)
    result: dict[str, Any] = {**base, **over}
    for name in RULE_LISTS:
        if base.get(name) is None and over.get(name) is None:
            continue
        replaced = {rule.get("name") for rule in over.get(name) or ()}
        kept = [rule for rule in base.get(name) or () if rule.get("name") not in replaced]
        result[name] = kept + list(over.get(name) or ())
    return result


def change_rules(
    base: Mapping[str, Any] | None, merged: Mapping[str, Any] | None, removed: Iterable[str]
) -> dict[str, Any] | None:
    """`base` with `merged` on top of it, and without the rules whose names are `removed`."""
    names, changed = set(removed), merge_rule_sets(base, merged)
    if changed is not None and names:
        for name in RULE_LISTS:
            if changed.get(name) is not None:
                changed[name] = [rule for rule in changed[name] if rule.get("name") not in names]
    return changed
