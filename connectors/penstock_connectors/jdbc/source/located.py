"""Errors of values that tell their column: the column is looked for once a batch has failed, so that nothing is paid before."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any, Final

from penstock.data import SourceRecord
from penstock.errors import ConnectError, DataError

__all__ = ["Records", "located"]

Rows = Sequence[tuple[Any, ...]]
#: Makes records of rows, and of their offsets if they do not follow from the rows.
Records = Callable[[Rows, Sequence[Any] | None], list[SourceRecord]]
#: The errors of conversions; the others than `ConnectError` come from Python's own types.
_UNREADABLE: Final = (ConnectError, TypeError, ValueError, ArithmeticError)


def located(records: Records, columns: Sequence[tuple[int, str, Callable[[Any], Any] | None]], subject: str) -> Records:
    """Return a function that does what `records` does, and whose errors name the column and `subject`, the table or query.

    `columns` are the place in a row, the name and the converter of each column.
    """

    def guarded(rows: Rows, offsets: Sequence[Any] | None) -> list[SourceRecord]:
        try:
            return records(rows, offsets)
        except _UNREADABLE as error:
            found = next((name for place, name, convert in columns if _fails(rows, place, convert)), None)
            text = error.message if isinstance(error, ConnectError) else str(error)
            where = subject if found is None else f"{subject}, column {found}"
            kind = type(error) if isinstance(error, ConnectError) else DataError
            raise kind(f"{where}: {text}") from error

    return guarded


def _fails(rows: Rows, place: int, convert: Callable[[Any], Any] | None) -> bool:
    if convert is None:
        return False
    try:
        for row in rows:
            if row[place] is not None:
                convert(row[place])
    except _UNREADABLE:
        return True
    return False
