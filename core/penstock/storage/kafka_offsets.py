"""Source offsets in a compacted topic (``KafkaOffsetBackingStore``)."""

from __future__ import annotations

import threading
from collections.abc import Mapping, Sequence
from typing import Any, Final

from penstock.kafka.clients import KafkaClients
from penstock.kafka.topic_log import LogRecord, TopicLog, TopicSpec
from penstock.storage.offset_records import OffsetTable, encode_offset
from penstock.storage.offsets import Offsets, OffsetStore

__all__ = ["KafkaOffsetStore"]

_WRITE_S: Final = 60.0
_READ_S: Final = 60.0


class KafkaOffsetStore(OffsetStore):
    """Offsets of all connectors that share a topic. Safe from any thread.

    Every read first reads the topic to its end, so that what another worker committed before it died is seen. A topic
    has no transactions of its own here: a `write` that fails may have stored some of its offsets, each of them one that
    was reached; writing the same again is safe. Exactly-once tasks write `records` with their own producer.
    """

    def __init__(
        self, clients: KafkaClients, topic: TopicSpec, *, owner: str = "worker", transactions: bool = False
    ) -> None:
        """`clients` are a worker's own, or a connector's where it has an offsets topic of its own; `transactions` says
        that exactly-once tasks write there."""
        self._lock = threading.Lock()
        self._table = OffsetTable()
        self._log = TopicLog(topic, clients, self._take, owner=owner, transactions=transactions)

    @property
    def topic(self) -> str:
        return self._log.topic

    def start(self, timeout: float = 300.0) -> None:
        self._log.start(timeout)

    def stop(self) -> None:
        self._log.stop()

    def _take(self, record: LogRecord) -> None:
        with self._lock:
            self._table.read(record.key, record.value)

    def records(self, connector: str, offsets: Offsets) -> list[tuple[bytes, bytes | None]]:
        """Return key and value of each offset's record, for a producer of one's own. Raises `DataError` for offsets that
        cannot be stored. A partition that the topic knows keeps its key's bytes, whatever the order of its members."""
        encoded = [(partition, *encode_offset(connector, partition, offset)) for partition, offset in offsets]
        with self._lock:
            return [(self._table.raw_key(connector, p) or key, value) for p, key, value in encoded]

    def write(self, connector: str, offsets: Offsets) -> None:
        self._log.send_and_flush(self.records(connector, offsets), _WRITE_S)

    def read(self, connector: str, partitions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any] | None]:
        self._log.read_to_end(_READ_S)
        with self._lock:
            return [self._table.offset(connector, partition) for partition in partitions]

    def all(self, connector: str) -> list[tuple[Mapping[str, Any], Mapping[str, Any]]]:
        self._log.read_to_end(_READ_S)
        with self._lock:
            return self._table.all(connector)
