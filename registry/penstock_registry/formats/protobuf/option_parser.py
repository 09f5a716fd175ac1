"""Options of a .proto text: names that lead through messages and extensions, and values."""

from __future__ import annotations

from typing import Any, Final

from penstock_registry.formats.protobuf.lexer import Lexer
from penstock_registry.formats.protobuf.model import Option

__all__ = ["MAX_DEPTH", "OptionParser"]

MAX_DEPTH: Final = 100
_ASSIGNING: Final = ("=", "")


class OptionParser:
    """Reads options at the cursor of `lexer`. `deeper` and `higher` count how deep declarations and values are nested."""

    def __init__(self, lexer: Lexer) -> None:
        self._in = lexer
        self._depth = 0

    def deeper(self) -> None:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise self._in.error(f"declarations nested more than {MAX_DEPTH} deep")

    def higher(self) -> None:
        self._depth -= 1

    def statement(self) -> Option:
        """Read what follows the word ``option``."""
        option = self._option()
        self._in.expect(";")
        return option

    def in_brackets(self) -> tuple[Option, ...]:
        """Read ``[a = b, (c).d = e]``; an empty tuple if there is no bracket."""
        lexer = self._in
        if not lexer.take("["):
            return ()
        options = [self._option()]
        while not lexer.take("]"):
            lexer.expect(",")
            options.append(self._option())
        return tuple(options)

    def _option(self) -> Option:
        (name, parenthesized), *path = self._name()
        self.deeper()
        self._in.expect("=")
        kind, value = self._value()
        self.higher()
        for part, is_extension in reversed(path):
            value, kind = Option(part, kind, value, is_extension), "option"
        return Option(name, kind, value, parenthesized)

    def _name(self) -> list[tuple[str, bool]]:
        """Read ``a.(b.c).d`` as parts, each with whether it stands in parentheses, and so names an extension."""
        lexer = self._in
        parts: list[tuple[str, bool]] = []
        while lexer.peek() not in _ASSIGNING:
            opening = "(" if lexer.peek() == "(" else "["
            if lexer.take(opening):
                parts.append((lexer.dotted(), True))
                lexer.expect(")" if opening == "(" else "]")
            else:
                parts += [(part, False) for part in lexer.word().split(".") if part]
        if not parts:
            raise lexer.error("expected an option's name")
        return parts

    def _value(self) -> tuple[Any, Any]:
        lexer = self._in
        sign = lexer.peek()
        if sign == "{":
            return "map", self._map("{", "}")
        if sign == "<":
            return "map", self._map("<", ">")
        if sign == "[":
            return "list", self._list()
        if sign in ("'", '"') and sign:
            return "string", lexer.quoted()
        if lexer.take("+"):
            return "number", lexer.word()
        word = lexer.word()
        if word == "-":
            word += lexer.word()
        if word in ("true", "false"):
            return "boolean", word
        return ("number" if word[0].isdigit() or word[0] in "-." else "enum"), word

    def _map(self, opening: str, closing: str) -> dict[str, Option]:
        lexer = self._in
        self.deeper()
        lexer.expect(opening)
        result: dict[str, Option] = {}
        while not lexer.take(closing):
            name = lexer.bracketed() if lexer.peek() == "[" else lexer.word()
            lexer.take(":")
            kind, value = self._value()
            given = result.get(name)
            if given is None:
                result[name] = Option(name, kind, value)
            else:
                # a repeated field, written one by one
                items = given.value if given.kind == "list" else [given]
                more = value if kind == "list" else [Option("", kind, value)]
                result[name] = Option(name, "list", [*items, *more])
            if not lexer.take(","):
                lexer.take(";")
        self.higher()
        return result

    def _list(self) -> list[Option]:
        lexer = self._in
        self.deeper()
        lexer.expect("[")
        result: list[Option] = []
        while not lexer.take("]"):
            kind, value = self._value()
            result.append(Option("", kind, value))
            lexer.take(",")
        self.higher()
        return result
