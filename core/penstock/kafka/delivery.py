"""The fate of records handed to a producer."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from confluent_kafka import KafkaError

from penstock.errors import ConnectError, RetriableError
from penstock.kafka.errors import connect_error

__all__ = ["Outcomes", "Sent", "report"]

#: Told of a sent record's fate, once: None, or why it was not written. From whatever thread polls the producer.
Sent = Callable[[ConnectError | None], None]


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

    @property
    def failure(self) -> ConnectError | None:
        """Return the first failure; None if there was none so far."""
        with self._lock:
            return self._first

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
