"""The values that config providers looked up for one configuration, kept out of everything that leaves the worker.

A setting whose text a provider changed is shown by the text that the user wrote, and what is wrong with it by one fixed
sentence (Kafka 4.4's). Other people's errors quote values as they like, in any letter case: their texts pass through
`LookedUpValues.shown`, which puts the user's text in the value's place, and withholds the whole text if a part of the
value is left.
"""

from __future__ import annotations

import copy
import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

from penstock.errors import ConfigError, ConnectError, java_class_of

__all__ = ["LookedUpValues", "failed_lookup"]

#: Looked-up words that say nothing by themselves: hiding them would only spoil texts.
_HARMLESS: Final = frozenset({"true", "false", "none", "all", "null", "yes", "no", "latest", "earliest"})
#: A part of a value of this length gives the value away.
_TELLING: Final = 12
_WITHHELD: Final = "the message holds a value that a config provider looked up, and is not shown"


def failed_lookup(setting: str) -> str:
    """Return Kafka's sentence about a setting whose looked-up value is not valid (``AbstractHerder``, 4.4)."""
    return (
        f"Invalid value for configuration '{setting}': the value resolved from the config provider reference "
        "failed validation"
    )


class LookedUpValues:
    """The settings of one configuration that config providers changed. Immutable; safe from any thread.

    False if there are none; then every text is shown as it is.
    """

    def __init__(self, raw: Mapping[str, str | None], resolved: Mapping[str, str]) -> None:
        """`raw` is what the user wrote, `resolved` the same with the providers' values in place."""
        self._raw = {key: text for key, text in raw.items() if text is not None and resolved.get(key, text) != text}
        #: Pattern of one value → the text to show instead; longer values first, since one may hold another.
        self._patterns: list[tuple[re.Pattern[str], str]] = []
        self._fragments: set[str] = set()
        written = {text.casefold() for key, text in raw.items() if text is not None and key not in self._raw}
        #: Whole looked-up value → what the user wrote; without those that may be somebody else's by chance.
        self._written = {
            resolved[key]: text
            for key, text in self._raw.items()
            if len(resolved[key]) >= 4 and not resolved[key].isdigit() and resolved[key].casefold() not in written
        }
        found: dict[str, str] = {}
        for key, text in self._raw.items():
            for value in _values(text, resolved[key]):
                found.setdefault(value, text)
        for value in sorted(found, key=len, reverse=True):
            if _tells(value) and value.casefold() not in written:
                for spelling in {value, repr(value)[1:-1]}:
                    self._patterns.append((_pattern(spelling), found[value]))
                self._fragments |= _fragments(value)

    def __bool__(self) -> bool:
        return bool(self._raw)

    def __contains__(self, setting: object) -> bool:
        """Return whether a provider changed the value of `setting`."""
        return setting in self._raw

    def text_of(self, setting: str) -> str:
        """Return what the user wrote for a setting that a provider changed."""
        return self._raw[setting]

    def as_written(self, config: Mapping[str, str]) -> dict[str, str]:
        """Return `config`, which somebody made of the resolved one, with what the user wrote in place of looked-up values:
        resolving it gives `config` again. A value that is only part of another is not found."""
        return {key: self._raw.get(key, self._written.get(value, value)) for key, value in config.items()}

    def shown(self, text: str) -> str:
        """Return `text` with the user's own words in place of what was looked up."""
        if not self._raw:
            return text
        for pattern, raw in self._patterns:
            text = pattern.sub(raw.replace("\\", "\\\\"), text)
        return _WITHHELD if self._fragments and not self._fragments.isdisjoint(_fragments(text)) else text

    def hides(self, text: str) -> bool:
        """Return whether `text` may not be shown as it is."""
        return self.shown(text) != text

    def message(self, error: BaseException) -> str:
        """Return the message of `error`, fit to be shown."""
        if isinstance(error, ConfigError) and error.setting is not None and self._holds(error.value):
            return failed_lookup(self.shown(error.setting))
        return self.shown(str(error))

    def disclosed(self, error: BaseException) -> BaseException:
        """Return `error`, or one that stands for it where its message or that of a cause may not be shown.

        What stands for it has its class name, Java class and traceback.
        """
        return (self._stand_in(error, {}) or error) if self._raw else error

    @contextmanager
    def guard(self) -> Iterator[None]:
        """Raise what the block raises as `disclosed` has it."""
        try:
            yield
        except Exception as error:
            shown = self.disclosed(error)
            if shown is error:
                raise
            raise shown from shown.__cause__

    def _holds(self, value: object) -> bool:
        items = value if isinstance(value, list | tuple) else [value]
        return any(self.hides(str(item)) for item in items if item is not None)

    def _stand_in(self, error: BaseException, made: dict[int, BaseException | None]) -> BaseException | None:
        """Return what is shown for `error`; None for one that is met a second time in a circle of causes."""
        if id(error) in made:
            return made[id(error)]
        made[id(error)] = None
        cause = None if error.__cause__ is None else self._stand_in(error.__cause__, made)
        context = None if error.__context__ is None else self._stand_in(error.__context__, made)
        message, notes = self.message(error), [self.shown(note) for note in getattr(error, "__notes__", ())]
        if (
            message == str(error)
            and cause is error.__cause__
            and context is error.__context__
            and notes == list(getattr(error, "__notes__", ()))
        ):
            made[id(error)] = error
            return error
        shown = _like(error, message)
        shown.__cause__, shown.__context__ = cause, context
        shown.__suppress_context__ = error.__suppress_context__
        shown.__traceback__ = error.__traceback__
        if notes:
            shown.__notes__ = notes
        made[id(error)] = shown
        return shown


def _values(raw: str, resolved: str) -> Iterator[str]:
    """Yield every text in which a looked-up value may be met: itself, the items of a list, the part that the user's own
    words surround, user and password of a URL."""
    parts = [resolved]
    head, _, tail = raw.partition("${")[0], "", raw.rpartition("}")[2]
    if (head or tail) and resolved.startswith(head) and resolved.endswith(tail):
        parts.append(resolved[len(head) : len(resolved) - len(tail)])
    for part in list(parts):
        parts += re.split(r"[,\n]", part)
        for user_info in re.findall(r"://([^\s@]{1,2000})@", part):
            parts += user_info.split(":", 1)
    for part in parts:
        yield from {part, part.strip()}


def _tells(value: str) -> bool:
    """Return whether `value` is worth hiding: single characters and small numbers stand in every other text."""
    return len(value) > 1 and value.casefold() not in _HARMLESS and not (len(value) < 4 and value.isdigit())


def _pattern(value: str) -> re.Pattern[str]:
    """Return a pattern for `value` in any letter case; for a short one as a word of its own, since others may contain it."""
    escaped = re.escape(value)
    return re.compile(rf"(?<!\w){escaped}(?!\w)" if len(value) < 4 else escaped, re.IGNORECASE)


def _fragments(text: str) -> set[str]:
    folded = text.casefold()
    return {folded[i : i + _TELLING] for i in range(len(folded) - _TELLING + 1)}


def _like(error: BaseException, message: str) -> BaseException:
    """Return an error of the same kind with another message; a class of the same name stands for a stranger's."""
    if isinstance(error, ConnectError):
        try:
            twin = copy.copy(error)
        except Exception:  # a subclass with arguments of its own
            return _named(error, message)
        twin.args = (message,)
        if isinstance(twin, ConfigError):
            twin.value = None
        if str(twin) == message:
            return twin
    return _named(error, message)


def _named(error: BaseException, message: str) -> BaseException:
    kind = type(error)
    names = {"java_class": java_class_of(error), "__module__": kind.__module__, "__qualname__": kind.__qualname__}
    made: BaseException = type(kind.__name__, (ConnectError,), names)(message)
    return made
