"""A source of numbers for fault tests: each task counts from 0, as fast as ``rate`` says, and ends its transactions itself if asked."""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from typing import Any

from penstock.api import (
    ConnectorTransactionBoundaries,
    ExactlyOnceSupport,
    SourceConnector,
    SourceTask,
)
from penstock.config import ConfigDef
from penstock.data import SourceRecord

__all__ = ["CountingSource", "CountingTask"]


class CountingSource(SourceConnector):
    """Settings: ``topic``; ``rate``, records a second and task; ``limit``, how far each task counts; ``abort.every``: of
    the transactions that a task ends itself, every so many is aborted."""

    version = "1"

    @property
    def task_class(self) -> type[SourceTask]:
        return CountingTask

    @classmethod
    def config_def(cls) -> ConfigDef:
        return ConfigDef()

    def exactly_once_support(self, props: Mapping[str, str]) -> ExactlyOnceSupport:
        return ExactlyOnceSupport.SUPPORTED

    def can_define_transaction_boundaries(self, props: Mapping[str, str]) -> ConnectorTransactionBoundaries:
        return ConnectorTransactionBoundaries.SUPPORTED

    def start(self, props: Mapping[str, str]) -> None:
        self._props = dict(props)

    def task_configs(self, max_tasks: int) -> list[dict[str, str]]:
        return [{**self._props, "number": str(i)} for i in range(max_tasks)]

    def stop(self) -> None:
        """Do nothing: `start` took nothing."""


class CountingTask(SourceTask):
    version = "1"
    BATCH = 100
    #: Records of one transaction, where the task ends them; not a divisor of the batch.
    TRANSACTION = 70

    def start(self, props: Mapping[str, str]) -> None:
        self._topic, self._number = props["topic"], int(props["number"])
        self._rate, self._limit = float(props.get("rate", "1000")), int(props.get("limit", str(10**9)))
        self._abort_every = int(props.get("abort.every", "0"))
        self._partition = {"task": self._number}
        stored = self.context.offset_storage_reader.offset(self._partition)
        self._next = 0 if stored is None else int(stored["n"]) + 1
        self._stopped = False

    def poll(self) -> Sequence[SourceRecord] | None:
        if self._next >= self._limit or self._stopped:
            time.sleep(0.05)
            return None
        count = min(self.BATCH, self._limit - self._next)
        time.sleep(count / self._rate)
        records = [self._record(self._next + i) for i in range(count)]
        self._next += count
        return records

    def _record(self, n: int) -> SourceRecord:
        value: dict[str, Any] = {"task": self._number, "seqno": n}
        record = SourceRecord(
            self._topic, key=str(self._number), value=value, source_partition=self._partition, source_offset={"n": n}
        )
        context = self.context.transaction_context
        if context is not None and (n % self.TRANSACTION == self.TRANSACTION - 1 or n == self._limit - 1):
            turn = n // self.TRANSACTION + 1
            if self._abort_every and turn % self._abort_every == 0:
                context.abort_transaction(record)
            else:
                context.commit_transaction(record)
        return record

    def stop(self) -> None:
        self._stopped = True
