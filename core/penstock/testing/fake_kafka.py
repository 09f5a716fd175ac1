"""Fakes of the Kafka clients, for tests of loops that need no broker. They keep the client's contract, not its timing."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence
from typing import Any

from confluent_kafka import KafkaError, TopicPartition

__all__ = ["FakeConsumer", "FakeMessage", "FakeProducer"]


class FakeMessage:
    """A consumed or produced message."""

    def __init__(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        partition: int = 0,
        offset: int = 0,
        headers: list[tuple[str, Any]] | None = None,
        timestamp: int = 1,
        error: KafkaError | None = None,
    ) -> None:
        self._parts = topic, value, key, partition, offset, headers, timestamp, error

    def topic(self) -> str:
        return self._parts[0]

    def value(self) -> bytes | None:
        return self._parts[1]

    def key(self) -> bytes | None:
        return self._parts[2]

    def partition(self) -> int:
        return self._parts[3]

    def offset(self) -> int:
        return self._parts[4]

    def headers(self) -> list[tuple[str, Any]] | None:
        return self._parts[5]

    def timestamp(self) -> tuple[int, int]:
        return 1, self._parts[6]

    def error(self) -> KafkaError | None:
        return self._parts[7]


class FakeProducer:
    """Takes what is produced into `produced`; acknowledges it on `poll` and `flush` while `acknowledging` is set.

    `capacity` bounds what may be unacknowledged: beyond it `produce` raises BufferError, as the client does. With
    `refuse`, a delivery report carries that error.
    """

    def __init__(self, capacity: int = 1_000_000) -> None:
        self.capacity = capacity
        self.acknowledging = True
        #: Like a broker that takes its time: only `flush` waits long enough.
        self.slow = False
        self.refuse: Callable[[FakeMessage], KafkaError | None] = lambda message: None
        self.on_delivery: Callable[[KafkaError | None, FakeMessage], None] | None = None
        self.produced: list[FakeMessage] = []
        self.flushes = 0
        self.purged = False
        self._waiting: deque[tuple[FakeMessage, Any]] = deque()

    def produce(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int = -1,
        callback: Any = None,
        on_delivery: Any = None,
        timestamp: int = 0,
        headers: Any = None,
    ) -> None:
        if len(self._waiting) >= self.capacity:
            raise BufferError("Local: Queue full")
        message = FakeMessage(topic, value, key, partition, len(self.produced), headers, timestamp)
        self.produced.append(message)
        self._waiting.append((message, on_delivery or callback))

    def poll(self, timeout: float = 0) -> int:
        return 0 if self.slow else self._serve()

    def _serve(self) -> int:
        served = 0
        while self._waiting and self.acknowledging:
            message, callback = self._waiting.popleft()
            error = self.refuse(message)
            if callback is not None:
                callback(error, message)
            elif error is not None and self.on_delivery is not None:
                self.on_delivery(error, message)
            served += 1
        return served

    def flush(self, timeout: float = -1) -> int:
        self.flushes += 1
        self._serve()
        return len(self._waiting)

    def purge(self, *_: Any) -> None:
        self.purged = True
        self._waiting.clear()

    def __len__(self) -> int:
        return len(self._waiting)


class FakeConsumer:
    """Hands out what `feed` put in; `assign_now`, `revoke_now` and `lose_now` call the callbacks as `poll` would."""

    def __init__(self) -> None:
        self.topics: list[str] = []
        self.commits: list[dict[tuple[str, int], int]] = []
        self.commit_error: KafkaError | None = None
        self.seeks: list[tuple[str, int, int]] = []
        self.paused: set[tuple[str, int]] = set()
        self.closed = False
        self.on_commit: Callable[[KafkaError | None, list[TopicPartition]], None] | None = None
        self._assigned: dict[tuple[str, int], int] = {}
        self._messages: deque[FakeMessage] = deque()
        self._before: deque[Callable[[], None]] = deque()
        self._callbacks: dict[str, Any] = {}

    def subscribe(self, topics: list[str], **callbacks: Any) -> None:
        self.topics, self._callbacks = topics, callbacks

    def feed(self, *messages: FakeMessage) -> None:
        self._messages.extend(messages)

    def assign_now(self, *partitions: tuple[str, int]) -> None:
        """Like a rebalance inside the next poll."""
        self._before.append(lambda: self._callbacks["on_assign"](self, [TopicPartition(*p) for p in partitions]))

    def revoke_now(self, *partitions: tuple[str, int], lost: bool = False) -> None:
        name = "on_lost" if lost else "on_revoke"
        self._before.append(lambda: self._callbacks[name](self, [TopicPartition(*p) for p in partitions]))

    def poll(self, timeout: float = 0) -> FakeMessage | None:
        while self._before:
            self._before.popleft()()
        for message in list(self._messages):
            if (message.topic(), message.partition()) not in self.paused:
                self._messages.remove(message)
                return message
        return None

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[FakeMessage]:
        found: list[FakeMessage] = []
        while len(found) < num_messages and (message := self.poll()) is not None:
            found.append(message)
        return found

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._assigned = {(p.topic, p.partition): p.offset for p in partitions}

    def incremental_assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._assigned |= {(p.topic, p.partition): p.offset for p in partitions}

    def unassign(self) -> None:
        self._assigned.clear()

    def incremental_unassign(self, partitions: Sequence[TopicPartition]) -> None:
        for p in partitions:
            self._assigned.pop((p.topic, p.partition), None)

    def assignment(self) -> list[TopicPartition]:
        return [TopicPartition(t, p, o) for (t, p), o in self._assigned.items()]

    def commit(self, offsets: Sequence[TopicPartition], asynchronous: bool = True) -> None:
        self.commits.append({(p.topic, p.partition): p.offset for p in offsets})
        if asynchronous and self.on_commit is not None:
            self.on_commit(self.commit_error, list(offsets))

    def seek(self, partition: TopicPartition) -> None:
        self.seeks.append((partition.topic, partition.partition, partition.offset))
        self._messages = deque(
            m for m in self._messages if (m.topic(), m.partition()) != (partition.topic, partition.partition)
        )

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self.paused |= {(p.topic, p.partition) for p in partitions}

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self.paused -= {(p.topic, p.partition) for p in partitions}

    def close(self) -> None:
        if self._assigned and "on_revoke" in self._callbacks:  # as librdkafka does, in the thread that closes it
            self._callbacks["on_revoke"](self, self.assignment())
        self.closed = True
