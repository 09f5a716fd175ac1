"""The copies that a chain makes of records: a part before the first transform that writes it, unless the chain owns it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from penstock.api import BoundTransform

__all__ = ["copies_before", "copy_record_and_value", "owned_after"]

Apply = Callable[[Any], Any]


def owned_after(bound: BoundTransform, owned: frozenset[str]) -> frozenset[str]:
    """Return the parts that the chain owns behind a transform, given those before it."""
    written = bound.writes | {"record"} if bound.writes else bound.writes
    return (owned | written) - bound.replaces | bound.owns


def _copy_record(record: Any) -> Any:
    return record.__copy__()


def _copy_key(record: Any) -> Any:
    if isinstance(record.key, dict):
        record.key = record.key.copy()
    return record


def _copy_value(record: Any) -> Any:
    if isinstance(record.value, dict):
        record.value = record.value.copy()
    return record


def copy_record_and_value(record: Any) -> Any:
    record = record.__copy__()
    if isinstance(record.value, dict):
        record.value = record.value.copy()
    return record


def _copy_headers(record: Any) -> Any:
    record.headers = type(record.headers)(record.headers)
    return record


def copies_before(writes: frozenset[str], owned: frozenset[str]) -> list[Apply]:
    """Return the copies needed before a transform that writes, given what the chain owns already."""
    missing = writes - owned
    steps: list[Apply] = []
    if writes and "record" not in owned:
        if "value" in missing:
            steps.append(copy_record_and_value)
            missing -= {"value"}
        else:
            steps.append(_copy_record)
    if "key" in missing:
        steps.append(_copy_key)
    if "value" in missing:
        steps.append(_copy_value)
    if "headers" in missing:
        steps.append(_copy_headers)
    return steps
