"""Taking part in the election, and knowing who leads."""

from __future__ import annotations

import logging
import math
import threading
import time
from collections.abc import Callable, Mapping
from typing import Final, Protocol

from penstock.errors import ConnectError, WorkerError
from penstock.kafka.group import GroupMember
from penstock_registry.server.kafka_config import KafkaConfig
from penstock_registry.server.leader.protocol import PROTOCOL_TYPE, SUBPROTOCOL, Assignment, MemberIdentity, choose

__all__ = ["Election"]

_log = logging.getLogger(__name__)
#: How long a registry that could not take the lead lets others try.
_PAUSE_AFTER_FAILURE: Final = 10.0


class LeaderStore(Protocol):
    """The part of `KafkaStore` that the election needs."""

    on_writer_lost: Callable[[str], None] | None
    leader_problem: Callable[[], str | None] | None

    def claim(self) -> None: ...

    def release(self) -> None: ...


class Election:
    """One registry's part in the group (`penstock.kafka.group.GroupListener`). Safe from any thread.

    It leads only from the moment its store has claimed the topic and read it to the end, and no longer than until a
    rebalance begins or the group may have given its place away.
    """

    def __init__(
        self,
        config: KafkaConfig,
        host: str,
        port: int,
        store: LeaderStore,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`host` and `port` are where the others reach this registry. `store` must be started: whoever joins has read the topic to its end, and can serve the lead."""
        self._config = config
        self._store = store
        self._clock = clock
        self._changed = threading.Condition()
        self._me = MemberIdentity(host, port, config.scheme, config.eligible)
        self._leads = False
        self._leader: MemberIdentity | None = None
        self._reason = "the group was not joined yet"
        self._stopped = False
        self._not_before = 0.0
        self._members: int | None = None
        self._took_lead_ms = math.nan
        store.on_writer_lost = self.resign
        store.leader_problem = lambda: self.problem
        self._member = GroupMember(
            config.store.connection,
            config.store.group,
            PROTOCOL_TYPE,
            [(SUBPROTOCOL, self._metadata)],
            self,
            session_timeout_ms=config.session_timeout_ms,
            heartbeat_interval_ms=config.heartbeat_interval_ms,
            rebalance_timeout_ms=config.rebalance_timeout_ms,
            client_id=f"sr-{host}-{port}",
        )

    def start(self) -> None:
        """Join. Returns once it is known who leads; raises `WorkerError` if that takes longer than the store may take
        to start. Where nobody may lead, that is an answer too."""
        self._member.start()
        deadline = time.monotonic() + self._config.store.init_timeout
        with self._changed:
            while not self._leads and self._leader is None and self._reason != _NOBODY:
                left = deadline - time.monotonic()
                if left <= 0:
                    raise WorkerError(
                        f"The schema registry could not join group {self._config.store.group} within "
                        f"{self._config.store.init_timeout:g} s: {self._reason}"
                    )
                self._changed.wait(left)

    def stop(self) -> None:
        """Leave the group, so that another one leads at once. Whoever waits here for a leader is told that none comes."""
        with self._changed:
            self._stopped = True
        self._stand_down("this registry stops")
        self._member.stop()

    # --- who leads

    @property
    def leads(self) -> bool:
        with self._changed:
            return self._leads

    @property
    def heartbeat_seconds(self) -> float:
        """After so long the others have heard that a member left."""
        return self._config.heartbeat_interval_ms / 1000

    @property
    def leader(self) -> MemberIdentity | None:
        """Return the other registry that leads; None if this one does, or if no leader is known."""
        with self._changed:
            return self._leader

    @property
    def members(self) -> int | None:
        """Return how many registries the group has; None if another one of them dealt out the lead."""
        with self._changed:
            return self._members

    @property
    def took_lead_ms(self) -> float:
        """Return how long it took to take the lead the last time, in milliseconds; NaN if this registry never led."""
        with self._changed:
            return self._took_lead_ms

    @property
    def problem(self) -> str | None:
        """Return why changes cannot be made now; None if they can, here or through the leader."""
        with self._changed:
            return None if self._leads or self._leader is not None else self._reason

    def await_leader(self, seconds: float) -> None:
        """Return once somebody leads, or after so long: a rebalance is soon over. At once if this registry stops."""
        deadline = time.monotonic() + seconds
        with self._changed:
            while not self._leads and self._leader is None and not self._stopped:
                left = deadline - time.monotonic()
                if left <= 0:
                    return
                self._changed.wait(left)

    def resign(self, reason: str) -> None:
        """This registry's store cannot write any more; whoever leads after the next round has claimed it anew."""
        self._stand_down(f"the leader could not write: {reason}")
        self._member.request_rejoin(f"the store cannot write: {reason}")

    # --- the group, from its threads

    def _metadata(self) -> bytes:
        with self._changed:
            eligible = self._me.eligible and self._clock() >= self._not_before
            return self._me._replace(eligible=eligible, leader=self._leads).encode()

    def on_join_prepare(self, generation: int, member_id: str) -> None:
        self._stand_down("the registries are agreeing on a leader")
        with self._changed:
            self._members = None  # whoever deals out the lead next counts them

    def perform_assignment(self, leader_id: str, protocol: str, members: Mapping[str, bytes]) -> Mapping[str, bytes]:
        with self._changed:
            self._members = len(members)
        assignment = choose({member: MemberIdentity.decode(data) for member, data in members.items()}).encode()
        return dict.fromkeys(members, assignment)

    def on_assignment(self, generation: int, member_id: str, protocol: str, assignment: bytes) -> None:
        told = Assignment.decode(assignment)
        if told.problem is not None:
            self._stand_down(told.problem)
            raise ConnectError(told.problem)
        if told.member is None:
            self._stand_down(_NOBODY)
            if self._me.eligible:  # only for now: this registry failed to take the lead a moment ago
                raise ConnectError("no registry of the group can take the lead now")
        elif told.member == member_id:
            self._take_lead()
        else:
            with self._changed:
                self._leads, self._leader = False, told.identity
                self._changed.notify_all()
            _log.info("Schema registry %s leads", told.identity.url if told.identity else told.member)

    def on_lost(self, reason: str) -> None:
        with self._changed:
            self._members = None
        self._stand_down(reason)

    def _take_lead(self) -> None:
        began = self._clock()
        try:
            self._store.claim()
        except ConnectError as error:
            with self._changed:
                self._not_before = self._clock() + _PAUSE_AFTER_FAILURE
                self._reason = f"the lead could not be taken: {error.message}"
            raise
        with self._changed:
            self._leads, self._leader = True, None
            self._took_lead_ms = (self._clock() - began) * 1000
            self._changed.notify_all()
        _log.info("This schema registry leads, at %s", self._me.url)

    def _stand_down(self, reason: str) -> None:
        with self._changed:
            led, self._leads, self._leader, self._reason = self._leads, False, None, reason
            self._changed.notify_all()
        self._store.release()
        if led:
            _log.info("This schema registry leads no more: %s", reason)


_NOBODY: Final = "no registry of the group is eligible (leader.eligibility)"
