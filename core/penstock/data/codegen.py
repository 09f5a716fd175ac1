"""The kit of the modules that generate code: one place for names, constants, lines, indentation and ``exec``.

A codec subclasses `Source` and says what the functions do; the kit says how they become functions. The generated text is
known to `linecache` as long as the functions live, so that a traceback shows the generated line.

No text of a user's may stand in generated code, except as a ``repr()`` or as an identifier that was checked. Values go
into it as constants.
"""

from __future__ import annotations

import itertools
import linecache
import weakref
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

__all__ = ["Source"]

_INDENT: Final = "    "
_MAX_TITLE: Final = 200
#: Numbers the generated files: two schemas may have one title. ``next()`` on it is atomic.
_NUMBERS: Final = itertools.count(1)


class Source:
    """The text of some functions, and the names they use. Make one for a schema, in one thread; call `build` last."""

    def __init__(self, title: str, names: Mapping[str, Any] | None = None) -> None:
        #: Stands in tracebacks in the place of a file's name; any text.
        self.title = title
        #: The globals of the functions.
        self.env: dict[str, Any] = dict(names or {})
        self.indent = 0
        self._functions: list[str] = []
        self._lines: list[str] = []
        self._count = 0
        self._kept: list[object] = []

    def name(self, letter: str) -> str:
        """Return a name that no other thing in this source has."""
        self._count += 1
        return f"{letter}{self._count}"

    def constant(self, value: Any) -> str:
        """Return a name under which the functions find `value`."""
        name = self.name("K")
        self.env[name] = value
        return name

    def keep(self, *objects: object) -> None:
        """Keep `objects` alive as long as this source: an ``id()`` is one object's only while that lives."""
        self._kept += objects

    def line(self, text: str) -> None:
        """Add one line to the function that is being written."""
        self._lines.append(_INDENT * self.indent + text)

    def lines(self, texts: Iterable[str]) -> None:
        """Add lines; the deeper ones among them bring their own additional indentation."""
        for text in texts:
            self.line(text)

    @contextmanager
    def block(self, head: str) -> Iterator[None]:
        """Add `head`, and indent the lines that are added inside the ``with``."""
        self.line(head)
        self.indent += 1
        yield
        self.indent -= 1

    @contextmanager
    def function(self, name: str, arguments: str) -> Iterator[None]:
        """The lines that are added inside the ``with`` become the body of a function. Functions may be written while
        another one is being written; they stand beside each other in the end."""
        outer, depth = self._lines, self.indent
        self._lines, self.indent = [f"def {name}({arguments}):"], 1
        yield
        self.add("\n".join(self._lines))
        self._lines, self.indent = outer, depth

    def add(self, text: str) -> None:
        """Add the text of a whole function, or of a statement outside all functions."""
        self._functions.append(text.strip("\n") + "\n")

    def build(self, name: str) -> Any:
        """Compile what was written, and return the function `name`."""
        text = "\n".join(self._functions)
        file = f"<generated {next(_NUMBERS)}: {ascii(self.title)[1:-1][:_MAX_TITLE]}>"
        exec(compile(text, file, "exec"), self.env)  # noqa: S102 - the text is made here; see the rule on users' text on top
        made = self.env[name]
        # Without a time of modification linecache never looks for a file. The lines go when the function goes.
        linecache.cache[file] = (len(text), None, text.splitlines(keepends=True), file)
        weakref.finalize(made, linecache.cache.pop, file, None).atexit = False
        return made
