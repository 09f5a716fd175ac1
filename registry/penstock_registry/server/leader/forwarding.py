"""Passing a write on to the leader, as it came."""

from __future__ import annotations

import http.client
import re
import ssl
import threading
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

import orjson

from penstock.errors import ConnectError
from penstock_registry.server.errors import forwarding_failed, unknown_leader
from penstock_registry.server.leader.election import Election
from penstock_registry.server.leader.protocol import MemberIdentity
from penstock_registry.store.kafka import KafkaStore

__all__ = ["FORWARDED", "Forwarder", "Reply"]

#: Marks a request that another registry passed on; it is never passed on again.
FORWARDED: Final = "x-forward"
#: Between requests of one connection, or made anew by the client below.
_OWN_HEADERS: Final = frozenset(
    {"host", "connection", "content-length", "transfer-encoding", "keep-alive", "te", "upgrade"}
)
_THREADS: Final = 32
_TIMEOUT: Final = 60.0
_CATCH_UP_SECONDS: Final = 5.0
#: How long a write waits for a leader while the group agrees on one.
_LEADERLESS_SECONDS: Final = 10.0
#: A registry that stops waits for the others only if one passed a change on to it so lately, and no longer than this.
_RECENT_SECONDS: Final = 30.0
_DRAIN_SECONDS: Final = 5.0
_ASK_AGAIN_SECONDS: Final = 0.1


class _NoAnswerError(Exception):
    """The leader did not answer. With `sent` False there was no connection, so the request never left."""

    def __init__(self, problem: str, sent: bool) -> None:
        super().__init__(problem)
        self.sent = sent


class Reply(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Forwarder:
    """Thread-safe; everything in it blocks, so it is not for an event loop."""

    def __init__(
        self,
        election: Election,
        store: KafkaStore,
        tls: ssl.SSLContext | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`tls` is for leaders at https."""
        self._clock = clock
        self._lock = threading.Lock()
        self._last_passed_on: float | None = None
        self.election = election
        self._store = store
        self._tls = tls
        #: The threads in which `forward` may wait, apart from those that answer, so that these are never all used up by it.
        self.threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="schema-registry-forward")

    def deadline(self) -> float:
        """Until when a change that comes now may be tried."""
        return self._clock() + _LEADERLESS_SECONDS

    def is_over(self, deadline: float) -> bool:
        return self._clock() >= deadline

    def forward(
        self,
        method: str,
        target: str,
        headers: Iterable[tuple[str, str]],
        body: bytes,
        deadline: float | None = None,
    ) -> Reply | None:
        """Return the leader's answer; None if this registry leads and is to answer itself.

        While the lead changes hands it is asked for again until `deadline`, where that does nothing twice. Raises 50003
        if the leader cannot be reached, 50004 if nobody leads. A request that was passed on once is not passed on again.
        """
        given = list(headers)
        passed_on = any(name.lower() == FORWARDED for name, _ in given)
        if passed_on:
            with self._lock:
                self._last_passed_on = self._clock()
        deadline = self.deadline() if deadline is None else deadline
        while True:
            self.election.await_leader(max(0.0, deadline - self._clock()))
            if self.election.leads:
                return None
            leader = self.election.leader
            if leader is None:
                raise unknown_leader(self.election.problem or "it changed")
            if passed_on:
                raise unknown_leader(f"the request came from another registry, and not this one leads but {leader.url}")
            try:
                reply = self._ask(leader, method, target, given, body)
            except _NoAnswerError as error:
                # The connection is gone, and whether the change was made nobody can say. A leader that stops or dies
                # does that; the next one may be asked if making the change twice is the same as making it once.
                if self.is_over(deadline) or (error.sent and not _is_repeatable(method, target)):
                    raise forwarding_failed(leader.url, str(error)) from error
            else:
                if self.is_over(deadline) or not _leads_no_more(reply):
                    break
            time.sleep(_ASK_AGAIN_SECONDS)
        if reply.status < 300:
            # The next request to this registry is to see what was done.
            self.catch_up()
        return reply

    def drain(self) -> None:
        """Once this registry has left the group: go on answering until those who pass changes on to it have heard of it,
        so that none of these meets a port that closes."""
        with self._lock:
            last = self._last_passed_on
        if last is not None and self._clock() - last < _RECENT_SECONDS:
            time.sleep(min(self.election.heartbeat_seconds, _DRAIN_SECONDS))

    def close(self) -> None:
        self.threads.shutdown(wait=False, cancel_futures=True)

    def catch_up(self) -> None:
        """Read what was written before this call, if that can be done in a few seconds."""
        try:
            self._store.catch_up(_CATCH_UP_SECONDS)
        except ConnectError:
            return  # the change is made; it will be seen here a little later

    def _ask(
        self, leader: MemberIdentity, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes
    ) -> Reply:
        connection: http.client.HTTPConnection
        if leader.scheme == "https":
            connection = http.client.HTTPSConnection(leader.host, leader.port, timeout=_TIMEOUT, context=self._tls)
        else:
            connection = http.client.HTTPConnection(leader.host, leader.port, timeout=_TIMEOUT)
        try:
            connection.connect()
        except OSError as error:
            connection.close()
            raise _NoAnswerError(str(error) or type(error).__name__, sent=False) from error
        try:
            connection.putrequest(method, target, skip_accept_encoding=True)
            for name, value in headers:
                if name.lower() not in _OWN_HEADERS:
                    connection.putheader(name, value)
            connection.putheader("X-Forward", "true")
            connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            kept = [(name, value) for name, value in answer.getheaders() if name.lower() not in (*_OWN_HEADERS, "date")]
            return Reply(answer.status, kept, answer.read())
        except (ConnectionError, http.client.BadStatusLine) as error:
            raise _NoAnswerError(str(error) or type(error).__name__, sent=True) from error
        except (OSError, http.client.HTTPException) as error:
            raise forwarding_failed(leader.url, str(error) or type(error).__name__) from error
        finally:
            connection.close()


#: Registering what is registered answers what it did the first time, and a setting may be made twice.
_REPEATABLE: Final = re.compile(r"(POST .*/subjects/[^/?]+/versions|PUT .*/(config|mode)(/[^/?]+)?)/?(\?.*)?")
_UNKNOWN_LEADER: Final = unknown_leader().code


def _is_repeatable(method: str, target: str) -> bool:
    return _REPEATABLE.fullmatch(f"{method} {target}") is not None


def _leads_no_more(reply: Reply) -> bool:
    """Return whether the registry that was asked says that it has done nothing, since it does not lead."""
    if reply.status != 500:
        return False
    try:
        answer = orjson.loads(reply.body)
    except ValueError:
        return False
    return isinstance(answer, dict) and answer.get("error_code") == _UNKNOWN_LEADER
