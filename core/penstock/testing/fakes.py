"""Stand-ins for what the worker gives connectors and tasks: to drive a plugin directly in a test, without Kafka.

::

    task = MyTask()
    task.initialize(FakeSourceTaskContext({"topic": "t"}))
    task.start({"topic": "t"})
    assert [r.value for r in drain(task)] == [1, 2, 3]
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Future
from typing import Any

from penstock.api import ErrantRecordReporter, PluginMetrics, SourceTask, TopicPartition, TransactionContext
from penstock.data import SinkRecord, SourceRecord

__all__ = [
    "FakeConnectorContext",
    "FakeErrantRecordReporter",
    "FakeOffsetReader",
    "FakeSinkTaskContext",
    "FakeSourceTaskContext",
    "drain",
]


class FakeConnectorContext:
    """Remembers what a connector asked for: `reconfigurations` counts, `errors` collects."""

    def __init__(self) -> None:
        self.reconfigurations = 0
        self.errors: list[BaseException] = []
        self.plugin_metrics = PluginMetrics()

    def request_task_reconfiguration(self) -> None:
        self.reconfigurations += 1

    def raise_error(self, error: BaseException) -> None:
        self.errors.append(error)


class FakeOffsetReader:
    """Committed source offsets out of pairs (partition, offset)."""

    def __init__(self, offsets: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]] = ()) -> None:
        self._offsets = [(dict(p), dict(o)) for p, o in offsets]

    def offset(self, partition: Mapping[str, Any]) -> Mapping[str, Any] | None:
        return next((o for p, o in reversed(self._offsets) if p == partition), None)

    def offsets(self, partitions: Sequence[Mapping[str, Any]]) -> list[Mapping[str, Any] | None]:
        return [self.offset(p) for p in partitions]


class FakeSourceTaskContext:
    """A source task's context with the given configuration and committed offsets."""

    def __init__(
        self,
        config: Mapping[str, str] | None = None,
        offsets: Iterable[tuple[Mapping[str, Any], Mapping[str, Any]]] = (),
        transaction_context: TransactionContext | None = None,
    ) -> None:
        self._config = dict(config or {})
        self.offset_storage_reader = FakeOffsetReader(offsets)
        self.transaction_context = transaction_context
        self.plugin_metrics = PluginMetrics()

    def configs(self) -> Mapping[str, str]:
        return self._config


class FakeErrantRecordReporter:
    """Collects what a sink task reports; every report counts as confirmed at once."""

    def __init__(self) -> None:
        self.reported: list[tuple[SinkRecord, BaseException]] = []

    def report(self, record: SinkRecord, error: BaseException) -> Future[None]:
        self.reported.append((record, error))
        done: Future[None] = Future()
        done.set_result(None)
        return done


class FakeSinkTaskContext:
    """A sink task's context that remembers what was asked of it."""

    def __init__(
        self,
        config: Mapping[str, str] | None = None,
        assignment: Iterable[TopicPartition] = (),
        errant_record_reporter: ErrantRecordReporter | None = None,
    ) -> None:
        self._config = dict(config or {})
        self._assignment = frozenset(assignment)
        self.errant_record_reporter = errant_record_reporter
        self.plugin_metrics = PluginMetrics()
        self.rewinds: dict[TopicPartition, int] = {}
        self.timeouts: list[int] = []
        self.paused: set[TopicPartition] = set()
        self.commits_requested = 0

    def configs(self) -> Mapping[str, str]:
        return self._config

    def offset(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.rewinds.update(offsets)

    def timeout(self, timeout_ms: int) -> None:
        self.timeouts.append(timeout_ms)

    def assignment(self) -> frozenset[TopicPartition]:
        return self._assignment

    def pause(self, *partitions: TopicPartition) -> None:
        self.paused.update(partitions)

    def resume(self, *partitions: TopicPartition) -> None:
        self.paused.difference_update(partitions)

    def request_commit(self) -> None:
        self.commits_requested += 1


def drain(task: SourceTask, polls: int = 1000) -> list[SourceRecord]:
    """Poll a started task until it is exhausted, or until a poll returns nothing; at most `polls` times."""
    records: list[SourceRecord] = []
    for _ in range(polls):
        batch = task.poll()
        if not batch:
            break
        records.extend(batch)
        if task.exhausted:
            break
    return records
