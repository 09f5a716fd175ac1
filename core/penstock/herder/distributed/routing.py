"""`Routing`: runs a request where it can be answered, once the group has settled, or says which worker can."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final, TypeVar

from penstock.errors import ConflictError
from penstock.herder.distributed.membership import Membership
from penstock.herder.distributed.rounds import Rounds
from penstock.herder.interface import RequestTargetError
from penstock.herder.thread import HerderThread
from penstock.runtime.status import ConnectorTaskId

__all__ = ["Routing"]

_T = TypeVar("_T")
_REBALANCE: Final = "Cannot complete request because of a conflicting operation (e.g. worker rebalance)"
#: Seconds between looks whether the group has settled.
_LOOK_S: Final = 0.05


class _RebalancingError(Exception):
    """The group has not settled: who leads and who runs what may be about to change."""


class Routing:
    """Safe from any thread but the herder's, which would wait for itself."""

    def __init__(
        self,
        membership: Membership,
        rounds: Rounds,
        thread: HerderThread,
        claim: Callable[[], None],
        patience: float,
        request_timeout: float,
    ) -> None:
        """`claim` makes sure that the leader holds the right to write. `patience` is how many seconds a request waits
        for a rebalance to end, `request_timeout` for the herder."""
        self._membership, self._rounds, self._thread, self._claim = membership, rounds, thread, claim
        self._patience, self._timeout = patience, request_timeout
        self._ended = threading.Event()

    def close(self) -> None:
        """Let those who wait for a rebalance go."""
        self._ended.set()

    def when_settled(self, what: str, action: Callable[[], _T]) -> _T:
        """Run `action` in the herder's thread once the group has settled. Raises `ConflictError` if it does not."""
        deadline = time.monotonic() + self._patience

        def attempt() -> _T:
            if not self._rounds.settled:
                raise _RebalancingError
            return action()

        while True:
            try:
                return self._thread.call(attempt, self._timeout, what)
            except _RebalancingError:
                if time.monotonic() >= deadline or self._ended.wait(_LOOK_S):
                    raise ConflictError(_REBALANCE, retry_after=5) from None

    def as_leader(self, what: str, action: Callable[[], _T]) -> _T:
        """Run `action` as `when_settled` does, if this worker leads; `RequestTargetError` names the leader otherwise."""

        def attempt() -> _T:
            view = self._membership.view()
            if not view.is_leader:
                raise RequestTargetError(f"Only the leader can do this: {what}", view.leader_url)
            self._claim()
            return action()

        return self.when_settled(what, attempt)

    def elsewhere(self, name: str, task: ConnectorTaskId | None = None) -> RequestTargetError:
        """Return the error for a connector or task that does not run here. The leader knows who runs it; others know
        the leader."""
        view = self._membership.view()
        url = view.owner_url(name, task) if view.is_leader else view.leader_url
        return RequestTargetError(f"{task or name} is not assigned to this worker", url)
