"""What became of records handed to a producer, and Kafka's errors as penstock's."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException

from penstock.errors import ConnectError, RetriableError

__all__ = ["Outcomes", "Sent", "connect_error", "report"]

#: Told of a sent record's fate, once: None, or why it was not written. From whatever thread polls the producer.
Sent = Callable[[ConnectError | None], None]

#: Worth another try although the client does not say so.
_RETRIABLE: Final = frozenset(
    {
        KafkaError._TRANSPORT,
        KafkaError._TIMED_OUT,
        KafkaError._MSG_TIMED_OUT,
        KafkaError._ALL_BROKERS_DOWN,
        KafkaError._TIMED_OUT_QUEUE,
        KafkaError.REQUEST_TIMED_OUT,
        KafkaError.NETWORK_EXCEPTION,
        # A partition's leader moved, or its broker came back.
        KafkaError.FENCED_LEADER_EPOCH,
        KafkaError.UNKNOWN_LEADER_EPOCH,
        KafkaError.LEADER_NOT_AVAILABLE,
        KafkaError.NOT_LEADER_FOR_PARTITION,
        KafkaError.BROKER_NOT_AVAILABLE,
    }
)


def connect_error(error: KafkaException | KafkaError, what: str) -> ConnectError:
    """`error` with `what` before it; a `RetriableError` where the same call may succeed later."""
    cause: Any = error if isinstance(error, KafkaError) else error.args[0]
    if not isinstance(cause, KafkaError):
        return ConnectError(f"{what}: {cause}")
    text = f"{what}: {cause.str()}"
    return RetriableError(text) if cause.retriable() or cause.code() in _RETRIABLE else ConnectError(text)


def report(what: str, on_sent: Sent | None) -> Callable[[KafkaError | None, Any], None]:
    """A delivery callback for the client that tells `on_sent`."""

    def delivered(error: KafkaError | None, message: Any) -> None:
        if on_sent is not None:
            on_sent(None if error is None else connect_error(error, what))

    return delivered


class Outcomes:
    """Counts the fates of several records. Safe from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._open = 0
        self._first: ConnectError | None = None

    def expect(self) -> Sent:
        with self._lock:
            self._open += 1
        return self._settle

    def _settle(self, error: ConnectError | None) -> None:
        with self._lock:
            self._open -= 1
            self._first = self._first or error

    def done(self) -> bool:
        with self._lock:
            return self._open == 0

    def result(self, unknown: str) -> None:
        """Raise the first failure; `unknown` as a `RetriableError` if some records' fates are open."""
        with self._lock:
            if self._first is not None:
                raise self._first
            if self._open:
                raise RetriableError(unknown)
