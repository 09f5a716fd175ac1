"""Reading a Java pattern character by character: comments, escapes of one character, errors in Java's layout."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["JavaRegexError", "Scanner"]

#: Escapes of one character, valid inside and outside a class.
_CONTROL: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "a": "\a", "e": "\x1b"}
_FORMS: Final = {
    "x": re.compile(r"([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,8})\}", re.ASCII),
    "u": re.compile(r"([0-9a-fA-F]{4})", re.ASCII),
    "0": re.compile(r"([0-3]?[0-7]{1,2})", re.ASCII),
    "c": re.compile(r"(.)", re.DOTALL),
}
_FORM_NAMES: Final = {
    "x": "hexadecimal escape sequence",
    "u": "Unicode escape sequence",
    "0": "octal escape sequence",
    "c": "control escape sequence",
}


class JavaRegexError(ValueError):
    """A pattern that Java refuses (worded as Java does), or that is beyond the supported part (named)."""


class Scanner:
    """A pattern and how far it is read (`at`), with the flags that hold there, and the `size` of what came out so far."""

    def __init__(self, pattern: str) -> None:
        self.pattern = pattern
        self.at = 0
        self.flags: frozenset[str] = frozenset()
        self.size = 0

    def error(self, what: str, index: int) -> JavaRegexError:
        # The layout of PatternSyntaxException.getMessage: users see it in validation answers.
        near = f" near index {index}" if index >= 0 else ""
        caret = "\n" + " " * index + "^" if 0 <= index < len(self.pattern) else ""
        return JavaRegexError(f"{what}{near}\n{self.pattern}{caret}")

    def unsupported(self, what: str) -> JavaRegexError:
        return JavaRegexError(f"{what} is not supported here, in the pattern {self.pattern}")

    def peek(self) -> str:
        """Return the next character, past blanks and comments where ``(?x)`` holds; empty at the end."""
        if "x" in self.flags:
            self._skip_comments()
        return self.pattern[self.at : self.at + 1]

    def _skip_comments(self) -> None:
        while (char := self.pattern[self.at : self.at + 1]) and char in " \t\n\x0b\f\r#":
            self.at += 1
            if char == "#":
                while (char := self.pattern[self.at : self.at + 1]) and char not in "\n\r\x85\u2028\u2029":
                    self.at += 1

    def escaped(self) -> str:
        """Return the character after the backslash, and stand behind it."""
        char = self.pattern[self.at + 1 : self.at + 2]
        if not char:
            raise self.error("Unescaped trailing backslash", len(self.pattern))
        self.at += 2
        return char

    def quotation(self) -> str:
        """Return the text up to ``\\E``, and stand behind that."""
        end = self.pattern.find("\\E", self.at)
        text = self.pattern[self.at :] if end < 0 else self.pattern[self.at : end]
        self.at = len(self.pattern) if end < 0 else end + 2
        return text

    def character(self, char: str) -> str:
        """Return the character that an escape means, in or out of a class. `char` stands behind its backslash."""
        if char in _CONTROL:
            return _CONTROL[char]
        if char in _FORMS:
            return self._coded(char)
        if char.isascii() and char.isalpha():
            raise self.error("Illegal/unsupported escape sequence", self.at - 1)
        return char

    def _coded(self, char: str) -> str:
        found = _FORMS[char].match(self.pattern, self.at)
        if found is None:
            raise self.error(f"Illegal {_FORM_NAMES[char]}", self.at)
        self.at = found.end()
        if char == "c":
            return chr(ord(found[1]) ^ 64)
        code = int(found[0].strip("{}"), 8 if char == "0" else 16)
        if code > 0x10FFFF:
            raise self.error("Hexadecimal codepoint is too big", self.at)
        return chr(code)
