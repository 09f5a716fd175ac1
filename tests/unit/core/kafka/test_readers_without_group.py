"""Readers of assigned partitions need no right to the group that the client library wants them to name."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest
from confluent_kafka import KafkaError

from penstock.errors import ConnectError
from penstock.kafka import KafkaClients
from penstock.kafka.one_message import read_message
from penstock.kafka.reading import read_between
from penstock.kafka.sampling import newest_records
from penstock.kafka.topic_log import LogRecord, TopicLog, TopicSpec
from penstock.testing.fake_message import FakeMessage

NO_GROUP = FakeMessage("t", None, error=KafkaError(KafkaError.GROUP_AUTHORIZATION_FAILED))
NO_TOPIC = FakeMessage("t", None, error=KafkaError(KafkaError.TOPIC_AUTHORIZATION_FAILED))
RECORD = FakeMessage("t", b"v", offset=0)


class Consumer:
    """Gives what it was made with, one at a time, of a topic with one record."""

    def __init__(self, messages: list[FakeMessage]) -> None:
        self._messages = list(messages)

    def poll(self, timeout: float) -> FakeMessage | None:
        return self._messages.pop(0) if self._messages else None

    def consume(self, count: int, timeout: float) -> list[FakeMessage]:
        return [message for message in [self.poll(timeout)] if message is not None]

    def list_topics(self, topic: str, timeout: float) -> Any:
        return SimpleNamespace(topics={topic: SimpleNamespace(error=None, partitions={0: None})})

    def get_watermark_offsets(self, partition: Any, timeout: float) -> tuple[int, int]:
        return 0, 1

    def assign(self, partitions: Any) -> None:
        pass

    def close(self) -> None:
        pass


def clients(*messages: FakeMessage) -> KafkaClients:
    made = SimpleNamespace(
        consumer=lambda settings, owner: Consumer(list(messages)),
        admin=lambda settings, owner: None,
        bootstrap_servers="b",
    )
    return cast("KafkaClients", made)


READERS = {
    "one message": lambda *messages: [read_message(clients(*messages), {}, "o", ("t", 0, 0), 5)],
    "a part": lambda *messages: list(read_between(clients(*messages), {}, "o", {("t", 0): (0, 1)})),
    "the newest": lambda *messages: newest_records(clients(*messages), {}, "o", "t", 5, 5),
}


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_group_that_may_not_be_read_keeps_nobody_from_reading(read: Any) -> None:
    assert [message.value() for message in read(NO_GROUP, RECORD)] == [b"v"]


@pytest.mark.parametrize("read", READERS.values(), ids=READERS)
def test_a_topic_that_may_not_be_read_does(read: Any) -> None:
    with pytest.raises(ConnectError, match="Allow the client's principal"):
        read(NO_TOPIC, RECORD)


@pytest.mark.parametrize(("met", "well"), [(NO_GROUP, True), (NO_TOPIC, False)])
def test_a_log_goes_on_without_its_group_and_not_without_its_topic(met: FakeMessage, well: bool) -> None:
    records: list[LogRecord] = []
    log = TopicLog(TopicSpec("t", 1, 1), clients(), records.append)
    log._take(cast("Any", [RECORD, met]))
    assert [record.value for record in records] == [b"v"]
    assert (log._progress.error is None) == well
