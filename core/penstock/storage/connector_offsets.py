"""Offsets of a connector with a topic of its own, beside the worker's (``ConnectorOffsetBackingStore``, KIP-618)."""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Any, Final

from penstock.errors import ConnectError
from penstock.storage.offsets import Offsets, OffsetStore, partition_key

__all__ = ["ConnectorOffsetStore"]

_log: Final = logging.getLogger(__name__)


class ConnectorOffsetStore(OffsetStore):
    """Reads the connector's own store first and the worker's for what is not there: a connector that is given a topic of
    its own goes on where it stood. Writes go to its own and are copied to the worker's, so that the way back is open.

    Both stores are started and stopped by whoever owns them.
    """

    def __init__(self, own: OffsetStore, worker: OffsetStore) -> None:
        self._own, self._worker = own, worker

    def write(self, connector: str, offsets: Offsets) -> None:
        """Write as safely as the connector's own store does; a copy that fails is logged, unless it forgets an offset."""
        forgotten = [(partition, offset) for partition, offset in offsets if offset is None]
        if forgotten:
            # This comes first, or a failure in between would leave an offset in the worker's store that comes back to life.
            self._worker.write(connector, forgotten)
        self._own.write(connector, offsets)
        self.copy(connector, [(partition, offset) for partition, offset in offsets if offset is not None])

    def copy(self, connector: str, offsets: Offsets) -> None:
        """Copy into the worker's store, at best effort: for offsets that a transaction has put into the connector's own."""
        if not offsets:
            return
        try:
            self._worker.write(connector, offsets)
        except ConnectError as error:
            _log.warning("Offsets of %s are safe, but were not copied to the worker's topic: %s", connector, error)

    def read(self, connector: str, partitions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any] | None]:
        found = self._own.read(connector, partitions)
        missing = [partition for partition, offset in zip(partitions, found, strict=True) if offset is None]
        if not missing:
            return found
        rest = iter(self._worker.read(connector, missing))
        return [next(rest) if offset is None else offset for offset in found]

    def all(self, connector: str) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        merged = {partition_key(partition): (partition, offset) for partition, offset in self._worker.all(connector)}
        merged.update((partition_key(partition), (partition, offset)) for partition, offset in self._own.all(connector))
        return list(merged.values())
