"""The number of entries in a listing: by default, and at most."""

from __future__ import annotations

from typing import NamedTuple

__all__ = ["Limit", "Limits"]


class Limit(NamedTuple):
    default: int
    most: int


class Limits(NamedTuple):
    """Confluent's numbers."""

    schemas: Limit = Limit(1000, 1000)
    subjects: Limit = Limit(20000, 20000)
    versions: Limit = Limit(20000, 20000)
    contexts: Limit = Limit(20000, 20000)
