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
from penstock.kafka.errors import KafkaError, renamed
from penstock.kafka.producing import Delivered, Outgoing, ProducedMessage, is_purged
from penstock.kafka.transactions import TransactionalProducer
from penstock.runtime.meters import TaskMeter, Total
from penstock.runtime.source.boundaries import Ending, TransactionBoundary, WorkerTransactionContext
from penstock.runtime.source.delivery import Delivery, Metadata, Run, TaskSide
from penstock.runtime.tolerance import NotTolerable
from penstock.storage.offsets import Offsets, partition_key

__all__ = ["ExactlyOnce", "Gate", "TransactionSettings", "TransactionalOffsets"]

_log: Final = logging.getLogger(__name__)
_PREFIX: Final = "producer.override."
#: One claim of the transactional id, or one try to commit; both are made again.
_CALL_S: Final = 30.0
_ABORT_S: Final = 10.0
#: How long the last commit of a task that is stopping may take beyond the flush timeout.
_RETRY_S: Final = 1.0
_T = TypeVar("_T")


class Gate(Protocol):
    """Who may start. Called from the task's thread; a `RetriableError` or `ConflictError` is tried again."""

    def before(self) -> None:
        """Have older instances of the connector's tasks fenced, those with higher numbers too."""

    def after(self) -> None:
        """Raise `ConnectError` if the task is not this worker's any more or has another configuration by now."""


class TransactionalOffsets(Protocol):
    """The topic that the connector's offsets are in, as the transaction needs it."""

    @property
    def topic(self) -> str: ...

    def records(self, connector: str, offsets: Offsets) -> list[tuple[bytes, bytes | None]]:
        """Return key and value of each offset's record. Raises `DataError` for offsets that cannot be stored."""

    def committed(self, connector: str, offsets: Offsets) -> None:
        """Take note of offsets that a transaction has put into the topic. Must not raise."""


@dataclass(frozen=True, slots=True)
class TransactionSettings:
    """When to commit. `interval_s` counts for `TransactionBoundary.INTERVAL`, `context` for ``CONNECTOR``."""

    boundary: TransactionBoundary
    interval_s: float
    final_s: float
    context: WorkerTransactionContext | None = None


class ExactlyOnce(Delivery):
    """See the module. `make` makes the client of the transactional producer.

    The task's thread owns the producer between `begin` and `dispatched`; only then may the committer's thread commit
    (`_busy`), which it does for a source that is quiet while its interval ends.
    """

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
        self._settings, self._meter, self._clock = settings, meter, clock
        self._label = side.id.label
        self._producer: TransactionalProducer | None = None
        #: Guards what follows: the task's thread and the committer's both end transactions.
        self._lock = threading.RLock()
        self._busy = False
        self._open = False
        self._next_commit = clock() + settings.interval_s
        self._pending: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
        self._sent: list[_Sent] = []
        self._new_topics: set[str] = set()
        #: The last record of each piece that is still to come, and whether it ends the batch.
        self._pieces: deque[tuple[SourceRecord, bool]] = deque()

    # ---- life

    def open(self) -> None:
        self._try(self._gate.before, "waits until older tasks of the connector are fenced")
        producer = TransactionalProducer(self._make, self._label, prefix=_PREFIX, only_errors=not self.per_record)
        self._producer = producer
        self._try(lambda: producer.init(_CALL_S), "waits for its transactional id")
        self._try(self._gate.after, "looks whether it is still this worker's")

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
            self._begin()
            self._busy = True

    def _begin(self) -> None:
        if not self._open:
            self._live().begin()
            self._open = True

    def _live(self) -> TransactionalProducer:
        if self._producer is None:
            raise TaskStopped(f"{self._label} has ended")
        return self._producer

    @property
    def produce(self) -> Callable[..., None]:
        return self._live().produce

    def run(self, partition: Mapping[str, Any]) -> Run:
        return _Run(partition, self._told, self._note)

    def send(self, record: SourceRecord, out: Outgoing) -> None:
        sent = _Sent(record, self._told)
        self._live().send(out, sent, self.wait_for_room)
        self._sent.append(sent)
        if out[0] in self.unproven:
            self._new_topics.add(out[0])
        self._note(record.source_partition, record.source_offset)

    def drop(self, record: SourceRecord) -> None:
        self._sent.append(_Sent(record, self._told))
        self._note(record.source_partition, record.source_offset)

    def _note(self, partition: Mapping[str, Any], offset: Mapping[str, Any]) -> None:
        self._pending[partition_key(partition)] = (partition, offset)

    def _told(self, error: KafkaError | None, message: ProducedMessage) -> None:
        """Take the fate of a record that could not be written: the transaction cannot be committed any more."""
        producer = self._producer
        if error is not None and producer is not None and not is_purged(error):
            refused = producer.refusal(error, message.topic() or "")
            producer.fail(renamed(refused, f"{self._label} {refused.message}"))

    def wait_for_room(self) -> None:
        producer = self._live()
        producer.wait_for_room(self._check_stopped)

    def _check_stopped(self) -> None:
        self._side.check_alive()
        if self._side.stopping.is_set():
            raise TaskStopped(f"{self._label} was stopped while the producer's queue was full")

    def refusal(self, error: BaseException, out: Outgoing) -> ConnectError:
        return self._live().refusal(error, out[0], out)

    def meet_topic(self, topic: str) -> None:
        if topic == self._offsets.topic:
            # A transaction that waits for its own offsets' topic would wait for ever (``prepareToSendRecord``).
            raise NotTolerable(
                f"{self._label} Source tasks may not produce to their own offsets topics when exactly-once support is "
                f"enabled; topic {topic} holds this connector's offsets"
            )
        self.unproven.add(topic)

    def first_ticket(self, topic: str, ticket: Delivered) -> Delivered:
        self.unproven.discard(topic)
        self._new_topics.add(topic)
        return ticket

    def headers_ticket(self, ticket: Delivered, headers: Sequence[tuple[str, Any]]) -> Delivered:
        return ticket  # nothing of a transaction is sent again, so that nobody needs them

    # ---- ending transactions

    def dispatched(self) -> None:
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
            # A transaction none of whose records has reached the broker is one that it does not know, and cannot end.
            self._live().flush(_ABORT_S)
            self._abort_records()
        if ending is not None:
            self._commit()  # after an abort too: the task shall not be handed the same records again

    def _abort_records(self) -> None:
        if self._open:
            self._live().abort(_ABORT_S)
            self._open = False
        self._forget_records()

    def _forget_records(self) -> None:
        self.unproven |= self._new_topics
        self._new_topics = set()
        self._sent = []

    def abort(self) -> None:
        with self._lock:
            self._busy = False
            self._pieces.clear()
            self._pending = {}
            try:
                self._abort_records()
            except ConnectError as error:
                # Fenced, or out of reach: the broker aborts it once the id is claimed again or its time is up.
                _log.info("%s could not abort its transaction: %s", self._label, error)
                self._open = False

    def _commit(self) -> None:
        """Commit the open transaction, with the offsets of its records. Raises what ends the task."""
        self._next_commit = self._clock() + self._settings.interval_s
        if not self._pending and not self._open:
            return
        started = self._clock()
        offsets = list(self._pending.values())
        try:
            self._begin()
            producer = self._live()
            for key, value in self._offsets.records(self._side.id.connector, offsets):
                producer.send((self._offsets.topic, value, key, -1, 0, None), self._told, self._side.check_alive)
            self._commit_until_known(producer)
        except TaskStopped:
            raise
        except ConnectError:
            self._meter.add(Total.FAILED_COMMITS)
            self.abort()
            raise
        self._open, self._pending = False, {}
        self._meter.add(Total.COMMITS)
        _log.debug(
            "%s committed a transaction with offsets of %d source partitions in %.0f ms",
            self._label, len(offsets), (self._clock() - started) * 1000,
        )  # fmt: skip
        self._committed(offsets)

    def _commit_until_known(self, producer: TransactionalProducer) -> None:
        deadline: float | None = None
        while True:
            try:
                return producer.commit(_CALL_S if deadline is None else self._settings.final_s)
            except RetriableError as error:
                self._side.check_alive()
                _log.warning("%s a commit is not answered and will be asked for again: %s", self._label, error)
                if self._side.stopping.is_set():
                    deadline = deadline or self._clock() + self._settings.final_s
                    if self._clock() >= deadline:
                        raise

    def _committed(self, offsets: Offsets) -> None:
        for topic in self._new_topics:
            self.unproven.discard(topic)
            self._meter.use_topic(topic)
        self._new_topics = set()
        sent, self._sent = self._sent, []
        self._offsets.committed(self._side.id.connector, offsets)
        for one in sent:
            self._side.record_done(one.record, one.metadata)
        self._side.offsets_done()

    def serve(self) -> None:
        producer = self._producer
        if producer is not None:
            producer.poll()

    def check(self) -> None:
        producer = self._producer
        if producer is not None:
            producer.raise_failure()

    def commit(self, final: bool = False) -> bool:
        with self._lock:
            if self._producer is None:
                return True
            if final:
                self._end_for_good()
            elif self._interval_is_over():
                try:
                    self._commit()
                except ConnectError as error:
                    self._producer.fail(error)  # the task's thread finds it
                    return False
        return True

    def _interval_is_over(self) -> bool:
        is_due = self._settings.boundary is TransactionBoundary.INTERVAL and self._clock() >= self._next_commit
        return is_due and not self._busy and bool(self._open or self._pending)

    def _end_for_good(self) -> None:
        """End what is open when the task pauses or stops: commit it, unless its connector says where transactions end."""
        self._busy = False
        context = self._settings.context
        if context is None:
            self._commit()
            return
        self._end(context.take(None))
        if self._open:
            self.abort()

    def paused(self) -> None:
        if self._settings.context is None:
            self.commit(final=True)

    def cancel(self) -> None:
        producer = self._producer
        if producer is not None:
            producer.purge()

    def close(self) -> None:
        with self._lock:
            if self._open:
                self.abort()
            producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()


class _Sent:
    """A record that was handed over by itself, or dropped; the callback that takes its place in Kafka."""

    __slots__ = ("_refused", "metadata", "record")

    def __init__(self, record: SourceRecord, refused: Delivered) -> None:
        self.record, self._refused = record, refused
        self.metadata: Metadata | None = None

    def __call__(self, error: KafkaError | None, message: ProducedMessage) -> None:
        if error is not None:
            self._refused(error, message)
        else:
            self.metadata = Metadata(message.topic() or "", message.partition() or 0, message.offset())


class _Run(Run):
    """Records of one source partition: the transaction is acknowledged as a whole, so that nothing is kept of them."""

    __slots__ = ("_note", "_partition", "_ticket")

    def __init__(
        self,
        partition: Mapping[str, Any],
        ticket: Delivered,
        note: Callable[[Mapping[str, Any], Mapping[str, Any]], None],
    ) -> None:
        self._partition, self._ticket, self._note = partition, ticket, note

    def ticket(self) -> Delivered:
        return self._ticket

    def close(self, offset: Mapping[str, Any] | None) -> None:
        if offset is not None:
            self._note(self._partition, offset)
