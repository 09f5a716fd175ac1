"""``Filter``: drops every record it sees. Of use with a predicate."""

from __future__ import annotations

from typing import Any

from penstock import KAFKA_VERSION
from penstock.api import BoundTransform, Shape, Transform

__all__ = ["Filter"]


def _drop(record: Any) -> None:
    return None


class Filter(Transform):
    """Drops every record."""

    version = KAFKA_VERSION

    def bind(self, shape: Shape) -> BoundTransform:
        return BoundTransform(_drop, shape)
