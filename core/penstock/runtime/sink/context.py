"""What a sink task may ask of the worker (`penstock.api.SinkTaskContext`)."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Protocol

from penstock.api import ErrantRecordReporter, TopicPartition

__all__ = ["WorkerSinkTaskContext"]


class _Loop(Protocol):
    def seek(self, partition: TopicPartition, offset: int) -> None: ...
    def assignment(self) -> frozenset[TopicPartition]: ...


class _Pauses(Protocol):
    def pause(self, partitions: Iterable[TopicPartition]) -> None: ...
    def resume(self, partitions: Iterable[TopicPartition]) -> None: ...


class WorkerSinkTaskContext:
    """For the task's thread, but for `request_commit`."""

    def __init__(
        self,
        loop: _Loop,
        pauses: _Pauses,
        configs: Callable[[], Mapping[str, str]],
        reporter: ErrantRecordReporter | None,
    ) -> None:
        self._loop = loop
        self._pauses = pauses
        self._configs = configs
        self._reporter = reporter
        self._offsets: dict[TopicPartition, int] = {}
        self._timeout: float | None = None
        self._commit_requested = threading.Event()

    def configs(self) -> Mapping[str, str]:
        return self._configs()

    def offset(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._offsets.update({TopicPartition(*p): o for p, o in offsets.items()})

    def timeout(self, timeout_ms: int) -> None:
        self._timeout = timeout_ms / 1000

    def assignment(self) -> frozenset[TopicPartition]:
        return self._loop.assignment()

    def pause(self, *partitions: TopicPartition) -> None:
        self._pauses.pause(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self._pauses.resume(partitions)

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
