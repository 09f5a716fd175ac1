"""A source task's transaction: the records handed over since the last commit, and the offsets that go with them."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from penstock.data import SourceRecord
from penstock.errors import ConnectError, RetriableError, TaskStopped
from penstock.kafka.errors import Fault, KafkaError, TransactionLostError, meaning_of, renamed
from penstock.kafka.producing import Delivered, Outgoing, ProducedMessage, is_purged
from penstock.kafka.transactions import TransactionalProducer
from penstock.runtime.meters import TaskMeter
from penstock.runtime.source.delivery import Metadata, Run, TaskSide
from penstock.storage.offsets import Offsets, partition_key

__all__ = ["Transaction", "TransactionRun", "TransactionalOffsets"]

_log: Final = logging.getLogger(__name__)
#: One try to commit; it is made again.
_CALL_S: Final = 30.0
_ABORT_S: Final = 10.0


class TransactionalOffsets(Protocol):
    """The topic that the connector's offsets are in, as the transaction needs it."""

    @property
    def topic(self) -> str: ...

    def records(self, connector: str, offsets: Offsets) -> list[tuple[bytes, bytes | None]]:
        """Return key and value of each offset's record. Raises `DataError` for offsets that cannot be stored."""

    def committed(self, connector: str, offsets: Offsets) -> None:
        """Take note of offsets that a transaction has put into the topic. Must not raise."""


class Transaction:
    """Begins, fills, commits and aborts one transaction after the other.

    It has no lock: its owner calls it from one thread at a time. Only `told` is called from any thread.
    """

    def __init__(
        self,
        side: TaskSide,
        offsets: TransactionalOffsets,
        meter: TaskMeter,
        unproven: set[str],
        final_s: float,
        clock: Callable[[], float],
    ) -> None:
        """`unproven` has the topics that no committed record has gone to; it is kept up to date."""
        self.unproven = unproven
        #: None before the task has its transactional id, and after its end.
        self.producer: TransactionalProducer | None = None
        self.is_open = False
        #: How many records the open transaction has.
        self.size = 0
        self._side, self._offsets, self._meter = side, offsets, meter
        self._final_s, self._clock, self._label = final_s, clock, side.id.label
        self._pending: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
        self._sent: list[_Sent] = []
        self._new_topics: set[str] = set()

    @property
    def has_work(self) -> bool:
        """Return whether a commit would do anything."""
        return self.is_open or bool(self._pending)

    def begin(self) -> None:
        """Begin a transaction unless one is open. Raises what was lost before: nothing may be committed past that."""
        producer = self.live()
        producer.raise_failure()
        if not self.is_open:
            producer.begin()
            self.is_open = True

    def live(self) -> TransactionalProducer:
        if self.producer is None:
            raise TaskStopped(f"{self._label} has ended")
        return self.producer

    # ---- taking records

    def send(self, record: SourceRecord, out: Outgoing, wait: Callable[[], None]) -> None:
        """Hand over one record, which hears of its own place in Kafka. `wait` waits for room in the client's queue."""
        sent = _Sent(record, self.told)
        self.live().send(out, sent, wait)
        self._sent.append(sent)
        if out[0] in self.unproven:
            self._new_topics.add(out[0])
        self.note(record.source_partition, record.source_offset)

    def drop(self, record: SourceRecord) -> None:
        """Take the offset of a record that is not sent."""
        self._sent.append(_Sent(record, self.told))
        self.note(record.source_partition, record.source_offset)

    def add_topic(self, topic: str) -> None:
        """Count `topic` as written once the transaction is committed."""
        self.unproven.discard(topic)
        self._new_topics.add(topic)

    def note(self, partition: Mapping[str, Any], offset: Mapping[str, Any]) -> None:
        """Take the offset of a record that the producer took, or that was dropped (Delivery 4.)."""
        self._pending[partition_key(partition)] = (partition, offset)

    def told(self, error: KafkaError | None, message: ProducedMessage) -> None:
        """Take the fate of a record that could not be written: the transaction cannot be committed any more."""
        producer = self.producer
        if error is not None and producer is not None and not is_purged(error):
            refused = producer.refusal(error, message.topic() or "")
            text = f"{self._label} {refused.message}"
            # The record is not at fault and may be sent again, though not in this transaction.
            is_lost = meaning_of(error).fault in (Fault.PASSING, Fault.FATAL)
            producer.fail(TransactionLostError(text) if is_lost else renamed(refused, text))

    # ---- ending it

    def abort(self) -> None:
        """Abort the transaction, with its offsets. It never fails: the broker ends what this producer cannot."""
        self._pending = {}
        try:
            if self.is_open:
                self.live().abort(_ABORT_S)
        except ConnectError as error:
            # Fenced, or out of reach: the broker aborts it once the id is claimed again or its time is up.
            _log.info("%s could not abort its transaction: %s", self._label, error)
        self.is_open = False
        self._forget_records()

    def abort_records(self) -> None:
        """Abort the records, and keep the offsets for the next commit. Raises what ends the task."""
        if self.is_open:
            # A transaction none of whose records has reached the broker is one that it does not know, and cannot end.
            self.live().flush(_ABORT_S)
            self._until_known("an abort", self.live().abort)
            self.is_open = False
        self._forget_records()

    def _forget_records(self) -> None:
        self.unproven |= self._new_topics
        self._new_topics = set()
        self._sent = []
        self.size = 0

    def commit(self) -> Offsets | None:
        """Commit the open transaction with the offsets of its records, and return these for `report`.

        Return None if there was nothing to commit. Raises what ends the task; the caller aborts then.
        """
        if not self._pending and not self.is_open:
            return None
        self._side.check_alive()
        started = self._clock()
        offsets = list(self._pending.values())
        producer = self.live()
        try:
            self.begin()
            for key, value in self._offsets.records(self._side.id.connector, offsets):
                producer.send((self._offsets.topic, value, key, -1, 0, None), self.told, self._side.check_alive)
            self._until_known("a commit", producer.commit)
        except TaskStopped:
            raise
        except ConnectError as error:
            self._meter.committed(False, self._clock() - started)
            reason = producer.failure  # a record's own error tells more than that of the commit
            if reason is None or reason is error:
                raise
            raise reason from error
        self.is_open, self._pending = False, {}
        self._meter.committed(True, self._clock() - started)
        self._meter.ended_transaction(self.size)
        self.size = 0
        _log.debug(
            "%s committed a transaction with offsets of %d source partitions in %.0f ms",
            self._label, len(offsets), (self._clock() - started) * 1000,
        )  # fmt: skip
        return offsets

    def _until_known(self, what: str, end: Callable[[float], None]) -> None:
        """Call `end`, given seconds, until Kafka has answered; a task that is stopping waits for no longer than `final_s`."""
        deadline: float | None = None
        while True:
            try:
                return end(_CALL_S if deadline is None else self._final_s)
            except RetriableError as error:
                self._side.check_alive()
                _log.warning("%s %s is not answered and will be asked for again: %s", self._label, what, error)
                if self._side.stopping.is_set():
                    deadline = deadline or self._clock() + self._final_s
                    if self._clock() >= deadline:
                        raise

    def report(self, offsets: Offsets) -> None:
        """Tell the offset store, the meter and the task what was committed."""
        for topic in self._new_topics:
            self.unproven.discard(topic)
            self._meter.use_topic(topic)
        self._new_topics = set()
        sent, self._sent = self._sent, []
        self._offsets.committed(self._side.id.connector, offsets)
        for one in sent:
            self._side.record_done(one.record, one.metadata)
        self._side.offsets_done()


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


class TransactionRun(Run):
    """Records of one source partition: the transaction is acknowledged as a whole, so that nothing is kept of them."""

    __slots__ = ("_note", "_partition", "_ticket")
    kept = None

    def __init__(self, partition: Mapping[str, Any], transaction: Transaction) -> None:
        self._partition, self._ticket, self._note = partition, transaction.told, transaction.note

    def ticket(self) -> Delivered:
        return self._ticket

    def close(self, offset: Mapping[str, Any] | None) -> None:
        if offset is not None:
            self._note(self._partition, offset)
