"""Fields' names in errors, gathered from the inside out."""

from __future__ import annotations

from typing import Final

from penstock.errors import DataError

__all__ = ["Misfit", "add_field", "names_a_field"]

_FIELD: Final = "Field: "


class Misfit(DataError):
    """Data that is no value of its schema, in penstock's own words: the message itself names the field.

    Where the words are Kafka's or Confluent's the message stays as users know it, and a note names the field.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self._reason = reason
        self.path = ""

    def inside(self, name: str) -> None:
        """Put `name` before the path so far: ``outer.inner``, ``list[3]``."""
        self.path = _joined(name, self.path)
        self.args = (f"{self._reason} (field {self.path})",)


def names_a_field(error: BaseException) -> bool:
    if isinstance(error, Misfit):
        return bool(error.path)
    return any(note.startswith(_FIELD) for note in getattr(error, "__notes__", ()))


def add_field(error: BaseException, name: str) -> None:
    """Put `name` before the path that the error has so far: ``Field: outer.inner`` in a note, or in a `Misfit`."""
    if isinstance(error, Misfit):
        error.inside(name)
        return
    notes: list[str] = getattr(error, "__notes__", [])
    if notes and notes[-1].startswith(_FIELD):
        notes[-1] = f"{_FIELD}{_joined(name, notes[-1].removeprefix(_FIELD))}"
    else:
        error.add_note(f"{_FIELD}{name}")


def _joined(name: str, rest: str) -> str:
    return f"{name}{'' if rest[:1] in ('', '[') else '.'}{rest}"
