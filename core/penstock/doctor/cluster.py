"""The Kafka cluster as one of the worker's clients sees it, with that client's credentials."""

from __future__ import annotations

import socket
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final, Protocol

from penstock.errors import ConnectError
from penstock.kafka import KafkaClients
from penstock.kafka.errors import KafkaError, meaning_of, reason_of
from penstock.kafka.examining import ClusterFacts, TopicFacts, describe_cluster, describe_topics, try_creation
from penstock.kafka.probing import Moment, Probe

__all__ = ["Cluster", "KafkaCluster", "reach"]

_OWNER: Final = "penstock-doctor"


class Cluster(Protocol):
    """The questions that checks ask. Every method raises `ConnectError` if there is no answer. None changes the cluster."""

    def facts(self) -> ClusterFacts: ...

    def topics(self, names: Sequence[str]) -> Mapping[str, TopicFacts | ConnectError | None]:
        """Return each topic's facts; None if it is not there, the error if the broker tells nothing of it."""

    def creation_refused(
        self, name: str, partitions: int, replication: int, configs: Mapping[str, str]
    ) -> ConnectError | None:
        """Return why the broker would not make such a topic; None if it would."""

    def version(self, broker: int) -> tuple[int, ...]:
        """Return the version of Kafka that a broker speaks."""

    def controller_time(self) -> Moment: ...

    def may_read_group(self, group: str) -> bool: ...

    def may_write_transactional_id(self, transactional_id: str) -> bool: ...


class KafkaCluster:
    """The real cluster. For one thread; connects when it is first asked."""

    def __init__(self, settings: Mapping[str, str], timeout: float) -> None:
        """`settings` are a client's connection settings in Java's names."""
        self._settings, self._timeout = dict(settings), timeout
        self._admin: Any = None
        self._probe_made: Probe | None = None
        self._told: list[KafkaError] = []

    def close(self) -> None:
        if self._probe_made is not None:
            self._probe_made.close()
            self._probe_made = None

    def facts(self) -> ClusterFacts:
        admin = self._admin_client()
        try:
            return describe_cluster(admin, self._timeout)
        except ConnectError as error:
            admin.poll(0)  # what the client met on its way here
            reasons = dict.fromkeys(reason_of(told) for told in self._told)
            advice = dict.fromkeys(filter(None, (meaning_of(told).advice for told in self._told)))
            if not reasons:
                raise
            words = "; ".join([*reasons, *(text.replace("{", "").replace("}", "") for text in advice)])
            raise ConnectError(f"{error.message}. The client met: {words}") from error

    def topics(self, names: Sequence[str]) -> Mapping[str, TopicFacts | ConnectError | None]:
        return describe_topics(self._admin_client(), names, self._timeout)

    def creation_refused(
        self, name: str, partitions: int, replication: int, configs: Mapping[str, str]
    ) -> ConnectError | None:
        return try_creation(self._admin_client(), name, partitions, replication, configs, self._timeout)

    def version(self, broker: int) -> tuple[int, ...]:
        return self._probe().version(broker)

    def controller_time(self) -> Moment:
        return self._probe().controller_time()

    def may_read_group(self, group: str) -> bool:
        return self._probe().may_read_group(group)

    def may_write_transactional_id(self, transactional_id: str) -> bool:
        return self._probe().may_write_transactional_id(transactional_id)

    def _admin_client(self) -> Any:
        if self._admin is None:
            clients = KafkaClients(self._settings)
            own = {"client.id": _OWNER, "socket.connection.setup.timeout.ms": str(max(1000, int(self._timeout * 1000)))}
            self._admin = clients.admin(own, _OWNER, error_cb=self._told.append)
        return self._admin

    def _probe(self) -> Probe:
        if self._probe_made is None:
            self._probe_made = Probe(self._settings, _OWNER, self._timeout)
        return self._probe_made


def reach(
    host: str, port: int, timeout: float, connect: Callable[..., socket.socket] = socket.create_connection
) -> str | None:
    """Open a connection and close it. Return why there is none; None if there is."""
    try:
        connect((host, port), timeout=timeout).close()
    except socket.gaierror:
        return f"the name {host} is not known here"
    except TimeoutError:
        return f"no answer within {timeout:g} s"
    except OSError as error:
        return error.strerror or str(error)
    return None
