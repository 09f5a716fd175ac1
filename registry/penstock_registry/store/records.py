"""The records of the log and their bytes, as Confluent's registry writes them to ``_schemas``.

A key is a small tuple of its own type, a value is the JSON object beside it (None is a tombstone). The bytes are
Confluent's to the letter, since its topic is compacted by key: the same key must always have the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from penstock.errors import SerializationError

__all__ = [
    "DEFAULT_TENANT",
    "MAX_IDS",
    "ClearSubjectKey",
    "ConfigKey",
    "ContextKey",
    "DeleteSubjectKey",
    "Key",
    "ModeKey",
    "NoopKey",
    "SchemaKey",
    "UnknownKey",
    "Value",
    "decode_key",
    "decode_value",
    "encode_key",
    "encode_value",
]

#: The only tenant there is outside Confluent's cloud.
DEFAULT_TENANT = "default"

#: A member of a no-op's value: the highest id of each context, for a log whose older records were compacted away.
#: Other registries do not look at the value of a no-op.
MAX_IDS = "maxIds"

Value = Mapping[str, Any]


class SchemaKey(NamedTuple):
    """One version of one subject."""

    subject: str
    version: int


class ConfigKey(NamedTuple):
    """The config of a subject, of a context (``:.ctx:``), or, without a subject, of everything."""

    subject: str | None


class ModeKey(NamedTuple):
    """The mode of a subject, of a context, or of everything."""

    subject: str | None


class DeleteSubjectKey(NamedTuple):
    """The soft deletion of a subject's versions up to the one in the value."""

    subject: str


class ClearSubjectKey(NamedTuple):
    """The end of a subject's soft-deleted versions, written before an import."""

    subject: str | None


class ContextKey(NamedTuple):
    tenant: str
    context: str


class NoopKey(NamedTuple):
    """A record without a meaning for schemas; a writer puts it to see how far the log reaches."""


class UnknownKey(NamedTuple):
    """A key of a kind that is not known here. Passed over, and never written."""

    raw: bytes


Key = SchemaKey | ConfigKey | ModeKey | DeleteSubjectKey | ClearSubjectKey | ContextKey | NoopKey | UnknownKey


def encode_key(key: Key) -> bytes:
    """Return the key's bytes, with members in Confluent's order and absent ones left out."""
    match key:
        case SchemaKey(subject, version):
            return orjson.dumps({"keytype": "SCHEMA", "subject": subject, "version": version, "magic": 1})
        case ConfigKey(subject):
            return _subject_key("CONFIG", subject)
        case ModeKey(subject):
            return _subject_key("MODE", subject)
        case DeleteSubjectKey(subject):
            return _subject_key("DELETE_SUBJECT", subject)
        case ClearSubjectKey(subject):
            return _subject_key("CLEAR_SUBJECT", subject)
        case ContextKey(tenant, context):
            return orjson.dumps({"keytype": "CONTEXT", "tenant": tenant, "context": context, "magic": 0})
        case NoopKey():
            return orjson.dumps({"keytype": "NOOP", "magic": 0})
        case UnknownKey(raw):
            return raw


def _subject_key(keytype: str, subject: str | None) -> bytes:
    if subject is None:
        return orjson.dumps({"keytype": keytype, "magic": 0})
    return orjson.dumps({"keytype": keytype, "subject": subject, "magic": 0})


def decode_key(data: bytes) -> Key:
    """Return the key in `data`; `UnknownKey` for a kind that is not known. Raises `SerializationError` for what is no key."""
    try:
        members = orjson.loads(data)
        keytype = members["keytype"]
        match keytype:
            case "SCHEMA":
                return SchemaKey(_text(members, "subject"), _version(members))
            case "CONFIG":
                return ConfigKey(_optional_text(members, "subject"))
            case "MODE":
                return ModeKey(_optional_text(members, "subject"))
            case "DELETE_SUBJECT":
                return DeleteSubjectKey(_text(members, "subject"))
            case "CLEAR_SUBJECT":
                return ClearSubjectKey(_optional_text(members, "subject"))
            case "CONTEXT":
                return ContextKey(_text(members, "tenant"), _text(members, "context"))
            case "NOOP":
                return NoopKey()
            case _:
                return UnknownKey(data)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise SerializationError(f"Not a key of a schema log: {data[:200]!r} ({error})") from error


def _text(members: Mapping[str, Any], name: str) -> str:
    found = members[name]
    if not isinstance(found, str):
        raise ValueError(f"{name} is {found!r}, not a text")
    return found


def _optional_text(members: Mapping[str, Any], name: str) -> str | None:
    return None if members.get(name) is None else _text(members, name)


def _version(members: Mapping[str, Any]) -> int:
    found = members["version"]
    if not isinstance(found, int) or isinstance(found, bool) or not 1 <= found < 2**31:
        raise ValueError(f"version is {found!r}, not a number from 1 to 2147483647")
    return found


def encode_value(value: Value | None) -> bytes | None:
    """Return the value's bytes; the caller built it in Confluent's order."""
    return None if value is None else orjson.dumps(dict(value))


def decode_value(data: bytes | None) -> Value | None:
    if data is None:
        return None
    try:
        value = orjson.loads(data)
    except ValueError as error:
        raise SerializationError(f"Not a value of a schema log: {data[:200]!r} ({error})") from error
    if not isinstance(value, dict):
        raise SerializationError(f"Not a value of a schema log: {data[:200]!r} (expected an object)")
    return value
