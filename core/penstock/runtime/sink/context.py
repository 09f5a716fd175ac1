"""The requests that a sink task may make of the worker (`penstock.api.SinkTaskContext`)."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from typing import Final, Protocol

from penstock.api import ErrantRecordReporter, PluginMetrics, TopicPartition

__all__ = ["WorkerSinkTaskContext"]

_log: Final = logging.getLogger(__name__)


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
        label: str,
        loop: _Loop,
        pauses: _Pauses,
        configs: Callable[[], Mapping[str, str]],
        reporter: ErrantRecordReporter | None,
        metrics: PluginMetrics | None = None,
    ) -> None:
        #: The task's own metrics (KIP-877).
        self.plugin_metrics = metrics or PluginMetrics()
        self._label = label
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

    def apply_rewinds(self) -> frozenset[TopicPartition]:
        """Go where the task asked to; return the partitions that moved. Before anything is assigned, what `start` asked
        for is kept for `take_rewinds`; later, partitions that are not assigned are passed over with a warning."""
        if not self._offsets:
            return frozenset()
        # Delivery 9.
        assigned = self._loop.assignment()
        if not assigned:
            return frozenset()
        found = self.take_rewinds(assigned)
        for partition, offset in found.items():
            self._loop.seek(partition, offset)
        if self._offsets:
            _log.warning(
                "%s asked to go to offsets of partitions that are not assigned to it; ignored: %s",
                self._label, ", ".join(f"{partition}={offset}" for partition, offset in sorted(self._offsets.items())),
            )  # fmt: skip
            self._offsets.clear()
        return frozenset(found)

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
