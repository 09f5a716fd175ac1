"""Fakes of the Kafka clients, for tests of loops that need no broker. They keep the client's contract, not its timing."""

from __future__ import annotations

import json
import re
import threading
from collections import deque
from collections.abc import Callable, Mapping
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException

from penstock.testing.fake_consumer import FakeCluster, FakeConsumer
from penstock.testing.fake_message import FakeMessage

__all__ = ["FakeCluster", "FakeConsumer", "FakeMessage", "FakeProducer"]

_TOPIC: Final = re.compile(r"[A-Za-z0-9._-]{1,249}")


class FakeProducer:
    """A producer without a broker: takes what is produced into `produced`, and acknowledges it on `poll` and `flush`.

    It passes the suite that the real client passes (tests/broker/test_producer_conformance.py). A test may

    * hold acknowledgements back (``acknowledging = False``), those of some records (`held`, like a partition whose
      broker is away), or let only `flush` wait for them (``slow = True``);
    * bound what may be unacknowledged (`capacity`, then `produce` raises BufferError) and a record's size (`max_bytes`);
    * refuse records (`refuse` returns the error of the delivery report), or give topics other than 3 partitions;
    * call `error` as the client calls its ``error_cb``.

    With a ``transactional.id`` it is transactional: records are in `open` until they are `committed` or `aborted`. Producers
    that share `holders` fence each other; ``answering = False`` lets each end of a transaction time out, `lose` lets the
    next commit fail so that only an abort is left.

    `connect` takes settings and callbacks, as the client's constructor does; it may be handed to `RecordProducer`.
    """

    def __init__(
        self,
        capacity: int = 1_000_000,
        max_bytes: int = 1_000_000,
        partitions: int = 3,
        holders: dict[str, FakeProducer] | None = None,
    ) -> None:
        self.capacity, self.max_bytes, self.partitions = capacity, max_bytes, partitions
        self.acknowledging = True
        #: Acts like a broker that takes its time: only `flush` waits long enough.
        self.slow = False
        self.held: Callable[[FakeMessage], bool] = lambda message: False
        self.refuse: Callable[[FakeMessage], KafkaError | None] = lambda message: None
        self.settings: dict[str, Any] = {}
        self.produced: list[FakeMessage] = []
        self.flushes = 0
        self.purged = False
        self._lock = threading.Lock()
        self._callbacks: dict[str, Callable[..., None]] = {}
        self._waiting: deque[tuple[FakeMessage, Any]] = deque()
        self._dropped: deque[tuple[FakeMessage, Any]] = deque()
        self._errors: deque[KafkaError] = deque()
        self._known_topics: set[str] = set()
        #: The last producer that claimed each transactional id.
        self.holders: dict[str, FakeProducer] = {} if holders is None else holders
        self.answering = True
        self.lose: KafkaError | None = None
        self.open: list[FakeMessage] | None = None
        self.committed: list[FakeMessage] = []
        self.aborted: list[FakeMessage] = []
        #: The transactions that ended, in order: whether they were committed, and their records.
        self.ended: list[tuple[bool, list[FakeMessage]]] = []
        self._broken = False

    def connect(self, settings: Mapping[str, Any], **callbacks: Callable[..., None]) -> FakeProducer:
        self.settings, self._callbacks = dict(settings), callbacks
        return self

    def produce(
        self,
        topic: str,
        value: bytes | None = None,
        key: bytes | None = None,
        partition: int = -1,
        callback: Any = ...,
        on_delivery: Any = None,
        timestamp: int = 0,
        headers: Any = None,
    ) -> None:
        if len(value or b"") + len(key or b"") > self.max_bytes:
            raise _refused(KafkaError.MSG_SIZE_TOO_LARGE)
        if "\x00" in topic:
            raise ValueError("embedded null character")
        if any(not isinstance(data, bytes | str | None) for _, data in headers or ()):
            raise TypeError("Invalid header value type")
        if topic in self._known_topics and partition >= self.partitions:
            raise _refused(KafkaError._UNKNOWN_PARTITION)
        if self._id is not None:
            self._check_open()
        # The client's order: whatever stands in the fifth place hides `on_delivery`, None too.
        told = on_delivery if callback is ... else callback
        message = FakeMessage(topic, value, key, partition, len(self.produced), headers, timestamp)
        with self._lock:
            if len(self._waiting) >= self.capacity:
                raise BufferError("Local: Queue full")
            self.produced.append(message)
            if self.open is not None:
                self.open.append(message)
            self._waiting.append((message, told or self._callbacks.get("on_delivery")))

    # ---- transactions

    @property
    def _id(self) -> str | None:
        return self.settings.get("transactional.id")

    def init_transactions(self, timeout: float = -1) -> None:
        assert self._id is not None
        before = self.holders.get(self._id)
        if before is not None and before is not self:
            before._end(before.aborted)
        self.holders[self._id] = self

    def begin_transaction(self) -> None:
        if self._id is None or self._id not in self.holders or self.open is not None:
            raise _refused(KafkaError._STATE)
        self.open = []

    def commit_transaction(self, timeout: float = -1) -> None:
        self._check_open()
        self.flush(timeout)
        if self.lose is not None:
            self._broken, lost, self.lose = True, self.lose, None
            raise KafkaException(lost)
        if self._broken:
            raise KafkaException(KafkaError(KafkaError._INCONSISTENT, txn_requires_abort=True))
        if not self.answering or len(self):
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, retriable=True))
        self._end(self.committed)

    def abort_transaction(self, timeout: float = -1) -> None:
        self._check_open()
        if not self.answering:
            raise KafkaException(KafkaError(KafkaError._TIMED_OUT, retriable=True))
        self.purge()
        self._serve(True)
        self._end(self.aborted)
        self._broken = False

    def _check_open(self) -> None:
        if self.holders.get(self._id or "", self) is not self:
            raise KafkaException(KafkaError(KafkaError._FENCED, fatal=True))
        if self.open is None:
            raise _refused(KafkaError._STATE)

    def _end(self, into: list[FakeMessage]) -> None:
        with self._lock:
            if self.open is not None:
                into += self.open
                self.ended.append((into is self.committed, self.open))
            self.open = None

    def error(self, error: KafkaError) -> None:
        """Complain about the connection at the next `poll`."""
        self._errors.append(error)

    def poll(self, timeout: float = 0) -> int:
        while self._errors:
            self._callbacks["error_cb"](self._errors.popleft())
        self._report_waiting()
        return self._serve(not self.slow)

    def flush(self, timeout: float = -1) -> int:
        self.flushes += 1
        self._serve(True)
        return len(self)

    def purge(self, in_queue: bool = True, in_flight: bool = True, blocking: bool = True) -> None:
        self.purged = True
        with self._lock:
            self._dropped.extend(self._waiting)
            self._waiting.clear()

    def __len__(self) -> int:
        with self._lock:
            return len(self._waiting) + len(self._dropped)

    def _serve(self, patient: bool) -> int:
        served = 0
        while (told := self._next(patient)) is not None:
            error, message, callback = told
            self._broken = self._broken or (self._id is not None and error is not None)
            if callback is not None and (error is not None or not self.settings.get("delivery.report.only.error")):
                callback(error, message)
            told = callback = None  # let go of the callback before the next one is called, as the client does
            served += 1
        return served

    def _next(self, patient: bool) -> tuple[KafkaError | None, FakeMessage, Any] | None:
        with self._lock:
            if self._dropped:
                message, callback = self._dropped.popleft()
                return KafkaError(KafkaError._PURGE_QUEUE), message.reported(), callback
            place = next((at for at, (message, _) in enumerate(self._waiting) if not self.held(message)), None)
            if place is None or not patient or not self.acknowledging:
                return None
            message, callback = self._waiting[place]
            del self._waiting[place]
            self._known_topics.add(message.topic())
        if not _TOPIC.fullmatch(message.topic()):
            return KafkaError(KafkaError.TOPIC_EXCEPTION), message.reported(), callback
        if message.partition() >= self.partitions:
            return KafkaError(KafkaError._UNKNOWN_PARTITION), message.reported(), callback
        return self.refuse(message), message.reported(), callback

    def _report_waiting(self) -> None:
        tell = self._callbacks.get("stats_cb")
        if tell is None:
            return
        topics: dict[str, dict[str, Any]] = {}
        with self._lock:
            for message, _ in self._waiting:
                partitions = topics.setdefault(message.topic(), {"partitions": {}})["partitions"]
                counted = partitions.setdefault(str(max(0, message.partition())), {"msgq_cnt": 0})
                counted["msgq_cnt"] += 1
        tell(json.dumps({"topics": topics}))


def _refused(code: int) -> KafkaException:
    return KafkaException(KafkaError(code))
