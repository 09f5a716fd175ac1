"""Exactly once: records and the offsets they stand for reach Kafka in one transaction, or not at all (KIP-618).

Source of the rules: ``ExactlyOnceWorkerSourceTask`` of Kafka Connect. What upholds them:

* A task sends nothing before older instances of it are fenced (`Gate.before`, the transactional id) and its
  configuration and its place in the group are still what they were when it was made (`Gate.after`).
* Offsets enter the transaction for records that the producer took, and for those that were dropped before them.
* A failed task commits nothing. A commit whose outcome is unknown is asked for again until Kafka says how it went.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from penstock.data import SourceRecord
from penstock.errors import ConflictError, ConnectError, RetriableError, TaskStopped
from penstock.kafka.producing import Delivered, Outgoing
from penstock.kafka.transactions import TransactionalProducer
from penstock.runtime.aside import call_aside
from penstock.runtime.meters import TaskMeter
from penstock.runtime.source.boundaries import Ending, TransactionBoundary, WorkerTransactionContext
from penstock.runtime.source.delivery import Delivery, Run, TaskSide
from penstock.runtime.source.transaction import Transaction, TransactionalOffsets, TransactionRun
from penstock.runtime.tolerance import NotTolerable

__all__ = ["ExactlyOnce", "Gate", "TransactionSettings"]

_log: Final = logging.getLogger(__name__)
_PREFIX: Final = "producer.override."
#: One wait for the transactional id; a task that is stopped waits for no longer. The client goes on asking in between.
_CLAIM_S: Final = 0.5
#: The waits before the log says that the id is still waited for.
_CLAIMS: Final = 6
#: The pause between two tries to start.
_RETRY_S: Final = 1.0
_T = TypeVar("_T")


class Gate(Protocol):
    """The checks before a task starts. A `RetriableError` or `ConflictError` is tried again.

    Each call has a thread of its own, which may outlive the task if that is stopped meanwhile.
    """

    def before(self) -> None:
        """Have older instances of the connector's tasks fenced, those with higher numbers too."""

    def after(self) -> None:
        """Raise `ConnectError` if the task is not this worker's any more or has another configuration by now."""


@dataclass(frozen=True, slots=True)
class TransactionSettings:
    """The times to commit. `interval_s` counts for `TransactionBoundary.INTERVAL`, `context` for ``CONNECTOR``."""

    boundary: TransactionBoundary
    interval_s: float
    final_s: float
    context: WorkerTransactionContext | None = None


class ExactlyOnce(Delivery):
    """See the module. `make` makes the client of the transactional producer.

    The task's thread owns the producer between `begin` and `dispatched`; only then may the committer's thread commit
    (`_busy`), which it does for a source that is quiet while its interval ends.
    """

    all_or_nothing = True

    def __init__(
        self,
        side: TaskSide,
        offsets: TransactionalOffsets,
        make: Callable[..., Any],
        gate: Gate,
        settings: TransactionSettings,
        meter: TaskMeter,
        *,
        per_record: bool,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.per_record = per_record
        self.unproven: set[str] = set()
        self._side, self._offsets, self._make, self._gate = side, offsets, make, gate
        self._settings, self._clock = settings, clock
        self._label = side.id.label
        self._transaction = Transaction(side, offsets, meter, self.unproven, settings.final_s, clock)
        #: Guards what follows: the task's thread and the committer's both end transactions.
        self._lock = threading.RLock()
        self._busy = False
        self._next_commit = clock() + settings.interval_s
        #: The last record of each piece that is still to come, and whether it ends the batch.
        self._pieces: deque[tuple[SourceRecord, bool]] = deque()

    # ---- life

    def open(self) -> None:
        # Delivery 3.
        stopping = self._side.stopping
        fenced = "waits until older tasks of the connector are fenced"
        self._try(lambda: call_aside(self._gate.before, stopping, self._label), fenced)
        producer = TransactionalProducer(self._make, self._label, prefix=_PREFIX, only_errors=not self.per_record)
        self._transaction.producer = producer
        self._try(lambda: self._claim(producer), "waits for its transactional id")
        owned = "looks whether it is still this worker's"
        self._try(lambda: call_aside(self._gate.after, stopping, self._label), owned)

    def _claim(self, producer: TransactionalProducer) -> None:
        waits = 0
        while True:
            try:
                return producer.init(_CLAIM_S)
            except RetriableError:
                waits += 1
                if waits == _CLAIMS or self._side.stopping.is_set():
                    raise

    def _try(self, call: Callable[[], _T], what: str) -> _T:
        """Return what `call` returns; it is made again while it says that it may be."""
        while True:
            if self._side.stopping.is_set():
                raise TaskStopped(f"{self._label} was stopped while it started")
            try:
                return call()
            except (RetriableError, ConflictError) as error:
                _log.info("%s %s: %s", self._label, what, error)
                self._side.stopping.wait(_RETRY_S)

    # ---- taking records

    def cut(self, batch: Sequence[SourceRecord]) -> Sequence[Sequence[SourceRecord]]:
        context = self._settings.context
        pieces = [batch] if context is None else context.pieces(batch)
        self._pieces = deque((piece[-1], piece is pieces[-1]) for piece in pieces)
        return pieces

    def begin(self) -> None:
        with self._lock:
            self._transaction.begin()  # once the committer's commit is over: what that lost is not passed over
            self._busy = True

    @property
    def produce(self) -> Callable[..., None]:
        return self._transaction.live().produce

    def run(self, partition: Mapping[str, Any]) -> Run:
        return TransactionRun(partition, self._transaction)

    def send(self, record: SourceRecord, out: Outgoing) -> None:
        self._transaction.send(record, out, self.wait_for_room)

    def drop(self, record: SourceRecord) -> None:
        self._transaction.drop(record)

    def wait_for_room(self) -> None:
        producer = self._transaction.live()
        producer.wait_for_room(self._check_stopped)

    @property
    def outstanding(self) -> int:
        return self._transaction.size

    def handed_over(self, records: int) -> None:
        self._transaction.size += records

    def _check_stopped(self) -> None:
        self._side.check_alive()
        if self._side.stopping.is_set():
            raise TaskStopped(f"{self._label} was stopped while the producer's queue was full")

    def refusal(self, error: BaseException, out: Outgoing) -> ConnectError:
        return self._transaction.live().refusal(error, out[0], out)

    def meet_topic(self, topic: str) -> None:
        if topic == self._offsets.topic:
            # A transaction that waits for its own offsets' topic would wait for ever (``prepareToSendRecord``).
            raise NotTolerable(
                f"{self._label} Source tasks may not produce to their own offsets topics when exactly-once support is "
                f"enabled; topic {topic} holds this connector's offsets"
            )
        self.unproven.add(topic)

    def first_ticket(self, topic: str, ticket: Delivered) -> Delivered:
        self._transaction.add_topic(topic)
        return ticket

    # ---- ending transactions

    def dispatched(self) -> None:
        self.serve()  # what is written makes room, and its memory is used again at once
        with self._lock:
            self._busy = False
            match self._settings.boundary:
                case TransactionBoundary.POLL:
                    self._commit()
                case TransactionBoundary.INTERVAL:
                    if self._clock() >= self._next_commit:
                        self._commit()
                case TransactionBoundary.CONNECTOR:
                    self._end_as_asked()

    def _end_as_asked(self) -> None:
        context = self._settings.context
        assert context is not None
        last, ends_batch = self._pieces.popleft() if self._pieces else (None, True)
        if last is not None:
            self._end(context.take(last))
        if ends_batch:
            self._end(context.take(None))

    def _end(self, ending: Ending | None) -> None:
        if ending is Ending.ABORT:
            _log.info("%s aborts a transaction, as its connector asked", self._label)
            self._transaction.abort_records()
        if ending is not None:
            self._commit()  # after an abort too: the task shall not be handed the same records again (Delivery 5.)

    def abort(self) -> None:
        with self._lock:
            self._busy = False
            self._pieces.clear()
            self._transaction.abort()

    def _commit(self) -> None:
        """Commit the open transaction, if there is one or offsets are waiting. Raises what ends the task."""
        self._next_commit = self._clock() + self._settings.interval_s
        try:
            committed = self._transaction.commit()
        except TaskStopped:
            raise
        except ConnectError:
            self.abort()
            raise
        if committed is not None:
            self._transaction.report(committed)

    def serve(self) -> None:
        producer = self._transaction.producer
        if producer is not None:
            producer.poll()

    def check(self) -> None:
        producer = self._transaction.producer
        if producer is not None:
            producer.raise_failure()

    def commit(self, final: bool = False) -> bool:
        with self._lock:
            producer = self._transaction.producer
            if producer is None:
                return True
            if final:
                self._end_for_good()
            elif self._interval_is_over():
                try:
                    self._commit()
                except ConnectError as error:
                    producer.fail(error)  # the task's thread finds it
                    return False
        return True

    def _interval_is_over(self) -> bool:
        is_due = self._settings.boundary is TransactionBoundary.INTERVAL and self._clock() >= self._next_commit
        return is_due and not self._busy and self._transaction.has_work

    def _end_for_good(self) -> None:
        """End what is open when the task pauses or stops: commit it, unless its connector says where transactions end."""
        # Delivery 6.
        is_whole = not self._busy and not self._pieces
        self._busy = False
        context = self._settings.context
        if context is None:
            self._commit()
            return
        if is_whole:  # else the task was stopped within a batch, and what it asked for lies behind the rest
            self._end(context.take(None))
        if self._transaction.is_open:
            self.abort()

    def paused(self) -> None:
        if self._settings.context is None:
            self.commit(final=True)

    def cancel(self) -> None:
        producer = self._transaction.producer
        if producer is not None:
            producer.purge()

    def close(self) -> None:
        with self._lock:
            if self._transaction.is_open:
                self.abort()
            producer, self._transaction.producer = self._transaction.producer, None
        if producer is not None:
            producer.purge()
