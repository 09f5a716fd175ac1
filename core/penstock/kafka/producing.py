"""The one way to a Kafka producer: full queue, sticky failure, callbacks, flush, purge.

No other module calls the client's producer. Two traps of ``confluent_kafka.Producer.produce`` are the reason:

* Its positional parameters are topic, value, key, partition, **callback**, on_delivery, timestamp, headers. A None in
  the fifth place hides an ``on_delivery`` in the sixth, which is then never called. `RecordProducer.send` names what it
  passes; the loop that cannot afford names (they cost 0.7 µs a record) takes `RecordProducer.produce` and puts its
  callback into the fifth place.
* With ``delivery.report.only.error`` the client calls no callback for a record that was written, but it lets go of the
  callback object all the same, once the delivery report is served. So a `Ticket` that only the client still holds tells
  by its end that everything sent with it has met its fate, without a call per record.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Sequence
from typing import Any, Final, Protocol, TypeAlias

import orjson
from confluent_kafka import KafkaError

from penstock.errors import ConnectError
from penstock.kafka.errors import (
    CLIENT_ERRORS,
    Fault,
    RecordRefusedError,
    connect_error,
    error_code,
    meaning_of,
    reason_of,
    renamed,
)
from penstock.kafka.repeats import Repeats

__all__ = ["Delivered", "Outgoing", "ProducedMessage", "RecordProducer", "Ticket", "is_purged"]

_log: Final = logging.getLogger(__name__)

#: topic, value, key, partition (-1: by the key), timestamp in milliseconds (0: now), headers.
Outgoing: TypeAlias = tuple[str, bytes | None, bytes | None, int, int, Sequence[tuple[str, Any]] | None]

#: One wait for room in the client's queue, which also serves callbacks: those make the room.
_FULL_QUEUE_WAIT_S: Final = 0.1
#: The age up to which `RecordProducer.waiting` takes the client's own report, in seconds.
_REPORT_MS: Final = 2000
_LOST_CREDENTIALS: Final = frozenset({KafkaError._AUTHENTICATION, KafkaError.SASL_AUTHENTICATION_FAILED})


class ProducedMessage(Protocol):
    """The view that a callback has of a record: its place in Kafka, and its content."""

    def topic(self) -> str | None: ...

    def partition(self) -> int | None: ...

    def offset(self) -> int | None: ...

    def key(self) -> bytes | None: ...

    def value(self) -> bytes | None: ...

    def timestamp(self) -> tuple[int, int]: ...


#: Told of a record's fate, once, from whatever thread polls: the client's error or None, and the record.
Delivered: TypeAlias = Callable[[KafkaError | None, Any], None]


class Ticket:
    """A callback for many records, called for each that could not be written. Its end is the news of all others.

    Hold it weakly after the last record was sent: the client drops its references one by one as records meet their
    fate, and a callback comes before the reference goes. Records of a producer that is discarded without `purge` keep
    theirs, so that an end never comes too early.
    """

    __slots__ = ("__weakref__",)

    def __call__(self, error: KafkaError | None, message: ProducedMessage) -> None:
        """Called with the error of one record. Must not raise."""


def is_purged(error: KafkaError) -> bool:
    """Return whether a record was not written because we dropped it ourselves (`RecordProducer.purge`)."""
    return error.code() in (KafkaError._PURGE_QUEUE, KafkaError._PURGE_INFLIGHT)


class RecordProducer:
    """A producer of records. Safe from any thread.

    `make` makes the client, given settings in librdkafka's names and callbacks (`KafkaClients.producer` with its
    settings filled in). `owner` begins every message, as in ``[orders|task-0]`` or ``worker's topic t:``. `prefix` is what users write before the names of its settings.

    A failure is sticky: once the client is finished, or `fail` was called, `failure` stays until the producer is
    discarded; its owner looks at it before it relies on anything that was sent.
    """

    def __init__(
        self,
        make: Callable[..., Any],
        owner: str,
        *,
        prefix: str = "",
        only_errors: bool = False,
        watched: bool = False,
    ) -> None:
        """With `only_errors` callbacks come for failed records only, see `Ticket`. With `watched` the client reports
        what waits for which partition, for `waiting`."""
        self._owner, self._prefix = owner, prefix
        self._lock = threading.Lock()
        self._failure: ConnectError | None = None
        self._complaints = Repeats()
        self._report = ""
        settings: dict[str, Any] = {}
        callbacks: dict[str, Any] = {"on_delivery": self._on_delivery, "error_cb": self._on_error}
        if only_errors:
            settings["delivery.report.only.error"] = True
        if watched:
            settings["statistics.interval.ms"] = str(_REPORT_MS)
            callbacks["stats_cb"] = self._on_statistics
        self._client = make(settings, **callbacks)
        #: The client's own, for a loop over many records: topic, value, key, partition, callback, None, timestamp,
        #: headers, in this order and without names. Raises BufferError if the queue is full (the same record again
        #: later), and what `CLIENT_ERRORS` lists.
        self.produce: Callable[..., None] = self._client.produce

    # ---- sending

    def send(
        self, record: Outgoing, on_delivery: Delivered | None = None, wait: Callable[[], None] | None = None
    ) -> None:
        """Hand one record over, in order with those before it.

        If the queue is full, `wait` is called again and again until there is room; it may raise. Without `wait` a full
        queue is a `RetriableError` at once. Raises what the table of errors makes of a refusal, and the sticky failure
        instead of waiting on.
        """
        topic, value, key, partition, timestamp, headers = record
        while True:
            try:
                self._client.produce(
                    topic=topic,
                    value=value,
                    key=key,
                    partition=partition,
                    on_delivery=on_delivery,
                    timestamp=timestamp,
                    headers=headers,
                )
                return
            except BufferError as error:
                if wait is None:
                    raise connect_error(error, f"{self._owner} cannot write to topic {topic}", self._prefix) from error
                self.wait_for_room(wait)
            except CLIENT_ERRORS as error:
                raise self._owned(self.refusal(error, topic, record)) from error

    def wait_for_room(self, wait: Callable[[], None]) -> None:
        """Serve callbacks for a moment, since the queue is full; raise the sticky failure, or what `wait` raises."""
        self.poll(_FULL_QUEUE_WAIT_S)
        self.raise_failure()
        wait()

    def refusal(self, error: BaseException | KafkaError, topic: str, record: Outgoing | None = None) -> ConnectError:
        """Return why a record cannot be written, with its size where that is the reason. The owner is not named."""
        size = ""
        if record is not None and error_code(error) in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.INVALID_MSG_SIZE):
            size = f" of {len(record[1] or b'') + len(record[2] or b'')} bytes"
        what = f"cannot write a record{size} to topic {topic}"
        if isinstance(error, (ValueError, TypeError)):  # its topic or its headers are nothing that Kafka can hold
            return RecordRefusedError(f"{what}: {reason_of(error)}")
        return connect_error(error, what, self._prefix)

    def _owned(self, error: ConnectError) -> ConnectError:
        return renamed(error, f"{self._owner} {error.message}")

    def poll(self, timeout: float = 0) -> None:
        """Serve callbacks, waiting up to `timeout` seconds for the first."""
        self._served(lambda: self._client.poll(timeout))

    def flush(self, timeout: float) -> int:
        """Wait until all that was sent has met its fate, up to `timeout` seconds. Returns how many records have not."""
        self._served(lambda: self._client.flush(timeout))
        return len(self._client)

    def purge(self) -> None:
        """Drop what waits and what is on its way; callbacks tell of each record (`is_purged`)."""
        self._served(self._client.purge)
        self._served(lambda: self._client.poll(0))

    def _served(self, call: Callable[[], Any]) -> None:
        """Make a call that a client which is finished answers with its fatal error: that becomes the sticky failure."""
        try:
            call()
        except CLIENT_ERRORS as error:
            self.fail(self._finished(error))

    def _finished(self, error: BaseException | KafkaError) -> ConnectError:
        """Return what it means that the client is finished."""
        return connect_error(error, f"{self._owner} the producer failed for good", self._prefix)

    def __len__(self) -> int:
        """Return how many records have not met their fate, or whose callbacks were not served."""
        return len(self._client)

    # ---- failure

    @property
    def failure(self) -> ConnectError | None:
        with self._lock:
            return self._failure

    def fail(self, error: ConnectError) -> None:
        """Make `error` the sticky failure unless there is one."""
        with self._lock:
            self._failure = self._failure or error

    def raise_failure(self) -> None:
        failure = self.failure
        if failure is not None:
            raise failure

    def _on_delivery(self, error: KafkaError | None, message: ProducedMessage) -> None:
        """Take the fate of a record that has no callback of its own."""
        if error is not None and not is_purged(error):
            self.fail(self._owned(self.refusal(error, message.topic() or "")))

    def _on_error(self, error: KafkaError) -> None:
        fault = meaning_of(error).fault
        if fault in (Fault.FATAL, Fault.FENCED):
            self.fail(self._finished(error))
        elif error.code() in _LOST_CREDENTIALS:
            # Fail as the Java client does; this client would try again for ever, twenty times a second.
            what = f"{self._owner} the broker refuses the producer's credentials"
            self.fail(connect_error(error, what, self._prefix))
        elif self._complaints.admit(error.str()):
            _log.warning("%s producer: %s", self._owner, reason_of(error))

    # ---- what waits

    def waiting(self) -> dict[tuple[str, int], int]:
        """Return how many records wait for which topic and partition, by the client's last report (up to two seconds
        old). Empty if nothing was reported yet, or if the producer is not `watched`."""
        with self._lock:
            report = self._report
        found: dict[tuple[str, int], int] = {}
        for name, topic in orjson.loads(report or "{}").get("topics", {}).items():
            for number, partition in topic.get("partitions", {}).items():
                count = (
                    partition.get("msgq_cnt", 0) + partition.get("xmit_msgq_cnt", 0) + partition.get("msgs_inflight", 0)
                )
                if count and int(number) >= 0:
                    found[name, int(number)] = count
        return found

    def _on_statistics(self, report: str) -> None:
        with self._lock:
            self._report = report
