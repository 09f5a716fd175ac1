"""The delivery of a source task's records and offsets to Kafka: the part that all ways of delivering share.

The task polls, transforms and converts (`penstock.runtime.source.sending`). A `Delivery` takes what comes out, and
decides which source offsets are safe to commit and when. `penstock.runtime.source.at_least_once` and `penstock.runtime.source.exactly_once` (KIP-618) are the two ways:

====================  ============================================  =================================================
hook                  at least once                                 in transactions
====================  ============================================  =================================================
`open`                nothing                                       claim the transactional id; fence older instances
`cut`                 long batches into pieces                      after the records at which the connector commits
                                                                    or aborts (``transaction.boundary=connector``)
`begin`               make the producer                             begin a transaction unless one is open
`run`, `send`         into the ledger                               note the offset for the transaction; refuse records
                                                                    for the task's own offsets topic
`drop`                done in its place                             note the offset; nothing is sent
`dispatched`          nothing                                       commit if the boundary says so: each poll, the
                                                                    interval, or as the connector asked; or abort
`commit`              store what is acknowledged                    nothing, unless final: commit what is open
`abort`               nothing: what was acknowledged stays          abort the open transaction
`paused`              nothing                                       commit what is open, unless the connector decides
====================  ============================================  =================================================
"""

from __future__ import annotations

import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Protocol

from penstock.data import SourceRecord
from penstock.errors import ConnectError
from penstock.kafka.producing import Delivered, Outgoing
from penstock.runtime.status import ConnectorTaskId

__all__ = ["Delivery", "Metadata", "Run", "TaskSide"]


class Metadata:
    """The place of a record in Kafka (`penstock.api.RecordMetadata`)."""

    __slots__ = ("offset", "partition", "topic")

    def __init__(self, topic: str, partition: int, offset: int | None) -> None:
        self.topic, self.partition, self.offset = topic, partition, offset


class TaskSide(Protocol):
    """The task as its delivery sees it: what the delivery may ask, and what it tells."""

    id: ConnectorTaskId
    stopping: threading.Event

    def check_alive(self) -> None:
        """Raise `TaskStopped` if the task was cancelled: another instance may be running."""

    def may_write(self) -> bool:
        """Return whether the task is still this worker's. If not, nothing may be committed."""

    def record_done(self, record: SourceRecord, metadata: Metadata | None) -> None:
        """Call the task's `commit_record`; without metadata the record was dropped. Never raises."""

    def offsets_done(self) -> None:
        """Call the task's `commit`, after offsets were committed. Never raises."""

    def not_written(self, record: SourceRecord, error: ConnectError) -> None:
        """Report a record that Kafka did not take. Returns if that is tolerated, raises `ToleranceExceeded` if not."""


class Run(ABC):
    """Records of one source partition that are handed over one after the other. For the task's thread."""

    #: The records with headers, put here by the loop before it hands them over: no report brings headers back, and a
    #: record may have to be sent again. None if no single record is sent again.
    kept: list[Outgoing] | None

    @abstractmethod
    def ticket(self) -> Delivered:
        """Return the callback to hand to the producer with each record. Whoever holds it, holds the run open."""

    @abstractmethod
    def close(self, offset: Mapping[str, Any] | None) -> None:
        """End the run. `offset` is the source offset of its last record that was handed over or dropped; None if none
        was. The caller has let go of the ticket before."""


class Delivery(ABC):
    """The way of one source task's records to Kafka.

    Threads: `serve`, `commit` and `cancel` may be called from any thread, at any time between `open` and `close`. All
    else is called from the task's thread, in this order: `open`; for each batch `cut`, and for each piece `begin`, its
    records by `run` (or `send` and `drop`, if `per_record`), and `dispatched`, or `abort` if the piece failed; after a
    poll that returned nothing `dispatched` alone; last `abort` if the task failed, `commit` with ``final=True``, and `close`.

    What it raises ends the task, except `TaskStopped`, after which the rest of the batch is not sent.
    """

    #: True if each record is handed over by itself (`send`, `drop`) instead of in runs, either because the task wants to
    #: hear of each (`commit_record`) or because a record that Kafka refuses is tolerated.
    per_record: bool
    #: Whether a task that fails takes back what it sent before the failure.
    all_or_nothing: bool = False

    def open(self) -> None:
        """Claim what only one instance of the task may hold. Called before the task is started."""

    def cut(self, batch: Sequence[SourceRecord]) -> Sequence[Sequence[SourceRecord]]:
        """Return `batch` in pieces, in order. What must happen between two records happens between two pieces."""
        return [batch]

    @abstractmethod
    def begin(self) -> None:
        """Get ready to take records."""

    @property
    @abstractmethod
    def produce(self) -> Callable[..., None]:
        """The producer's raw call (`RecordProducer.produce`), once `begin` has returned."""

    @abstractmethod
    def run(self, partition: Mapping[str, Any]) -> Run:
        """Begin a run of records of one source partition."""

    @abstractmethod
    def send(self, record: SourceRecord, out: Outgoing) -> None:
        """Hand over one record, waiting while the producer's queue is full."""

    @abstractmethod
    def drop(self, record: SourceRecord) -> None:
        """Take note of a record that is not sent: filtered by a transform, or left out because errors are tolerated."""

    @abstractmethod
    def wait_for_room(self) -> None:
        """Wait a moment, since the producer's queue is full. Raises `TaskStopped` if the task is to stop."""

    @abstractmethod
    def refusal(self, error: BaseException, out: Outgoing) -> ConnectError:
        """Return what an error of `produce` means, with the record's topic and size and the setting to change."""

    #: Topics none of whose records was acknowledged yet; the loop sends their records with `first_ticket`.
    unproven: set[str]

    @abstractmethod
    def meet_topic(self, topic: str) -> None:
        """Take note of a topic before its first record is sent."""

    @abstractmethod
    def first_ticket(self, topic: str, ticket: Delivered) -> Delivered:
        """Return the callback for a record of an unproven topic: `ticket`, and the news that Kafka took it."""

    def handed_over(self, records: int) -> None:
        """So many records of a piece were handed over, at its end or where it was interrupted."""

    def dispatched(self) -> None:
        """A piece was handed over, or a poll returned nothing."""

    def abort(self) -> None:
        """A piece could not be handed over as a whole: what it raised ends the task."""

    def paused(self) -> None:
        """The task is about to pause."""

    @property
    @abstractmethod
    def outstanding(self) -> int:
        """How many records were handed over and have not met their fate; those of a transaction until it is committed."""

    def serve(self) -> None:
        """Serve the producer's callbacks. Called several times a second, also while the task's `poll` blocks."""

    @abstractmethod
    def check(self) -> None:
        """Raise what went wrong with records handed over earlier."""

    @abstractmethod
    def commit(self, final: bool = False) -> bool:
        """Commit the source offsets that are safe. Returns False if they could not be stored: they are kept, and the
        next call tries again. With `final`, what is on its way is waited for, up to the flush timeout."""

    @abstractmethod
    def cancel(self) -> None:
        """Cut the task off from Kafka: nothing that it holds is sent any more."""

    @abstractmethod
    def close(self) -> None:
        """Let go of the producer. What is on its way is dropped."""
