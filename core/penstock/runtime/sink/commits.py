"""The commits of a sink task's offsets: on the interval, on request, and when partitions go."""

from __future__ import annotations

import logging
import time
from collections.abc import Mapping, Sequence
from typing import Final

from penstock.api import TopicPartition
from penstock.errors import ConnectError
from penstock.kafka.consuming import GroupConsumer
from penstock.logs import log_failure
from penstock.runtime.meters import Total
from penstock.runtime.sink.offsets import SinkOffsets
from penstock.runtime.sink.parts import SinkTaskParts

__all__ = ["OffsetCommits"]

_log: Final = logging.getLogger(__name__)


class OffsetCommits:
    """Asks the task which offsets may be committed, and commits them. For the task's thread."""

    def __init__(self, label: str, parts: SinkTaskParts, offsets: SinkOffsets, client: GroupConsumer) -> None:
        self._label = label
        self._parts = parts
        self._offsets = offsets
        self._client = client
        self._sent_at = 0.0
        #: Commits without an answer.
        self._open = 0
        #: The time of the next commit, on the clock of `SinkTaskParts`.
        self.due_at = 0.0

    def schedule(self) -> None:
        """The next commit is due one interval from now."""
        self.due_at = self._parts.clock() + self._parts.commit_interval_s

    def commit(self, partitions: Sequence[TopicPartition], closing: bool) -> dict[TopicPartition, int]:
        """Commit what the task agrees to; wait for Kafka's answer if `closing`.

        Returns where to go back to: empty unless the task's `pre_commit` failed while it goes on. Raises `ConnectError`
        if dead letters cannot be written for a reason that no patience mends.
        """
        if not partitions:
            return {}
        # Delivery 7. and 8.: what is sent was taken by the task, lies before dead letters without answer, and is agreed to.
        if self._offsets.awaits_reports:
            self._flush_reports(closing)
        asked = self._offsets.to_commit(partitions)
        if not asked:
            return {}
        try:
            agreed = self._parts.task.pre_commit(dict(asked))
        except Exception as error:
            if closing:
                log_failure(
                    _log,
                    error,
                    "%s pre_commit() failed while closing, offsets are not committed and their records come again: %s",
                    self._label,
                    error,
                    level=logging.WARNING,
                )
                return {}
            log_failure(
                _log, error, "%s pre_commit() failed, going back to the last committed offsets: %s", self._label, error
            )
            return self._offsets.go_back(partitions)
        offsets = self._offsets.safe(agreed or {}, asked)
        if offsets:
            self._send(offsets, closing)
        return {}

    def _flush_reports(self, closing: bool) -> None:
        try:
            self._parts.policy.flush(self._parts.commit_timeout_s)
        except ConnectError as error:
            if not closing:
                raise
            _log.error("%s %s", self._label, error)

    def _send(self, offsets: Mapping[TopicPartition, int], closing: bool) -> None:
        self._sent_at = time.monotonic()
        self._parts.policy.meter.add(Total.COMMIT_REQUESTS)
        self._open += 1
        if not closing:
            if not self._client.commit_later(offsets):
                self.not_committed()
        elif self._client.commit_now(offsets, self._parts.commit_timeout_s):
            self.committed(offsets)
        else:
            self.not_committed()

    def not_committed(self) -> None:
        """Kafka has refused a commit."""
        self._answered(False)

    def _answered(self, worked: bool) -> None:
        meter = self._parts.policy.meter
        self._open = max(0, self._open - 1)
        if self._open:  # of an earlier commit: a later one is on its way (``recordOffsetCommitSkip``)
            meter.add(Total.LATE_COMMITS)
        meter.committed(worked, time.monotonic() - self._sent_at)

    def committed(self, offsets: Mapping[TopicPartition, int]) -> None:
        """Kafka has these offsets."""
        self._answered(True)
        if _log.isEnabledFor(logging.DEBUG):
            _log.debug(
                "%s committed offsets %s in %.0f ms",
                self._label,
                ", ".join(f"{partition}={offset}" for partition, offset in sorted(offsets.items())),
                (time.monotonic() - self._sent_at) * 1000,
            )
        for partition, offset in offsets.items():
            self._offsets.committed(partition, offset)
