"""A log in a compacted Kafka topic, in Confluent's record format: an existing ``_schemas`` is taken over as it is.

Every registry of a group reads the topic. One writes: it claims the topic's transactional id, which fences whoever wrote
before, so that a registry that was cut off and does not know it cannot write behind its successor's back.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from penstock.errors import ConnectError, RetriableError, SerializationError, WorkerError
from penstock.kafka.clients import KafkaClients
from penstock.kafka.errors import CLIENT_ERRORS, RecordRefusedError, connect_error
from penstock.kafka.topic_admin import max_message_bytes
from penstock.kafka.topic_log import LogRecord, TopicLog, TopicSpec
from penstock.kafka.transactions import TransactionalWriter
from penstock_registry.store.interface import Apply, NotLeaderError, RecordTooLargeError, RegistryStore, StoreRecord
from penstock_registry.store.kafka_settings import KafkaStoreSettings
from penstock_registry.store.records import (
    MAX_IDS,
    Key,
    NoopKey,
    SchemaKey,
    Value,
    decode_key,
    decode_value,
    encode_key,
    encode_value,
)

__all__ = ["KafkaStore"]

_log = logging.getLogger(__name__)
#: The bytes of a batch beside the key and the value of its only record: 61 of its own, and some for the record.
_FRAME_BYTES: Final = 128
_BATCH_BYTES: Final = 16384
#: The client takes no less.
_MIN_REQUEST_BYTES: Final = 1000
#: Clients read ids as 32-bit integers.
_MAX_ID: Final = 2**31 - 1
_OWNER: Final = "schema-registry"
#: The end of a transaction shows in an empty fetch; this bounds how long a write waits for one.
_FETCH_WAIT_MS: Final = "20"


class KafkaStore(RegistryStore):
    """Reads from `start` on; writes between `claim` and `release`. `on_writer_lost` is told why, from the thread that
    wrote, when a write failed so that nothing more can be written before the next `claim`."""

    def __init__(self, settings: KafkaStoreSettings, *, on_writer_lost: Callable[[str], None] | None = None) -> None:
        self._settings = settings
        self.on_writer_lost = on_writer_lost
        #: Asked why changes cannot be made now, by whoever elects the leader.
        self.leader_problem: Callable[[], str | None] | None = None
        #: The Kafka cluster's id, once started.
        self.cluster_id = ""
        common = settings.connection
        self._clients = KafkaClients(common, common, {**common, "fetch.max.wait.ms": _FETCH_WAIT_MS}, common)
        self._lock = threading.Lock()
        self._writer: TransactionalWriter | None = None
        self._log: TopicLog | None = None
        self._apply: Apply | None = None
        #: The highest id of each context that the log ever held: compaction forgets what was deleted for good.
        self._max_ids: dict[str, int] = {}

    def start(self, apply: Apply) -> None:
        settings = self._settings
        spec = TopicSpec(
            settings.topic,
            partitions=1,
            replication=self._replication(),
            exact_partitions=True,
            setting="kafkastore.topic",
            holds="the registry's schemas",
        )
        self._apply = apply
        self._log = TopicLog(spec, self._clients, self._take, owner=_OWNER)
        self._log.start(settings.init_timeout)

    def claim(self) -> None:
        """Be the one who writes: fences whoever did, then reads to the end. From then on ids may be allocated.

        Raises `ConnectError`; this registry writes nothing then.
        """
        with self._lock:
            self._release()
            log = self._started()
            writer = self._new_writer()
            try:
                writer.claim(self._settings.init_timeout)
                log.read_to_end(self._settings.init_timeout)
                writer.write([self._noop()], self._settings.init_timeout)
                log.read_to_end(self._settings.init_timeout)
            except BaseException:
                writer.close()
                raise
            self._writer = writer

    def release(self) -> None:
        """Write no more. Nothing if it did not write."""
        with self._lock:
            self._release()

    def append(self, records: Sequence[tuple[Key, Value | None]]) -> None:
        encoded = [(encode_key(key), encode_value(value)) for key, value in records]
        with self._lock:
            log, writer = self._started(), self._writer
            if writer is None:
                raise NotLeaderError("This registry does not write to its topic now: it is not the leader.")
            if any(isinstance(key, SchemaKey) and value is None for key, value in records):
                encoded.insert(0, self._noop())
            deadline = time.monotonic() + self._settings.timeout
            try:
                reached = writer.write(encoded, self._settings.timeout)
                log.read_up_to(reached, max(1.0, deadline - time.monotonic()))
            except RecordRefusedError as error:
                problem = self._refused(error)
            except ConnectError as error:
                # The fate of the records is not known, and the writer is of no use any more.
                self._release()
                problem = error
            else:
                return
        if isinstance(problem, RecordTooLargeError):
            raise problem
        if self.on_writer_lost is not None:
            self.on_writer_lost(problem.message)
        raise RetriableError(problem.message) from problem

    def catch_up(self, timeout: float) -> None:
        """Apply all that was written before this call, by whomever. Raises `ConnectError` if that takes too long."""
        self._started().read_to_end(timeout)

    def problem(self) -> str | None:
        if self._log is None:
            return "the store is not open"
        return None if self.leader_problem is None else self.leader_problem()

    def close(self) -> None:
        self.release()
        log, self._log = self._log, None
        if log is not None:
            log.stop()

    def _release(self) -> None:
        writer, self._writer = self._writer, None
        if writer is not None:
            writer.close()

    def _refused(self, error: RecordRefusedError) -> ConnectError:
        """Go on with a new writer after the broker refused a record: the transaction was aborted, none of it stands, and
        this registry keeps the lead. Return what to tell whoever wanted to write."""
        self._release()
        writer = self._new_writer()
        try:
            writer.claim(self._settings.timeout)
            self._started().read_to_end(self._settings.timeout)
        except ConnectError as lost:
            writer.close()
            return lost
        self._writer = writer
        return RecordTooLargeError(error.message)

    def _new_writer(self) -> TransactionalWriter:
        """Make a writer that fits the topic: what the broker would refuse is refused before it is sent."""
        topic = self._settings.topic
        settings = {"client.id": f"{_OWNER}-{topic}-leader", "transaction.timeout.ms": "30000"}
        limit = max_message_bytes(self._clients.admin({"client.id": f"{_OWNER}-admin"}, _OWNER), topic)
        self.max_record_bytes = None if limit is None else max(1, limit - _FRAME_BYTES)
        if limit is not None:
            # No batch beyond the limit: the client adds a second record only to a batch that stays below its size.
            settings["max.request.size"] = str(max(limit, _MIN_REQUEST_BYTES))
            settings["batch.size"] = str(max(1, min(limit - _FRAME_BYTES, _BATCH_BYTES)))
        return TransactionalWriter(self._clients, topic, f"{self._settings.group}-{topic}", settings, _OWNER)

    def _started(self) -> TopicLog:
        if self._log is None:
            raise WorkerError(f"The registry's topic {self._settings.topic} is not open: start the registry first.")
        return self._log

    def _replication(self) -> int:
        """Return as many replicas as were asked for, or as there are brokers (``KafkaStore.createSchemaTopic``)."""
        admin = self._clients.admin({"client.id": f"{_OWNER}-admin"}, _OWNER)
        try:
            cluster = admin.list_topics(timeout=self._settings.init_timeout)
        except CLIENT_ERRORS as error:
            servers, seconds = self._clients.bootstrap_servers, self._settings.init_timeout
            what = f"The registry reaches no Kafka broker at {servers} within {seconds:g} s (kafkastore.init.timeout.ms); start Kafka first, or keep schemas elsewhere with store=sqlite:PATH or store=memory"
            raise WorkerError(connect_error(error, what).message) from error
        self.cluster_id, brokers = cluster.cluster_id or "", len(cluster.brokers)
        if brokers < self._settings.replication:
            _log.warning(
                "A new topic %s would get %d replicas, not kafkastore.topic.replication.factor=%d: there are no more brokers",
                self._settings.topic, brokers, self._settings.replication,
            )  # fmt: skip
        return max(1, min(brokers, self._settings.replication))

    # --- records

    def _noop(self) -> tuple[bytes, bytes | None]:
        """A record for the log itself. It carries the highest ids, since compaction may drop the records that do."""
        return encode_key(NoopKey()), encode_value({MAX_IDS: dict(self._max_ids)} if self._max_ids else None)

    def _take(self, record: LogRecord) -> None:
        """From the log's thread. A record that cannot be read is reported and passed over."""
        apply = self._apply
        if apply is None or record.key is None:
            _log.error("%s: the record at offset %d has no key and is passed over", self._settings.topic, record.offset)
            return
        try:
            key, value = decode_key(record.key), decode_value(record.value)
        except SerializationError as error:
            _log.error(
                "%s: the record at offset %d is passed over: %s", self._settings.topic, record.offset, error.message
            )
            return
        self._note_ids(key, value)
        apply([StoreRecord(key, value, record.timestamp)])

    def _note_ids(self, key: Key, value: Value | None) -> None:
        if value is None:
            return
        found: Mapping[str, Any] = {}
        if isinstance(key, SchemaKey) and isinstance(value.get("schema"), str):
            context = key.subject[1:].partition(":")[0] if key.subject.startswith(":.") else "."
            found = {context: value.get("id")}
        elif isinstance(key, NoopKey) and isinstance(value.get(MAX_IDS), dict):
            found = value[MAX_IDS]
        for context, number in found.items():
            if isinstance(number, int) and 0 <= number <= _MAX_ID:
                self._max_ids[context] = max(number, self._max_ids.get(context, 0))
