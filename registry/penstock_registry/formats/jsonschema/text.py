"""JSON text of schemas, read and written as Jackson does: order kept, numbers exact, nothing escaped that need not be."""

from __future__ import annotations

import json
import re
from decimal import Decimal
from typing import Any, Final, NoReturn

from penstock.api import InvalidSchemaError
from penstock.data.javatext import decimal_text

__all__ = ["MAX_DEPTH", "read", "sorted_keys", "write"]

#: How deep a schema may be nested; Jackson's limit is 1000, Python's stack is spent before.
MAX_DEPTH: Final = 200
_MAX_DIGITS: Final = 1000
_ESCAPED: Final = re.compile(r'["\\\x00-\x1f]')
_SHORT: Final = {'"': '\\"', "\\": "\\\\", "\b": "\\b", "\t": "\\t", "\n": "\\n", "\f": "\\f", "\r": "\\r"}


def read(text: str) -> Any:
    """The tree: dicts in the text's order, `int` and `Decimal` for numbers. Raises `InvalidSchemaError`."""
    try:
        tree = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InvalidSchemaError(f"Invalid JSON schema: {reason}") from None
    _check_depth(tree)
    return tree


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:  # int() of unbounded text takes quadratic time
        raise ValueError(f"a number of {len(text)} digits; at most {_MAX_DIGITS} are read")
    return int(text)


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_float=Decimal, parse_int=_integer, parse_constant=_constant)


def _check_depth(tree: Any) -> None:
    level, depth = [tree], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise InvalidSchemaError(f"Invalid JSON schema: nested more than {MAX_DEPTH} levels deep")
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
            if isinstance(child, dict | list)
        ]


def write(tree: Any) -> str:
    """Compact text of what `read` gives."""
    if isinstance(tree, str):
        return f'"{_ESCAPED.sub(_escape, tree)}"'
    if isinstance(tree, dict):
        return "{" + ",".join(f"{write(key)}:{write(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list | tuple):
        return "[" + ",".join(map(write, tree)) + "]"
    return decimal_text(tree) if isinstance(tree, Decimal) else json.dumps(tree)


def _escape(found: re.Match[str]) -> str:
    return _SHORT.get(found[0]) or f"\\u{ord(found[0]):04X}"


def sorted_keys(tree: Any) -> Any:
    """The same with every object's members in order of their names."""
    if isinstance(tree, dict):
        return {key: sorted_keys(tree[key]) for key in sorted(tree)}
    return [sorted_keys(item) for item in tree] if isinstance(tree, list) else tree
