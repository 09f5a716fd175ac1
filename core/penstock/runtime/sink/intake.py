"""From consumed messages to the batch that the task is given, and to dead letters."""

from __future__ import annotations

import threading
from collections.abc import Collection, Sequence
from concurrent.futures import Future

from penstock.api import TopicPartition
from penstock.data import SinkRecord
from penstock.errors import TaskStopped
from penstock.kafka.consuming import GroupConsumer, Message
from penstock.runtime.conversion import locate
from penstock.runtime.sink.offsets import SinkOffsets
from penstock.runtime.sink.parts import SinkTaskParts
from penstock.runtime.sink.straight import StraightRun
from penstock.runtime.status import ConnectorTaskId
from penstock.runtime.tolerance import ErrorStage, RecordFailure, ToleranceExceeded

__all__ = ["Intake"]


class Intake:
    """Converts messages in order and keeps the records until the task takes them. For the task's thread, but `report`."""

    def __init__(
        self,
        task_id: ConnectorTaskId,
        parts: SinkTaskParts,
        offsets: SinkOffsets,
        client: GroupConsumer,
        topics_forgotten: threading.Event,
    ) -> None:
        self._id = task_id
        self._parts = parts
        self._offsets = offsets
        self._client = client
        self._topics_forgotten = topics_forgotten
        self._seen_topics: set[str] = set()
        self._report_lock = threading.Lock()
        #: The records that the task has been given but has not taken: a RetriableError keeps them for another try.
        self.batch: list[SinkRecord] = []
        #: A record that is not tolerated: nothing behind it is converted. The task fails with this once it has taken what
        #: came before, so that the committed offset stands at the record, and stepping over it loses nothing else.
        self.failure: ToleranceExceeded | None = None
        self._meter = parts.policy.meter

    def convert(self, messages: Sequence[Message]) -> None:
        """Messages to records, in order; the offsets move also past those that are dropped or tolerated. At one that is
        not tolerated, `failure` is set, and this and later calls convert no more."""
        if self.failure is not None:
            return
        if self._topics_forgotten.is_set():
            self._topics_forgotten.clear()
            self._seen_topics.clear()
        conversion, append = self._parts.conversion, self.batch.append
        topic: str | None = None
        partition = offset = first = -1
        read = len(messages)
        rest = iter(messages)
        message = next(rest, None)
        failed: Exception | None = None  # the error that `message` met on the straight way
        straight: StraightRun | None = None
        new_run = False
        while message is not None:
            error = message.error()
            if error is not None:
                read -= 1
                self._client.check(error)
                message = next(rest, None)
                continue
            place = message.topic(), message.partition()
            if place[1] != partition or place[0] != topic:
                self._advance(topic, partition, first, offset)
                topic, partition, first = _place(message)
                new_run = True
            offset = message.offset()  # type: ignore[assignment]  # consumed: it has one
            try:
                if failed is not None:
                    raise failed
                record = conversion.record(message, topic, partition, offset)  # type: ignore[arg-type]  # set above
            except Exception as failure:
                try:
                    record = self._recover(message, failure)
                except ToleranceExceeded as end:
                    self.failure = end  # what was read before is delivered first (Delivery 11.)
                    read -= len(messages) - 1 - messages.index(message)
                    offset -= 1
                    break
            if record is not None:
                append(record)
            if new_run:  # from the second message of a run on: where places take turns the loop would stop at once
                straight, new_run = conversion.straight(topic), False  # type: ignore[arg-type]  # set above
                message, failed = next(rest, None), None
            elif straight is None:
                message, failed = next(rest, None), None
            else:
                message, offset, failed = straight(rest, partition, offset, append)
        self._advance(topic, partition, first, offset)
        self._meter.read(read, self._offsets.behind())
        if self._meter.flow is not None:
            self._meter.flow.consumed(_amounts(messages))

    def drop(self, partitions: Collection[TopicPartition]) -> None:
        """Forget the records that came from `partitions`, whatever a transform has made of their topic since."""
        self.batch[:] = [r for r in self.batch if (r.original_topic, r.original_partition) not in partitions]

    def _advance(self, topic: str | None, partition: int, first: int, last: int) -> None:
        """Note that a run of messages of one partition was read. If the rebalance inside the client just took the
        partition away, its records are dropped again."""
        if topic is None:
            return
        key = TopicPartition(topic, partition)
        if key not in self._offsets.assigned:
            self.drop({key})
            return
        self._offsets.read(key, first, last)
        if topic not in self._seen_topics:
            self._seen_topics.add(topic)
            self._parts.on_topic(topic)

    def _recover(self, message: Message, error: BaseException) -> SinkRecord | None:
        if isinstance(error, TaskStopped):
            raise error
        self._client.refuse_if_cut_off()
        policy = self._parts.policy
        try:
            return policy.attempt(lambda: self._parts.conversion.record(message, *_place(message)))
        except TaskStopped:
            raise
        except Exception as again:
            stage, class_name, cause = locate(again)
            topic, partition, offset = _place(message)
            position = f"topic {topic}, partition {partition}, offset {offset}"
            failure = RecordFailure(self._id, stage, class_name, cause, position, message)
            self._offsets.remember(TopicPartition(topic, partition), offset, policy.failed(failure))
            return None

    def report(self, record: SinkRecord, error: BaseException) -> Future[None]:
        """KIP-610: the task could not write `record`. Safe from any thread. A cancelled task reports nothing any more."""
        self._client.refuse_if_cut_off()
        place = TopicPartition(record.original_topic or "", record.original_partition or 0)
        offset = record.original_offset or 0
        position = f"topic {place.topic}, partition {place.partition}, offset {offset}"
        plugin = type(self._parts.task).__qualname__
        failure = RecordFailure(self._id, ErrorStage.TASK_PUT, plugin, error, position, record)
        with self._report_lock:
            waiting = self._parts.policy.failed(failure)
            self._offsets.remember(place, offset, waiting)
        if waiting:
            return waiting[0]
        done: Future[None] = Future()
        done.set_result(None)
        return done


def _amounts(messages: Sequence[Message]) -> dict[str, tuple[int, int]]:
    """By topic, how many records with how many bytes of key and value."""
    found: dict[str, tuple[int, int]] = {}
    for message in messages:
        if message.error() is None:
            count, size = found.get(message.topic() or "", (0, 0))
            size += len(message.value() or b"") + len(message.key() or b"")
            found[message.topic() or ""] = count + 1, size
    return found


def _place(message: Message) -> tuple[str, int, int]:
    """Topic, partition and offset of a consumed message, which has all three."""
    return message.topic() or "", message.partition() or 0, message.offset() or 0
