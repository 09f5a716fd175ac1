"""Passing a write on to the leader, as it came."""

from __future__ import annotations

import http.client
import ssl
import time
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Final, NamedTuple

from penstock.errors import ConnectError
from penstock_registry.server.errors import forwarding_failed, unknown_leader
from penstock_registry.server.leader.election import Election
from penstock_registry.server.leader.protocol import Identity
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


_ASK_AGAIN_SECONDS: Final = 0.1


class _NotSentError(Exception):
    """No connection to the leader: the request never left."""


class Reply(NamedTuple):
    status: int
    headers: list[tuple[str, str]]
    body: bytes


class Forwarder:
    """Thread-safe; everything in it blocks, so it is not for an event loop."""

    def __init__(self, election: Election, store: KafkaStore, tls: ssl.SSLContext | None = None) -> None:
        """`tls` is for leaders at https."""
        self.election = election
        self._store = store
        self._tls = tls
        #: Where `forward` may wait: apart from the threads that answer, so that these are never all used up by it.
        self.threads = ThreadPoolExecutor(_THREADS, thread_name_prefix="schema-registry-forward")

    def forward(self, method: str, target: str, headers: Iterable[tuple[str, str]], body: bytes) -> Reply | None:
        """The leader's answer; None if this registry leads and is to answer itself.

        Raises 50003 if the leader cannot be reached, 50004 if nobody leads. A request that was passed on once is not
        passed on again.
        """
        given = list(headers)
        deadline = time.monotonic() + _LEADERLESS_SECONDS
        while True:
            self.election.await_leader(_LEADERLESS_SECONDS)
            if self.election.leads:
                return None
            leader = self.election.leader
            if leader is None:
                raise unknown_leader(self.election.problem or "it changed")
            if any(name.lower() == FORWARDED for name, _ in given):
                raise unknown_leader(f"the request came from another registry, and not this one leads but {leader.url}")
            try:
                reply = self._ask(leader, method, target, given, body)
                break
            except _NotSentError as error:
                # A leader that stops closes its port before the group has named another: nothing was sent, so the
                # next leader may be asked without any risk of doing it twice.
                if time.monotonic() >= deadline:
                    raise forwarding_failed(leader.url, str(error)) from error
                time.sleep(_ASK_AGAIN_SECONDS)
        if reply.status < 300:
            # Who asks here next is to see what was done.
            self._catch_up()
        return reply

    def close(self) -> None:
        self.threads.shutdown(wait=False, cancel_futures=True)

    def _catch_up(self) -> None:
        try:
            self._store.catch_up(_CATCH_UP_SECONDS)
        except ConnectError:
            return  # the change is made; it will be seen here a little later

    def _ask(
        self, leader: Identity, method: str, target: str, headers: Sequence[tuple[str, str]], body: bytes
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
            raise _NotSentError(str(error) or type(error).__name__) from error
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
        except (OSError, http.client.HTTPException) as error:
            raise forwarding_failed(leader.url, str(error) or type(error).__name__) from error
        finally:
            connection.close()
