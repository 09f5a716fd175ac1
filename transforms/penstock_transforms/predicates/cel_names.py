"""The names in a CEL expression: variables, functions, and fields of a variable."""

from __future__ import annotations

import re
from collections.abc import Collection
from difflib import get_close_matches
from typing import Final

import cel

from penstock.errors import ConfigError

__all__ = ["check_names", "fields_used"]

#: Functions of the standard that the library evaluates. Operators are spelled with other characters, and macros (``has``,
#: ``all``, ``exists``, ``map``, ...) are gone when an expression is parsed, unless they were given the wrong arguments.
_FUNCTIONS: Final = frozenset(
    "bool bytes contains double duration dyn endsWith getDate getDayOfMonth getDayOfWeek getDayOfYear getFullYear getHours "
    "getMilliseconds getMinutes getMonth getSeconds int matches size startsWith string timestamp type uint".split()
)
_WORD: Final = re.compile(r"[A-Za-z]\w*")
#: Texts (raw, of bytes, in three quotes), comments, names, and everything else character by character.
_TOKEN: Final = re.compile(
    r"(?P<text>[bBrR]{0,2}(?:\"\"\"(?:\\.|[^\\])*?\"\"\"|'''(?:\\.|[^\\])*?'''|\"(?:\\.|[^\"\\])*\"|'(?:\\.|[^'\\])*'))"
    r"|(?P<blank>\s+|//[^\n]*)|(?P<name>[A-Za-z_]\w*)|(?P<number>\d[\w.]*)|(?P<other>.)",
    re.DOTALL,
)
_RAW_TEXT: Final = re.compile(r"[bB]?[rR][bB]?[\"']")


def check_names(setting: str, text: str, program: cel.Program, variables: Collection[str]) -> None:
    """A `ConfigError` for a variable or function that does not exist: otherwise the first record would tell."""
    bound = _bound_by_macros(text)
    for name in program.variables():
        if name not in variables and name not in bound:
            raise ConfigError(setting, text, f"there is no variable {name}; a record has {', '.join(variables)}")
    for name in program.functions():
        if _WORD.fullmatch(name) and name not in _FUNCTIONS:
            near = get_close_matches(name, _FUNCTIONS, 1)
            raise ConfigError(setting, text, f"there is no function {name}" + (f"; {near[0]} is one" if near else ""))


def _bound_by_macros(text: str) -> set[str]:
    """Names that ``all``, ``exists``, ``exists_one``, ``map`` and ``filter`` introduce."""
    tokens = _tokens(text)
    return {
        tokens[at + 2]
        for at, token in enumerate(tokens[:-3])
        if token in ("all", "exists", "exists_one", "map", "filter") and tokens[at + 1] == "(" and tokens[at + 3] == ","
    }


def fields_used(text: str, variable: str) -> frozenset[str] | None:
    """The fields of `variable` that the expression names, or None where it uses the variable as a whole.

    Read off the text: every use has the form ``variable.field``. More names than are used do no harm.
    """
    if _RAW_TEXT.search(text):
        return None  # backslashes mean something else in a raw text; not worth a second rule
    tokens = _tokens(text)
    fields: set[str] = set()
    for at, token in enumerate(tokens):
        if token != variable or (at and tokens[at - 1] == "."):
            continue
        after = tokens[at + 1 : at + 4]
        is_field = len(after) > 1 and after[0] == "." and after[1].isidentifier() and after[2:] != ["("]
        if not is_field:
            return None
        fields.add(after[1])
    return frozenset(fields)


def _tokens(text: str) -> list[str]:
    return [m[0] for m in _TOKEN.finditer(text) if m.lastgroup != "blank"]
