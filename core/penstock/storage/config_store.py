"""Connectors' and tasks' configurations in a topic of one partition (``KafkaConfigBackingStore``)."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from penstock.errors import ConnectError, WorkerError
from penstock.kafka.clients import KafkaClients
from penstock.kafka.topic_log import LogRecord, TopicLog, TopicSpec
from penstock.kafka.transactions import TransactionalWriter
from penstock.storage import config_records as records
from penstock.storage.cluster_state import ClusterConfigState, ConfigRecordReader, ConfigUpdateListener
from penstock.storage.config_records import Record, SessionKey
from penstock.storage.states import ConnectorTaskId, TargetState

__all__ = ["ConfigStore", "PrivilegedWriteError"]

_log: Final = logging.getLogger(__name__)
#: Seconds for one write with all the reading around it (``READ_WRITE_TOTAL_TIMEOUT_MS``).
_TIMEOUT_S: Final = 30.0


class PrivilegedWriteError(ConnectError):
    """The leader's write failed, perhaps because another worker leads now; it must claim the right to write again.
    Whether the records were written is unknown: read the topic."""

    java_class = "org.apache.kafka.connect.storage.PrivilegedWriteException"


class ConfigStore:
    """Reads and writes the topic. Safe from any thread.

    Reading: `snapshot` is what was read so far, `refresh` reads to the end, `listener` hears of changes after `start`.
    Methods marked *leader* are for the leader alone: with `transactional_id` (exactly once, KIP-618) they need
    `claim_write_privileges` first and raise `PrivilegedWriteError` when another worker has claimed since. All writing
    methods return once the records are safe; those that say so have read them back too. Failures are `ConnectError`.
    """

    def __init__(
        self,
        clients: KafkaClients,
        topic: TopicSpec,
        listener: ConfigUpdateListener,
        *,
        transactional_id: str | None = None,
        owner: str = "worker",
    ) -> None:
        """`clients` are a worker's own (`penstock.kafka.topic_log.internal_clients`); `transactional_id` is
        ``connect-cluster-<group.id>`` while ``exactly.once.source.support`` is ``preparing`` or ``enabled``."""
        self._clients, self._listener, self._owner = clients, listener, owner
        self._transactional_id = transactional_id
        self._lock = threading.Lock()
        self._reader = ConfigRecordReader()
        self._snapshot: ClusterConfigState | None = None
        self._started = False
        # One write at a time: the order of records is what they mean.
        self._writing = threading.RLock()
        self._writer: TransactionalWriter | None = None
        # Transactions show their end in an empty answer; asking often keeps writes with reads around them quick.
        self._log = TopicLog(topic, clients, self._take, owner=owner, transactions=True)

    @property
    def topic(self) -> str:
        return self._log.topic

    def start(self, timeout: float = 300.0) -> None:
        """Make the topic if needed and read it all; the listener hears nothing of that. See `TopicLog.start`."""
        self._log.start(timeout)
        with self._lock:
            self._started = True

    def stop(self) -> None:
        self.relinquish_write_privileges()
        self._log.stop()

    # --- reading

    def snapshot(self) -> ClusterConfigState:
        with self._lock:
            if self._snapshot is None:
                self._snapshot = self._reader.snapshot()
            return self._snapshot

    def problems(self) -> list[str]:
        """Return a sentence for each record that makes no sense."""
        with self._lock:
            return self._reader.problems()

    def contains(self, connector: str) -> bool:
        return self.snapshot().contains(connector)

    def refresh(self, timeout: float) -> None:
        """Read to the end. Raises `RetriableError` after `timeout` seconds."""
        self._log.read_to_end(timeout)

    def _take(self, record: LogRecord) -> None:
        if record.key is None:
            _log.error("Config topic: the record at offset %d has no key and is skipped", record.offset)
            return
        with self._lock:
            news = None
            try:
                news = self._reader.read(record.key.decode("utf-8", "replace"), record.value, record.offset)
            except ConnectError as error:
                _log.debug("The reader has told of the record at offset %d: %s", record.offset, error)
            self._snapshot = None
            started = self._started
        if news is not None and started:
            news(self._listener)

    # --- connectors

    def put_connector_config(
        self, connector: str, config: Mapping[str, str | None], target: TargetState | None = None
    ) -> None:
        """*leader.* Write a connector's configuration and read it back. `target` is the state to begin with, None to leave it."""
        self._put(records.connector_records(connector, config, target), "connector configuration")

    def remove_connector_config(self, connector: str) -> None:
        """*leader.* Remove a connector, with the target states of it and its tasks, and read that back."""
        own = [t for t in self.snapshot().task_target_states if t.connector == connector]
        gone = [records.task_target_record(task, None) for task in own]
        self._put([*records.connector_removal(connector), *gone], "removal of a connector")

    def put_task_configs(self, connector: str, configs: Sequence[Mapping[str, str | None]]) -> None:
        """*leader.* Write all of a connector's task configurations and read them back; none stops them all.

        The records count from the commit record on, so that a leader that dies halfway leaves the old ones in force.
        """
        deadline = time.monotonic() + _TIMEOUT_S
        with self._writing:
            self._log.read_to_end(_seconds_left(deadline))
            if configs:
                self._write(records.task_records(connector, configs), "task configurations", deadline)
                self._log.read_to_end(_seconds_left(deadline))
            own = self.snapshot().task_target_states
            gone = [records.task_target_record(t, None) for t in records.changed_tasks(own, connector, len(configs))]
            self._write([records.commit_record(connector, len(configs)), *gone], "task configurations", deadline)
            self._log.read_to_end(_seconds_left(deadline))

    def put_target_state(self, connector: str, state: TargetState) -> None:
        self._send(records.target_state_record(connector, state), "target state")

    def put_task_target_state(self, task: ConnectorTaskId, state: TargetState | None) -> None:
        """Write one task's own target state; None takes it back."""
        self._send(records.task_target_record(task, state), "target state of a task")

    # --- the rest

    def put_task_count_record(self, connector: str, tasks: int) -> None:
        """*leader.* Write, after fencing, that `tasks` producers may be in use from now on, and read it back."""
        self._put([records.task_count_record(connector, tasks)], "task count")

    def put_session_key(self, key: SessionKey) -> None:
        """*leader.* Write the key that workers sign requests with."""
        with self._writing:
            self._write([records.session_key_record(key)], "session key", time.monotonic() + _TIMEOUT_S)

    def put_restart_request(self, connector: str, only_failed: bool, include_tasks: bool) -> None:
        """*leader.* Write a request that every worker hears of (KIP-745)."""
        record = records.restart_record(connector, only_failed, include_tasks)
        with self._writing:
            self._write([record], "restart request", time.monotonic() + _TIMEOUT_S)

    def put_logger_level(self, namespace: str, level: str) -> None:
        self._send(records.logger_record(namespace, level), "logging level")

    # --- the right to write

    def claim_write_privileges(self) -> None:
        """Fence every worker that led before. Nothing happens without `transactional_id`, or if the right is held.

        Raises `ConnectError` if the cluster cannot be reached.
        """
        if self._transactional_id is None:
            return
        with self._writing:
            if self._writer is not None:
                return
            settings: dict[str, Any] = {"client.id": f"{self._owner}-configs-leader"}
            writer = TransactionalWriter(self._clients, self.topic, self._transactional_id, settings, self._owner)
            try:
                writer.claim(_TIMEOUT_S)
            except ConnectError:
                writer.close()
                raise
            self._writer = writer

    def relinquish_write_privileges(self) -> None:
        """Let go of the right to write: another worker leads. Nothing happens if it is not held."""
        with self._writing:
            writer, self._writer = self._writer, None
            if writer is not None:
                writer.close()

    # --- writing

    def _put(self, group: Sequence[Record], what: str) -> None:
        deadline = time.monotonic() + _TIMEOUT_S
        with self._writing:
            self._write(group, what, deadline)
            self._log.read_to_end(_seconds_left(deadline))

    def _write(self, group: Sequence[Record], what: str, deadline: float) -> None:
        if self._transactional_id is None:
            self._log.send_and_flush(group, _seconds_left(deadline))
            return
        if self._writer is None:
            raise WorkerError(f"Cannot write a {what}: this worker has not claimed the right to write to {self.topic}")
        try:
            self._writer.write(group, _seconds_left(deadline))
        except ConnectError as error:
            self.relinquish_write_privileges()
            raise PrivilegedWriteError(f"Cannot write a {what}: {error.message}") from error

    def _send(self, record: Record, what: str) -> None:
        """Write through the plain producer, as any worker may."""
        _log.debug("Writing a %s to %s", what, self.topic)
        self._log.send_and_flush([record], _TIMEOUT_S)


def _seconds_left(deadline: float) -> float:
    return max(0.0, deadline - time.monotonic())
