"""Matching: the largest number of two sets' members that can be paired off."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["maximum_matching"]


def maximum_matching(fitting: Sequence[Sequence[int]]) -> int:
    """The size of a maximum matching; ``fitting[i]`` are the partners that member `i` may have (Kuhn's algorithm)."""
    partner: dict[int, int] = {}

    def find(member: int, tried: set[int]) -> bool:
        for candidate in fitting[member]:
            if candidate in tried:
                continue
            tried.add(candidate)
            if candidate not in partner or find(partner[candidate], tried):
                partner[candidate] = member
                return True
        return False

    return sum(find(member, set()) for member in range(len(fitting)))
