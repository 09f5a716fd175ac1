"""Names of tables, descriptions of columns, and the quoting of identifiers."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import NamedTuple

from penstock.errors import ConnectError

__all__ = ["Column", "Quoting", "TableId", "split_identifier", "split_list"]


class TableId(NamedTuple):
    """A table; `catalog` and `schema` are None where the database has none, or where the name leaves them open."""

    catalog: str | None
    schema: str | None
    name: str

    @property
    def parts(self) -> tuple[str, ...]:
        """Return the parts that are there, outermost first."""
        return tuple(part for part in self if part)

    @property
    def fqn(self) -> str:
        """Return the name with its parts joined by dots, without quotes: ``public.orders``."""
        return ".".join(self.parts)

    def __str__(self) -> str:
        """Return the name as the connectors' messages have it, in double quotes whatever the database's own are."""
        return ".".join(f'"{part}"' for part in self.parts)


@dataclass(frozen=True, slots=True)
class Column:
    """A column of a table, as the database's catalog has it."""

    name: str
    #: The type as the database writes it: ``character varying(20)``, ``INTEGER``.
    type_name: str
    #: None if the database does not say.
    nullable: bool | None
    #: The place in the primary key, from 1; 0 for other columns.
    primary_key: int = 0
    auto_increment: bool = False
    #: The default's SQL text, None without one.
    default: str | None = None


class Quoting:
    """Quotes identifiers as ``quote.sql.identifiers`` asks: always, or never."""

    def __init__(self, start: str, end: str | None = None, always: bool = True) -> None:
        self.start, self.end, self.always = start, end or start, always

    def identifier(self, name: str) -> str:
        """Return `name` quoted, a closing quote in it doubled; as it is with ``never``."""
        return self.quoted(name) if self.always else name

    def quoted(self, name: str) -> str:
        """Return `name` quoted whatever the setting says."""
        return self.start + name.replace(self.end, self.end * 2) + self.end

    def table(self, table: TableId) -> str:
        """Return the table's name with every part quoted by the setting: ``"public"."orders"``."""
        return ".".join(map(self.identifier, table.parts))

    def identifiers(self, names: Iterable[str]) -> str:
        """Return the names quoted by the setting, separated by commas."""
        return ",".join(map(self.identifier, names))


def split_identifier(text: str, start: str = '"', end: str | None = None) -> list[str]:
    """Return the parts of a dotted name; a quoted part may hold dots and doubled quotes. Raise `ConnectError` if a quote
    is not closed or the name ends in a dot."""
    end = end or start
    parts, rest = [], text
    while True:
        if rest.startswith(start):
            part, rest = _quoted_part(text, rest[len(start) :], end)
        else:
            part, dot, tail = rest.partition(".")
            rest = dot + tail
        parts.append(part)
        if not rest:
            return parts
        rest = rest.removeprefix(".")
        if not rest:
            raise ConnectError(f"Failure parsing fully qualified identifier; ends in delimiter {text}")


def _quoted_part(text: str, rest: str, end: str) -> tuple[str, str]:
    part = ""
    while True:
        before, found, rest = rest.partition(end)
        if not found:
            raise ConnectError(f"Failure parsing fully qualified identifier; missing trailing quote in {text}")
        part += before
        if not rest.startswith(end):
            return part, rest
        part, rest = part + end, rest[len(end) :]


def split_list(text: str, start: str = '"', end: str | None = None) -> list[str]:
    """Return the names between the commas of `text`; a comma between quotes belongs to its name."""
    end = end or start
    names, begin, place = [], 0, 0
    open_quotes = False  # from an open quote on there is no closed one
    while place < len(text):
        if text[place] == ",":
            names.append(text[begin:place])
            begin = place + 1
        elif not open_quotes and text.startswith(start, place):
            closed = _after_quotes(text, place + len(start), end)
            open_quotes = closed is None
            place = (closed or place + 1) - 1
        place += 1
    names.append(text[begin:])
    return [name.strip() for name in names if name.strip()]


def _after_quotes(text: str, place: int, end: str) -> int | None:
    """Return the place behind the quote that closes a name whose text begins at `place`; None if none does.

    If only doubled quotes follow, the first half of the last one closes the name.
    """
    closed: int | None = None
    while (found := text.find(end, place)) >= 0:
        closed = found + len(end)
        if not text.startswith(end, closed):
            return closed
        place = closed + len(end)
    return closed
