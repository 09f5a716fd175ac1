"""Sinks on the embedded broker of ``penstock dev``: they start at once, and dead letters need no admin calls."""

import threading
import time
from collections.abc import Callable, Mapping
from typing import Any

import pytest
from confluent_kafka import Consumer, Producer

from penstock.api import TopicPartition
from penstock.config.disclosure import LookedUpValues
from penstock.errors import BadRequestError
from penstock.kafka import KafkaClients
from penstock.kafka.consuming import GroupConsumer
from penstock.kafka.embedded import EMBEDDED_CLIENT_SETTINGS, EmbeddedBroker
from penstock.runtime.kept_offsets import KeptOffsets
from penstock.runtime.sink.build import SinkTopics
from penstock.runtime.sink.dead_letters import dead_letter_queue
from penstock.runtime.status import ConnectorTaskId
from penstock.runtime.tolerance import ErrorStage, RecordFailure
from penstock.testing.fake_kafka import FakeMessage

STARTS = 30
SESSION_S = 45  # what a start that stands still waits for


class Listener:
    def assigned(self, partitions: list[TopicPartition]) -> Mapping[TopicPartition, int]:
        return {}

    def revoked(self, partitions: list[TopicPartition], lost: bool) -> None: ...

    def committed(self, offsets: Mapping[TopicPartition, int]) -> None: ...

    def not_committed(self) -> None: ...

    def thrown_out(self) -> None: ...


def test_no_sink_that_starts_while_its_topic_appears_stands_still_for_a_session() -> None:
    broker = EmbeddedBroker()
    producer = Producer({"bootstrap.servers": broker.bootstrap_servers, "linger.ms": 0, "log_level": 0})
    took: dict[int, float] = {}

    def start(number: int) -> None:
        topic, began = f"t{number}", time.monotonic()
        settings = {
            "bootstrap.servers": broker.bootstrap_servers, "group.id": f"g{number}", "auto.offset.reset": "earliest",
            "enable.auto.commit": False, "partition.assignment.strategy": "range,roundrobin", **EMBEDDED_CLIENT_SETTINGS,
        }  # fmt: skip
        consumer = GroupConsumer(
            lambda extra, **callbacks: Consumer({**settings, **callbacks}), topic, Listener(), cooperative=False
        )
        consumer.open()
        topics = SinkTopics((topic,)).subscription(EMBEDDED_CLIENT_SETTINGS, internal=False, embedded=True)
        produced = False
        while number not in took and time.monotonic() - began < SESSION_S:
            if topics.due:
                topics.update(topic, consumer.cluster_topics, consumer.subscribe)
            if not produced and time.monotonic() - began > number % 10 * 0.06:
                producer.produce(topic, value=b"x")
                produced = True
            if any(message.error() is None for message in consumer.poll(min(0.05, topics.wait), 10)):
                took[number] = time.monotonic() - began
        consumer.close()

    threads = [threading.Thread(target=start, args=(number,)) for number in range(STARTS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(SESSION_S * 2)
    producer.flush(10)
    broker.stop()
    assert sorted(took) == list(range(STARTS))
    assert max(took.values()) < SESSION_S - 10


def test_a_member_joins_only_once_its_topics_are_there_so_that_it_need_not_join_again() -> None:
    topics = SinkTopics(("t",)).subscription(EMBEDDED_CLIENT_SETTINGS, internal=False, embedded=True)
    subscribed: list[list[str]] = []
    topics.update("[c|task-0]", lambda timeout: frozenset({"other"}), subscribed.append)
    assert subscribed == []
    assert topics.wait <= 0.3
    topics.update("[c|task-0]", lambda timeout: frozenset({"other", "t"}), subscribed.append)
    assert subscribed == [["t"]]


def test_a_dead_letter_needs_no_admin_call_there_and_its_topic_appears_with_it() -> None:
    broker = EmbeddedBroker()
    clients = KafkaClients({"bootstrap.servers": broker.bootstrap_servers}, embedded=True)
    common: dict[str, Any] = {
        "errors.deadletterqueue.topic.name": "dlq",
        "errors.deadletterqueue.topic.replication.factor": 3,
        "errors.deadletterqueue.context.headers.enable": True,
    }
    task = ConnectorTaskId("archive", 0)
    queue = dead_letter_queue(task, {}, common, clients)
    queue.prepare()
    message = FakeMessage("orders", b"bad", b"k", 0, 41)
    failure = RecordFailure(
        task, ErrorStage.VALUE_CONVERTER, "JsonConverter", ValueError("cut \ud83d"), "here", message
    )
    written = queue.report(failure)
    assert written is not None
    wait_for(lambda: (queue.flush(0.2), written.done())[1])
    assert written.exception() is None
    letter = first_message(broker, "dlq")
    assert letter.value() == b"bad"
    assert dict(letter.headers())["__connect.errors.exception.message"] == b"cut ?"
    queue.close()
    broker.stop()


def test_a_sinks_offsets_are_shown_there_and_a_change_is_refused_with_the_way_out() -> None:
    from confluent_kafka import TopicPartition as Position

    broker = EmbeddedBroker()
    clients = KafkaClients({"bootstrap.servers": broker.bootstrap_servers}, embedded=True)
    kept = KeptOffsets(clients, None, None, dict, LookedUpValues)  # type: ignore[arg-type]  # sources are not asked
    assert kept.sink_offsets("archive", {}) == {}
    producer = clients.producer({}, "a test")
    producer.produce("orders", value=b"x", partition=1)
    producer.flush(10)
    consumer = clients.consumer({"group.id": "connect-archive"}, "a test")
    consumer.commit(offsets=[Position("orders", 1, 7)], asynchronous=False)
    consumer.close()
    assert kept.sink_offsets("archive", {}) == {TopicPartition("orders", 1): 7}
    with pytest.raises(BadRequestError, match="no admin calls"):
        kept.reset_sink_offsets("archive", {})
    with pytest.raises(BadRequestError, match="no admin calls"):
        kept.write_sink_offsets("archive", {}, {TopicPartition("orders", 1): 0})
    broker.stop()


def wait_for(probe: Callable[[], object], timeout: float = 30) -> None:
    deadline = time.monotonic() + timeout
    while not probe():
        assert time.monotonic() < deadline


def first_message(broker: EmbeddedBroker, topic: str) -> Any:
    from confluent_kafka import TopicPartition as Position

    consumer = Consumer(
        {"bootstrap.servers": broker.bootstrap_servers, "group.id": "look", "auto.offset.reset": "earliest"}
    )
    consumer.assign([Position(topic, partition, 0) for partition in range(4)])
    found: list[Any] = []
    wait_for(lambda: found.extend(m for m in consumer.consume(1, 0.3) if m.error() is None) or found)
    consumer.close()
    return found[0]
