"""The callbacks that records of a run are handed over with (`penstock.kafka.producing.Ticket`)."""

from __future__ import annotations

import threading
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import Any, TypeAlias

from penstock.kafka.errors import KafkaError
from penstock.kafka.producing import Delivered, Outgoing, ProducedMessage, Ticket
from penstock.runtime.meters import TaskMeter
from penstock.runtime.source.delivery import Run
from penstock.runtime.source.ledger import Ledger, RunEntry

__all__ = ["NotWritten", "OpenRun", "RunTicket", "TopicProofs"]


NotWritten: TypeAlias = Callable[["RunTicket", KafkaError, Any], None]


class RunTicket(Ticket):
    """The callback of a run's records: called for those that could not be written."""

    __slots__ = ("_told", "entry", "kept", "partition")

    def __init__(self, told: NotWritten, partition: Mapping[str, Any]) -> None:
        self._told, self.partition = told, partition
        #: The run's records that have headers (`Run.kept`).
        self.kept: list[Outgoing] = []
        self.entry = RunEntry(self)

    def __call__(self, error: KafkaError | None, message: ProducedMessage) -> None:
        if error is not None:
            self._told(self, error, message)

    def headers_of(self, message: ProducedMessage) -> Sequence[tuple[str, Any]] | None:
        """Return the headers that a reported record was sent with: the client reports it without them. Records with
        the same topic, key and value are taken in order."""
        topic, value, key = message.topic(), message.value(), message.key()
        for place, out in enumerate(self.kept):
            if out[0] == topic and (out[1] or b"") == (value or b"") and (out[2] or b"") == (key or b""):
                del self.kept[place]
                return out[5]
        return None


class OpenRun(Run):
    """A run while records are added. It holds no ticket itself: `ticket` makes it, and whoever has it keeps it."""

    __slots__ = ("_entry", "_first", "_ledger", "_partition", "kept")

    def __init__(self, told: NotWritten, ledger: Ledger, partition: Mapping[str, Any]) -> None:
        self._ledger, self._partition = ledger, partition
        self._first: RunTicket | None = RunTicket(told, partition)
        self._entry, self.kept = self._first.entry, self._first.kept
        ledger.add(partition, self._entry)

    def ticket(self) -> Delivered:
        ticket, self._first = self._first, None
        assert ticket is not None
        return ticket

    def close(self, offset: Mapping[str, Any] | None) -> None:
        self._first = None
        if offset is None:
            self._ledger.withdraw(self._partition, self._entry)
        else:
            self._entry.offset = offset


class _Proof:
    """The proof that the first record of a topic was written, or that it was refused."""

    __slots__ = ("refused", "ticket", "topic")

    def __init__(self, topic: str) -> None:
        self.topic = topic
        self.refused = False
        self.ticket: Callable[[], Any] = lambda: None


class _ProofTicket(Ticket):
    __slots__ = ("_inner", "_proof")

    def __init__(self, proof: _Proof, inner: Delivered) -> None:
        self._proof, self._inner = proof, inner

    def __call__(self, error: KafkaError | None, message: ProducedMessage) -> None:
        if error is not None:
            self._proof.refused = True
        self._inner(error, message)


class TopicProofs:
    """Tells of a topic once Kafka has acknowledged a record of it (``SourceTask``'s active topics, KIP-558)."""

    def __init__(self, meter: TaskMeter, unproven: set[str]) -> None:
        self._meter, self._unproven = meter, unproven
        self._lock = threading.Lock()
        self._open: list[_Proof] = []

    def ticket(self, topic: str, inner: Delivered) -> Ticket:
        proof = _Proof(topic)
        ticket = _ProofTicket(proof, inner)
        proof.ticket = weakref.ref(ticket)
        with self._lock:
            self._unproven.discard(topic)
            self._open.append(proof)
        return ticket

    def check(self) -> None:
        """Tell of what was acknowledged since; a topic whose record was refused stays unproven."""
        if not self._open:
            return
        with self._lock:
            ended = [proof for proof in self._open if proof.ticket() is None]
            self._open = [proof for proof in self._open if proof not in ended]
            self._unproven.update(proof.topic for proof in ended if proof.refused)
        for proof in ended:
            if not proof.refused:
                self._meter.use_topic(proof.topic)
