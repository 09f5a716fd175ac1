"""Bounds on the texts that patterns which look around or back are tried on.

Such a pattern may take the square of a text's length. All others run in linear time and are not bounded.
"""

from __future__ import annotations

import functools
from typing import Any, Final

import jsonschema_rs

__all__ = ["MAX_LENGTH", "bounded", "has_long", "tries_names"]

#: The longest text, in characters, that a pattern which is not linear is tried on: some milliseconds at worst.
MAX_LENGTH: Final = 1000
#: Keywords whose members are schemas under names of the user's choice.
_NAMED: Final = frozenset(
    {"properties", "patternProperties", "definitions", "$defs", "dependencies", "dependentSchemas"}
)
#: Keywords that hold data.
_DATA: Final = frozenset({"const", "enum", "default", "examples"})


def bounded(tree: Any) -> Any:
    """Return the schema `tree` in which a text that is longer than `MAX_LENGTH` fails before a slow pattern is tried.

    That holds for ``is_valid``, which leaves an ``allOf`` at its first schema that fails; a search for errors does not.
    """
    if isinstance(tree, list):
        return [bounded(item) for item in tree]
    if not isinstance(tree, dict):
        return tree
    result = {key: _member(key, value) for key, value in tree.items()}
    pattern = tree.get("pattern")
    if isinstance(pattern, str) and not _is_linear(pattern):
        del result["pattern"]
        given = result.get("allOf")
        result["allOf"] = [
            *(given if isinstance(given, list) else ()), {"maxLength": MAX_LENGTH}, {"pattern": pattern},
        ]  # fmt: skip
    return result


def _member(key: str, value: Any) -> Any:
    if key in _DATA:
        return value
    if key in _NAMED and isinstance(value, dict):
        return {name: bounded(part) for name, part in value.items()}
    return bounded(value)


def tries_names(tree: Any) -> bool:
    """Return whether a slow pattern of `tree` is tried on names of members."""
    if isinstance(tree, list):
        return any(map(tries_names, tree))
    if not isinstance(tree, dict):
        return False
    patterns = tree.get("patternProperties")
    if isinstance(patterns, dict) and not all(map(_is_linear, patterns)):
        return True
    return any(tries_names(value) for value in tree.values())


def has_long(document: Any, names_only: bool = False) -> bool:
    """Return whether a member's name in `document`, or a text, is longer than `MAX_LENGTH`."""
    todo = [document]
    while todo:
        node = todo.pop()
        if isinstance(node, dict):
            if any(len(name) > MAX_LENGTH for name in node):
                return True
            todo += node.values()
        elif isinstance(node, list):
            todo += node
        elif isinstance(node, str) and len(node) > MAX_LENGTH and not names_only:
            return True
    return False


@functools.lru_cache(maxsize=1000)
def _is_linear(pattern: str) -> bool:
    try:
        jsonschema_rs.Draft7Validator({"pattern": pattern}, pattern_options=jsonschema_rs.RegexOptions())
    except (ValueError, jsonschema_rs.ValidationError):
        return False
    return True
