"""The text of a query, made ready for what the connector appends to it."""

from __future__ import annotations

import re
from typing import Final

__all__ = ["appendable", "single_marks"]

#: A quoted text or name, PostgreSQL's dollar quotes among them; a comment; blanks; any other character.
_TOKEN: Final = re.compile(
    r"""'(?:[^']|'')*'|"(?:[^"]|"")*"|`[^`]*`|(\$[A-Za-z_]*\$).*?\1|(?P<gap>--[^\n]*|/\*.*?\*/|\s+|;)|\?\?|.""", re.S
)


def appendable(query: str) -> str:
    """Return `query` without the semicolons, comments and blanks at its end, which would swallow what is appended."""
    end = 0
    for token in _TOKEN.finditer(query):
        if token["gap"] is None:
            end = token.end()
    return query[:end]


def single_marks(query: str) -> str:
    """Return `query` with each ``??`` outside of quotes and comments as ``?``: PostgreSQL's Java driver takes an operator's
    question mark doubled."""
    if "??" not in query:
        return query
    return "".join("?" if token[0] == "??" else token[0] for token in _TOKEN.finditer(query))
