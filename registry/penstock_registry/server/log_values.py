"""The values of the log's records, read with their types checked: anybody may have written to the topic.

Every function raises `WrongRecordError`, whose text says what was met and what was expected.
"""

from __future__ import annotations

import sys
from collections.abc import Mapping
from typing import Any, Final, TypeVar

from penstock.api.registry import SchemaReference
from penstock_registry.guid import RULE_LISTS
from penstock_registry.server.content import SchemaContent, StoredSchema, sorted_metadata
from penstock_registry.server.levels import CompatibilityLevel, Mode
from penstock_registry.store.records import MAX_IDS, SchemaKey, Value

__all__ = [
    "MAX_INT",
    "WrongRecordError",
    "check_config",
    "check_schema",
    "max_ids_of",
    "mode_of",
    "schema_of",
    "version_of",
]

#: The largest id and version: clients read both as 32-bit integers.
MAX_INT: Final = 2**31 - 1

_RULE_TEXTS: Final = ("name", "doc", "kind", "mode", "type", "expr", "onSuccess", "onFailure")
#: The members that only some versions have.
_MORE: Final = frozenset({"references", "metadata", "ruleSet"})
_CONFIG_TEXTS: Final = ("alias", "aliasForDeks", "compatibilityPolicy", "compatibilityGroup")
_CONFIG_FLAGS: Final = ("normalize", "validateFields", "validateNewSchemas", "validateRules")

T = TypeVar("T")


class WrongRecordError(ValueError):
    """A record's value is not what its key promises."""


def schema_of(key: SchemaKey, value: Value, timestamp_ms: int) -> StoredSchema:
    """Return the version that `value` describes. Old registries leave the type out for Avro."""
    references = check_schema(key, value)
    content = SchemaContent(
        sys.intern(value.get("schemaType") or "AVRO"),
        value["schema"],
        references,
        sorted_metadata(value.get("metadata")),
        value.get("ruleSet"),
    )
    return StoredSchema(key.subject, key.version, value["id"], content, bool(value.get("deleted")), timestamp_ms)


def check_schema(key: SchemaKey, value: Value) -> tuple[SchemaReference, ...]:
    """Check that every member of a version has its type, and return its references."""
    if _is_plain(key, value):
        return ()
    named = _of_type(value, "subject", str)
    if named != key.subject or _number(value, "version") != key.version:
        raise WrongRecordError(f"its value is of {named!r} version {value.get('version')}")
    _number(value, "id", 0)
    _of_type(value, "schema", str)
    _of_type(value, "schemaType", str, None)
    _of_type(value, "deleted", bool, None)
    _check_metadata(value, "metadata")
    _check_rule_set(value, "ruleSet")
    return _references(value) if value.get("references") is not None else ()


def _is_plain(key: SchemaKey, value: Value) -> bool:
    """Return whether a version is right and has nothing but a text, as most of a long log that is read at the start."""
    get = value.get
    schema_id = get("id")
    return (
        type(schema_id) is int
        and 0 <= schema_id <= MAX_INT
        and get("subject") == key.subject
        and get("version") == key.version
        and type(get("schema")) is str
        and type(get("schemaType", "AVRO")) is str
        and type(get("deleted", False)) is bool
        and value.keys().isdisjoint(_MORE)
    )


def version_of(value: Value) -> int:
    """Return the version up to which a subject was soft-deleted."""
    return _number(value, "version")


def mode_of(value: Value) -> str:
    mode: str = _of_type(value, "mode", str)
    if mode not in Mode.__members__:
        raise WrongRecordError(f"mode is {mode!r}; expected one of {', '.join(Mode.__members__)}")
    return mode


def check_config(value: Value) -> Value:
    """Return `value` if every member that the registry uses has its type."""
    level = _of_type(value, "compatibilityLevel", str, None)
    if level is not None and level not in CompatibilityLevel.__members__:
        raise WrongRecordError(
            f"compatibilityLevel is {level!r}; expected one of {', '.join(CompatibilityLevel.__members__)}"
        )
    for name in _CONFIG_TEXTS:
        _of_type(value, name, str, None)
    for name in _CONFIG_FLAGS:
        _of_type(value, name, bool, None)
    for name in ("defaultMetadata", "overrideMetadata"):
        _check_metadata(value, name)
    for name in ("defaultRuleSet", "overrideRuleSet"):
        _check_rule_set(value, name)
    return value


def max_ids_of(value: Value) -> dict[str, int]:
    """Return the highest id of each context that a no-op tells; empty if it tells none."""
    told = _of_type(value, MAX_IDS, dict, None)
    return {} if told is None else {context: _number(told, context, 0) for context in told}


# --- members ---------------------------------------------------------------------------------------------------------

_MISSING: Final[Any] = object()


def _of_type(value: Mapping[str, Any], name: str, expected: type[T], default: Any = _MISSING) -> Any:
    """Return a member; `default`, if one is given, where it is absent or null."""
    found = value.get(name)
    if found is None and default is not _MISSING:
        return default
    if not isinstance(found, expected):
        raise WrongRecordError(f"{name} is {_shown(found)}; expected {expected.__name__}")
    return found


def _number(value: Mapping[str, Any], name: str, least: int = 1) -> int:
    found = value.get(name)
    if not isinstance(found, int) or isinstance(found, bool) or not least <= found <= MAX_INT:
        raise WrongRecordError(f"{name} is {_shown(found)}; expected a number from {least} to {MAX_INT}")
    return found


def _shown(found: object) -> str:
    text = repr(found)
    return text if len(text) <= 80 else f"{text[:80]}…"


def _references(value: Value) -> tuple[SchemaReference, ...]:
    return tuple(
        SchemaReference(_of_type(entry, "name", str), _of_type(entry, "subject", str), _number(entry, "version", -1))
        for entry in _objects(value, "references")
    )


def _objects(value: Mapping[str, Any], name: str) -> list[Mapping[str, Any]]:
    found: list[Mapping[str, Any]] = _of_type(value, name, list, [])
    if not all(isinstance(entry, dict) for entry in found):
        raise WrongRecordError(f"{name} is {_shown(found)}; expected objects")
    return found


def _check_texts(found: object, name: str) -> None:
    if not isinstance(found, list) or not all(isinstance(text, str) for text in found):
        raise WrongRecordError(f"{name} is {_shown(found)}; expected a list of texts")


def _check_text_values(found: Mapping[str, Any], name: str) -> None:
    if not all(text is None or isinstance(text, str) for text in found.values()):
        raise WrongRecordError(f"{name} is {_shown(found)}; expected texts")


def _check_metadata(value: Mapping[str, Any], name: str) -> None:
    metadata = _of_type(value, name, dict, None)
    if metadata is None:
        return
    for path, tags in _of_type(metadata, "tags", dict, {}).items():
        _check_texts(tags, f"{name}.tags.{path}")
    _check_text_values(_of_type(metadata, "properties", dict, {}), f"{name}.properties")
    if metadata.get("sensitive") is not None:
        _check_texts(metadata["sensitive"], f"{name}.sensitive")


def _check_rule_set(value: Mapping[str, Any], name: str) -> None:
    rule_set = _of_type(value, name, dict, None)
    if rule_set is None:
        return
    for list_name in RULE_LISTS:
        for rule in _objects(rule_set, list_name):
            for member in _RULE_TEXTS:
                _of_type(rule, member, str, None)
            if rule.get("tags") is not None:
                _check_texts(rule["tags"], f"{name}.{list_name}.tags")
            _check_text_values(_of_type(rule, "params", dict, {}), f"{name}.{list_name}.params")
            _of_type(rule, "disabled", bool, False)
    _of_type(rule_set, "enableAt", str, None)
