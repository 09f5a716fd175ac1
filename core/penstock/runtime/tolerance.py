"""Decides what becomes of an error on a record's way: retried, tolerated and reported, or the end of the task.

KIP-298 (``errors.*``); the rules are ``RetryWithToleranceOperator``'s. Nothing here runs for a record that causes no
error.
"""

from __future__ import annotations

import enum
import logging
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from typing import Any, Final, Protocol, TypeVar

from penstock.errors import ConnectError, RetriableError, TaskStopped
from penstock.java.text import well_formed
from penstock.kafka.errors import AccessError, FencedError, RecordRefusedError
from penstock.logs import log_failure
from penstock.runtime.appearance import looks_like
from penstock.runtime.disclosure import looked_up_values
from penstock.runtime.meters import TaskMeter, Total
from penstock.runtime.record_text import record_text
from penstock.runtime.retries import RETRY_DELAY_MAX_MS, retry_delay
from penstock.runtime.status import ConnectorTaskId

__all__ = [
    "ErrorPolicy",
    "ErrorStage",
    "LogReporter",
    "NotTolerable",
    "RecordFailure",
    "Reporter",
    "ToleranceExceeded",
    "retry_until_stopped",
]

_log: Final = logging.getLogger(__name__)
_T = TypeVar("_T")

_KAFKA_RETRY_S: Final = 1.0


class ErrorStage(enum.Enum):
    """The step at which a record failed (``org.apache.kafka.connect.runtime.errors.Stage``)."""

    TASK_POLL = "TASK_POLL"
    TASK_PUT = "TASK_PUT"
    TRANSFORMATION = "TRANSFORMATION"
    KEY_CONVERTER = "KEY_CONVERTER"
    VALUE_CONVERTER = "VALUE_CONVERTER"
    HEADER_CONVERTER = "HEADER_CONVERTER"
    KAFKA_PRODUCE = "KAFKA_PRODUCE"
    KAFKA_CONSUME = "KAFKA_CONSUME"


class NotTolerable(ConnectError):
    """The error of a task that lacks something, and no record is at fault (a topic cannot be made, say): it ends the task,
    whatever ``errors.tolerance`` says."""


class ToleranceExceeded(ConnectError):
    """An error that is not tolerated: it ends the task."""


@dataclass(slots=True)
class RecordFailure:
    """One record's failure, for reporters and messages."""

    task: ConnectorTaskId
    stage: ErrorStage
    class_name: str
    error: BaseException
    #: The record's position in words: ``topic orders, partition 0, offset 41``.
    position: str
    #: The consumed message, or the source record; for logs and the dead letter.
    record: Any = None
    attempts: int = 1

    def describe(self) -> str:
        """Return a sentence with the task, the stage, the record and the reason; the error's notes have the field's path."""
        who = f"[{self.task.connector}|task-{self.task.task}] {self.stage.value} ({self.class_name})"
        notes = "".join(f" ({note})" for note in getattr(self.error, "__notes__", ()))
        return f"{who} failed for the record at {self.position}: {self.error}{notes}{self._appearance()}"

    def _appearance(self) -> str:
        """Return a description of a consumed key or value that could not be read; a source's record has no bytes yet."""
        part = {ErrorStage.KEY_CONVERTER: "key", ErrorStage.VALUE_CONVERTER: "value"}.get(self.stage)
        bytes_of = getattr(self.record, part, None) if part else None
        return f"; the {part} is {looks_like(bytes_of())}" if callable(bytes_of) else ""


class Reporter(Protocol):
    """Takes failures that are tolerated. Called from the task's thread."""

    def prepare(self) -> None:
        """Called once, before the first record. `RetriableError` while Kafka does not answer: it is called again."""

    def report(self, failure: RecordFailure) -> Future[None] | None:
        """A future if the report is still on its way; offsets wait for it."""

    def flush(self, timeout: float) -> None:
        """Bring what is on its way to its end, for up to `timeout` seconds; nobody else drives the report's client."""

    def close(self) -> None: ...


@dataclass
class ErrorPolicy:
    """A task's ``errors.*`` settings at work. For the task's own thread, except `failed` and `report`."""

    task: ConnectorTaskId
    tolerate_all: bool = False
    retry_timeout_ms: int = 0
    retry_delay_max_ms: int = RETRY_DELAY_MAX_MS
    reporters: Sequence[Reporter] = ()
    clock: Callable[[], float] = time.monotonic
    stopping: threading.Event = field(default_factory=threading.Event)
    #: Told of errors, failures, what is skipped, and retries (``task-error-metrics``).
    meter: TaskMeter = field(default_factory=TaskMeter)

    @classmethod
    def from_config(
        cls,
        task: ConnectorTaskId,
        config: Mapping[str, Any],
        reporters: Sequence[Reporter],
        stopping: threading.Event,
        meter: TaskMeter | None = None,
    ) -> ErrorPolicy:
        """Read the parsed common connector configuration."""
        return cls(
            task,
            tolerate_all=config["errors.tolerance"] == "all",
            retry_timeout_ms=config["errors.retry.timeout"],
            retry_delay_max_ms=config["errors.retry.delay.max.ms"],
            reporters=reporters,
            stopping=stopping,
            meter=meter or TaskMeter(),
        )

    def attempt(self, operation: Callable[[], _T]) -> _T:
        """Run `operation`, again and again while it raises `RetriableError` (itself or as a stage's cause) and
        ``errors.retry.timeout`` allows.

        What it raises last goes through. `TaskStopped` if the task is stopped while waiting.
        """
        started = self.clock()
        attempt = 0
        while True:
            attempt += 1
            try:
                return operation()
            except Exception as error:
                self.meter.add(Total.ERRORS)
                if not _retriable(error):
                    raise
                delay = retry_delay(attempt, self.retry_delay_max_ms)
                deadline = started + self.retry_timeout_ms / 1000
                if self.retry_timeout_ms >= 0 and self.clock() + (delay if attempt > 1 else 0) >= deadline:
                    raise
                self.meter.add(Total.RETRIES)
                _log.debug("[%s] attempt %d failed, trying again in %.1f s: %s", self.task, attempt, delay, error)
                if self.stopping.wait(delay):
                    raise TaskStopped(f"{self.task} was stopped while an operation was being retried") from error

    def failed(self, failure: RecordFailure) -> list[Future[None]]:
        """Report a failure and go on, or raise `ToleranceExceeded`. Returns reports still on their way.

        Only records are tolerated. Where Kafka did not take a record for a reason that is not in the record (rights,
        fencing, a client that is finished), the next would meet the same, and all would be lost.
        """
        self.meter.add(Total.FAILURES)
        tolerated = self.tolerate_all and _records_fault(failure)
        waiting = self.report(failure)
        if not tolerated:
            raise ToleranceExceeded(failure.describe()) from failure.error
        self.meter.add(Total.SKIPPED)
        return waiting

    def report(self, failure: RecordFailure) -> list[Future[None]]:
        failure.error = looked_up_values(failure.task.connector).disclosed(failure.error)
        futures = (reporter.report(failure) for reporter in self.reporters)
        return [f for f in futures if f is not None]

    def flush(self, timeout: float) -> None:
        for reporter in self.reporters:
            reporter.flush(timeout)

    def prepare(self) -> None:
        """Get the reporters ready, with all the patience it takes. `TaskStopped` if the task is stopped meanwhile."""
        for reporter in self.reporters:
            retry_until_stopped(reporter.prepare, self.stopping, self.task.label)

    def close(self) -> None:
        for reporter in self.reporters:
            reporter.close()


def retry_until_stopped(operation: Callable[[], None], stopping: threading.Event, who: str) -> None:
    """Run `operation` again and again while it raises `RetriableError`: for what only waits for Kafka, and is no record's
    fault. Raises `TaskStopped` once `stopping` is set; `who` begins the log line of each try."""
    while True:
        try:
            return operation()
        except RetriableError as error:
            _log.warning("%s %s; trying again", who, error)
            if stopping.wait(_KAFKA_RETRY_S):
                raise TaskStopped(f"{who} was stopped while Kafka did not answer") from error


def _records_fault(failure: RecordFailure) -> bool:
    # Delivery 2.
    if isinstance(failure.error, NotTolerable | AccessError | FencedError):
        return False
    return failure.stage is not ErrorStage.KAFKA_PRODUCE or isinstance(failure.error, RecordRefusedError)


def _retriable(error: BaseException) -> bool:
    # A stage's error wraps what the plugin raised.
    return isinstance(error, RetriableError) or isinstance(error.__cause__, RetriableError)


class LogReporter:
    """Writes failures to the log (``errors.log.enable``), with the record if asked (``errors.log.include.messages``)."""

    def __init__(self, include_messages: bool, meter: TaskMeter | None = None) -> None:
        self._include_messages = include_messages
        self._meter = meter

    def prepare(self) -> None:
        """Do nothing."""

    def report(self, failure: RecordFailure) -> Future[None] | None:
        text = failure.describe()
        if self._include_messages and failure.record is not None:
            text += f" Record: {record_text(failure.record)}"
        log_failure(_log, failure.error, "%s", well_formed(text))
        if self._meter is not None:
            self._meter.add(Total.ERRORS_LOGGED)
        return None

    def flush(self, timeout: float) -> None:
        """A log line is written at once."""

    def close(self) -> None:
        """Do nothing: the log holds nothing back."""
