"""JSON text of schemas, read and written as Jackson does: order kept, numbers exact, nothing escaped that need not be."""

from __future__ import annotations

import json
from decimal import Decimal
from typing import Any, Final, NoReturn

from penstock.api import InvalidSchemaError
from penstock.java.json_text import quote
from penstock.java.number_text import decimal_text
from penstock_registry.formats.depth import check_depth

__all__ = ["read", "sorted_keys", "write"]

_MAX_DIGITS: Final = 1000
#: A number may have a short text and be beyond all measure: 1e999999999 as an integer fills the memory.
_MAX_EXPONENT: Final = 1000


def read(text: str) -> Any:
    """The tree: dicts in the text's order, `int` and `Decimal` for numbers. Raises `InvalidSchemaError`."""
    try:
        tree = _DECODER.decode(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise InvalidSchemaError(f"Invalid JSON schema: {reason}") from None
    check_depth(tree, "Invalid JSON schema")
    return tree


def _integer(text: str) -> int:
    if len(text) > _MAX_DIGITS:  # int() of unbounded text takes quadratic time
        raise ValueError(f"a number of {len(text)} digits; at most {_MAX_DIGITS} are read")
    return int(text)


def _decimal(text: str) -> Decimal:
    try:
        number = Decimal(text)
    except ArithmeticError:
        number = Decimal("Infinity")
    if len(text) > _MAX_DIGITS or not number.is_finite() or abs(number.adjusted()) > _MAX_EXPONENT:
        raise ValueError(
            f"the number {text[:40]} is out of range; at most {_MAX_DIGITS} digits and exponents up to {_MAX_EXPONENT} are read"
        )
    return number


def _constant(name: str) -> NoReturn:
    raise ValueError(f"{name} is not JSON")


_DECODER: Final = json.JSONDecoder(parse_float=_decimal, parse_int=_integer, parse_constant=_constant)


def write(tree: Any) -> str:
    """Compact text of what `read` gives."""
    if isinstance(tree, str):
        return quote(tree)
    if isinstance(tree, dict):
        return "{" + ",".join(f"{write(key)}:{write(value)}" for key, value in tree.items()) + "}"
    if isinstance(tree, list | tuple):
        return "[" + ",".join(map(write, tree)) + "]"
    return decimal_text(tree) if isinstance(tree, Decimal) else json.dumps(tree)


def sorted_keys(tree: Any) -> Any:
    """Return the tree with every object's members in order of their names."""
    if isinstance(tree, dict):
        return {key: sorted_keys(tree[key]) for key in sorted(tree)}
    return [sorted_keys(item) for item in tree] if isinstance(tree, list) else tree
