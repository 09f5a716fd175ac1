"""The dead letter queue of a sink connector (KIP-298): failed records as they came, with the failure in headers."""

from __future__ import annotations

import traceback
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import KafkaError, Message, Producer

from penstock.data import ConnectRecord
from penstock.errors import ConnectError, java_class_of
from penstock.runtime.tolerance import RecordFailure

__all__ = ["DeadLetterQueue"]

_PREFIX: Final = "__connect.errors."


class DeadLetterQueue:
    """Writes failed records to a topic. For the task's thread.

    Key, value, timestamp and headers are the consumed message's; with context headers, Connect's are appended, and
    numbers in them are UTF-8 text.
    """

    def __init__(
        self,
        topic: str,
        with_context: bool,
        producer: Callable[[], Producer],
        make_topic: Callable[[], None] = lambda: None,
    ) -> None:
        self._topic = topic
        self._make_topic = make_topic
        self._with_context = with_context
        self._make_producer = producer
        self._producer: Producer | None = None

    def prepare(self) -> None:
        self._make_topic()

    def report(self, failure: RecordFailure) -> Future[None] | None:
        """The future ends when the broker has the dead letter; None if the record is no consumed one."""
        record = failure.record
        message = getattr(record, "message", None) if isinstance(record, ConnectRecord) else record
        if message is None:
            return None
        if self._producer is None:
            self._producer = self._make_producer()
        written: Future[None] = Future()

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                written.set_result(None)
            else:
                written.set_exception(ConnectError(f"cannot write to dead letter queue {self._topic}: {error.str()}"))

        consumed: Any = message.headers()
        headers: list[tuple[str, Any]] = list(consumed or [])
        if self._with_context:
            headers += self._context(failure, message)
        timestamp = message.timestamp()[1] if message.timestamp()[0] else 0
        while True:
            try:
                self._producer.produce(
                    self._topic, message.value(), message.key(), -1, None, delivered, timestamp, headers
                )
                break
            except BufferError:
                self._producer.poll(0.1)
        self._producer.poll(0)
        return written

    def flush(self, timeout: float) -> None:
        if self._producer is not None:
            self._producer.flush(timeout)

    def close(self) -> None:
        if self._producer is not None:
            self._producer.flush(5)

    def _context(self, failure: RecordFailure, message: Message) -> list[tuple[str, bytes | None]]:
        error = failure.error
        trace = "".join(traceback.format_exception(error))
        context = {
            "topic": message.topic(),
            "partition": message.partition(),
            "offset": message.offset(),
            "connector.name": failure.task.connector,
            "task.id": failure.task.task,
            "stage": failure.stage.value,
            "class.name": failure.class_name,
            "exception.class.name": java_class_of(error),
            "exception.message": str(error),
            "exception.stacktrace": trace,
        }
        return [(_PREFIX + name, None if value is None else str(value).encode()) for name, value in context.items()]
