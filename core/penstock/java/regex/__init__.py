"""Java regular expressions (``java.util.regex``) of users, run under a bound.

`compile_regex` takes a pattern as Java takes it and gives a `JavaPattern`. A pattern runs on RE2, whose time grows
linearly with the text, wherever RE2 can express it. Lookaround, backreferences, atomic groups and possessive
quantifiers cannot be expressed there. Such a pattern runs on a backtracking engine, outside the interpreter lock and
under a time limit. Constructs beyond both are refused by name. docs/transforms.md lists the supported part.
"""

from __future__ import annotations

from penstock.java.regex.pattern import JavaMatch, JavaPattern, compile_regex
from penstock.java.regex.translator import JavaRegexError

__all__ = ["JavaMatch", "JavaPattern", "JavaRegexError", "compile_regex"]
