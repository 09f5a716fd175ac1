"""Whether a new schema may follow the earlier ones, by level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.api.registry import ParsedSchema
from penstock_registry.server.content import StoredSchema
from penstock_registry.server.reading import Candidate, SchemaReader
from penstock_registry.server.settings import CompatibilityLevel

__all__ = ["check_compatibility"]

_L = CompatibilityLevel
_READS_OLD = {_L.BACKWARD, _L.BACKWARD_TRANSITIVE, _L.FULL, _L.FULL_TRANSITIVE}
_READ_BY_OLD = {_L.FORWARD, _L.FORWARD_TRANSITIVE, _L.FULL, _L.FULL_TRANSITIVE}
_TRANSITIVE = {_L.BACKWARD_TRANSITIVE, _L.FORWARD_TRANSITIVE, _L.FULL_TRANSITIVE}


def check_compatibility(
    reader: SchemaReader, config: Mapping[str, Any], candidate: Candidate, earlier: Sequence[StoredSchema]
) -> list[str]:
    """Why `candidate` may not follow `earlier` (oldest first); empty if it may. Confluent's messages: those of the
    format, then the schema they speak of, then the settings that were applied.

    With a compatibility group only versions with the same value of that metadata property count.
    """
    level = CompatibilityLevel(config["compatibilityLevel"])
    group = config.get("compatibilityGroup")
    if group:
        wanted = _group_value(candidate.content.metadata, group)
        earlier = [stored for stored in earlier if _group_value(stored.content.metadata, group) == wanted]
    messages = _messages(reader, level, candidate.parsed, earlier)
    if messages:
        flag = "true" if config.get("validateFields") else "false"
        messages.append(f"{{validateFields: '{flag}', compatibility: '{level.value}'}}")
    return messages


def _group_value(metadata: Mapping[str, Any] | None, group: str) -> str | None:
    properties = (metadata or {}).get("properties") or {}
    value = properties.get(group)
    return value if value is None or isinstance(value, str) else str(value)


def _messages(
    reader: SchemaReader, level: CompatibilityLevel, new: ParsedSchema, earlier: Sequence[StoredSchema]
) -> list[str]:
    if level is CompatibilityLevel.NONE:
        return []
    newest_first = list(reversed(earlier))
    for stored in newest_first if level in _TRANSITIVE else newest_first[:1]:
        if stored.content.schema_type != new.schema_type:
            return ["Incompatible because of different schema type"]
        old = reader.parsed(stored)
        messages: list[str] = []
        if level in _READ_BY_OLD:
            messages += _worded(old.incompatibilities(new), new="old", old="new")
        if level in _READS_OLD:
            messages += _worded(new.incompatibilities(old), new="new", old="old")
        if messages:
            return [
                *messages,
                f"{{oldSchemaVersion: {stored.version}}}",
                f"{{oldSchema: '{stored.content.text}'}}",
            ]
    return []


def _worded(messages: Sequence[str], *, new: str, old: str) -> list[str]:
    """A format speaks of the ``%new%`` and the ``%old%`` schema, the reader and the writer; which of them is the
    one to be registered depends on the direction that is checked."""
    return [message.replace("%new%", new).replace("%old%", old) for message in messages]
