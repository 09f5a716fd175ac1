"""A consumer's topics: names, or a pattern that is followed as topics come and go.

The client could match patterns itself, but takes POSIX extended expressions only, which are not Java's. So names are
matched here against the cluster's topics, and the client is given a list. Source of the rules: Kafka's
``ConsumerCoordinator`` (pattern subscription) and ``Topic.INTERNAL_TOPICS``.
"""

from __future__ import annotations

import logging
import math
import time
from collections.abc import Callable, Sequence
from typing import Final

from penstock.errors import RetriableError

__all__ = ["INTERNAL_TOPICS", "Subscription"]

_log: Final = logging.getLogger(__name__)
#: Kafka's own topics, which a pattern does not mean unless ``exclude.internal.topics`` is false.
INTERNAL_TOPICS: Final = frozenset({"__consumer_offsets", "__transaction_state", "__share_group_state"})
#: A topic that is missing from one listing counts as gone only if the next, so much later, does not have it either: a
#: broker that has just come back may not know all of its topics yet, and giving them up costs the group a rebalance.
_CONFIRM_S: Final = 2.0
#: While nothing is read there is no group to disturb: a first topic is noticed this soon.
_FIRST_TOPIC_S: Final = 5.0
#: After a listing that failed.
_AGAIN_S: Final = 1.0
#: How long a listing may keep the caller, which does not poll meanwhile.
_LISTING_S: Final = 5.0


class Subscription:
    """The topics that one consumer reads. For the thread that polls it.

    With `matches`, topics are looked for every `refresh_s` seconds; otherwise `names` are read whether they are there
    or not.
    """

    def __init__(
        self,
        names: Sequence[str],
        matches: Callable[[str], bool] | None = None,
        *,
        refresh_s: float = 300.0,
        internal: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`names` are shown in messages, as the pattern if there is one; `internal`: whether `matches` is asked about
        Kafka's own topics, too."""
        self._names = list(names)
        self._matches = matches
        self._refresh_s = refresh_s
        self._internal = internal
        self._clock = clock
        self._current: list[str] | None = None
        self._missing: set[str] = set()
        self._next_look = 0.0

    @property
    def due(self) -> bool:
        """Return whether `update` has something to do."""
        return self.wait <= 0

    @property
    def wait(self) -> float:
        """Return how many seconds from now `update` has something to do; 0 if it has now."""
        if self._matches is None:
            return 0.0 if self._current is None else math.inf
        return max(0.0, self._next_look - self._clock())

    def update(
        self, owner: str, cluster_topics: Callable[[float], frozenset[str]], subscribe: Callable[[list[str]], None]
    ) -> None:
        """Look which topics there are and call `subscribe` if they are not those that were subscribed to last.

        `cluster_topics` takes a time limit in seconds. If it raises `RetriableError`, what is read stays the same and
        the next look is soon.
        """
        if self._matches is None:
            subscribe(self._names)
            self._current = self._names
            return
        try:
            there = cluster_topics(_LISTING_S)
        except RetriableError as error:
            self._next_look = self._clock() + _AGAIN_S
            _log.warning("%s; looking again in %g s", error, _AGAIN_S)
            return
        found = {name for name in there if (self._internal or name not in INTERNAL_TOPICS) and self._matches(name)}
        self._change(owner, found, subscribe)

    def _change(self, owner: str, found: set[str], subscribe: Callable[[list[str]], None]) -> None:
        before = set(self._current or ())
        gone = before - found
        doubtful = gone - self._missing
        wanted = sorted(found | doubtful)
        self._missing = doubtful
        if wanted != (self._current or []):
            added, removed = sorted(set(wanted) - before), sorted(before - set(wanted))
            _log.info(
                "%s reads %d topics that %s matches%s%s",
                owner,
                len(wanted),
                self._names[0],
                f", new: {', '.join(added)}" if added else "",
                f", gone: {', '.join(removed)}" if removed else "",
            )
            subscribe(wanted)
        elif self._current is None:
            _log.warning("%s no topic matches %s yet; looking again", owner, self._names[0])
        self._current = wanted
        pause = self._refresh_s if wanted else min(self._refresh_s, _FIRST_TOPIC_S)
        self._next_look = self._clock() + (min(pause, _CONFIRM_S) if doubtful else pause)
