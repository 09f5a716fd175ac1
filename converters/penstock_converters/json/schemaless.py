"""JSON trees to values without a schema."""

from __future__ import annotations

from decimal import Decimal
from typing import Any, Final

from penstock.data import FLOAT64, INT64
from penstock.errors import DataError
from penstock_converters.blame import Misfit, add_field
from penstock_converters.json.misfits import OnMisfit, refuse
from penstock_converters.json.scalars import NeedsExact, double, shown
from penstock_converters.json.text import MISSING

__all__ = ["read_schemaless"]


def read_schemaless(tree: Any, on_misfit: OnMisfit = refuse) -> Any:
    """A tree as a value without a schema: integers of 64 bits, doubles, lists, maps.

    Gives `tree` itself where nothing in it has to change, which is nearly always.
    """
    if tree is MISSING:
        return None
    try:
        return tree if _is_plain(tree) else _plain(tree, on_misfit)
    except RecursionError:
        raise DataError("The document is nested too deeply") from None


_AS_THEY_ARE: Final = frozenset({str, bool, type(None)})


def _is_plain(tree: Any) -> bool:
    kind = type(tree)
    if kind in _AS_THEY_ARE:
        return True
    if kind is int:
        return bool(-(2**63) <= tree < 2**63)
    if kind is float:
        if abs(tree) >= 2**63:
            raise NeedsExact  # may be an integer, which does not fit
        return bool(tree != 0.0)
    if kind is dict:
        tree = tree.values()
    elif kind is not list:
        return False
    for item in tree:
        kind = type(item)
        # Most items are of these types: no call for each.
        if (
            kind in _AS_THEY_ARE
            or (kind is int and -(2**63) <= item < 2**63)
            or (kind is float and item != 0.0 and -(2.0**63) < item < 2.0**63)
        ):
            continue
        if not _is_plain(item):
            return False
    return True


def _plain(tree: Any, on_misfit: OnMisfit) -> Any:
    if isinstance(tree, dict):
        return {k: _part(k, v, on_misfit) for k, v in tree.items()}
    if isinstance(tree, list):
        return [_part(f"[{i}]", v, on_misfit) for i, v in enumerate(tree)]
    if type(tree) is int:
        if not -(2**63) <= tree < 2**63:
            problem = f"Value {shown(tree)} does not fit INT64: expected {-(2**63)} to {2**63 - 1}"
            return on_misfit(Misfit(problem), INT64, tree, "")
        return tree
    if isinstance(tree, float):
        if abs(tree) >= 2**63:
            raise NeedsExact  # see _is_plain
        return tree + 0.0
    if not isinstance(tree, Decimal):
        return tree
    try:
        return double(tree)
    except Misfit as misfit:
        return on_misfit(misfit, FLOAT64, tree, "")


def _part(name: str, tree: Any, on_misfit: OnMisfit) -> Any:
    try:
        return _plain(tree, on_misfit)
    except DataError as error:
        add_field(error, name)
        raise
