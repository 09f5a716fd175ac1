"""A sink connector in a unit test, without broker or thread."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from penstock.api import SinkConnector, SinkTask, SinkTaskContext, Task, TopicPartition
from penstock.data import SinkRecord
from penstock.plugins import Plugins
from penstock.runtime.sink.build import SinkTaskBuilder
from penstock.runtime.sink.parts import SinkTaskParts
from penstock.runtime.sink.task import WorkerSinkTask
from penstock.runtime.status import ConnectorTaskId, TargetState
from penstock.runtime.tolerance import ErrorStage
from penstock.testing.fake_message import FakeMessage
from penstock.testing.harness.calls import Call, WatchedSinkContext, watched
from penstock.testing.harness.carried import SentRecord, carrying, message_of, sent_record
from penstock.testing.harness.clock import Clock, ClockedEvent
from penstock.testing.harness.connector import ConnectorHarness, FailureLog, HarnessError, Settings
from penstock.testing.harness.kafka import HarnessConsumer

__all__ = ["SinkHarness"]


class _SteppedTask(WorkerSinkTask):
    """The worker's task, whose consumer can vanish."""

    def __init__(
        self, task_id: ConnectorTaskId, listener: Any, parts: SinkTaskParts, vanish: Callable[[], None]
    ) -> None:
        super().__init__(task_id, listener, TargetState.STARTED, parts)
        self.plugin = parts.task
        self._vanish = vanish

    def on_cancel(self) -> None:
        self._vanish()


class SinkHarness(ConnectorHarness[_SteppedTask]):
    """Runs a sink connector and one of its tasks, one round of the worker's loop after the other.

    ::

        with SinkHarness(PrintSink, {"topics": "orders"}) as sink:
            sink.put(SinkRecord("orders", value="a"), SinkRecord("orders", value="b"))
            sink.commit()
            assert sink.committed == {TopicPartition("orders", 0): 2}

    Records take the worker's way: out of a fake log, through the transforms and converters that the configuration names,
    to `put`. Without ``key.converter`` and ``value.converter`` the task gets them as a test gives them. Methods are for one
    thread.
    """

    def __init__(
        self,
        connector: type[SinkConnector],
        config: Settings | None = None,
        *,
        partitions: int | Iterable[TopicPartition] = 1,
        offsets: Mapping[TopicPartition, int] | None = None,
        task: int = 0,
        prepare: Callable[[Any], None] | None = None,
        clock: Clock | None = None,
        plugins: Plugins | None = None,
    ) -> None:
        """`partitions` are assigned at the start: a number of each topic in ``topics``, or the partitions by name. `offsets`
        are those that the consumer group has committed before. The rest is `ConnectorHarness`'s."""
        super().__init__(
            connector, {"topics": "test", **(config or {})}, task=task, prepare=prepare, clock=clock, plugins=plugins,
            exactly_once=False,
        )  # fmt: skip
        cluster = self.kafka.cluster
        for partition in self._given(partitions):
            logs = cluster.topics.setdefault(partition.topic, [])
            logs += [[] for _ in range(len(logs), partition.partition + 1)]
        self._group = self.config.get("consumer.override.group.id", f"connect-{self.name}")
        for partition, offset in (offsets or {}).items():
            cluster.committed[self._group, partition.topic, partition.partition] = offset
        self._builder = SinkTaskBuilder(
            self._worker_config, self._plugins, self.kafka, dict, self._worker_config.raw, None,
            lambda task: lambda topic: None, None,
        )  # fmt: skip
        self._context: WatchedSinkContext | None = None

    def _given(self, partitions: int | Iterable[TopicPartition]) -> list[TopicPartition]:
        if not isinstance(partitions, int):
            return [TopicPartition(*partition) for partition in partitions]
        topics = [topic.strip() for topic in self.config["topics"].split(",") if topic.strip()]
        return [TopicPartition(topic, number) for topic in topics for number in range(partitions)]

    # ---- what a test does

    def put(self, *records: SinkRecord) -> list[SinkRecord]:
        """Append `records` to their partitions, and do rounds of the task's loop until they are read. Return the records
        that the task's `put` was given.

        A record without an offset (-1) gets the next one of its partition, others have to come in the order of offsets.
        Records of a partition that is paused, or not assigned, wait.
        """
        for record in records:
            place = TopicPartition(record.topic, record.partition or 0)
            self.kafka.cluster.add(carrying(record, self._offset(place, record.offset)))
        return self._read()

    def put_bytes(
        self,
        topic: str,
        value: bytes | None,
        key: bytes | None = None,
        *,
        partition: int = 0,
        headers: Iterable[tuple[str, bytes | None]] = (),
        timestamp: int | None = None,
    ) -> list[SinkRecord]:
        """Append a message as Kafka has it, for the converters that the configuration names; otherwise as `put`.

        `timestamp` is in milliseconds since the epoch."""
        place = TopicPartition(topic, partition)
        offset = self._offset(place, -1)
        self.kafka.cluster.add(message_of(topic, partition, offset, key, value, headers, timestamp))
        return self._read()

    def round(self) -> list[SinkRecord]:
        """Do one round of the task's loop: commit if it is time, consume, `put`. Return the records that `put` was given.

        `put` is called with nothing, too, as a worker does. While the task is paused it is not called."""
        mark = len(self._log)
        self._attempt(self._running.round)
        return [record for call in self._log.since(mark) if call.name == "put" for record in call.arguments[0]]

    def commit(self) -> dict[TopicPartition, int]:
        """Let the clock pass the interval of commits, do one round, and return what is committed then."""
        self.clock.advance(self._worker_config["offset.flush.interval.ms"] / 1000)
        self.round()
        return self.committed

    def rebalance(self, *partitions: TopicPartition) -> None:
        """Let the group give the task exactly these partitions, and do one round.

        By default the task gives everything up before it gets its new share; with a cooperative
        ``consumer.override.partition.assignment.strategy`` what stays is not touched.
        """
        wanted = [TopicPartition(*partition) for partition in partitions]
        now = sorted(self.assignment)
        for place in wanted:
            self._log_of(place)
        if "cooperative" in self.config.get("consumer.override.partition.assignment.strategy", ""):
            gone, new = [p for p in now if p not in wanted], [p for p in wanted if p not in now]
        else:
            gone, new = now, wanted
        if gone:
            self._consumer.revoke_now(*gone)
        if new:
            self._consumer.assign_now(*new)
        self.round()

    def lose(self) -> None:
        """Let the task lose its partitions, as after a long silence: others may have them, and nothing is committed."""
        self._consumer.revoke_now(*sorted(self.assignment), lost=True)
        self.round()

    # ---- what came of it

    @property
    def task(self) -> SinkTask:
        """Return the task's instance."""
        return self._running.plugin

    @property
    def taken(self) -> list[SinkRecord]:
        """Return the records that `put` has taken, in order, as often as it took them."""
        return [record for call in self.calls_of("put") if call.error is None for record in call.arguments[0]]

    @property
    def committed(self) -> dict[TopicPartition, int]:
        """Return the offsets that the consumer group has committed: of the next record of each partition."""
        known = self.kafka.cluster.committed
        return {TopicPartition(t, p): offset for (group, t, p), offset in known.items() if group == self._group}

    @property
    def assignment(self) -> frozenset[TopicPartition]:
        """Return the partitions that the task has now."""
        return self._running.assignment()

    @property
    def paused(self) -> frozenset[TopicPartition]:
        """Return the partitions that the task has asked to pause."""
        return frozenset() if self._context is None else frozenset(self._context.paused)

    @property
    def requests(self) -> list[Call]:
        """Return what the task has asked of its context: ``context.offset``, ``timeout``, ``pause``, ``resume``,
        ``request_commit``."""
        return [call for call in self.calls if call.name.startswith("context.")]

    @property
    def reported(self) -> list[tuple[SinkRecord, BaseException]]:
        """Return the records that the task has handed to the errant record reporter. There is one only if the
        configuration logs errors or names a dead letter queue."""
        return [(f.record, f.error) for f in self.failures if f.stage is ErrorStage.TASK_PUT]

    @property
    def dead_letters(self) -> list[SentRecord]:
        """Return what was written to the dead letter queue."""
        return [sent_record(message) for message in self.kafka.dead_letters()]

    # ---- inside

    @property
    def _consumer(self) -> HarnessConsumer:
        self._running  # noqa: B018 - says why there is none
        return self.kafka.consumers[-1]

    def _log_of(self, place: TopicPartition) -> list[FakeMessage]:
        logs = self.kafka.cluster.topics.get(place.topic, [])
        if place.partition >= len(logs):
            raise HarnessError(f"there is no partition {place!r}; name it in `partitions`")
        return logs[place.partition]

    def _offset(self, place: TopicPartition, asked: int) -> int:
        log = self._log_of(place)
        following = log[-1].offset() + 1 if log else 0
        if 0 <= asked < following:
            raise HarnessError(f"{place!r} ends before offset {following}: a record at {asked} cannot follow")
        return following if asked < 0 else asked

    def _read(self) -> list[SinkRecord]:
        given: list[SinkRecord] = []
        while True:
            before = self._running.read
            given += self.round()
            if not self.is_running or self._running.read == before:
                return given

    def _made_task(self, config: Mapping[str, str], task_class: type[Task]) -> _SteppedTask:
        kind = watched(task_class, self._log, context=self._watch)
        parts = self._builder.parts(self._id, self.config, config, kind, self.clock)
        parts.policy.clock, parts.policy.stopping = self.clock, ClockedEvent(self.clock)
        parts.policy.reporters = [*parts.policy.reporters, FailureLog(self.failures)]
        self._prepare(parts.task)
        return _SteppedTask(self._id, self, parts, self._vanish)

    def _vanish(self) -> None:
        self.kafka.consumers[-1].vanish()

    def _watch(self, context: SinkTaskContext) -> WatchedSinkContext:
        self._context = WatchedSinkContext(context, self._log)
        return self._context

    def _started(self) -> None:
        self.round()
