"""The check whether a new schema may follow the earlier ones, by level."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from penstock.api.registry import HasFields, InvalidSchemaError, KnowsLenience, ParsedSchema
from penstock_registry.server.content import RESERVED_PROPERTY, SchemaContent, StoredSchema
from penstock_registry.server.errors import invalid_schema
from penstock_registry.server.levels import CompatibilityLevel
from penstock_registry.server.reading import Candidate, SchemaReader

__all__ = ["check_compatibility"]

_L = CompatibilityLevel
_READS_OLD = {_L.BACKWARD, _L.BACKWARD_TRANSITIVE, _L.FULL, _L.FULL_TRANSITIVE}
_READ_BY_OLD = {_L.FORWARD, _L.FORWARD_TRANSITIVE, _L.FULL, _L.FULL_TRANSITIVE}
_TRANSITIVE = {_L.BACKWARD_TRANSITIVE, _L.FORWARD_TRANSITIVE, _L.FULL_TRANSITIVE}


def check_compatibility(
    reader: SchemaReader, config: Mapping[str, Any], candidate: Candidate, earlier: Sequence[StoredSchema]
) -> list[str]:
    """Return why `candidate` may not follow `earlier` (oldest first); empty if it may. Confluent's messages: those of the
    format, then the schema they speak of, then the settings that were applied.

    With a compatibility group only versions with the same value of that metadata property count.
    """
    level = CompatibilityLevel(config["compatibilityLevel"])
    group = config.get("compatibilityGroup")
    if group:
        wanted = _group_value(candidate.content.metadata, group)
        earlier = [stored for stored in earlier if _group_value(stored.content.metadata, group) == wanted]
    messages: list[str] = []
    if config.get("validateFields"):
        messages += _reserved_fields(candidate, earlier[-1].content if earlier else None)
    lenient = str(config.get("compatibilityPolicy") or "").upper() == "LENIENT"
    messages += _messages(reader, level, candidate.parsed, earlier, lenient)
    if messages:
        flag = "true" if config.get("validateFields") else "false"
        messages.append(f"{{validateFields: '{flag}', compatibility: '{level.value}'}}")
    return messages


def _group_value(metadata: Mapping[str, Any] | None, group: str) -> str | None:
    properties = (metadata or {}).get("properties") or {}
    value = properties.get(group)
    return value if value is None or isinstance(value, str) else str(value)


def _reserved_fields(candidate: Candidate, previous: SchemaContent | None) -> list[str]:
    """Names that metadata sets aside (``confluent:reserved``) stay so, and no field takes one
    (``AbstractSchemaRegistry.validateReservedFields``)."""
    reserved = _reserved(candidate.content.metadata)
    dropped = _reserved(previous.metadata) - reserved if previous is not None else set()
    fields = candidate.parsed.top_level_fields() if isinstance(candidate.parsed, HasFields) else frozenset()
    return [
        *(
            f"The new schema has reserved field {name} removed from its metadata which is present in the old "
            "schema's metadata."
            for name in sorted(dropped)
        ),
        *(
            f"The new schema has field that conflicts with the reserved field {name}."
            for name in sorted(reserved & fields)
        ),
    ]


def _reserved(metadata: Mapping[str, Any] | None) -> set[str]:
    listed = ((metadata or {}).get("properties") or {}).get(RESERVED_PROPERTY) or ""
    return {name.strip() for name in str(listed).split(",") if name.strip()}


def _messages(
    reader: SchemaReader,
    level: CompatibilityLevel,
    new: ParsedSchema,
    earlier: Sequence[StoredSchema],
    lenient: bool,
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
            messages += _worded(_incompatibilities(old, new, lenient), new="old", old="new")
        if level in _READS_OLD:
            backward = _worded(_incompatibilities(new, old, lenient), new="new", old="old")
            messages += [message for message in backward if message not in messages]
        if messages:
            return [
                *messages,
                f"{{oldSchemaVersion: {stored.version}}}",
                f"{{oldSchema: '{stored.content.text}'}}",
            ]
    return []


def _incompatibilities(reader: ParsedSchema, writer: ParsedSchema, lenient: bool) -> list[str]:
    try:
        if lenient and isinstance(reader, KnowsLenience):
            return reader.incompatibilities_lenient(writer)
        return reader.incompatibilities(writer)
    except InvalidSchemaError as error:  # beyond what can be compared
        raise invalid_schema(f"The schema cannot be compared with an earlier one: {error.message}") from error


def _worded(messages: Sequence[str], *, new: str, old: str) -> list[str]:
    """Put names to a format's ``%new%`` and ``%old%`` schema, its reader and its writer; which of them is the
    one to be registered depends on the direction that is checked."""
    return [message.replace("%new%", new).replace("%old%", old) for message in messages]
