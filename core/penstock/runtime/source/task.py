"""The loop of every source task: poll, hand over, keep what was not handed over.

Source of the rules: ``AbstractWorkerSourceTask`` of Kafka Connect 4.3. How records and offsets reach Kafka is a
`penstock.runtime.source.delivery.Delivery`.
"""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from penstock.api import SourceTask
from penstock.data import SourceRecord
from penstock.errors import ConnectError, RetriableError, TaskStopped
from penstock.logs import log_failure
from penstock.runtime.meters import TaskMeter
from penstock.runtime.source.conversion import SourceConversion
from penstock.runtime.source.delivery import Delivery, Metadata, TaskSide
from penstock.runtime.source.offset_stores import ConnectorOffsets
from penstock.runtime.source.sending import CutOff, Sending
from penstock.runtime.source.topics import TopicCreation
from penstock.runtime.status import ConnectorTaskId, StatusListener, TargetState
from penstock.runtime.task import WorkerTask
from penstock.runtime.task_plugins import TaskPlugins
from penstock.runtime.tolerance import ErrorPolicy
from penstock.telemetry.tracing import TaskTrace

__all__ = ["SourceTaskParts", "WorkerSourceTask", "hears_of_records", "wants_each_record"]

_log: Final = logging.getLogger(__name__)
#: How long a cancelling thread waits for a send in progress.
_CANCEL_WAIT_S: Final = 1.0
#: One look whether the worker is in its group's session again, or the task is stopped.
_OUT_OF_SESSION_S: Final = 0.1


@dataclass(frozen=True, slots=True)
class SourceTaskParts:
    """The parts that a `WorkerSourceTask` is made of."""

    task: SourceTask
    config: Mapping[str, str]
    conversion: SourceConversion
    policy: ErrorPolicy
    topics: TopicCreation
    #: Makes the way of delivering, given the task that it serves.
    delivery: Callable[[TaskSide], Delivery]
    meter: TaskMeter
    #: Tells whether the task is this worker's still; None where there is no group that could give it away.
    in_session: Callable[[], bool] | None = None
    #: The store of the connector's offsets, which the task starts and lets go of; None if somebody else does.
    offsets: ConnectorOffsets | None = None
    #: For metrics; None where nobody asks for them.
    plugins: TaskPlugins | None = None
    #: For spans; None where tracing is off.
    trace: TaskTrace | None = None


def wants_each_record(task: SourceTask, policy: ErrorPolicy) -> bool:
    """Return whether records are handed over one by one: because the task has a `commit_record` of its own, or because
    a record that Kafka refuses is tolerated, by itself (`Delivery.per_record`)."""
    return policy.tolerate_all or hears_of_records(task)


def hears_of_records(task: SourceTask) -> bool:
    """Return whether the task has a `commit_record` of its own."""
    return type(task).commit_record is not SourceTask.commit_record


class WorkerSourceTask(WorkerTask):
    """One source task in its thread. `commit_offsets` and `poll_producer` are for the committer's thread."""

    def __init__(
        self, task_id: ConnectorTaskId, listener: StatusListener, target: TargetState, parts: SourceTaskParts
    ) -> None:
        super().__init__(task_id, listener, target, parts.policy.stopping, parts.in_session)
        self._parts = parts
        self._task = parts.task
        self.meter, self.plugins = parts.meter, parts.plugins
        self._label = f"[{task_id.connector}|task-{task_id.task}]"
        self._cut_off = CutOff()
        self._delivery = parts.delivery(self)
        self._sending = Sending(
            task_id, parts.conversion, parts.policy, parts.topics, parts.meter, self._delivery, self._cut_off
        )
        #: Held while records are handed over: whoever cancels the task drops what is sent only in between.
        self._gate = threading.Lock()
        self._batch: Sequence[SourceRecord] = ()
        self._life_lock = threading.Lock()
        self.meter.count_active = lambda: len(self._batch) + self._delivery.outstanding
        self._started = False
        self._stop_called = False

    @property
    def exhausted(self) -> bool:
        """Return whether the task says that it will never have another record, and all it had is sent."""
        return bool(getattr(self._task, "exhausted", False)) and not self._batch

    @property
    def version(self) -> str:
        return type(self._task).version

    # ---- life

    def initialize(self) -> None:
        if self._parts.offsets is not None:
            self._parts.offsets.start()
        self._delivery.open()
        with self._life_lock:
            self._started = True
        self._task.start(self._parts.config)

    def on_stop(self) -> None:
        self._stop_task()

    def _stop_task(self) -> None:
        with self._life_lock:
            if not self._started or self._stop_called:
                return
            self._stop_called = True
        try:
            self._task.stop()
        except Exception as error:
            log_failure(_log, error, "%s the task's stop() raised: %s", self._label, error)

    def close(self, failed: bool) -> None:
        # Offsets of what was acknowledged are committed even when the task failed: nothing before them is missing.
        try:
            if not self._cancelled:
                if failed:
                    self._delivery.abort()
                self._delivery.commit(final=True)
        finally:
            self._stop_task()
            if self._started:
                self._task.close()
            self._parts.conversion.close()
            self._parts.policy.close()
            self._delivery.close()
            if self._parts.offsets is not None:
                self._parts.offsets.stop()

    def on_cancel(self) -> None:
        # A thread that is sending just now ends by `stopping`; one that comes out of a long poll later finds it is cancelled.
        self._cut_off.now = True
        with_gate = self._gate.acquire(timeout=_CANCEL_WAIT_S)
        try:
            self._delivery.cancel()
        finally:
            if with_gate:
                self._gate.release()

    def on_paused(self) -> None:
        self._delivery.paused()

    def iterate_paused(self) -> None:
        self._await_resume(1.0)

    # ---- the loop

    def iterate(self) -> None:
        self._delivery.check()
        if self.meter.flow is not None:
            self.meter.flow.wait(self.stopping)
        if not self._batch:
            self._batch = self._poll()
        if self._batch and not self.in_session():
            self.stopping.wait(_OUT_OF_SESSION_S)  # another worker may have the task by now; the batch is kept
            return
        with self._gate:
            self.check_alive()
            if self._parts.trace is None or not self._batch:
                self._send_batch()
            else:
                with self._parts.trace.sending(self._batch):
                    self._send_batch()

    def _poll(self) -> Sequence[SourceRecord]:
        try:
            began = time.monotonic()
            records = self._task.poll() or ()
        except RetriableError as error:
            pause = self.retries.failed("poll()", error)
            _log.warning("%s poll() failed and will be called again in %.1f s: %s", self._label, pause, error)
            self.rest(pause)
            return ()
        if self.retries.failing:
            self.retries.succeeded()
        if records:
            self.meter.polled(len(records), time.monotonic() - began)
        return records

    def _send_batch(self) -> None:
        """Hand the batch over, in order. What an interruption leaves over stays in `_batch`."""
        if self.topics_forgotten.is_set():
            self.topics_forgotten.clear()
            self.meter.forget_topics()
            self._parts.conversion.forget_topics()
        try:
            for piece in self._delivery.cut(self._batch) if self._batch else ():
                self._delivery.begin()
                self._send_piece(piece)
                self._delivery.dispatched()
        except TaskStopped:
            raise
        except BaseException:
            self._delivery.abort()
            raise
        if not self._batch:
            self._delivery.dispatched()

    def _send_piece(self, piece: Sequence[SourceRecord]) -> None:
        try:
            self._sending.send(piece)
        finally:
            taken = self._sending.taken
            self._batch = () if taken == len(self._batch) else self._batch[taken:]

    # ---- what the delivery asks and tells (`TaskSide`)

    def check_alive(self) -> None:
        if self._cut_off.now:
            raise TaskStopped(f"{self._label} was cancelled; what it has polled is not sent any more")

    def may_write(self) -> bool:
        return not self._cancelled and self.in_session()

    def record_done(self, record: SourceRecord, metadata: Metadata | None) -> None:
        try:
            self._task.commit_record(record, metadata)
        except Exception as error:
            log_failure(_log, error, "%s the task's commit_record() raised: %s", self._label, error)

    def offsets_done(self) -> None:
        try:
            self._task.commit()
        except Exception as error:
            log_failure(_log, error, "%s the task's commit() raised: %s", self._label, error)

    def not_written(self, record: SourceRecord, error: ConnectError) -> None:
        self._sending.not_written(record, error)

    # ---- for the committer

    def poll_producer(self) -> None:
        """Serve the client's callbacks while the task's `poll` blocks."""
        self._delivery.serve()

    def commit_offsets(self) -> bool:
        """Store the offsets of everything acknowledged. False if that did not work out; what is pending stays so."""
        return self._delivery.commit()
