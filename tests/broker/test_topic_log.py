"""Topics as shared state, on a real broker: reading to the end, following, transactions, what is refused."""

import contextlib
import threading
import time
import uuid
from collections.abc import Callable, Iterator, Sequence
from typing import Any

import pytest
from confluent_kafka import Consumer, Message, Producer, TopicPartition
from confluent_kafka.admin import AdminClient

from lab.patience import PATIENCE_S
from penstock.errors import ConfigError, ConnectError, RetriableError, WorkerError
from penstock.kafka.clients import KafkaClients
from penstock.kafka.errors import FencedError
from penstock.kafka.topic_log import LogRecord, TopicLog, TopicSpec, internal_clients
from penstock.kafka.transactions import TransactionalWriter
from penstock.testing.broker import KafkaBroker


class Seen:
    """What a log was given, for any thread to look at."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: list[LogRecord] = []

    def __call__(self, record: LogRecord) -> None:
        with self._lock:
            self._records.append(record)

    def pairs(self) -> list[tuple[bytes | None, bytes | None]]:
        with self._lock:
            return [(record.key, record.value) for record in self._records]


@contextlib.contextmanager
def running(
    kafka: str, name: str, seen: Callable[[LogRecord], None], partitions: int = 1, transactions: bool = False
) -> Iterator[TopicLog]:
    spec = TopicSpec(name, partitions, 1)
    log = TopicLog(spec, internal_clients({"bootstrap.servers": kafka}), seen, transactions=transactions)
    log.start(30)
    try:
        yield log
    finally:
        log.stop()


def eventually(condition: Callable[[], bool], seconds: float = PATIENCE_S) -> None:
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, "it did not come true in time"
        time.sleep(0.02)


def writer(kafka: str, name: str, transactional_id: str) -> TransactionalWriter:
    return TransactionalWriter(internal_clients({"bootstrap.servers": kafka}), name, transactional_id, {}, "test")


def test_a_missing_topic_is_made_compacted_and_what_is_sent_is_read_back(kafka: str, topic: Callable[..., str]) -> None:
    name, seen = topic(create=False), Seen()
    with running(kafka, name, seen, partitions=3) as log:
        assert log.partitions == 3
        log.send_and_flush([("a", b"1"), ("a", None), ("é", b"2")])
        log.read_to_end(20)
        assert sorted(seen.pairs(), key=str) == sorted([(b"a", b"1"), (b"a", None), ("é".encode(), b"2")], key=str)
    admin = AdminClient({"bootstrap.servers": kafka})
    assert len(admin.list_topics(name, timeout=10).topics[name].partitions) == 3


def test_a_log_starts_with_what_is_there_and_follows_what_others_write(kafka: str, topic: Callable[..., str]) -> None:
    name, first, second = topic(create=False), Seen(), Seen()
    with running(kafka, name, first) as one:
        one.send_and_flush([("k", b"old")])
        with running(kafka, name, second) as other:
            assert second.pairs() == [(b"k", b"old")]
            told: list[object] = []
            one.send("k", b"new", told.append)
            eventually(lambda: len(second.pairs()) == 2)
            eventually(lambda: told == [None])
            other.read_to_end(20)


def test_reading_to_the_end_passes_transactions_and_hides_what_was_aborted(
    kafka: str, topic: Callable[..., str]
) -> None:
    name, seen = topic(cleanup_policy="compact"), Seen()
    claimed = writer(kafka, name, f"t-{uuid.uuid4()}")
    claimed.claim(30)
    with running(kafka, name, seen, transactions=True) as log:
        claimed.write([("a", b"1"), ("b", b"2")], 30)
        log.read_to_end(20)
        assert seen.pairs() == [(b"a", b"1"), (b"b", b"2")]

        aborting = Producer({"bootstrap.servers": kafka, "transactional.id": f"t-{uuid.uuid4()}"})
        aborting.init_transactions(30)
        aborting.begin_transaction()
        aborting.produce(name, b"never", "c")
        aborting.flush(10)
        aborting.abort_transaction(30)
        log.read_to_end(20)
        assert seen.pairs() == [(b"a", b"1"), (b"b", b"2")]


class Deaf:
    """A consumer that does not hear of a partition's end until it is assigned anew."""

    def __init__(self, consumer: Consumer) -> None:
        self._consumer, self.assigned = consumer, 0

    def assign(self, partitions: list[TopicPartition]) -> None:
        self.assigned += 1
        self._consumer.assign(partitions)

    def poll(self, timeout: float) -> Message | None:
        return next(iter(self._heard([self._consumer.poll(timeout)])), None)

    def consume(self, count: int, timeout: float) -> list[Message]:
        return self._heard(self._consumer.consume(count, timeout))

    def _heard(self, messages: Sequence[Message | None]) -> list[Message]:
        deaf = self.assigned == 1
        return [m for m in messages if m is not None and not (deaf and m.error() is not None)]

    def close(self) -> None:
        self._consumer.close()


def test_a_reader_that_stands_still_before_the_end_begins_there_anew(
    kafka: str, topic: Callable[..., str], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As after a long outage of the broker, with no more than the end of a transaction left to read."""
    monkeypatch.setattr("penstock.kafka.topic_log._STUCK_S", 0.5)
    name, seen = topic(cleanup_policy="compact"), Seen()
    claimed = writer(kafka, name, f"t-{uuid.uuid4()}")
    claimed.claim(60)
    claimed.write([("a", b"1")], 60)
    clients, made = internal_clients({"bootstrap.servers": kafka}), list[Deaf]()

    def consumer(*arguments: Any) -> Any:
        made.append(Deaf(KafkaClients.consumer(clients, *arguments)))
        return made[-1]

    monkeypatch.setattr(clients, "consumer", consumer)
    log = TopicLog(TopicSpec(name, 1, 1), clients, seen, transactions=True)
    try:
        log.start(60)
        assert seen.pairs() == [(b"a", b"1")]
        assert made[0].assigned == 2
        claimed.write([("b", b"2")], 60)
        log.read_to_end(60)
        assert seen.pairs() == [(b"a", b"1"), (b"b", b"2")]
    finally:
        log.stop()


def test_an_open_transaction_holds_reading_up_rather_than_showing_old_state(
    kafka: str, topic: Callable[..., str]
) -> None:
    name, seen = topic(cleanup_policy="compact"), Seen()
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": f"t-{uuid.uuid4()}"})
    producer.init_transactions(30)
    with running(kafka, name, seen, transactions=True) as log:
        producer.begin_transaction()
        producer.produce(name, b"1", "a")
        producer.flush(10)
        with pytest.raises(RetriableError, match="open transaction"):
            log.read_to_end(0.7)
        producer.commit_transaction(30)
        log.read_to_end(20)
        assert seen.pairs() == [(b"a", b"1")]


def test_a_second_claim_fences_the_first_writer(kafka: str, topic: Callable[..., str]) -> None:
    name, transactional_id = topic(cleanup_policy="compact"), f"t-{uuid.uuid4()}"
    first, second = writer(kafka, name, transactional_id), writer(kafka, name, transactional_id)
    first.claim(30)
    first.write([("a", b"1")], 30)
    second.claim(30)
    with pytest.raises(FencedError, match="another worker has taken over"):
        first.write([("a", b"2")], 30)
    second.write([("a", b"3")], 30)
    first.close()
    seen = Seen()
    with running(kafka, name, seen):
        assert seen.pairs() == [(b"a", b"1"), (b"a", b"3")]


def test_a_topic_that_is_not_compacted_is_refused(kafka: str, topic: Callable[..., str]) -> None:
    spec = TopicSpec(topic(cleanup_policy="delete"), 1, 1, setting="offset.storage.topic", holds="source offsets")
    log = TopicLog(spec, internal_clients({"bootstrap.servers": kafka}), Seen())
    with pytest.raises(
        ConfigError, match=r"'offset\.storage\.topic' .*cleanup\.policy=compact.*cleanup\.policy=delete"
    ):
        log.start(20)


def test_a_topic_of_configurations_with_two_partitions_is_refused(kafka: str, topic: Callable[..., str]) -> None:
    spec = TopicSpec(topic(partitions=2, cleanup_policy="compact"), 1, 1, exact_partitions=True)
    with pytest.raises(ConfigError, match=r"single partition.*found 2 partitions"):
        TopicLog(spec, internal_clients({"bootstrap.servers": kafka}), Seen()).start(20)


def test_a_topic_that_cannot_be_made_says_why(kafka: str, topic: Callable[..., str]) -> None:
    spec = TopicSpec(topic(create=False), 1, 3)  # three replicas on one broker
    with pytest.raises(WorkerError, match="replication 3"):
        TopicLog(spec, internal_clients({"bootstrap.servers": kafka}), Seen()).start(20)


def test_without_a_broker_start_gives_up_in_time() -> None:
    log = TopicLog(TopicSpec("t", 1, 1), internal_clients({"bootstrap.servers": "127.0.0.1:1"}), Seen())
    with pytest.raises(WorkerError, match="Cannot prepare worker's topic t"):
        log.start(0.5)


def test_a_record_that_is_not_understood_does_not_stop_the_log(kafka: str, topic: Callable[..., str]) -> None:
    seen = Seen()

    def picky(record: LogRecord) -> None:
        if record.value == b"bad":
            raise ValueError("bad")
        seen(record)

    with running(kafka, topic(create=False), picky) as log:
        log.send_and_flush([("a", b"bad"), ("a", b"good")])
        log.read_to_end(20)
        assert seen.pairs() == [(b"a", b"good")]


def test_a_log_outlives_an_outage_of_the_broker(private_broker: Callable[..., KafkaBroker]) -> None:
    broker, seen = private_broker(), Seen()
    with running(broker.bootstrap, "state", seen) as log:
        log.send_and_flush([("a", b"1")])
        broker.stop()
        with pytest.raises(ConnectError):
            log.read_to_end(1)
        with pytest.raises(RetriableError):
            log.send_and_flush([("a", b"2")], 1)
        broker.start()
        log.send_and_flush([("a", b"3")], 60)
        log.read_to_end(60)
        assert seen.pairs() == [(b"a", b"1"), (b"a", b"2"), (b"a", b"3")]


def test_reading_a_stopped_log_is_an_error(kafka: str, topic: Callable[..., str]) -> None:
    with running(kafka, topic(create=False), Seen()) as log:
        log.send_and_flush([("a", b"1")])
        log.read_to_end(20)
    with pytest.raises(WorkerError, match="not running"):
        log.send("a", b"2")
