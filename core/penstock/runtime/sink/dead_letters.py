"""The dead letter queue of a sink connector (KIP-298): failed records as they came, with the failure in headers."""

from __future__ import annotations

import logging
import traceback
from collections.abc import Callable, Mapping
from concurrent.futures import Future
from typing import Any, Final

from penstock.data import ConnectRecord
from penstock.errors import ConnectError, RetriableError, TaskStopped, java_class_of
from penstock.java.text import to_utf8
from penstock.kafka import KafkaClients
from penstock.kafka.admin import create_topic, existing_topics
from penstock.kafka.consuming import Message
from penstock.kafka.errors import Fault, connect_error, meaning_of
from penstock.kafka.producing import ProducedMessage, RecordProducer
from penstock.runtime.assembly import strip_prefix
from penstock.runtime.meters import TaskMeter, Total
from penstock.runtime.status import ConnectorTaskId
from penstock.runtime.tolerance import RecordFailure

__all__ = ["DeadLetterQueue", "dead_letter_queue"]

_log: Final = logging.getLogger(__name__)
_PREFIX: Final = "__connect.errors."
#: A trace beyond this tells nothing more, and may make the dead letter larger than a broker takes.
_MAX_TRACE: Final = 32 * 1024
_CLOSE_S: Final = 5.0
#: These errors are not the record's fault, and no patience mends them: the task fails whatever ``errors.tolerance`` says.
_TASK_FAULTS: Final = {Fault.ACCESS, Fault.FENCED, Fault.FATAL}


class DeadLetterQueue:
    """Writes failed records to a topic. For the task's thread.

    Key, value, timestamp and headers are the consumed message's; with context headers, Connect's are appended, and
    numbers in them are UTF-8 text.
    """

    def __init__(
        self,
        topic: str,
        with_context: bool,
        producer: Callable[..., Any],
        make_topic: Callable[[], None] = lambda: None,
        owner: str = "dead letter queue",
        meter: TaskMeter | None = None,
        stopping: Callable[[], bool] = lambda: False,
    ) -> None:
        """`producer` makes the client, given settings and callbacks, at the first dead letter; `owner` begins messages;
        `stopping` tells whether the task is to stop, which ends a wait for room in the client."""
        self._topic = topic
        self._make_topic = make_topic
        self._with_context = with_context
        self._make_producer = producer
        self._owner = owner
        self._meter = meter or TaskMeter()
        self._producer: RecordProducer | None = None
        self._stopping = stopping

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
        producer = self._producer
        if producer is None:
            producer = self._producer = RecordProducer(self._make_producer, self._owner, prefix="producer.override.")
        written: Future[None] = Future()
        what = f"{self._owner}: cannot write the dead letter of the record at {failure.position} to topic {self._topic}"

        def delivered(error: Any, _: ProducedMessage) -> None:
            if error is None:
                written.set_result(None)
                return
            self._meter.add(Total.DEAD_LETTER_FAILURES)
            refusal = connect_error(error, what, "producer.override.")
            if meaning_of(error).fault in _TASK_FAULTS:
                producer.fail(refusal)
            written.set_exception(refusal)

        consumed: Any = message.headers()
        headers: list[tuple[str, Any]] = list(consumed or [])
        if self._with_context:
            headers += _context(failure, message)
        timestamp = message.timestamp()[1] if message.timestamp()[0] else 0
        self._meter.add(Total.DEAD_LETTERS)
        letter = (self._topic, message.value(), message.key(), -1, timestamp, headers)
        try:
            producer.send(letter, delivered, wait=self._wait)
        except TaskStopped:
            raise
        except ConnectError as error:
            self._meter.add(Total.DEAD_LETTER_FAILURES)
            written.set_exception(ConnectError(f"{what}: {error}"))
        producer.poll(0)
        return written

    def _wait(self) -> None:
        if self._stopping():
            raise TaskStopped(f"{self._owner}: the task was stopped while the producer's queue was full")

    def flush(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for what is on its way. Raises `ConnectError` if the broker takes no dead letter
        of this task any more (authorization, a fatal error of the producer)."""
        if self._producer is not None:
            self._producer.flush(timeout)
            self._producer.raise_failure()

    def close(self) -> None:
        """Give what is on its way a last chance, and name what is lost with the producer."""
        if self._producer is not None:
            left = self._producer.flush(_CLOSE_S)
            if left:
                _log.warning(
                    "%s: %d dead letters for topic %s were not confirmed within %g s; their records come again",
                    self._owner,
                    left,
                    self._topic,
                    _CLOSE_S,
                )


def dead_letter_queue(
    task_id: ConnectorTaskId,
    connector: Mapping[str, str],
    common: Mapping[str, Any],
    clients: KafkaClients,
    meter: TaskMeter | None = None,
    stopping: Callable[[], bool] = lambda: False,
) -> DeadLetterQueue:
    """Return the queue that a sink connector's parsed configuration `common` asks for."""
    owner = f"[{task_id.connector}|task-{task_id.task}] dead letter queue"
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
        lambda extra, **callbacks: clients.producer({**settings, **extra}, owner, **callbacks),
        make_topic,
        owner,
        meter,
        stopping,
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
    return [(_PREFIX + name, None if value is None else to_utf8(str(value))) for name, value in context.items()]
