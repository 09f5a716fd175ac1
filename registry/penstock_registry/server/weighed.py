"""A cache of bounded size and weight, least recently used out first."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Hashable
from typing import Generic, TypeVar

__all__ = ["WeighedCache"]

K = TypeVar("K", bound=Hashable)
V = TypeVar("V")


class WeighedCache(Generic[K, V]):
    """Thread-safe. At most `count` entries, of at most `weight` together; what weighs more than a tenth of that by
    itself is not kept."""

    def __init__(self, count: int, weight: int) -> None:
        self._count = count
        self._max_weight = weight
        self._lock = threading.Lock()
        self._entries: OrderedDict[K, tuple[V, int]] = OrderedDict()
        self._weight = 0

    def get(self, key: K) -> V | None:
        with self._lock:
            found = self._entries.get(key)
            if found is None:
                return None
            self._entries.move_to_end(key)
            return found[0]

    def put(self, key: K, value: V, weight: int) -> None:
        if weight * 10 > self._max_weight:
            return
        with self._lock:
            self._drop(key)
            self._entries[key] = value, weight
            self._weight += weight
            while len(self._entries) > self._count or self._weight > self._max_weight:
                self._weight -= self._entries.popitem(last=False)[1][1]

    def drop(self, key: K) -> None:
        with self._lock:
            self._drop(key)

    def _drop(self, key: K) -> None:
        old = self._entries.pop(key, None)
        if old is not None:
            self._weight -= old[1]

    def __len__(self) -> int:
        with self._lock:
            return len(self._entries)
