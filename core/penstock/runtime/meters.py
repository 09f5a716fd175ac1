"""One meter a task: how many records went through it, how long that took, told once a batch.

The loops, the error policy and the dead letter queue write it; ``penstock dev`` and metrics read it. A source is held
back, in ``penstock dev`` only, by a `Flow` that hears from the meters how many bytes of which topic went in and out.
"""

from __future__ import annotations

import enum
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Any, Final, Protocol

from penstock.kafka.statistics import ClientStatistics
from penstock.measurements import Window, Windows
from penstock.runtime.status import State

__all__ = ["Flow", "Spread", "TaskMeter", "Total", "meter_windows"]


class Total(enum.Enum):
    """The things that are counted. The values are the names of Kafka Connect's metrics."""

    #: Records that a source's `poll` returned.
    POLLED = "source-record-poll-total"
    #: Records that a source handed to Kafka, after its transforms; those that Kafka refused afterwards are among them.
    WRITTEN = "source-record-write-total"
    #: Records that a sink consumed.
    READ = "sink-record-read-total"
    #: Records that a sink's `put` took.
    SENT = "sink-record-send-total"
    #: Tries of an operation on a record that failed.
    ERRORS = "total-record-errors"
    #: Records for which an operation failed for good.
    FAILURES = "total-record-failures"
    #: Records that were left out because errors are tolerated.
    SKIPPED = "total-records-skipped"
    RETRIES = "total-retries"
    ERRORS_LOGGED = "total-errors-logged"
    DEAD_LETTERS = "deadletterqueue-produce-requests"
    DEAD_LETTER_FAILURES = "deadletterqueue-produce-failures"
    #: Commits of offsets that worked.
    COMMITS = "offset-commit-completion-total"
    #: Commits of offsets that did not work; Kafka Connect shows their percentage alone.
    FAILED_COMMITS = "offset-commit-failure-total"
    #: Answers to a sink's commits that came after a later commit was sent.
    LATE_COMMITS = "offset-commit-skip-total"
    #: Commits that a sink has asked for.
    COMMIT_REQUESTS = "offset-commit-seq-no"


class Spread(enum.Enum):
    """The things whose average and extremes are kept. The values begin the names of Kafka Connect's metrics."""

    BATCH = "batch-size"
    POLL_MS = "poll-batch"
    PUT_MS = "put-batch"
    COMMIT_MS = "offset-commit"
    ACTIVE = "record-active-count"
    TRANSACTION = "transaction-size"
    #: 1 for a commit that worked, 0 for one that did not.
    COMMIT_WORKED = "offset-commit-success"
    LAG = "sink-record-lag"


#: The counts that Kafka Connect also shows per second.
_RATED: Final = (Total.POLLED, Total.WRITTEN, Total.READ, Total.SENT, Total.COMMITS, Total.LATE_COMMITS)


def meter_windows(config: Mapping[str, Any]) -> Windows:
    """Return the time that a worker's statistics look back, of its parsed settings."""
    return Windows(config["metrics.sample.window.ms"] / 1000, config["metrics.num.samples"])


class Flow(Protocol):
    """Hears what goes into topics and out of them again. Safe from any thread."""

    def produced(self, amounts: Mapping[str, tuple[int, int]]) -> None:
        """Note what was handed to a producer: by topic, how many records with how many bytes of key and value."""

    def consumed(self, amounts: Mapping[str, tuple[int, int]]) -> None:
        """Note what was consumed: by topic, how many records with how many bytes of key and value."""

    def wait(self, stopping: threading.Event) -> None:
        """Return when a source may go on, or when `stopping` is set."""


class TaskMeter:
    """Safe from any thread.

    `on_topic` is told of each topic once (``GET /connectors/NAME/topics``); see `use_topic`.
    """

    def __init__(
        self,
        flow: Flow | None = None,
        on_topic: Callable[[str], None] | None = None,
        windows: Windows | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        windows = windows or Windows()
        self.flow = flow
        #: The reports of the task's producer or consumer on itself.
        self.client = ClientStatistics()
        self._on_topic = on_topic
        self._clock, self._wall_clock = windows.clock, wall_clock
        self._lock = threading.Lock()
        self._totals = dict.fromkeys(Total, 0)
        self._rates = {total: windows.window() for total in _RATED}
        self._spreads = {spread: windows.window() for spread in Spread}
        self._active = self._partitions = 0
        self._error_ms = 0.0
        #: Counts a source's records that Kafka does not have yet; None for a sink, which tells of them.
        self.count_active: Callable[[], int] | None = None
        self._topics: set[str] = set()
        self._state = State.UNASSIGNED
        self._since = self._born = windows.clock()
        self._spent: dict[State, float] = {}

    # ---- told by whoever does the work

    def add(self, total: Total, count: int = 1) -> None:
        with self._lock:
            self._count(total, count)
            if total is Total.ERRORS or total is Total.FAILURES:
                self._error_ms = self._wall_clock() * 1000

    def _count(self, total: Total, count: int) -> None:
        self._totals[total] += count
        if (window := self._rates.get(total)) is not None:
            window.record(count)

    def polled(self, records: int, seconds: float) -> None:
        """Note that a source's `poll` returned `records` after `seconds`."""
        with self._lock:
            self._count(Total.POLLED, records)
            self._spreads[Spread.POLL_MS].record(seconds * 1000)
            self._spreads[Spread.BATCH].record(records)

    def wrote(self, records: int, active: int) -> None:
        """Note that a source handed `records` to Kafka, and how many it has polled that Kafka does not have yet."""
        with self._lock:
            self._count(Total.WRITTEN, records)
            self._note_active(active)

    def read(self, records: int, lag: int) -> None:
        """Note that a sink consumed `records`, and by how many offsets its `put` is behind at most, of any partition."""
        with self._lock:
            self._count(Total.READ, records)
            self._spreads[Spread.LAG].record(lag)
            self._note_active(self._active + records)

    def sent(self, records: int, seconds: float) -> None:
        """Note that a sink's `put` took `records` within `seconds`."""
        with self._lock:
            self._count(Total.SENT, records)
            self._spreads[Spread.PUT_MS].record(seconds * 1000)
            self._spreads[Spread.BATCH].record(records)

    def committed(self, worked: bool, seconds: float) -> None:
        """Note a commit of offsets and how long it took."""
        with self._lock:
            self._count(Total.COMMITS if worked else Total.FAILED_COMMITS, 1)
            self._spreads[Spread.COMMIT_MS].record(seconds * 1000)
            self._spreads[Spread.COMMIT_WORKED].record(1 if worked else 0)

    def ended_transaction(self, records: int) -> None:
        """Note that a transaction with `records` was committed."""
        with self._lock:
            self._spreads[Spread.TRANSACTION].record(records)

    def holds(self, active: int, partitions: int) -> None:
        """Note how many records a sink has read that are not committed, and how many partitions it has."""
        with self._lock:
            self._partitions = partitions
            self._note_active(active)

    def _note_active(self, active: int) -> None:
        self._active = active
        self._spreads[Spread.ACTIVE].record(active)

    def enter(self, state: State) -> None:
        """Note the state that the task is in from now on."""
        with self._lock:
            now = self._clock()
            self._spent[self._state] = self._spent.get(self._state, 0.0) + now - self._since
            self._state, self._since = state, now

    # ---- read

    def total(self, total: Total) -> int:
        with self._lock:
            return self._totals[total]

    def totals(self) -> dict[Total, int]:
        """Return all counts, of one moment."""
        with self._lock:
            return dict(self._totals)

    def rate(self, total: Total) -> float:
        """Return how many a second there were lately."""
        with self._lock:
            return self._rates[total].rate

    def look(self, spread: Spread, statistic: Callable[[Window], float]) -> float:
        """Return a statistic of what was recorded lately: ``meter.look(Spread.BATCH, lambda window: window.largest)``."""
        with self._lock:
            return statistic(self._spreads[spread])

    @property
    def state(self) -> State:
        with self._lock:
            return self._state

    def ratio(self, state: State) -> float:
        """Return the part of its life that the task has spent in `state`, from 0 to 1."""
        with self._lock:
            now = self._clock()
            spent = self._spent.get(state, 0.0) + (now - self._since if self._state is state else 0.0)
            return spent / (now - self._born) if now > self._born else 0.0

    @property
    def active(self) -> int:
        count = self.count_active
        if count is not None:
            return count()
        with self._lock:
            return self._active

    @property
    def partitions(self) -> int:
        with self._lock:
            return self._partitions

    @property
    def error_ms(self) -> float:
        """The time of the last error in milliseconds since 1970; NaN before the first."""
        with self._lock:
            return self._error_ms or math.nan

    # ---- topics

    def use_topic(self, topic: str) -> None:
        """Note that a record of `topic` was consumed, or written and acknowledged. The first time it is told on."""
        with self._lock:
            known = topic in self._topics
            self._topics.add(topic)
        if not known and self._on_topic is not None:
            self._on_topic(topic)

    def forget_topics(self) -> None:
        """Tell of each topic once more when it is used again (KIP-558's reset)."""
        with self._lock:
            self._topics.clear()

    def uses(self, topic: str) -> bool:
        """Return whether `use_topic` was called for `topic`."""
        with self._lock:
            return topic in self._topics
