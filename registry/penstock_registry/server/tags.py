"""Inline tags of Avro schemas: ``confluent:tags`` at a record, an enum, a fixed or a field."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from penstock_registry.server.content import SchemaContent
from penstock_registry.server.errors import bad_body, invalid_schema

__all__ = ["find_tags", "with_tags"]

_MEMBER = "confluent:tags"
_FIELD, _RECORD = "sr_field", "sr_record"


class _Entity(NamedTuple):
    path: str
    kind: str
    node: dict[str, Any]


def with_tags(
    content: SchemaContent,
    add: Sequence[Mapping[str, Any]],
    remove: Sequence[Mapping[str, Any]],
    *,
    lenient: bool = False,
) -> str:
    """Return the text of `content` with tags added and taken away. Each change is ``{"schemaEntity": {"entityPath",
    "entityType"}, "tags": [name]}``; a path is a record's full name, a field's is below it. Raises 42201, also for a path
    that leads nowhere unless `lenient`."""
    if content.schema_type != "AVRO":
        raise invalid_schema(f"Tags can be changed in AVRO schemas only, not in {content.schema_type} ones")
    schema = json.loads(content.text)
    entities = {(entity.kind, entity.path): entity.node for entity in _walk(schema, "")}
    for change, adding in [*((change, True) for change in add), *((change, False) for change in remove)]:
        kind, path, names = _read_change(change)
        node = entities.get((kind, path))
        if node is None and lenient:
            continue
        if node is None:
            raise invalid_schema(f"No {kind} at path {path} in the schema; there are: {_entity_names(entities)}")
        present = [name for name in _tags_of(node) if adding or name not in names]
        present += [name for name in names if adding and name not in present]
        if present:
            node[_MEMBER] = present
        else:
            node.pop(_MEMBER, None)
    return json.dumps(schema, ensure_ascii=False, separators=(",", ":"))


def find_tags(content: SchemaContent, wanted: Iterable[str]) -> list[dict[str, Any]]:
    """Return the places where `content` has one of the `wanted` tags (``*`` for any), as ``schemaTags`` of an answer."""
    asked = set(wanted)
    if content.schema_type != "AVRO":
        return []
    found = []
    for entity in _entities(content):
        names = [name for name in _tags_of(entity.node) if name in asked or "*" in asked]
        if names:
            found.append({"schemaEntity": {"entityPath": entity.path, "entityType": entity.kind}, "tags": names})
    return found


def _entities(content: SchemaContent) -> list[_Entity]:
    """Return what tags may stand at. A text that is no Avro has none: a log that somebody else wrote may hold any."""
    try:
        return list(_walk(json.loads(content.text), ""))
    except (ValueError, KeyError, TypeError, RecursionError):
        return []


def _tags_of(node: Mapping[str, Any]) -> list[str]:
    """Return the tags at `node`; none if the member there is something else."""
    found = node.get(_MEMBER)
    return [name for name in found if isinstance(name, str)] if isinstance(found, list) else []


def _read_change(change: Mapping[str, Any]) -> tuple[str, str, list[str]]:
    entity, names = change.get("schemaEntity"), change.get("tags")
    if not isinstance(entity, dict) or not isinstance(names, list):
        raise bad_body('A change of tags needs "schemaEntity" and "tags"')
    kind, path = str(entity.get("entityType")).lower(), str(entity.get("entityPath"))
    if kind not in (_FIELD, _RECORD):
        raise bad_body(f'"entityType" is {entity.get("entityType")!r}; expected {_FIELD} or {_RECORD}')
    return kind, re.sub(r"^\.", "", path), [str(name) for name in names]


def _walk(node: Any, namespace: str) -> Iterator[_Entity]:
    if isinstance(node, list):
        for branch in node:
            yield from _walk(branch, namespace)
    if not isinstance(node, dict):
        return
    kind = node.get("type")
    if kind in ("record", "error", "enum", "fixed"):
        full_name, namespace = _full_name(node, namespace)
        if kind in ("record", "error"):
            yield _Entity(full_name, _RECORD, node)
            for member in node.get("fields", ()):
                yield _Entity(f"{full_name}.{member['name']}", _FIELD, member)
                yield from _walk(member["type"], namespace)
    elif kind == "array":
        yield from _walk(node.get("items"), namespace)
    elif kind == "map":
        yield from _walk(node.get("values"), namespace)
    else:
        yield from _walk(kind, namespace)


def _full_name(node: Mapping[str, Any], namespace: str) -> tuple[str, str]:
    name = node["name"]
    if "." not in name:
        space = node.get("namespace", namespace)
        name = f"{space}.{name}" if space else name
    return name, name.rpartition(".")[0]


def _entity_names(entities: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{kind} {path}" for kind, path in entities) or "none"
