"""Characters of a .proto text as words, strings and signs. Lenient where registries are: a word may hold dots and dashes."""

from __future__ import annotations

import re
from typing import Final

from penstock.api import InvalidSchemaError
from penstock_registry.formats.protobuf.escapes import unescaped

__all__ = ["Lexer"]

_SPACE: Final = re.compile(r"(?:\s+|//[^\n]*|/\*.*?\*/)*", re.DOTALL)
_WORD: Final = re.compile(r"[A-Za-z0-9_.\-]+")
_MAX_DEPTH: Final = 100
_BEFORE_NAMES: Final = frozenset({"required", "optional", "repeated", "extend"})
_URL: Final = re.compile(r"[A-Za-z0-9_.\-/%]+")
_MAX_DIGITS: Final = 20  # more than any 64-bit number has


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

    def dotted(self) -> str:
        """Read a name whose parts may stand apart: space, lines and comments may surround its dots.

        A keyword that a name may follow is read alone: the name may begin with a dot.
        """
        parts = [self.word()]
        if parts[0] in _BEFORE_NAMES:
            return parts[0]
        while parts[-1].endswith(".") or self.peek() == ".":
            parts.append(self.word())
        return "".join(parts)

    def bracketed(self) -> str:
        """Read ``[name]`` of an aggregate, an extension's name or the address of a type, with its brackets."""
        self.expect("[")
        self.peek()
        match = _URL.match(self._text, self._at)
        if match is None:
            raise self.error("expected a name")
        self._at = match.end()
        self.expect("]")
        return f"[{match[0]}]"

    def type_name(self, depth: int = 0) -> str:
        """Read a type: a name, or ``map<K, V>``."""
        if depth > _MAX_DEPTH:
            raise self.error(f"maps nested more than {_MAX_DEPTH} deep")
        name = self.dotted()
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
        if word == "-":
            word += self.word()
        try:
            negative = word.startswith("-")
            digits = word[1:] if negative else word
            if len(digits) > _MAX_DIGITS:
                raise ValueError(digits)
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
            raise self.error(f"expected an integer but was {word[:40]}") from None
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
        return unescaped(raw)

    def error(self, problem: str) -> InvalidSchemaError:
        line = self._text.count("\n", 0, self._at) + 1
        column = self._at - (self._text.rfind("\n", 0, self._at) + 1) + 1
        return InvalidSchemaError(f"Syntax error in :{line}:{column}: {problem}")
