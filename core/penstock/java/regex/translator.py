"""Translates ``java.util.regex`` to an expression that RE2 and the package ``regex`` read alike.

The options of Java (``(?i)`` and the like) are resolved here: case and line ends are written out, so that the engines
run without options. As in Java without ``UNICODE_CHARACTER_CLASS``, ``\\d``, ``\\w``, ``\\s`` and ``(?i)`` are about ASCII.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from penstock.java.regex.charset import quoted
from penstock.java.regex.classes import LINE_ENDS, SETS, VERTICAL, ClassReader
from penstock.java.regex.scanner import JavaRegexError, Scanner

__all__ = ["JavaRegexError", "Translation", "translate"]

#: More than any pattern people write; translation and compilation hold the interpreter lock.
MAX_LENGTH: Final = 10_000
#: Characters of the expression that comes out. A Unicode property becomes thousands of them.
_MAX_EXPRESSION: Final = 200_000
#: How many atoms a pattern may have with counted repetitions written out: the engines write them out.
_MAX_ATOMS: Final = 20_000
_REPETITION: Final = re.compile(r"\{(\d{1,9})(,(\d{0,9}))?\}", re.ASCII)
_GROUP_NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9]*", re.ASCII)
_FLAGS: Final = re.compile(r"\?([a-zA-Z]{0,20})(-[a-zA-Z]{0,20})?([:)])", re.ASCII)
_SPECIAL: Final = {
    "?=": "the lookahead (?=…)", "?!": "the lookahead (?!…)", "?>": "the atomic group (?>…)",
    "?<=": "the lookbehind (?<=…)", "?<!": "the lookbehind (?<!…)",
}  # fmt: skip


@dataclass(frozen=True, slots=True)
class Translation:
    """A pattern in the engines' words.

    `groups` counts the capturing groups, `names` numbers the named ones. `backtracking` names the first construct that
    has no form in linear time, or is empty.
    """

    text: str
    groups: int
    names: dict[str, int]
    backtracking: str


def translate(pattern: str, flags: str = "", *, whole: bool) -> Translation:
    """Translate `pattern`, with the options whose inline letters are in `flags` (``im``).

    `whole` says that the pattern is to match a whole text: then an end anchor at the end of the pattern needs no
    lookahead. Raises `JavaRegexError`.
    """
    if len(pattern) > MAX_LENGTH:
        raise JavaRegexError(
            f"a pattern of {len(pattern)} characters is not supported here, at most {MAX_LENGTH} are; it starts with {pattern[:60]}"
        )
    try:
        return _Translator(pattern, flags, whole).translation()
    except RecursionError:
        raise JavaRegexError(f"groups nested this deep are not supported here, in the pattern {pattern}") from None


class _Translator(Scanner):
    """One pass over a pattern. `flags`, `names` and `backtracking` are the state that translation depends on."""

    def __init__(self, pattern: str, flags: str, whole: bool) -> None:
        super().__init__(pattern)
        self.whole = whole
        self.groups = 0
        self.names: dict[str, int] = {}
        self.backtracking = ""
        self.lookarounds = 0
        self.depth = 0
        self.atoms = 0
        self.copies = 1
        self._set_flags(flags, "")
        self.classes = ClassReader(self)

    def translation(self) -> Translation:
        text = self._alternatives()
        if self.at < len(self.pattern):
            raise self.error("Unmatched closing ')'", self.at - 1)
        return Translation(text, self.groups, self.names, self.backtracking)

    def _needs_backtracking(self, construct: str) -> None:
        self.backtracking = self.backtracking or construct

    def _alternatives(self) -> str:
        """Translate up to the end or an unopened ``)``; flags set inside end with it."""
        before = self.flags
        out: list[str] = []
        while (char := self.peek()) and char != ")":
            flags = _FLAGS.match(self.pattern, self.at + 1) if char == "(" else None
            if flags is not None and flags[3] == ")":
                self.at = flags.end()
                self._set_flags(flags[1], flags[2] or "")
            else:
                out.append(self._piece(char))
        self.flags = before
        return "".join(out)

    def _set_flags(self, on: str, off: str) -> None:
        for flag in on + off[1:]:
            if flag not in "imsdxu":
                raise self.unsupported(f"the flag (?{flag})")
        self.flags = (self.flags | frozenset(on)) - frozenset(off)

    def _piece(self, char: str) -> str:
        if char == "|":
            self.at += 1
            return "|"
        if char in "*+?":
            raise self.error(f"Dangling meta character '{char}'", self.at)
        if char == "{":
            raise self.error("Illegal repetition", self.at - 1)
        before, self.atoms = self.atoms, 0
        atom = self._atom(char)
        quantifier = self._quantifier()
        self.size += len(atom) if char != "(" else len(quantifier)
        self.atoms = before + max(1, self.atoms) * self.copies
        if self.size > _MAX_EXPRESSION or self.atoms > _MAX_ATOMS:
            raise JavaRegexError(f"a pattern as large as this is not supported here: {self.pattern[:60]}…")
        return atom + quantifier

    def _atom(self, char: str) -> str:
        if char == "\\":
            return self._escape()
        if char == "[":
            return self.classes.read().expression()
        if char == "(":
            return self._group()
        self.at += 1
        if char == ".":
            return self._dot()
        if char == "^":
            return self._line_start() if "m" in self.flags else "\\A"
        if char == "$":
            return self._line_end() if "m" in self.flags else self._end()
        return self.literal(char)

    def _dot(self) -> str:
        if "s" in self.flags:
            return "(?s:.)"
        return "[^\n]" if "d" in self.flags else LINE_ENDS.complement().expression()

    def literal(self, char: str) -> str:
        """Return what matches `char`, in either case where the flags ask for that."""
        if "i" not in self.flags:
            return quoted(ord(char))
        return self.classes.single(ord(char)).expression()

    # ---------------------------------------------------------------- anchors

    def _line_start(self) -> str:
        self._needs_backtracking("^ with (?m)")
        if "d" in self.flags:
            return r"(?<![^\n])(?!\Z)"
        return "(?:(?<![^\n\x85\u2028\u2029])|(?<=\r)(?!\n))(?!\\Z)"

    def _line_end(self) -> str:
        self._needs_backtracking("$ with (?m)")
        if "d" in self.flags:
            return r"(?:(?=\n)|\Z)"
        return "(?:(?=[\r\x85\u2028\u2029])|(?<!\r)(?=\n)|\\Z)"

    def _end(self) -> str:
        """Translate ``$`` and ``\\Z``: the end of the text, or before a line end that is the last."""
        at_the_end = not self.pattern[self.at :].strip(")") or (self.depth == 0 and self.peek() == "|")
        if self.whole and at_the_end and not self.lookarounds:
            return "\\z"
        self._needs_backtracking("$ or \\Z that may stand before a last line end")
        if "d" in self.flags:
            return r"(?=\n?\Z)"
        return "(?:(?=(?:\r\n|[\r\x85\u2028\u2029])?\\Z)|(?<!\r)(?=\n\\Z))"

    # ---------------------------------------------------------------- repetition

    def _quantifier(self) -> str:
        self.copies = 1
        char = self.peek()
        if not char or char not in "*+?{":
            return ""
        if char == "{":
            char = self._counted()
        else:
            self.at += 1
        kind = self.peek()
        if not kind or kind not in "?+":
            return char
        self.at += 1
        if kind == "+":
            self._needs_backtracking(f"the possessive quantifier {char}+")
        return char + kind

    def _counted(self) -> str:
        repetition = _REPETITION.match(self.pattern, self.at)
        if repetition is None:
            digits = self.pattern[self.at + 1 : self.at + 2].isdigit()
            raise self.error("Unclosed counted closure" if digits else "Illegal repetition", self.at - 1)
        if repetition[3] and int(repetition[3]) < int(repetition[1]):
            raise self.error("Illegal repetition range", repetition.end() - 1)
        self.at = repetition.end()
        self.copies = max(1, int(repetition[3] or repetition[1]))
        return repetition[0]

    # ---------------------------------------------------------------- groups

    def _group(self) -> str:
        opening, self.at = self.at, self.at + 1
        before, lookarounds = self.flags, self.lookarounds
        flags = _FLAGS.match(self.pattern, self.at)
        if not self.pattern.startswith("?", self.at):
            self.groups += 1
            start = "("
        elif flags is not None:  # (?:…) and (?i:…)
            self._set_flags(flags[1], flags[2] or "")
            start = "(?:"
            self.at = flags.end()
        else:
            start = self._special_group(opening)
        self.depth += 1
        inner = self._alternatives()
        self.depth -= 1
        self.flags, self.lookarounds = before, lookarounds
        if self.at >= len(self.pattern):
            raise self.error("Unclosed group", len(self.pattern))
        self.at += 1
        return f"{start}{inner})"

    def _special_group(self, opening: int) -> str:
        for start, construct in _SPECIAL.items():
            if self.pattern.startswith(start, self.at):
                self.at += len(start)
                self._needs_backtracking(construct)
                self.lookarounds += 1
                return f"({start}"
        if self.pattern.startswith("?<", self.at):
            self._group_name()
            return "("
        more = self.at + 1 < len(self.pattern)
        raise self.error("Unknown inline modifier" if more else "Unknown group type", opening + 2)

    def _group_name(self) -> None:
        name = _GROUP_NAME.match(self.pattern, self.at + 2)
        if name is None:
            raise self.error("capturing group name does not start with a Latin letter", self.at + 2)
        self.at = name.end()
        if self.pattern[self.at : self.at + 1] != ">":
            raise self.error("named capturing group is missing trailing '>'", self.at)
        self.at += 1
        if name[0] in self.names:
            raise self.error(f"Named capturing group <{name[0]}> is already defined", self.at - 1)
        self.groups += 1
        self.names[name[0]] = self.groups

    # ---------------------------------------------------------------- escapes

    def _escape(self) -> str:
        char = self.escaped()
        if char == "Q":
            # A quantifier behind \E is about the last character alone.
            return "".join(map(self.literal, self.quotation())) or "(?:)"
        if char in SETS:
            return SETS[char].expression()
        if char in "bB" and not self.pattern.startswith("{", self.at):
            return f"\\{char}"
        if char in "Az":
            return f"\\{char}"
        if char == "Z":
            return self._end()
        if char == "R":
            return f"(?:\r\n|{VERTICAL.expression()})"
        if char in "pP":
            return self.classes.property(char).expression()
        if char == "k":
            return self._named_reference()
        if char.isdigit() and char != "0":
            return self._numbered_reference(char)
        if char in "bBGXN":
            raise self.unsupported(f"\\{char}{{…}}" if char in "bB" else f"\\{char}")
        return self.literal(self.character(char))

    def _named_reference(self) -> str:
        name = _GROUP_NAME.match(self.pattern, self.at + 1)
        if self.pattern[self.at : self.at + 1] != "<" or name is None:
            raise self.error("\\k is not followed by '<' for named capturing group", self.at)
        if name[0] not in self.names:
            raise self.error(f"named capturing group <{name[0]}> does not exist", name.end())
        self.at = name.end() + 1
        return self._reference(self.names[name[0]])

    def _numbered_reference(self, first: str) -> str:
        number = int(first)
        if number > self.groups:
            raise self.unsupported(f"the reference \\{number} to a group that is not there yet")
        # Digits count as long as they still name a group (Java's rule); the rest are text.
        while (digit := self.pattern[self.at : self.at + 1]).isdigit() and number * 10 + int(digit) <= self.groups:
            number = number * 10 + int(digit)
            self.at += 1
        return self._reference(number)

    def _reference(self, number: int) -> str:
        self._needs_backtracking(f"the back reference \\{number}")
        return f"(?i:\\{number})" if "i" in self.flags else f"(?:\\{number})"
