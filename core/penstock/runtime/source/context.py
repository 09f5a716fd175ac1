"""The requests that a source task may make of the worker (`penstock.api.SourceTaskContext`)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from penstock.api import OffsetStorageReader, PluginMetrics, TransactionContext
from penstock.errors import RetriableError
from penstock.runtime.aside import call_aside
from penstock.runtime.status import ConnectorTaskId
from penstock.storage import OffsetStore

__all__ = ["TaskOffsetReader", "WorkerSourceTaskContext"]

_log: Final = logging.getLogger(__name__)


class TaskOffsetReader:
    """A task's view of its connector's offsets (`penstock.api.OffsetStorageReader`). Safe from any thread.

    A read waits until all that was written before it is known, however long a broker is away or a transaction that a
    lost worker left open holds it up, as Kafka Connect's does. Raises `TaskStopped` once the task is to stop.
    """

    def __init__(self, store: OffsetStore, task: ConnectorTaskId, stopping: threading.Event) -> None:
        self._store, self._task, self._stopping = store, task, stopping

    def offset(self, partition: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return self.offsets([partition])[0]

    def offsets(self, partitions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any] | None]:
        while True:
            try:
                return call_aside(
                    lambda: self._store.read(self._task.connector, partitions), self._stopping, self._task.label
                )
            except RetriableError as error:
                _log.warning("%s waits for its source offsets: %s", self._task.label, error)


class WorkerSourceTaskContext:
    """The context of one source task. Safe from any thread."""

    def __init__(
        self,
        reader: TaskOffsetReader,
        configs: Callable[[], Mapping[str, str]],
        transactions: TransactionContext | None = None,
        metrics: PluginMetrics | None = None,
    ) -> None:
        #: The task's own metrics (KIP-877).
        self.plugin_metrics = metrics or PluginMetrics()
        self._reader = reader
        self._configs = configs
        self._transactions = transactions

    def configs(self) -> Mapping[str, str]:
        return self._configs()

    @property
    def offset_storage_reader(self) -> OffsetStorageReader:
        return self._reader

    @property
    def transaction_context(self) -> TransactionContext | None:
        """Return the transaction context; None unless the connector delivers exactly once and defines its transactions itself."""
        return self._transactions
