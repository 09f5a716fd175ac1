"""One meter a task: how many records went through it, told once a batch.

The loops, the error policy and the dead letter queue write it; ``penstock dev`` and metrics read it. A source is held
back, in ``penstock dev`` only, by a `Flow` that hears from the meters how many bytes of which topic went in and out.
"""

from __future__ import annotations

import enum
import threading
from collections.abc import Callable, Mapping
from typing import Protocol

__all__ = ["Flow", "TaskMeter", "Total"]


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
    #: Commits of offsets that worked, and those that did not.
    COMMITS = "offset-commit-completion-total"
    FAILED_COMMITS = "offset-commit-skip-total"


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

    def __init__(self, flow: Flow | None = None, on_topic: Callable[[str], None] | None = None) -> None:
        self.flow = flow
        self._on_topic = on_topic
        self._lock = threading.Lock()
        self._totals = dict.fromkeys(Total, 0)
        self._topics: set[str] = set()

    def add(self, total: Total, count: int = 1) -> None:
        with self._lock:
            self._totals[total] += count

    def total(self, total: Total) -> int:
        with self._lock:
            return self._totals[total]

    def totals(self) -> dict[Total, int]:
        """Return all counts, of one moment."""
        with self._lock:
            return dict(self._totals)

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
