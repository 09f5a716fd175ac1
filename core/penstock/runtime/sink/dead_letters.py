"""The dead letter queue of a sink connector (KIP-298): failed records as they came, with the failure in headers."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final

from confluent_kafka import KafkaError, KafkaException, Message, Producer

from penstock.data import ConnectRecord
from penstock.errors import ConnectError, RetriableError, java_class_of
from penstock.kafka import KafkaClients
from penstock.kafka.admin import create_topic, existing_topics
from penstock.runtime.assembly import strip_prefix
from penstock.runtime.status import ConnectorTaskId
from penstock.runtime.tolerance import RecordFailure

__all__ = ["DeadLetterQueue", "dead_letter_queue"]

_log: Final = logging.getLogger(__name__)
_PREFIX: Final = "__connect.errors."
#: A trace beyond this tells nothing more, and may make the dead letter larger than a broker takes.
_MAX_TRACE: Final = 32 * 1024
#: One wait for room in the producer's queue.
_FULL_QUEUE_WAIT_S: Final = 0.1
_CLOSE_S: Final = 5.0
#: Not the record's fault, and no patience mends it: the task fails whatever ``errors.tolerance`` says.
_TASK_FAULTS: Final = {
    KafkaError.TOPIC_AUTHORIZATION_FAILED,
    KafkaError.CLUSTER_AUTHORIZATION_FAILED,
    KafkaError._AUTHENTICATION,
    KafkaError.INVALID_PRODUCER_EPOCH,
    KafkaError._FENCED,
}


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
        #: Why no dead letter can be written any more.
        self._broken: ConnectError | None = None

    def prepare(self) -> None:
        """Make the topic if it is not there. Raises `RetriableError` while Kafka does not answer."""
        self._make_topic()

    def report(self, failure: RecordFailure) -> Future[None] | None:
        """Return a future that ends when the broker has the dead letter, with a `ConnectError` if it refuses it; None
        if the record is no consumed one."""
        record = failure.record
        message = getattr(record, "message", None) if isinstance(record, ConnectRecord) else record
        if message is None:
            return None
        if self._producer is None:
            self._producer = self._make_producer()
        written: Future[None] = Future()
        position = failure.position

        def delivered(error: KafkaError | None, _: Message) -> None:
            if error is None:
                written.set_result(None)
            else:
                written.set_exception(self._refused(error, position))

        consumed: Any = message.headers()
        headers: list[tuple[str, Any]] = list(consumed or [])
        if self._with_context:
            headers += _context(failure, message)
        try:
            self._produce(self._producer, message, headers, delivered)
        except KafkaException as error:
            written.set_exception(self._refused(error.args[0], position))
        self._producer.poll(0)
        return written

    def _produce(
        self, producer: Producer, message: Message, headers: list[tuple[str, Any]], delivered: Callable[..., None]
    ) -> None:
        timestamp = message.timestamp()[1] if message.timestamp()[0] else 0
        while True:
            try:
                producer.produce(
                    self._topic,
                    value=message.value(),
                    key=message.key(),
                    on_delivery=delivered,
                    timestamp=timestamp,
                    headers=headers,
                )
                return
            except BufferError:
                producer.poll(_FULL_QUEUE_WAIT_S)

    def _refused(self, error: KafkaError, position: str) -> ConnectError:
        advice = ""
        if error.code() in (KafkaError.MSG_SIZE_TOO_LARGE, KafkaError.RECORD_LIST_TOO_LARGE):
            advice = "; raise producer.override.max.request.size and the topic's max.message.bytes"
        refusal = ConnectError(
            f"cannot write the dead letter of the record at {position} to topic {self._topic}: {error.str()}{advice}"
        )
        if self._broken is None and (error.fatal() or error.code() in _TASK_FAULTS):
            self._broken = refusal
        return refusal

    def flush(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for what is on its way. Raises `ConnectError` if the broker takes no dead letter
        of this task any more (authorization, a fatal error of the producer)."""
        if self._producer is not None:
            self._producer.flush(timeout)
        if self._broken is not None:
            raise self._broken

    def close(self) -> None:
        """Give what is on its way a last chance, and name what is lost with the producer."""
        if self._producer is not None:
            left = self._producer.flush(_CLOSE_S)
            if left:
                _log.warning(
                    "%d dead letters for topic %s were not confirmed within %g s; their records come again",
                    left,
                    self._topic,
                    _CLOSE_S,
                )


def dead_letter_queue(
    task_id: ConnectorTaskId, connector: Mapping[str, str], common: Mapping[str, Any], clients: KafkaClients
) -> DeadLetterQueue:
    """Return the queue that a sink connector's parsed configuration `common` asks for."""
    owner = f"dead letter queue of {task_id}"
    topic = common["errors.deadletterqueue.topic.name"]
    replication = common["errors.deadletterqueue.topic.replication.factor"]
    settings = {"client.id": f"connector-dlq-producer-{task_id}", **strip_prefix(connector, "producer.override.")}

    def make_topic() -> None:
        if clients.embedded:
            return  # it answers no admin calls; a topic appears there with its first record
        admin = clients.admin(strip_prefix(connector, "admin.override."), owner)
        if topic in existing_topics(admin):
            return
        try:
            create_topic(admin, topic, 1, replication, {})
        except RetriableError:
            raise
        except ConnectError as error:
            raise ConnectError(
                f"{error.message} Create the dead letter queue's topic yourself, or change errors.deadletterqueue.topic.replication.factor ({replication})."
            ) from error

    return DeadLetterQueue(
        topic,
        common["errors.deadletterqueue.context.headers.enable"],
        lambda: clients.producer(settings, owner),
        make_topic,
    )


def _context(failure: RecordFailure, message: Message) -> list[tuple[str, bytes | None]]:
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
        "exception.stacktrace": trace if len(trace) <= _MAX_TRACE else trace[:_MAX_TRACE] + "...",
    }
    # Text that came with the data may hold half a character; Java writes '?' for it.
    return [
        (_PREFIX + name, None if value is None else str(value).encode(errors="replace"))
        for name, value in context.items()
    ]
