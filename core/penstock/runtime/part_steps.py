"""A chain of transforms as steps on key and value, where it is no more than that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from penstock.api import BoundTransform

__all__ = ["PartStep", "part_steps"]


class PartStep(NamedTuple):
    """One transform as a function of one part of a record."""

    #: ``"key"`` or ``"value"``.
    part: str
    call: Callable[[Any], Any]
    #: `call` changes the part's dict in place. Otherwise it returns another part.
    edits: bool
    #: A null is not given to `call`: such a record takes the transform's own way.
    keeps_null: bool = False
    #: Nobody else holds what `call` returns.
    fresh: bool = False


def part_steps(chain: Iterable[BoundTransform | None]) -> tuple[PartStep, ...] | None:
    """Return the bound transforms as steps on parts, or None if one of them may do something else as well."""
    steps: list[PartStep] = []
    for bound in chain:
        if bound is None or bound.shape is None:
            return None
        if bound.in_place is not None:
            steps.append(PartStep(bound.in_place.part, bound.in_place.edit, edits=True))
        elif bound.new_part is not None:
            part, make, keeps_null = bound.new_part
            steps.append(PartStep(part, make, edits=False, keeps_null=keeps_null, fresh=part in bound.owns))
        else:
            return None
    return tuple(steps)
