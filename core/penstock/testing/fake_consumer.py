"""A consumer without a broker, and the cluster it may read from.

It keeps what the client promises and what it refuses, not its timing: nothing here waits. The suite in
tests/broker/test_consumer_conformance.py holds it and the real client to the same rules.
"""

from __future__ import annotations

import re
from bisect import bisect_left
from collections import deque
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from types import SimpleNamespace
from typing import Any, Final

from confluent_kafka import OFFSET_INVALID, KafkaError, KafkaException, TopicPartition

from penstock.testing.fake_message import FakeMessage

__all__ = ["FakeCluster", "FakeConsumer"]

_MAX_CONSUME: Final = 1_000_000
#: The constructs that Java's and Python's expressions have and POSIX's have not.
_NO_POSIX: Final = re.compile(r"\(\?|\\[dDwWsSb]|[*+?}]\?")
_Place = tuple[str, int]


class FakeCluster:
    """Topics with their records, and what groups have committed. Not for several threads."""

    def __init__(self) -> None:
        self.topics: dict[str, list[list[FakeMessage]]] = {}
        self.committed: dict[tuple[str, str, int], int] = {}
        #: True while no broker answers.
        self.away = False

    def create(self, topic: str, partitions: int = 1) -> None:
        self.topics[topic] = [[] for _ in range(partitions)]

    def append(self, topic: str, partition: int, *values: bytes) -> None:
        log = self.topics[topic][partition]
        log += [FakeMessage(topic, value, None, partition, offset) for offset, value in enumerate(values, len(log))]

    def add(self, message: FakeMessage) -> None:
        """Append a message with an offset of its own, which has to lie behind those before it."""
        log = self.topics[message.topic()][message.partition()]
        if log and message.offset() <= log[-1].offset():
            raise ValueError(f"the log ends at offset {log[-1].offset()}, so that {message.offset()} cannot follow")
        log.append(message)


class FakeConsumer:
    """Reads from `cluster`, as the only member of its group, or hands out what a test gives it.

    A test may `feed` messages, and call rebalances with `assign_now` and `revoke_now`: they happen inside the next
    `poll` or `consume`, as the client's do. `commit_error` refuses commits.
    """

    def __init__(
        self,
        cluster: FakeCluster | None = None,
        group: str = "group",
        on_commit: Callable[[KafkaError | None, list[TopicPartition]], None] | None = None,
    ) -> None:
        self.topics: list[str] = []
        self.commits: list[dict[_Place, int]] = []
        self.commit_error: KafkaError | None = None
        self.seeks: list[tuple[str, int, int]] = []
        #: Holds partitions that went, too: one that comes back is still paused.
        self.paused: set[_Place] = set()
        self.closed = False
        self.on_commit = on_commit
        self._cluster, self._group = cluster, group
        #: The offsets at which each assigned partition began, and at which it is now.
        self._assigned: dict[_Place, int] = {}
        self._next: dict[_Place, int] = {}
        #: Partitions that are being fetched: only those can seek.
        self._fetched: set[_Place] = set()
        self._delivered: dict[_Place, int] = {}
        self._messages: deque[FakeMessage] = deque()
        self._before: deque[Callable[[], None]] = deque()
        self._callbacks: dict[str, Any] = {}

    # ---- what a test does

    def feed(self, *messages: FakeMessage) -> None:
        self._messages.extend(messages)

    def assign_now(self, *partitions: _Place) -> None:
        """Assign `partitions` inside the next poll."""
        self._before.append(lambda: self._call("on_assign", [TopicPartition(*p) for p in partitions]))

    def revoke_now(self, *partitions: _Place, lost: bool = False) -> None:
        """Take `partitions` away inside the next poll."""
        name = "on_lost" if lost else "on_revoke"
        self._before.append(lambda: self._call(name, [TopicPartition(*p) for p in partitions]))

    # ---- the client's methods

    def subscribe(self, topics: list[str], **callbacks: Any) -> None:
        self._refuse_if_closed()
        if not topics or any(t.startswith("^") and _NO_POSIX.search(t) for t in topics):
            raise _refused(KafkaError._INVALID_ARG)
        self.topics, self._callbacks = list(topics), callbacks
        if self._cluster is not None:
            self._before.append(self._rebalance)

    def unsubscribe(self) -> None:
        self._refuse_if_closed()
        self.topics = []
        if self._cluster is not None:
            self._before.append(self._rebalance)

    def list_topics(self, topic: str | None = None, timeout: float = -1) -> Any:
        cluster = self._cluster
        if cluster is not None and cluster.away:
            raise _refused(KafkaError._TRANSPORT)
        names = self.topics if cluster is None else cluster.topics
        return SimpleNamespace(topics={name: SimpleNamespace(topic=name, error=None) for name in names})

    def poll(self, timeout: float = -1) -> FakeMessage | None:
        self._refuse_if_closed()
        while self._before:
            self._before.popleft()()
        self._fetched = set(self._assigned)
        return self._take()

    def consume(self, num_messages: int = 1, timeout: float = -1) -> list[FakeMessage]:
        self._refuse_if_closed()
        if not 0 <= num_messages <= _MAX_CONSUME:
            raise ValueError("num_messages must be between 0 and 1000000 (1M)")
        found: list[FakeMessage] = []
        while len(found) < num_messages and (message := self.poll()) is not None:
            found.append(message)
        return found

    def assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._assigned, self._fetched = {}, set()
        self.incremental_assign(partitions)

    def incremental_assign(self, partitions: Sequence[TopicPartition]) -> None:
        self._refuse_if_closed()
        for p in partitions:
            place = p.topic, p.partition
            self._assigned[place] = p.offset
            self._next[place] = p.offset if p.offset >= 0 else self._committed(place)
            self._delivered.pop(place, None)

    def unassign(self) -> None:
        self._assigned, self._fetched = {}, set()

    def incremental_unassign(self, partitions: Sequence[TopicPartition]) -> None:
        for p in partitions:
            self._assigned.pop((p.topic, p.partition), None)
            self._fetched.discard((p.topic, p.partition))

    def assignment(self) -> list[TopicPartition]:
        self._refuse_if_closed()
        return [TopicPartition(t, p, o) for (t, p), o in self._assigned.items()]

    def position(self, partitions: Sequence[TopicPartition]) -> list[TopicPartition]:
        self._refuse_if_closed()
        at = self._delivered
        return [
            TopicPartition(p.topic, p.partition, at.get((p.topic, p.partition), OFFSET_INVALID)) for p in partitions
        ]

    def committed(self, partitions: Sequence[TopicPartition], timeout: float = -1) -> list[TopicPartition]:
        self._refuse_if_closed()
        known = {} if self._cluster is None else self._cluster.committed
        return [
            TopicPartition(p.topic, p.partition, known.get((self._group, p.topic, p.partition), OFFSET_INVALID))
            for p in partitions
        ]

    def commit(self, offsets: Sequence[TopicPartition], asynchronous: bool = True) -> list[TopicPartition] | None:
        self._refuse_if_closed()
        if not offsets:
            raise _refused(KafkaError._NO_OFFSET)
        self.commits.append({(p.topic, p.partition): p.offset for p in offsets})
        error, answer = self._take_commit(offsets)
        if asynchronous:
            self._before.append(lambda: self._tell_commit(error, answer))
            return None
        if error is not None:
            raise KafkaException(error)
        return answer

    def seek(self, partition: TopicPartition) -> None:
        self._refuse_if_closed()
        place = partition.topic, partition.partition
        if place not in self._fetched:
            raise _refused(KafkaError._STATE if place in self._assigned else KafkaError._UNKNOWN_PARTITION)
        self.seeks.append((*place, partition.offset))
        self._next[place] = partition.offset
        self._delivered.pop(place, None)
        self._messages = deque(m for m in self._messages if (m.topic(), m.partition()) != place)

    def pause(self, partitions: Sequence[TopicPartition]) -> None:
        self._refuse_if_closed()
        self.paused |= {(p.topic, p.partition) for p in partitions} & self._assigned.keys()

    def resume(self, partitions: Sequence[TopicPartition]) -> None:
        self._refuse_if_closed()
        self.paused -= {(p.topic, p.partition) for p in partitions}

    def close(self) -> None:
        if self._assigned and "on_revoke" in self._callbacks:  # as librdkafka does, in the thread that closes it
            self._call("on_revoke", _positions(self._assigned))
        self.closed = True

    # ---- inside

    def _refuse_if_closed(self) -> None:
        if self.closed:
            raise RuntimeError("Consumer closed")

    def _call(self, name: str, positions: list[TopicPartition]) -> None:
        if name in self._callbacks:
            self._callbacks[name](self, positions)

    def _committed(self, place: _Place) -> int:
        known = {} if self._cluster is None else self._cluster.committed
        return known.get((self._group, *place), 0)

    def _rebalance(self) -> None:
        """Revoke everything and assign what the subscription's topics have, as an eager group does."""
        assert self._cluster is not None
        if self._cluster.away:
            return
        if self._assigned:
            self._call("on_revoke", _positions(self._assigned))
        self._messages.clear()
        there = self._cluster.topics
        for topic in self.topics:
            if topic not in there:
                error = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART, f"Subscribed topic not available: {topic}")
                self._messages.append(FakeMessage(topic, None, error=error))
        places = [(t, p) for t in self.topics for p in range(len(there.get(t, ())))]
        if places:
            self._call("on_assign", _positions(places))

    def _take(self) -> FakeMessage | None:
        for message in self._messages:
            if message.error() is not None or (message.topic(), message.partition()) not in self.paused:
                self._messages.remove(message)
                return self._handed(message)
        if self._cluster is None or self._cluster.away:
            return None
        chosen = self._choose(_heads(self._cluster, self._next, self._assigned.keys() - self.paused))
        if chosen is None:
            return None
        self._next[chosen.topic(), chosen.partition()] = chosen.offset() + 1
        return self._handed(chosen)

    def _choose(self, heads: Iterator[FakeMessage]) -> FakeMessage | None:
        """Return the message that is handed out next: one partition is read to its end before the next one is."""
        return next(heads, None)

    def _handed(self, message: FakeMessage) -> FakeMessage:
        if message.error() is None:
            self._delivered[message.topic(), message.partition()] = message.offset() + 1
        return message

    def _take_commit(self, offsets: Sequence[TopicPartition]) -> tuple[KafkaError | None, list[TopicPartition]]:
        answer: list[Any] = [_Answered(p.topic, p.partition, p.offset) for p in offsets]
        cluster = self._cluster
        if self.commit_error is not None or cluster is None:
            return self.commit_error, answer
        error: KafkaError | None = None
        for position in answer:
            if position.topic in cluster.topics:
                cluster.committed[self._group, position.topic, position.partition] = position.offset
            else:
                error = KafkaError(KafkaError.UNKNOWN_TOPIC_OR_PART)
                position.error = error
        return error, answer

    def _tell_commit(self, error: KafkaError | None, answer: list[TopicPartition]) -> None:
        if self.on_commit is not None:
            self.on_commit(error, answer)


class _Answered:
    """A position of a commit's answer; the client's own cannot be given an error."""

    def __init__(self, topic: str, partition: int, offset: int) -> None:
        self.topic, self.partition, self.offset = topic, partition, offset
        self.error: KafkaError | None = None


def _refused(code: int) -> KafkaException:
    return KafkaException(KafkaError(code))


def _heads(cluster: FakeCluster, positions: Mapping[_Place, int], places: Collection[_Place]) -> Iterator[FakeMessage]:
    """Yield the next message of each of `places` that has one."""
    for place in positions:
        if place in places:
            log = cluster.topics[place[0]][place[1]]
            at = bisect_left(log, positions[place], key=FakeMessage.offset)
            if at < len(log):
                yield log[at]


def _positions(places: Iterable[_Place]) -> list[TopicPartition]:
    return [TopicPartition(*place) for place in places]
