"""A schema's GUID: made of its content alone, hence the same in every registry."""

from __future__ import annotations

import hashlib
import uuid
from collections.abc import Mapping, Sequence
from typing import Any, Final

from penstock.api.registry import SchemaReference

__all__ = ["RULE_LISTS", "content_digest", "content_guid", "guid_digest"]

#: The lists of a rule set, in the order they are hashed in.
RULE_LISTS: Final = ("migrationRules", "domainRules", "encodingRules")


def content_guid(text: str, references: Sequence[SchemaReference] = ()) -> str:
    """The GUID of a schema without metadata and rules, as a registry spells it."""
    return str(uuid.UUID(bytes=content_digest(text, references)))


def guid_digest(guid: str) -> bytes | None:
    """The digest that a GUID spells, in the one way a registry does; None if it spells none."""
    try:
        read = uuid.UUID(guid)
    except ValueError:
        return None
    return read.bytes if str(read) == guid else None


def content_digest(
    text: str,
    references: Sequence[SchemaReference] = (),
    metadata: Mapping[str, Any] | None = None,
    rule_set: Mapping[str, Any] | None = None,
) -> bytes:
    """MD5 over text, references, metadata and rules in Confluent's order (``Schema.updateHash``); the GUID is this."""
    digest = hashlib.md5(text.encode("utf-8", "surrogatepass"), usedforsecurity=False)
    for reference in references:
        _update(digest, reference.name, reference.subject)
        if reference.version is not None:
            digest.update(int(reference.version).to_bytes(4, "big", signed=True))
    if metadata is not None:
        digest.update(b"\x01")
        for key, tags in (metadata.get("tags") or {}).items():
            _update(digest, key, *tags)
        for key, text_value in (metadata.get("properties") or {}).items():
            _update(digest, key, text_value)
        _update(digest, *(metadata.get("sensitive") or ()))
    if rule_set is not None:
        digest.update(b"\x01")
        for name in RULE_LISTS:
            for rule in rule_set.get(name) or ():
                _update_rule(digest, rule)
    return digest.digest()


def _update(digest: Any, *texts: str | None) -> None:
    for text in texts:
        if text is not None:
            digest.update(text.encode("utf-8", "surrogatepass"))


def _update_rule(digest: Any, rule: Mapping[str, Any]) -> None:
    _update(digest, *(rule.get(name) for name in ("name", "doc", "kind", "mode", "type")))
    _update(digest, *(rule.get("tags") or ()))
    for key, text in (rule.get("params") or {}).items():
        _update(digest, key, text)
    _update(digest, *(rule.get(name) for name in ("expr", "onSuccess", "onFailure")))
    if rule.get("disabled"):
        digest.update(b"\x01")
