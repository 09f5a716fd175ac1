"""A compacted topic as shared state: read to its end, then followed (Kafka's ``KafkaBasedLog``).

::

    log = TopicLog(TopicSpec("connect-configs", partitions=1, replication=3), internal_clients(common), on_record)
    log.start()                    # the topic is made if it is missing, and read to its end
    log.send_and_flush([(key, value)])
    log.read_to_end()              # what anybody wrote before this call has been given to on_record

Reading to the end takes the end offset first, of whatever was written (read_uncommitted), and then waits until the
reader, which sees committed records only, has come that far: the committed end alone would stop before an open
transaction and show old state.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final, NamedTuple

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, Message, TopicPartition

from penstock.errors import ConfigError, ConnectError, RetriableError, WorkerError
from penstock.kafka.clients import KafkaClients
from penstock.kafka.delivery import Outcomes, Sent, report
from penstock.kafka.errors import Fault, connect_error, is_about_group, meaning_of
from penstock.kafka.producing import RecordProducer
from penstock.kafka.topic_admin import TopicSpec, end_offsets, ensure_topic
from penstock.logs import log_failure

__all__ = ["LogRecord", "TopicLog", "TopicSpec", "internal_clients"]

_log: Final = logging.getLogger(__name__)
_POLL_S: Final = 0.1
_AT_ONCE: Final = 500
_FLUSH_S: Final = 30.0
#: Errors of the consumer after which nothing will come any more, whatever one waits.
_HOPELESS: Final = frozenset({Fault.ACCESS, Fault.FENCED, Fault.FATAL})

Key = str | bytes


class LogRecord(NamedTuple):
    """One record of the topic. `value` is None for a tombstone; `timestamp` is in milliseconds."""

    key: bytes | None
    value: bytes | None
    partition: int
    offset: int
    timestamp: int


def internal_clients(common: Mapping[str, Any]) -> KafkaClients:
    """Clients for a worker's own topics: unlike those of tasks, they all take the worker's own settings, security
    included (``DistributedConfig.originals``)."""
    return KafkaClients(common, common, common, common)


#: How long a wait may see no progress before the client fetches anew. After an outage of a minute it has been met that
#: never told of the end again, with nothing but the end of a transaction left to read: every task that started failed.
_STUCK_S: Final = 5.0


@dataclass
class _Progress:
    """The progress of the reader: the next offset of each partition, and the error that ended it."""

    positions: dict[int, int] = field(default_factory=dict)
    error: ConnectError | None = None


class TopicLog:
    """Safe from any thread, once started.

    `on_record` is called for every record in its partition's order, from `start` and then from a thread of the log's
    own; what it raises is logged and the next record follows. It must not call `read_to_end`.
    """

    def __init__(
        self,
        spec: TopicSpec,
        clients: KafkaClients,
        on_record: Callable[[LogRecord], None],
        *,
        owner: str = "worker",
        isolation_level: str = "read_committed",
        transactions: bool = False,
    ) -> None:
        """`owner` begins the clients' ids and is named in errors. `transactions` says that some are expected: then the
        broker is asked more often, because the end of a transaction shows only in an empty answer."""
        self.topic = spec.name
        self._spec, self._clients, self._on_record, self._owner = spec, clients, on_record, owner
        self._consumer_settings: dict[str, Any] = {
            "group.id": f"{owner}-{spec.name}",  # librdkafka wants one; nothing is committed under it
            "client.id": f"{owner}-{spec.name}-reader",
            "isolation.level": isolation_level,
            "auto.offset.reset": "earliest",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "queued.max.messages.kbytes": 8192,  # read ahead; what a long log fills is not given back to the system
            **({"fetch.max.wait.ms": "100"} if transactions else {}),
        }
        self._changed = threading.Condition()
        self._progress = _Progress()
        self._partitions: list[int] = []
        self._stopping = threading.Event()
        #: Set by those who wait in vain.
        self._fetch_anew = threading.Event()
        self._thread: threading.Thread | None = None
        self._producer: RecordProducer | None = None
        self._admin = clients.admin({"client.id": f"{owner}-{spec.name}-admin"}, self._name)

    @property
    def _name(self) -> str:
        return f"{self._owner}'s topic {self.topic}"

    @property
    def partitions(self) -> int:
        """Return how many there are; 0 before `start`."""
        return len(self._partitions)

    def start(self, timeout: float = 300.0) -> None:
        """Make the topic if it is missing, check it, and read it to its end. Called once.

        Raises `ConfigError` for a topic that cannot serve (not compacted, too many partitions), `WorkerError` if it
        cannot be made or read within `timeout` seconds.
        """
        deadline = time.monotonic() + timeout
        self._partitions = ensure_topic(self._admin, self._spec, self._owner, deadline)
        settings = {
            "client.id": f"{self._owner}-{self.topic}-writer",
            "enable.idempotence": "true",  # order is kept over retries, which one request in flight would cost time for
            "linger.ms": "0",
            "delivery.timeout.ms": "120000",
        }
        self._producer = RecordProducer(
            lambda extra, **callbacks: self._clients.producer({**settings, **extra}, self._name, **callbacks),
            f"{self._name}:",
        )
        consumer = self._clients.consumer(self._consumer_settings, self._name)
        consumer.assign([TopicPartition(self.topic, p, OFFSET_BEGINNING) for p in self._partitions])
        self._thread = threading.Thread(
            target=self._follow, args=(consumer,), name=f"topic-log-{self.topic}", daemon=True
        )
        self._thread.start()
        try:
            self.read_to_end(max(0.0, deadline - time.monotonic()))
        except ConnectError as error:
            self.stop()
            if isinstance(error, WorkerError | ConfigError):
                raise
            raise WorkerError(f"Cannot start {self._name}: {error.message}") from error

    def stop(self) -> None:
        """Stop following; records sent and not yet written get a last chance. Nothing if it was not started."""
        self._stopping.set()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(_FLUSH_S)
        producer, self._producer = self._producer, None
        if producer is not None and producer.flush(5.0):
            _log.warning("%s: stopped with records that could not be written", self._name)
        with self._changed:
            self._changed.notify_all()

    # --- reading

    def read_to_end(self, timeout: float) -> None:
        """Return once `on_record` has seen all that was written before the call.

        Raises `RetriableError` when that takes more than `timeout` seconds, `WorkerError` when reading has failed for
        good or the log is stopped.
        """
        deadline = time.monotonic() + timeout
        self._await(end_offsets(self._admin, self.topic, self._partitions, deadline), deadline, timeout)

    def read_up_to(self, ends: Mapping[int, int], timeout: float) -> None:
        """Return once `on_record` has seen every record before the offsets of `ends`, by partition: sooner than
        `read_to_end`, since the broker is not asked and the end of a transaction not waited for. Raises as that does.
        """
        self._await(ends, time.monotonic() + timeout, timeout)

    def _await(self, ends: Mapping[int, int], deadline: float, timeout: float) -> None:
        stood: tuple[dict[int, int], float] = {}, time.monotonic()
        with self._changed:
            while missing := {p: end for p, end in ends.items() if self._progress.positions.get(p, 0) < end}:
                if self._progress.error is not None:
                    raise WorkerError(f"Cannot read {self._name}: {self._progress.error.message}") from (
                        self._progress.error
                    )
                if self._stopping.is_set():
                    raise WorkerError(f"Cannot read {self._name}: it is stopped")
                now = time.monotonic()
                left = deadline - now
                at = {p: self._progress.positions.get(p, 0) for p in missing}
                if at != stood[0]:
                    stood = at, now
                elif now - stood[1] >= _STUCK_S:
                    stood = at, now
                    self._fetch_anew.set()
                if left <= 0:
                    raise RetriableError(
                        f"Timed out after {timeout:g} s reading {self._name} to its end: at {at} of {missing}. "
                        "A writer's open transaction or an unreachable broker holds it up"
                    )
                self._changed.wait(min(left, _STUCK_S))

    def _follow(self, consumer: Consumer) -> None:
        try:
            while not self._stopping.is_set():
                if self._fetch_anew.is_set():
                    self._fetch_anew.clear()
                    self._assign(consumer)
                message = consumer.poll(_POLL_S)
                if message is not None:
                    self._take([message, *consumer.consume(_AT_ONCE, 0)])  # with what is here already
                producer = self._producer
                if producer is not None:
                    producer.poll()  # callbacks of records that nobody flushes
        except Exception as error:
            _log.exception("%s: the reader ended", self._name)
            self._fail(WorkerError(f"the reader ended: {error}"))
        finally:
            consumer.close()

    def _assign(self, consumer: Consumer) -> None:
        """Have the client fetch behind what was read, as if it began there."""
        with self._changed:
            positions = dict(self._progress.positions)
        _log.info("%s: reading stands still at %s; the client begins there anew", self._name, positions)
        consumer.assign([TopicPartition(self.topic, p, positions.get(p) or OFFSET_BEGINNING) for p in self._partitions])

    def _take(self, messages: Sequence[Message]) -> None:
        """Take over a batch. Waiting threads are told once for all of its records, not for each."""
        reached: dict[int, int] = {}
        for message in messages:
            error = message.error()
            partition, offset = message.partition() or 0, message.offset() or 0
            if error is None:
                self._hand_over(message)
                reached[partition] = offset + 1
            elif error.code() == KafkaError._PARTITION_EOF:
                reached[partition] = offset
            elif is_about_group(error):
                _log.debug("%s: %s; nothing is committed under that name", self._name, error.str())
            else:
                self._reached(reached)
                reached = {}
                self._met(error)
        self._reached(reached)

    def _met(self, error: KafkaError) -> None:
        if meaning_of(error).fault in _HOPELESS:
            failure = connect_error(error, "the reader cannot go on")
            _log.error("%s: %s", self._name, failure)
            self._fail(WorkerError(failure.message))
        else:
            _log.warning("%s: %s; the client tries again", self._name, error.str())

    def _hand_over(self, message: Message) -> None:
        key, value = message.key(), message.value()
        record = LogRecord(
            _bytes(key),
            _bytes(value),
            message.partition() or 0,
            message.offset() or 0,
            message.timestamp()[1],
        )
        try:
            self._on_record(record)
        except Exception as error:
            log_failure(
                _log, error, "%s: the record at %d-%d was not understood: %s",
                self._name, record.partition, record.offset, error,
            )  # fmt: skip

    def _reached(self, offsets: Mapping[int, int]) -> None:
        if not offsets:
            return
        with self._changed:
            # An earlier failure that has passed: the topic is readable again.
            self._progress.error = None
            positions = self._progress.positions
            ahead = {p: offset for p, offset in offsets.items() if offset > positions.get(p, 0)}
            if ahead:
                positions.update(ahead)
                self._changed.notify_all()

    def _fail(self, error: ConnectError) -> None:
        with self._changed:
            self._progress.error = error
            self._changed.notify_all()

    # --- writing

    def send(self, key: Key | None, value: bytes | None, on_sent: Sent | None = None) -> None:
        """Write one record, in order with others of its key. Returns at once; `on_sent` is told how it went."""
        record = self.topic, value, _bytes(key), -1, 0, None
        self._running().send(record, report(f"Cannot write to {self._name}", on_sent))

    def send_and_flush(self, records: Sequence[tuple[Key | None, bytes | None]], timeout: float = _FLUSH_S) -> None:
        """Write `records` and return once all are safe; raises the first failure, or `RetriableError` after `timeout`
        seconds, with an outcome nobody knows."""
        outcomes = Outcomes()
        for key, value in records:
            self.send(key, value, outcomes.expect())
        deadline = time.monotonic() + timeout
        producer = self._running()
        while not outcomes.done() and time.monotonic() < deadline:
            producer.poll(0.05)
        outcomes.result(f"Timed out after {timeout:g} s writing to {self._name}; the records may yet be written")

    def flush(self, timeout: float) -> None:
        """Return once every record sent has met its fate; raises `RetriableError` after `timeout` seconds."""
        if left := self._running().flush(timeout):
            raise RetriableError(f"Timed out after {timeout:g} s writing to {self._name}: {left} records wait")

    def _running(self) -> RecordProducer:
        producer = self._producer
        if producer is None:
            raise WorkerError(f"Cannot write to {self._name}: it is not running")
        return producer


def _bytes(text: str | bytes | None) -> bytes | None:
    return text.encode() if isinstance(text, str) else text
