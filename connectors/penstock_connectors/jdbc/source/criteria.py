"""The WHERE and ORDER BY that the modes add to a query (``TimestampIncrementingCriteria``)."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from penstock_connectors.jdbc.dialects.dialect import PARAMETER
from penstock_connectors.jdbc.tables import Quoting

__all__ = ["Criteria", "criteria_for"]


@dataclass(frozen=True)
class Criteria:
    """A text to append to a query, and the names of the values that its parameters take in order.

    The names are ``id`` and ``begin`` (the last row's id and time), ``end`` (the time to stop at) and ``top`` (the id to
    stop at).
    """

    text: str
    values: tuple[str, ...]


def criteria_for(
    quoting: Quoting, incrementing: str | None, timestamps: Sequence[str], with_top: bool = False
) -> Criteria:
    """Return the criteria for these columns; `with_top` adds an upper bound of ids, which it then takes last."""
    number = None if incrementing is None else quoting.identifier(incrementing)
    time = quoting.identifiers(timestamps)
    if len(timestamps) > 1:
        time = f"COALESCE({time})"
    p = PARAMETER
    if number is None and not timestamps:
        return Criteria("", ())
    if number is None:
        return Criteria(f" WHERE {time} > {p} AND {time} < {p} ORDER BY {time} ASC", ("begin", "end"))
    if not timestamps:
        top = f" AND {number} <= {p}" if with_top else ""
        return Criteria(f" WHERE {number} > {p}{top} ORDER BY {number} ASC", ("id", "top") if with_top else ("id",))
    return Criteria(
        f" WHERE {time} < {p} AND (({time} = {p} AND {number} > {p}) OR {time} > {p}) ORDER BY {time},{number} ASC",
        ("end", "begin", "id", "begin"),
    )
