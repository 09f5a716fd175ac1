"""JSON that does not fit its schema, and that Kafka's converter reads as another value: refused, or read as Kafka does."""

from __future__ import annotations

import logging
import math
import threading
from collections.abc import Callable
from decimal import Decimal
from typing import Any, Final

from penstock.data import Schema, Type
from penstock.java.numbers import decimal_to_long, wrap
from penstock_converters.blame import Misfit
from penstock_converters.json.scalars import DATES, Reader
from penstock_converters.json.text import node_type

__all__ = ["OnMisfit", "ReadLikeKafka", "refuse"]

_log = logging.getLogger(__name__)
#: Takes the error, the schema, the JSON and the place of the value; returns the value that is read, or raises the error.
OnMisfit = Callable[[Misfit, Schema, Any, str], Any]
_MAX_TOLD: Final = 1000


def refuse(misfit: Misfit, schema: Schema, tree: Any, place: str) -> Any:
    """Raise `misfit`."""
    raise misfit


class ReadLikeKafka:
    """Reads what Kafka's converter reads, and warns of the first such value at each place. For any thread."""

    def __init__(self) -> None:
        self._told: set[tuple[str, Type]] = set()
        self._lock = threading.Lock()

    def __call__(self, misfit: Misfit, schema: Schema, tree: Any, place: str) -> Any:
        value = _like_kafka(misfit, schema, tree, place)
        self._warn(schema, tree, place)
        return value

    def _warn(self, schema: Schema, tree: Any, place: str) -> None:
        told = place, schema.type
        with self._lock:
            if told in self._told or len(self._told) >= _MAX_TOLD:
                return
            self._told.add(told)
        _log.warning(
            "JsonConverter reads a %s that does not fit %s as another value, as Kafka's converter does (%s). "
            "lossy.reads=fail makes such a value an error. This place is told once.",
            node_type(tree), schema.type.name, f"field {place}" if place else "the payload",
        )  # fmt: skip


def _like_kafka(misfit: Misfit, schema: Schema, tree: Any, place: str) -> Any:
    date: Reader | None = DATES.get(schema.name)
    match schema.type:
        case Type.INT8 | Type.INT16 | Type.INT32 | Type.INT64:
            number = _whole(tree, int(schema.type.name[3:]))
            return number if date is None else date(number)
        case Type.FLOAT32 | Type.FLOAT64:
            is_number = isinstance(tree, int | float | Decimal) and not isinstance(tree, bool)
            return math.copysign(math.inf, 1 if tree > 0 else -1) if is_number else 0.0
        case Type.BOOLEAN:
            return False
        case Type.STRING | Type.BYTES if schema.optional or not place:
            return None
        case Type.ARRAY:
            return list(tree.values()) if isinstance(tree, dict) else []
    raise misfit  # Kafka refuses a null in a required field, too


def _whole(tree: Any, bits: int) -> int:
    if isinstance(tree, Decimal):
        return wrap(decimal_to_long(tree), bits)
    return wrap(tree, bits) if type(tree) is int else 0
