"""Says which field an error is about.

Kafka's messages often name none, and they stay as they are, since people search for them: the place is added as a note
to the error (`BaseException.add_note`), put together on the way out: ``at value.customer.phone``. Nothing here runs
unless something went wrong.
"""

from __future__ import annotations

import struct
from typing import Final

from penstock.errors import ConnectError, DataError

__all__ = ["MISFITS", "at_field", "blame_part", "with_notes_of"]

#: The errors that Python raises for a value that is not what its schema says.
MISFITS: Final = (TypeError, AttributeError, ValueError, ArithmeticError, LookupError, struct.error)
_AT: Final = "at "


def at_field(error: BaseException, name: str) -> None:
    """`error` came out of the field `name`; called from the inside out, so that a path comes about."""
    notes: list[str] = getattr(error, "__notes__", [])
    for index, note in enumerate(notes):
        if note.startswith(_AT):
            notes[index] = f"{_AT}{name}.{note.removeprefix(_AT)}"
            return
    error.add_note(_AT + name)


def blame_part(error: Exception, part: str) -> Exception:
    """Return the error to raise for one that came out of a record's `part`: itself, or a `DataError` for a misfit."""
    at_field(error, part)
    if isinstance(error, ConnectError) or not isinstance(error, MISFITS):
        return error
    place = next(n.removeprefix(_AT) for n in error.__notes__ if n.startswith(_AT))
    told = DataError(f"What {place} holds is not what its schema says: {type(error).__name__}: {error}")
    told.__cause__ = error
    return told


def with_notes_of(new: ConnectError, old: ConnectError) -> ConnectError:
    for note in getattr(old, "__notes__", []):
        new.add_note(note)
    return new
