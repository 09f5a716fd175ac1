"""The sink loop: consume, convert, transform, put, commit offsets.

Everything, the consumer's rebalance callbacks included, happens in the task's own thread.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping, Sequence
from typing import Final

from penstock.api import TopicPartition
from penstock.errors import ConnectError, RetriableError, TaskStopped
from penstock.kafka.consuming import GroupConsumer
from penstock.kafka.subscription import Subscription
from penstock.runtime.meters import Total
from penstock.runtime.sink.commits import OffsetCommits
from penstock.runtime.sink.context import WorkerSinkTaskContext
from penstock.runtime.sink.intake import Intake
from penstock.runtime.sink.offsets import SinkOffsets
from penstock.runtime.sink.pace import PutPace
from penstock.runtime.sink.parts import SinkTaskParts
from penstock.runtime.status import ConnectorTaskId, StatusListener, TargetState
from penstock.runtime.task import WorkerTask

__all__ = ["WorkerSinkTask"]

_log: Final = logging.getLogger(__name__)
#: The longest a round waits for messages: a pause or a stop takes effect after it.
_POLL_S: Final = 1.0
#: One look whether the worker is in its group's session again, or the task is stopped.
_OUT_OF_SESSION_S: Final = 0.1


class WorkerSinkTask(WorkerTask):
    """One sink task in its thread. Hears of its partitions as `penstock.kafka.consuming.Partitions`."""

    def __init__(
        self, task_id: ConnectorTaskId, listener: StatusListener, target: TargetState, parts: SinkTaskParts
    ) -> None:
        super().__init__(task_id, listener, target, parts.policy.stopping, parts.in_session)
        self._parts = parts
        self._task = parts.task
        self._clock = parts.clock
        self._label = f"[{task_id.connector}|task-{task_id.task}]"
        topics = parts.topics
        self._topics = topics if isinstance(topics, Subscription) else Subscription(topics)
        self._client = GroupConsumer(parts.consumer, self._label, self, cooperative=parts.cooperative)
        self._offsets = SinkOffsets(self._label)
        self._intake = Intake(task_id, parts, self._offsets, self._client, self.topics_forgotten)
        self._context = WorkerSinkTaskContext(
            self._label, self, self._client, parts.configs, self._intake if parts.reports else None, self._task.metrics
        )
        self._commits = OffsetCommits(self._label, parts, self._offsets, self._client)
        self._pace = PutPace(self._label, parts.max_poll_interval_s, parts.max_poll_records)
        self._started = False
        self._retry_at: float | None = None
        self.meter, self.plugins = parts.policy.meter, parts.plugins

    @property
    def version(self) -> str:
        return type(self._task).version

    @property
    def read(self) -> int:
        """Records consumed."""
        return self.meter.total(Total.READ)

    @property
    def sent(self) -> int:
        """Records given to the task's `put` and taken by it."""
        return self.meter.total(Total.SENT)

    @property
    def idle(self) -> bool:
        """Return whether the task has taken all records that were read."""
        return not self._intake.batch and self._retry_at is None

    # ---- life

    def initialize(self) -> None:
        self._parts.policy.prepare()
        self._client.open()
        self._started = True
        self._task.initialize(self._context)
        self._task.start(self._parts.config)
        self._commits.schedule()
        if self._topics.due:
            self._topics.update(self._label, self._client.cluster_topics, self._client.subscribe)

    def close(self, failed: bool) -> None:
        try:
            if self._offsets.assigned and not self._cancelled:
                # Commit after a failure, too: the current offsets hold only what put() took.
                self._close_partitions(list(self._offsets.assigned), commit=True)
        finally:
            try:
                if self._started:
                    self._task.stop()
            finally:
                self._client.close()
                self._parts.conversion.close()
                self._parts.policy.close()

    def on_cancel(self) -> None:
        self._client.cut_off()

    def on_paused(self) -> None:
        self._client.pause_all()

    def on_resumed(self) -> None:
        if self._retry_at is None:
            self._client.resume_all()

    # ---- the loop

    def iterate(self) -> None:
        if not self.in_session():
            self.stopping.wait(_OUT_OF_SESSION_S)  # another worker may have the task by now
            return
        self._context.apply_rewinds()  # of put(): before a commit, which then knows of them
        self._commit_if_due()
        self._context.apply_rewinds()  # of pre_commit(): they win over the way back that the worker chose
        if self._topics.due:
            self._topics.update(self._label, self._client.cluster_topics, self._client.subscribe)
        messages = self._client.poll(self._wait(), self._parts.max_poll_records)
        moved = self._context.apply_rewinds()  # of open() and close() inside the poll, for partitions that stay
        if moved:
            messages = [m for m in messages if (m.topic(), m.partition()) not in moved]
        if messages:
            self._intake.convert(messages)
        self._deliver()
        self._fail_if_due()

    def iterate_paused(self) -> None:
        self._commit_if_due()
        messages = self._client.poll(_POLL_S, self._parts.max_poll_records)
        if messages:  # taken before the pause reached the client: keep for later
            self._intake.convert(messages)
        self._fail_if_due()

    def _fail_if_due(self) -> None:
        """Raise the failure of a record that is not tolerated, once everything before it is taken."""
        if self._intake.failure is not None and not self._intake.batch:
            self._offsets.taken()
            raise self._intake.failure

    def _wait(self) -> float:
        now = self._clock()
        wait = min(_POLL_S, max(0.0, self._commits.due_at - now), self._topics.wait)
        return wait if self._retry_at is None else min(wait, max(0.0, self._retry_at - now))

    def _deliver(self) -> None:
        """Give the batch to the task; an empty one too, so that time passes for it."""
        began = self._clock()
        if self._retry_at is not None and began < self._retry_at:
            return
        if self.paused or self.stopping.is_set() or not self.in_session():
            return
        batch = self._intake.batch
        try:
            if self._parts.trace is None or not batch:
                self._task.put(list(batch))
            else:
                with self._parts.trace.putting(batch):
                    self._task.put(list(batch))
        except RetriableError as error:
            self._put_again_later(error)
            return
        except TaskStopped:
            raise
        except Exception as error:
            raise self._put_failed(error) from error
        took = self._clock() - began
        self._pace.took(took, len(batch))
        if batch:
            self.meter.sent(len(batch), took)
            self._offsets.taken()
            batch.clear()
        else:
            self._offsets.taken()
        if self._retry_at is not None:
            self._retry_at = None
            self.retries.succeeded()
            self._client.resume_all()

    def _put_failed(self, error: Exception) -> ConnectError:
        batch = self._intake.batch
        first = batch[0] if batch else None
        where = (
            f"{first.original_topic}-{first.original_partition} from offset {first.original_offset}"
            if first
            else "an empty batch"
        )
        who = f"{self._label} put() of {type(self._task).__qualname__}"
        return ConnectError(f"{who} failed for {len(batch)} records ({where}): {error}")

    def _put_again_later(self, error: RetriableError) -> None:
        # Keep polling with everything paused: leaving poll() alone would lose the group membership.
        pause = self.retries.failed("put()", error)
        asked = self._context.take_timeout()
        if asked is not None:
            pause = asked
        _log.warning(
            "%s put() failed and will be tried again in %g s with the same %d records: %s",
            self._label,
            pause,
            len(self._intake.batch),
            error,
        )
        self._retry_at = self._clock() + pause
        self._client.pause_all()

    # ---- offsets

    def _commit_if_due(self) -> None:
        asked = self._context.take_commit_request()
        if asked or self._clock() >= self._commits.due_at:
            self._commits.schedule()
            for partition, offset in self._commits.commit(list(self._offsets.assigned), closing=False).items():
                self.seek(partition, offset)

    def committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        self._commits.committed(offsets)
        self._hold()

    def not_committed(self) -> None:
        self._commits.not_committed()

    def seek(self, partition: TopicPartition, offset: int) -> None:
        """Go on from `offset`; what was read ahead of it is forgotten."""
        self._client.seek(partition, offset)
        self._offsets.seek(partition, offset)
        self._intake.drop({partition})

    # ---- partitions come and go

    def assignment(self) -> frozenset[TopicPartition]:
        return frozenset(self._offsets.assigned)

    def assigned(self, partitions: list[TopicPartition]) -> Mapping[TopicPartition, int]:
        self._offsets.assigned.update(partitions)
        self._hold()
        if partitions:
            _log.info("%s assigned %s", self._label, _names(partitions))
            if not self.stopping.is_set():
                self._task.open(partitions)
        return self._context.take_rewinds(partitions)

    def _hold(self) -> None:
        """Tell the meter of what the task has now."""
        self.meter.holds(self._offsets.uncommitted(), len(self._offsets.assigned))

    def revoked(self, partitions: list[TopicPartition], lost: bool) -> None:
        known = [p for p in partitions if p in self._offsets.assigned]
        if known:
            _log.info("%s %s %s", self._label, "lost" if lost else "revoked", _names(known))
            self._close_partitions(known, commit=not lost)

    def thrown_out(self) -> None:
        self._pace.exceeded()

    def _close_partitions(self, partitions: list[TopicPartition], commit: bool) -> None:
        for partition, offset in self._context.take_rewinds(partitions).items():
            self._offsets.seek(partition, offset)  # nothing beyond it may be committed (Delivery 9.)
        try:
            if commit:
                self._commits.commit(partitions, closing=True)
        finally:
            self._offsets.forget(partitions)
            self._intake.drop(set(partitions))
            self._hold()
            try:
                self._task.close(partitions)
            finally:
                self._context.take_rewinds(partitions)  # they would be out of date when the partition comes back


def _names(partitions: Sequence[TopicPartition]) -> str:
    return ", ".join(map(repr, sorted(partitions)))
