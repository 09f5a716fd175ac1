"""At-least-once delivery: records are sent, and offsets are committed once everything before them is acknowledged.

No record costs a callback on the usual path. The records of one polled batch and one source partition share a ticket,
whose end says that Kafka has them all (`penstock.kafka.producing.Ticket`). So a partition of a topic that is stuck holds
up the offsets of those source partitions only that wrote to it.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from functools import partial
from typing import Any, Final

from penstock.data import SourceRecord
from penstock.errors import ConnectError, TaskStopped
from penstock.kafka.errors import KafkaError, renamed
from penstock.kafka.producing import Delivered, Outgoing, ProducedMessage, RecordProducer, is_purged
from penstock.runtime.meters import TaskMeter
from penstock.runtime.source.alone import RefusedBatches, is_batch_refusal, outgoing_of
from penstock.runtime.source.delivery import Delivery, Metadata, Run, TaskSide
from penstock.runtime.source.ledger import Entry, Ledger
from penstock.runtime.source.tickets import OpenRun, RunTicket, TopicProofs
from penstock.storage.offsets import OffsetStore, partition_key

__all__ = ["AtLeastOnce"]

_log: Final = logging.getLogger(__name__)
#: A run ends with the batch, or after so many records: an offset inside a run cannot be committed.
_MAX_RUN: Final = 1000
#: How often what is acknowledged leaves the ledger between commits: it holds what is on its way, not a minute's records.
_SWEEP_S: Final = 1.0
#: How often a partition that is stuck is named in the log.
_STUCK_LOG_S: Final = 60.0
#: How long the client may take to report what waits.
_REPORT_S: Final = 5.0
_PREFIX: Final = "producer.override."


class AtLeastOnce(Delivery):
    """See the module. `make` makes the producer's client; called once, when the first records are to be sent."""

    def __init__(
        self,
        side: TaskSide,
        offsets: OffsetStore,
        make: Callable[..., Any],
        meter: TaskMeter,
        *,
        per_record: bool,
        flush_timeout_s: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self.per_record = per_record
        self.unproven: set[str] = set()
        self._side, self._offsets, self._make, self._meter = side, offsets, make, meter
        self._flush_timeout_s, self._clock = flush_timeout_s, clock
        self._label = f"[{side.id.connector}|task-{side.id.task}]"
        self._producer: RecordProducer | None = None
        self._ledger = Ledger()
        self._refused_batches = RefusedBatches(self._label)
        self._proofs = TopicProofs(meter, self.unproven)
        #: One commit at a time; guards the three below.
        self._commit_lock = threading.Lock()
        self._uncommitted: dict[str, tuple[Mapping[str, Any], Mapping[str, Any]]] = {}
        self._next_sweep = 0.0
        self._next_stuck_log = 0.0

    # ---- taking records

    def cut(self, batch: Sequence[SourceRecord]) -> Sequence[Sequence[SourceRecord]]:
        if len(batch) <= _MAX_RUN:
            return [batch]
        return [batch[start : start + _MAX_RUN] for start in range(0, len(batch), _MAX_RUN)]

    def begin(self) -> None:
        if self._producer is None:
            self._producer = RecordProducer(
                self._make, self._label, prefix=_PREFIX, only_errors=not self.per_record, watched=True
            )
        if self._refused_batches.busy:
            self._refused_batches.send(self._producer, self._check_stop)

    @property
    def _opened(self) -> RecordProducer:
        if self._producer is None:
            raise ConnectError(f"{self._label} the producer is not there yet, or not any more")
        return self._producer

    @property
    def produce(self) -> Callable[..., None]:
        return self._opened.produce

    def run(self, partition: Mapping[str, Any]) -> Run:
        return OpenRun(self._not_written, self._ledger, partition)

    def send(self, record: SourceRecord, out: Outgoing) -> None:
        entry = _Submitted(record, out, self._fate)
        self._ledger.add(record.source_partition, entry)
        try:
            self._opened.send(out, entry, self._check_stop)
        except BaseException:
            self._ledger.withdraw(record.source_partition, entry)
            raise

    def drop(self, record: SourceRecord) -> None:
        self._ledger.ack(self._ledger.submit(record.source_partition, record.source_offset))
        self._side.record_done(record, None)

    def wait_for_room(self) -> None:
        self._opened.wait_for_room(self._check_stop)

    @property
    def outstanding(self) -> int:
        producer = self._producer
        return 0 if producer is None else len(producer)

    def _check_stop(self) -> None:
        self._side.check_alive()
        if self._side.stopping.is_set():
            raise TaskStopped(f"{self._label} was stopped while the producer's queue was full")

    def refusal(self, error: BaseException, out: Outgoing) -> ConnectError:
        return self._opened.refusal(error, out[0], out)

    def meet_topic(self, topic: str) -> None:
        if not self._meter.uses(topic):
            self.unproven.add(topic)

    def first_ticket(self, topic: str, ticket: Delivered) -> Delivered:
        return self._proofs.ticket(topic, ticket)

    def dispatched(self) -> None:
        if self._producer is not None:
            self._producer.poll()
            if self._refused_batches.busy:  # a source that is quiet now would else hear of it at the next commit only
                self._refused_batches.send(self._producer, self._check_stop)
            self._proofs.check()

    # ---- fates; in the thread that polls the producer, the task's or the committer's

    def _fate(self, entry: _Submitted, error: KafkaError | None, message: ProducedMessage) -> None:
        """Take one record's fate, of those that are handed over by themselves."""
        if error is None:
            entry.acked = True
            topic = message.topic() or ""
            if topic in self.unproven:
                self.unproven.discard(topic)
                self._meter.use_topic(topic)
            partition = message.partition()
            self._side.record_done(
                entry.record, Metadata(topic, -1 if partition is None else partition, message.offset())
            )
        elif is_batch_refusal(error) and not entry.alone:
            entry.alone = True
            self._refused_batches.add(error, entry.out, entry)
        elif not is_purged(error):
            try:
                self._side.not_written(entry.record, self._refused(error, message))
            except ConnectError as failure:
                self._opened.fail(failure)
                return
            except Exception as failure:  # a reporter's own fault; out of a callback it would end the committer
                self._opened.fail(ConnectError(f"{self._label} a refused record could not be reported: {failure}"))
                return
            entry.acked = True
            self._side.record_done(entry.record, None)

    def _not_written(self, ticket: RunTicket, error: KafkaError, message: ProducedMessage) -> None:
        """Take the news that a record of a run was not written. It ends the task, or the record is sent again alone; the
        run stays open until then, because its ticket is kept."""
        if is_batch_refusal(error):
            self._refused_batches.add(
                error, outgoing_of(message, ticket.headers_of(message)), partial(self._fate_alone, ticket)
            )
        else:
            self._lose(ticket, error, message)

    def _fate_alone(self, ticket: RunTicket, error: KafkaError | None, message: ProducedMessage) -> None:
        if error is None:
            self._meter.use_topic(message.topic() or "")
        else:
            self._lose(ticket, error, message)

    def _lose(self, ticket: RunTicket, error: KafkaError, message: ProducedMessage) -> None:
        ticket.entry.refused = True
        if is_purged(error):
            return
        failure = self._refused(error, message)
        text = f"{self._label} {failure.message.rstrip('.')}. It came from source partition {dict(ticket.partition)}"
        self._opened.fail(renamed(failure, text))

    def _refused(self, error: KafkaError, message: ProducedMessage) -> ConnectError:
        topic = message.topic() or ""
        return self._opened.refusal(error, topic, (topic, message.value(), message.key(), -1, 0, None))

    def check(self) -> None:
        if self._producer is not None:
            self._producer.raise_failure()

    # ---- offsets

    def serve(self) -> None:
        producer = self._producer
        if producer is None:
            return
        producer.poll()
        self._proofs.check()
        now = self._clock()
        if now >= self._next_sweep and self._commit_lock.acquire(blocking=False):
            try:
                self._next_sweep = now + _SWEEP_S
                self._sweep()
                self._name_the_stuck(producer, now)
            finally:
                self._commit_lock.release()

    def _sweep(self) -> None:
        for partition, offset in self._ledger.committable():
            self._uncommitted[partition_key(partition)] = (partition, offset)

    def _name_the_stuck(self, producer: RecordProducer, now: float) -> None:
        late = self._ledger.waiting(now, self._flush_timeout_s)
        if late is None or now < self._next_stuck_log:
            return
        places = sorted(producer.waiting().items(), key=lambda found: -found[1])
        if not places and late.seconds < self._flush_timeout_s + _REPORT_S:
            return  # the client's last report is older than what waits
        self._next_stuck_log = now + _STUCK_LOG_S
        where = ", ".join(f"{topic}-{partition} ({count} records)" for (topic, partition), count in places[:10])
        _log.warning(
            "%s %d records are not acknowledged by Kafka, some for %.0f s, longer than offset.flush.timeout.ms; waiting: %s. "
            "Offsets of %d source partitions are not committed, those of others are. The broker that leads is slow or away",
            self._label, len(producer), late.seconds, where or "for the topics' metadata", late.partitions,
        )  # fmt: skip

    def commit(self, final: bool = False) -> bool:
        producer = self._producer
        if producer is None:
            return True
        with self._commit_lock:
            self._settle(producer, final or self._side.stopping.is_set())
            self._proofs.check()
            self._sweep()
            began = self._clock()
            stored = self._store()
        self._meter.committed(stored, self._clock() - began)
        if stored:
            self._side.offsets_done()
        return stored

    def _settle(self, producer: RecordProducer, final: bool) -> None:
        """Serve callbacks; with `final`, wait for what is on its way, up to the flush timeout."""
        deadline = self._clock() + self._flush_timeout_s
        producer.poll()
        if final:
            producer.flush(self._flush_timeout_s)

        def check() -> None:
            self._side.check_alive()
            if self._clock() >= deadline:
                raise TaskStopped(f"{self._label} sends the rest of refused batches later")

        with suppress(ConnectError):  # a failure is the loop's to raise (`check`)
            self._refused_batches.send(producer, check)

    def _store(self) -> bool:
        # Delivery 1.: only what the ledger gave out is here.
        if not self._uncommitted:
            return True
        if not self._side.may_write():
            _log.warning("%s offsets not committed: another worker may have the task by now", self._label)
            return False
        started = self._clock()
        try:
            self._offsets.write(self._side.id.connector, list(self._uncommitted.values()))
        except ConnectError as error:
            # The records are in Kafka; only the offsets are not stored. Going on is safe: they may come twice.
            _log.warning("%s offsets not committed, the next commit tries again: %s", self._label, error)
            return False
        milliseconds = (self._clock() - started) * 1000
        count = len(self._uncommitted)
        _log.debug("%s committed offsets of %d source partitions in %.0f ms", self._label, count, milliseconds)
        self._uncommitted = {}
        return True

    # ---- the end

    def cancel(self) -> None:
        producer = self._producer
        if producer is not None:
            producer.purge()

    def close(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()


class _Submitted(Entry):
    """A record that is handed over by itself; its own callback."""

    __slots__ = ("_told", "alone", "out", "record")

    def __init__(
        self, record: SourceRecord, out: Outgoing, told: Callable[[_Submitted, KafkaError | None, Any], None]
    ) -> None:
        super().__init__(record.source_offset)
        self.record, self.out, self._told = record, out, told
        #: Whether it is sent without others in its batch.
        self.alone = False

    def __call__(self, error: KafkaError | None, message: ProducedMessage) -> None:
        self._told(self, error, message)
