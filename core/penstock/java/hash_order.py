"""The order in which a ``java.util.HashMap`` gives its entries.

Avro's and Confluent's JSON Schema code keep maps in one. Bytes decide a key's partition and what compaction takes for
the same key, and a schema's text under which id it stands, so maps must come out in the same order here. Connect's own
code goes through settings and assignments in this order, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import lru_cache
from typing import TypeVar

__all__ = ["in_java_order", "keys_in_java_order", "spread_hash"]

T = TypeVar("T")


@lru_cache(maxsize=4096)
def spread_hash(text: str) -> int:
    """``String.hashCode`` over UTF-16 units, spread as ``HashMap`` does."""
    number = 0
    units = text.encode("utf-16-le", "surrogatepass")
    for low, high in zip(units[::2], units[1::2], strict=True):
        number = (31 * number + (high << 8 | low)) & 0xFFFFFFFF
    return number ^ (number >> 16)


def in_java_order(values: dict[str, T]) -> Iterable[tuple[str, T]]:
    """The items as a ``HashMap`` filled in this order would give them."""
    return [(key, values[key]) for key in keys_in_java_order(tuple(values))]


def keys_in_java_order(keys: tuple[str, ...]) -> Iterable[str]:
    """Return the keys as a ``HashMap`` filled in this order would give them."""
    count = len(keys)
    if count < 2:
        return keys
    capacity = 16
    while count > capacity * 3 // 4:
        capacity *= 2
    mask = capacity - 1
    # A bucket keeps the order of insertion, and so does a stable sort.
    return sorted(keys, key=lambda key: spread_hash(key) & mask)
