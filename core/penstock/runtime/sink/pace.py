"""A slow `put` against the time that the consumer group allows between two polls."""

from __future__ import annotations

import logging
from typing import Final

from penstock.kafka.repeats import Repeats

__all__ = ["PutPace"]

_log: Final = logging.getLogger(__name__)
#: A `put` that takes more than this part of ``max.poll.interval.ms`` is told in the log.
_NEAR: Final = 0.5


class PutPace:
    """Compares each `put` with ``max.poll.interval.ms``. For the task's thread."""

    def __init__(self, label: str, max_poll_interval_s: float, max_poll_records: int) -> None:
        self._label = label
        self._limit = max_poll_interval_s
        self._max_records = max_poll_records
        self._repeats = Repeats()
        #: The last `put` that was told of, or the last one at all if it was long: seconds and records.
        self._last_put = 0.0, 0

    def took(self, seconds: float, records: int) -> None:
        """Note that a `put` of `records` took `seconds`; warn if it came near the limit."""
        if seconds <= self._limit * _NEAR:
            return
        self._last_put = seconds, records
        if seconds < self._limit and self._repeats.admit("near"):
            _log.warning(
                "%s put() took %.1f s for %d records; after %.1f s without a poll the group takes the task's partitions away. %s",
                self._label,
                seconds,
                records,
                self._limit,
                self._advice,
            )

    def exceeded(self) -> None:
        """The group has thrown the member out."""
        seconds, records = self._last_put
        _log.error(
            "%s was thrown out of its consumer group: put() took %.1f s for %d records and the group allows %.1f s between polls. It joins again and reads from the last committed offsets, so records come again. %s",
            self._label,
            seconds,
            records,
            self._limit,
            self._advice,
        )

    @property
    def _advice(self) -> str:
        return f"Lower consumer.override.max.poll.records ({self._max_records}) or raise consumer.override.max.poll.interval.ms ({self._limit * 1000:.0f})."
