"""The ledger of source offsets: an offset may be committed once nothing before it is unacknowledged.

A queue per source partition, as ``SubmittedRecords`` of the JVM worker: acknowledgements may come in any order, and an
offset becomes committable when everything before it in its queue is acknowledged. An entry is one record (`Entry`), or
many that were handed over one after the other (`RunEntry`), which costs nothing per record.
"""

from __future__ import annotations

import threading
import weakref
from collections import deque
from collections.abc import Mapping
from typing import Any, NamedTuple, TypeAlias

from penstock.kafka.producing import Ticket
from penstock.storage.offsets import partition_key

__all__ = ["Entry", "Ledger", "RunEntry", "Waiting"]

Partition: TypeAlias = Mapping[str, Any]
Offset: TypeAlias = Mapping[str, Any]


class Entry:
    """One submitted record's place in the ledger."""

    __slots__ = ("acked", "offset")

    def __init__(self, offset: Offset) -> None:
        self.offset = offset
        self.acked = False


class RunEntry:
    """The place of a run of records. It is acknowledged once `close` was called and its ticket has ended, which is when
    the client has let go of every record (see `penstock.kafka.producing.Ticket`)."""

    __slots__ = ("_ticket", "offset", "refused")

    def __init__(self, ticket: Ticket) -> None:
        #: The source offset of the last record; None while records are being handed over.
        self.offset: Offset | None = None
        #: Set by the ticket if a record of the run was not written: then the run is never acknowledged.
        self.refused = False
        self._ticket = weakref.ref(ticket)

    @property
    def acked(self) -> bool:
        return self._ticket() is None and self.offset is not None and not self.refused


class Waiting(NamedTuple):
    """The unacknowledged records of the source partitions whose oldest entry has waited for long."""

    partitions: int
    #: How long the oldest has waited, in seconds.
    seconds: float


class Ledger:
    """Submitted records, in order per source partition. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._queues: dict[str, tuple[Partition, deque[Entry | RunEntry]]] = {}
        #: The oldest entry of a queue that waits, and since when it is known to wait.
        self._fronts: dict[str, tuple[Entry | RunEntry, float]] = {}

    def submit(self, partition: Partition, offset: Offset) -> Entry:
        entry = Entry(offset)
        self.add(partition, entry)
        return entry

    def add(self, partition: Partition, entry: Entry | RunEntry) -> None:
        key = partition_key(partition)
        with self._lock:
            known = self._queues.get(key)
            if known is None:
                known = self._queues[key] = (partition, deque())
            known[1].append(entry)

    def ack(self, entry: Entry) -> None:
        """Note that Kafka has the record, or that it was dropped on purpose."""
        entry.acked = True

    def withdraw(self, partition: Partition, entry: Entry | RunEntry) -> None:
        """Forget the newest entry of its partition, of which nothing was handed to the producer."""
        with self._lock:
            queue = self._queues[partition_key(partition)][1]
            if queue and queue[-1] is entry:
                queue.pop()

    def committable(self) -> list[tuple[Partition, Offset]]:
        """Take what may be committed: per partition the newest offset of its acknowledged front. Empty queues go,
        so that a million partitions do not leak."""
        ready: list[tuple[Partition, Offset]] = []  # Delivery 1.
        with self._lock:
            for key, (partition, queue) in list(self._queues.items()):
                newest: Entry | RunEntry | None = None
                while queue and queue[0].acked:
                    newest = queue.popleft()
                if newest is not None and newest.offset is not None:
                    ready.append((partition, newest.offset))
                if not queue:
                    del self._queues[key]
        return ready

    def waiting(self, now: float, patience: float) -> Waiting | None:
        """Return what has been unacknowledged for `patience` seconds; None if nothing has. Notes what is the oldest of
        each partition, so the first call knows of no time that has passed."""
        with self._lock:
            self._fronts = {
                key: known if (known := self._fronts.get(key)) and known[0] is queue[0] else (queue[0], now)
                for key, (_, queue) in self._queues.items()
                if queue
            }
            late = [now - since for _, since in self._fronts.values() if now - since >= patience]
        return Waiting(len(late), max(late)) if late else None

    def unacknowledged(self) -> int:
        """Return how many entries are open."""
        with self._lock:
            return sum(len(queue) for _, queue in self._queues.values())
