"""The source loop: poll, transform, convert, produce, commit offsets. At least once.

Source of the rules: ``AbstractWorkerSourceTask`` and ``WorkerSourceTask`` of Kafka Connect 4.3, and the two ways of
committing described in `penstock.runtime.ledger`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from penstock.api import Shape, SourceTask
from penstock.data import SourceRecord
from penstock.errors import ConnectError, RetriableError, TaskStopped
from penstock.kafka.repeats import Repeats
from penstock.runtime.conversion import Outgoing, SourceConversion, locate
from penstock.runtime.ledger import Entry, Ledger, Snapshot
from penstock.runtime.status import ConnectorTaskId, StatusListener, TargetState
from penstock.runtime.task import WorkerTask
from penstock.runtime.tolerance import ErrorPolicy, ErrorStage, RecordFailure, retry_until_stopped
from penstock.runtime.topics import TopicCreation
from penstock.storage.offsets import OffsetStore

__all__ = ["Admission", "SourceTaskParts", "WorkerSourceTask"]

_log: Final = logging.getLogger(__name__)
#: How long a task waits after its `poll` raised a RetriableError.
_POLL_RETRY_S: Final = 1.0
#: How long a cancelling thread waits for a send in progress.
_CANCEL_WAIT_S: Final = 1.0
#: One look whether the worker is in its group's session again, or the task is stopped.
_OUT_OF_SESSION_S: Final = 0.1
#: One wait for room in the producer's queue.
_FULL_QUEUE_WAIT_S: Final = 0.1


class Admission(Protocol):
    """May a source produce more just now? Only ``penstock dev`` says no at times; see `penstock.runtime.admission`."""

    def admit(self, topic: str, size: int) -> None:
        """`size` bytes were handed to the producer for `topic`."""

    def wait(self, stopping: threading.Event) -> None:
        """Come back when there is room, or when `stopping` is set."""


@dataclass(frozen=True, slots=True)
class SourceTaskParts:
    """What the worker hands a source task; see `penstock.runtime.worker`."""

    task: SourceTask
    config: Mapping[str, str]
    conversion: SourceConversion
    policy: ErrorPolicy
    offsets: OffsetStore
    topics: TopicCreation
    #: Makes the producer, given its callbacks; called once, when the first record is to be sent.
    producer: Callable[..., Producer]
    flush_timeout_s: float
    on_topic: Callable[[str], None]
    admission: Admission | None = None


class WorkerSourceTask(WorkerTask):
    """One source task in its thread. `commit_offsets` and `poll_producer` are for the committer's thread."""

    def __init__(
        self, task_id: ConnectorTaskId, listener: StatusListener, target: TargetState, parts: SourceTaskParts
    ) -> None:
        super().__init__(task_id, listener, target)
        self._parts = parts
        self._task = parts.task
        self._policy = parts.policy
        self._producer: Producer | None = None
        #: Held while records are handed to the producer, and while a commit flushes: nothing is produced in between.
        self._gate = threading.Lock()
        self._snapshot = Snapshot()
        self._tracked = parts.policy.tolerate_all or type(parts.task).commit_record is not SourceTask.commit_record
        self._ledger = Ledger()
        self._uncommitted: list[tuple[Mapping[str, Any], Mapping[str, Any]]] = []
        self._batch: Sequence[SourceRecord] = ()
        #: Sticky: set by the client's callbacks, which never raise; the loop and the committer look at it.
        self._delivery_error: BaseException | None = None
        self._state_lock = threading.Lock()
        self._complaints = Repeats()
        self._started = False
        self._stop_called = False
        self.polled = 0
        self.written = 0

    @property
    def exhausted(self) -> bool:
        """The task says it will never have another record, and all it had is sent."""
        return bool(getattr(self._task, "exhausted", False)) and not self._batch

    @property
    def version(self) -> str:
        return type(self._task).version

    # ---- life

    def initialize(self) -> None:
        with self._state_lock:
            self._started = True
        self._task.start(self._parts.config)

    def on_stop(self) -> None:
        self._stop_task()

    def _stop_task(self) -> None:
        with self._state_lock:
            if not self._started or self._stop_called:
                return
            self._stop_called = True
        try:
            self._task.stop()
        except Exception as error:
            _log.error("%s: the task's stop() raised: %s", self.id, error, exc_info=error)

    def close(self, failed: bool) -> None:
        # Offsets of what was acknowledged may be committed even when the task failed: nothing before them is missing.
        try:
            if self._producer is not None and not self._cancelled:
                self.commit_offsets()
        finally:
            self._stop_task()
            if self._started:
                self._task.close()
            self._parts.conversion.close()
            self._policy.close()
            self._discard_producer()

    def _discard_producer(self) -> None:
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.purge()
            producer.flush(0)

    def on_cancel(self) -> None:
        # Whoever is sending just now ends by `stopping`; whoever comes out of a long poll later finds it is cancelled.
        with_gate = self._gate.acquire(timeout=_CANCEL_WAIT_S)
        try:
            producer = self._producer
            if producer is not None:
                producer.purge()
        finally:
            if with_gate:
                self._gate.release()

    def iterate_paused(self) -> None:
        self._await_resume(1.0)

    # ---- the loop

    def iterate(self) -> None:
        self._raise_delivery_error()
        if self._parts.admission is not None:
            self._parts.admission.wait(self.stopping)
        if not self._batch:
            self._batch = self._poll()
        if self._batch and not self.in_session():
            self.stopping.wait(_OUT_OF_SESSION_S)  # another worker may have the task by now; the batch is kept
        elif self._batch:
            with self._gate:
                self._refuse_if_cancelled()
                self._send_batch()

    def _refuse_if_cancelled(self) -> None:
        if self._cancelled:
            raise TaskStopped(f"{self.id} was cancelled; what it has polled is not sent any more")

    def _poll(self) -> Sequence[SourceRecord]:
        try:
            records = self._task.poll() or ()
        except RetriableError as error:
            _log.warning("%s: poll failed and will be called again: %s", self.id, error)
            self.stopping.wait(_POLL_RETRY_S)
            return ()
        self.polled += len(records)
        return records

    def _send_batch(self) -> None:
        """Hand the batch to the producer, in order. What an interruption leaves over stays in `_batch`."""
        batch = self._batch
        if self._producer is None:
            self._producer = self._make_producer()
        send = self._send_tracked if self._tracked else self._send_fast
        sent = 0
        if self.topics_forgotten.is_set():
            self.topics_forgotten.clear()
            self._parts.conversion.forget_topics()
        try:
            sent = send(batch, self._producer)
        finally:
            self._batch = () if sent == len(batch) else batch[sent:]
            self.written += sent
        self._producer.poll(0)

    def _make_producer(self) -> Producer:
        # With reports of errors only, a record costs no callback; see Ledger and Snapshot.
        only_errors = {} if self._tracked else {"delivery.report.only.error": True}
        return self._parts.producer(only_errors, on_delivery=self._on_delivery, error_cb=self._on_error)

    def _send_fast(self, records: Sequence[SourceRecord], producer: Producer) -> int:
        """The usual path: bound functions, no callback per record. Returns how many records were taken."""
        produce = producer.produce
        bind = self._bind
        admission = self._parts.admission
        taken = 0
        last: SourceRecord | None = None
        topic: str | None = None
        key_schema = value_schema = convert = None
        try:
            for record in records:
                if (
                    convert is None
                    or record.value_schema is not value_schema
                    or record.topic != topic
                    or record.key_schema is not key_schema
                ):
                    topic, key_schema, value_schema = record.topic, record.key_schema, record.value_schema
                    convert = bind(record)
                try:
                    out = convert(record)
                except Exception as error:
                    out = self._recover(record, error)
                if out is not None:
                    if self._cancelled:  # while a transform or converter was at work: another instance may be running
                        self._refuse_if_cancelled()
                    try:
                        produce(out[0], out[1], out[2], out[3], None, None, out[4], out[5])
                    except BufferError:
                        self._produce_when_room(producer, out)
                    if admission is not None:
                        admission.admit(out[0], len(out[1] or b"") + len(out[2] or b""))
                if (
                    last is not None
                    and record.source_partition is not last.source_partition
                    and record.source_partition != last.source_partition
                ):
                    self._snapshot.put(last.source_partition, last.source_offset)
                last = record
                taken += 1
        finally:
            if last is not None:
                self._snapshot.put(last.source_partition, last.source_offset)
        return taken

    def _send_tracked(self, records: Sequence[SourceRecord], producer: Producer) -> int:
        """With a callback per record: errors tolerated, or a task that wants `commit_record`."""
        taken = 0
        for record in records:
            try:
                out = self._bind(record)(record)
            except Exception as error:
                out = self._recover(record, error)
            entry = self._ledger.submit(record.source_partition, record.source_offset)
            if out is None:
                self._ledger.ack(entry)
                self._commit_record(record, None)
            else:
                self._produce_tracked(producer, out, record, entry)
            taken += 1
        return taken

    def _produce_tracked(self, producer: Producer, out: Outgoing, record: SourceRecord, entry: Entry) -> None:
        def delivered(error: KafkaError | None, message: Message) -> None:
            if error is None:
                self._ledger.ack(entry)
                self._commit_record(record, _Metadata(message))
            else:
                self._not_delivered(error, record, entry)

        try:
            self._produce_when_room(producer, out, delivered)
        except TaskStopped:
            self._ledger.withdraw(record.source_partition, entry)
            raise
        except ConnectError as error:
            self._ledger.withdraw(record.source_partition, entry)
            self._policy.failed(self._failure(record, ErrorStage.KAFKA_PRODUCE, "Producer", error))
            self._ledger.ack(self._ledger.submit(record.source_partition, record.source_offset))

    def _produce_when_room(
        self, producer: Producer, out: Outgoing, on_delivery: Callable[..., None] | None = None
    ) -> None:
        """produce(), waiting as long as the client's queue is full: the broker is slow or away."""
        while True:
            self._refuse_if_cancelled()
            try:
                producer.produce(
                    out[0], out[1], out[2], out[3], on_delivery=on_delivery, timestamp=out[4], headers=out[5]
                )
                return
            except BufferError:
                producer.poll(_FULL_QUEUE_WAIT_S)
                self._raise_delivery_error()
                if self.stopping.is_set():
                    raise TaskStopped(f"{self.id} was stopped while the producer's queue was full") from None
            except KafkaException as error:
                raise ConnectError(f"cannot produce to topic {out[0]}: {error.args[0].str()}") from error

    # ---- binding and errors

    def _bind(self, record: SourceRecord) -> Callable[[SourceRecord], Outgoing | None]:
        shape = Shape(record.topic, record.key_schema, record.value_schema)
        try:
            return self._parts.conversion.bind(shape, self._new_topic)
        except (TaskStopped, RetriableError):
            raise
        except Exception as error:
            # No record of this shape can be converted: each fails by itself, with its own position.
            failure = error

            def fail(record: SourceRecord) -> Outgoing | None:
                raise failure

            return fail

    def _new_topic(self, topic: str) -> None:
        retry_until_stopped(lambda: self._parts.topics.ensure(topic), self.stopping, str(self.id))
        self._parts.on_topic(topic)

    def _recover(self, record: SourceRecord, error: BaseException) -> Outgoing | None:
        """A record failed on the fast path: once more with retries; then tolerated (None) or the end of the task."""
        if isinstance(error, TaskStopped | KafkaException):
            raise error
        try:
            return self._policy.attempt(lambda: self._bind(record)(record))
        except TaskStopped:
            raise
        except Exception as again:
            stage, class_name, cause = locate(again)
            self._policy.failed(self._failure(record, stage, class_name, cause))
            return None

    def _failure(self, record: SourceRecord, stage: ErrorStage, class_name: str, error: BaseException) -> RecordFailure:
        position = f"source partition {dict(record.source_partition)}, source offset {dict(record.source_offset)}, topic {record.topic}"
        return RecordFailure(self.id, stage, class_name, error, position, record)

    def _on_delivery(self, error: KafkaError | None, message: Message) -> None:
        if error is not None:
            self._set_delivery_error(f"a record for {message.topic()} could not be written to Kafka: {error.str()}")

    def _on_error(self, error: KafkaError) -> None:
        if error.fatal():
            self._set_delivery_error(f"the producer failed for good: {error.str()}")
        elif error.code() == KafkaError._AUTHENTICATION:
            # As the Java client has it; the client would try again for ever, twenty times a second.
            self._set_delivery_error(f"the broker refuses the producer's credentials: {error.str()}")
        elif self._complaints.admit(error.str()):
            _log.warning("%s: producer: %s", self.id, error.str())

    def _set_delivery_error(self, text: str) -> None:
        with self._state_lock:
            if self._delivery_error is None:
                self._delivery_error = ConnectError(f"[{self.id.connector}|task-{self.id.task}] {text}")

    def _not_delivered(self, error: KafkaError, record: SourceRecord, entry: Entry) -> None:
        # KIP-779: with errors tolerated, a record that Kafka refuses is skipped like one that cannot be converted.
        text = f"could not be written to Kafka: {error.str()}"
        if not self._policy.tolerate_all:
            self._set_delivery_error(f"the record at source offset {dict(record.source_offset)} {text}")
            return
        self._policy.failed(self._failure(record, ErrorStage.KAFKA_PRODUCE, "Producer", ConnectError(text)))
        self._ledger.ack(entry)
        self._commit_record(record, None)

    def _raise_delivery_error(self) -> None:
        with self._state_lock:
            error = self._delivery_error
        if error is not None:
            raise error

    def _commit_record(self, record: SourceRecord, metadata: Any) -> None:
        try:
            self._task.commit_record(record, metadata)
        except Exception as error:
            _log.error("%s: the task's commit_record() raised: %s", self.id, error, exc_info=error)

    # ---- offsets

    def poll_producer(self) -> None:
        """Serve the client's callbacks while the task's `poll` blocks."""
        producer = self._producer
        if producer is not None:
            producer.poll(0)

    def commit_offsets(self) -> bool:
        """Store the offsets of everything acknowledged. False if that did not work out; what is pending stays so."""
        if not self._gate.acquire(timeout=self._parts.flush_timeout_s):
            _log.error(
                "%s: offsets not committed: the producer's queue is full, the broker is slow or away; trying again later",
                self.id,
            )
            return False
        try:
            producer = self._producer
            if producer is None:
                return True
            stored = self._commit_tracked(producer) if self._tracked else self._commit_snapshot(producer)
        finally:
            self._gate.release()
        if stored:
            try:
                self._task.commit()
            except Exception as error:
                _log.error("%s: the task's commit() raised: %s", self.id, error, exc_info=error)
        return stored

    def _commit_snapshot(self, producer: Producer) -> bool:
        if not self._snapshot:
            return True
        if not self._flushed(producer):
            return False
        return self._store(self._snapshot.pending()) and self._forget_snapshot()

    def _forget_snapshot(self) -> bool:
        self._snapshot.committed()
        return True

    def _commit_tracked(self, producer: Producer) -> bool:
        if self.stopping.is_set():
            producer.flush(self._parts.flush_timeout_s)
        else:
            producer.poll(0)
        self._uncommitted += self._ledger.committable()
        if self._uncommitted:
            if not self._store(self._uncommitted):
                return False
            self._uncommitted = []
        return True

    def _flushed(self, producer: Producer) -> bool:
        with self._state_lock:
            if self._delivery_error is not None:
                return False  # nothing of the snapshot may be committed any more, however the rest fares
        remaining = producer.flush(self._parts.flush_timeout_s)
        if remaining:
            _log.error(
                "%s: offsets not committed: %d records not acknowledged within offset.flush.timeout.ms; trying again later",
                self.id,
                remaining,
            )
        with self._state_lock:
            return not remaining and self._delivery_error is None

    def _store(self, offsets: list[tuple[Mapping[str, Any], Mapping[str, Any]]]) -> bool:
        if self._cancelled or not self.in_session():
            _log.warning("%s: offsets not committed: another worker may have the task by now", self.id)
            return False
        try:
            self._parts.offsets.write(self.id.connector, offsets)
        except ConnectError as error:
            # The records are in Kafka; only the offsets are not stored. Going on is safe: they may come twice.
            _log.error("%s: offsets not committed: %s", self.id, error)
            return False
        return True


class _Metadata:
    """Where a record ended up (`penstock.api.RecordMetadata`)."""

    __slots__ = ("offset", "partition", "topic")

    def __init__(self, message: Message) -> None:
        self.topic = message.topic() or ""
        self.partition = message.partition() if message.partition() is not None else -1
        self.offset = message.offset()
