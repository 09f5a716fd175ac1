"""Compiled Java patterns: which engine runs one, and under what bound."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import Any, Final

import re2
import regex

from penstock.errors import DataError
from penstock.java.regex.translator import JavaRegexError, Translation, translate

__all__ = ["JavaMatch", "JavaPattern", "compile_regex"]

#: Seconds of processor time that one match may take on the backtracking engine. Ordinary patterns take microseconds.
TIME_LIMIT: Final = 1.0
_RE2_MEMORY: Final = 16 * 1024 * 1024
_LONE_SURROGATE: Final = re.compile("[\ud800-\udfff]")


@lru_cache(maxsize=64)
def compile_regex(pattern: str, flags: str = "", time_limit: float = TIME_LIMIT) -> JavaPattern:
    """Compile a Java pattern. `flags` holds the inline letters of the options that the whole pattern has: ``im``.

    A match may take `time_limit` seconds where the pattern needs backtracking. Raises `JavaRegexError`.
    """
    return JavaPattern(pattern, flags, time_limit)


class JavaMatch:
    """The match of a pattern, with the text of each group. Immutable."""

    __slots__ = ("_spans", "text")

    def __init__(self, text: str, spans: tuple[tuple[int, int], ...]) -> None:
        self.text = text
        self._spans = spans

    def __getitem__(self, group: int) -> str | None:
        """Return the text of a group, None if it took no part; group 0 is the whole match."""
        start, end = self._spans[group]
        return None if start < 0 else self.text[start:end]

    def start(self) -> int:
        return self._spans[0][0]

    def end(self) -> int:
        return self._spans[0][1]


class JavaPattern:
    """A Java pattern, ready to run. Immutable, safe from any thread.

    The time of a match is linear in the text if `linear`. Otherwise it is limited, and a `DataError` that names the
    pattern tells of a match that reached the limit. Neither engine holds the interpreter lock while it matches.
    """

    def __init__(self, pattern: str, flags: str, time_limit: float) -> None:
        self.pattern = pattern
        self._flags = flags
        self._limit = time_limit
        translation = translate(pattern, flags, whole=True)
        self.groups: int = translation.groups
        self.names: Mapping[str, int] = translation.names
        self._whole = _engine(pattern, translation)

    def __repr__(self) -> str:
        return f"JavaPattern({self.pattern!r})"

    @property
    def linear(self) -> bool:
        """True if the whole text is matched in linear time."""
        return self._whole[1]

    @cached_property
    def _part(self) -> tuple[Any, bool]:
        return _engine(self.pattern, translate(self.pattern, self._flags, whole=False))

    def matches(self, text: str) -> bool:
        """Tell whether the whole `text` matches (Java's ``matches``)."""
        return self.fullmatch(text) is not None

    def fullmatch(self, text: str) -> JavaMatch | None:
        """Match the whole `text` (Java's ``matches``); return None if it does not match."""
        engine, linear = self._whole
        return self._run(engine.fullmatch, linear, text)

    def search(self, text: str) -> JavaMatch | None:
        """Return the first match anywhere in `text` (Java's ``find``), or None."""
        engine, linear = self._part
        return self._run(engine.search, linear, text)

    def _run(self, method: Any, linear: bool, text: str) -> JavaMatch | None:
        if linear:
            # RE2 reads UTF-8. A lone surrogate has none; the replacement character is as long.
            match = method(text if text.isascii() else _LONE_SURROGATE.sub("\ufffd", text))
        else:
            try:
                match = method(text, timeout=self._limit, concurrent=True)
            except TimeoutError:
                raise DataError(
                    f"The regular expression {self.pattern} took longer than {self._limit:g} s for a text of {len(text)} characters "
                    f"that starts with {text[:40]!r}; it needs backtracking: write it without repetitions inside repetitions, "
                    "lookaround and back references"
                ) from None
        if match is None:
            return None
        return JavaMatch(text, tuple(match.span(group) for group in range(self.groups + 1)))


def _engine(pattern: str, translation: Translation) -> tuple[Any, bool]:
    """Return a compiled expression, and whether it is RE2's."""
    if not translation.backtracking:
        options = re2.Options()
        options.log_errors = False
        options.max_mem = _RE2_MEMORY
        try:
            return re2.compile(translation.text, options), True
        except (re2.error, UnicodeEncodeError):
            pass  # too large for RE2 (a{2000}), or about surrogates: the other engine has no such limits
    try:
        return regex.compile(translation.text, regex.ASCII | regex.VERSION0), False
    except (regex.error, OverflowError, RecursionError) as error:
        raise JavaRegexError(f"{error} (not supported here) in {pattern}") from error
