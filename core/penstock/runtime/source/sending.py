"""A polled batch's way to the producer: bind a shape, convert, hand over, and what becomes of a record that fails.

Two loops. The usual one hands over runs of records with one callback for all of them, by the client's raw call: what is
in it costs every record. The other hands over record by record, for tasks that want to hear of each.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from penstock.api import Shape
from penstock.data import SourceRecord
from penstock.errors import ConnectError, RetriableError, TaskStopped
from penstock.kafka.errors import CLIENT_ERRORS
from penstock.kafka.producing import Delivered, Outgoing
from penstock.runtime.conversion import locate
from penstock.runtime.meters import TaskMeter
from penstock.runtime.source.conversion import Convert, SourceConversion
from penstock.runtime.source.delivery import Delivery, Run
from penstock.runtime.source.straight import END, Hand, Handed
from penstock.runtime.source.topics import TopicCreation
from penstock.runtime.status import ConnectorTaskId
from penstock.runtime.tolerance import ErrorPolicy, ErrorStage, NotTolerable, RecordFailure, retry_until_stopped

__all__ = ["CutOff", "Sending"]


class CutOff:
    """A switch that cuts the task off from Kafka: nothing may be sent any more. A plain attribute, since it is looked at
    for every record; once set, from any thread, it stays."""

    __slots__ = ("now",)

    def __init__(self) -> None:
        self.now = False


class Sending:
    """Sends the batches of one source task. For the task's thread, but `not_written`."""

    def __init__(
        self,
        task_id: ConnectorTaskId,
        conversion: SourceConversion,
        policy: ErrorPolicy,
        topics: TopicCreation,
        meter: TaskMeter,
        delivery: Delivery,
        cut_off: CutOff,
    ) -> None:
        self._id, self._cut_off = task_id, cut_off
        self._label = f"[{task_id.connector}|task-{task_id.task}]"
        self._conversion, self._policy, self._topics = conversion, policy, topics
        self._meter, self._delivery = meter, delivery
        #: The number of records of the last `send` that were handed over or dropped.
        self.taken = self._total = 0
        #: The records that were handed over, kept if a flow wants to hear of them.
        self._sent: list[Outgoing] | None = None if meter.flow is None else []

    def send(self, records: Sequence[SourceRecord]) -> None:
        """Hand `records` over, in order. Raises what ends the task, or `TaskStopped`; `taken` counts how many were."""
        self.taken, self._total = 0, len(records)
        if self._delivery.per_record:
            self._send_each(records)
        else:
            self._send_runs(records)

    # ---- the two loops

    def _send_runs(self, records: Sequence[SourceRecord]) -> None:
        delivery, cut_off, sent = self._delivery, self._cut_off, self._sent
        produce, bind, unproven = delivery.produce, self._bind, delivery.unproven
        hand = Hand(produce, self._hand_over, unproven, cut_off, sent)
        run: Run | None = None
        ticket: Delivered | None = None
        handed = Handed()
        partition = topic = key_schema = value_schema = convert = straight = None
        failed: Exception | None = None  # the error that `record` met on the straight way
        rest = iter(records)
        record = next(rest, END)
        try:
            while record is not END:
                follows = True  # the record before it had its shape, and went to its run
                if (record.source_partition is not partition and record.source_partition != partition) or run is None:
                    partition, ticket, follows = record.source_partition, None, False
                    _close(run, handed)
                    run = delivery.run(partition)
                    ticket = run.ticket()
                if (
                    convert is None
                    or record.value_schema is not value_schema
                    or record.topic != topic
                    or record.key_schema is not key_schema
                ):
                    topic, key_schema, value_schema = record.topic, record.key_schema, record.value_schema
                    convert, follows = bind(record), False
                    straight = self._conversion.straight(Shape(topic, key_schema, value_schema))
                try:
                    if failed is not None:
                        raise failed
                    out = convert(record)
                except Exception as error:
                    failed = None
                    out = self._recover(record, error)
                if out is not None:
                    if out[5] is not None and run.kept is not None:
                        run.kept.append(out)
                    if unproven or cut_off.now:
                        self._hand_over(record, out, ticket)
                    else:
                        try:
                            produce(out[0], out[1], out[2], out[3], ticket, None, out[4], out[5])
                        except CLIENT_ERRORS:
                            self._hand_over(record, out, ticket)
                    handed.written += 1
                    if sent is not None:
                        sent.append(out)
                handed.last = record
                handed.taken += 1
                if follows and straight is not None:  # where shapes or partitions take turns it would stop at once
                    record, failed = straight(rest, handed, hand, partition, ticket, run.kept)
                else:
                    record = next(rest, END)
        finally:
            ticket = None
            _close(run, handed)
            self._count(handed.taken, handed.written)

    def _send_each(self, records: Sequence[SourceRecord]) -> None:
        delivery, sent = self._delivery, self._sent
        taken = written = 0
        try:
            for record in records:
                try:
                    out = self._bind(record)(record)
                except Exception as error:
                    out = self._recover(record, error)
                if self._cut_off.now:
                    self._refuse_to_send()
                if out is None or not self._handed_over(record, out):
                    delivery.drop(record)
                else:
                    written += 1
                    if sent is not None:
                        sent.append(out)
                taken += 1
        finally:
            self._count(taken, written)

    def _count(self, taken: int, written: int) -> None:
        self.taken = taken
        self._delivery.handed_over(written)
        self._meter.wrote(written, self._total - taken + self._delivery.outstanding)
        if self._sent and self._meter.flow is not None:
            amounts: dict[str, tuple[int, int]] = {}
            for out in self._sent:
                records, size = amounts.get(out[0], (0, 0))
                amounts[out[0]] = records + 1, size + len(out[1] or b"") + len(out[2] or b"")
            self._meter.flow.produced(amounts)
            self._sent.clear()

    # ---- one record

    def _hand_over(self, record: SourceRecord, out: Outgoing, ticket: Delivered | None) -> None:
        """Hand over one record of a run, where the loop's own call will not do: the queue is full, the topic is new,
        the record is refused, or the task is cancelled."""
        assert ticket is not None
        delivery = self._delivery
        if out[0] in delivery.unproven:
            ticket = delivery.first_ticket(out[0], ticket)
        while True:
            if self._cut_off.now:  # while a transform or converter was at work: another instance may be running
                self._refuse_to_send()
            try:
                return delivery.produce(out[0], out[1], out[2], out[3], ticket, None, out[4], out[5])
            except BufferError:
                delivery.wait_for_room()
            except CLIENT_ERRORS as error:
                self._policy.failed(
                    self._failure(record, ErrorStage.KAFKA_PRODUCE, "Producer", delivery.refusal(error, out))
                )
                return None

    def _handed_over(self, record: SourceRecord, out: Outgoing) -> bool:
        """Hand over one record by itself; False if Kafka refuses it at once and that is tolerated."""
        try:
            self._delivery.send(record, out)
        except TaskStopped:
            raise
        except ConnectError as error:
            self.not_written(record, error)
            return False
        return True

    def _refuse_to_send(self) -> None:
        raise TaskStopped(f"{self._label} was cancelled; what it has polled is not sent any more")

    # ---- binding and errors

    def _bind(self, record: SourceRecord) -> Convert:
        shape = Shape(record.topic, record.key_schema, record.value_schema)
        try:
            return self._conversion.bind(shape, self._new_topic)
        except (TaskStopped, RetriableError, NotTolerable):
            raise
        except Exception as error:
            # The converters refuse this shape: each record fails by itself, with its own position.
            return _failing(error)

    def _new_topic(self, topic: str) -> None:
        try:
            retry_until_stopped(lambda: self._topics.ensure(topic), self._policy.stopping, self._label)
        except TaskStopped:
            raise
        except ConnectError as error:
            # Every record of the topic would meet the same: tolerated, they would all be lost without a trace.
            raise NotTolerable(f"{self._label} Unable to create topic(s) {topic}: {error.message}") from error
        self._delivery.meet_topic(topic)

    def _recover(self, record: SourceRecord, error: BaseException) -> Outgoing | None:
        """Try a record that failed once more, with retries; then it is left out (None), or it ends the task."""
        if isinstance(error, TaskStopped | NotTolerable):
            raise error
        try:
            return self._policy.attempt(lambda: self._bind(record)(record))
        except (TaskStopped, NotTolerable):
            raise
        except Exception as again:
            stage, class_name, cause = locate(again)
            self._policy.failed(self._failure(record, stage, class_name, cause))
            return None

    def not_written(self, record: SourceRecord, error: ConnectError) -> None:
        """Report a record that Kafka did not take (KIP-779). Returns if that is tolerated. Called from any thread."""
        self._policy.failed(self._failure(record, ErrorStage.KAFKA_PRODUCE, "Producer", error))

    def _failure(self, record: SourceRecord, stage: ErrorStage, class_name: str, error: BaseException) -> RecordFailure:
        bound = ", in a transaction" if self._delivery.all_or_nothing else ""
        position = f"source partition {dict(record.source_partition)}, source offset {dict(record.source_offset or {})}{bound}, topic {record.topic}"
        return RecordFailure(self._id, stage, class_name, error, position, record)


def _close(run: Run | None, handed: Handed) -> None:
    """Close a run behind the last of its records that was taken."""
    if run is not None:
        run.close(None if handed.last is None else handed.last.source_offset)
    handed.last = None


def _failing(error: Exception) -> Callable[[SourceRecord], Outgoing | None]:
    def fail(record: SourceRecord) -> Outgoing | None:
        raise error

    return fail
