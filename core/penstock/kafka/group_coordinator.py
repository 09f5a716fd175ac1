"""kafka-python's side of a group: joins, heartbeats and leaves, with our hooks in it."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from kafka.coordinator.base import BaseCoordinator, UnjoinedGroupException
from kafka.net.compat import KafkaNetClient

from penstock.logs import log_failure

__all__ = ["Assigning", "Coordinator", "Subprotocol"]

_log: Final = logging.getLogger(__name__)

#: Name, and what makes the metadata to join with: called at each join, from the member's network thread; must be quick.
Subprotocol = tuple[str, Callable[[], bytes]]


class Assigning(Protocol):
    """Decides for the group while this member leads it."""

    def perform_assignment(self, leader_id: str, protocol: str, members: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """Return the assignment of each member id; see `penstock.kafka.group.GroupListener`."""


class Coordinator(BaseCoordinator):  # type: ignore[misc]  # kafka-python has no complete types
    """kafka-python's side of the protocol, with our hooks. Its network thread runs what is called here by it."""

    def __init__(
        self,
        client: KafkaNetClient,
        protocol_type: str,
        subprotocols: Callable[[], Sequence[Subprotocol]],
        listener: Assigning,
        wake: threading.Event,
        **settings: Any,
    ) -> None:
        self._own_type, self._own_protocols, self._own_listener = protocol_type, subprotocols, listener
        self._own_wake = wake
        self._own_result: tuple[int, str, str, bytes] | None = None
        self._own_began = False
        super().__init__(client, **{**settings, "api_version": client._manager.broker_version})

    def protocol_type(self) -> str:
        return self._own_type

    def group_protocols(self) -> list[tuple[str, bytes]]:
        return [(name, metadata()) for name, metadata in self._own_protocols()]

    def _perform_assignment(self, leader_id: str, protocol: str, members: Sequence[Any]) -> dict[str, bytes]:
        metadata = {member.member_id: bytes(member.metadata) for member in members}
        try:
            return dict(self._own_listener.perform_assignment(leader_id, protocol, metadata))
        except Exception as error:
            # A retriable error of kafka-python's: the round is tried again, after its backoff.
            log_failure(_log, error, "Group %s: the assignment failed: %s", self.group_id, error)
            raise UnjoinedGroupException(f"the assignment failed: {error}") from error

    async def _on_join_complete_async(self, generation: int, member_id: str, protocol: str, data: bytes) -> None:
        self._own_result = (generation, member_id, protocol, bytes(data or b""))
        self._own_began = False

    def begins(self) -> bool:
        """Return whether this is the first try of a rebalance."""
        began, self._own_began = self._own_began, True
        return not began

    def take_result(self) -> tuple[int, str, str, bytes] | None:
        result, self._own_result = self._own_result, None
        return result

    def current(self) -> Any:
        return self._generation

    def request_rejoin(self) -> None:
        super().request_rejoin()
        self._own_wake.set()

    def reset_generation(self, *args: Any, **kwargs: Any) -> None:
        super().reset_generation(*args, **kwargs)
        self._own_wake.set()

    def find(self, seconds: float) -> None:
        """Look for the coordinator, for at most so long."""
        self.ensure_coordinator_ready(timeout_ms=max(50, int(seconds * 1000)))

    def leave(self, reason: str) -> None:
        self.maybe_leave_group(reason, timeout_ms=5000)
        self._own_began = False
