"""Sets of characters as ranges of code points, with the algebra of Java's character classes."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Iterable
from functools import cache, lru_cache
from typing import Final, NamedTuple

import regex

__all__ = ["ANYTHING", "NOTHING", "CharSet", "property_set", "quoted"]

_LAST: Final = 0x10FFFF


class CharSet(NamedTuple):
    """Disjoint ranges in ascending order, both ends included. Immutable."""

    ranges: tuple[tuple[int, int], ...]

    @classmethod
    def of(cls, ranges: Iterable[tuple[int, int]]) -> CharSet:
        """Return the set of all code points in `ranges`, which may overlap and come in any order."""
        merged: list[tuple[int, int]] = []
        for low, high in sorted(ranges):
            if merged and low <= merged[-1][1] + 1:
                merged[-1] = (merged[-1][0], max(high, merged[-1][1]))
            else:
                merged.append((low, high))
        return cls(tuple(merged))

    @classmethod
    def from_text(cls, text: str) -> CharSet:
        """Return the set that is written as pairs of characters: ``azAZ`` is a-z and A-Z."""
        return cls.of((ord(text[i]), ord(text[i + 1])) for i in range(0, len(text), 2))

    def union(self, other: CharSet) -> CharSet:
        return CharSet.of(self.ranges + other.ranges)

    def complement(self) -> CharSet:
        gaps: list[tuple[int, int]] = []
        free = 0
        for low, high in self.ranges:
            if low > free:
                gaps.append((free, low - 1))
            free = high + 1
        if free <= _LAST:
            gaps.append((free, _LAST))
        return CharSet(tuple(gaps))

    def intersection(self, other: CharSet) -> CharSet:
        return self.complement().union(other.complement()).complement()

    def either_case(self, whole_unicode: bool) -> CharSet:
        """Return the set with the other case of each letter: of ASCII letters, or of all that have one."""
        return _either_case(self.ranges, whole_unicode)

    def expression(self) -> str:
        """Return the set in the syntax that RE2 and ``regex`` have in common."""
        if not self.ranges:
            return "[^\0-\U0010ffff]"
        if self.ranges[-1][1] < _LAST:
            if len(self.ranges) == 1 and self.ranges[0][0] == self.ranges[0][1]:
                return quoted(self.ranges[0][0])
            return f"[{_inside(self.ranges)}]"
        rest = self.complement().ranges
        return f"[^{_inside(rest)}]" if rest else "(?s:.)"


NOTHING: Final = CharSet(())
ANYTHING: Final = NOTHING.complement()


@lru_cache(maxsize=64)
def _either_case(ranges: tuple[tuple[int, int], ...], whole_unicode: bool) -> CharSet:
    found = list(ranges)
    for low, high in ranges:
        for first, last, step in ((0x41, 0x5A, 32), (0x61, 0x7A, -32)):
            if low <= last and high >= first:
                found.append((max(low, first) + step, min(high, last) + step))
    if whole_unicode:
        codes, groups = _case_groups()
        for low, high in ranges:
            for code in codes[bisect_left(codes, low) : bisect_right(codes, high)]:
                found += [(other, other) for other in groups[code]]
    return CharSet.of(found)


def _inside(ranges: tuple[tuple[int, int], ...]) -> str:
    return "".join(quoted(low) if low == high else f"{quoted(low)}-{quoted(high)}" for low, high in ranges)


def quoted(code: int) -> str:
    """Return a character so that neither engine sees more in it."""
    char = chr(code)
    return f"\\{char}" if char.isascii() and char.isprintable() and not char.isalnum() and char != "_" else char


@cache
def _case_groups() -> tuple[list[int], dict[int, list[int]]]:
    """Return the characters that have other cases, in order and with all of their cases.

    The cases of a character have the same ``toLowerCase(toUpperCase(c))`` in Java.
    """
    groups: dict[str, list[int]] = {}
    for code in range(_LAST + 1):
        char = chr(code)
        upper = char.upper()
        folded = (upper if len(upper) == 1 else char).lower()
        if folded != char or upper != char:
            groups.setdefault(folded, []).append(code)
    cased = {code: group for group in groups.values() if len(group) > 1 for code in group}
    return sorted(cased), cased


@cache
def _everything() -> str:
    return "".join(map(chr, range(_LAST + 1)))


@cache
def property_set(expression: str) -> CharSet | None:
    """Return all characters with a Unicode property, which is worded as ``regex`` words it; None if it knows none."""
    try:
        pattern = regex.compile(rf"\p{{{expression}}}+")
    except regex.error:
        return None
    return CharSet(tuple((found.start(), found.end() - 1) for found in pattern.finditer(_everything())))
