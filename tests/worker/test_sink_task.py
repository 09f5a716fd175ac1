"""The sink loop over a fake consumer: batches, offsets, rebalances, errors."""

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

import pytest
from confluent_kafka import KafkaError

from penstock.api import Converter, HeaderConverter, Predicate, SinkTask, TopicPartition, Transform
from penstock.data import STRING, SchemaAndValue, SinkRecord
from penstock.errors import ConnectError, DataError, RetriableError
from penstock.runtime.assembly import Converters
from penstock.runtime.chain import Chain, Stage
from penstock.runtime.sink import SinkTaskParts, WorkerSinkTask
from penstock.runtime.sink.conversion import SinkConversion
from penstock.runtime.sink.dead_letters import DeadLetterQueue
from penstock.runtime.status import ConnectorTaskId, State, TargetState
from penstock.runtime.tolerance import ErrorPolicy, RecordFailure
from penstock.testing.fake_kafka import FakeConsumer, FakeMessage, FakeProducer

TASK = ConnectorTaskId("archive", 0)
T0, T1 = TopicPartition("t", 0), TopicPartition("t", 1)


class Text(Converter):
    def to_connect(self, topic: str, data: bytes | None) -> SchemaAndValue:
        if data == b"poison":
            raise DataError("cannot stomach poison")
        return SchemaAndValue(STRING, None if data is None else data.decode())


class Headers(HeaderConverter):
    def to_connect_header(self, topic: str, key: str, data: bytes | None) -> SchemaAndValue:
        return SchemaAndValue(None, data)


class Archive(SinkTask):
    """Remembers what it is given; `put_errors` and `commit_errors` are raised one by one."""

    def __init__(self) -> None:
        self.records: list[SinkRecord] = []
        self.opened: list[TopicPartition] = []
        self.closed: list[TopicPartition] = []
        self.flushed: list[Mapping[TopicPartition, int]] = []
        self.put_errors: list[BaseException] = []
        self.commit_errors: list[BaseException] = []
        self.agree: Callable[[Mapping[TopicPartition, int]], Mapping[TopicPartition, int]] = dict
        self.stopped = 0
        self.start_at: dict[TopicPartition, int] = {}
        self.errant: list[str] = []

    def start(self, props: Any) -> None: ...

    def open(self, partitions: Sequence[TopicPartition]) -> None:
        self.opened += partitions
        if self.start_at:
            self.context.offset(self.start_at)

    def close(self, partitions: Sequence[TopicPartition]) -> None:
        self.closed += partitions

    def put(self, records: Sequence[SinkRecord]) -> None:
        if records and self.put_errors:
            raise self.put_errors.pop(0)
        for record in records:
            if record.value in self.errant:
                reporter = self.context.errant_record_reporter
                assert reporter is not None
                reporter.report(record, DataError("the store refuses it"))
            else:
                self.records.append(record)

    def pre_commit(self, offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        if self.commit_errors:
            raise self.commit_errors.pop(0)
        self.flushed.append(dict(offsets))
        return self.agree(offsets)

    def stop(self) -> None:
        self.stopped += 1

    @property
    def values(self) -> list[Any]:
        return [r.value for r in self.records]


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


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


class Rig:
    """One task, driven round by round from the test's own thread."""

    def __init__(self, stages: Sequence[Stage] = (), reporters: Sequence[Any] = (), **policy: Any) -> None:
        self.task, self.consumer, self.clock, self.listener = Archive(), FakeConsumer(), Clock(), Listener()
        self.topics: list[str] = []
        text = Text()
        errors = ErrorPolicy(TASK, reporters=reporters, **policy)

        def make(extra: Any, **callbacks: Callable[..., Any]) -> Any:
            self.consumer.on_commit = callbacks["on_commit"]
            return self.consumer

        conversion = SinkConversion(Chain(stages), Converters(text, text, Headers(), "K", "V", "H"), bool(reporters))
        self.loop = WorkerSinkTask(
            TASK,
            self.listener,
            TargetState.STARTED,
            SinkTaskParts(
                self.task, {}, dict, conversion, errors, make, ["t"], 500, False, 60.0, 1.0, self.topics.append,
                reports=bool(reporters), clock=self.clock,
            ),
        )  # fmt: skip
        self.loop.initialize()
        self.consumer.assign_now(("t", 0), ("t", 1))

    def round(self) -> "Rig":
        self.loop.iterate()
        return self

    def later(self, seconds: float) -> "Rig":
        self.clock.now += seconds
        return self.round()

    @property
    def committed(self) -> dict[tuple[str, int], int]:
        merged: dict[tuple[str, int], int] = {}
        for commit in self.consumer.commits:
            merged |= commit
        return merged


def messages(*values: bytes | None, partition: int = 0, start: int = 0) -> list[FakeMessage]:
    return [FakeMessage("t", v, b"k", partition, start + i, timestamp=5) for i, v in enumerate(values)]


def test_records_are_given_in_order_with_where_they_came_from() -> None:
    rig = Rig()
    rig.consumer.feed(*messages(b"a", b"b", None), *messages(b"c", partition=1, start=40))
    rig.round()
    assert rig.task.values == ["a", "b", None, "c"]
    last = rig.task.records[-1]
    assert (last.topic, last.partition, last.offset, last.key, last.timestamp) == ("t", 1, 40, "k", 5)
    assert (last.original_topic, last.original_partition, last.original_offset) == ("t", 1, 40)
    assert rig.task.opened == [T0, T1]
    assert rig.topics == ["t"]


def test_offsets_are_committed_on_the_interval_and_only_when_they_moved() -> None:
    rig = Rig()
    rig.consumer.feed(*messages(b"a", b"b"))
    rig.round()
    assert rig.consumer.commits == []
    rig.later(61)
    assert rig.consumer.commits == [{("t", 0): 2}]
    rig.later(61)
    assert rig.consumer.commits == [{("t", 0): 2}]


def test_a_commit_may_be_asked_for() -> None:
    rig = Rig()
    rig.consumer.feed(*messages(b"a"))
    rig.round()
    rig.task.context.request_commit()
    rig.round()
    assert rig.committed == {("t", 0): 1}


def test_only_what_the_task_agrees_to_is_committed() -> None:
    rig = Rig()
    rig.task.agree = lambda offsets: {T0: 1, T1: 99, TopicPartition("other", 0): 5}
    rig.consumer.feed(*messages(b"a", b"b"), *messages(b"c", partition=1))
    rig.round().later(61)
    assert rig.committed == {("t", 0): 1}
    rig.task.agree = lambda offsets: {}
    rig.later(61)
    assert rig.committed == {("t", 0): 1}


def test_a_failed_pre_commit_goes_back_to_the_last_committed_offsets() -> None:
    rig = Rig()
    rig.consumer.feed(*messages(b"a", b"b", start=10))
    rig.round()
    rig.task.commit_errors.append(RuntimeError("disk"))
    rig.later(61)
    assert rig.consumer.seeks == [("t", 0, 10)]
    assert rig.consumer.commits == []
    rig.consumer.feed(*messages(b"a", b"b", start=10))
    rig.round().later(61)
    assert rig.committed == {("t", 0): 12}


def test_a_commit_that_kafka_refused_is_tried_again() -> None:
    rig = Rig()
    rig.consumer.commit_error = KafkaError(KafkaError.REBALANCE_IN_PROGRESS)
    rig.consumer.feed(*messages(b"a"))
    rig.round().later(61)
    rig.consumer.commit_error = None
    rig.later(61)
    assert rig.consumer.commits == [{("t", 0): 1}, {("t", 0): 1}]


def test_a_retriable_put_gets_the_same_batch_again_and_everything_is_paused_meanwhile() -> None:
    rig = Rig()
    rig.task.put_errors.append(RetriableError("busy"))
    rig.task.context.timeout(5000)
    rig.consumer.feed(*messages(b"a", b"b"))
    rig.round()
    assert rig.consumer.paused == {("t", 0), ("t", 1)}
    rig.consumer.feed(*messages(b"c", start=2))
    rig.later(4)
    assert rig.task.values == []
    rig.later(2)
    assert rig.task.values == ["a", "b"]
    assert rig.consumer.paused == set()
    rig.round()
    assert rig.task.values == ["a", "b", "c"]


def test_offsets_of_a_batch_that_was_not_taken_are_not_committed() -> None:
    rig = Rig()
    rig.task.put_errors.append(RetriableError("busy"))
    rig.consumer.feed(*messages(b"a"))
    rig.round()
    rig.task.context.request_commit()
    rig.round()
    assert rig.committed == {}


def test_any_other_error_of_put_ends_the_task_and_commits_what_was_taken_before() -> None:
    rig = Rig()
    rig.consumer.feed(*messages(b"a"))
    rig.round()
    rig.task.put_errors.append(ValueError("boom"))
    rig.consumer.feed(*messages(b"b", start=1))
    try:
        rig.round()
    except Exception as error:
        text = str(error)
    rig.loop.close(failed=True)
    assert text.startswith("[archive|task-0] put() of Archive failed for 1 records (t-0 from offset 1): boom")
    assert rig.committed == {("t", 0): 1}
    assert rig.consumer.closed
    assert rig.task.stopped == 1


def test_a_poison_record_names_its_place_what_came_before_is_given_and_committed_and_nothing_behind_it() -> None:
    rig = Rig()
    rig.consumer.feed(*messages(b"a", b"poison", b"c", start=7))
    with pytest.raises(ConnectError) as raised:
        rig.round()
    rig.loop.close(failed=True)
    text = str(raised.value)
    assert (
        "[archive|task-0] VALUE_CONVERTER (V) failed for the record at topic t, partition 0, offset 8: cannot stomach poison"
        in text
    )
    assert rig.task.values == ["a"]
    assert rig.committed == {("t", 0): 8}


def test_what_came_before_a_poison_record_is_tried_again_before_the_task_fails() -> None:
    rig = Rig()
    rig.task.put_errors = [RetriableError("busy")]
    rig.consumer.feed(*messages(b"a", b"poison", b"c", start=7))
    rig.round()
    rig.consumer.feed(*messages(b"d", start=10))
    with pytest.raises(ConnectError, match="offset 8: cannot stomach poison"):
        rig.later(61)
    rig.loop.close(failed=True)
    assert rig.task.values == ["a"]
    assert rig.committed == {("t", 0): 8}


def test_a_tolerated_record_is_skipped_and_its_offset_committed() -> None:
    rig = Rig(tolerate_all=True)
    rig.consumer.feed(*messages(b"a", b"poison"))
    rig.round().later(61)
    assert rig.task.values == ["a"]
    assert rig.committed == {("t", 0): 2}


def test_a_dropped_record_moves_the_offset() -> None:
    class Filter(Transform):
        def apply(self, record: SinkRecord) -> None:
            return None

    class IsB(Predicate):
        def test(self, record: SinkRecord) -> bool:
            return bool(record.value == "b")

    rig = Rig([Stage("drop", Filter(), "Filter", IsB())])
    rig.consumer.feed(*messages(b"a", b"b"))
    rig.round().later(61)
    assert rig.task.values == ["a"]
    assert rig.committed == {("t", 0): 2}


def test_partitions_that_go_are_flushed_committed_and_closed() -> None:
    rig = Rig()
    rig.consumer.feed(*messages(b"a"), *messages(b"b", partition=1))
    rig.round()
    rig.consumer.revoke_now(("t", 1))
    rig.round()
    assert rig.task.closed == [T1]
    assert rig.committed == {("t", 1): 1}
    assert rig.task.context.assignment() == {T0}


def test_partitions_that_were_lost_are_closed_without_a_commit() -> None:
    rig = Rig()
    rig.consumer.feed(*messages(b"a"))
    rig.round()
    rig.consumer.revoke_now(("t", 0), ("t", 1), lost=True)
    rig.round()
    assert sorted(rig.task.closed) == [T0, T1]
    assert rig.consumer.commits == []


def test_records_of_a_partition_that_was_just_taken_away_are_dropped() -> None:
    rig = Rig()
    rig.round()
    rig.consumer.revoke_now(("t", 1))
    rig.consumer.feed(*messages(b"a"), *messages(b"stale", partition=1))
    rig.round().later(61)
    assert rig.task.values == ["a"]
    assert rig.committed == {("t", 0): 1}


def test_a_batch_kept_for_another_try_loses_the_records_of_revoked_partitions() -> None:
    rig = Rig()
    rig.task.put_errors.append(RetriableError("busy"))
    rig.consumer.feed(*messages(b"a"), *messages(b"b", partition=1))
    rig.round()
    rig.consumer.revoke_now(("t", 1))
    rig.later(10).later(61)
    assert rig.task.values == ["a"]
    assert rig.committed == {("t", 0): 1}


def test_a_task_that_keeps_offsets_itself_begins_where_it_says() -> None:
    rig = Rig()
    rig.task.start_at = {T0: 17}
    rig.round()
    assert {(p.topic, p.partition): p.offset for p in rig.consumer.assignment()}["t", 0] == 17


def test_a_task_that_agrees_to_nothing_has_no_offsets_committed_and_begins_where_it_says_each_time() -> None:
    rig = Rig()
    rig.task.agree = lambda offsets: {}
    rig.task.start_at = {T0: 17}
    rig.round()
    rig.consumer.feed(*messages(b"r", start=17))
    rig.round().later(61)
    assert rig.task.flushed == [{T0: 18}]
    rig.task.start_at = {T0: 18}
    rig.consumer.revoke_now(("t", 0), ("t", 1))
    rig.consumer.assign_now(("t", 0), ("t", 1))
    rig.round()
    assert {(p.topic, p.partition): p.offset for p in rig.consumer.assignment()}["t", 0] == 18
    assert rig.committed == {}


def test_a_rewind_asked_for_in_put_counts_before_the_next_commit() -> None:
    rig = Rig()
    rig.consumer.feed(*messages(b"a", b"b"))
    rig.round()
    rig.task.context.offset({T0: 1})
    rig.later(61)
    assert rig.task.flushed == [{T0: 1}]
    assert rig.consumer.seeks == [("t", 0, 1)]


def test_where_a_failed_pre_commit_wants_to_go_wins_over_the_last_committed_offset() -> None:
    rig = Rig()
    rig.consumer.feed(*messages(b"a", b"b"))
    rig.round()

    def fail(offsets: Mapping[TopicPartition, int]) -> Mapping[TopicPartition, int]:
        rig.task.context.offset({T0: 1})
        raise RuntimeError("the store is away")

    rig.task.agree = fail
    rig.later(61)
    assert rig.consumer.seeks[-1] == ("t", 0, 1)


def test_a_rewind_for_a_partition_that_stays_counts_before_the_records_of_the_same_poll() -> None:
    rig = Rig()
    rig.round()
    rig.task.start_at = {T0: 0}  # opening partition 2 moves partition 0, too
    rig.consumer.assign_now(("t", 2))
    rig.consumer.feed(*messages(b"read ahead", start=5))
    rig.round()
    assert rig.task.values == []


def test_nothing_beyond_a_rewind_is_committed_when_the_partition_goes() -> None:
    rig = Rig()
    rig.consumer.feed(*messages(b"a", b"b", b"c"))
    rig.round()
    rig.task.context.offset({T0: 1})
    rig.consumer.revoke_now(("t", 0), ("t", 1))
    rig.loop.close(failed=False)
    assert rig.committed == {("t", 0): 1}


def test_a_rewind_does_not_outlive_the_assignment_it_was_meant_for() -> None:
    rig = Rig()
    rig.round()
    rig.task.context.offset({T0: 7})
    rig.consumer.revoke_now(("t", 0), lost=True)
    rig.task.closed.clear()
    rig.loop.revoked([T0], lost=True)
    rig.consumer.assign_now(("t", 0), ("t", 1))
    rig.round()
    assert rig.consumer.seeks == []
    assert 7 not in {p.offset for p in rig.consumer.assignment()}


def test_a_rewind_of_a_partition_that_is_not_assigned_is_passed_over_and_said_so(
    caplog: pytest.LogCaptureFixture,
) -> None:
    rig = Rig()
    rig.round()
    rig.task.context.offset({TopicPartition("other", 3): 7})
    rig.round()
    assert "not assigned to it; ignored: other-3=7" in caplog.text
    assert rig.consumer.seeks == []


def test_a_rewind_asked_for_in_start_waits_for_the_assignment() -> None:
    rig = Rig()
    rig.task.context.offset({T1: 9})
    rig.round()
    assert {(p.topic, p.partition): p.offset for p in rig.consumer.assignment()}["t", 1] == 9


def test_a_task_may_rewind_later() -> None:
    rig = Rig()
    rig.consumer.feed(*messages(b"a"))
    rig.round()
    rig.task.context.offset({T0: 0})
    rig.round()
    assert rig.consumer.seeks == [("t", 0, 0)]


def test_partitions_the_task_paused_stay_paused() -> None:
    rig = Rig()
    rig.round()
    rig.task.context.pause(T1)
    rig.task.put_errors.append(RetriableError("busy"))
    rig.consumer.feed(*messages(b"a"))
    rig.round().later(10)
    assert rig.task.values == ["a"]
    assert rig.consumer.paused == {("t", 1)}
    rig.task.context.resume(T1)
    assert rig.consumer.paused == set()


def test_an_error_that_the_client_gets_over_is_passed_by_and_one_it_does_not_ends_the_task() -> None:
    rig = Rig()
    rig.consumer.feed(FakeMessage("t", None, error=KafkaError(KafkaError._ALL_BROKERS_DOWN)), *messages(b"a"))
    rig.round()
    assert rig.task.values == ["a"]
    rig.consumer.feed(FakeMessage("t", None, error=KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED)))
    try:
        rig.round()
    except Exception as error:
        text = str(error)
    assert "[archive|task-0] cannot consume" in text


class Held:
    """A reporter whose report is confirmed when the test says so."""

    def __init__(self) -> None:
        self.futures: list[Future[None]] = []

    def prepare(self) -> None:
        pass

    def report(self, failure: RecordFailure) -> Future[None]:
        self.futures.append(Future())
        return self.futures[-1]

    def flush(self, timeout: float) -> None: ...

    def close(self) -> None: ...


def test_offsets_wait_for_their_dead_letters() -> None:
    held = Held()
    rig = Rig(reporters=[held], tolerate_all=True)
    rig.task.errant = ["b"]
    rig.consumer.feed(*messages(b"a", b"b"), *messages(b"c", partition=1))
    rig.round()
    held.futures[0].set_exception(RuntimeError("the dead letter topic is away"))
    rig.later(61)
    assert rig.committed == {("t", 1): 1}


def test_a_dead_letter_is_the_consumed_message_with_what_went_wrong() -> None:
    producer = FakeProducer()
    producer.slow = True
    rig = Rig(reporters=[DeadLetterQueue("dlq", True, producer.connect)], tolerate_all=True)
    rig.consumer.feed(FakeMessage("t", b"poison", b"k", 0, 3, [("own", b"h")], 77))
    rig.round().later(61)
    letter = producer.produced[0]
    headers = dict(letter.headers() or [])
    assert (letter.topic(), letter.value(), letter.key(), letter.timestamp()[1]) == ("dlq", b"poison", b"k", 77)
    assert headers["own"] == b"h"
    assert headers["__connect.errors.offset"] == b"3"
    assert headers["__connect.errors.stage"] == b"VALUE_CONVERTER"
    assert headers["__connect.errors.exception.class.name"] == b"org.apache.kafka.connect.errors.DataException"
    assert rig.committed == {("t", 0): 4}


def test_in_its_own_thread_a_task_pauses_goes_on_and_stops() -> None:
    rig = Rig()
    rig.loop = WorkerSinkTask(TASK, rig.listener, TargetState.STARTED, rig.loop._parts)
    rig.consumer.feed(*messages(b"a"))
    rig.loop.start()
    tick = threading.Event()
    steps = ((State.RUNNING, None), (State.PAUSED, TargetState.PAUSED), (State.RUNNING, TargetState.STARTED))
    for number, (state, target) in enumerate(steps, 1):
        if target is not None:
            rig.loop.transition_to(target)
        for _ in range(2000):
            if len(rig.listener.states) >= number:
                break
            tick.wait(0.005)
        assert rig.listener.states[-1] is state
    rig.loop.stop()
    assert rig.loop.await_stop(10)
    assert rig.listener.states == [State.RUNNING, State.PAUSED, State.RUNNING, State.UNASSIGNED]
    assert rig.task.stopped == 1


class _Held:
    """A task held up in `put` or `pre_commit`, in its own thread, which the worker then cancels."""

    def __init__(self, where: str, rig: Rig) -> None:
        self.rig, self.reached, self.release = rig, threading.Event(), threading.Event()
        original = getattr(rig.task, where)

        def held(*arguments: Any) -> Any:
            if where == "put" and not arguments[0]:
                return original(*arguments)
            self.reached.set()
            self.release.wait(10)
            return original(*arguments)

        setattr(rig.task, where, held)
        rig.loop = WorkerSinkTask(TASK, rig.listener, TargetState.STARTED, rig.loop._parts)
        rig.consumer.assign_now(("t", 0))
        rig.consumer.feed(*messages(b"a"))

    def cancel(self) -> None:
        self.rig.loop.start()
        if not self.reached.wait(1):
            self.rig.clock.now += 61  # the commit is due
        assert self.reached.wait(10)
        self.rig.loop.stop()
        self.rig.loop.cancel()
        tick = threading.Event()
        for _ in range(2000):
            if self.rig.consumer.closed:
                return
            tick.wait(0.005)
        raise AssertionError("the consumer was not closed")


@pytest.mark.parametrize("where", ["put", "pre_commit"])
def test_a_cancelled_task_loses_its_consumer_at_once_and_commits_nothing_when_it_comes_back(where: str) -> None:
    rig = Rig()
    held = _Held(where, rig)
    held.cancel()
    assert rig.task.closed == []  # the task's own thread is in it: nobody else calls it
    held.release.set()
    assert rig.loop.await_stop(10)
    assert rig.committed == {}
    assert rig.task.stopped == 1
    assert rig.listener.states == [State.RUNNING]


def test_a_cancelled_task_reports_no_bad_records_any_more() -> None:
    producer = FakeProducer()
    rig = Rig(reporters=[DeadLetterQueue("dlq", False, producer.connect)], tolerate_all=True)
    rig.task.errant = ["a"]
    held = _Held("put", rig)
    held.cancel()
    held.release.set()
    assert rig.loop.await_stop(10)
    assert producer.produced == []


def test_a_worker_out_of_its_session_gives_the_task_nothing() -> None:
    rig = Rig()
    answers = [True, False]  # it falls asleep while the client waits for messages
    rig.loop.in_session = lambda: answers.pop(0) if answers else True
    rig.consumer.feed(*messages(b"a"))
    rig.round()
    assert rig.task.values == []
    rig.round()
    assert rig.task.values == ["a"]
    answers[:] = [False]
    rig.loop.stopping.set()  # no waiting
    rig.consumer.feed(*messages(b"b", start=1))
    rig.round()
    assert rig.task.values == ["a"]
