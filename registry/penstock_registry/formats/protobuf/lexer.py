"""Characters of a .proto text as words, strings and signs. Lenient where registries are: a word may hold dots and dashes."""

from __future__ import annotations

import re
from typing import Final

from penstock.api import InvalidSchemaError

__all__ = ["Lexer"]

_SPACE: Final = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_WORD: Final = re.compile(r"[A-Za-z0-9_.\-]+")
_MAX_DEPTH: Final = 100
_NAMED: Final = {"a": "\a", "b": "\b", "f": "\f", "n": "\n", "r": "\r", "t": "\t", "v": "\v"}
_ESCAPE: Final = re.compile(r"\\(?:([abfnrtv])|[xX]([0-9A-Fa-f]{1,2})|([0-7]{1,3})|(.))", re.DOTALL)


class Lexer:
    """A cursor over `text`. Every method that expects something raises `InvalidSchemaError` with line and column."""

    def __init__(self, text: str) -> None:
        self._text = text.removeprefix("\ufeff")
        self._at = 0

    def peek(self) -> str:
        """The next character that is neither space nor comment; empty at the end."""
        match = _SPACE.match(self._text, self._at)
        assert match is not None
        self._at = match.end()
        if self._text.startswith("/*", self._at):
            raise self.error("unterminated comment")
        return self._text[self._at : self._at + 1]

    def take(self, sign: str) -> bool:
        """Step over `sign` if it is next."""
        if self.peek() != sign:
            return False
        self._at += 1
        return True

    def expect(self, sign: str) -> None:
        if not self.take(sign):
            raise self.error(f"expected '{sign}'")

    def word(self) -> str:
        self.peek()
        match = _WORD.match(self._text, self._at)
        if match is None:
            raise self.error("expected a word")
        self._at = match.end()
        return match[0]

    def name(self) -> str:
        """A word, or one in parentheses or brackets without them."""
        for opening, closing in (("(", ")"), ("[", "]")):
            if self.take(opening):
                name = self.word()
                self.expect(closing)
                return name
        return self.word()

    def type_name(self, depth: int = 0) -> str:
        """A type: a word, or ``map<K, V>``."""
        if depth > _MAX_DEPTH:
            raise self.error(f"maps nested more than {_MAX_DEPTH} deep")
        name = self.word()
        if name != "map":
            return name
        if not self.take("<"):
            return name
        key = self.type_name(depth + 1)
        self.expect(",")
        value = self.type_name(depth + 1)
        self.expect(">")
        return f"map<{key}, {value}>"

    def integer(self) -> int:
        at = self._at
        word = self.word()
        try:
            negative = word.startswith("-")
            digits = word[1:] if negative else word
            if digits[:2] in ("0x", "0X"):
                number = int(digits[2:], 16)
            elif len(digits) > 1 and digits[0] == "0" and digits.isdecimal():
                number = int(digits, 8)
            else:
                if not digits.isdecimal():
                    raise ValueError(digits)
                number = int(digits)
        except ValueError:
            self._at = at
            raise self.error(f"expected an integer but was {word}") from None
        return -number if negative else number

    def quoted(self) -> str:
        """One or more strings in quotes, joined."""
        parts: list[str] = []
        while (quote := self.peek()) in ('"', "'") and quote:
            parts.append(self._string(quote))
        if not parts:
            raise self.error("expected a string")
        return "".join(parts)

    def _string(self, quote: str) -> str:
        end = self._at + 1
        text = self._text
        while end < len(text) and text[end] != quote:
            end += 2 if text[end] == "\\" else 1
        if end >= len(text):
            raise self.error("unterminated string")
        raw = text[self._at + 1 : end]
        self._at = end + 1
        return _ESCAPE.sub(_unescaped, raw) if "\\" in raw else raw

    def error(self, problem: str) -> InvalidSchemaError:
        line = self._text.count("\n", 0, self._at) + 1
        column = self._at - (self._text.rfind("\n", 0, self._at) + 1) + 1
        return InvalidSchemaError(f"Syntax error in :{line}:{column}: {problem}")


def _unescaped(match: re.Match[str]) -> str:
    if match[1]:
        return _NAMED[match[1]]
    if match[2]:
        return chr(int(match[2], 16))
    if match[3]:
        return chr(int(match[3], 8))
    return match[4]
