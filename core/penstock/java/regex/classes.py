"""Java's character classes: ``[a-z&&[^b]]``, ``\\p{Alpha}``, ``\\h`` and the like, as sets of characters."""

from __future__ import annotations

import re
from typing import Final

from penstock.java.regex.charset import ANYTHING, NOTHING, CharSet, property_set
from penstock.java.regex.scanner import Scanner

__all__ = ["LINE_ENDS", "SETS", "VERTICAL", "ClassReader"]

LINE_ENDS: Final = CharSet.from_text("\n\n\r\r\x85\x85\u2028\u2029")
VERTICAL: Final = CharSet.from_text("\n\r\x85\x85\u2028\u2029")
_HORIZONTAL: Final = CharSet.from_text(
    "\t\t  \xa0\xa0\u1680\u1680\u180e\u180e\u2000\u200a\u202f\u202f\u205f\u205f\u3000\u3000"
)
_DIGIT: Final = CharSet.from_text("09")
_WORD: Final = CharSet.from_text("azAZ09__")
_SPACE: Final = CharSet.from_text("\t\r  ")
#: Escapes that stand for a set.
SETS: Final = {
    "d": _DIGIT, "D": _DIGIT.complement(), "w": _WORD, "W": _WORD.complement(), "s": _SPACE, "S": _SPACE.complement(),
    "h": _HORIZONTAL, "H": _HORIZONTAL.complement(), "v": VERTICAL, "V": VERTICAL.complement(),
}  # fmt: skip
_POSIX: Final = {
    "Lower": CharSet.from_text("az"), "Upper": CharSet.from_text("AZ"), "ASCII": CharSet.from_text("\0\x7f"),
    "Alpha": CharSet.from_text("azAZ"), "Digit": _DIGIT, "Alnum": CharSet.from_text("azAZ09"),
    "Punct": CharSet.from_text("!/:@[`{~"), "Graph": CharSet.from_text("!~"), "Print": CharSet.from_text(" ~"),
    "Blank": CharSet.from_text("\t\t  "), "Cntrl": CharSet.from_text("\0\x1f\x7f\x7f"),
    "XDigit": CharSet.from_text("09azAZ").intersection(CharSet.from_text("09afAF")), "Space": _SPACE,
    "all": ANYTHING, "L1": CharSet.from_text("\0\xff"),
}  # fmt: skip
#: ``L``, ``Lu``, ``IsLatin``, ``InGreek``, ``script=Latin``: how Java words the properties that ``regex`` knows, too.
_CATEGORY: Final = re.compile(r"LC|[A-Z][a-z]?", re.ASCII)
_NAMED: Final = re.compile(
    r"(?:Is|In|(?:script|sc|block|blk|general_category|gc)=)[A-Za-z0-9_ -]{1,60}", re.ASCII | re.IGNORECASE
)


class ClassReader:
    """Reads classes and properties at a scanner's place."""

    def __init__(self, scanner: Scanner) -> None:
        self._scanner = scanner

    def read(self) -> CharSet:
        """Read a class in brackets, from its ``[`` on."""
        scanner = self._scanner
        scanner.at += 1
        negated = scanner.peek() == "^"
        scanner.at += negated
        found = self._operands()
        scanner.at += 1
        return found.complement() if negated else found

    def _operands(self) -> CharSet:
        """Read up to the closing bracket: parts between ``&&`` are intersected."""
        scanner = self._scanner
        result: CharSet | None = None
        part: CharSet | None = None
        first = True
        while True:
            char = scanner.peek()
            if not char:
                raise scanner.error("Unclosed character class", len(scanner.pattern) - 1)
            if char == "]" and not first:
                return _both(result, part)
            first = False
            if scanner.pattern.startswith("&&", scanner.at):
                while scanner.pattern.startswith("&", scanner.at):
                    scanner.at += 1
                result, part = (_both(result, part) if part is not None or result is not None else None), None
                continue
            item = self.read() if char == "[" else self._item(char)
            part = item if part is None else part.union(item)

    def _item(self, char: str) -> CharSet:
        """Read a character, a range, or an escape for a set."""
        scanner = self._scanner
        if char == "\\":
            following = scanner.pattern[scanner.at + 1 : scanner.at + 2]
            if following and following in SETS:
                scanner.at += 2
                return SETS[following]
            if following and following in "pP":
                scanner.at += 2
                return self.property(following)
            if following == "Q":
                scanner.at += 2
                return self._either_case(CharSet.of((ord(c), ord(c)) for c in scanner.quotation()))
        low = self._character()
        if scanner.peek() != "-" or scanner.pattern[scanner.at + 1 : scanner.at + 2] in ("]", "", "["):
            return self.single(low)
        scanner.at += 1
        high = self._character()
        if high < low:
            raise scanner.error("Illegal character range", scanner.at - 1)
        return self._either_case(CharSet(((low, high),)))

    def _character(self) -> int:
        scanner = self._scanner
        char = scanner.peek()
        if char == "\\":
            return ord(scanner.character(scanner.escaped()))
        if not char:
            raise scanner.error("Unclosed character class", len(scanner.pattern) - 1)
        scanner.at += 1
        return ord(char)

    def single(self, code: int) -> CharSet:
        return self._either_case(CharSet(((code, code),)))

    def _either_case(self, found: CharSet) -> CharSet:
        flags = self._scanner.flags
        if "i" not in flags:
            return found
        if "u" in flags:
            self._scanner.size += sum(min(high - low, 5_000) for low, high in found.ranges)  # what the work grows with
        return found.either_case("u" in flags)

    def property(self, letter: str) -> CharSet:
        """Read the name behind ``\\p`` or ``\\P`` (the `letter`)."""
        scanner = self._scanner
        start = scanner.at
        if scanner.pattern.startswith("{", start):
            end = scanner.pattern.find("}", start)
            if end < 0:
                raise scanner.error("Unclosed character family", len(scanner.pattern) - 1)
            name = scanner.pattern[start + 1 : end]
            scanner.at = end + 1
        else:
            name = scanner.pattern[start : start + 1]
            scanner.at += 1
        found = _POSIX.get(name)
        if found is None and (_CATEGORY.fullmatch(name) or _NAMED.fullmatch(name)):
            bare = name.removeprefix("Is")
            found = property_set(bare if _CATEGORY.fullmatch(bare) else name)
        if found is None and not name.startswith("java"):
            raise scanner.error(f"Unknown character property name {{{name}}}", scanner.at - 1)
        if found is None:
            raise scanner.unsupported(f"the Unicode property \\{letter}{{{name}}}")
        if "i" in scanner.flags and name in ("Lower", "Upper", "Ll", "Lu", "Lt", "IsLl", "IsLu", "IsLt"):
            found = found.either_case(whole_unicode=name not in ("Lower", "Upper"))
        return found.complement() if letter == "P" else found


def _both(left: CharSet | None, right: CharSet | None) -> CharSet:
    if left is None or right is None:
        return left or right or NOTHING
    return left.intersection(right)
