"""The sink loop: consume, convert, transform, put, commit offsets. At least once.

Source of the rules: ``WorkerSinkTask`` of Kafka Connect 4.3. Everything, the consumer's rebalance callbacks included,
happens in the task's own thread.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from typing import Final, Protocol

from confluent_kafka import Consumer, KafkaError, KafkaException, Message
from confluent_kafka import TopicPartition as _TopicPartition

from penstock.api import SinkTask, TopicPartition
from penstock.data import SinkRecord
from penstock.errors import ConnectError, RetriableError, TaskStopped
from penstock.kafka.repeats import Repeats
from penstock.runtime.conversion import SinkConversion, locate
from penstock.runtime.sink_context import WorkerSinkTaskContext
from penstock.runtime.sink_offsets import SinkOffsets
from penstock.runtime.status import ConnectorTaskId, StatusListener, TargetState
from penstock.runtime.task import WorkerTask
from penstock.runtime.tolerance import ErrorPolicy, ErrorStage, RecordFailure

__all__ = ["Consumption", "SinkTaskParts", "WorkerSinkTask"]

_log: Final = logging.getLogger(__name__)
#: The longest a round waits for messages: a pause or a stop takes effect after it.
_POLL_S: Final = 1.0
#: The first pause after a RetriableError from put, unless the task asks for another.
_RETRY_S: Final = 3.0
#: How long a cancelling thread waits for a call to the client to end.
_CANCEL_WAIT_S: Final = 1.5
#: One look whether the worker is in its group's session again, or the task is stopped.
_OUT_OF_SESSION_S: Final = 0.1
_IGNORED: Final = {KafkaError._PARTITION_EOF, KafkaError.UNKNOWN_TOPIC_OR_PART, KafkaError._UNKNOWN_TOPIC}


class Consumption(Protocol):
    """Told what a sink has taken in; only ``penstock dev`` listens, see `penstock.runtime.admission`."""

    def consumed(self, topic: str, size: int) -> None: ...


@dataclass(frozen=True, slots=True)
class SinkTaskParts:
    """What the worker hands a sink task; see `penstock.runtime.worker`."""

    task: SinkTask
    config: Mapping[str, str]
    configs: Callable[[], Mapping[str, str]]
    conversion: SinkConversion
    policy: ErrorPolicy
    #: Makes the consumer, given its callbacks.
    consumer: Callable[..., Consumer]
    #: Names, or one regular expression that starts with ``^``.
    topics: Sequence[str]
    max_poll_records: int
    cooperative: bool
    commit_interval_s: float
    commit_timeout_s: float
    on_topic: Callable[[str], None]
    reports: bool = False
    consumption: Consumption | None = None
    clock: Callable[[], float] = time.monotonic


class WorkerSinkTask(WorkerTask):
    """One sink task in its thread."""

    def __init__(
        self, task_id: ConnectorTaskId, listener: StatusListener, target: TargetState, parts: SinkTaskParts
    ) -> None:
        super().__init__(task_id, listener, target)
        self._parts = parts
        self._task = parts.task
        self._clock = parts.clock
        self._context = WorkerSinkTaskContext(self, parts.configs, parts.reports)
        self._consumer: Consumer | None = None
        #: Held in every call to the client: whoever cancels the task may close it only in between.
        self._client_lock = threading.RLock()
        self._started = False
        #: What the task has been given but has not taken: a RetriableError keeps it for another try.
        self._batch: list[SinkRecord] = []
        self._offsets = SinkOffsets(str(task_id))
        self._report_lock = threading.Lock()
        self._next_commit = 0.0
        self._retry_at: float | None = None
        self._seen_topics: set[str] = set()
        #: What the client says only to its error callback; the loop looks at it.
        self._client_error: KafkaError | None = None
        self._complaints = Repeats()
        self.read = 0
        self.sent = 0

    @property
    def version(self) -> str:
        return type(self._task).version

    @property
    def idle(self) -> bool:
        """Everything read was taken by the task."""
        return not self._batch and self._retry_at is None

    # ---- life

    def initialize(self) -> None:
        self._parts.policy.prepare()
        self._consumer = self._parts.consumer({}, error_cb=self._on_error, on_commit=self._on_commit)
        self._started = True
        self._task.initialize(self._context)
        self._task.start(self._parts.config)
        self._next_commit = self._clock() + self._parts.commit_interval_s
        with self._client_lock:
            self.consumer.subscribe(
                list(self._parts.topics), on_assign=self._on_assign, on_revoke=self._on_revoke, on_lost=self._on_lost
            )

    def close(self, failed: bool) -> None:
        try:
            if self._consumer is not None and self._offsets.assigned and not self._cancelled:
                # Also after a failure: only what put() took is in the current offsets.
                self._close_partitions(list(self._offsets.assigned), commit=True)
        finally:
            try:
                if self._started:
                    self._task.stop()
            finally:
                self._close_client()
                self._parts.conversion.close()
                self._parts.policy.close()

    def _close_client(self) -> None:
        with self._client_lock:
            consumer, self._consumer = self._consumer, None
            if consumer is not None:
                consumer.close()

    def on_cancel(self) -> None:
        # From here on no call reaches the client, `consumer` sees to that: nothing is committed. Closing it gives the
        # partitions to others at once; it may take a while if no broker answers, and waits for nobody.
        def close() -> None:
            if self._client_lock.acquire(timeout=_CANCEL_WAIT_S):
                try:
                    self._close_client()
                finally:
                    self._client_lock.release()
            else:
                _log.warning("%s is inside a call to Kafka; its consumer leaves the group once that ends", self.id)

        threading.Thread(target=close, name=f"cancel-{self.id}", daemon=True).start()

    def on_paused(self) -> None:
        self._pause_all()

    def on_resumed(self) -> None:
        if self._retry_at is None:
            self._resume_all()

    # ---- the loop

    def iterate(self) -> None:
        if not self.in_session():
            self.stopping.wait(_OUT_OF_SESSION_S)  # another worker may have the task by now
            return
        self._commit_if_due()
        self._context.apply_rewinds()
        messages = self._poll(self._wait())
        if messages:
            self._convert(messages)
        self._deliver()

    def iterate_paused(self) -> None:
        self._commit_if_due()
        messages = self._poll(_POLL_S)
        if messages:  # taken before the pause reached the client: keep for later
            self._convert(messages)

    def _wait(self) -> float:
        now = self._clock()
        wait = min(_POLL_S, max(0.0, self._next_commit - now))
        return wait if self._retry_at is None else min(wait, max(0.0, self._retry_at - now))

    def _poll(self, timeout: float) -> list[Message]:
        """One message with patience, then what else is there: consume(n) alone would wait until it has n."""
        with self._client_lock:
            consumer = self.consumer
            first = consumer.poll(timeout)
            self._check(self._client_error)
            if first is None:
                return []
            return [first, *consumer.consume(self._parts.max_poll_records - 1, 0)]

    def _convert(self, messages: Sequence[Message]) -> None:
        """Messages to records, in order; the offsets move also past those that are dropped or tolerated."""
        if self.topics_forgotten.is_set():
            self.topics_forgotten.clear()
            self._seen_topics.clear()
        to_record = self._parts.conversion.record
        append = self._batch.append
        consumption = self._parts.consumption
        topic: str | None = None
        partition = offset = first = -1
        for message in messages:
            error = message.error()
            if error is not None:
                self._check(error)
                continue
            self.read += 1
            place = message.topic(), message.partition()
            if place[1] != partition or place[0] != topic:
                self._advance(topic, partition, first, offset)
                topic, partition, first = _place(message)
            offset = message.offset()  # type: ignore[assignment]  # consumed: it has one
            try:
                record = to_record(message, topic, partition, offset)  # type: ignore[arg-type]  # set above
            except Exception as failure:
                record = self._recover(message, failure)
            if record is not None:
                append(record)
            if consumption is not None:
                consumption.consumed(topic or "", len(message.value() or b"") + len(message.key() or b""))
        self._advance(topic, partition, first, offset)

    def _advance(self, topic: str | None, partition: int, first: int, last: int) -> None:
        """A run of messages of one partition was read; where the rebalance inside the client just took it away, the
        records are dropped again."""
        if topic is None:
            return
        key = TopicPartition(topic, partition)
        if key not in self._offsets.assigned:
            self._drop_from_batch({key})
            return
        self._offsets.read(key, first, last)
        if topic not in self._seen_topics:
            self._seen_topics.add(topic)
            self._parts.on_topic(topic)

    def _recover(self, message: Message, error: BaseException) -> SinkRecord | None:
        if isinstance(error, TaskStopped):
            raise error
        self._refuse_if_cancelled()
        try:
            return self._parts.policy.attempt(lambda: self._parts.conversion.record(message, *_place(message)))
        except TaskStopped:
            raise
        except Exception as again:
            stage, class_name, cause = locate(again)
            topic, partition, offset = _place(message)
            position = f"topic {topic}, partition {partition}, offset {offset}"
            failure = RecordFailure(self.id, stage, class_name, cause, position, message)
            self._offsets.remember(TopicPartition(topic, partition), self._parts.policy.failed(failure))
            return None

    def report_errant(self, record: SinkRecord, error: BaseException) -> Future[None]:
        """KIP-610: the task could not write `record`. Safe from any thread. A cancelled task reports nothing any more."""
        self._refuse_if_cancelled()
        place = TopicPartition(record.original_topic or "", record.original_partition or 0)
        position = f"topic {place.topic}, partition {place.partition}, offset {record.original_offset}"
        failure = RecordFailure(self.id, ErrorStage.TASK_PUT, type(self._task).__qualname__, error, position, record)
        with self._report_lock:
            waiting = self._parts.policy.failed(failure)
            self._offsets.remember(place, waiting)
        if waiting:
            return waiting[0]
        done: Future[None] = Future()
        done.set_result(None)
        return done

    def _deliver(self) -> None:
        """Give the batch to the task; an empty one too, so that time passes for it."""
        if self._retry_at is not None and self._clock() < self._retry_at:
            return
        if self.paused or self.stopping.is_set() or not self.in_session():
            return
        try:
            self._task.put(list(self._batch))
        except RetriableError as error:
            self._put_again_later(error)
            return
        except TaskStopped:
            raise
        except Exception as error:
            raise self._put_failed(error) from error
        self.sent += len(self._batch)
        self._offsets.taken()
        self._batch = []
        if self._retry_at is not None:
            self._retry_at = None
            self._resume_all()

    def _put_failed(self, error: Exception) -> ConnectError:
        first = self._batch[0] if self._batch else None
        where = (
            f"{first.original_topic}-{first.original_partition} from offset {first.original_offset}"
            if first
            else "an empty batch"
        )
        who = f"[{self.id.connector}|task-{self.id.task}] put() of {type(self._task).__qualname__}"
        return ConnectError(f"{who} failed for {len(self._batch)} records ({where}): {error}")

    def _put_again_later(self, error: RetriableError) -> None:
        # Keep polling with everything paused: leaving poll() alone would lose the group membership.
        _log.error(
            "%s: put() failed and will be tried again with the same %d records: %s", self.id, len(self._batch), error
        )
        timeout = self._context.take_timeout()
        self._retry_at = self._clock() + (_RETRY_S if timeout is None else timeout)
        self._pause_all()

    # ---- offsets

    def _refuse_if_cancelled(self) -> None:
        if self._cancelled:
            raise TaskStopped(f"{self.id} was cancelled; it has nothing to say to Kafka any more")

    @property
    def consumer(self) -> Consumer:
        """To be used with `_client_lock` held. Raises `TaskStopped` once the task is cancelled."""
        self._refuse_if_cancelled()
        if self._consumer is None:
            raise ConnectError(f"{self.id}: the consumer is not there yet; use the context after start()")
        return self._consumer

    def _commit_if_due(self) -> None:
        if self._clock() >= self._next_commit or self._context.take_commit_request():
            self._next_commit = self._clock() + self._parts.commit_interval_s
            if self._offsets.assigned:
                self._commit(list(self._offsets.assigned), closing=False)

    def _commit(self, partitions: Sequence[TopicPartition], closing: bool) -> None:
        if self._offsets.awaits_reports:
            self._parts.policy.flush(self._parts.commit_timeout_s)
        asked = self._offsets.to_commit(partitions)
        if not asked:
            return
        try:
            agreed = self._task.pre_commit(dict(asked))
        except Exception as error:
            if closing:
                _log.warning(
                    "%s: pre_commit() failed while closing, offsets are not committed: %s",
                    self.id,
                    error,
                    exc_info=error,
                )
            else:
                _log.error(
                    "%s: pre_commit() failed, going back to the last committed offsets: %s",
                    self.id,
                    error,
                    exc_info=error,
                )
                self._rewind(partitions)
            return
        offsets = self._offsets.safe(agreed or {}, asked)
        if offsets:
            self._commit_to_kafka(offsets, closing)

    def _commit_to_kafka(self, offsets: Mapping[TopicPartition, int], synchronous: bool) -> None:
        positions = [_TopicPartition(p.topic, p.partition, o) for p, o in offsets.items()]
        try:
            with self._client_lock:
                if synchronous:
                    self.consumer.commit(offsets=positions, asynchronous=False)
                else:
                    self.consumer.commit(offsets=positions, asynchronous=True)
            if synchronous:
                for partition, offset in offsets.items():
                    self._offsets.committed(partition, offset)
        except KafkaException as error:
            _log.error("%s: commit of offsets failed: %s", self.id, error.args[0].str())

    def _on_commit(self, error: KafkaError | None, partitions: Sequence[_TopicPartition]) -> None:
        """An asynchronous commit's answer, inside poll(). What failed goes with the next interval's commit."""
        if error is not None:
            _log.error("%s: commit of offsets failed: %s", self.id, error.str())
            return
        for position in partitions:
            if position.error is None:
                self._offsets.committed(TopicPartition(position.topic, position.partition), position.offset)

    def _rewind(self, partitions: Sequence[TopicPartition]) -> None:
        self._batch = []
        self._offsets.drop_batch()
        for partition in partitions:
            offset = self._offsets.start_of(partition)
            if offset is not None:
                self.seek(partition, offset)

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go on from `offset`; what was read ahead of it is forgotten."""
        with self._client_lock:
            self.consumer.seek(_TopicPartition(partition.topic, partition.partition, offset))
        self._offsets.seek(partition, offset)
        self._drop_from_batch({partition})

    def _drop_from_batch(self, partitions: Collection[TopicPartition]) -> None:
        self._batch[:] = [r for r in self._batch if (r.original_topic, r.original_partition) not in partitions]

    # ---- partitions come and go; called inside poll() and consume()

    def _on_assign(self, consumer: Consumer, partitions: list[_TopicPartition]) -> None:
        added = [TopicPartition(p.topic, p.partition) for p in partitions]
        self._offsets.assigned.update(added)
        if added and not self.stopping.is_set():
            # Before the client knows: where the task wants to begin goes into the assignment itself.
            self._task.open(added)
        wanted = self._context.take_rewinds(added)
        for position in partitions:
            start = wanted.get(TopicPartition(position.topic, position.partition))
            if start is not None:
                position.offset = start
        if self._parts.cooperative:
            consumer.incremental_assign(partitions)
        else:
            consumer.assign(partitions)
        if self.paused or self._retry_at is not None:
            self._pause_all()
        elif paused := [p for p in added if p in self._context.paused]:
            self.pause_partitions(paused)

    def _on_revoke(self, consumer: Consumer, partitions: list[_TopicPartition]) -> None:
        self._take_away(consumer, partitions, commit=True)

    def _on_lost(self, consumer: Consumer, partitions: list[_TopicPartition]) -> None:
        # Another member may own them by now: nothing may be committed for them.
        self._take_away(consumer, partitions, commit=False)

    def _take_away(self, consumer: Consumer, partitions: list[_TopicPartition], commit: bool) -> None:
        gone = [TopicPartition(p.topic, p.partition) for p in partitions]
        try:
            known = [p for p in gone if p in self._offsets.assigned]
            # A cancelled task's own thread may be in `put` still, and this one may be the one that closes the client.
            if known and not self._cancelled:
                self._close_partitions(known, commit)
        finally:
            if self._parts.cooperative:
                consumer.incremental_unassign(partitions)
            else:
                consumer.unassign()

    def _close_partitions(self, partitions: list[TopicPartition], commit: bool) -> None:
        try:
            if commit:
                self._commit(partitions, closing=True)
        finally:
            self._offsets.forget(partitions)
            self._drop_from_batch(set(partitions))
            self._task.close(partitions)

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._offsets.assigned)

    def pause_partitions(self, partitions: Sequence[TopicPartition]) -> None:
        with self._client_lock:
            self.consumer.pause(self._positions(partitions))

    def resume_partitions(self, partitions: Sequence[TopicPartition]) -> None:
        with self._client_lock:
            self.consumer.resume(self._positions(partitions))

    def _positions(self, partitions: Sequence[TopicPartition]) -> list[_TopicPartition]:
        """Those the client has: during `open` it does not have the new ones yet."""
        has = {(p.topic, p.partition) for p in self.consumer.assignment()}
        return [_TopicPartition(p.topic, p.partition) for p in partitions if p in has]

    def _pause_all(self) -> None:
        self.pause_partitions(list(self._offsets.assigned))

    def _resume_all(self) -> None:
        self.resume_partitions([p for p in self._offsets.assigned if p not in self._context.paused])

    # ---- the client's complaints

    def _check(self, error: KafkaError | None) -> None:
        if error is None or error.code() in _IGNORED:
            if error is not None and error.code() != KafkaError._PARTITION_EOF:
                _log.info("%s: consumer: %s", self.id, error.str())
            return
        if error.fatal() or error.code() in (
            KafkaError._AUTO_OFFSET_RESET,
            KafkaError.TOPIC_AUTHORIZATION_FAILED,
            KafkaError.GROUP_AUTHORIZATION_FAILED,
            KafkaError._AUTHENTICATION,
        ):
            raise ConnectError(f"[{self.id.connector}|task-{self.id.task}] cannot consume: {error.str()}")
        _log.warning("%s: consumer: %s", self.id, error.str())

    def _on_error(self, error: KafkaError) -> None:
        if error.code() == KafkaError._AUTHENTICATION and self._client_error is None:
            self._client_error = error  # it would try again for ever, twenty times a second
        if self._complaints.admit(error.str()):
            _log.warning("%s: consumer: %s", self.id, error.str())


def _place(message: Message) -> tuple[str, int, int]:
    """Topic, partition and offset of a consumed message, which has all three."""
    return message.topic() or "", message.partition() or 0, message.offset() or 0
