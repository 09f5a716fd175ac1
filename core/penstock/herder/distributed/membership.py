"""`Membership`: the worker's part in the group, in the herder's words (``WorkerGroupMember``, ``WorkerCoordinator``).

Keeps what this worker was given over the rounds, tells the leader of it at each join, and, while this worker leads, has
the work dealt out. Its methods may be called from any thread.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any, Final, Protocol

from penstock.config.worker import WorkerConfig
from penstock.herder.distributed import protocol as wire
from penstock.herder.distributed.protocol import EMPTY_ASSIGNMENT, Assignment, WorkerState
from penstock.herder.distributed.work import NO_WORK, Work
from penstock.kafka.group import GroupMember, Subprotocol
from penstock.runtime.status import ConnectorTaskId
from penstock.storage.cluster_state import ClusterConfigState

__all__ = ["Deal", "GroupSettings", "GroupView", "MemberView", "Membership", "MembershipListener"]

_log: Final = logging.getLogger(__name__)


class MembershipListener(Protocol):
    """Called from the member's own thread, which waits: heartbeats go on, the next rebalance does not."""

    def rebalance_begins(self) -> None: ...

    def revoked(self, connectors: Iterable[str], tasks: Iterable[ConnectorTaskId]) -> None:
        """Stop these before the worker joins again."""

    def assigned(self, assignment: Assignment, revoked: bool) -> None:
        """Take up all that this worker has from now on; if something was `revoked`, another round must follow."""

    def lost(self, reason: str) -> None:
        """Stop everything at once."""


@dataclass(frozen=True, slots=True)
class Deal:
    """The leader's decision: what each member is told, and what each then has."""

    messages: Mapping[str, Assignment]
    holdings: Mapping[str, Work]


@dataclass(frozen=True, slots=True)
class MemberView:
    member_id: str
    url: str
    work: Work = NO_WORK


@dataclass(frozen=True, slots=True)
class GroupView:
    """The group as this worker knows it; `members` on the leader only."""

    generation: int = -1
    member_id: str = ""
    protocol: str = ""
    assignment: Assignment = EMPTY_ASSIGNMENT
    members: Mapping[str, MemberView] = field(default_factory=dict)

    @property
    def is_leader(self) -> bool:
        return self.member_id != "" and self.assignment.leader == self.member_id

    @property
    def leader_url(self) -> str | None:
        return self.assignment.leader_url

    @property
    def signed(self) -> bool:
        """Return whether requests between workers are signed."""
        return self.protocol == wire.SESSIONED

    def runs(self, task: ConnectorTaskId) -> bool:
        """Return whether this worker was given the task."""
        return task in self.assignment.tasks

    def owner_url(self, connector: str, task: ConnectorTaskId | None = None) -> str | None:
        """Return the address of the worker that has the connector or task. Known to the leader only."""
        for member in self.members.values():
            if task in member.work.tasks if task is not None else connector in member.work.connectors:
                return member.url
        return None


#: Decides over sub-protocol, members, configurations, the generation dealt for, and the group as it was before.
DealOut = Callable[[str, Mapping[str, WorkerState], ClusterConfigState, int, GroupView], Deal]


@dataclass(frozen=True, slots=True)
class GroupSettings:
    """The group to join, and how."""

    #: Connection settings in Java's names.
    connection: Mapping[str, Any]
    group_id: str
    #: The address of this worker's REST, for the others.
    url: str
    client_id: str = "worker"
    #: ``connect.protocol``.
    protocol: str = "sessioned"
    session_timeout_ms: int = 10_000
    heartbeat_interval_ms: int = 3_000
    rebalance_timeout_ms: int = 60_000
    #: Seconds that a leader may spend on reading the config topic before it deals the work out.
    sync_timeout: float = 3.0

    @classmethod
    def of(cls, config: WorkerConfig, url: str, client_id: str) -> GroupSettings:
        """Return the settings that a worker's configuration holds."""
        return cls(
            config.client_settings(),
            config["group.id"],
            url,
            client_id,
            config["connect.protocol"],
            config["session.timeout.ms"],
            config["heartbeat.interval.ms"],
            config["rebalance.timeout.ms"],
            config["worker.sync.timeout.ms"] / 1000,
        )


class Membership:
    """This worker as a member of its group.

    `snapshot` is what was read of the config topic, `refresh` reads it to the end within so many seconds, `deal_out`
    decides for each sub-protocol, `make_member` is Kafka's side of it.
    """

    def __init__(
        self,
        settings: GroupSettings,
        snapshot: Callable[[], ClusterConfigState],
        refresh: Callable[[float], None],
        deal_out: DealOut,
        make_member: Callable[..., GroupMember] = GroupMember,
    ) -> None:
        self._listener: MembershipListener | None = None
        self._url, self._sync_timeout = settings.url, settings.sync_timeout
        self._snapshot, self._refresh, self._deal_out = snapshot, refresh, deal_out
        self._lock = threading.Lock()
        self._view = GroupView()
        offers: list[Subprotocol] = [
            (name, lambda name=name: self._metadata(name))  # type: ignore[misc]  # mypy does not infer lambdas with defaults
            for name in wire.subprotocols(settings.protocol)
        ]
        self._member = make_member(
            settings.connection,
            settings.group_id,
            wire.PROTOCOL_TYPE,
            offers,
            self,
            session_timeout_ms=settings.session_timeout_ms,
            heartbeat_interval_ms=settings.heartbeat_interval_ms,
            rebalance_timeout_ms=settings.rebalance_timeout_ms,
            client_id=settings.client_id,
        )

    def start(self, listener: MembershipListener) -> None:
        """Join the group, and keep joining; `listener` hears how it goes. Called once."""
        self._listener = listener
        self._member.start()

    def stop(self) -> None:
        """Leave the group."""
        self._member.stop()

    def rejoin(self, reason: str) -> None:
        self._member.request_rejoin(reason)

    def leave(self, reason: str) -> None:
        """Leave the group until `rejoin`. What runs here goes on."""
        self._member.leave(reason)

    def forget(self) -> None:
        """Note that this worker runs nothing any more, whatever it was given."""
        with self._lock:
            gone = replace(self._view.assignment, connectors=(), tasks=())
            self._view = replace(self._view, assignment=gone)

    def view(self) -> GroupView:
        with self._lock:
            return self._view

    @property
    def stable(self) -> bool:
        """Return whether the worker is in a generation with no rebalance known to be due."""
        return self._member.stable

    @property
    def in_session(self) -> bool:
        """Return whether what this worker was given is still its own, for all it can know. From any thread; cheap."""
        return self._member.in_session

    def _metadata(self, protocol: str) -> bytes:
        state = WorkerState(self._url, self._snapshot().offset, self.view().assignment)
        return wire.encode_metadata(protocol, state)

    def _known_listener(self) -> MembershipListener:
        if self._listener is None:
            raise TypeError("a membership hears of nothing before it starts")
        return self._listener

    # GroupListener

    def on_join_prepare(self, generation: int, member_id: str) -> None:
        listener, view = self._known_listener(), self.view()
        listener.rebalance_begins()
        if view.protocol == wire.DEFAULT:  # eager: everything is dealt out again
            listener.revoked(view.assignment.connectors, view.assignment.tasks)
            self.forget()

    def on_assignment(self, generation: int, member_id: str, protocol: str, assignment: bytes) -> None:
        listener, before = self._known_listener(), self.view()
        new = wire.decode_assignment(protocol, assignment)
        had_connectors, had_tasks = before.assignment.connectors, before.assignment.tasks
        if protocol == wire.DEFAULT:
            # The last round leaves nothing behind, unless the group has only now fallen back to this protocol.
            new = replace(
                new,
                revoked_connectors=tuple(c for c in had_connectors if c not in new.connectors),
                revoked_tasks=tuple(t for t in had_tasks if t not in new.tasks),
            )
        revoked = bool(new.revoked_connectors or new.revoked_tasks)
        if revoked:
            listener.revoked(new.revoked_connectors, new.revoked_tasks)
        whole = new
        if protocol != wire.DEFAULT:
            whole = replace(
                new,
                connectors=_joined(had_connectors, new.revoked_connectors, new.connectors),
                tasks=_joined(had_tasks, new.revoked_tasks, new.tasks),
            )
        whole = replace(whole, revoked_connectors=(), revoked_tasks=())
        leads = whole.leader == member_id
        with self._lock:
            members = self._view.members if leads else {}
            self._view = GroupView(generation, member_id, protocol, whole, members)
        _log_round(whole, new, generation, member_id)
        listener.assigned(whole, revoked and protocol != wire.DEFAULT)

    def on_lost(self, reason: str) -> None:
        self._known_listener().lost(reason)
        self.forget()

    def perform_assignment(self, leader_id: str, protocol: str, members: Mapping[str, bytes]) -> Mapping[str, bytes]:
        states = {member: wire.decode_metadata(protocol, data) for member, data in members.items()}
        newest = max(state.offset for state in states.values())
        snapshot = self._snapshot()
        if snapshot.offset < newest:
            # A quick look may spare everybody another round.
            self._refresh(self._sync_timeout)
            snapshot = self._snapshot()
        if snapshot.offset < newest:
            _log.warning("The leader is at offset %d of the config topic, a member at %d", snapshot.offset, newest)
            mismatch = Assignment(wire.ASSIGNMENT_CONFIG_MISMATCH, leader_id, states[leader_id].url, newest)
            deal = Deal(dict.fromkeys(states, mismatch), {})
        else:
            deal = self._deal_out(
                protocol, states, snapshot, self._member.generation, replace(self.view(), member_id=leader_id)
            )
        known = {
            member: MemberView(member, state.url, deal.holdings.get(member, NO_WORK))
            for member, state in states.items()
        }
        with self._lock:
            self._view = replace(self._view, members=known)
        return {member: wire.encode_assignment(protocol, message) or b"" for member, message in deal.messages.items()}


def _log_round(whole: Assignment, new: Assignment, generation: int, member_id: str) -> None:
    """Log what a round of the group gave this worker and took from it."""
    role = "leader" if whole.leader == member_id else f"follower of {whole.leader_url}"
    _log.info(
        "Joined generation %d as %s (%s): given %s; taken %s; now %d connectors and %d tasks%s",
        generation, member_id, role, Work.of(new.connectors, new.tasks), Work.of(new.revoked_connectors, new.revoked_tasks),
        len(whole.connectors), len(whole.tasks),
        f"; the rest is dealt out in {whole.delay} ms" if whole.delay else "",
    )  # fmt: skip


def _joined(had: Iterable[Any], revoked: Iterable[Any], new: Iterable[Any]) -> tuple[Any, ...]:
    gone = set(revoked)
    return tuple(dict.fromkeys([*(x for x in had if x not in gone), *new]))
