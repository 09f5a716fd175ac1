"""The Kafka of a harness: fakes of the clients, made by the worker's own factory."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future
from types import SimpleNamespace
from typing import Any, Final

from confluent_kafka import KafkaError

from penstock.kafka import KafkaClients
from penstock.kafka.clients import ClientKind
from penstock.testing.fake_consumer import FakeCluster, FakeConsumer
from penstock.testing.fake_kafka import FakeProducer
from penstock.testing.fake_message import FakeMessage
from penstock.testing.harness.carried import SentRecord, sent_record

__all__ = ["HarnessConsumer", "HarnessKafka"]

#: The beginning of the client id of a dead letter queue's producer.
_DEAD_LETTERS: Final = "connector-dlq-producer-"


class HarnessConsumer(FakeConsumer):
    """A consumer that reads records in the order in which they were written, whatever their partitions, and can vanish, as
    with a process that is killed."""

    def vanish(self) -> None:
        """Leave without a word: closing calls nobody back."""
        self._assigned, self._callbacks = {}, {}

    def _choose(self, heads: Iterator[FakeMessage]) -> FakeMessage | None:
        return min(heads, key=lambda message: getattr(message, "number", 0), default=None)


class HarnessKafka(KafkaClients):
    """Makes clients that reach no broker. Their settings are checked as a worker's are.

    A test may set `acknowledging` to False, so that nothing is confirmed until it is True again, and `refuses`, which is
    asked about each record that is to be written.
    """

    def __init__(self) -> None:
        super().__init__({"bootstrap.servers": "harness:9092"})
        self.cluster = FakeCluster()
        self.acknowledging = True
        self.refuses: Callable[[SentRecord], bool] = lambda record: False
        #: The topics that were created, with the number of partitions that was asked for (-1: the broker's).
        self.created: dict[str, int] = {}
        self.consumers: list[HarnessConsumer] = []
        self._producers: list[FakeProducer] = []
        self._holders: dict[str, FakeProducer] = {}

    # ---- what the worker calls

    def producer(self, overrides: Mapping[str, Any], owner: str, **callbacks: Callable[..., Any]) -> Any:
        settings = self.settings(ClientKind.PRODUCER, overrides, owner)
        made = FakeProducer(holders=self._holders)
        made.held = lambda message: not self.acknowledging
        made.refuse = self._refusal
        self._producers.append(made)
        return made.connect(settings, **callbacks)

    def consumer(self, overrides: Mapping[str, Any], owner: str, **callbacks: Callable[..., Any]) -> Any:
        settings = self.settings(ClientKind.CONSUMER, overrides, owner)
        made = HarnessConsumer(self.cluster, settings["group.id"], callbacks.get("on_commit"))
        self.consumers.append(made)
        return made

    def admin(self, overrides: Mapping[str, Any], owner: str, **callbacks: Callable[..., Any]) -> Any:
        self.settings(ClientKind.ADMIN, overrides, owner)
        return SimpleNamespace(list_topics=self._list_topics, create_topics=self._create_topics)

    def _refusal(self, message: FakeMessage) -> KafkaError | None:
        return KafkaError(KafkaError.MSG_SIZE_TOO_LARGE) if self.refuses(sent_record(message)) else None

    def _list_topics(self, timeout: float) -> Any:
        return SimpleNamespace(topics=dict.fromkeys([*self.cluster.topics, *self.created]))

    def _create_topics(self, topics: list[Any], request_timeout: float) -> dict[str, Future[None]]:
        done: dict[str, Future[None]] = {}
        for topic in topics:
            self.created[topic.topic] = topic.num_partitions
            done[topic.topic] = Future()
            done[topic.topic].set_result(None)
        return done

    # ---- what came of it

    def written(self) -> list[FakeMessage]:
        """Return the records that readers of committed records see, dead letters left out."""
        return [
            message
            for producer in self._tasks_producers()
            for message in (producer.committed if "transactional.id" in producer.settings else producer.produced)
        ]

    def transactions(self) -> list[tuple[bool, list[FakeMessage]]]:
        """Return the transactions that ended: whether they were committed, and their records."""
        return [ended for producer in self._tasks_producers() for ended in producer.ended]

    def dead_letters(self) -> list[FakeMessage]:
        return [m for p in self._producers if _is_for_dead_letters(p) for m in p.produced]

    def _tasks_producers(self) -> list[FakeProducer]:
        return [producer for producer in self._producers if not _is_for_dead_letters(producer)]


def _is_for_dead_letters(producer: FakeProducer) -> bool:
    return str(producer.settings.get("client.id", "")).startswith(_DEAD_LETTERS)
