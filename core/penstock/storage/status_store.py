"""States of connectors and tasks, and the topics they use, in a compacted topic (``KafkaStatusBackingStore``)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Final

from penstock.errors import ConnectError, RetriableError
from penstock.kafka.clients import KafkaClients
from penstock.kafka.topic_log import LogRecord, TopicLog, TopicSpec
from penstock.storage import status_records as records
from penstock.storage.states import ConnectorTaskId, State
from penstock.storage.status_records import Status, StatusTable, TopicStatus

__all__ = ["StatusStore"]

_log: Final = logging.getLogger(__name__)
#: An entry's sequence counts the writes of this process to it, so that an old one is not tried again after a newer.
_EntryKey = str


class StatusStore:
    """Writes go to the topic at once and are seen here when they are read back. Safe from any thread.

    Writing never blocks for long and never raises for Kafka's sake: a status that cannot be written is logged.
    """

    def __init__(self, clients: KafkaClients, topic: TopicSpec, *, owner: str = "worker") -> None:
        """`clients` are a worker's own (`penstock.kafka.topic_log.internal_clients`)."""
        self._lock = threading.Lock()
        self._table = StatusTable()
        self._revision = 0
        self._sequences: dict[_EntryKey, int] = {}
        self._log = TopicLog(topic, clients, self._take, owner=owner)

    def start(self, timeout: float = 300.0) -> None:
        self._log.start(timeout)

    def stop(self) -> None:
        """Stop; records put before get a last chance to be written."""
        self._log.stop()

    def flush(self, timeout: float = 5.0) -> None:
        """Read back all that was put. Raises `ConnectError` if that takes too long."""
        self._log.flush(timeout)
        self._log.read_to_end(timeout)

    def _take(self, record: LogRecord) -> None:
        if record.key is None:
            _log.warning("Status topic: a record without a key is skipped")
            return
        with self._lock:
            self._revision += 1
            self._table.read(record.key.decode("utf-8", "replace"), record.value)

    # --- writing

    def put_connector(self, connector: str, status: Status) -> None:
        """Write the status, whatever was said before. State DESTROYED removes the entry, and its tasks' with it."""
        self._put(records.connector_status_record(connector, status), status, lambda: None)

    def put_connector_safe(self, connector: str, status: Status) -> None:
        """Write the status unless a newer generation of the group has spoken: for news that may come late."""
        self._put(records.connector_status_record(connector, status), status, lambda: self._table.connector(connector))

    def put_task(self, task: ConnectorTaskId, status: Status) -> None:
        self._put(records.task_status_record(task, status), status, lambda: None)

    def put_task_safe(self, task: ConnectorTaskId, status: Status) -> None:
        self._put(records.task_status_record(task, status), status, lambda: self._table.task(task))

    def _put(self, record: tuple[str, bytes | None], status: Status, known: Callable[[], Status | None]) -> None:
        key, value = record
        with self._lock:
            if not status.may_replace(known()):
                return
            sequence = self._sequences[key] = self._sequences.get(key, 0) + 1

        def sent(error: ConnectError | None) -> None:
            if error is None:
                return
            with self._lock:
                outdated = self._sequences.get(key) != sequence or not status.may_replace(known())
            if isinstance(error, RetriableError) and not outdated:
                self._send(key, value, sent)
            elif not outdated:
                _log.error("A status was not written: %s: %s", key, error)

        self._send(key, value, sent)

    def put_topic(self, status: TopicStatus) -> None:
        """Write that a task has used a topic for the first time."""
        self._send(*records.topic_status_record(status), None)

    def delete_topic(self, connector: str, topic: str) -> None:
        self._send(*records.topic_status_removal(connector, topic), None)

    def _send(self, key: str, value: bytes | None, sent: Callable[[ConnectError | None], None] | None) -> None:
        try:
            self._log.send(key, value, sent or _report_of(key))
        except ConnectError as error:
            _log.error("A status was not written: %s: %s", key, error)

    def remove_connector(self, connector: str, worker_id: str, generation: int) -> None:
        """Write tombstones for the connector, all its tasks and all its topics."""
        gone = Status(State.DESTROYED, None, worker_id, generation)
        for task in self.tasks(connector):
            self.put_task(task, gone)
        for topic in self.topics(connector):
            self.delete_topic(connector, topic.topic)
        self.put_connector(connector, gone)

    # --- reading

    @property
    def revision(self) -> int:
        """A number that changes with every record read."""
        with self._lock:
            return self._revision

    def problems(self) -> list[str]:
        """Return a sentence for each record that makes no sense."""
        with self._lock:
            return self._table.problems()

    def connector(self, name: str) -> Status | None:
        with self._lock:
            return self._table.connector(name)

    def task(self, task: ConnectorTaskId) -> Status | None:
        with self._lock:
            return self._table.task(task)

    def last_worker(self, item: str | ConnectorTaskId) -> str | None:
        """Return the worker that spoke last of a connector or task, as ``host:port``."""
        status = self.connector(item) if isinstance(item, str) else self.task(item)
        return None if status is None else status.worker_id or None

    def tasks(self, connector: str) -> dict[ConnectorTaskId, Status]:
        """Return the tasks' statuses in the order of their numbers."""
        with self._lock:
            return self._table.tasks(connector)

    def topic(self, connector: str, topic: str) -> TopicStatus | None:
        with self._lock:
            return self._table.topic(connector, topic)

    def topics(self, connector: str) -> list[TopicStatus]:
        with self._lock:
            return self._table.topics(connector)

    def connectors(self) -> set[str]:
        """Return every connector that anything is known about."""
        with self._lock:
            return self._table.connectors()


def _report_of(key: str) -> Callable[[ConnectError | None], None]:
    def sent(error: ConnectError | None) -> None:
        if error is not None:
            _log.error("A status was not written: %s: %s", key, error)

    return sent
