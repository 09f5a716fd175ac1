"""The interface of a registry's store."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from typing import NamedTuple

from penstock.errors import ConnectError, RetriableError
from penstock_registry.store.records import Key, Value

__all__ = ["Apply", "NotLeaderError", "RecordTooLargeError", "RegistryStore", "StoreRecord"]


class StoreRecord(NamedTuple):
    """One record of the log. `value` None is a tombstone. `timestamp_ms` is when the log took it."""

    key: Key
    value: Value | None
    timestamp_ms: int


#: Told of records in the order of the log, each batch once. It must not call the store.
Apply = Callable[[Sequence[StoreRecord]], None]


class NotLeaderError(RetriableError):
    """This registry does not write now: another one leads, or nobody does yet."""


class RecordTooLargeError(ConnectError):
    """The log takes no record of this size. Nothing of its `append` was written, and later ones may follow."""


class RegistryStore(ABC):
    """An ordered log. The registry's whole state is what its records say, applied in order, so a store that reads
    them back from disk or from Kafka needs to know nothing of schemas."""

    #: The bytes that key and value of one record may have together; None if there is no bound.
    max_record_bytes: int | None = None

    @abstractmethod
    def start(self, apply: Apply) -> None:
        """Apply everything the log holds, then return; from then on apply what is appended, here or by others.

        Raises `penstock.errors.WorkerError` when the log cannot be read.
        """

    @abstractmethod
    def append(self, records: Sequence[tuple[Key, Value | None]]) -> None:
        """Write `records` in this order and return once `apply` has seen them. Called by one thread at a time.

        Raises `NotLeaderError` where another process writes, `RecordTooLargeError` when one of them is too large, and
        `penstock.errors.ConnectError` when the log did not take them; how many of them it took is then not known before
        `apply` tells.
        """

    def problem(self) -> str | None:
        """Return why `append` would fail now, in a few words; None if nothing is known to be wrong."""
        return None

    @abstractmethod
    def close(self) -> None:
        """Stop; may be called twice. Nothing is applied after it returned."""
