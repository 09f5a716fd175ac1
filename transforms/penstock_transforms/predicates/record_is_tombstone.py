"""``RecordIsTombstone``: is the value null?"""

from __future__ import annotations

from typing import Any

from penstock import KAFKA_VERSION
from penstock.api import Predicate

__all__ = ["RecordIsTombstone"]


class RecordIsTombstone(Predicate):
    """True where the value is null, with or without a schema."""

    version = KAFKA_VERSION

    def test(self, record: Any) -> bool:
        return record.value is None
