"""Questions to a broker that librdkafka has no call for, over kafka-python's connection. None of them changes anything.

A right is found by a request that the broker must refuse: it looks at the right first. The heartbeat of a member that no
group has is refused with ``UNKNOWN_MEMBER_ID`` if the client may read the group, and with
``GROUP_AUTHORIZATION_FAILED`` if not; the end of a transaction by a producer id that was never given out likewise.
"""

from __future__ import annotations

import time
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final, NamedTuple

from kafka import errors as kafka_errors
from kafka.admin import KafkaAdminClient
from kafka.net.compat import KafkaNetClient
from kafka.protocol.consumer.group import HeartbeatRequest
from kafka.protocol.metadata import CoordinatorType
from kafka.protocol.producer.transaction import EndTxnRequest

from penstock.errors import ConnectError, RetriableError
from penstock.kafka.group_settings import connection_settings

__all__ = ["Moment", "Probe"]

#: No group has a member of that name, and no producer that id.
_NOBODY: Final = "penstock-doctor"
_NO_PRODUCER: Final = -1
_AGAIN_S: Final = 0.2
_REFUSED: Final = (
    kafka_errors.GroupAuthorizationFailedError,
    kafka_errors.TransactionalIdAuthorizationFailedError,
)


class Moment(NamedTuple):
    """The time of a broker, in milliseconds since 1970, and that of this machine when it was told, give or take `error_ms`."""

    theirs: int
    ours: float
    error_ms: float


class Probe:
    """One connection to a cluster, for one thread."""

    def __init__(self, settings: Mapping[str, Any], owner: str, timeout: float) -> None:
        """Connect with `settings` in Java's names. Raises `ConnectError` if that takes more than `timeout` seconds."""
        self._timeout = timeout
        known = KafkaAdminClient.DEFAULT_CONFIG
        own = {name: value for name, value in connection_settings(settings, owner).items() if name in known}
        made: list[KafkaNetClient] = []

        def make(**all_settings: Any) -> KafkaNetClient:
            made.append(KafkaNetClient(**all_settings))
            return made[-1]

        milliseconds = int(timeout * 1000)
        own |= {"client_id": owner, "request_timeout_ms": milliseconds, "bootstrap_timeout_ms": milliseconds}
        with _as_ours(f"{owner} cannot connect to Kafka"):
            try:
                self._admin: Any = KafkaAdminClient(**own, kafka_client=make)
            except BaseException:
                for client in made:
                    client._manager.close()
                    client._net.stop(timeout_ms=1000)
                raise

    def close(self) -> None:
        self._admin.close()

    def version(self, broker: int) -> tuple[int, ...]:
        """Return the version of Kafka whose requests a broker knows. An upper bound: a newer one may only add settings."""
        with _as_ours(f"Cannot ask broker {broker} for its version"):
            return tuple(self._admin.get_broker_version_data(broker).broker_version)

    def controller_time(self, clock: Callable[[], float] = time.time) -> Moment:
        """Return the time of the active controller. Raises `ConnectError` for a cluster without KRaft, and without the
        right Describe on the cluster. `clock` gives seconds since 1970."""
        with _as_ours("Cannot ask the controller for its time"):
            before = clock()
            told = self._admin.describe_metadata_quorum()
            after = clock()
        partition = told["topics"][0]["partitions"][0]
        if partition["error"] is not None:
            raise ConnectError(f"Cannot ask the controller for its time: {partition['error']}")
        leader = next(v for v in partition["current_voters"] if v["replica_id"] == partition["leader_id"])
        theirs = int(leader["last_caught_up_timestamp"])  # of the leader: now (KIP-836)
        if theirs < 0:
            raise ConnectError("The controller does not tell its time")
        return Moment(theirs, (before + after) * 500, (after - before) * 500)

    def may_read_group(self, group: str) -> bool:
        """Return whether this client may join `group` and commit its offsets."""

        async def ask() -> Any:
            node = await self._admin._find_coordinator_id(group, CoordinatorType.GROUP)
            request = HeartbeatRequest(group_id=group, generation_id=0, member_id=_NOBODY)
            return await self._admin._manager.send(request, node_id=node)

        return self._allowed(ask, f"Cannot ask about group {group}")

    def may_write_transactional_id(self, transactional_id: str) -> bool:
        """Return whether this client may send transactions under `transactional_id`."""

        async def ask() -> Any:
            node = await self._admin._find_coordinator_id(transactional_id, CoordinatorType.TRANSACTION)
            request = EndTxnRequest(
                transactional_id=transactional_id, producer_id=_NO_PRODUCER, producer_epoch=0, committed=False
            )
            return await self._admin._manager.send(request, node_id=node)

        return self._allowed(ask, f"Cannot ask about transactional id {transactional_id}")

    def _allowed(self, ask: Callable[[], Awaitable[Any]], what: str) -> bool:
        deadline = time.monotonic() + self._timeout
        with _as_ours(what):
            while True:
                try:
                    answer = self._admin._manager.run(ask)
                    return kafka_errors.for_code(answer.error_code) not in _REFUSED
                except _REFUSED:
                    return False
                except kafka_errors.RetriableError:  # a cluster's first group has no coordinator for a moment
                    if time.monotonic() >= deadline:
                        raise
                time.sleep(_AGAIN_S)


@contextmanager
def _as_ours(what: str) -> Iterator[None]:
    try:
        yield
    except kafka_errors.KafkaError as error:
        kind = RetriableError if isinstance(error, kafka_errors.RetriableError) else ConnectError
        raise kind(f"{what}: {type(error).__name__}" + (f": {error}" if str(error) else "")) from error
