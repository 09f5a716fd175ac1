"""A source connector in a unit test, without broker or thread."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from penstock.api import SourceConnector, SourceTask, Task
from penstock.data import SourceRecord
from penstock.errors import DataError
from penstock.plugins import Plugins
from penstock.runtime.source.build import SourceTaskBuilder
from penstock.runtime.source.exactly_once_worker import ExactlyOnceWorker, OpenGate
from penstock.runtime.source.offset_stores import ConnectorOffsets, SourceOffsetStores
from penstock.runtime.source.task import SourceTaskParts, WorkerSourceTask
from penstock.runtime.status import ConnectorTaskId, TargetState
from penstock.storage import MemoryOffsetStore
from penstock.storage.offset_records import encode_offset
from penstock.testing.harness.calls import watched
from penstock.testing.harness.carried import SentRecord, sent_record
from penstock.testing.harness.clock import Clock, ClockedEvent
from penstock.testing.harness.connector import CONVERTERS, ConnectorHarness, FailureLog, Settings

__all__ = ["EndedTransaction", "SourceHarness"]

#: A source partition with an offset in it.
Position = tuple[Mapping[str, Any], Mapping[str, Any]]
_POLLS_IN_VAIN: Final = 1000
_OFFSETS_TOPIC: Final = "harness-offsets"


@dataclass(frozen=True, slots=True)
class EndedTransaction:
    """A transaction that ended: committed or aborted, with its records; the offsets in it are not among them."""

    committed: bool
    records: list[SentRecord]


class _SteppedTask(WorkerSourceTask):
    """The worker's task, whose waits pass on the harness's clock."""

    def __init__(self, task_id: ConnectorTaskId, listener: Any, parts: SourceTaskParts, clock: Clock) -> None:
        super().__init__(task_id, listener, TargetState.STARTED, parts)
        self.plugin = parts.task
        self._turned = clock

    def rest(self, seconds: float) -> None:
        self._turned.advance(seconds)

    def iterate_paused(self) -> None:
        """Wait for nothing: the test decides when the task goes on."""


class SourceHarness(ConnectorHarness[_SteppedTask]):
    """Runs a source connector and one of its tasks, one `poll` after the other.

    ::

        with SourceHarness(CountSource, {"topic": "numbers"}, offsets=[({"counter": 1}, {"n": 41})]) as source:
            assert [record.value for record in source.poll()] == [42]
            source.commit()
            assert source.offsets == [({"counter": 1}, {"n": 42})]

    Records take the worker's way: through the transforms and converters that the configuration names, to a fake producer.
    Without ``key.converter`` and ``value.converter`` values arrive as they are. Methods are for one thread at a time.
    """

    def __init__(
        self,
        connector: type[SourceConnector],
        config: Settings | None = None,
        *,
        offsets: Iterable[Position] = (),
        exactly_once: bool = False,
        task: int = 0,
        prepare: Callable[[Any], None] | None = None,
        clock: Clock | None = None,
        plugins: Plugins | None = None,
    ) -> None:
        """`offsets` are those that were committed before. With `exactly_once` records and offsets are written in
        transactions, which end as ``transaction.boundary`` says. The rest is `ConnectorHarness`'s."""
        super().__init__(
            connector, config or {}, task=task, prepare=prepare, clock=clock, plugins=plugins, exactly_once=exactly_once
        )
        self._store = _JsonOffsets()
        self._store.write(self.name, list(offsets))
        worker = ExactlyOnceWorker("harness", lambda task, generation: OpenGate()) if exactly_once else None
        self._builder = SourceTaskBuilder(
            self._worker_config, self._plugins, self.kafka, _OffsetStores(self._worker_config, self.kafka, self._store),
            worker, dict, CONVERTERS, None, lambda task: lambda topic: None, None,
        )  # fmt: skip
        self._interval_s: float = self._worker_config["offset.flush.interval.ms"] / 1000
        self._next_commit = 0.0

    # ---- what a test does

    def poll(self) -> list[SourceRecord]:
        """Do one round of the task's loop: `poll`, transforms, converters, producer. Return the records that the task gave.

        Offsets are committed first if the clock says so. While the task is paused, nothing happens. After a
        `RetriableError` of the task's the clock has moved on by the worker's pause.
        """
        task = self._running
        mark = len(self._log)
        if self.clock() >= self._next_commit:
            self.commit()
        self._attempt(task.round)
        return [record for call in self._log.since(mark) if call.name == "poll" for record in call.result or ()]

    def take(self, count: int, *, patience_s: float = 10.0) -> list[SourceRecord]:
        """Poll until the task has given `count` records, is exhausted or has failed, or has given nothing for `patience_s`
        seconds of real time or a thousand polls in a row. The last poll may bring more than `count`."""
        found: list[SourceRecord] = []
        in_vain, deadline = 0, time.monotonic() + patience_s
        while len(found) < count and self.is_running:
            is_last = bool(self.task.exhausted)
            batch = self.poll()
            if batch:
                found += batch
                in_vain, deadline = 0, time.monotonic() + patience_s
            elif is_last or in_vain > _POLLS_IN_VAIN or time.monotonic() >= deadline:
                break
            else:
                in_vain += 1
        return found

    def commit(self) -> bool:
        """Store the offsets of what Kafka has, as a worker does every minute. Returns False if they could not be stored:
        `refused_offsets` says why."""
        self._next_commit = self.clock() + self._interval_s
        self._running.poll_producer()
        return self._running.commit_offsets()

    def stop_during_poll(self, patience_s: float = 10.0) -> bool:
        """Poll in a thread of its own, stop the task from this one as a worker does, and return whether `poll` came back
        within `patience_s` seconds. This is the one place where real time counts."""
        task, polling = self._running, self._log.begun("poll")
        raised: list[BaseException] = []

        def loop() -> None:
            try:
                while not task.stopping.is_set():
                    task.round()
            except Exception as error:
                raised.append(error)

        thread = threading.Thread(target=loop, name="harness-poll", daemon=True)
        thread.start()
        polling.wait(patience_s)
        task.stop()
        thread.join(patience_s)
        if thread.is_alive():
            self._task = None  # nobody may touch it while it polls
            return False
        self._end_task(raised[0] if raised else None)
        return True

    # ---- what came of it

    @property
    def task(self) -> SourceTask:
        """Return the task's instance."""
        return self._running.plugin

    @property
    def records(self) -> list[SourceRecord]:
        """Return all records that the task has given, before transforms."""
        return [record for call in self.calls_of("poll") for record in call.result or ()]

    @property
    def sent(self) -> list[SentRecord]:
        """Return the records that readers of the topics see; with `exactly_once` those of committed transactions."""
        return [sent_record(m) for m in self.kafka.written() if m.topic() != _OFFSETS_TOPIC]

    @property
    def transactions(self) -> list[EndedTransaction]:
        """Return the transactions that have ended."""
        return [
            EndedTransaction(committed, [sent_record(m) for m in messages if m.topic() != _OFFSETS_TOPIC])
            for committed, messages in self.kafka.transactions()
        ]

    @property
    def offsets(self) -> list[Position]:
        """Return the committed offsets, by source partition, in the order in which the partitions first came."""
        return self._store.all(self.name)

    @property
    def refused_offsets(self) -> list[DataError]:
        """Return why offsets could not be stored: they have to be flat mappings of JSON's plain values."""
        return self._store.refused

    # ---- inside

    def _made_task(self, config: Mapping[str, str], task_class: type[Task]) -> _SteppedTask:
        kind = watched(task_class, self._log)
        parts = self._builder.parts(self._id, self.config, config, kind, clock=self.clock)
        parts.policy.clock, parts.policy.stopping = self.clock, ClockedEvent(self.clock)
        parts.policy.reporters = [*parts.policy.reporters, FailureLog(self.failures)]
        self._prepare(parts.task)
        return _SteppedTask(self._id, self, parts, self.clock)

    def _started(self) -> None:
        self._next_commit = self.clock() + self._interval_s


class _JsonOffsets(MemoryOffsetStore):
    """A store that takes what a topic takes, and gives back what would come back from there."""

    def __init__(self) -> None:
        super().__init__()
        self.refused: list[DataError] = []

    def write(self, connector: str, offsets: Any) -> None:
        try:
            for partition, offset in offsets:
                encode_offset(connector, partition, offset)
        except DataError as error:
            self.refused.append(error)
            raise
        super().write(connector, offsets)


class _Offsets(ConnectorOffsets):
    """The connector's offsets, in memory, with what a transaction needs."""

    def __init__(self, store: MemoryOffsetStore) -> None:
        super().__init__(store, None, lambda reader: None)

    @property
    def topic(self) -> str:
        return _OFFSETS_TOPIC

    def records(self, connector: str, offsets: Any) -> list[tuple[bytes, bytes | None]]:
        return [encode_offset(connector, partition, offset) for partition, offset in offsets]

    def committed(self, connector: str, offsets: Any) -> None:
        self.store.write(connector, offsets)


class _OffsetStores(SourceOffsetStores):
    def __init__(self, config: Any, clients: Any, store: MemoryOffsetStore) -> None:
        super().__init__(config, clients, store)
        self._offsets = _Offsets(store)

    def open(self, name: str, connector: Mapping[str, str], *, exactly_once: bool = False) -> ConnectorOffsets:
        return self._offsets
