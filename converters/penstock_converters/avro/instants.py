"""Avro's longs that are points in time: ``timestamp-millis``, and with ``timestamp.precision`` the finer ones."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from penstock.errors import DataError
from penstock_converters.precision import Precision
from penstock_registry.formats.avro.model import AvroSchema

__all__ = ["TIMESTAMP_WORDS", "instants", "precision_of"]

#: The logical types of Avro 1.12.
TIMESTAMP_WORDS: Final = {
    Precision.MILLISECONDS: "timestamp-millis",
    Precision.MICROSECONDS: "timestamp-micros",
    Precision.NANOSECONDS: "timestamp-nanos",
}
_BY_WORD: Final = {word: precision for precision, word in TIMESTAMP_WORDS.items()}


def precision_of(avro: AvroSchema, asked: Precision) -> Precision | None:
    """Return what the number counts if `avro` is a long that stands for a Timestamp, else None.

    ``timestamp-micros`` and ``timestamp-nanos`` are Timestamps, both of them, only where a finer precision than
    Connect's is `asked` for; Confluent's converter takes them for plain numbers.
    """
    word = avro.props.get("logicalType")
    if avro.type != "long" or not isinstance(word, str):
        return None
    found = _BY_WORD.get(word.lower())
    return found if asked.is_finer or found is Precision.MILLISECONDS else None


def instants(precision: Precision, field: str) -> Callable[[int], Any]:
    """Return a function from a number to its datetime. Its `DataError` names the `field`."""
    instant = precision.instant

    def read(number: int) -> Any:
        try:
            return instant(number)
        except DataError as error:
            if field:
                error.add_note(f"Field: {field}")
            raise

    return read
