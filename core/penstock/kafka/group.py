"""Membership in a group by Kafka's own group protocol (JoinGroup, SyncGroup, Heartbeat, LeaveGroup).

What consumers use to share partitions, open to any protocol type: ``connect`` for workers, ``sr`` for registries. The
broker keeps the group together; one member is its leader and decides, in `GroupListener.perform_assignment`, what each
member is told. What the bytes mean is the members' own affair.
"""

from __future__ import annotations

import logging
import queue
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from kafka import errors as kafka_errors
from kafka.net.compat import KafkaNetClient

from penstock.errors import ConnectError, WorkerError
from penstock.kafka.group_coordinator import Coordinator, Subprotocol
from penstock.kafka.group_settings import connection_settings
from penstock.logs import log_failure, no_wire_logs

__all__ = ["GroupListener", "GroupMember", "Subprotocol"]

_log: Final = logging.getLogger(__name__)
# At DEBUG these have the bytes of every request, the password of a login among them.
no_wire_logs("kafka.net.connection", "kafka.protocol.parser")


class GroupListener(Protocol):
    """The reactions of a member to its group. All but `perform_assignment` are called from the member's own thread: it takes
    part in the next rebalance only after they have returned, while heartbeats go on. Their errors are logged, and the
    member joins again."""

    def on_join_prepare(self, generation: int, member_id: str) -> None:
        """A rebalance begins; -1 and "" if this member was in no generation. Eager protocols stop everything now."""

    def perform_assignment(self, leader_id: str, protocol: str, members: Mapping[str, bytes]) -> Mapping[str, bytes]:
        """Called on the leader: metadata by member id in, assignment by member id out. From the network thread, between
        join and sync: it may take a few seconds, well below the session timeout. `GroupMember.generation` is the round's
        by then. What it raises fails the round, and another follows."""

    def on_assignment(self, generation: int, member_id: str, protocol: str, assignment: bytes) -> None:
        """This member's part of the new generation."""

    def on_lost(self, reason: str) -> None:
        """Others may take this member's work to be free: the coordinator was out of reach for a heartbeat interval, or
        heard nothing for a session timeout. Stop everything. The member goes on trying to join."""


class GroupMember:
    """One member of a group, with two threads of its own: one for the network, one for the listener.

    Methods may be called from any thread, the listener's included, unless they say otherwise.
    """

    def __init__(
        self,
        settings: Mapping[str, Any],
        group_id: str,
        protocol_type: str,
        subprotocols: Callable[[], Sequence[Subprotocol]] | Sequence[Subprotocol],
        listener: GroupListener,
        *,
        session_timeout_ms: int = 10_000,
        heartbeat_interval_ms: int = 3_000,
        rebalance_timeout_ms: int = 60_000,
        client_id: str = "penstock",
    ) -> None:
        """`settings` are the worker's connection settings in Java's names; raises `ConfigError` for what is refused.
        `subprotocols` are offered in order of preference."""
        self.group_id = group_id
        self._listener = listener
        self._heartbeat_s = heartbeat_interval_ms / 1000
        self._wake = threading.Event()
        #: A process that stood still for longer may have been thrown out of the group, and its work be given to others.
        self._longest_sleep = max(session_timeout_ms - heartbeat_interval_ms, heartbeat_interval_ms) / 1000
        self._awake_at, self._slept = time.monotonic(), 0.0
        self._ended = threading.Event()
        self._commands: queue.SimpleQueue[Callable[[], None]] = queue.SimpleQueue()
        self._state = threading.Condition()
        self._wanted, self._stopping = True, False
        self._lost_told = True  # nothing to lose before the first assignment
        self._unknown_since: float | None = None
        own = subprotocols if callable(subprotocols) else lambda: subprotocols
        connection = {
            "client_id": client_id,
            # A silent broker is found out in time, and not after the half minute that is the default.
            "request_timeout_ms": max(session_timeout_ms, 1000),
            "reconnect_backoff_max_ms": 1000,
            **connection_settings(settings, f"group {group_id}"),
        }
        self._settings = {
            **connection,
            "group_id": group_id,
            "session_timeout_ms": session_timeout_ms,
            "heartbeat_interval_ms": heartbeat_interval_ms,
            "max_poll_interval_ms": rebalance_timeout_ms,
        }
        self._protocol_type, self._subprotocols = protocol_type, own
        self._coordinator: Coordinator | None = None
        self._thread = threading.Thread(target=self._run, name=f"group-{group_id}", daemon=True)
        self._watch = threading.Thread(target=self._look_at_the_clock, name=f"group-clock-{group_id}", daemon=True)

    def start(self) -> None:
        """Join, and keep joining. Returns at once; the listener hears how it goes. Called once."""
        self._awake_at = time.monotonic()
        self._watch.start()
        self._thread.start()

    def request_rejoin(self, reason: str) -> None:
        """Join again: metadata has changed, or the leader shall assign anew. Also comes back after `leave`.

        The others take part if this member leads or its metadata is new; otherwise the broker only repeats to it what it
        was told last.
        """
        _log.info("Group %s: joining again: %s", self.group_id, reason)

        def rejoin() -> None:
            self._wanted = True
            if self._coordinator is not None:
                self._coordinator.request_rejoin()

        self._do(rejoin)

    def leave(self, reason: str) -> None:
        """Leave the group and stay out until `request_rejoin`. Returns at once; the others get a rebalance."""
        _log.info("Group %s: leaving: %s", self.group_id, reason)

        def leave() -> None:
            self._wanted = False
            self._lost_told = True
            if self._coordinator is not None:
                self._coordinator.leave(reason)

        self._do(leave)

    def stop(self, timeout: float = 10.0) -> None:
        """Leave and end both threads. Not from the listener. Nothing if it was not started."""
        with self._state:
            self._stopping = True
        self._wake.set()
        if self._thread.is_alive() and threading.current_thread() is not self._thread:
            self._thread.join(timeout)

    @property
    def generation(self) -> int:
        """Return the group's generation as this member knows it; -1 if it is in none."""
        coordinator = self._coordinator
        return -1 if coordinator is None else coordinator.current().generation_id

    @property
    def member_id(self) -> str:
        """The broker's name for this member; empty before it has one."""
        coordinator = self._coordinator
        return "" if coordinator is None else coordinator.current().member_id

    @property
    def stable(self) -> bool:
        """In a generation, with no rebalance known to be due."""
        coordinator = self._coordinator
        return coordinator is not None and coordinator.stable() and not coordinator.need_rejoin()

    @property
    def in_session(self) -> bool:
        """False once this process stood still for so long (SIGSTOP, a machine put to sleep) that the group may have given
        its work away, until the listener has heard that it is lost. Cheap: for whoever is about to write."""
        with self._state:
            return not self._slept and time.monotonic() - self._awake_at < self._longest_sleep

    def _look_at_the_clock(self) -> None:
        # A thread that never waits for anybody: only a process that stands still makes it late.
        while not self._ended.wait(self._heartbeat_s / 4):
            with self._state:
                now = time.monotonic()
                if now - self._awake_at >= self._longest_sleep:
                    self._slept = now - self._awake_at
                    self._wake.set()
                self._awake_at = now

    def _do(self, command: Callable[[], None]) -> None:
        self._commands.put(command)
        self._wake.set()

    # --- the member's thread

    def _run(self) -> None:
        client: KafkaNetClient | None = None
        try:
            while not self._stopped() and client is None:
                client = self._connect()
            while not self._stopped():
                self._round()
        except Exception as error:
            _log.exception("Group %s: the member's thread ended", self.group_id)
            # The heartbeats have ended: the group gives the work away, so it must not go on here.
            reason = f"the member's thread ended: {error!r}"
            self._tell(lambda: self._listener.on_lost(reason))
        finally:
            self._ended.set()
            self._close(client)

    def _stopped(self) -> bool:
        with self._state:
            return self._stopping

    def _connect(self) -> KafkaNetClient | None:
        """kafka-python's client once a broker has answered; None if none did for now."""
        client = KafkaNetClient(**self._settings)
        client._net.start()
        try:
            client._manager.bootstrap(timeout_ms=max(1000, int(self._heartbeat_s * 1000)))
        except Exception as error:
            # Its bootstrap raises all kinds, KafkaTimeoutError for most; a broker that is away is nothing special.
            _log.warning("Group %s: no broker answers yet: %s", self.group_id, error)
            _discard(client)
            self._wake.wait(0.2)
            self._wake.clear()
            return None
        self._coordinator = Coordinator(
            client, self._protocol_type, self._subprotocols, self._listener, self._wake, **self._settings
        )
        return client

    def _round(self) -> None:
        coordinator = self._coordinator
        assert coordinator is not None
        while not self._commands.empty():
            self._commands.get()()
        if not self._wanted:
            self._sleep(self._heartbeat_s)
            return
        try:
            self._check_reach(coordinator)
            if coordinator.need_rejoin():
                self._join(coordinator)
            else:
                coordinator.poll_heartbeat()
                self._sleep(self._heartbeat_s / 4)
        except kafka_errors.KafkaError as error:
            self._failed(coordinator, error)
        except ConnectError as error:
            _log.error("Group %s: %s", self.group_id, error)
            coordinator.request_rejoin()
            self._sleep(0.5)

    def _check_reach(self, coordinator: Coordinator) -> None:
        """Tell the listener once when others may have been given this member's work."""
        with self._state:
            slept = self._slept
        if slept:
            self._lose(f"this process stood still for {slept:.1f} s")
            with self._state:
                self._slept = 0.0
        now = time.monotonic()
        if not coordinator.coordinator_unknown():
            self._unknown_since = None
            if coordinator.stable() and coordinator.heartbeat.session_timeout_expired():
                coordinator.coordinator_dead("no heartbeat was answered for a session timeout")
                self._lose("no heartbeat was answered for a session timeout")
            return
        self._unknown_since = self._unknown_since or now
        if now - self._unknown_since >= self._heartbeat_s:
            self._lose(f"the group's coordinator was out of reach for {self._heartbeat_s:g} s")
        coordinator.find(self._heartbeat_s / 4)

    def _lose(self, reason: str) -> None:
        if self._lost_told:
            return
        self._lost_told = True
        _log.warning("Group %s: this member may be out of it: %s", self.group_id, reason)
        self._tell(lambda: self._listener.on_lost(reason))
        if self._coordinator is not None:
            self._coordinator.request_rejoin()

    def _join(self, coordinator: Coordinator) -> None:
        if coordinator.begins():
            current = coordinator.current()
            self._tell(lambda: self._listener.on_join_prepare(current.generation_id, current.member_id))
        joined = coordinator.ensure_active_group(timeout_ms=max(50, int(self._heartbeat_s * 250)))
        result = coordinator.take_result()
        if not joined or result is None:
            return
        self._lost_told = False
        self._tell(lambda: self._listener.on_assignment(*result))

    def _tell(self, call: Callable[[], None]) -> None:
        try:
            call()
        except Exception as error:
            # A listener that fails must not take the member with it: the next round puts things right.
            log_failure(_log, error, "Group %s: the listener failed: %s", self.group_id, error)
            raise WorkerError(f"the listener failed: {error}") from error

    def _failed(self, coordinator: Coordinator, error: Exception) -> None:
        retriable = isinstance(error, kafka_errors.RetriableError)
        _log.log(
            logging.WARNING if retriable else logging.ERROR,
            "Group %s: %s: %s; trying again",
            self.group_id,
            type(error).__name__,
            error,
        )
        coordinator.request_rejoin()
        self._sleep(0.2 if retriable else 2.0)

    def _sleep(self, seconds: float) -> None:
        self._wake.wait(seconds)
        self._wake.clear()

    def _close(self, client: KafkaNetClient | None) -> None:
        if self._coordinator is not None:
            try:
                self._coordinator.close(timeout_ms=5000)
            except Exception as error:
                _log.warning("Group %s: could not leave in order: %s", self.group_id, error)
        if client is not None:
            _discard(client)


def _discard(client: KafkaNetClient) -> None:
    try:
        client._manager.close()
        client._net.stop(timeout_ms=5000)
        client._net.close()
    except Exception as error:
        _log.debug("Closing the group's connections: %s", error)
