"""The brokers: whether they answer, where they say they are, and how old they are."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final

from penstock.doctor.cluster import Cluster, reach
from penstock.doctor.finding import Finding, broken, ok, warning
from penstock.doctor.situation import WORKER, Situation
from penstock.errors import ConnectError
from penstock.kafka.examining import Broker

__all__ = ["KafkaCheck", "Reach", "addresses"]

#: Host, port and seconds → why nobody can be reached there, None if somebody can.
Reach = Callable[[str, int, float], str | None]
#: Headers and idempotent producers, which sources and dead letters use.
_OLDEST: Final = (0, 11)
#: Transactions whose offsets can be read back by a newer producer (KIP-447), which exactly once stands on.
_OLDEST_EXACTLY_ONCE: Final = (2, 5)
_DEFAULT_PORT: Final = 9092


def addresses(bootstrap_servers: str) -> Iterator[tuple[str, int]]:
    """Yield host and port of each entry of ``bootstrap.servers``."""
    for entry in (part.strip() for part in bootstrap_servers.split(",")):
        if not entry:
            continue
        entry = entry.rpartition("://")[2]
        host, colon, port = entry.rpartition(":")
        if colon and port.isdecimal():
            yield host.strip("[]"), int(port)
        else:
            yield entry.strip("[]"), _DEFAULT_PORT


class KafkaCheck:
    """Asks the cluster with the worker's own credentials. Everything else about Kafka needs this."""

    name = "kafka"
    needs = ()

    def __init__(self, situation: Situation, cluster: Cluster, reach: Reach = reach) -> None:
        self._situation, self._cluster, self._reach = situation, cluster, reach

    def findings(self) -> Iterator[Finding]:
        servers = self._situation.connection(WORKER).get("bootstrap.servers", "")
        unreachable = {}
        asked = list(addresses(servers))
        for host, port in asked:
            if (why := self._reach(host, port, self._situation.timeout)) is not None:
                unreachable[f"{host}:{port}"] = why
        if asked and len(unreachable) == len(asked):
            for place, why in unreachable.items():
                yield broken(
                    place,
                    f"no broker can be reached: {why}",
                    "Correct bootstrap.servers, start the broker, or open the way to it",
                    blocks=True,
                )
            return
        for place, why in unreachable.items():
            yield warning(place, f"this one of bootstrap.servers cannot be reached: {why}", "Take it out, or repair it")
        yield from self._ask(servers)

    def _ask(self, servers: str) -> Iterator[Finding]:
        try:
            facts = self._cluster.facts()
        except ConnectError as error:
            yield broken(
                servers,
                f"something listens there, but no broker answers this client: {error.message}",
                "Check security.protocol, sasl.* and ssl.* of the worker against the broker's listener at that port",
                blocks=True,
            )
            return
        count = len(facts.brokers)
        yield ok(servers, f"cluster {facts.cluster_id} answers, {count} broker{'s' if count != 1 else ''}")
        reached = {b: self._reach(b.host, b.port, self._situation.timeout) for b in facts.brokers}
        for broker, why in reached.items():
            if why is None:
                yield from self._broker(broker)
                continue
            yield broken(
                f"broker {broker.number}",
                f"it calls itself {broker.host}:{broker.port}, which cannot be reached from here: {why}",
                "Set advertised.listeners of the broker to an address that workers reach, or make the name known here",
                blocks=None not in reached.values(),
            )

    def _broker(self, broker: Broker) -> Iterator[Finding]:
        about = f"broker {broker.number}"
        try:
            version = self._cluster.version(broker.number)
        except ConnectError as error:
            yield warning(about, f"it does not tell its version: {error.message}")
            return
        shown = ".".join(map(str, version))
        exactly_once = self._situation.exactly_once
        oldest = _OLDEST_EXACTLY_ONCE if exactly_once else _OLDEST
        if version < oldest:
            for_what = "exactly.once.source.support=enabled" if exactly_once else "a worker"
            wanted = ".".join(map(str, oldest))
            yield broken(about, f"it speaks Kafka {shown}; {for_what} needs {wanted} or newer", "Upgrade the broker")
        else:
            yield ok(about, f"{broker.host}:{broker.port} speaks Kafka {shown}")
