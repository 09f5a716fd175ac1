"""Questions to a real broker: they are answered, and disturb nobody who works there."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator

import pytest
from confluent_kafka import Consumer, Producer, TopicPartition

from lab.patience import PATIENCE_S
from penstock.errors import ConnectError
from penstock.kafka.probing import Probe
from penstock.testing.broker import free_ports


@pytest.fixture
def probe(kafka: str) -> Iterator[Probe]:
    probe = Probe({"bootstrap.servers": kafka}, "probe", 10)
    yield probe
    probe.close()


def test_an_open_transaction_survives_the_question_about_its_id(
    kafka: str, topic: Callable[..., str], probe: Probe
) -> None:
    name = topic()
    producer = Producer({"bootstrap.servers": kafka, "transactional.id": name})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(name, b"in it")
    producer.flush(30)
    assert probe.may_write_transactional_id(name)
    producer.commit_transaction(30)  # neither ended nor fenced
    consumer = Consumer({"bootstrap.servers": kafka, "group.id": name, "isolation.level": "read_committed"})
    try:
        consumer.assign([TopicPartition(name, 0, 0)])
        message = consumer.poll(PATIENCE_S)
        assert message is not None
        assert message.value() == b"in it"
    finally:
        consumer.close()


def test_a_group_at_work_does_not_notice_the_question_about_it(
    kafka: str, topic: Callable[..., str], probe: Probe
) -> None:
    name = topic()
    producer = Producer({"bootstrap.servers": kafka})
    producer.produce(name, b"a")
    producer.flush(30)
    settings = {
        "bootstrap.servers": kafka,
        "group.id": name,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
    }
    consumer, rounds = Consumer(settings), []
    consumer.subscribe(
        [name], on_assign=lambda _, given: rounds.append(given), on_revoke=lambda _, lost: rounds.append(lost)
    )
    try:
        message = consumer.poll(PATIENCE_S)
        assert message is not None
        assert probe.may_read_group(name)
        consumer.commit(message, asynchronous=False)  # of another generation it would be refused
        consumer.poll(1)
        assert len(rounds) == 1
    finally:
        consumer.close()


def test_groups_and_ids_that_nobody_uses_may_be_asked_about(probe: Probe, topic: Callable[..., str]) -> None:
    name = topic(create=False)
    assert probe.may_read_group(name)
    assert probe.may_write_transactional_id(name)


def test_the_controller_tells_its_time_and_a_broker_its_version(probe: Probe) -> None:
    before = time.time() * 1000
    moment = probe.controller_time()
    after = time.time() * 1000
    assert before <= moment.ours <= after
    assert before - 1000 <= moment.theirs <= after + 1000
    assert probe.version(1) >= (4, 0)


def test_nobody_at_the_address_is_an_error_in_time() -> None:
    [port] = free_ports(1)
    begin = time.monotonic()
    with pytest.raises(ConnectError, match="probe cannot connect to Kafka"):
        Probe({"bootstrap.servers": f"127.0.0.1:{port}"}, "probe", 1)
    assert time.monotonic() - begin < PATIENCE_S
