"""Rights: what the worker and the connector must be allowed, and whether the broker allows it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Final, NamedTuple

from penstock.doctor.cluster import Cluster
from penstock.doctor.finding import Finding, broken, ok, skipped, warning
from penstock.doctor.situation import ADMIN, CONSUMER, PRODUCER, WORKER, Role, Situation
from penstock.doctor.topics import internal_topics
from penstock.errors import ConnectError
from penstock.kafka.examining import TopicFacts

__all__ = ["RightsCheck", "Want", "wants"]

_TOPIC, _GROUP, _TRANSACTIONAL_ID = "topic", "group", "transactional-id"
_WORDS: Final = {"READ": "Read", "WRITE": "Write", "DESCRIBE": "Describe", "CREATE": "Create"}
_REPLICATION: Final = "errors.deadletterqueue.topic.replication.factor"


class Want(NamedTuple):
    """A right that a client needs. `kind` is a resource's type as ``kafka-acls.sh`` calls it. `replication` is that of a
    topic which the admin client may make if it is missing; 0 if nobody makes it."""

    role: Role
    kind: str
    name: str
    operations: tuple[str, ...]
    why: str
    replication: int = 0


def wants(situation: Situation) -> list[Want]:
    """Return what the worker and its connector need, the worker's first."""
    found = []
    if situation.distributed:
        config = situation.worker
        for topic in internal_topics(config):
            found.append(Want(WORKER, _TOPIC, topic.name, ("READ", "WRITE"), f"{topic.setting}: {topic.holds}"))
        found.append(Want(WORKER, _GROUP, config["group.id"], ("READ",), "group.id: the workers' own group"))
        if config["exactly.once.source.support"] != "disabled":
            leader = f"connect-cluster-{config['group.id']}"
            found.append(Want(WORKER, _TRANSACTIONAL_ID, leader, ("WRITE",), "the leader's writes to the config topic"))
    if situation.connector is not None:
        found += _sinks(situation) if situation.is_sink else _sources(situation)
    return found


def _sinks(situation: Situation) -> Iterator[Want]:
    connector = situation.connector or {}
    for topic in situation.topics:
        yield Want(CONSUMER, _TOPIC, topic, ("READ",), "topics: what the sink reads")
    yield Want(CONSUMER, _GROUP, situation.sink_group, ("READ",), "the sink's consumer group")
    if letters := connector.get("errors.deadletterqueue.topic.name", "").strip():
        replication = connector.get(_REPLICATION, "3")
        number = int(replication) if replication.lstrip("-").isdecimal() else 3
        yield Want(PRODUCER, _TOPIC, letters, ("WRITE",), "errors.deadletterqueue.topic.name: dead letters", number)


def _sources(situation: Situation) -> Iterator[Want]:
    connector = situation.connector or {}
    factor = connector.get("topic.creation.default.replication.factor", "")
    replication = int(factor) if factor.lstrip("-").isdecimal() else 0
    for topic in situation.topics:
        yield Want(PRODUCER, _TOPIC, topic, ("WRITE",), "what the source writes to", replication)
    if situation.exactly_once:
        name = f"{situation.worker['group.id']}-{situation.name}-0"
        yield Want(PRODUCER, _TRANSACTIONAL_ID, name, ("WRITE",), "the transactions of the source's tasks")


class RightsCheck:
    """Asks the broker, as each client, for what it allows that client.

    Rights on topics are told with their description; rights on groups and transactional ids show in requests that the
    broker must refuse anyway. `open_cluster` gives the cluster as a client of a role sees it.
    """

    name = "rights"
    needs = ("kafka",)

    def __init__(self, situation: Situation, open_cluster: Callable[[Role], Cluster]) -> None:
        self._situation, self._open = situation, open_cluster

    def findings(self) -> Iterator[Finding]:
        wanted = wants(self._situation)
        for role in dict.fromkeys(want.role for want in wanted):
            cluster, of_role = self._open(role), [want for want in wanted if want.role == role]
            try:
                cluster.facts()  # raises, with the reason, if this client is let in nowhere
                topics = cluster.topics([want.name for want in of_role if want.kind == _TOPIC])
                for want in of_role:
                    yield self._topic(want, topics[want.name]) if want.kind == _TOPIC else self._other(cluster, want)
            except ConnectError as error:
                yield broken(
                    f"{role} client",
                    f"it gets no answer from Kafka, though the worker itself does: {error.message}",
                    f"Check the {role}. settings of the worker and the connector's {role}.override. ones",
                )
        if self._situation.is_source and not self._situation.topics:
            yield skipped(self._situation.name, "its settings do not name the topics that it writes to")

    def _topic(self, want: Want, facts: TopicFacts | ConnectError | None) -> Finding:
        if facts is None:
            return self._missing_topic(want)
        if isinstance(facts, ConnectError):
            return self._denied(want, facts.message)
        if facts.operations is None:
            return skipped(_shown(want), "the broker is too old to tell what it allows")
        lacking = [operation for operation in want.operations if operation not in facts.operations]
        return self._denied(want, f"{_names(lacking)} is not allowed", lacking) if lacking else _allowed(want)

    def _missing_topic(self, want: Want) -> Finding:
        if want.role == WORKER:
            return skipped(
                _shown(want), "the topic does not exist yet; the check of topics says whether it can be made"
            )
        if not want.replication:
            return warning(
                _shown(want),
                f"the topic does not exist ({want.why})",
                "Create it, unless the brokers create topics (auto.create.topics.enable=true) or transforms give another name",
            )
        refused = self._open(ADMIN).creation_refused(want.name, 1, want.replication, {})
        if refused is None:
            return ok(_shown(want), f"does not exist; the connector makes it ({want.why})")
        return broken(
            _shown(want),
            f"the topic does not exist, and the broker would not make it: {refused.message}",
            f"Create the topic, or correct {_REPLICATION if self._situation.is_sink else 'topic.creation.*'}",
        )

    def _other(self, cluster: Cluster, want: Want) -> Finding:
        ask = cluster.may_read_group if want.kind == _GROUP else cluster.may_write_transactional_id
        try:
            allowed = ask(want.name)
        except ConnectError as error:
            return skipped(_shown(want), error.message)
        return _allowed(want) if allowed else self._denied(want, f"{_names(want.operations)} is not allowed")

    def _denied(self, want: Want, message: str, operations: list[str] | None = None) -> Finding:
        named = [_WORDS[operation] for operation in operations or want.operations]
        return broken(
            _shown(want),
            f"{message} to the {want.role} client ({want.why})",
            self._situation.grant(want.role, named, want.kind, want.name),
        )


def _shown(want: Want) -> str:
    return f"{want.kind} {want.name}"


def _names(operations: tuple[str, ...] | list[str]) -> str:
    return " and ".join(_WORDS[operation] for operation in operations)


def _allowed(want: Want) -> Finding:
    return ok(_shown(want), f"{_names(want.operations)} is allowed to the {want.role} client")
