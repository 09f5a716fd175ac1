"""Java regular expressions (``java.util.regex``), translated to Python's.

Most of the two languages is the same text. What differs is rewritten here (``(?<name>…)``, ``\\Q…\\E``, ``\\h``,
``\\p{Alpha}``, what ``.`` stops at), and what Python cannot express is refused by name instead of meaning something
else. As in Java without ``UNICODE_CHARACTER_CLASS``, ``\\d``, ``\\w``, ``\\s`` and ``(?i)`` are about ASCII. docs/transforms.md
lists the supported part.
"""

from __future__ import annotations

import re
from typing import Final

__all__ = ["JavaRegexError", "compile_regex"]


class JavaRegexError(ValueError):
    """A pattern that Java refuses (worded as Java does), or that is beyond the supported part (named)."""


def compile_regex(pattern: str) -> re.Pattern[str]:
    """Compile a Java pattern. Use ``fullmatch`` for Java's ``matches``. Raises `JavaRegexError`."""
    translated = _Translator(pattern).translate()
    try:
        return re.compile(translated, re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise JavaRegexError(f"{error} (not supported here) in {pattern}") from error


_LINE_ENDS: Final = "\\n\\r\\x85\\u2028\\u2029"
_HORIZONTAL: Final = " \\t\\xa0\\u1680\\u180e\\u2000-\\u200a\\u202f\\u205f\\u3000"
_VERTICAL: Final = "\\n\\x0b\\f\\r\\x85\\u2028\\u2029"
#: Escapes of one character, valid inside and outside a class.
_CONTROL: Final = {"t": "\\t", "n": "\\n", "r": "\\r", "f": "\\f", "a": "\\x07", "e": "\\x1b"}
#: Escapes that stand for a set: what goes between brackets, and whether it is the complement.
_SETS: Final = {
    "d": ("0-9", False), "D": ("0-9", True),
    "w": ("a-zA-Z0-9_", False), "W": ("a-zA-Z0-9_", True),
    "s": (" \\t\\n\\x0b\\f\\r", False), "S": (" \\t\\n\\x0b\\f\\r", True),
    "h": (_HORIZONTAL, False), "H": (_HORIZONTAL, True),
    "v": (_VERTICAL, False), "V": (_VERTICAL, True),
}  # fmt: skip
_POSIX: Final = {
    "Lower": "a-z", "Upper": "A-Z", "ASCII": "\\x00-\\x7f", "Alpha": "a-zA-Z", "Digit": "0-9",
    "Alnum": "a-zA-Z0-9", "Punct": "!-/:-@\\[-`{-~", "Graph": "!-~", "Print": " -~", "Blank": " \\t",
    "Cntrl": "\\x00-\\x1f\\x7f", "XDigit": "0-9a-fA-F", "Space": " \\t\\n\\x0b\\f\\r",
}  # fmt: skip
_ANCHORS: Final = {
    "A": "\\A",
    "b": "\\b",
    "B": "\\B",
    "Z": "(?=(?:\\r\\n|[\\n\\r\\x85\\u2028\\u2029])?\\Z)",
    "z": "\\Z",
}
_REPETITION: Final = re.compile(r"\{(\d+)(,(\d*))?\}", re.ASCII)
_GROUP_NAME: Final = re.compile(r"[a-zA-Z][a-zA-Z0-9]*", re.ASCII)
_FLAGS: Final = re.compile(r"\?([a-zA-Z]*)(?:-([a-zA-Z]+))?([:)])", re.ASCII)


class _Translator:
    """One pass over a pattern. `dot_all` and `groups` are the state that translation depends on."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.dot_all = False
        self.groups = 0

    def translate(self) -> str:
        text = self._alternatives()
        if self.at < len(self.pattern):
            raise self._error("Unmatched closing ')'", self.at - 1)
        return text

    def _error(self, what: str, index: int) -> JavaRegexError:
        # The layout of PatternSyntaxException.getMessage: users see it in validation answers.
        near = f" near index {index}" if index >= 0 else ""
        caret = "\n" + " " * index + "^" if 0 <= index < len(self.pattern) else ""
        return JavaRegexError(f"{what}{near}\n{self.pattern}{caret}")

    def _unsupported(self, what: str) -> JavaRegexError:
        return JavaRegexError(f"{what} is not supported here, in the pattern {self.pattern}")

    def _alternatives(self) -> str:
        """Up to the end or an unopened ``)``; flags set inside end with it."""
        dot_all = self.dot_all
        out: list[str] = []
        closers = 0
        fresh = True
        while self.at < len(self.pattern) and self.pattern[self.at] != ")":
            flags = _FLAGS.match(self.pattern, self.at + 1) if self.pattern[self.at] == "(" else None
            if flags is not None and flags[3] == ")":
                if not fresh:
                    raise self._unsupported(f"switching flags in the middle of a group, ({flags[0]},")
                self.at = flags.end()
                out.append(self._flags(flags))
                closers += 1
                continue
            # Flags at the start of an alternative reach to the group's end, over the alternatives that follow.
            fresh = self.pattern[self.at] == "|"
            out.append(self._piece())
        self.dot_all = dot_all
        return "".join(out) + ")" * closers

    def _flags(self, flags: re.Match[str]) -> str:
        on, off = flags[1], flags[2] or ""
        for flag in on + off:
            if flag not in "ims":
                raise self._unsupported(f"the flag (?{flag})")
        if "s" in on + off:
            self.dot_all = "s" in on and "s" not in off
        kept_on = "".join(f for f in on if f in "im" and f not in off)
        kept_off = "".join(f for f in off if f in "im")
        return f"(?{kept_on}{'-' + kept_off if kept_off else ''}:"

    def _piece(self) -> str:
        char = self.pattern[self.at]
        if char == "|":
            self.at += 1
            return "|"
        if char in "*+?":
            raise self._error(f"Dangling meta character '{char}'", self.at)
        if char == "{":
            raise self._error("Illegal repetition", self.at - 1)
        return self._atom(char) + self._quantifier()

    def _atom(self, char: str) -> str:
        if char == "\\":
            return self._escape()
        if char == "[":
            return self._class()
        if char == "(":
            return self._group()
        self.at += 1
        if char == ".":
            return "(?s:.)" if self.dot_all else f"[^{_LINE_ENDS}]"
        return char if char in "^$" else re.escape(char)

    def _quantifier(self) -> str:
        char = self.pattern[self.at : self.at + 1]
        if char not in ("*", "+", "?", "{"):
            return ""
        if char == "{":
            repetition = _REPETITION.match(self.pattern, self.at)
            if repetition is None:
                digits = self.pattern[self.at + 1 : self.at + 2].isdigit()
                raise self._error("Unclosed counted closure" if digits else "Illegal repetition", self.at - 1)
            if repetition[3] and int(repetition[3]) < int(repetition[1]):
                raise self._error("Illegal repetition range", repetition.end() - 1)
            char = repetition[0]
        self.at += len(char)
        kind = self.pattern[self.at : self.at + 1]
        if kind not in ("?", "+"):
            return char
        self.at += 1
        return char + kind

    def _group(self) -> str:
        opening, self.at = self.at, self.at + 1
        rest = self.pattern[self.at :]
        dot_all = self.dot_all
        flags = _FLAGS.match(self.pattern, self.at)
        if not rest.startswith("?"):
            self.groups += 1
            start = "("
        elif flags is not None:  # (?:…) and (?i:…)
            start = self._flags(flags)
            self.at = flags.end()
        else:
            start = self._special_group(rest, opening)
        inner = self._alternatives()
        self.dot_all = dot_all
        if self.at >= len(self.pattern):
            raise self._error("Unclosed group", len(self.pattern))
        self.at += 1
        return f"{start}{inner})"

    def _special_group(self, rest: str, opening: int) -> str:
        for start in ("?=", "?!", "?>", "?<=", "?<!"):
            if rest.startswith(start):
                self.at += len(start)
                return f"({start}"
        if rest.startswith("?<"):
            name = _GROUP_NAME.match(rest, 2)
            if name is None:
                raise self._error("capturing group name does not start with a Latin letter", self.at + 2)
            self.at += name.end()
            if self.pattern[self.at : self.at + 1] != ">":
                raise self._error("named capturing group is missing trailing '>'", self.at)
            self.at += 1
            self.groups += 1
            return f"(?P<{name[0]}>"
        raise self._error("Unknown inline modifier" if len(rest) > 1 else "Unknown group type", opening + 2)

    def _escape(self) -> str:
        """Outside a class."""
        char = self._escaped()
        if char == "Q":
            return self._quotation()
        if char in _SETS:
            inside, negated = _SETS[char]
            return f"[{'^' if negated else ''}{inside}]"
        if char in _ANCHORS:
            if self.pattern[self.at : self.at + 1] == "{":
                raise self._unsupported(f"\\{char}{{…}}")
            return _ANCHORS[char]
        if char == "R":
            return f"(?:\\r\\n|[{_VERTICAL}])"
        if char in "pP":
            return f"[{'^' if char == 'P' else ''}{self._property(char)}]"
        if char == "k":
            return self._named_reference()
        if char.isdigit() and char != "0":
            return self._numbered_reference(char)
        if char in "GXN":
            raise self._unsupported(f"\\{char}")
        return self._character(char)

    def _escaped(self) -> str:
        """The character after the backslash; stands behind it afterwards."""
        char = self.pattern[self.at + 1 : self.at + 2]
        if not char:
            raise self._error("Unescaped trailing backslash", len(self.pattern))
        self.at += 2
        return char

    def _quotation(self) -> str:
        end = self.pattern.find("\\E", self.at)
        text = self.pattern[self.at :] if end < 0 else self.pattern[self.at : end]
        self.at = len(self.pattern) if end < 0 else end + 2
        # A quantifier behind \E is about the last character alone.
        return re.escape(text) if text else "(?:)"

    def _property(self, char: str) -> str:
        if self.pattern[self.at : self.at + 1] == "{":
            end = self.pattern.find("}", self.at)
            if end < 0:
                raise self._error("Unclosed character family", len(self.pattern) - 1)
            name = self.pattern[self.at + 1 : end]
            self.at = end + 1
        else:
            name = self.pattern[self.at : self.at + 1]
            self.at += 1
        if name not in _POSIX:
            raise self._unsupported(f"the Unicode property \\{char}{{{name}}}")
        return _POSIX[name]

    def _named_reference(self) -> str:
        name = _GROUP_NAME.match(self.pattern, self.at + 1)
        if self.pattern[self.at : self.at + 1] != "<" or name is None:
            raise self._error("\\k is not followed by '<' for named capturing group", self.at)
        self.at = name.end() + 1
        return f"(?P={name[0]})"

    def _numbered_reference(self, first: str) -> str:
        number = int(first)
        if number > self.groups:
            raise self._unsupported(f"the reference \\{number} to a group that is not there yet")
        # As many digits as still name a group (Java's rule), the rest are text.
        while (digit := self.pattern[self.at : self.at + 1]).isdigit() and number * 10 + int(digit) <= self.groups:
            number = number * 10 + int(digit)
            self.at += 1
        return f"(?:\\{number})"

    def _character(self, char: str) -> str:
        """An escape that means one character, in or out of a class."""
        if char in _CONTROL:
            return _CONTROL[char]
        if char in "xu0c":
            return self._coded(char)
        if char.isascii() and char.isalpha():
            raise self._error("Illegal/unsupported escape sequence", self.at - 1)
        return re.escape(char)

    def _coded(self, char: str) -> str:
        forms = {
            "x": r"([0-9a-fA-F]{2})|\{([0-9a-fA-F]+)\}",
            "u": r"([0-9a-fA-F]{4})",
            "0": r"([0-3]?[0-7]{1,2})",
            "c": r"(.)",
        }
        found = re.compile(forms[char], re.ASCII).match(self.pattern, self.at)
        if found is None:
            names = {"x": "hexadecimal escape sequence", "u": "Unicode escape sequence", "0": "octal escape sequence"}
            raise self._error(f"Illegal {names.get(char, 'control escape sequence')}", self.at)
        self.at = found.end()
        digits = found[1] or found[2]
        code = ord(digits) ^ 64 if char == "c" else int(digits, 8 if char == "0" else 16)
        if code > 0x10FFFF:
            raise self._error("Hexadecimal codepoint is too big", self.at)
        return re.escape(chr(code))

    def _class(self) -> str:
        self.at += 1
        out = ["["]
        if self.pattern[self.at : self.at + 1] == "^":
            out.append("^")
            self.at += 1
        first = True
        while True:
            if self.at >= len(self.pattern):
                raise self._error("Unclosed character class", len(self.pattern) - 1)
            if self.pattern[self.at] == "]" and not first:
                self.at += 1
                return "".join(out) + "]"
            out.append(self._class_item())
            first = False

    def _class_item(self) -> str:
        """A character, a range, or an escape for a set."""
        char = self.pattern[self.at]
        if char == "[":
            raise self._unsupported("a character class inside another")
        if self.pattern.startswith("&&", self.at):
            raise self._unsupported("the intersection of character classes, &&,")
        if char == "\\" and (following := self.pattern[self.at + 1 : self.at + 2]) and following in "dDwWsShHvVpPQ":
            return self._class_set(following)
        low = self._class_character()
        dash = self.pattern[self.at : self.at + 1] == "-"
        if not dash or self.pattern[self.at + 1 : self.at + 2] in ("]", "", "["):
            return low
        self.at += 1
        return f"{low}-{self._class_character()}"

    def _class_set(self, char: str) -> str:
        self.at += 2
        if char == "Q":
            quoted = self._quotation()
            return "" if quoted == "(?:)" else quoted
        if char in "pP":
            inside, negated = self._property(char), char == "P"
        else:
            inside, negated = _SETS[char]
        if not negated:
            return inside
        if char in "DWS":
            return f"\\{char}"
        raise self._unsupported(f"\\{char} inside a character class")

    def _class_character(self) -> str:
        char = self.pattern[self.at]
        if char == "\\":
            return self._character(self._escaped())
        self.at += 1
        return re.escape(char) if char not in "^]" else f"\\{char}"
