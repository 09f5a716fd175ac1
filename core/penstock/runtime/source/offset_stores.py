"""The offset stores of source connectors: the worker's, or a topic of their own (``offsets.storage.topic``, KIP-618).

As ``Worker.offsetStoreForRegularSourceTask`` and ``offsetStoreForExactlyOnceSourceTask`` choose. A topic is read by one
reader for all tasks of the connector and for REST; the reader ends when nobody uses it any more.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any, Final

from penstock.config.worker import WorkerConfig
from penstock.errors import ConfigError
from penstock.kafka import KafkaClients
from penstock.kafka.topic_admin import TopicSpec
from penstock.kafka.topic_log import internal_clients
from penstock.runtime.assembly import strip_prefix
from penstock.storage import OffsetStore
from penstock.storage.connector_offsets import ConnectorOffsetStore
from penstock.storage.kafka_offsets import KafkaOffsetStore
from penstock.storage.offsets import Offsets

__all__ = ["OFFSETS_TOPIC", "ConnectorOffsets", "SourceOffsetStores"]

OFFSETS_TOPIC: Final = "offsets.storage.topic"
#: The settings that decide which cluster a client reaches, and as whom.
_CONNECTION: Final = ("bootstrap.servers", "security.", "sasl.", "ssl.")


class ConnectorOffsets:
    """One connector's offsets, as a task or a request uses them: from any thread, between `start` and `stop`.

    It is what a transaction needs, too (`TransactionalOffsets`), where `topic` is not empty.
    """

    def __init__(self, store: OffsetStore, own: _Reader | None, done: Callable[[_Reader], None]) -> None:
        """`own` is the topic that transactions write to; None if the offsets are in no topic."""
        self.store = store
        self._own, self._done = own, done

    @property
    def topic(self) -> str:
        return "" if self._own is None else self._own.store.topic

    def start(self) -> None:
        """Read what was stored. Raises `ConnectError`."""
        if self._own is not None:
            self._own.start()

    def stop(self) -> None:
        """Let go. Calls after the first do nothing."""
        own, self._own = self._own, None
        if own is not None:
            self._done(own)

    def records(self, connector: str, offsets: Offsets) -> list[tuple[bytes, bytes | None]]:
        assert self._own is not None
        return self._own.store.records(connector, offsets)

    def committed(self, connector: str, offsets: Offsets) -> None:
        if isinstance(self.store, ConnectorOffsetStore):
            self.store.copy(connector, offsets)


class _Reader:
    """A store over a topic, for as many as use it."""

    def __init__(self, store: KafkaOffsetStore, owned: bool) -> None:
        """`owned`: whether it is started and stopped here; the worker's own is not."""
        self.store = store
        self.users = 0
        self.owned = owned
        self._lock = threading.Lock()
        self._started = not owned

    def start(self) -> None:
        with self._lock:
            if not self._started:
                self.store.start()
                self._started = True

    def stop(self) -> None:
        with self._lock:
            if self.owned and self._started:
                self.store.stop()


class SourceOffsetStores:
    """One a worker. Safe from any thread."""

    def __init__(self, config: WorkerConfig, clients: KafkaClients, worker_store: OffsetStore) -> None:
        self._config, self._clients, self._worker_store = config, clients, worker_store
        self._lock = threading.Lock()
        self._readers: dict[tuple[Any, ...], _Reader] = {}
        self._workers_own = _Reader(worker_store, owned=False) if isinstance(worker_store, KafkaOffsetStore) else None

    def open(self, name: str, connector: Mapping[str, str], *, exactly_once: bool = False) -> ConnectorOffsets:
        """Return the offsets of a connector, given its configuration, resolved. Whoever asks, calls `stop`.

        With `exactly_once` they are on the cluster that the records go to: a transaction spans no two.
        """
        settings, workers = self._connection(connector), self._connection({})
        topic = connector.get(OFFSETS_TOPIC) or None
        own = self._workers_own
        if topic is None and own is not None and exactly_once:
            is_elsewhere = settings.get("bootstrap.servers") != workers.get("bootstrap.servers")
            topic = own.store.topic if is_elsewhere else None
        if topic is None or (own is not None and topic == own.store.topic and settings == workers):
            return ConnectorOffsets(self._worker_store, own, self._let_go)
        key = (topic, *sorted(settings.items()))
        with self._lock:
            reader = self._readers.get(key)
            if reader is None:
                reader = self._readers[key] = _Reader(self._store(name, topic, settings), owned=True)
            reader.users += 1
        return ConnectorOffsets(ConnectorOffsetStore(reader.store, self._worker_store), reader, self._let_go)

    def _let_go(self, reader: _Reader) -> None:
        if not reader.owned:
            return
        with self._lock:
            reader.users -= 1
            if reader.users:
                return
            self._readers = {key: known for key, known in self._readers.items() if known is not reader}
        reader.stop()

    def _connection(self, connector: Mapping[str, str]) -> dict[str, str]:
        overrides = strip_prefix(connector, "producer.override.")
        own = {key: value for key, value in overrides.items() if key.startswith(_CONNECTION)}
        return {**self._config.client_settings(), **own}

    def _store(self, name: str, topic: str, settings: Mapping[str, str]) -> KafkaOffsetStore:
        if self._clients.embedded:
            raise ConfigError(
                OFFSETS_TOPIC,
                topic,
                "the embedded broker has no topics that are kept; name a real cluster with --bootstrap-servers",
            )
        distributed = self._config.mode == "distributed"
        spec = TopicSpec(
            topic,
            self._config["offset.storage.partitions"] if distributed else -1,
            self._config["offset.storage.replication.factor"] if distributed else -1,
            self._config.topic_settings("offset.storage.") if distributed else {},
            setting=OFFSETS_TOPIC,
            holds=f"source offsets of connector {name}",
            create=self._config["internal.topics.automatic.creation.enable"] if distributed else True,
        )
        return KafkaOffsetStore(internal_clients(settings), spec, owner=f"connector-{name}", transactions=True)
