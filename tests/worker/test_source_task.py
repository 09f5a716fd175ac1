"""The source loop over a fake producer: what is sent, what is committed, what an error does."""

import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from confluent_kafka import KafkaError

from penstock.api import Converter, HeaderConverter, SourceTask
from penstock.data import STRING, SourceRecord
from penstock.errors import DataError, RetriableError, WorkerError
from penstock.runtime.assembly import Converters
from penstock.runtime.chain import Chain, Stage
from penstock.runtime.meters import TaskMeter
from penstock.runtime.source.at_least_once import AtLeastOnce
from penstock.runtime.source.conversion import SourceConversion
from penstock.runtime.source.task import SourceTaskParts, WorkerSourceTask, wants_each_record
from penstock.runtime.source.topics import TopicCreation
from penstock.runtime.status import ConnectorTaskId, State, TargetState
from penstock.runtime.tolerance import ErrorPolicy, RecordFailure
from penstock.storage import MemoryOffsetStore
from penstock.testing.fake_kafka import FakeProducer

TASK = ConnectorTaskId("orders", 0)
FILE = {"file": "a"}


class Bytes(Converter):
    """Text to bytes; refuses what is marked as poison."""

    def from_connect(self, topic: str, schema: Any, value: Any) -> bytes | None:
        if value == "poison":
            raise DataError("cannot stomach poison")
        return None if value is None else str(value).encode()


class Headers(HeaderConverter):
    def from_connect_header(self, topic: str, key: str, schema: Any, value: Any) -> bytes | None:
        return str(value).encode()


class Lines(SourceTask):
    """Hands out batches; then waits to be stopped."""

    def __init__(self, *batches: Sequence[SourceRecord] | BaseException) -> None:
        self.batches = list(batches)
        self.started = self.stopped = self.closed = self.commits = 0
        self.drained = threading.Event()
        self._stop = threading.Event()

    def start(self, props: Any) -> None:
        self.started += 1

    def poll(self) -> Sequence[SourceRecord] | None:
        if not self.batches:
            self.drained.set()
            self._stop.wait(10)
            return None
        batch = self.batches.pop(0)
        if isinstance(batch, BaseException):
            raise batch
        return batch

    def stop(self) -> None:
        self.stopped += 1
        self._stop.set()

    def close(self) -> None:
        self.closed += 1

    def commit(self) -> None:
        self.commits += 1


class Confirming(Lines):
    """Wants to know about each record."""

    def __init__(self, *batches: Sequence[SourceRecord] | BaseException) -> None:
        super().__init__(*batches)
        self.confirmed: list[tuple[Any, bool]] = []

    def commit_record(self, record: SourceRecord, metadata: Any) -> None:
        self.confirmed.append((record.value, metadata is not None))


class Listener:
    def __init__(self) -> None:
        self.states: list[State] = []
        self.error: BaseException | None = None

    def on_connector(
        self, connector: str, state: State, error: BaseException | None = None, version: str | None = None
    ) -> None:
        raise AssertionError("a task speaks for itself only")

    def on_task(
        self, task: ConnectorTaskId, state: State, error: BaseException | None = None, version: str | None = None
    ) -> None:
        self.states.append(state)
        self.error = error or self.error


class Failures:
    def __init__(self) -> None:
        self.seen: list[RecordFailure] = []

    def report(self, failure: RecordFailure) -> None:
        self.seen.append(failure)

    def flush(self, timeout: float) -> None: ...

    def close(self) -> None: ...


class Rig:
    """One task with everything around it."""

    def __init__(self, task: SourceTask, producer: FakeProducer, stages: Sequence[Stage] = (), **policy: Any) -> None:
        #: Seconds, turned by hand; only what waits for long is measured by it.
        self.now = 0.0
        self.task, self.producer, self.listener, self.failures = task, producer, Listener(), Failures()
        self.store = MemoryOffsetStore()
        self.topics: list[str] = []
        converter = self.converter = policy.pop("converter", None) or Bytes()
        meter = TaskMeter(None, self.topics.append)
        errors = ErrorPolicy(TASK, reporters=[self.failures], meter=meter, **policy)

        conversion = SourceConversion(Chain(stages), Converters(converter, converter, Headers(), "K", "V", "H"))
        parts = SourceTaskParts(
            task,
            {},
            conversion,
            errors,
            TopicCreation([], lambda: None),
            lambda side: AtLeastOnce(
                side,
                self.store,
                producer.connect,
                meter,
                per_record=wants_each_record(task, errors),
                flush_timeout_s=0.05,
                clock=lambda: self.now,
            ),
            meter,
        )
        self.worker_task = WorkerSourceTask(TASK, self.listener, TargetState.STARTED, parts)
        errors.stopping = self.worker_task.stopping

    def start(self) -> "Rig":
        self.worker_task.start()
        return self

    def run(self) -> "Rig":
        """Until the task's batches are sent; then stop."""
        self.start()
        assert isinstance(self.task, Lines)
        self.wait(lambda: self.task.drained.is_set() or self.worker_task.done)  # type: ignore[attr-defined]  # a Lines
        return self.stop()

    def stop(self) -> "Rig":
        self.worker_task.stop()
        assert self.worker_task.await_stop(10)
        return self

    def wait(self, condition: Callable[[], Any]) -> None:
        tick = threading.Event()
        for _ in range(2000):
            if condition():
                return
            tick.wait(0.005)
        raise AssertionError("did not happen within ten seconds")

    @property
    def values(self) -> list[bytes | None]:
        return [m.value() for m in self.producer.produced]

    @property
    def offset(self) -> Any:
        return self.store.read("orders", [FILE])[0]


@pytest.fixture
def producer() -> Iterator[FakeProducer]:
    fake = FakeProducer()
    yield fake
    fake.purge()


def lines(*values: Any, start: int = 0, **more: Any) -> list[SourceRecord]:
    return [
        SourceRecord("t", None, None, None, STRING, v, source_partition=FILE, source_offset={"line": start + i}, **more)
        for i, v in enumerate(values)
    ]


def test_records_arrive_in_order_and_the_offset_is_committed_on_stop(producer: FakeProducer) -> None:
    rig = Rig(Lines(lines("a", "b"), lines("c", start=2)), producer).run()
    assert rig.values == [b"a", b"b", b"c"]
    assert rig.offset == {"line": 2}
    assert rig.listener.states == [State.RUNNING, State.UNASSIGNED]
    assert (rig.task.started, rig.task.stopped, rig.task.closed) == (1, 1, 1)  # type: ignore[attr-defined]  # a Lines
    assert rig.topics == ["t"]


def test_a_commit_while_poll_blocks_stores_what_was_acknowledged(producer: FakeProducer) -> None:
    rig = Rig(Lines(lines("a", "b")), producer).start()
    rig.wait(rig.task.drained.is_set)  # type: ignore[attr-defined]  # a Lines
    assert rig.worker_task.commit_offsets()
    assert rig.offset == {"line": 1}
    assert rig.task.commits == 1  # type: ignore[attr-defined]  # a Lines
    rig.stop()


def test_nothing_is_committed_before_kafka_has_it_and_nothing_is_forgotten(producer: FakeProducer) -> None:
    producer.acknowledging = False
    rig = Rig(Lines(lines("a", "b")), producer).start()
    rig.wait(rig.task.drained.is_set)  # type: ignore[attr-defined]  # a Lines
    assert rig.worker_task.commit_offsets()
    assert rig.offset is None
    assert rig.topics == []
    producer.acknowledging = True
    assert rig.worker_task.commit_offsets()
    assert rig.offset == {"line": 1}
    assert rig.topics == ["t"]
    rig.stop()


def test_a_record_kafka_refuses_fails_the_task_and_its_offset_is_not_committed(producer: FakeProducer) -> None:
    producer.refuse = lambda m: KafkaError(KafkaError.MSG_SIZE_TOO_LARGE) if m.value() == b"b" else None
    rig = Rig(Lines(lines("a", "b"), lines("c", start=2)), producer).start()
    rig.wait(lambda: rig.worker_task.done)
    assert rig.listener.states[-1] is State.FAILED
    assert "[orders|task-0]" in str(rig.listener.error)
    assert rig.offset is None


def test_a_full_queue_is_waited_out_without_losing_or_repeating_a_record() -> None:
    producer = FakeProducer(capacity=2)
    rig = Rig(Lines(lines(*"abcdefgh")), producer).run()
    assert rig.values == [bytes([c]) for c in b"abcdefgh"]
    assert rig.offset == {"line": 7}


def test_a_stop_ends_the_wait_for_room_in_the_queue() -> None:
    producer = FakeProducer(capacity=1)
    producer.acknowledging = False
    rig = Rig(Lines(lines("a", "b", "c")), producer).start()
    rig.wait(lambda: len(producer.produced) == 1)
    rig.stop()
    assert rig.listener.states[-1] is State.UNASSIGNED
    assert rig.offset is None


def test_a_poison_record_fails_the_task_after_everything_before_it_was_committed(producer: FakeProducer) -> None:
    rig = Rig(Lines(lines("a", "poison", "c")), producer).start()
    rig.wait(lambda: rig.worker_task.done)
    assert rig.listener.states == [State.RUNNING, State.FAILED]
    text = str(rig.listener.error)
    assert "[orders|task-0] VALUE_CONVERTER (V)" in text
    assert "source partition {'file': 'a'}, source offset {'line': 1}, topic t" in text
    assert "cannot stomach poison" in text
    assert rig.values == [b"a"]
    assert rig.offset == {"line": 0}


def test_a_tolerated_record_is_reported_and_its_offset_passed(producer: FakeProducer) -> None:
    rig = Rig(Lines(lines("a", "poison", "c", "poison")), producer, tolerate_all=True).run()
    assert rig.values == [b"a", b"c"]
    assert [f.record.source_offset["line"] for f in rig.failures.seen] == [1, 3]
    assert rig.offset == {"line": 3}


def test_with_errors_tolerated_an_unacknowledged_record_holds_the_offsets_behind_it(producer: FakeProducer) -> None:
    producer.acknowledging = False
    rig = Rig(Lines(lines("a", "poison", "c")), producer, tolerate_all=True).start()
    rig.wait(rig.task.drained.is_set)  # type: ignore[attr-defined]  # a Lines
    assert rig.worker_task.commit_offsets()
    assert rig.offset is None
    producer.acknowledging = True
    rig.worker_task.poll_producer()
    assert rig.worker_task.commit_offsets()
    assert rig.offset == {"line": 2}
    rig.stop()


def test_with_errors_tolerated_a_record_kafka_refuses_is_skipped(producer: FakeProducer) -> None:
    producer.refuse = lambda m: KafkaError(KafkaError.MSG_SIZE_TOO_LARGE) if m.value() == b"b" else None
    rig = Rig(Lines(lines("a", "b", "c")), producer, tolerate_all=True).run()
    assert [f.stage.value for f in rig.failures.seen] == ["KAFKA_PRODUCE"]
    assert rig.offset == {"line": 2}


def test_a_task_with_a_commit_record_of_its_own_hears_of_every_record(producer: FakeProducer) -> None:
    task = Confirming(lines("a", "b"))
    Rig(task, producer).run()
    assert task.confirmed == [("a", True), ("b", True)]


def test_a_dropped_record_counts_as_done(producer: FakeProducer) -> None:
    from penstock.api import Transform

    class DropB(Transform):
        def apply(self, record: SourceRecord) -> SourceRecord | None:
            return None if record.value == "b" else record

    task = Confirming(lines("a", "b"))
    rig = Rig(task, producer, [Stage("drop", DropB(), "DropB")]).run()
    assert rig.values == [b"a"]
    assert rig.offset == {"line": 1}
    assert ("b", False) in task.confirmed


def test_poll_is_called_again_after_a_retriable_error(producer: FakeProducer) -> None:
    rig = Rig(Lines(RetriableError("later"), lines("a")), producer).run()
    assert rig.values == [b"a"]


def test_any_other_error_of_poll_fails_the_task(producer: FakeProducer) -> None:
    rig = Rig(Lines(lines("a"), ValueError("broken")), producer).start()
    rig.wait(lambda: rig.worker_task.done)
    assert isinstance(rig.listener.error, ValueError)
    assert rig.offset == {"line": 0}
    assert rig.task.closed == 1  # type: ignore[attr-defined]  # a Lines


def test_an_offset_store_that_fails_is_tried_again(producer: FakeProducer) -> None:
    rig = Rig(Lines(lines("a")), producer).start()
    rig.wait(rig.task.drained.is_set)  # type: ignore[attr-defined]  # a Lines
    write = rig.store.write

    def full(*_: Any) -> None:
        raise WorkerError("No space left on device")

    rig.store.write = full  # type: ignore[method-assign]  # the disk is full for a while
    assert not rig.worker_task.commit_offsets()
    rig.store.write = write  # type: ignore[method-assign]  # and has room again
    assert rig.worker_task.commit_offsets()
    assert rig.offset == {"line": 0}
    rig.stop()


def test_a_paused_task_does_not_poll_until_it_is_resumed(producer: FakeProducer) -> None:
    rig = Rig(Lines(lines("a"), lines("b", start=1)), producer)
    rig.worker_task.transition_to(TargetState.PAUSED)
    rig.start()
    rig.wait(lambda: rig.listener.states == [State.PAUSED])
    assert rig.task.started == 0  # type: ignore[attr-defined]  # a Lines
    rig.worker_task.transition_to(TargetState.STARTED)
    rig.wait(rig.task.drained.is_set)  # type: ignore[attr-defined]  # a Lines
    rig.stop()
    assert rig.listener.states == [State.PAUSED, State.RUNNING, State.UNASSIGNED]
    assert rig.values == [b"a", b"b"]


def test_keys_partitions_timestamps_and_headers_reach_the_producer(producer: FakeProducer) -> None:
    record = SourceRecord("t", 3, STRING, "k", STRING, "v", 1234, source_partition=FILE, source_offset={"line": 0})
    record.headers.add("h", 5)
    Rig(Lines([record]), producer).run()
    message = producer.produced[0]
    assert (message.key(), message.partition(), message.timestamp()[1], message.headers()) == (
        b"k",
        3,
        1234,
        [("h", b"5")],
    )


def test_a_cancelled_task_says_nothing_more_and_commits_nothing(producer: FakeProducer) -> None:
    release = threading.Event()

    class Stuck(Lines):
        def poll(self) -> Sequence[SourceRecord] | None:
            if self.batches:
                return super().poll()
            self.drained.set()
            release.wait(10)
            return lines("late", start=9)

    rig = Rig(Stuck(lines("a")), producer).start()
    rig.wait(rig.task.drained.is_set)  # type: ignore[attr-defined]  # a Lines
    rig.worker_task.stop()
    rig.worker_task.cancel()
    release.set()
    assert rig.worker_task.await_stop(10)
    assert rig.listener.states == [State.RUNNING]
    assert rig.offset is None
    assert b"late" not in rig.values


class StuckConverter(Bytes):
    """Takes its time over one value."""

    def __init__(self) -> None:
        self.reached, self.release = threading.Event(), threading.Event()

    def from_connect(self, topic: str, schema: Any, value: Any) -> bytes | None:
        if value == "slow":
            self.reached.set()
            self.release.wait(10)
        return super().from_connect(topic, schema, value)


@pytest.mark.parametrize("tracked", [False, True])
def test_what_a_cancelled_task_was_converting_is_not_sent_after_all(producer: FakeProducer, tracked: bool) -> None:
    source = (Confirming if tracked else Lines)(lines("slow", "b"))
    rig = Rig(source, producer, converter=(slow := StuckConverter())).start()
    rig.wait(slow.reached.is_set)
    rig.worker_task.stop()
    rig.worker_task.cancel()
    slow.release.set()
    assert rig.worker_task.await_stop(10)
    assert rig.values == []
    assert rig.offset is None


def test_a_commit_that_was_waiting_for_kafka_stores_nothing_once_the_task_is_cancelled(producer: FakeProducer) -> None:
    rig = Rig(Lines(lines("a")), producer).start()
    rig.wait(rig.task.drained.is_set)  # type: ignore[attr-defined]  # a Lines
    poll = producer.poll

    def slow(timeout: float = 0) -> int:
        rig.worker_task._cancelled = True  # another thread, just now
        return poll(timeout)

    producer.poll = slow  # type: ignore[method-assign]  # what a slow broker does
    assert not rig.worker_task.commit_offsets()
    assert rig.offset is None
    rig.stop()


def test_a_worker_out_of_its_session_sends_and_commits_nothing_until_it_is_back(producer: FakeProducer) -> None:
    rig = Rig(Lines(lines("a"), lines("b", start=1)), producer)
    back, asked = threading.Event(), threading.Event()

    def in_session() -> bool:
        asked.set()
        return back.is_set()

    rig.worker_task.in_session = in_session
    rig.start()
    rig.wait(asked.is_set)
    assert rig.values == []
    back.set()
    rig.wait(rig.task.drained.is_set)  # type: ignore[attr-defined]  # a Lines
    assert rig.values == [b"a", b"b"]
    back.clear()
    assert not rig.worker_task.commit_offsets()
    assert rig.offset is None
    rig.stop()


class BatchRefusing(FakeProducer):
    """Refuses everything that is served together with a record that is too large, as a broker refuses a batch."""

    def __init__(self) -> None:
        super().__init__()
        self.refuse = self._refuse

    def _refuse(self, message: Any) -> KafkaError | None:
        batch = [m.value() for m, _ in self._waiting]
        self._together = getattr(self, "_together", False) or message.value() == b"large" or b"large" in batch
        refused, self._together = self._together, self._together and bool(batch)
        return KafkaError(KafkaError.MSG_SIZE_TOO_LARGE) if refused else None


@pytest.mark.parametrize("confirmed", [False, True])
def test_of_a_batch_that_is_refused_only_the_record_that_is_refused_alone_fails_the_task(confirmed: bool) -> None:
    producer = BatchRefusing()
    rig = Rig((Confirming if confirmed else Lines)(lines("a", "large", "b"), lines("c", start=3)), producer).start()
    rig.wait(lambda: rig.worker_task.done)
    assert rig.values == [b"a", b"large", b"b", b"a", b"large"]
    assert rig.listener.states[-1] is State.FAILED
    assert "cannot write a record of 5 bytes to topic t" in str(rig.listener.error)
    assert "producer.override.max.request.size" in str(rig.listener.error)
    assert rig.offset == ({"line": 0} if confirmed else None)


def test_of_a_batch_that_is_refused_only_the_record_that_is_refused_alone_is_left_out() -> None:
    producer = BatchRefusing()
    record = lines("h", start=3)[0]
    record.headers.add("name", "x")
    rig = Rig(Lines([*lines("a", "large", "b"), record]), producer, tolerate_all=True).run()
    assert rig.values == [b"a", b"large", b"b", b"h", b"a", b"large", b"b", b"h"]
    assert [message.headers() for message in producer.produced[-2:]] == [None, [("name", b"x")]]
    assert [failure.record.value for failure in rig.failures.seen] == ["large"]
    assert rig.offset == {"line": 3}


def test_records_of_a_refused_batch_go_again_in_order_before_anything_new_and_keep_their_headers() -> None:
    producer = FakeProducer()
    refused: set[Any] = set()

    def once(message: Any) -> KafkaError | None:
        if message.value() in refused or message.value() == b"new":
            return None
        refused.add(message.value())
        return KafkaError(KafkaError._INVALID_DIFFERENT_RECORD)

    producer.refuse = once
    record = lines("h", start=2)[0]
    record.headers.add("name", "x")
    rig = Rig(Lines([*lines("a", "b"), record], lines("new", start=3)), producer).run()
    assert rig.values == [b"a", b"b", b"h", b"a", b"b", b"h", b"new"]
    assert producer.produced[5].headers() == [("name", b"x")]
    assert rig.offset == {"line": 3}
    assert rig.topics == ["t"]


OTHER = {"file": "b"}


def of(
    partition: dict[str, str], *values: str, start: int = 0, topic_partition: int | None = None
) -> list[SourceRecord]:
    return [
        SourceRecord(
            "t", topic_partition, None, None, STRING, value,
            source_partition=partition, source_offset={"line": start + i},
        )
        for i, value in enumerate(values)
    ]  # fmt: skip


@pytest.mark.parametrize("confirmed", [False, True])
def test_a_stuck_partition_holds_up_the_offsets_of_those_source_partitions_only_that_wrote_to_it(
    producer: FakeProducer, confirmed: bool, caplog: pytest.LogCaptureFixture
) -> None:
    producer.held = lambda message: message.partition() == 2
    batch = [*of(FILE, "a", "b", topic_partition=2), *of(OTHER, "x", "y", topic_partition=1)]
    rig = Rig((Confirming if confirmed else Lines)(batch, of(OTHER, "z", start=2, topic_partition=1)), producer).start()
    rig.wait(rig.task.drained.is_set)  # type: ignore[attr-defined]  # a Lines
    assert rig.worker_task.commit_offsets()
    assert rig.store.read("orders", [FILE, OTHER]) == [None, {"line": 2}]
    for _ in range(3):
        rig.now += 5
        rig.worker_task.poll_producer()
    (line,) = [record.getMessage() for record in caplog.records if "not acknowledged" in record.getMessage()]
    assert line.startswith("[orders|task-0] 2 records are not acknowledged by Kafka, some for 5 s")
    assert "waiting: t-2 (2 records)" in line
    assert "Offsets of 1 source partitions are not committed, those of others are" in line
    producer.held = lambda message: False
    assert rig.worker_task.commit_offsets()
    assert rig.store.read("orders", [FILE, OTHER]) == [{"line": 1}, {"line": 2}]
    rig.stop()


def test_what_is_acknowledged_leaves_the_ledger_between_commits(producer: FakeProducer) -> None:
    rig = Rig(Confirming(*(lines(f"{n}", start=n) for n in range(50))), producer).start()
    rig.wait(rig.task.drained.is_set)  # type: ignore[attr-defined]  # a Lines
    delivery: Any = rig.worker_task._delivery
    assert delivery._ledger.unacknowledged() == 50
    rig.now += 5
    rig.worker_task.poll_producer()
    assert delivery._ledger.unacknowledged() == 0
    assert rig.offset is None
    assert rig.worker_task.commit_offsets()
    assert rig.offset == {"line": 49}
    rig.stop()
