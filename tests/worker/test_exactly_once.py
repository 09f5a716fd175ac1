"""Records and offsets in transactions, over a fake producer: what is committed, what is aborted, what ends the task."""

import threading
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from confluent_kafka import KafkaError

from penstock.data import SourceRecord
from penstock.errors import ConflictError, ConnectError, RetriableError, TaskStopped
from penstock.kafka.errors import FencedError, RecordRefusedError, TransactionLostError
from penstock.runtime.assembly import Converters
from penstock.runtime.chain import Chain
from penstock.runtime.meters import TaskMeter, Total
from penstock.runtime.source.boundaries import TransactionBoundary, WorkerTransactionContext
from penstock.runtime.source.conversion import SourceConversion
from penstock.runtime.source.exactly_once import ExactlyOnce, TransactionSettings
from penstock.runtime.source.sending import CutOff, Sending
from penstock.runtime.status import ConnectorTaskId
from penstock.runtime.tolerance import ErrorPolicy, NotTolerable
from penstock.storage.offsets import Offsets
from penstock.testing.fake_kafka import FakeProducer
from penstock_converters.simple.header import SimpleHeaderConverter
from penstock_converters.simple.text import StringConverter

FILE = {"file": "a"}
OFFSETS = "offsets"


class Side:
    """The task, as its delivery sees it."""

    def __init__(self) -> None:
        self.id = ConnectorTaskId("orders", 0)
        self.stopping = threading.Event()
        self.cancelled = False
        self.done: list[Any] = []
        self.commits = 0

    def check_alive(self) -> None:
        if self.cancelled:
            raise TaskStopped("cancelled")

    def may_write(self) -> bool:
        return not self.cancelled

    def record_done(self, record: SourceRecord, metadata: Any) -> None:
        self.done.append(record.value)

    def offsets_done(self) -> None:
        self.commits += 1

    def not_written(self, record: SourceRecord, error: ConnectError) -> None:
        raise error


class Topic:
    """The offsets' topic."""

    topic = OFFSETS

    def __init__(self) -> None:
        self.copied: list[Any] = []
        self.bad = False

    def records(self, connector: str, offsets: Offsets) -> list[tuple[bytes, bytes | None]]:
        if self.bad:
            raise ConnectError("an offset cannot be stored")
        return [(str(partition).encode(), str(offset).encode()) for partition, offset in offsets]

    def committed(self, connector: str, offsets: Offsets) -> None:
        self.copied += offsets


class Gate:
    def __init__(self, *, before: Sequence[BaseException] = (), after: Sequence[BaseException] = ()) -> None:
        self._before, self._after = list(before), list(after)

    def before(self) -> None:
        if self._before:
            raise self._before.pop(0)

    def after(self) -> None:
        if self._after:
            raise self._after.pop(0)


class Case:
    """A delivery with its surroundings; `boundary` as its settings name it."""

    def __init__(
        self, boundary: str = "poll", *, gate: Gate | None = None, final_s: float = 0.0, per_record: bool = True
    ) -> None:
        self.now = 0.0
        self.side, self.offsets, self.meter = Side(), Topic(), TaskMeter()
        self.client = FakeProducer()
        self.context = WorkerTransactionContext() if boundary == "connector" else None
        self.delivery = ExactlyOnce(
            self.side,
            self.offsets,
            lambda extra, **callbacks: self.client.connect({**extra, "transactional.id": "g-orders-0"}, **callbacks),
            gate or Gate(),
            TransactionSettings(TransactionBoundary(boundary), 10.0, final_s, self.context),
            self.meter,
            per_record=per_record,
            clock=lambda: self.now,
        )

    def hand_over(self, *values: str, topic: str = "lines", stop_before: str | None = None) -> None:
        """Do with a batch as the task does; the number in a value is its offset."""
        batch = [record(value, topic) for value in values]
        self.hand_over_records(batch, stop_before)

    def hand_over_records(self, batch: list[SourceRecord], stop_before: str | None = None) -> None:
        try:
            for piece in self.delivery.cut(batch) if batch else ():
                self.delivery.begin()
                for one in piece:
                    if one.value == stop_before:
                        raise TaskStopped("stopped within a batch")
                    self.delivery.send(one, (one.topic, one.value.encode(), None, -1, 0, None))
                self.delivery.dispatched()
        except TaskStopped:
            return
        except BaseException:
            self.delivery.abort()
            raise
        if not batch:
            self.delivery.dispatched()

    @property
    def seen(self) -> list[bytes | None]:
        """What a reader of committed records sees, offsets with a mark."""
        return [(b"@" + (m.value() or b"") if m.topic() == OFFSETS else m.value()) for m in self.client.committed]


def record(value: str, topic: str = "lines") -> SourceRecord:
    return SourceRecord(topic, value=value, source_partition=FILE, source_offset={"n": value})


@pytest.fixture
def opened() -> Callable[..., Case]:
    def make(boundary: str = "poll", **more: Any) -> Case:
        case = Case(boundary, **more)
        case.delivery.open()
        return case

    return make


# Where transactions end


def test_each_poll_ends_a_transaction_with_the_offsets_of_its_records(opened: Callable[..., Case]) -> None:
    case = opened()
    case.hand_over("1", "2")
    case.hand_over("3")
    case.hand_over()
    assert case.seen == [b"1", b"2", b"@{'n': '2'}", b"3", b"@{'n': '3'}"]
    assert (case.side.done, case.side.commits) == (["1", "2", "3"], 2)
    assert case.meter.total(Total.COMMITS) == 2
    assert case.offsets.copied == [(FILE, {"n": "2"}), (FILE, {"n": "3"})]


def test_a_batch_of_records_with_and_without_headers_is_one_transaction(opened: Callable[..., Case]) -> None:
    case = opened(per_record=False)
    text, header = StringConverter(), SimpleHeaderConverter()
    text.configure({}, False)
    header.configure({"converter.type": "header"})
    conversion = SourceConversion(Chain([]), Converters(text, text, header, "K", "V", "H"))
    batch = [record(str(n)) for n in range(8)]
    for n in (0, 3, 7):
        batch[n].headers.add("trace", f"t{n}")
    policy, topics = ErrorPolicy(case.side.id), SimpleNamespace(ensure=lambda topic: None)
    sending = Sending(case.side.id, conversion, policy, topics, case.meter, case.delivery, CutOff())  # type: ignore[arg-type]  # all it asks of topics
    case.delivery.begin()
    sending.send(batch)
    case.delivery.dispatched()
    assert case.seen == [b"%d" % n for n in range(8)] + [b"@{'n': '7'}"]
    headers = [message.headers() for message in case.client.committed[:8]]
    assert headers == [[("trace", b"t%d" % n)] if n in (0, 3, 7) else None for n in range(8)]


def test_the_interval_ends_one_in_either_thread_but_not_between_the_records_of_a_batch(
    opened: Callable[..., Case],
) -> None:
    case = opened("interval")
    case.hand_over("1")
    assert case.delivery.commit()
    assert case.seen == []
    case.now = 11
    assert case.delivery.commit()
    assert case.seen == [b"1", b"@{'n': '1'}"]
    case.delivery.begin()
    case.now = 22
    assert case.delivery.commit()
    assert len(case.client.committed) == 2
    case.delivery.dispatched()
    assert case.client.open is None


def test_a_task_ends_its_transactions_behind_records_and_batches_and_aborts_them(opened: Callable[..., Case]) -> None:
    case = opened("connector")
    assert case.context is not None
    batch = [record(value) for value in "1234"]
    case.context.commit_transaction(batch[1])
    case.context.abort_transaction(batch[2])
    case.hand_over_records(batch)
    assert case.seen == [b"1", b"2", b"@{'n': '2'}", b"@{'n': '3'}"]
    assert [m.value() for m in case.client.aborted] == [b"3"]
    case.context.commit_transaction()
    case.hand_over("5")
    assert case.seen[4:] == [b"4", b"5", b"@{'n': '5'}"]


def test_a_stop_within_a_batch_commits_nothing_that_its_task_wants_committed_behind_it(
    opened: Callable[..., Case],
) -> None:
    case = opened("connector")
    assert case.context is not None
    case.context.commit_transaction()
    case.hand_over("1", "2", stop_before="2")
    assert case.delivery.commit(final=True)
    case.delivery.close()
    assert case.seen == []
    assert [m.value() for m in case.client.aborted] == [b"1"]


def test_a_stop_within_a_batch_commits_what_was_handed_over_and_no_more(opened: Callable[..., Case]) -> None:
    case = opened()
    case.hand_over("1", "2", stop_before="2")
    assert case.delivery.commit(final=True)
    assert case.seen == [b"1", b"@{'n': '1'}"]


def test_a_pause_commits_what_is_open_unless_the_task_decides(opened: Callable[..., Case]) -> None:
    for boundary, expected in {"interval": [b"1", b"@{'n': '1'}"], "connector": []}.items():
        case = opened(boundary)
        case.hand_over("1")
        case.delivery.paused()
        assert case.seen == expected


def test_offsets_of_dropped_records_are_committed_too(opened: Callable[..., Case]) -> None:
    case = opened()
    case.delivery.begin()
    case.delivery.drop(record("1"))
    case.delivery.dispatched()
    assert case.seen == [b"@{'n': '1'}"]


# What goes wrong


def test_a_refused_record_aborts_its_transaction_and_says_why(opened: Callable[..., Case]) -> None:
    case = opened()
    case.client.refuse = lambda m: KafkaError(KafkaError.INVALID_RECORD) if m.value() == b"2" else None
    with pytest.raises(RecordRefusedError, match="lines"):
        case.hand_over("1", "2")
    case.delivery.close()
    assert case.seen == []
    assert case.meter.total(Total.FAILED_COMMITS) == 1


def test_what_a_commit_in_the_other_thread_lost_is_not_passed_over(opened: Callable[..., Case]) -> None:
    """The task's poll blocks while the interval's commit fails: what it brings next may not be committed."""
    case = opened("interval")
    case.hand_over("1")
    case.now = 11
    case.client.lose = KafkaError(KafkaError._TIMED_OUT, retriable=True, txn_requires_abort=True)
    assert not case.delivery.commit()
    case.now = 22
    with pytest.raises(TransactionLostError):
        case.hand_over("2")
    with pytest.raises(TransactionLostError):
        case.delivery.check()
    assert case.delivery.commit(final=True)
    assert case.seen == []


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KafkaError(KafkaError._MSG_TIMED_OUT), TransactionLostError),
        (KafkaError(KafkaError.INVALID_PRODUCER_EPOCH), FencedError),
        (KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED), ConnectError),
    ],
)
def test_a_record_that_times_out_loses_the_transaction_and_blames_nobody(
    opened: Callable[..., Case], error: KafkaError, kind: type[ConnectError]
) -> None:
    case = opened()
    case.client.refuse = lambda message: error
    with pytest.raises(kind) as failed:
        case.hand_over("1")
    assert not isinstance(failed.value, RetriableError)
    assert case.seen == []


def test_a_task_whose_id_was_claimed_by_another_ends_fenced_and_its_records_are_not_seen(
    opened: Callable[..., Case],
) -> None:
    case = opened("interval")
    case.hand_over("1")
    successor = FakeProducer(holders=case.client.holders).connect({"transactional.id": "g-orders-0"})
    successor.init_transactions()
    case.now = 11
    with pytest.raises(FencedError):
        case.hand_over()
    case.delivery.close()
    assert case.seen == []
    assert [m.value() for m in case.client.aborted] == [b"1"]


def test_a_commit_of_unknown_outcome_is_asked_for_until_it_is_answered(
    opened: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.runtime.source.transaction._CALL_S", 0.0)
    case, asked = opened(), [0]
    commit = case.client.commit_transaction

    def answer(timeout: float) -> None:
        asked[0] += 1
        case.client.answering = asked[0] > 3
        commit(timeout)

    case.client.commit_transaction = answer  # type: ignore[method-assign]  # counts
    case.hand_over("1")
    assert asked == [4]
    assert case.seen == [b"1", b"@{'n': '1'}"]


def test_a_stopping_task_gives_an_unanswered_commit_up_after_the_flush_timeout(
    opened: Callable[..., Case], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("penstock.runtime.source.transaction._CALL_S", 0.0)
    case = opened("interval")
    case.hand_over("1")
    case.client.answering = False
    case.side.stopping.set()
    with pytest.raises(RetriableError):
        case.delivery.commit(final=True)
    case.delivery.close()
    assert case.side.done == []


def test_offsets_that_cannot_be_stored_abort_their_records(opened: Callable[..., Case]) -> None:
    case = opened()
    case.offsets.bad = True
    with pytest.raises(ConnectError, match="cannot be stored"):
        case.hand_over("1")
    assert case.seen == []
    assert [m.value() for m in case.client.aborted] == [b"1"]


def test_a_cancelled_task_commits_nothing(opened: Callable[..., Case]) -> None:
    case = opened("interval")
    case.hand_over("1")
    case.side.cancelled, case.now = True, 11
    case.delivery.cancel()
    assert not case.delivery.commit()
    case.delivery.close()
    assert case.seen == []


def test_a_record_for_the_offsets_topic_is_refused(opened: Callable[..., Case]) -> None:
    case = opened()
    with pytest.raises(NotTolerable, match=r"may not produce to their own offsets topics .* topic offsets"):
        case.delivery.meet_topic(OFFSETS)


# Opening


def test_a_task_waits_at_its_gate_and_is_kept_out_for_good(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("penstock.runtime.source.exactly_once._RETRY_S", 0.0)
    gate = Gate(before=[ConflictError("rebalance"), RetriableError("away")], after=[ConnectError("revoked")])
    case = Case(gate=gate)
    with pytest.raises(ConnectError, match="revoked"):
        case.delivery.open()
    case.delivery.abort()
    assert case.delivery.commit(final=True)
    case.delivery.close()
    assert case.seen == []


def test_a_task_that_is_stopped_while_it_waits_at_its_gate_ends() -> None:
    case = Case(gate=Gate(before=[RetriableError("away")] * 1000))
    case.side.stopping.set()
    with pytest.raises(TaskStopped):
        case.delivery.open()
    assert case.delivery.commit(final=True)
    case.delivery.close()


@pytest.mark.parametrize("where", ["before", "after"])
def test_a_stop_does_not_wait_for_those_whom_the_gate_asks(where: str) -> None:
    """The gate may wait for the herder's thread, which waits for the task's end."""
    asked, answered = threading.Event(), threading.Event()

    class BusyGate(Gate):
        def wait(self) -> None:
            asked.set()
            assert answered.wait(60)

    gate = BusyGate()
    setattr(gate, where, gate.wait)
    case, ends = Case(gate=gate), list[BaseException]()

    def live() -> None:
        try:
            case.delivery.open()
        except TaskStopped as end:
            ends.append(end)
        case.delivery.close()

    task = threading.Thread(target=live)
    task.start()
    assert asked.wait(60)
    case.side.stopping.set()
    task.join(60)
    is_ended, is_answered = not task.is_alive(), answered.is_set()
    answered.set()
    assert (is_ended, is_answered) == (True, False)
    assert "stopped while it waited" in str(ends)


def test_a_context_refuses_both_ends_of_one_transaction() -> None:
    context, one = WorkerTransactionContext(), record("1")
    context.commit_transaction(one)
    context.commit_transaction()
    with pytest.raises(ConnectError, match="both"):
        context.abort_transaction(one)
    with pytest.raises(ConnectError, match="both"):
        context.abort_transaction()
    assert _cut(context, [record("0"), one, record("2")]) == [["0", "1"], ["2"]]


def _cut(context: WorkerTransactionContext, batch: Sequence[SourceRecord]) -> list[list[Mapping[str, Any]]]:
    return [[one.value for one in piece] for piece in context.pieces(batch)]
