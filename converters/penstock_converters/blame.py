"""Fields' names in errors: a note that gathers them from the inside out."""

from __future__ import annotations

from typing import Final

__all__ = ["add_field", "names_a_field"]

_FIELD: Final = "Field: "


def names_a_field(error: BaseException) -> bool:
    return any(note.startswith(_FIELD) for note in getattr(error, "__notes__", ()))


def add_field(error: BaseException, name: str) -> None:
    """Put `name` before the path that the error's note has so far: ``Field: outer.inner``."""
    notes: list[str] = getattr(error, "__notes__", [])
    if notes and notes[-1].startswith(_FIELD):
        rest = notes[-1].removeprefix(_FIELD)
        notes[-1] = f"{_FIELD}{name}{'' if rest[:1] == '[' else '.'}{rest}"
    else:
        error.add_note(f"{_FIELD}{name}")
