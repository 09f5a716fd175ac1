"""Requests of clients, read by the rules of Confluent's request classes."""

from __future__ import annotations

import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from penstock_registry.server.content import sorted_metadata
from penstock_registry.server.errors import bad_body

__all__ = ["ReferenceRequest", "SchemaRequest", "optional_int", "optional_text"]

_KINDS = ("CONDITION", "TRANSFORM")
_MODES = ("UPGRADE", "DOWNGRADE", "UPDOWN", "WRITE", "READ", "WRITEREAD")
_INTEGER = re.compile(r"[+-]?[0-9]{1,20}")
_RULE_LISTS = ("migrationRules", "domainRules", "encodingRules")


@dataclass(frozen=True, slots=True)
class ReferenceRequest:
    """A reference as asked for: any part may be missing, and version -1 is the latest."""

    name: str | None
    subject: str | None
    version: int | None

    def to_json(self) -> dict[str, Any]:
        return {"name": self.name, "subject": self.subject, "version": self.version}

    def __str__(self) -> str:
        name, subject = ("null" if part is None else part for part in (self.name, self.subject))
        version = "null" if self.version is None else self.version
        return f"{{name='{name}', subject='{subject}', version={version}}}"


@dataclass(frozen=True, slots=True)
class SchemaRequest:
    """A schema to register, look up or test. `id` -1 and `version` 0 say that none was given."""

    text: str | None = None
    schema_type: str | None = None
    references: tuple[ReferenceRequest, ...] = ()
    metadata: Mapping[str, Any] | None = None
    rule_set: Mapping[str, Any] | None = None
    version: int = 0
    id: int = -1
    tags_to_add: tuple[Mapping[str, Any], ...] = ()
    tags_to_remove: tuple[Mapping[str, Any], ...] = ()
    #: Whether the inline tags of the latest version are to be put into the new one, too.
    propagate_tags: bool = False
    rules_to_merge: Mapping[str, Any] | None = None
    rules_to_remove: tuple[str, ...] = ()

    @classmethod
    def from_json(cls, body: Mapping[str, Any]) -> SchemaRequest:
        """Read a request's body; members nobody knows are passed over. Raises a 400 on a member of a wrong type."""
        version, schema_id = optional_int(body, "version"), optional_int(body, "id")
        return cls(
            optional_text(body, "schema"),
            optional_text(body, "schemaType"),
            tuple(_reference(entry) for entry in _objects(body, "references")),
            _metadata(body),
            _rule_set(body, "ruleSet"),
            version if version is not None else 0,
            schema_id if schema_id is not None else -1,
            tuple(_objects(body, "schemaTagsToAdd")),
            tuple(_objects(body, "schemaTagsToRemove")),
            bool(optional_bool(body, "propagateSchemaTags")),
            _rule_set(body, "rulesToMerge"),
            tuple(_texts(body, "rulesToRemove")),
        )

    @property
    def is_empty(self) -> bool:
        return self.text is None or not self.text.strip()

    @property
    def changes_tags(self) -> bool:
        return bool(self.tags_to_add or self.tags_to_remove)

    def with_(self, **changes: Any) -> SchemaRequest:
        return replace(self, **changes)


def optional_text(body: Mapping[str, Any], name: str) -> str | None:
    """Return a text member; numbers and booleans are taken as their text, as Jackson does."""
    value = body.get(name)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return str(value)
    raise bad_body(
        f'Cannot deserialize value of type `String` for "{name}" from {"Object" if isinstance(value, dict) else "Array"} value'
    )


def optional_int(body: Mapping[str, Any], name: str) -> int | None:
    """Return a 32-bit integer member; a text of one is taken, and a fraction is cut off."""
    value = body.get(name)
    if value is None or value == "":
        return None
    number: int | None = None
    if isinstance(value, str):
        text = value.strip()
        number = int(text) if _INTEGER.fullmatch(text) else None
    elif isinstance(value, float):
        number = int(value) if math.isfinite(value) else None  # Jackson cuts fractions off
    elif isinstance(value, int) and not isinstance(value, bool):
        number = value
    if number is None or not -(2**31) <= number < 2**31:
        raise bad_body(f'Cannot deserialize value of type `Integer` for "{name}": {value!r} is not a 32-bit integer')
    return number


def optional_bool(body: Mapping[str, Any], name: str) -> bool | None:
    value = body.get(name)
    if value is None or isinstance(value, bool):
        return value
    if value in ("true", "True", "TRUE", "false", "False", "FALSE"):
        return str(value).lower() == "true"
    raise bad_body(f'Cannot deserialize value of type `Boolean` for "{name}": {value!r} is neither true nor false')


def optional_object(body: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    value = body.get(name)
    if value is not None and not isinstance(value, dict):
        raise bad_body(f'Cannot deserialize "{name}": expected an object, not {value!r}')
    return value


def _objects(body: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    value = body.get(name)
    if value is None:
        return []
    if not isinstance(value, list) or not all(isinstance(entry, dict) for entry in value):
        raise bad_body(f'Cannot deserialize "{name}": expected an array of objects')
    return value


def _reference(entry: Mapping[str, Any]) -> ReferenceRequest:
    return ReferenceRequest(
        optional_text(entry, "name"), optional_text(entry, "subject"), optional_int(entry, "version")
    )


def _metadata(body: Mapping[str, Any]) -> Mapping[str, Any] | None:
    return read_metadata(body, "metadata")


def read_metadata(body: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """``{"tags": {path: [tag]}, "properties": {name: text}, "sensitive": [name]}``, in its fixed order."""
    value = optional_object(body, name)
    if value is None:
        return None
    tags, properties = optional_object(value, "tags"), optional_object(value, "properties")
    sensitive = value.get("sensitive")
    if sensitive is not None:
        _check_texts(sensitive, f"{name}.sensitive")
    for key, names in (tags or {}).items():
        _check_texts(names, f"{name}.tags.{key}")
    read = None if properties is None else {key: optional_text(properties, key) or "" for key in properties}
    return sorted_metadata({"tags": tags, "properties": read, "sensitive": sensitive})


def _texts(body: Mapping[str, Any], name: str) -> list[str]:
    value = body.get(name)
    if value is None:
        return []
    _check_texts(value, name)
    return list(value)


def _check_texts(value: object, name: str) -> None:
    if not isinstance(value, list) or not all(isinstance(entry, str) for entry in value):
        raise bad_body(f'Cannot deserialize "{name}": expected an array of strings')


def _rule_set(body: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    return read_rule_set(body, name)


def read_rule_set(body: Mapping[str, Any], name: str) -> Mapping[str, Any] | None:
    """Return a rule set as it is stored: members nobody set are left out. Rules run in clients; here only their form counts."""
    value = optional_object(body, name)
    if value is None:
        return None
    result: dict[str, Any] = {}
    for list_name in _RULE_LISTS:
        if value.get(list_name) is not None:
            result[list_name] = [_rule(rule) for rule in _objects(value, list_name)]
    if (enable_at := optional_text(value, "enableAt")) is not None:
        result["enableAt"] = enable_at
    return result


def _rule(rule: Mapping[str, Any]) -> dict[str, Any]:
    result: dict[str, Any] = {name: optional_text(rule, name) for name in ("name", "doc", "kind", "mode", "type")}
    for name, allowed in (("kind", _KINDS), ("mode", _MODES)):
        if result[name] is not None and result[name] not in allowed:
            raise bad_body(
                f'Cannot deserialize value of type `Rule{name.capitalize()}` from String "{result[name]}": '
                f"not one of the values accepted for Enum class: [{', '.join(allowed)}]"
            )
    if rule.get("tags") is not None:
        _check_texts(rule["tags"], "tags")
        result["tags"] = sorted(set(rule["tags"]))
    if (params := optional_object(rule, "params")) is not None:
        result["params"] = {key: optional_text(params, key) for key in sorted(params)}
    result |= {name: optional_text(rule, name) for name in ("expr", "onSuccess", "onFailure")}
    result["disabled"] = bool(optional_bool(rule, "disabled"))
    return {key: value for key, value in result.items() if value is not None}
