"""A log in memory: gone with the process. For development, tests and throw-away registries."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence

from penstock.errors import WorkerError
from penstock_registry.store.interface import Apply, RegistryStore, StoreRecord
from penstock_registry.store.records import Key, Value

__all__ = ["MemoryStore"]


def _now_ms() -> int:
    return time.time_ns() // 1_000_000


class MemoryStore(RegistryStore):
    """Applies records as they come and keeps none: the registry's own state is all there is to keep.

    `keep` gives a list that every record is added to, for tests and for copying a registry. `records` is what the
    log holds to begin with.
    """

    def __init__(
        self,
        records: Sequence[StoreRecord] = (),
        *,
        keep: list[StoreRecord] | None = None,
        now_ms: Callable[[], int] = _now_ms,
    ) -> None:
        self._initial = tuple(records)
        self._keep = keep
        self._now_ms = now_ms
        self._apply: Apply | None = None

    def start(self, apply: Apply) -> None:
        self._apply = apply
        if self._initial:
            apply(self._initial)
        self._initial = ()

    def append(self, records: Sequence[tuple[Key, Value | None]]) -> None:
        if self._apply is None:
            raise WorkerError("The registry's memory store is not started, or was closed: start the registry first.")
        now = self._now_ms()
        batch = [StoreRecord(key, value, now) for key, value in records]
        if self._keep is not None:
            self._keep.extend(batch)
        self._apply(batch)

    def close(self) -> None:
        self._apply = None
