"""The requests that a source task may make of the worker (`penstock.api.SourceTaskContext`)."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from penstock.api import OffsetStorageReader, PluginMetrics, TransactionContext
from penstock.storage import OffsetStore
from penstock.storage.offsets import StoreOffsetReader

__all__ = ["WorkerSourceTaskContext"]


class WorkerSourceTaskContext:
    """The context of one source task. Safe from any thread."""

    def __init__(
        self,
        store: OffsetStore,
        connector: str,
        configs: Callable[[], Mapping[str, str]],
        transactions: TransactionContext | None = None,
        metrics: PluginMetrics | None = None,
    ) -> None:
        #: The task's own metrics (KIP-877).
        self.plugin_metrics = metrics or PluginMetrics()
        self._reader = StoreOffsetReader(store, connector)
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
