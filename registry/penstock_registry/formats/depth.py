"""The bound on a schema's depth. Parsing, writing and comparing recurse, so a schema that goes on without measure is
refused."""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any, Final, ParamSpec, TypeVar

from penstock.api import InvalidSchemaError

__all__ = ["MAX_DEPTH", "bounded", "check_depth"]

#: How deep the JSON of a schema may be nested; Jackson's limit is 1000, Python's stack is spent before.
MAX_DEPTH: Final = 200

P = ParamSpec("P")
T = TypeVar("T")


def bounded(work: Callable[P, T]) -> Callable[P, T]:
    """`work`, with `InvalidSchemaError` where it recurses too deeply: types may refer to one another in long chains that
    are not nested in the text."""

    @functools.wraps(work)
    def run(*arguments: P.args, **named: P.kwargs) -> T:
        try:
            return work(*arguments, **named)
        except RecursionError:
            raise InvalidSchemaError(
                "The schema is nested too deeply, or its types refer to one another in too long a chain"
            ) from None

    return run


def check_depth(tree: Any, what: str) -> None:
    """Raises `InvalidSchemaError`, which begins with `what`, if JSON is nested more than `MAX_DEPTH` levels deep."""
    level, depth = [tree], 0
    while level:
        depth += 1
        if depth > MAX_DEPTH:
            raise InvalidSchemaError(f"{what}: nested more than {MAX_DEPTH} levels deep")
        level = [
            child
            for node in level
            for child in (node.values() if isinstance(node, dict) else node if isinstance(node, list) else ())
            if isinstance(child, dict | list)
        ]
