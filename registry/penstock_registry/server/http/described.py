"""What OpenAPI says of the bodies: they are read by Jackson's rules, not by a model, so it is said here."""

from __future__ import annotations

from typing import Any, Final

from penstock_registry.server.http.media import DEFAULT_TYPE

__all__ = ["CONFIG", "MODE", "SCHEMA", "TAGS"]

_TEXT: Final = {"type": "string"}
_FLAG: Final = {"type": "boolean"}
_NUMBER: Final = {"type": "integer", "format": "int32"}
_OBJECT: Final = {"type": "object"}
_REFERENCE: Final = {"type": "object", "properties": {"name": _TEXT, "subject": _TEXT, "version": _NUMBER}}
_TAG: Final = {"type": "object", "properties": {"schemaEntity": _OBJECT, "tags": {"type": "array", "items": _TEXT}}}


def _body(**members: Any) -> dict[str, Any]:
    content = {DEFAULT_TYPE: {"schema": {"type": "object", "properties": members}}}
    return {"requestBody": {"required": True, "content": content}}


SCHEMA: Final = _body(
    schema=_TEXT,
    schemaType={**_TEXT, "default": "AVRO"},
    references={"type": "array", "items": _REFERENCE},
    metadata=_OBJECT,
    ruleSet=_OBJECT,
    id=_NUMBER,
    version=_NUMBER,
)
TAGS: Final = _body(
    tagsToAdd={"type": "array", "items": _TAG},
    tagsToRemove={"type": "array", "items": _TAG},
    metadata=_OBJECT,
    ruleSet=_OBJECT,
    newVersion=_NUMBER,
)
CONFIG: Final = _body(
    compatibility=_TEXT,
    compatibilityPolicy=_TEXT,
    compatibilityGroup=_TEXT,
    alias=_TEXT,
    normalize=_FLAG,
    validateFields=_FLAG,
    defaultMetadata=_OBJECT,
    overrideMetadata=_OBJECT,
    defaultRuleSet=_OBJECT,
    overrideRuleSet=_OBJECT,
)
MODE: Final = _body(mode=_TEXT)
