"""A throttle of so many records a second, on average since the start, and settings that are numbers."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping

from penstock.errors import ConfigError, ConnectError
from penstock_connectors.reading import PollPause

__all__ = ["Throttle", "number"]


class Throttle:
    """The number of records that are due. Below zero means no limit, zero none at all (``ThroughputThrottler``)."""

    #: `poll` has to come back now and then, so that a pause takes effect.
    LONGEST_WAIT = 1.0

    def __init__(self, per_second: int, pause: PollPause, clock: Callable[[], float] = time.monotonic) -> None:
        self._per_second = per_second
        self._pause = pause
        self._clock = clock
        self._start = clock()

    def due(self, sent: int, most: int) -> int:
        """Return how many may be sent now, `sent` being how many were; wait up to a second if there is none."""
        if self._per_second < 0:
            return most
        if self._per_second == 0:
            self._pause.wait(self.LONGEST_WAIT)
            return 0
        now = self._allowed(sent, most)
        if now == 0:
            behind = sent / self._per_second - (self._clock() - self._start)
            self._pause.wait(min(behind, self.LONGEST_WAIT))
            now = self._allowed(sent, most)
        return now

    def _allowed(self, sent: int, most: int) -> int:
        # The first one is due at once.
        return max(0, min(most, int((self._clock() - self._start) * self._per_second) + 1 - sent))


def number(props: Mapping[str, str], key: str, who: str, default: str | None = None) -> int:
    """A whole number out of `props`; these connectors define no settings that the worker could check."""
    text = props.get(key, default)
    try:
        return int(text or "")
    except ValueError:
        problem = ConfigError(key, text, "Expected a whole number")
        raise ConnectError(f"Invalid {who} configuration: {problem.message}") from problem
