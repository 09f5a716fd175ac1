"""Which source offsets may be committed.

Two ways (docs/decisions has the reason). Both keep the rule that nothing before a committed offset is unacknowledged.

* `Snapshot`: the newest offset of each source partition whose records `produce()` took. Committable once the
  producer's queue has been flushed to zero while production was gated. No callback per record.
* `Ledger`: a queue per source partition, as ``SubmittedRecords`` of the JVM worker: acknowledgements may come in any
  order, and an offset becomes committable when everything before it in its queue is acknowledged.
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Mapping
from typing import Any

from penstock.storage.offsets import partition_key

__all__ = ["Entry", "Ledger", "Snapshot"]

Partition = Mapping[str, Any]
Offset = Mapping[str, Any]


class Snapshot:
    """The newest offset per source partition. For use under the task's production gate."""

    def __init__(self) -> None:
        self._offsets: dict[str, tuple[Partition, Offset]] = {}

    def put(self, partition: Partition, offset: Offset) -> None:
        self._offsets[partition_key(partition)] = (partition, offset)

    def pending(self) -> list[tuple[Partition, Offset]]:
        return list(self._offsets.values())

    def committed(self) -> None:
        """What `pending` gave is stored: forget it. Nothing may have been put in between (the gate sees to that)."""
        self._offsets.clear()

    def __bool__(self) -> bool:
        return bool(self._offsets)


class Entry:
    """One submitted record's place in the ledger."""

    __slots__ = ("acked", "offset")

    def __init__(self, offset: Offset) -> None:
        self.offset = offset
        self.acked = False


class Ledger:
    """Submitted records, in order per source partition. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[str, tuple[Partition, deque[Entry]]] = {}

    def submit(self, partition: Partition, offset: Offset) -> Entry:
        entry = Entry(offset)
        key = partition_key(partition)
        with self._lock:
            known = self._queues.get(key)
            if known is None:
                known = self._queues[key] = (partition, deque())
            known[1].append(entry)
        return entry

    def ack(self, entry: Entry) -> None:
        """The record was acknowledged by Kafka, or dropped on purpose."""
        entry.acked = True

    def withdraw(self, partition: Partition, entry: Entry) -> None:
        """The newest entry of its partition was never handed to the producer: as if not submitted."""
        with self._lock:
            queue = self._queues[partition_key(partition)][1]
            if queue and queue[-1] is entry:
                queue.pop()

    def committable(self) -> list[tuple[Partition, Offset]]:
        """Take what may be committed: per partition the newest offset of its acknowledged front. Empty queues go,
        so that a million partitions do not leak."""
        ready: list[tuple[Partition, Offset]] = []
        with self._lock:
            for key, (partition, queue) in list(self._queues.items()):
                newest: Entry | None = None
                while queue and queue[0].acked:
                    newest = queue.popleft()
                if newest is not None:
                    ready.append((partition, newest.offset))
                if not queue:
                    del self._queues[key]
        return ready

    def unacknowledged(self) -> int:
        with self._lock:
            return sum(len(queue) for _, queue in self._queues.values())
