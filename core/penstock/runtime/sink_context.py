"""What a sink task may ask of the worker (`penstock.api.SinkTaskContext`)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import Future
from typing import Any, Protocol

from penstock.api import ErrantRecordReporter, TopicPartition
from penstock.data import SinkRecord

__all__ = ["WorkerSinkTaskContext"]


class _Loop(Protocol):
    def seek(self, partition: TopicPartition, offset: int) -> None: ...
    def assignment(self) -> frozenset[TopicPartition]: ...
    def pause_partitions(self, partitions: Any) -> None: ...
    def resume_partitions(self, partitions: Any) -> None: ...
    def report_errant(self, record: SinkRecord, error: BaseException) -> Future[None]: ...


class _Reporter:
    def __init__(self, loop: _Loop) -> None:
        self._loop = loop

    def report(self, record: SinkRecord, error: BaseException) -> Future[None]:
        return self._loop.report_errant(record, error)


class WorkerSinkTaskContext:
    """For the task's thread, but for `request_commit`."""

    def __init__(self, loop: _Loop, configs: Callable[[], Mapping[str, str]], reports: bool) -> None:
        self._loop = loop
        self._configs = configs
        self._reporter = _Reporter(loop) if reports else None
        self._offsets: dict[TopicPartition, int] = {}
        self._timeout: float | None = None
        self._commit_requested = threading.Event()
        #: Partitions the task itself paused: a resume of all leaves them.
        self.paused: set[TopicPartition] = set()

    def configs(self) -> Mapping[str, str]:
        return self._configs()

    def offset(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._offsets.update({TopicPartition(*p): o for p, o in offsets.items()})

    def timeout(self, timeout_ms: int) -> None:
        self._timeout = timeout_ms / 1000

    def assignment(self) -> frozenset[TopicPartition]:
        return self._loop.assignment()

    def pause(self, *partitions: TopicPartition) -> None:
        self._loop.pause_partitions(partitions)
        self.paused.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.paused.difference_update(partitions)
        self._loop.resume_partitions(partitions)

    def request_commit(self) -> None:
        self._commit_requested.set()

    @property
    def errant_record_reporter(self) -> ErrantRecordReporter | None:
        return self._reporter

    # ---- for the loop

    def apply_rewinds(self) -> None:
        """Go where the task asked to, as far as the partitions are assigned."""
        if self._offsets:
            for partition, offset in self.take_rewinds(self._loop.assignment()).items():
                self._loop.seek(partition, offset)

    def take_rewinds(self, partitions: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {p: self._offsets.pop(p) for p in partitions if p in self._offsets}

    def take_timeout(self) -> float | None:
        timeout, self._timeout = self._timeout, None
        return timeout

    def take_commit_request(self) -> bool:
        if self._commit_requested.is_set():
            self._commit_requested.clear()
            return True
        return False
