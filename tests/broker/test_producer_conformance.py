"""What penstock relies on in a producer, on the real client and on the fake that tests use in its place.

One suite for both: a rule that holds on one of them only fails here.
"""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition

from penstock.errors import ConnectError, RetriableError, TaskStopped
from penstock.kafka.errors import AccessError, FencedError, RecordRefusedError
from penstock.kafka.producing import Delivered, Outgoing, RecordProducer, Ticket, is_purged
from penstock.kafka.transactions import TransactionalProducer
from penstock.testing.fake_kafka import FakeProducer

Make = Callable[..., Any]


class Client:
    """One of the two, with what a test may do to it."""

    def __init__(self, make: Make, topic: str, unreachable: Make) -> None:
        self.make, self.topic, self.unreachable = make, topic, unreachable

    def out(self, value: bytes, key: bytes | None = None, **more: Any) -> Outgoing:
        return (
            more.get("topic", self.topic),
            value,
            key,
            more.get("partition", -1),
            more.get("timestamp", 0),
            more.get("headers"),
        )


@pytest.fixture(params=["fake", "real"])
def client(request: pytest.FixtureRequest) -> Client:
    if request.param == "fake":

        def fake(settings: Any, **callbacks: Any) -> FakeProducer:
            capacity = int(settings.get("queue.buffering.max.messages", 1_000_000))
            return FakeProducer(capacity, int(settings.get("message.max.bytes", 1_000_000))).connect(
                settings, **callbacks
            )

        def silent(settings: Any, **callbacks: Any) -> FakeProducer:
            producer = fake(settings, **callbacks)
            producer.acknowledging = False
            return producer

        return Client(fake, "t", silent)
    kafka = request.getfixturevalue("kafka")
    name = request.getfixturevalue("topic")(partitions=3)
    quick = {"linger.ms": 0, "log_level": 0}

    def real(settings: Any, **callbacks: Any) -> Producer:
        return Producer({"bootstrap.servers": kafka, **quick, **settings, **callbacks})

    def unreachable(settings: Any, **callbacks: Any) -> Producer:
        return Producer({"bootstrap.servers": "127.0.0.1:1", **quick, **settings, **callbacks})

    return Client(real, name, unreachable)


class Fates:
    """A callback that remembers what it was told, in order."""

    def __init__(self) -> None:
        self.seen: list[tuple[int | None, bytes | None]] = []
        self.messages: list[Any] = []

    def __call__(self, error: KafkaError | None, message: Any) -> None:
        self.seen.append((None if error is None else error.code(), message.value()))
        self.messages.append(message)


def test_a_callback_is_called_once_for_each_record_in_order(client: Client) -> None:
    producer, fates = RecordProducer(client.make, "test"), Fates()
    for value in (b"a", b"b", b"c"):
        producer.send(client.out(value, partition=1), fates)
    assert len(producer) == 3
    assert producer.flush(10) == 0
    assert fates.seen == [(None, b"a"), (None, b"b"), (None, b"c")]
    assert len(producer) == 0


def test_a_callback_sees_where_the_record_went_and_its_key_but_not_its_headers(client: Client) -> None:
    producer, fates = RecordProducer(client.make, "test"), Fates()
    producer.send(client.out(b"v", b"k", partition=2, timestamp=1234, headers=[("h", b"x")]), fates)
    assert producer.flush(10) == 0
    (message,) = fates.messages
    assert (message.topic(), message.partition(), message.key()) == (client.topic, 2, b"k")
    assert message.offset() == 0
    assert message.timestamp()[1] == 1234
    assert not message.headers()


def test_the_raw_call_takes_its_callback_in_the_fifth_place(client: Client) -> None:
    producer, fates, hidden = RecordProducer(client.make, "test"), Fates(), Fates()
    producer.produce(client.topic, b"a", None, -1, fates)
    producer.produce(client.topic, b"b", None, -1, fates, None, 0, None)
    producer.produce(client.topic, b"c", None, -1, None, hidden)
    assert producer.flush(10) == 0
    assert sorted(fates.seen) == [(None, b"a"), (None, b"b")]
    assert hidden.seen == []  # why nobody passes None there


def test_with_errors_only_no_callback_is_called_for_what_was_written(client: Client) -> None:
    producer, fates = RecordProducer(client.make, "test", only_errors=True), Fates()
    producer.send(client.out(b"a"), fates)
    assert producer.flush(10) == 0
    assert fates.seen == []
    producer.send(client.out(b"b", topic="bad topic %"), fates)
    assert producer.flush(10) == 0
    assert fates.seen == [(KafkaError.TOPIC_EXCEPTION, b"b")]


class Counting(Ticket):
    __slots__ = ("errors",)

    def __init__(self) -> None:
        self.errors: list[int] = []

    def __call__(self, error: KafkaError | None, message: Any) -> None:
        if error is not None:
            self.errors.append(error.code())


def test_a_ticket_ends_when_everything_sent_with_it_has_met_its_fate(client: Client) -> None:
    producer, ticket = RecordProducer(client.make, "test", only_errors=True), Counting()
    held, errors = weakref.ref(ticket), ticket.errors
    for value in (b"a", b"b"):
        producer.produce(client.topic, value, None, -1, ticket)
    producer.send(client.out(b"c", partition=77), ticket)
    del ticket
    assert held() is not None
    assert producer.flush(10) == 0
    assert held() is None
    assert errors == [KafkaError._UNKNOWN_PARTITION]


def test_a_ticket_does_not_end_while_a_record_waits_for_the_broker(client: Client) -> None:
    producer, ticket = RecordProducer(client.unreachable, "test", only_errors=True), Counting()
    held, errors = weakref.ref(ticket), ticket.errors
    producer.produce(client.topic, b"a", None, -1, ticket)
    del ticket
    assert producer.flush(0.2) == 1
    gc.collect()
    assert held() is not None
    producer.purge()
    assert held() is None
    assert errors == [KafkaError._PURGE_QUEUE]


def test_a_full_queue_is_waited_for_and_the_wait_can_be_given_up(client: Client) -> None:
    producer = RecordProducer(lambda s, **c: client.unreachable({**s, "queue.buffering.max.messages": 2}, **c), "test")
    producer.send(client.out(b"a"))
    producer.send(client.out(b"b"))
    with pytest.raises(BufferError):
        producer.produce(client.topic, b"c")
    with pytest.raises(RetriableError, match=r"test cannot write to topic .*buffer\.memory"):
        producer.send(client.out(b"c"))
    asked = []

    def give_up() -> None:
        asked.append(1)
        if len(asked) == 2:
            raise TaskStopped("enough")

    with pytest.raises(TaskStopped):
        producer.send(client.out(b"c"), wait=give_up)
    assert len(producer) == 2
    producer.purge()


def test_room_in_a_full_queue_is_taken_without_losing_or_repeating_a_record(client: Client) -> None:
    producer, fates = (
        RecordProducer(lambda s, **c: client.make({**s, "queue.buffering.max.messages": 2}, **c), "test"),
        Fates(),
    )
    values = [bytes([65 + i]) for i in range(10)]
    for value in values:
        producer.send(client.out(value, partition=0), fates, wait=lambda: None)
    assert producer.flush(10) == 0
    assert [value for _, value in fates.seen] == values


def test_a_record_beyond_the_clients_limit_is_refused_with_topic_size_and_setting(client: Client) -> None:
    producer = RecordProducer(
        lambda s, **c: client.make({**s, "message.max.bytes": 2000}, **c), "task c-0", prefix="producer.override."
    )
    with pytest.raises(RecordRefusedError) as caught:
        producer.send(client.out(b"x" * 5000, b"k"))
    assert caught.value.message.startswith(f"task c-0 cannot write a record of 5001 bytes to topic {client.topic}: ")
    assert "producer.override.max.request.size" in caught.value.message
    with pytest.raises(KafkaException):
        producer.produce(client.topic, b"x" * 5000)


def test_a_partition_that_a_topic_does_not_have_is_refused_at_once_if_the_topic_is_known(client: Client) -> None:
    producer, fates = RecordProducer(client.make, "test"), Fates()
    producer.send(client.out(b"a", partition=77), fates)
    assert producer.flush(10) == 0
    assert fates.seen == [(KafkaError._UNKNOWN_PARTITION, b"a")]
    with pytest.raises(RecordRefusedError, match="a partition that the topic does not have"):
        producer.send(client.out(b"b", partition=77), fates)
    assert len(producer) == 0


@pytest.mark.parametrize("record", [("t\x00t", b"v", None, -1, 0, None), ("t", b"v", None, -1, 0, [("h", 5)])])
def test_what_no_record_can_hold_is_that_records_fault(client: Client, record: Outgoing) -> None:
    producer = RecordProducer(client.make, "test")
    with pytest.raises(RecordRefusedError, match="test cannot write a record to topic t"):
        producer.send(record)
    assert len(producer) == 0


def test_a_purge_tells_each_record_that_it_was_dropped(client: Client) -> None:
    producer, fates = RecordProducer(client.unreachable, "test"), Fates()
    producer.send(client.out(b"a", partition=0), fates)
    producer.send(client.out(b"b", partition=0))
    assert producer.flush(0.1) == 2
    producer.purge()
    assert fates.seen == [(KafkaError._PURGE_QUEUE, b"a")]
    assert is_purged(KafkaError(fates.seen[0][0]))
    assert len(producer) == 0
    assert producer.failure is None


def test_a_record_without_a_callback_that_cannot_be_written_is_a_sticky_failure(client: Client) -> None:
    producer = RecordProducer(client.make, "test")
    producer.send(client.out(b"a", partition=77))
    producer.send(client.out(b"b"))
    assert producer.flush(10) == 0
    assert isinstance(producer.failure, RecordRefusedError)
    with pytest.raises(RecordRefusedError, match=f"test cannot write a record to topic {client.topic}"):
        producer.raise_failure()


def test_headers_keys_and_timestamps_of_every_kind_are_taken(client: Client) -> None:
    producer, fates = RecordProducer(client.make, "test"), Fates()
    kinds: list[Outgoing] = [
        client.out(b"v", headers=[("a", b"1"), ("a", None), ("b", "text")]),
        client.out(b"v", headers=[]),
        client.out(b"", b""),
        (client.topic, None, b"k", 1, 1_700_000_000_000, None),
    ]
    for record in kinds:
        producer.send(record, fates)
    assert producer.flush(10) == 0
    assert [code for code, _ in fates.seen] == [None] * 4


@pytest.fixture
def fake_producer() -> FakeProducer:
    return FakeProducer()


@pytest.mark.parametrize(
    ("error", "kind"),
    [
        (KafkaError(KafkaError._AUTHENTICATION), AccessError),
        (KafkaError(KafkaError._FATAL, "broken", fatal=True), ConnectError),
    ],
)
def test_a_client_that_is_finished_fails_for_good(
    fake_producer: FakeProducer, error: KafkaError, kind: type[ConnectError]
) -> None:
    producer = RecordProducer(fake_producer.connect, "test")
    fake_producer.error(KafkaError(KafkaError._TRANSPORT))
    producer.poll()
    assert producer.failure is None
    fake_producer.error(error)
    producer.poll()
    assert type(producer.failure) is kind


def test_a_broker_that_refuses_the_credentials_fails_the_real_producer(kafka: str) -> None:
    settings = {
        "bootstrap.servers": kafka,
        "security.protocol": "SASL_PLAINTEXT",
        "sasl.mechanisms": "PLAIN",
        "sasl.username": "u",
        "sasl.password": "secret-word",
        "log_level": 0,
    }
    complaints: list[KafkaError] = []

    def make(extra: Any, **callbacks: Any) -> Producer:
        theirs = callbacks.pop("error_cb")
        return Producer({**settings, **extra, **callbacks, "error_cb": lambda e: (complaints.append(e), theirs(e))})

    producer = RecordProducer(make, "test")
    for _ in range(100):
        producer.poll(0.1)
        if complaints:
            break
    assert complaints  # a plain listener answers no SASL: the client says so, and penstock does not hang
    assert "secret-word" not in str(producer.failure)


def test_what_waits_is_told_by_topic_and_partition(client: Client) -> None:
    producer = RecordProducer(client.make, "test", watched=True)
    told: Delivered = Fates()
    producer.send(client.out(b"a", partition=1), told)
    assert producer.flush(10) == 0
    producer.poll()
    assert producer.waiting() == {}


# Transactions


class Transactions:
    """Makes producers with one transactional id, and tells what a reader of committed records sees."""

    def __init__(self, client: Client, bootstrap: str | None) -> None:
        self.client, self._bootstrap = client, bootstrap
        self._id = f"id-{client.topic}"
        self._fakes: list[FakeProducer] = []
        self._holders: dict[str, FakeProducer] = {}

    def producer(self) -> TransactionalProducer:
        def make(settings: Any, **callbacks: Any) -> Any:
            settings = {**settings, "transactional.id": self._id}
            if self._bootstrap is not None:
                return self.client.make(settings, **callbacks)
            self._fakes.append(FakeProducer(holders=self._holders).connect(settings, **callbacks))
            return self._fakes[-1]

        return TransactionalProducer(make, "test")

    def seen(self) -> list[bytes]:
        if self._bootstrap is None:
            return sorted(m.value() or b"" for fake in self._fakes for m in fake.committed)
        settings = {"bootstrap.servers": self._bootstrap, "group.id": self._id, "enable.partition.eof": True}
        consumer = Consumer({**settings, "isolation.level": "read_committed"})
        consumer.assign([TopicPartition(self.client.topic, p, 0) for p in range(3)])
        found, ended = [], 0
        while ended < 3:
            message = consumer.poll(20)
            assert message is not None
            if message.error() is None:
                found.append(message.value())
            else:
                ended += 1
        consumer.close()
        return sorted(found)


@pytest.fixture
def transactions(request: pytest.FixtureRequest, client: Client) -> Transactions:
    real = request.node.callspec.params["client"] == "real"
    return Transactions(client, request.getfixturevalue("kafka") if real else None)


def test_a_transaction_is_seen_once_it_is_committed_and_never_if_it_is_aborted(transactions: Transactions) -> None:
    producer, out = transactions.producer(), transactions.client.out
    producer.init(30)
    for value, end in ((b"a", producer.commit), (b"b", producer.abort), (b"c", producer.commit)):
        producer.begin()
        producer.send(out(value))
        producer.flush(10)
        end(30)
    assert transactions.seen() == [b"a", b"c"]


def test_calls_out_of_order_are_errors(transactions: Transactions) -> None:
    producer, out = transactions.producer(), transactions.client.out
    with pytest.raises(ConnectError):
        producer.begin()
    producer.init(30)
    with pytest.raises(ConnectError):
        producer.send(out(b"a"))
    producer.begin()
    with pytest.raises(ConnectError):
        producer.begin()
    producer.send(out(b"b"))
    producer.commit(30)
    assert transactions.seen() == [b"b"]


def test_whoever_claims_an_id_fences_its_holder_and_aborts_what_it_left_open(transactions: Transactions) -> None:
    old, new, out = transactions.producer(), transactions.producer(), transactions.client.out
    old.init(30)
    old.begin()
    old.send(out(b"old"))
    assert old.flush(10) == 0
    new.init(30)
    new.begin()
    new.send(out(b"new"))
    new.commit(30)
    with pytest.raises(FencedError):
        old.commit(30)
    with pytest.raises(FencedError):
        old.abort(30)
    assert transactions.seen() == [b"new"]


def test_a_transaction_with_a_refused_record_can_only_be_aborted(transactions: Transactions) -> None:
    producer, out = transactions.producer(), transactions.client.out
    producer.init(30)
    producer.begin()
    producer.send(out(b"good"))
    producer.send(out(b"bad", topic="bad topic %"))
    with pytest.raises(ConnectError) as failed:
        producer.commit(30)
    assert not isinstance(failed.value, RetriableError)
    producer.abort(30)
    producer.begin()
    producer.send(out(b"next"))
    producer.commit(30)
    assert transactions.seen() == [b"next"]


def test_a_purge_leaves_a_transaction_that_cannot_be_committed(transactions: Transactions) -> None:
    producer, out = transactions.producer(), transactions.client.out
    producer.init(30)
    producer.begin()
    producer.send(out(b"a"))
    producer.purge()
    with pytest.raises(ConnectError) as failed:
        producer.commit(30)
    assert not isinstance(failed.value, RetriableError)
    assert transactions.seen() == []


def test_what_was_produced_is_what_a_consumer_reads(kafka: str, topic: Callable[..., str]) -> None:
    name = topic()
    producer = RecordProducer(lambda s, **c: Producer({"bootstrap.servers": kafka, **s, **c}), "test")
    producer.send((name, b"v", b"k", 0, 1_700_000_000_000, [("h", b"1"), ("h", None)]))
    assert producer.flush(10) == 0
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": name, "auto.offset.reset": "earliest"})
    consumer.subscribe([name])
    message = consumer.poll(20)
    consumer.close()
    assert message is not None
    assert (message.key(), message.value(), message.headers()) == (b"k", b"v", [("h", b"1"), ("h", None)])
    assert message.timestamp() == (1, 1_700_000_000_000)
