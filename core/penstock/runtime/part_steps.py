"""A chain of transforms as steps on key and value, where it is no more than that."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, NamedTuple

from penstock.api import BoundTransform, Shape

__all__ = ["PartStep", "part_steps", "shape_of_parts"]


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
    #: `call` may return `LEFT_TO_APPLY`: such a record takes the transform's own way.
    leaves_some: bool = False


def shape_of_parts(bound: BoundTransform) -> Shape | None:
    """Return the shape behind a transform of the records that its step on a part is for; None if it depends on the record."""
    if bound.shape is not None or bound.new_part is None:
        return bound.shape
    return bound.new_part.shape


def part_steps(chain: Iterable[BoundTransform | None]) -> tuple[PartStep, ...] | None:
    """Return the bound transforms as steps on parts, or None if one of them may do something else as well."""
    steps: list[PartStep] = []
    for bound in chain:
        if bound is None or shape_of_parts(bound) is None:
            return None
        if bound.in_place is not None:
            steps.append(PartStep(bound.in_place.part, bound.in_place.edit, edits=True))
        elif bound.new_part is not None:
            part, make, keeps_null, shape = bound.new_part
            fresh = part in bound.owns
            steps.append(PartStep(part, make, False, keeps_null=keeps_null, fresh=fresh, leaves_some=shape is not None))
        else:
            return None
    return tuple(steps)
