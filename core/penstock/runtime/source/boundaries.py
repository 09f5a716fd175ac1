"""The ends of a source task's transactions: `transaction.boundary`, and a task's own requests (KIP-618)."""

from __future__ import annotations

import enum
import threading
from collections.abc import Sequence

from penstock.data import SourceRecord
from penstock.errors import ConnectError

__all__ = ["Ending", "TransactionBoundary", "WorkerTransactionContext"]


class TransactionBoundary(enum.Enum):
    """The values of ``transaction.boundary``."""

    POLL = "poll"
    INTERVAL = "interval"
    CONNECTOR = "connector"


class Ending(enum.Enum):
    """The end that a task asked for behind a record or a batch."""

    COMMIT = "commit"
    ABORT = "abort"


class WorkerTransactionContext:
    """A `penstock.api.TransactionContext` (``WorkerTransactionContext``). Safe from any thread.

    The task asks while it polls; the delivery looks once the records are handed over. Records are known by identity.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._records: dict[int, tuple[SourceRecord, Ending]] = {}
        self._batch: Ending | None = None

    # ---- for the task

    def commit_transaction(self, record: SourceRecord | None = None) -> None:
        self._ask(record, Ending.COMMIT)

    def abort_transaction(self, record: SourceRecord | None = None) -> None:
        self._ask(record, Ending.ABORT)

    def _ask(self, record: SourceRecord | None, ending: Ending) -> None:
        with self._lock:
            if record is None:
                if self._batch not in (None, ending):
                    raise ConnectError("The task asked for both the commit and the abort of the same transaction")
                self._batch = ending
                return
            known = self._records.setdefault(id(record), (record, ending))
            if known[1] is not ending:
                raise ConnectError("The task asked for both the commit and the abort behind the same record")

    # ---- for the delivery

    def pieces(self, batch: Sequence[SourceRecord]) -> list[Sequence[SourceRecord]]:
        """Return `batch` cut behind each record that a transaction is to end with."""
        with self._lock:
            ends = [i + 1 for i, record in enumerate(batch) if id(record) in self._records] if self._records else []
        if not ends or ends[-1] != len(batch):
            ends.append(len(batch))
        return [batch[start:end] for start, end in zip([0, *ends], ends, strict=False)]

    def take(self, record: SourceRecord | None) -> Ending | None:
        """Return what was asked for behind `record`, and forget it. None stands for the batch."""
        with self._lock:
            if record is not None:
                known = self._records.pop(id(record), None)
                return None if known is None else known[1]
            ending, self._batch = self._batch, None
            return ending
